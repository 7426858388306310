"""Run stwcs on exposures made from JSON and print what it wrote; called with the oracle's interpreter.

Usage: ``python oracle_stwcs.py cases.json folder``. Each case has `primary` and `chips` (header keywords),
`shape`, and
`points` (0-based pixels). The answer is a JSON list: per case, per chip, the WCS keywords and the sky of the
points.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

KEYS = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "IDCSCALE", "IDCTHETA", "IDCXREF")
KEYS += ("IDCYREF", "IDCV2REF", "IDCV3REF", "OCX10", "OCX11", "OCY10", "OCY11", "WCSNAME", "VAFACTOR")


def make_file(case: dict, path: Path) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update(case["primary"])
    hdus = fits.HDUList([primary])
    for number, header in sorted(case["chips"].items()):
        hdu = fits.ImageHDU(np.zeros(case["shape"], dtype=np.float32), name="SCI", ver=int(number))
        hdu.header["DETECTOR"] = int(number)
        hdu.header.update(header)
        hdus.append(hdu)
    hdus.writeto(path, overwrite=True)


def answer(path: Path, points: list) -> dict:
    from stwcs.wcsutil import HSTWCS

    result = {}
    with fits.open(path) as hdus:
        for index, hdu in enumerate(hdus):
            if hdu.header.get("EXTNAME") != "SCI":
                continue
            header = hdu.header
            wcs = HSTWCS(hdus, ext=index)
            sky = wcs.all_pix2world(np.array(points), 0)
            keys = {key: header[key] for key in KEYS if key in header}
            keys.update({key: header[key] for key in header if key[:2] in ("A_", "B_")})
            result[str(header["DETECTOR"])] = {"keys": keys, "sky": sky.tolist()}
    return result


def main() -> None:
    warnings.simplefilter("ignore")
    cases = json.loads(Path(sys.argv[1]).read_text())
    os.chdir(sys.argv[2])
    real_stdout = os.dup(1)
    os.dup2(2, 1)  # stwcs prints
    from stwcs import updatewcs

    answers = []
    for number, case in enumerate(cases):
        path = Path(f"case{number}_c0m.fits")
        if "file" in case:
            with fits.open(case["file"]) as hdus:
                hdus[0].header.update(case["primary"])
                hdus.writeto(path, overwrite=True)
        else:
            make_file(case, path)
        updatewcs.updatewcs(str(path), use_db=False, checkfiles=False, verbose=False)
        answers.append(answer(path, case["points"]))
    sys.stdout.flush()
    os.dup2(real_stdout, 1)
    sys.stdout.write(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
