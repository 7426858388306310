"""The product's pixels as the incumbents choose them: by the first chip of the first exposure.

Rules (known from their documentation and outputs): side and direction are those of the first chip's undistorted pixels;
the size is the extent of the corners' centers, rounded up; the tangent point is its middle. Another direction takes the
box around that frame, turned; another side rescales the frame about its first pixel, or about the corner of it where it
was turned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mizzle.arrays import FloatArray, SkyPlaces
from mizzle.model import ChipFrame, Exposure, Grid
from mizzle.model.sky import direction, unit_vectors


def corners(frames: Sequence[ChipFrame]) -> SkyPlaces:
    """Return the sky [deg] of the centers of the corner pixels of all chips."""
    ra, dec = [], []
    for frame in frames:
        ny, nx = frame.shape
        sky = frame.pixel_to_sky(np.array([0.0, 0.0, nx - 1.0, nx - 1.0]), np.array([0.0, ny - 1.0, ny - 1.0, 0.0]))
        ra.append(sky[0])
        dec.append(sky[1])
    return SkyPlaces(np.concatenate(ra), np.concatenate(dec))


def middle(ra: FloatArray, dec: FloatArray) -> tuple[float, float]:
    """Return the direction of the middle of the box around unit vectors [deg]."""
    vectors = unit_vectors(ra, dec)
    return direction((vectors.min(axis=1) + vectors.max(axis=1)) / 2)


def plane_cd(frame: ChipFrame) -> FloatArray:
    """Return the CD matrix of a chip's undistorted pixels: square, of the table's side, y where the table has it."""
    return square_cd(frame.cd, frame.facts, frame.scale)


def square_cd(cd: FloatArray, facts: Mapping[str, Any], side: float) -> FloatArray:
    """Return the CD matrix of square pixels whose y axis is the distortion table's.

    Parameters
    ----------
    cd : (2, 2) array
        Of the distorted chip [deg].
    facts : mapping
        ``OCX10 OCX11 OCY10 OCY11``: linear terms of the table [arcsec]; without them, the chip's own y axis counts.
    side : float
        Of the pixels [arcsec].
    """
    terms = [facts.get(key) for key in ("OCX11", "OCX10", "OCY11", "OCY10")]
    if all(isinstance(term, int | float) for term in terms):
        cd = cd @ np.linalg.inv(np.array(terms, np.float64).reshape(2, 2))
    return turned_cd(float(np.arctan2(cd[0, 1], cd[1, 1])), side)


def turned_cd(angle: float, side: float) -> FloatArray:
    """Return the CD matrix [deg] of square pixels of some side [arcsec], y at a position angle [rad]."""
    return np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * side / 3600.0


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
    first = frames[0]
    grid = centered(grid_around(corners(frames), plane_cd(first), str(first.facts.get("RADESYS", "FK5"))))
    if rotation is None:
        return grid if scale is None else _rescaled(grid, scale, grid.shape, fixed=1.0)
    turned, extent = _turned(grid, turned_cd(float(np.deg2rad(rotation)), grid.scale))
    return turned if scale is None else _rescaled(turned, scale, extent, fixed=0.5)


def grid_around(places: SkyPlaces, cd: FloatArray, radesys: str, *, center: tuple[float, float] | None = None) -> Grid:
    """Return the grid of a CD matrix that holds some places [deg], tangent in their middle or at `center`."""
    ra, dec = places
    tangent = middle(ra, dec) if center is None else center
    return _around(Grid(np.array(tangent), np.zeros(2), cd, (1, 1), radesys), ra, dec)


def _around(grid: Grid, ra: FloatArray, dec: FloatArray) -> Grid:
    """Return the grid moved and sized so that its first pixel holds the least corner, and its last the greatest."""
    x, y = grid.sky_to_pixel(ra, dec)
    low = np.array([x.min(), y.min()])
    nx, ny = (int(np.ceil(v.max() - v.min())) for v in (x, y))
    return Grid(grid.crval, grid.crpix - low, grid.cd, (ny, nx), grid.radesys)


def centered(grid: Grid) -> Grid:
    """Return the same pixels with the tangent point in their middle, as the incumbents name them."""
    ny, nx = grid.shape
    crval = np.array(grid.pixel_to_sky(nx / 2 - 1.0, ny / 2 - 1.0))
    return Grid(crval, np.array([nx / 2, ny / 2]), grid.cd, grid.shape, grid.radesys)


def _turned(grid: Grid, cd: FloatArray) -> tuple[Grid, tuple[float, float]]:
    """Return the grid of another direction that holds all of this one, and its size before rounding (y, x)."""
    ny, nx = grid.shape
    edges = np.array([[0.5, nx + 0.5, 0.5, nx + 0.5], [0.5, 0.5, ny + 0.5, ny + 0.5]]) - grid.crpix[:, None]
    places = np.linalg.inv(cd) @ grid.cd @ edges
    low, extent = places.min(axis=1), np.ptp(places, axis=1)
    size = tuple(int(np.ceil(n)) for n in extent[::-1])
    return Grid(grid.crval, 0.5 - low, cd, (size[0], size[1]), grid.radesys), (float(extent[1]), float(extent[0]))


def _rescaled(grid: Grid, scale: float, extent: tuple[float, float], *, fixed: float) -> Grid:
    """Return the grid with pixels of another side; the place `fixed` on both axes stays (1-based)."""
    ratio = grid.scale / scale
    ny, nx = (int(np.ceil(n * ratio)) for n in extent)
    return Grid(grid.crval, fixed + ratio * (grid.crpix - fixed), grid.cd / ratio, (ny, nx), grid.radesys)


def frames_of(exposures: Sequence[Exposure], alignment: Any) -> list[ChipFrame]:
    """Return the aligned frames of all chips, in order."""
    return [alignment.frame(exposure, name) for exposure in exposures for name in exposure.chips]
