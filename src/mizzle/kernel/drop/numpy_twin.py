"""The NumPy twin: the definition of what a drop does, tile by tile.

A polygon's area with ``x >= c`` and ``y >= r`` is the sum over its edges of the integral of ``max(x - c, 0) dy`` over
the edge's part with ``y >= r``; the area in a cell is a difference of four of them (Green's theorem; docs/kernel.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, IntArray
from mizzle.kernel.drop.accumulator import Accumulator
from mizzle.kernel.drop.types import LANCZOS, ChipPixels, DropShape
from mizzle.kernel.maps.numpy_twin import FAR, SIDE, Block, blocks, points
from mizzle.kernel.maps.types import AnyMap

Pixel = tuple[FloatArray, FloatArray, FloatArray]
"""Value, weight and variance of n pixels."""

CRUMB = 1e-11
"""Shares below this part of a drop are rounding, and count as nothing."""


def load(pixels: ChipPixels, block: Block) -> Pixel | None:
    """Return value, weight, variance of a block, flat; weight 0 marks what must not be seen. None: all hidden."""
    raw = pixels.sci[block].astype(np.float64).ravel()
    weight = np.full(raw.shape, pixels.weight)
    if pixels.relative is not None:
        weight *= pixels.relative[block].ravel()
    if pixels.mask is not None:
        weight[pixels.mask[block].ravel() != 0] = 0.0
    value = raw * pixels.multiply - pixels.subtract
    if pixels.variance is None:
        variance = pixels.v0 + pixels.v1 * np.maximum(raw, 0.0)
    else:
        variance = pixels.variance[block].astype(np.float64).ravel()
    hidden = ~(np.isfinite(value) & np.isfinite(weight)) | (weight == 0)
    value[hidden] = weight[hidden] = variance[hidden] = 0.0
    return None if hidden.all() else (value, weight, variance)


class _Adder:
    """Adds shares to the cells of a band."""

    def __init__(self, acc: Accumulator, rows: tuple[int, int], bit: int | None) -> None:
        self.acc, self.rows, self.bit = acc, rows, bit

    def add(self, x: IntArray, y: IntArray, share: FloatArray, pixel: Pixel) -> None:
        """Add shares (cells, n) of n pixels to the cells ``(x, y)`` (cells, n)."""
        nx = self.acc.shape[1]
        value, weight, variance = (np.broadcast_to(p, share.shape).ravel() for p in pixel)
        x, y, share = x.ravel(), y.ravel(), share.ravel()
        if x.min() < 0 or x.max() >= nx or y.min() < self.rows[0] or y.max() >= self.rows[1]:
            good = np.flatnonzero((x >= 0) & (x < nx) & (y >= self.rows[0]) & (y < self.rows[1]))
            if not good.size:
                return
            x, y, share, value = x[good], y[good], share[good], value[good]
            weight, variance = weight[good], variance[good]
        # Counted in the smallest frame that holds them all, then added to that part of the output.
        left, bottom = int(x.min()), int(y.min())
        wide, high = int(x.max()) - left + 1, int(y.max()) - bottom + 1
        cell = (y - bottom) * wide + (x - left)
        here = slice(bottom, bottom + high), slice(left, left + wide)

        def counted(weights: FloatArray) -> FloatArray:
            return np.asarray(np.bincount(cell, weights, wide * high).reshape(high, wide), dtype=np.float64)

        part = share * weight
        self.acc.sums[here][..., 0] += counted(part * value)
        self.acc.sums[here][..., 1] += counted(part)
        if self.acc.variance_sum is not None:
            self.acc.variance_sum[here] += counted(part * part * variance)
        if self.acc.planes and self.bit is not None:
            flag = np.array([1 << (self.bit % 32)], dtype=np.uint32).view(np.int32)[0]
            plane = self.acc.plane(self.bit // 32)[here]
            plane[np.bincount(cell, part != 0, wide * high).reshape(high, wide) > 0] |= flag


def _turn(x: FloatArray, y: FloatArray, a: int, b: int, c: int) -> FloatArray:
    """Twice the signed area of the triangle of corners a, b, c."""
    result: FloatArray = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
    return result


def _folded(x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
    """Tell the quadrilaterals with two sides that cross."""

    def cross(a: int, b: int, c: int, d: int) -> NDArray[np.bool_]:
        first = _turn(x, y, a, b, c) * _turn(x, y, a, b, d) < 0
        return np.asarray(first & (_turn(x, y, c, d, a) * _turn(x, y, c, d, b) < 0))

    return cross(0, 1, 2, 3) | cross(1, 2, 3, 0)


def shares(x: FloatArray, y: FloatArray, wide: int, high: int) -> FloatArray:
    """Return how much of each cell a drop covers, both as polygons [cell]; negative for drops that are mirrored.

    Parameters
    ----------
    x, y : (4, n) array
        Corners in order around each drop, relative to its lower left cell; all within ``[0, wide] x [0, high]``.
    wide, high : int
        Cells along x and y.

    Returns
    -------
    area : (high, wide, n) array
        Signed area of each drop in each cell.
    """
    total = np.zeros((high + 1, wide + 1, x.shape[1]))
    _quadrants(x, y, total[:-1, :-1])
    rows = total[:-1] - total[1:]
    result: FloatArray = rows[:, :-1] - rows[:, 1:]
    return result


def _quadrants(x: FloatArray, y: FloatArray, area: FloatArray) -> None:
    """Fill ``area[r, c]`` with the signed area of quadrilaterals (4, n) where ``x >= c`` and ``y >= r``."""
    high, wide = area.shape[:2]
    # All four edges at once: start, end, slope, and the factor of what lies across a bound.
    xe, ye = x, y
    xf, yf = np.concatenate([x[1:], x[:1]]), np.concatenate([y[1:], y[:1]])
    dx, dy = xf - xe, yf - ye
    product = dx * dy
    t = 1.0 / np.where(np.abs(product) < 1e-200, 1e300, product)
    slope, half = dx * dx * t, 0.5 * dy * np.abs(dy * t)
    for r in range(high):
        h, xa, xb = dy, xe, xf
        if r:
            ya = np.maximum(ye, r)
            h = np.maximum(yf, r) - ya
            xa = xe + (ya - ye) * slope
            xb = xa + h * slope
        low, top = np.minimum(xa, xb), np.maximum(xa, xb)
        whole = 0.5 * h * (xa + xb)
        np.sum(whole, axis=0, out=area[r, 0])
        for c in range(1, wide):
            over = np.maximum(top - c, 0.0)
            over *= over
            over *= half
            beyond = whole - h * c
            np.copyto(beyond, over, where=low < c)
            np.sum(beyond, axis=0, out=area[r, c])


def _drop_square(adder: _Adder, x: FloatArray, y: FloatArray, pixel: Pixel) -> None:
    """Share drops given by their corners (4, n); cell k covers ``[k, k + 1)``."""
    x0, x1, y0, y1 = x.min(axis=0), x.max(axis=0), y.min(axis=0), y.max(axis=0)
    placed = (x0 > -FAR) & (x1 < FAR) & (y0 > -FAR) & (y1 < FAR) & (pixel[1] != 0)
    placed &= (x1 >= 0) & (x0 <= adder.acc.shape[1]) & (y1 >= adder.rows[0]) & (y0 <= adder.rows[1])
    if not placed.all():
        x, y, pixel = x[:, placed], y[:, placed], _chosen(pixel, placed)
        x0, x1, y0, y1 = x0[placed], x1[placed], y0[placed], y1[placed]
    bx, by = np.floor(x0), np.floor(y0)
    x, y = x - bx, y - by
    t1, t2, t3 = _turn(x, y, 0, 1, 2), _turn(x, y, 0, 2, 3), _turn(x, y, 0, 1, 3)
    t4 = t1 + t2 - t3
    area = 0.5 * (t1 + t2)
    convex = ((t1 > 0) & (t2 > 0) & (t3 > 0) & (t4 > 0)) | ((t1 < 0) & (t2 < 0) & (t3 < 0) & (t4 < 0))
    convex &= np.abs(area) > 1e-12
    wide = np.maximum(np.ceil(np.maximum(x1 - bx, y1 - by)), 1.0)
    if convex.all():
        _share_alike(adder, (x, y, area, bx, by, wide), pixel)
        return
    point = ~convex
    point[point] = ~(np.abs(area[point]) > 1e-12) | _folded(x[:, point], y[:, point])
    middle = (x + bx).mean(axis=0), (y + by).mean(axis=0)
    _drop_point(adder, middle[0][point], middle[1][point], _chosen(pixel, point))
    rest = ~point
    drops = (x[:, rest], y[:, rest], area[rest], bx[rest], by[rest], wide[rest])
    _share_alike(adder, drops, _chosen(pixel, rest))


def _chosen(pixel: Pixel, which: NDArray[Any]) -> Pixel:
    return pixel[0][which], pixel[1][which], pixel[2][which]


def _share_alike(adder: _Adder, drops: tuple[FloatArray, ...], pixel: Pixel) -> None:
    """Share drops, those of like extent together: small ones must not pay for large ones."""
    wide = drops[-1]
    if not wide.size:
        return
    if wide.max() <= 4:
        _share_group(adder, drops, pixel, int(wide.max()))
        return
    for size in (4, 8, 16):
        group = np.flatnonzero((wide <= size) & (wide > (size // 2 if size > 4 else 0)))
        step = max(1, 16 * SIDE**2 // (size + 1) ** 2)
        for start in range(0, group.size, step):
            use = group[start : start + step]
            _share_group(adder, tuple(d[..., use] for d in drops), _chosen(pixel, use), size)
    for k in np.flatnonzero(wide > 16):
        _share_large(adder, tuple(d[..., k] for d in drops), _chosen(pixel, np.array([k])))


def _share_large(adder: _Adder, drop: tuple[FloatArray, ...], pixel: Pixel) -> None:
    """Share one drop over those of its cells that may be written, however many it has."""
    x, y, area, bx, by, _ = drop
    left, bottom = max(0, int(bx)), max(adder.rows[0], int(by))
    right = min(adder.acc.shape[1], int(np.floor(x.max() + bx)) + 1)
    top = min(adder.rows[1], int(np.floor(y.max() + by)) + 1)
    for row in range(bottom, top):
        column = np.arange(left, right)
        total = np.zeros(column.size)
        for e in range(4):
            f = (e + 1) % 4
            ends = (x[e] + bx - column, y[e] + by - row, x[f] + bx - column, y[f] + by - row)
            total += _edge_in_cell(*ends)
        part = total / area
        part[part <= CRUMB] = 0.0
        adder.add(column[:, None], np.full((column.size, 1), row), part[:, None], pixel)


def _edge_in_cell(x0: FloatArray, y0: float, x1: FloatArray, y1: float) -> FloatArray:
    """Integral of ``clip(x, 0, 1) dy`` along an edge's part with ``0 <= y <= 1``."""
    ya, yb = min(max(y0, 0.0), 1.0), min(max(y1, 0.0), 1.0)
    h = yb - ya
    if h == 0:
        return np.zeros(x0.shape)
    slope = (x1 - x0) / (y1 - y0)
    xa, xb = x0 + (ya - y0) * slope, x0 + (yb - y0) * slope
    low, high = np.minimum(xa, xb), np.maximum(xa, xb)
    across = high - low
    result = []
    for c in (0.0, 1.0):
        over = np.maximum(high - c, 0.0)
        straddle = over * over / np.where(across > 0, 2.0 * across, 1.0)
        result.append(h * np.where(low >= c, 0.5 * (low + high) - c, straddle))
    return np.asarray(result[0] - result[1])


def _share_group(adder: _Adder, drops: tuple[FloatArray, ...], pixel: Pixel, size: int) -> None:
    """Share drops that fit ``size x size`` cells."""
    x, y, area, bx, by, _ = drops
    parts = (shares(x, y, size, size) / area).reshape(size * size, -1)
    parts[parts <= CRUMB] = 0.0
    row, column = np.divmod(np.arange(size * size), size)
    adder.add(bx.astype(np.int64) + column[:, None], by.astype(np.int64) + row[:, None], parts, pixel)


def _drop_point(adder: _Adder, x: FloatArray, y: FloatArray, pixel: Pixel) -> None:
    use = (np.abs(x) < FAR) & (np.abs(y) < FAR) & (pixel[1] != 0)
    if use.any():
        cx, cy = np.floor(x[use]).astype(np.int64), np.floor(y[use]).astype(np.int64)
        adder.add(cx[None], cy[None], np.ones((1, cx.size)), _chosen(pixel, use))


def lanczos_step(x: FloatArray, order: int) -> FloatArray:
    """Lanczos window read in steps of 0.003, as the drizzle package's table has it; 0 from its last zero on."""
    step = np.floor(np.minimum(x, order + 1.0) * (1000 / 3.0) + 0.5)
    value = np.sinc(0.003 * step) * np.sinc(0.003 / order * step)
    return np.asarray(np.where(step < (1000 * order + 2) // 3, value, 0.0))


def profile(drop: DropShape) -> tuple[float, Callable[[FloatArray, FloatArray], FloatArray]]:
    """Return how far a separable drop reaches, and its share for offsets ``(dx, dy)`` from a cell's center."""
    side = drop.pixfrac / drop.ratio
    if drop.kernel == "turbo":

        def overlap(d: FloatArray) -> FloatArray:
            high, low = np.minimum(0.5, d + 0.5 * side), np.maximum(-0.5, d - 0.5 * side)
            return np.asarray(np.maximum(high - low, 0.0) / side)

        def box(dx: FloatArray, dy: FloatArray) -> FloatArray:
            part = overlap(dx) * overlap(dy)
            return np.where(part > CRUMB, part, 0.0)

        return 0.5 * side, box
    if drop.kernel == "gaussian":
        # Full width at half maximum of one drop side, cut at 2.5 sigma but never below 1.2 input pixels.
        fwhm = 2.3548
        scale = fwhm**2 / side**2 / 2.0

        def bell(dx: FloatArray, dy: FloatArray) -> FloatArray:
            part = scale / np.pi * np.exp(-scale * (dx**2 + dy**2))
            return np.where(part > CRUMB, part, 0.0)

        return max(2.5 * side / fwhm, 1.2 / drop.ratio), bell
    step = 1.0 / drop.ratio  # the window is as wide as its zeros demand: pixfrac has no say
    order = LANCZOS[drop.kernel]

    def window(dx: FloatArray, dy: FloatArray) -> FloatArray:
        return lanczos_step(np.abs(dx) / step, order) * lanczos_step(np.abs(dy) / step, order)

    return order * step, window


def _drop_centers(adder: _Adder, x: FloatArray, y: FloatArray, pixel: Pixel, drop: DropShape) -> None:
    """Share separable drops about their centers; cell k covers ``[k, k + 1)``."""
    reach, share = profile(drop)
    use = (np.abs(x) < FAR) & (np.abs(y) < FAR) & (pixel[1] != 0)
    use &= (x + reach >= 0) & (x - reach <= adder.acc.shape[1])
    use &= (y + reach >= adder.rows[0]) & (y - reach <= adder.rows[1])
    x, y, pixel = x[use], y[use], _chosen(pixel, use)
    left, right = np.floor(x - reach).astype(np.int64), np.floor(x + reach).astype(np.int64)
    bottom, top = np.floor(y - reach).astype(np.int64), np.floor(y + reach).astype(np.int64)
    if not x.size:
        return
    for r in range(int((top - bottom).max()) + 1):
        for c in range(int((right - left).max()) + 1):
            part = share(x - (left + c + 0.5), y - (bottom + r + 0.5))
            part = np.where((left + c <= right) & (bottom + r <= top), part, 0.0)
            adder.add((left + c)[None], (bottom + r)[None], part[None], pixel)


def accumulate(
    acc: Accumulator, pixels: ChipPixels, where: AnyMap, drop: DropShape, rows: tuple[int, int], bit: int | None
) -> None:
    """Drop one chip into the rows ``rows[0] .. rows[1] - 1`` of `acc`."""
    adder = _Adder(acc, rows, bit)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        for block in blocks(where.shape):
            pixel = load(pixels, block)
            if pixel is not None:
                _drop_block(adder, where, block, pixel, drop)


def _drop_block(adder: _Adder, where: AnyMap, block: Block, pixel: Pixel, drop: DropShape) -> None:
    half = 0.5 * drop.pixfrac
    if drop.kernel == "square":
        corners = [points(where, block, *d) for d in ((-half, -half), (half, -half), (half, half), (-half, half))]
        x = np.stack([c[0].ravel() for c in corners]) + 0.5
        y = np.stack([c[1].ravel() for c in corners]) + 0.5
        _drop_square(adder, x, y, pixel)
        return
    x, y = (p.ravel() + 0.5 for p in points(where, block, 0.0, 0.0))
    if drop.kernel == "point":
        _drop_point(adder, x, y, pixel)
    else:
        _drop_centers(adder, x, y, pixel, drop)
