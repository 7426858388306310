"""Keywords of the cameras' files that say how an exposure was made and calibrated."""

from __future__ import annotations

from collections.abc import Mapping

from mizzle.model import HeaderValue

#: Filters in the beam, by the keywords of each camera: WFPC2's two, or those of ACS and WFC3.
FILTERS = (("FILTNAM1", "FILTNAM2"), ("FILTER", "FILTER1", "FILTER2"))

#: Program, setup and pointing.
SETUP = (
    *("IMAGETYP", "PROPOSID", "LINENUM", "MODE", "SERIALS", "FILTER1", "FILTER2", "ATODGAIN", "SHUTTER", "EXPFLAG"),
    *("PA_V3", "RA_TARG", "DEC_TARG", "SUNANGLE", "FGSLOCK", "KSPOTS", "OVERSCAN", "TIME-OBS", "CCDAMP", "CCDGAIN"),
    *("APERTURE", "OBSTYPE", "PROCTIME", "OPUS_VER", "CAL_VER", "ASN_MTYP"),
)
#: The reference files it was calibrated with.
REFERENCE_FILES = (
    *("IDCTAB", "OFFTAB", "DGEOFILE", "FLATFILE", "MASKFILE", "BIASFILE", "DARKFILE", "ATODFILE", "SHADFILE"),
    *("GRAPHTAB", "COMPTAB", "PFLTFILE", "BPIXTAB", "CCDTAB", "IMPHTTAB", "NPOLFILE", "D2IMFILE", "DISTNAME"),
    *("SIPNAME", "MDRIZTAB"),
)


def filter_keywords(primary: Mapping[str, HeaderValue]) -> tuple[str, ...]:
    """Return the keywords of the filters in the beam, as the camera of a primary header has them."""
    return FILTERS[0] if FILTERS[0][0] in primary else FILTERS[1]
