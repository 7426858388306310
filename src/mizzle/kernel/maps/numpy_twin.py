"""The NumPy twin of src/map_body.h: where pixels fall, block by block. This is the definition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mizzle.arrays import FloatArray, Places
from mizzle.kernel.maps.types import AnyMap, ChipMap, StoredMap

Block = tuple[slice, slice]

FAR = 1e9
"""A place beyond this is outside, whatever the output."""
SIDE = 96
"""Side of the blocks of pixels handled at a time: their arrays fit the cache."""


def stored_at(stored: StoredMap, x: FloatArray, y: FloatArray) -> Places:
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
    return Places(result[0], result[1])


def points(where: AnyMap, block: Block, dx: float, dy: float) -> Places:
    """Map the points ``(dx, dy)`` [pixel] off the centers of a block's pixels; two (rows, columns) arrays."""
    columns: FloatArray = np.arange(block[1].start, block[1].stop, dtype=np.float64) + dx
    rows = np.arange(block[0].start, block[0].stop)
    if isinstance(where, ChipMap):
        return where.lines(rows, 0.5 + dy, columns)
    if dx == 0 and dy == 0:
        return Places(where.values[block][..., 0], where.values[block][..., 1])
    y, x = np.meshgrid(rows + dy, columns, indexing="ij")
    return stored_at(where, x, y)


def blocks(shape: tuple[int, int]) -> Iterator[Block]:
    """Yield the squares of `SIDE` pixels that a chip is cut into, row by row, so that arrays stay small."""
    for j in range(0, shape[0], SIDE):
        for i in range(0, shape[1], SIDE):
            yield slice(j, min(shape[0], j + SIDE)), slice(i, min(shape[1], i + SIDE))
