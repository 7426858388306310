"""The pixels of an image on disk: any FITS image with a plain TAN frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mizzle.errors import InputError
from mizzle.io.rewriting import opened
from mizzle.model import Grid


def read_grid(path: Path) -> Grid:
    """Return the frame of the first image with a celestial WCS.

    Parameters
    ----------
    path : Path
        A FITS file.

    Raises
    ------
    InputError
        No image of it has a TAN frame.
    """
    from astropy.wcs import WCS

    with opened(path) as hdus:
        for hdu in hdus:
            header = hdu.header
            if header.get("NAXIS", 0) < 2 or not str(header.get("CTYPE1", "")).startswith("RA---TAN"):
                continue
            wcs = WCS(header, naxis=2)
            crval, crpix = np.array(wcs.wcs.crval), np.array(wcs.wcs.crpix)
            frame = "ICRS" if wcs.wcs.radesys.strip() == "ICRS" else "FK5"
            shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
            return Grid(crval, crpix, np.array(wcs.pixel_scale_matrix), shape, frame)
    raise InputError(f"{path}: no image with a TAN frame (CTYPE1 RA---TAN); needed a drizzled image", file=str(path))
