"""The NumPy twin: the definition of what a drop does, tile by tile.

A polygon's area with ``x >= c`` and ``y >= r`` is the sum over its edges of the integral of ``max(x - c, 0) dy`` over
the edge's part with ``y >= r``; the area in a cell is a difference of four of them (Green's theorem; docs/kernel.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel.accumulator import Accumulator
from mizzle.kernel.maps import ChipMap, StoredMap
from mizzle.kernel.request import AnyMap, Pixels, Shape

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FAR = 1e9
"""A drop with a corner beyond this is outside, whatever the output."""
CRUMB = 1e-11
"""Shares below this part of a drop are rounding, and count as nothing."""
TILE = 8192
"""Pixels handled at a time: their arrays fit the cache."""


def stored_at(stored: StoredMap, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Read a stored map at fractional places: bilinear, extended linearly beyond the outer pixels."""
    ny, nx = stored.shape
    i = np.clip(np.floor(x).astype(np.int64), 0, max(nx - 2, 0))
    j = np.clip(np.floor(y).astype(np.int64), 0, max(ny - 2, 0))
    f, g = x - i, y - j
    result = []
    for k in range(2):
        plane = stored.values[..., k]
        corner = plane[j, i]
        # With a single column (row) there is no slope to read: one input pixel spans `step` cells.
        right = plane[j, i + 1] - corner if nx > 1 else np.full(x.shape, stored.step * (k == 0))
        up = plane[j + 1, i] - corner if ny > 1 else np.full(x.shape, stored.step * (k == 1))
        twist: FloatArray = np.zeros(x.shape)
        if nx > 1 and ny > 1:
            twist = plane[j + 1, i + 1] - corner - right - up
        # A factor of 0 must hide a neighbor that is no number.
        value = corner + np.where(f != 0, f * right, 0) + np.where(g != 0, g * up, 0)
        result.append(value + np.where((f != 0) & (g != 0), f * g * twist, 0))
    return result[0], result[1]


def points(where: AnyMap, j0: int, j1: int, dx: float, dy: float) -> tuple[FloatArray, FloatArray]:
    """Map the points ``(dx, dy)`` [pixel] off the centers of rows j0 .. j1 - 1; two (rows, nx) arrays."""
    nx = where.shape[1]
    columns: FloatArray = np.arange(nx, dtype=np.float64) + dx
    rows = np.arange(j0, j1)
    if isinstance(where, ChipMap):
        return where.lines(rows, 0.5 + dy, columns)
    if dx == 0 and dy == 0:
        return where.values[j0:j1, :, 0], where.values[j0:j1, :, 1]
    y, x = np.meshgrid(rows + dy, columns, indexing="ij")
    return stored_at(where, x, y)


def tiles(pixels: Pixels, where: AnyMap) -> Iterator[tuple[int, int, tuple[FloatArray, ...]]]:
    """Yield ``(j0, j1, (value, weight, variance))`` of strips of rows; weight 0 marks what must not be seen."""
    ny, nx = where.shape
    step = max(1, TILE // nx)
    for j0 in range(0, ny, step):
        j1 = min(ny, j0 + step)
        raw = pixels.sci[j0:j1].astype(np.float64)
        weight = np.full(raw.shape, pixels.weight)
        if pixels.relative is not None:
            weight *= pixels.relative[j0:j1]
        if pixels.mask is not None:
            weight[pixels.mask[j0:j1] != 0] = 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            value = raw * pixels.multiply - pixels.subtract
            seen = np.isfinite(value) & np.isfinite(weight) & (weight != 0)
            weight = np.where(seen, weight, 0.0)
            variance = np.where(seen, pixels.v0 + pixels.v1 * np.maximum(raw, 0.0), 0.0)
        if seen.any():
            yield j0, j1, (np.where(seen, value, 0.0), weight, variance)


class _Adder:
    """Adds shares to the cells of a band."""

    def __init__(self, acc: Accumulator, rows: tuple[int, int], bit: int | None) -> None:
        self.acc, self.rows, self.bit = acc, rows, bit

    def add(self, x: IntArray, y: IntArray, share: FloatArray, pixel: tuple[FloatArray, ...]) -> None:
        """Add a share of each pixel ``(value, weight, variance)`` to the cell ``(x, y)``."""
        nx = self.acc.shape[1]
        good = (share != 0) & (x >= 0) & (x < nx) & (y >= self.rows[0]) & (y < self.rows[1])
        if not good.any():
            return
        value, weight, variance = (p[good] for p in pixel)
        part = share[good] * weight
        cell = y[good] * nx + x[good]
        low, high = int(cell.min()), int(cell.max()) + 1
        cell -= low
        sums = self.acc.sums.reshape(-1, 2)[low:high]
        sums[:, 0] += np.bincount(cell, part * value, high - low)
        sums[:, 1] += np.bincount(cell, part, high - low)
        if self.acc.variance_sum is not None:
            self.acc.variance_sum.reshape(-1)[low:high] += np.bincount(cell, part * part * variance, high - low)
        if self.acc.context is not None and self.bit is not None:
            flag = np.array([1 << (self.bit % 32)], dtype=np.uint32).view(np.int32)[0]
            plane = self.acc.context[self.bit // 32].reshape(-1)[low:high]
            plane[cell] |= flag


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


def _edge_terms(x: FloatArray, y: FloatArray, e: int) -> tuple[FloatArray, ...]:
    """Return start, end, slope and the straddle factor of edge `e` of each drop."""
    f = (e + 1) % 4
    dx, dy = x[f] - x[e], y[f] - y[e]
    product = dx * dy
    t = 1.0 / np.where(np.abs(product) < 1e-200, 1e300, product)
    return x[e], y[e], x[f], y[f], dx * dx * t, 0.5 * dy * np.abs(dy * t)


def shares(x: FloatArray, y: FloatArray, wide: int, high: int) -> FloatArray:
    """Signed area of quadrilaterals in cells.

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
    for e in range(4):
        xe, ye, xf, yf, slope, half = _edge_terms(x, y, e)
        for r in range(high):
            ya, yb = np.maximum(ye, r), np.maximum(yf, r)
            h = yb - ya
            xa = xe + (ya - ye) * slope if r else xe
            xb = xa + h * slope if r else xf
            low, top = np.minimum(xa, xb), np.maximum(xa, xb)
            whole = 0.5 * h * (xa + xb)
            total[r, 0] += whole
            for c in range(1, wide):
                over = np.maximum(top - c, 0.0)
                total[r, c] += np.where(low < c, over * over * half, whole - h * c)
    result: FloatArray = (total[:-1, :-1] - total[1:, :-1]) - (total[:-1, 1:] - total[1:, 1:])
    return result


def _split(x: FloatArray, y: FloatArray) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return each drop's signed area, which drops have a place at all, and which fall as points."""
    inside = np.all((np.abs(x) < FAR) & (np.abs(y) < FAR), axis=0)
    area = 0.5 * (_turn(x, y, 0, 1, 2) + _turn(x, y, 0, 2, 3))
    return area, inside, inside & (~(np.abs(area) > 1e-12) | _folded(x, y))


def _drop_square(adder: _Adder, x: FloatArray, y: FloatArray, pixel: tuple[FloatArray, ...]) -> None:
    """Share drops given by their corners (4, n); cell k covers ``[k, k + 1)``."""
    with np.errstate(invalid="ignore", over="ignore"):
        area, inside, point = _split(x, y)
        if point.any():
            _drop_point(adder, x[:, point].mean(axis=0), y[:, point].mean(axis=0), tuple(p[point] for p in pixel))
        ny, nx = adder.rows[1], adder.acc.shape[1]
        touching = (x.max(axis=0) >= 0) & (x.min(axis=0) <= nx)
        touching &= (y.max(axis=0) >= adder.rows[0]) & (y.min(axis=0) <= ny)
        use = np.flatnonzero(inside & ~point & touching & (pixel[1] != 0))
    if not use.size:
        return
    x, y, area, pixel = x[:, use], y[:, use], area[use], tuple(p[use] for p in pixel)
    bx, by = np.floor(x.min(axis=0)), np.floor(y.min(axis=0))
    x, y = x - bx, y - by
    extent = np.maximum(np.ceil(np.maximum(x.max(axis=0), y.max(axis=0))).astype(np.int64), 1)
    # Drops of like extent go together: small ones must not pay for large ones.
    order = np.unique(np.where(extent <= 4, extent, 2 ** np.ceil(np.log2(extent)).astype(np.int64)))
    low = 0
    for size in order:
        group = np.flatnonzero((extent > low) & (extent <= size))
        low = int(size)
        _share_group(adder, (x, y, area, bx, by), pixel, group, int(size))


def _share_group(
    adder: _Adder,
    drops: tuple[FloatArray, ...],
    pixel: tuple[FloatArray, ...],
    group: IntArray,
    size: int,
) -> None:
    """Share drops that fit ``size x size`` cells, a bounded number at a time."""
    step = max(1, 4 * TILE // (size + 1) ** 2) if size > 8 else TILE
    for start in range(0, group.size, step):
        use = group[start : start + step]
        x, y, area, bx, by = (d[..., use] for d in drops)
        parts = shares(x, y, size, size) / area
        parts[parts <= CRUMB] = 0.0
        column, row = bx.astype(np.int64), by.astype(np.int64)
        chosen = tuple(p[use] for p in pixel)
        for r in range(size):
            for c in range(size):
                adder.add(column + c, row + r, parts[r, c], chosen)


def _drop_point(adder: _Adder, x: FloatArray, y: FloatArray, pixel: tuple[FloatArray, ...]) -> None:
    use = (np.abs(x) < FAR) & (np.abs(y) < FAR) & (pixel[1] != 0)
    cx, cy = np.floor(x[use]).astype(np.int64), np.floor(y[use]).astype(np.int64)
    adder.add(cx, cy, np.ones(cx.size), tuple(p[use] for p in pixel))


def lanczos3_step(x: FloatArray) -> FloatArray:
    """Lanczos-3 window read in steps of 0.01, as the table of the drizzle package has it; 0 from 3 on."""
    t = np.floor(np.minimum(x, 4.0) * 100.0 + 0.5) / 100.0
    return np.asarray(np.where((x < 3.0) & (t < 3.0), np.sinc(t) * np.sinc(t / 3.0), 0.0))


def profile(drop: Shape) -> tuple[float, Callable[[FloatArray, FloatArray], FloatArray]]:
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
        return max(2.5 * side / fwhm, 1.2 / drop.ratio), lambda dx, dy: scale / np.pi * np.exp(-scale * (dx**2 + dy**2))
    return 3.0 * side, lambda dx, dy: lanczos3_step(np.abs(dx) / side) * lanczos3_step(np.abs(dy) / side)


def _drop_centers(adder: _Adder, x: FloatArray, y: FloatArray, pixel: tuple[FloatArray, ...], drop: Shape) -> None:
    """Share separable drops about their centers; cell k covers ``[k, k + 1)``."""
    reach, share = profile(drop)
    use = (np.abs(x) < FAR) & (np.abs(y) < FAR) & (pixel[1] != 0)
    use &= (x + reach >= 0) & (x - reach <= adder.acc.shape[1])
    use &= (y + reach >= adder.rows[0]) & (y - reach <= adder.rows[1])
    x, y, pixel = x[use], y[use], tuple(p[use] for p in pixel)
    left, right = np.floor(x - reach).astype(np.int64), np.floor(x + reach).astype(np.int64)
    bottom, top = np.floor(y - reach).astype(np.int64), np.floor(y + reach).astype(np.int64)
    if not x.size:
        return
    for r in range(int((top - bottom).max()) + 1):
        for c in range(int((right - left).max()) + 1):
            part = share(x - (left + c + 0.5), y - (bottom + r + 0.5))
            part = np.where((left + c <= right) & (bottom + r <= top), part, 0.0)
            adder.add(left + c, bottom + r, part, pixel)


def accumulate(
    acc: Accumulator, pixels: Pixels, where: AnyMap, drop: Shape, rows: tuple[int, int], bit: int | None
) -> None:
    """Drop one chip into the rows ``rows[0] .. rows[1] - 1`` of `acc`."""
    adder = _Adder(acc, rows, bit)
    half = 0.5 * drop.pixfrac
    for j0, j1, pixel in tiles(pixels, where):
        flat = tuple(p.ravel() for p in pixel)
        if drop.kernel == "square":
            corners = [points(where, j0, j1, *d) for d in ((-half, -half), (half, -half), (half, half), (-half, half))]
            x = np.stack([c[0].ravel() for c in corners]) + 0.5
            y = np.stack([c[1].ravel() for c in corners]) + 0.5
            _drop_square(adder, x, y, flat)
            continue
        px, py = points(where, j0, j1, 0.0, 0.0)
        if drop.kernel == "point":
            _drop_point(adder, px.ravel() + 0.5, py.ravel() + 0.5, flat)
        else:
            _drop_centers(adder, px.ravel() + 0.5, py.ravel() + 0.5, flat, drop)
