"""The NumPy twin of src/read.c: chips read at the places of a frame's cells. This is the definition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.arrays import FloatArray, Image, Mask
from mizzle.kernel.resample.types import ChipSource


def padded(sci: Image, bad: Mask, multiply: float, subtract: float) -> Image:
    """Return ``multiply * sci - subtract`` with a frame of NaN, and NaN where `bad`."""
    values = sci * np.float32(multiply) - np.float32(subtract)
    return np.pad(np.where(bad, np.float32(np.nan), values), 1, constant_values=np.nan)


def read_means(sources: Sequence[ChipSource], top: int, least: float, out: Image) -> None:
    """Write to `out` the mean of what chips show at each cell; see `front.read_means`."""
    total, weight = np.zeros(out.shape), np.zeros(out.shape)
    for source in sources:
        height, width = source.back.shape
        j0, i0 = source.corner
        low, high = max(j0, top), min(j0 + height, top + out.shape[0])
        if low >= high:
            continue
        rows, columns = np.arange(low, high) - j0, np.arange(width, dtype=np.float64)
        part = (slice(low - top, high - top), slice(i0, i0 + width))
        _read(source, *source.back.lines(rows, 0.5, columns), total[part], weight[part])
    with np.errstate(invalid="ignore", divide="ignore"):
        out[...] = np.where(weight.astype(np.float32) >= np.float32(least), total / weight, np.nan)


def _read(
    source: ChipSource, x: FloatArray, y: FloatArray, total: FloatArray,
    weight: FloatArray,
) -> None:  # fmt: skip
    """Add what one chip shows at places of it, row term left out of `y`."""
    (held, nx), ny = (side - 2 for side in source.padded.shape), source.shift.size
    y = y - source.shift[np.clip(y + 0.5, 0, ny - 1).astype(np.intp)]
    px, py = x + 1.0, y + 1.0
    inside = (px >= 0) & (px < nx + 1) & (py >= 0) & (py < ny + 1)
    px, py = np.where(inside, px, 0.0), np.where(inside, py, 0.0)
    i, j = px.astype(np.intp), py.astype(np.intp)
    fx, fy = px - i, py - j
    j = np.clip(j - source.first, 0, held)
    for dj, row_share in ((0, 1.0 - fy), (1, fy)):
        for di, column_share in ((0, 1.0 - fx), (1, fx)):
            value = source.padded[j + dj, i + di]
            known = inside & ~np.isnan(value)
            share = np.where(known, row_share * column_share, 0.0)
            total += share * np.where(known, value, 0.0)
            weight += share
