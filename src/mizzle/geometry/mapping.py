"""Chip to product: one separable polynomial per chip, fast, and checked against the frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from numpy.typing import NDArray

from mizzle.errors import DataError
from mizzle.model.frame import ChipFrame, Grid

if TYPE_CHECKING:
    from mizzle.kernel import ChipMap

FloatArray = NDArray[np.float64]

#: Largest difference from the exact frames [product pixel].
TOLERANCE = 1e-4

_DEGREES = (4, 5, 6, 8, 10, 13)

#: The same of a map backward, which only tells where a cell reads a chip [chip pixel].
BACK_TOLERANCE = 5e-3

#: Cells beyond a chip's outline that still reach its pixels.
_RIM = 2


def exact_map(frame: ChipFrame, grid: Grid, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Map 0-based chip pixels to 0-based product pixels through the sky, without approximation."""
    return grid.sky_to_pixel(*frame.pixel_to_sky(*np.broadcast_arrays(x, y)))


def _fit(frame: ChipFrame, grid: Grid, degree: int) -> tuple[FloatArray, FloatArray]:
    """Interpolate the map of a frame without row term at Chebyshev nodes; coefficients ``[i (x), j (y)]``."""
    ny, nx = frame.shape
    nodes = chebyshev.chebpts1(degree + 1)
    x, y = ((nodes * n + (n - 1)) / 2 for n in (nx, ny))
    gx, gy = exact_map(frame, grid, x[:, None], y[None, :])
    inverse = np.linalg.inv(chebyshev.chebvander(nodes, degree))
    return inverse @ gx @ inverse.T, inverse @ gy @ inverse.T


class _Check:
    """Points of the exact map that are no nodes, edges included, to hold a fit against."""

    def __init__(self, frame: ChipFrame, grid: Grid) -> None:
        ny, nx = frame.shape
        self.u = np.linspace(-1.0, 1.0, 18)
        x, y = ((self.u * n + (n - 1)) / 2 for n in (nx, ny))
        self.gx, self.gy = exact_map(frame, grid, x[:, None], y[None, :])

    def error(self, cx: FloatArray, cy: FloatArray) -> float:
        """Return the largest distance [product pixel] of a fit; infinite where the map has no answer."""
        dx = chebyshev.chebgrid2d(self.u, self.u, cx) - self.gx
        dy = chebyshev.chebgrid2d(self.u, self.u, cy) - self.gy
        distance = np.hypot(dx, dy)
        return float(distance.max()) if np.all(np.isfinite(distance)) else float("inf")

    def folds(self) -> bool:
        """Return whether the map turns over somewhere: its cells do not all have the same sense."""
        ax, ay = np.diff(self.gx, axis=0)[:, 1:], np.diff(self.gy, axis=0)[:, 1:]
        bx, by = np.diff(self.gx, axis=1)[1:], np.diff(self.gy, axis=1)[1:]
        turn = np.sign(ax * by - ay * bx)
        return bool(turn[0, 0] == 0 or np.any(turn != turn[0, 0]))


def chip_map(frame: ChipFrame, grid: Grid, *, tolerance: float = TOLERANCE) -> ChipMap:
    """Fit the map from a chip's pixels to the product's.

    The row term is not part of the polynomial: it is kept at the row edges, exactly, and added to y before.
    The incumbent's
    column term (``row_term='incumbent'``) is left out, as its own coarse mapping loses it.

    Parameters
    ----------
    frame : ChipFrame
        The chip, aligned.
    grid : Grid
        The product.
    tolerance : float
        Largest error allowed [product pixel].

    Returns
    -------
    map : kernel.ChipMap
        Chebyshev coefficients over ``u = (2 x - (nx - 1)) / nx`` and ``v`` alike.

    Raises
    ------
    DataError
        No degree reaches the tolerance: the frame folds, or lies on another part of the sky.
    """
    from mizzle.kernel import ChipMap

    smooth = replace(frame, row_edges=np.zeros(frame.shape[0] + 1), columns=np.zeros(0))
    check = _Check(smooth, grid)
    error = float("inf")
    for degree in () if check.folds() else _DEGREES:
        cx, cy = _fit(smooth, grid, degree)
        error = check.error(cx, cy)
        if error < tolerance:
            return ChipMap(cx, cy, frame.row_edges, frame.shape)
    found = f"is off by {error:.2g} pixel at best" if np.isfinite(error) else "folds or has no answer"
    raise DataError(
        f"{frame.facts.get('CHIP', 'chip')}: its map to the product {found}, {tolerance:g} pixel is needed; its WCS"
        " is not smooth or points elsewhere; check the header, or set geometry.wcs='model'",
        error=error,
        tolerance=tolerance,
    )


def back_map(frame: ChipFrame, grid: Grid, forward: ChipMap) -> tuple[ChipMap, tuple[int, int]] | None:
    """Fit the map from a frame's cells to a chip's pixels, over the box of cells around the chip.

    Parameters
    ----------
    frame : ChipFrame
        The chip, aligned.
    grid : Grid
        Frame of the cells.
    forward : ChipMap
        The chip on it (`chip_map`).

    Returns
    -------
    map : kernel.ChipMap
        From the box's cells to 0-based pixels, row term left out.
    corner : (int, int)
        Row and column of the box's first cell.
        None in place of both where no cell reaches the chip, or no degree is good to `BACK_TOLERANCE`.
    """
    from mizzle.kernel import ChipMap

    ny, nx = frame.shape
    edge = np.linspace(-1.0, 1.0, 9)
    u, v = np.meshgrid(edge, edge)
    x, y = (u * nx + (nx - 1)) / 2, (v * ny + (ny - 1)) / 2
    gx, gy = forward.at(x, y)
    low = [max(0, int(np.floor(g.min())) - _RIM) for g in (gy, gx)]
    high = [min(n, int(np.ceil(g.max())) + _RIM + 1) for g, n in zip((gy, gx), grid.shape, strict=True)]
    tall, wide = (h - b for h, b in zip(high, low, strict=True))
    if tall < 1 or wide < 1:
        return None
    smooth = replace(frame, row_edges=np.zeros(ny + 1), columns=np.zeros(0))
    inside = (gx >= low[1] - 0.5) & (gx <= high[1] - 0.5) & (gy >= low[0] - 0.5) & (gy <= high[0] - 0.5)
    for degree in _DEGREES[:3]:
        nodes = chebyshev.chebpts1(degree + 1)
        across, along = ((nodes * n + (n - 1)) / 2 for n in (wide, tall))
        at_x, at_y = np.broadcast_arrays(across[:, None] + low[1], along[None, :] + low[0])
        px, py = smooth.sky_to_pixel(*grid.pixel_to_sky(at_x, at_y), iterations=6)  # good to 1e-6 pixel
        inverse = np.linalg.inv(chebyshev.chebvander(nodes, degree))
        if not (np.isfinite(px).all() and np.isfinite(py).all()):
            return None
        back = ChipMap(inverse @ px @ inverse.T, inverse @ py @ inverse.T, np.zeros(tall + 1), (tall, wide))
        bx, by = back.at(gx - low[1], gy - low[0])
        if inside.any() and np.hypot(bx - x, by - y)[inside].max() < BACK_TOLERANCE:
            return back, (low[0], low[1])
    return None


def pixel_area(frame: ChipFrame) -> NDArray[np.float32]:
    """Return the area of each pixel relative to the reference pixel's, ``(ny, nx)``; the row term counts.

    A flat-fielded image shows surface brightness, so a star's counts times this map are its flux.
    """
    ny, nx = frame.shape
    u = np.arange(nx) + 1.0 - frame.crpix[0]
    shift = (frame.row_edges[1:] + frame.row_edges[:-1]) / 2
    v = np.arange(ny) + shift + 1.0 - frame.crpix[1]
    a, b = frame.sip_a, frame.sip_b

    def slope(c: FloatArray, axis: int) -> FloatArray:
        values: FloatArray = polynomial.polygrid2d(v, u, polynomial.polyder(c, axis=axis).T)
        return values

    jacobian = (1.0 + slope(a, 0)) * (1.0 + slope(b, 1)) - slope(a, 1) * slope(b, 0)
    heights = 1.0 + np.diff(frame.row_edges)
    area: NDArray[np.float32] = (jacobian * heights[:, None]).astype(np.float32)
    return area
