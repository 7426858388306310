"""Keywords of the cameras' files that say how an exposure was made and calibrated."""

from __future__ import annotations

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
