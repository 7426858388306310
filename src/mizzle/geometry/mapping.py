"""Chip to product: one separable polynomial per chip, fast, and checked against the frames.

A camera's lookup tables (D2IM, NPOL) have a kink at every node, and no polynomial follows them: degree 15 is off by up
to 0.04 pixel. So the polynomial is that of the frame without its tables, and what they do is kept on their own nodes,
as offsets in product pixels: bilinear between nodes, as the tables are. What both together lose, products of table and
distortion, is below 4e-5 pixel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.errors import DataError
from mizzle.model.frame import ChipFrame, Grid
from mizzle.model.lookup import LookupTable, LookupTables

if TYPE_CHECKING:
    from mizzle.kernel import ChipMap
    from mizzle.kernel.maps import OffsetGrid


#: Largest difference from the exact frames [product pixel].
TOLERANCE = 1e-4

_DEGREES = (4, 5, 6, 8, 10, 13)

#: The same of a map backward, which only tells where a cell reads a chip [chip pixel].
BACK_TOLERANCE = 5e-3

#: Of a chip with lookup tables: their kinks, turned around, fall between the nodes of the map backward.
BACK_TOLERANCE_TABLES = 8e-3

#: Cells between the nodes of a map backward.
_BACK_STEP = 16

#: Cells beyond a chip's outline that still reach its pixels.
_RIM = 2


def exact_map(frame: ChipFrame, grid: Grid, *, x: FloatArray, y: FloatArray) -> Places:
    """Map 0-based chip pixels to 0-based product pixels through the sky, without approximation."""
    return grid.sky_to_pixel(*frame.pixel_to_sky(*np.broadcast_arrays(x, y)))


def _fit(frame: ChipFrame, grid: Grid, degree: int) -> tuple[FloatArray, FloatArray]:
    """Interpolate the map of a frame without row term at Chebyshev nodes; coefficients ``[i (x), j (y)]``."""
    ny, nx = frame.shape
    nodes = chebyshev.chebpts1(degree + 1)
    x, y = ((nodes * n + (n - 1)) / 2 for n in (nx, ny))
    gx, gy = exact_map(frame, grid, x=x[:, None], y=y[None, :])
    inverse = np.linalg.inv(chebyshev.chebvander(nodes, degree))
    return inverse @ gx @ inverse.T, inverse @ gy @ inverse.T


class _Check:
    """Points of the exact map that are no nodes, edges included, to hold a fit against."""

    def __init__(self, frame: ChipFrame, grid: Grid) -> None:
        ny, nx = frame.shape
        self.u = np.linspace(-1.0, 1.0, 18)
        x, y = ((self.u * n + (n - 1)) / 2 for n in (nx, ny))
        self.gx, self.gy = exact_map(frame, grid, x=x[:, None], y=y[None, :])

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


def _smooth(frame: ChipFrame) -> ChipFrame:
    """Return a frame without its row term and lookup tables."""
    return replace(frame, row_edges=np.zeros(frame.shape[0] + 1), columns=np.zeros(0), tables=LookupTables())


def _nodes(frame: ChipFrame, axis: int) -> FloatArray:
    """Return where offsets are kept along an axis (0: x, 1: y): on the finest table's nodes, up to the chip's edges."""
    size, tables = frame.shape[1 - axis], frame.tables
    known = [
        t for t in (tables.d2im_x, tables.d2im_y, tables.npol_x, tables.npol_y) if t and t.data.shape[1 - axis] > 1
    ]
    if not known:
        return np.array([-0.5, size - 0.5])
    finest = min(known, key=lambda table: table.cdelt[axis])
    first, step = float(finest.nodes(axis)[0]), finest.cdelt[axis]
    low, high = np.floor((-0.5 - first) / step), np.ceil((size - 0.5 - first) / step)
    return np.asarray(first + step * np.arange(low, max(high, low + 1) + 1), dtype=np.float64)


def _with_offsets(frame: ChipFrame, grid: Grid, smooth: ChipMap) -> ChipMap:
    """Return a map of the frame without tables with what the tables add, at their nodes."""
    from mizzle.kernel.maps import OffsetGrid

    x, y = _nodes(frame, 0), _nodes(frame, 1)
    gx, gy = exact_map(frame, grid, x=x[None, :], y=y[:, None])
    sx, sy = smooth.at(x[None, :], y[:, None])
    values = np.stack([gx - sx, gy - sy], axis=-1)
    return replace(smooth, offsets=OffsetGrid(values, (x[0], y[0]), (x[1] - x[0], y[1] - y[0])))


def _error_between_nodes(frame: ChipFrame, grid: Grid, fitted: ChipMap) -> float:
    """Return the largest error [product pixel] at the middles of cells, where tables bend most, and at the edges."""
    ny, nx = frame.shape
    nodes = _nodes(frame, 0), _nodes(frame, 1)
    x, y = (np.clip((n[1:] + n[:-1]) / 2, -0.5, size - 0.5) for n, size in zip(nodes, (nx, ny), strict=True))
    gx, gy = exact_map(frame, grid, x=x[None, :], y=y[:, None])
    fx, fy = fitted.at(x[None, :], y[:, None])
    return float(np.hypot(fx - gx, fy - gy).max())


def chip_map(frame: ChipFrame, grid: Grid, *, tolerance: float = TOLERANCE) -> ChipMap:
    """Fit the map from a chip's pixels to the product's.

    The row term is not part of the polynomial: it is kept at the row edges, exactly, and added to y before. Nor are
    lookup tables: what they add is kept at their nodes. The incumbent's column term (``row_term='incumbent'``) is left
    out, as its own coarse mapping loses it.

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
        Chebyshev coefficients over ``u = (2 x - (nx - 1)) / nx`` and ``v`` alike; offsets where the chip has tables.

    Raises
    ------
    DataError
        No degree reaches the tolerance: the frame folds, or lies on another part of the sky; or its tables have their
        nodes at different places.
    """
    from mizzle.kernel import ChipMap

    smooth = _smooth(frame)
    check = _Check(smooth, grid)
    error = float("inf")
    for degree in () if check.folds() else _DEGREES:
        cx, cy = _fit(smooth, grid, degree)
        error = check.error(cx, cy)
        if error < tolerance:
            fitted = ChipMap(cx, cy, frame.row_edges, frame.shape)
            if not frame.tables:
                return fitted
            fitted = _with_offsets(frame, grid, fitted)
            error = _error_between_nodes(frame, grid, fitted)
            if error < tolerance:
                return fitted
    defect = f"is off by {error:.2g} pixel at best" if np.isfinite(error) else "folds or has no answer"
    if grid.header:
        defect += " (the WCS of combine.like may not reach so far)"
    raise DataError(
        f"{frame.facts.get('CHIP', 'chip')}: its map to the product {defect}, {tolerance:g} pixel is needed; its WCS"
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
        None in place of both where no cell reaches the chip, or no degree is good to `BACK_TOLERANCE`
        (`BACK_TOLERANCE_TABLES` where the chip has lookup tables).
    """
    from mizzle.kernel import ChipMap

    ny, nx = frame.shape
    tolerance, count = (BACK_TOLERANCE, 9) if forward.offsets is None else (BACK_TOLERANCE_TABLES, 65)
    edge = np.linspace(-1.0, 1.0, count)
    u, v = np.meshgrid(edge, edge)
    x, y = (u * nx + (nx - 1)) / 2, (v * ny + (ny - 1)) / 2
    gx, gy = forward.at(x, y)
    low = [max(0, int(np.floor(g.min())) - _RIM) for g in (gy, gx)]
    high = [min(n, int(np.ceil(g.max())) + _RIM + 1) for g, n in zip((gy, gx), grid.shape, strict=True)]
    tall, wide = (h - b for h, b in zip(high, low, strict=True))
    if tall < 1 or wide < 1:
        return None
    smooth = _smooth(frame)
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
        if forward.offsets is not None:
            back = _backward(back, forward.offsets, forward.shape)
        bx, by = back.at(gx - low[1], gy - low[0])
        if inside.any() and np.hypot(bx - x, by - y)[inside].max() < tolerance:
            return back, (low[0], low[1])
    return None


def _backward(back: ChipMap, offsets: OffsetGrid, shape: tuple[int, int]) -> ChipMap:
    """Return the inverse of a smooth map with what the forward map's offsets do to it, on a grid of cells.

    A cell g reads the chip at the place p with ``smooth(p) + offset(p) = g``; to the offset's second order that is
    ``p = back(g) - back'(g) offset(p)``, two rounds of which are enough.
    """
    from mizzle.kernel.maps import OffsetGrid

    (tall, wide), (ny, nx) = back.shape, shape
    gx, gy = (_BACK_STEP * np.arange(max(2, -(-(n - 1) // _BACK_STEP) + 1), dtype=np.float64) for n in (wide, tall))
    u, v = (2.0 * gx - (wide - 1)) / wide, (2.0 * gy - (tall - 1)) / tall
    start, slopes = [], []
    for c in (back.cx, back.cy):
        start.append(chebyshev.chebgrid2d(u, v, c).T)
        by_x, by_y = (chebyshev.chebgrid2d(u, v, chebyshev.chebder(c, axis=axis)).T for axis in (0, 1))
        slopes.append((2.0 / wide * by_x, 2.0 / tall * by_y))
    x, y = start
    for _ in range(2):
        dx, dy = offsets.at(np.clip(x, -0.5, nx - 0.5), np.clip(y, -0.5, ny - 0.5))
        x, y = (at - (by_x * dx + by_y * dy) for at, (by_x, by_y) in zip(start, slopes, strict=True))
    values = np.stack([x - start[0], y - start[1]], axis=-1)
    return replace(back, offsets=OffsetGrid(values, (0.0, 0.0), (float(_BACK_STEP), float(_BACK_STEP))))


def pixel_area(frame: ChipFrame) -> NDArray[np.float32]:
    """Return the area of each pixel relative to the one of `frame.side`, ``(ny, nx)``; row term and tables count.

    A flat-fielded image shows surface brightness, so a star's counts times this map are its flux. The slopes of lookup
    tables are differences over each pixel, NPOL's read at the raw pixel: good to 1e-5.
    """
    ny, nx = frame.shape
    u = np.arange(nx) + 1.0 - frame.crpix[0]
    shift = (frame.row_edges[1:] + frame.row_edges[:-1]) / 2
    v = np.arange(ny) + shift + 1.0 - frame.crpix[1]
    tables = frame.tables

    def slope(c: FloatArray, axis: int, table: LookupTable | None) -> FloatArray:
        values: FloatArray = polynomial.polygrid2d(v, u, polynomial.polyder(c, axis=axis).T)
        return values + _gain(table, frame.shape, axis)

    x, y = (frame.sip_a, tables.npol_x), (frame.sip_b, tables.npol_y)
    jacobian = (1.0 + slope(x[0], 0, x[1])) * (1.0 + slope(y[0], 1, y[1])) - slope(x[0], 1, x[1]) * slope(y[0], 0, y[1])
    if tables.d2im_x is not None or tables.d2im_y is not None:
        xx, xy = (_gain(tables.d2im_x, frame.shape, axis) for axis in (0, 1))
        yx, yy = (_gain(tables.d2im_y, frame.shape, axis) for axis in (0, 1))
        jacobian = jacobian * ((1.0 + xx) * (1.0 + yy) - xy * yx)
    heights = (1.0 + np.diff(frame.row_edges)) * (frame.reference_side / frame.side) ** 2
    area: NDArray[np.float32] = (jacobian * heights[:, None]).astype(np.float32)
    return area


def _gain(table: LookupTable | None, shape: tuple[int, int], axis: int) -> FloatArray | float:
    """Return what a table gains over each pixel along an axis (0: x, 1: y)."""
    if table is None:
        return 0.0
    ny, nx = shape
    x, y = (np.arange(n + 1.0) - 0.5 if own == axis else np.arange(n, dtype=float) for own, n in enumerate((nx, ny)))
    return np.diff(table.on_grid(x, y), axis=1 - axis)
