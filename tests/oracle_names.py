"""Runs in the oracle's interpreter: the smaller calls on a file that mizzle's updatewcs made.

Usage: ``python oracle_names.py FOLDER``; FOLDER holds ``a_c0m.fits``, ``frame.fits``, ``image.npz``, ``shifts.json``
(parameters of updatewcs_with_shift by name) and ``grids.json`` (those of AstroDrizzle's grids), and gets
``names.json``, ``dropped.npz`` and moved copies of the file.
"""

from __future__ import annotations

import json
import os
import shutil
import sys

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS


def main(folder: str) -> None:
    os.chdir(folder)
    from drizzlepac import adrizzle, astrodrizzle, updatehdr, wcs_functions
    from stwcs.distortion import utils
    from stwcs.wcsutil import HSTWCS, altwcs

    with fits.open("a_c0m.fits") as hdus:
        chips = [HSTWCS(hdus, ext=number) for number in range(1, 5)]
    frames = {
        "all": utils.output_wcs(chips),
        "two": utils.output_wcs(chips[2:]),
        "of": utils.output_wcs(chips, ref_wcs=chips[2]),
        "mosaic": wcs_functions.make_mosaic_wcs(["a_c0m.fits"]),
    }
    told = {name: [*wcs.pixel_shape, *corners(wcs)] for name, wcs in frames.items()}
    told["alternates"] = [altwcs.wcsnames("a_c0m.fits", ext=1), altwcs.next_wcskey(fits.getheader("a_c0m.fits", 1))]
    with open("shifts.json") as stream:
        shifts = json.load(stream)
    for name, more in shifts.items():
        shutil.copy("a_c0m.fits", f"{name}_c0m.fits")
        given = {key: np.array(value) if key == "fit" else value for key, value in more.items()}
        updatehdr.updatewcs_with_shift(f"{name}_c0m.fits", "frame.fits", wcsname="X", reusename=True, **given)
    with open("grids.json") as stream:
        grids = json.load(stream)
    for name, more in grids.items():
        astrodrizzle.AstroDrizzle(
            "a_c0m.fits", output=name, preserve=False, skysub=False, static=False, median=False, blot=False,
            driz_cr=False, driz_separate=False, final_wcs=True, context=False, **more,
        )  # fmt: skip
        header = fits.getheader(f"{name}_drw_sci.fits")
        told[name] = [header[key] for key in ("NAXIS1", "NAXIS2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "ORIENTAT")]
    with open("names.json", "w") as stream:
        json.dump(told, stream)
    images, header = np.load("image.npz"), fits.getheader("frame.fits")
    size = images["sci"].shape[0]
    outputs = {}
    for kernel in ("square", "point", "turbo", "gaussian"):
        sci, wht, ctx = (np.zeros((90, 90), kind) for kind in (np.float32, np.float32, np.int32))
        for number, factor in enumerate((1, 2), 1):
            source, target = (plain(header, side, n) for side, n in ((0.1, size), (0.06, 90)))
            adrizzle.do_driz(
                images["sci"] * np.float32(factor), source, images["wht"], target, sci, wht, ctx, 1.0, "cps",
                float(number), wcslin_pscale=0.1, uniqid=number, pixfrac=0.8, kernel=kernel, fillval="-1",
            )  # fmt: skip
        outputs |= {f"{kernel} sci": sci, f"{kernel} wht": wht, f"{kernel} ctx": ctx}
    np.savez("dropped.npz", **outputs)


def corners(wcs: WCS) -> list[float]:
    nx, ny = wcs.pixel_shape
    return [float(v) for x, y in ((1, 1), (nx, 1), (1, ny), (nx, ny)) for v in wcs.all_pix2world(x, y, 1)]


def plain(header: fits.Header, side: float, size: int) -> WCS:
    """Return a frame around CRVAL; the coarse one turned."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [(size + 1) / 2] * 2
    wcs.wcs.crval = [header["CRVAL1"], header["CRVAL2"]]
    angle = np.deg2rad(23.0 if side == 0.06 else 0.0)
    wcs.wcs.cd = np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * side / 3600.0
    wcs.pixel_shape, wcs.pscale = (size, size), side
    wcs.wcs.set()
    return wcs


if __name__ == "__main__":
    main(*sys.argv[1:])
