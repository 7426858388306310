"""Frames as scripts build them by hand: for a set of exposures, or from numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model import Alignment, Grid
from mizzle.settings import Settings
from mizzle.stwcs.wcsutil import HSTWCS
from mizzle.translation.exposures import read_exposures, with_values
from mizzle.translation.grid import frames_of, incumbent_grid, turned_cd
from mizzle.translation.inputs import list_files

__all__ = ["build_hstwcs", "get_hstwcs", "make_mosaic_wcs", "make_perfect_cd"]


def make_mosaic_wcs(filenames: Any, rot: float | None = None, scale: float | None = None) -> HSTWCS:
    """Return the frame of a product of these exposures: that of AstroDrizzle with ``final_rot`` and ``final_scale``.

    Parameters
    ----------
    filenames : str, Path or iterable of them
        Exposures.
    rot : float, optional
        Position angle of y [deg]; the first chip's without it.
    scale : float, optional
        Pixel side [arcsec]; the first chip's without it.
    """
    paths = list_files(filenames, "make_mosaic_wcs").paths
    exposures = read_exposures(paths, with_values(Settings(), geometry={"wcs": "header"}))
    frames = frames_of(exposures, Alignment.identity(exposures))
    return HSTWCS.of_grid(incumbent_grid(frames, scale=scale, rotation=rot))


def make_perfect_cd(wcs: Any) -> NDArray[np.float64]:
    """Return the CD matrix [deg] of square pixels, of a WCS's side (``pscale`` where it has one) and direction of y."""
    cd = wcs.pixel_scale_matrix
    side = getattr(wcs, "pscale", None) or 3600.0 * float(np.hypot(cd[0, 0], cd[1, 0]))
    return turned_cd(float(np.arctan2(cd[0, 1], cd[1, 1])), side)


def get_hstwcs(filename: str, extnum: Any) -> HSTWCS:
    """Return the WCS of an extension of a file."""
    return HSTWCS(filename, ext=extnum)


def build_hstwcs(
    crval1: float,
    crval2: float,
    crpix1: float,
    crpix2: float,
    naxis1: int,
    naxis2: int,
    pscale: float,
    orientat: float,
) -> HSTWCS:
    """Return the frame of a tangent point [deg], its 1-based pixel, a size, pixel side [arcsec] and ORIENTAT [deg]."""
    cd = turned_cd(float(np.deg2rad(orientat)), pscale)
    return HSTWCS.of_grid(Grid(np.array([crval1, crval2]), np.array([crpix1, crpix2]), cd, (naxis2, naxis1)))
