"""The pixels of another image, for a product on the same grid."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from mizzle.errors import InputError
from mizzle.io.opened import opened_fits
from mizzle.io.regular import IMAGE_LIMIT
from mizzle.model.frame import Grid

_AXES = ("RA---TAN", "DEC--TAN")


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """Return the grid of the first two-dimensional image of a FITS file that has a celestial WCS.

    Parameters
    ----------
    path : str or path
        FITS, plain, gzip or tile-compressed; only headers are used.

    Returns
    -------
    grid : Grid
        The numbers of its WCS as the header has them: CD as it is, or from PC (CROTA) and CDELT.

    Raises
    ------
    InputError
        No such image, or a projection other than TAN, or distortion: a product has neither.
    """
    refused = "no two-dimensional image with a celestial WCS"
    with opened_fits(path, "FITS image", IMAGE_LIMIT) as hdus:
        for hdu in hdus:
            header = hdu.header
            if not getattr(hdu, "is_image", False) or len(getattr(hdu, "shape", ())) != 2:
                continue
            axes = tuple(str(header.get(f"CTYPE{i}", "")).strip().upper() for i in (1, 2))
            if axes == _AXES and not _distorted(header):
                return _grid(header, hdu.shape, path)
            if any(axes):
                refused = (
                    f"its WCS is {' '.join(axes)}{' with distortion' if axes == _AXES else ''}; a product has RA---TAN"
                    " DEC--TAN without distortion: name a drizzled or resampled image"
                )
    raise InputError(f"{path}: {refused}", file=str(path))


def _distorted(header: Mapping[str, Any]) -> bool:
    """Tell whether a TAN header holds more than a linear frame."""
    keys = ("A_ORDER", "B_ORDER", "CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2", "CQDIS1", "PV1_0", "PV1_1", "PV2_1")
    turned = float(header.get("LONPOLE", 180.0)) != 180.0
    return turned or any(key in header for key in keys)


def _grid(header: Mapping[str, Any], shape: tuple[int, ...], path: str | os.PathLike[str]) -> Grid:
    """Return the grid of a TAN header."""

    def number(name: str, default: float | None = None) -> float:
        value = header.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise InputError(f"{path}: {name} is {str(value)[:40]!r}; needed a number", file=str(path), keyword=name)
        return float(value)

    if any(f"CD{i}_{j}" in header for i in (1, 2) for j in (1, 2)):
        cd = np.array([[number(f"CD{i}_{j}", 0.0) for j in (1, 2)] for i in (1, 2)])
    else:
        steps = np.array([number("CDELT1", 1.0), number("CDELT2", 1.0)])
        if "PC1_1" in header or "PC1_2" in header:
            turn = np.array([[number(f"PC{i}_{j}", float(i == j)) for j in (1, 2)] for i in (1, 2)])
            cd = turn * steps[:, None]
        else:  # the older CROTA2 (Calabretta & Greisen 2002, equation 189)
            angle = np.deg2rad(number("CROTA2", 0.0))
            cos, sin = np.cos(angle), np.sin(angle)
            cd = np.array([[cos * steps[0], -sin * steps[1]], [sin * steps[0], cos * steps[1]]])
    size = 3600.0 * np.sqrt(abs(np.linalg.det(cd)))
    if not 0.001 <= size <= 60.0:
        raise InputError(f"{path}: its pixels are {size:g} arcsec wide; needed 0.001 to 60", file=str(path))
    default = "FK5" if number("EQUINOX", 2000.0) == 2000.0 else "FK4"
    frame = str(header.get("RADESYS", header.get("RADECSYS", default))).strip().upper()
    if frame not in {"FK5", "ICRS"}:
        raise InputError(f"{path}: its coordinates are {frame}; needed ICRS or FK5 of 2000", file=str(path))
    return Grid(
        np.array([number("CRVAL1"), number("CRVAL2")]),
        np.array([number("CRPIX1"), number("CRPIX2")]),
        cd,
        (int(shape[0]), int(shape[1])),
        frame,
    )
