"""The product's pixels as the incumbents choose them: by the first chip of the first exposure.

Rules (known from their documentation and outputs): the tangent point is the middle of all chips' corners on the sphere;
side and direction are those of the first chip's undistorted pixels; the size is the extent of the corners' centers,
rounded up. Another side rescales that frame about its first pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import SkyPlaces
from mizzle.model import ChipFrame, Exposure, Grid

FloatArray = NDArray[np.float64]


def corners(frames: Sequence[ChipFrame]) -> SkyPlaces:
    """Return the sky [deg] of the centers of the corner pixels of all chips."""
    ra, dec = [], []
    for frame in frames:
        ny, nx = frame.shape
        found = frame.pixel_to_sky(np.array([0.0, 0.0, nx - 1.0, nx - 1.0]), np.array([0.0, ny - 1.0, ny - 1.0, 0.0]))
        ra.append(found[0])
        dec.append(found[1])
    return SkyPlaces(np.concatenate(ra), np.concatenate(dec))


def middle(ra: FloatArray, dec: FloatArray) -> tuple[float, float]:
    """Return the direction of the middle of the box around unit vectors [deg]."""
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    x, y, z = np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)
    cx, cy, cz = ((v.min() + v.max()) / 2 for v in (x, y, z))
    return float(np.rad2deg(np.arctan2(cy, cx)) % 360.0), float(np.rad2deg(np.arctan2(cz, np.hypot(cx, cy))))


def plane_cd(frame: ChipFrame) -> FloatArray:
    """Return the CD matrix of a chip's undistorted pixels: square, of the table's side, y where the table has it."""
    angle = np.deg2rad(frame.orientation())
    side = frame.scale / 3600.0
    return np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * side


def incumbent_grid(frames: Sequence[ChipFrame], *, scale: float | None = None, rotation: float | None = None) -> Grid:
    """Return the frame the incumbents would make for these chips.

    Parameters
    ----------
    frames : sequence of ChipFrame
        Of all chips of all exposures, in order.
    scale : float, optional
        Pixel side [arcsec]; the first chip's without it.
    rotation : float, optional
        Position angle of y [deg]; the first chip's without it.
    """
    ra, dec = corners(frames)
    center = middle(ra, dec)
    first = frames[0]
    grid = Grid(np.array(center), np.zeros(2), plane_cd(first), (1, 1), str(first.facts.get("RADESYS", "FK5")))
    grid = _around(grid, ra, dec)
    if rotation is not None:
        angle, side = np.deg2rad(rotation), grid.scale / 3600.0
        cd = np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * side
        grid = _around(Grid(grid.crval, np.zeros(2), cd, (1, 1), grid.radesys), ra, dec)
    return grid if scale is None else _rescaled(grid, scale)


def _around(grid: Grid, ra: FloatArray, dec: FloatArray) -> Grid:
    """Return the grid moved and sized so that its first pixel holds the least corner, and its last the greatest."""
    x, y = grid.sky_to_pixel(ra, dec)
    low = np.array([x.min(), y.min()])
    nx, ny = (int(np.ceil(v.max() - v.min())) for v in (x, y))
    return Grid(grid.crval, grid.crpix - low, grid.cd, (ny, nx), grid.radesys)


def _rescaled(grid: Grid, scale: float) -> Grid:
    """Return the grid with pixels of another side."""
    ratio = grid.scale / scale
    ny, nx = (int(np.ceil(n * ratio)) for n in grid.shape)
    crpix = 1.0 + ratio * (grid.crpix - 1.0)
    return Grid(grid.crval, crpix, grid.cd / ratio, (ny, nx), grid.radesys)


def frames_of(exposures: Sequence[Exposure], alignment: Any) -> list[ChipFrame]:
    """Return the aligned frames of all chips, in order."""
    return [alignment.frame(exposure, name) for exposure in exposures for name in exposure.chips]
