"""Make simulate/data/camera_headers.json and camera_tables.npz from headers of real ACS and WFC3 exposures.

    python tools/make_camera_headers.py FOLDER

FOLDER holds the exposures (public NASA/STScI data; their pixels are not used). What is kept: the cards that a reader of
such a file asks for, as they stand, and the lookup tables of the distortion (D2IMARR, WCSDVARR) as float32.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits

#: Camera, filter and the exposure whose headers serve.
SOURCES = {
    "acs-wfc F606W": "acswfc_j94f05bgq_f606w_skeleton_flt.fits",
    "acs-wfc F814W": "acswfc_made_f814w_2016_skeleton_flt.fits",
    "acs-hrc F606W": "acshrc_j8bt06nyq_f606w_skeleton_flt.fits",
    "wfc3-uvis F555W": "uvis_ib4606c6q_f555w_skeleton_flc.fits",
    "wfc3-ir F110W": "ir_ib4606cpq_f110w_skeleton_flt.fits",
}
PRIMARY = re.compile(
    r"(TELESCOP|INSTRUME|DETECTOR|FILTER\d?|APERTURE|SUBARRAY|CCDAMP|CCDGAIN|ATODGN[A-D]|READNSE[A-D]|CCDOFST[A-D]|"
    r"EXPFLAG|DARKTIME|FLASHDUR|PCTECORR|FLUXCORR|FLATCORR|DARKCORR|BIASCORR|PHOTCORR|DRIZCORR|OBSTYPE|OBSMODE|IMAGETYP|"
    r"SCAN_TYP|MTFLAG|SAMP_SEQ|NSAMP|CRCORR|UNITCORR|SUBTYPE|PHOT(FLAM|PLAM|BW|ZPT|MODE)|PHTFLAM[12]|PHTRATIO|CRSPLIT|"
    r"PROPOSID|FGSLOCK|QUALITY|IDCTAB|NPOLFILE|D2IMFILE|IMPHTTAB|CAL_VER|PA_V3|LRFWAVE|EQUINOX)"
)
SCIENCE = re.compile(
    r"(EXTNAME|EXTVER|BUNIT|CCDCHIP|WCSAXES|CRPIX\d|CRVAL\d|CTYPE\d|CUNIT\d|CD\d_\d|[AB]_ORDER|[AB]_\d_\d|D2IM\w*|CPDIS\d|"
    r"CPERR\d|DP\d|LTV\d|LTM\d_\d|ORIENTAT|VAFACTOR|PHOT(FLAM|PLAM|BW|ZPT|MODE)|PHTFLAM[12]|PHTRATIO|MEANDARK|MEANFLSH|"
    r"IDCSCALE|IDCTHETA|IDC[XYV]\dREF|IDC[XY]REF|OC[XY]1[01]|WCSNAME|RADESYS|IDCTAB|LONPOLE|LATPOLE)"
)

AXES = ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2")


def kept(header: fits.Header, names: re.Pattern[str]) -> list[str]:
    """Return the cards that are kept, as they stand in the file."""
    return [card.image.rstrip() for card in header.cards if names.fullmatch(card.keyword.split(".")[0])]


def main(folder: Path) -> None:
    """Write both files beside the simulator."""
    out = Path(__file__).parents[1] / "src" / "mizzle" / "simulate" / "data"
    headers, tables = {}, {}
    for name, file in SOURCES.items():
        with fits.open(folder / file) as units:
            science = [unit for unit in units if unit.name.strip() == "SCI"]
            headers[name] = {
                "source": file.split("_")[1],
                "primary": kept(units[0].header, PRIMARY),
                "science": [kept(unit.header, SCIENCE) for unit in science],
                "shape": [int(science[0].header["NPIX2"]), int(science[0].header["NPIX1"])],
            }
            for unit in units:
                table = f"{name} {unit.name.strip()} {unit.ver}"
                if unit.name.strip() in {"D2IMARR", "WCSDVARR"}:
                    tables[table] = np.asarray(unit.data, np.float32)
                    tables[f"{table} axes"] = np.array([unit.header.get(word, 0.0) for word in AXES])
    (out / "camera_headers.json").write_text(json.dumps(headers, indent=0) + "\n", "utf-8")
    np.savez_compressed(out / "camera_tables.npz", **tables)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
