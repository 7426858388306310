"""Bright peaks and their sides in NumPy: the definition of src/wings.c."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Image, Indices, Mask, PixelIndices
from mizzle.kernel.single.types import NEIGHBORS
from mizzle.kernel.wings.types import LEAST_AROUND, LEAST_WINGS, SIDES, Neighborhood, WingFigures


def list_bright_peaks(image: Image, bad: Mask, *, edge: int, limit: float) -> PixelIndices:
    """Twin of `front.list_bright_peaks`."""
    inner = np.s_[edge : max(edge, image.shape[0] - edge), edge : max(edge, image.shape[1] - edge)]
    row, column = np.nonzero((image[inner] > np.float32(limit)) & ~bad[inner])
    row, column = row + edge, column + edge
    value = image[row, column]
    top = np.ones(value.size, np.bool_)
    for dy, dx in NEIGHBORS:
        top &= bad[row + dy, column + dx] | (value >= image[row + dy, column + dx])
    return PixelIndices(row[top], column[top])


def measure_sides(
    image: Image, off: Mask, where: PixelIndices, *, neighborhood: Neighborhood, sigma: float
) -> WingFigures:
    """Twin of `front.measure_sides`."""
    far = _pixels(image, off, where, steps=neighborhood.around)
    near = _pixels(image, off, where, steps=neighborhood.wings[:, :2])
    seen = (np.isfinite(far).sum(axis=1) >= LEAST_AROUND) & (np.isfinite(near).sum(axis=1) >= LEAST_WINGS)
    count = seen.size
    least, mean, level, noise = np.zeros((4, count))
    noise += sigma
    if seen.any():
        around = far[seen]
        low, middle = np.nanpercentile(around, (16.0, 50.0), axis=1)
        width = np.maximum(middle - low, sigma)
        usual = np.abs(around - middle[:, None]) <= 3.0 * width[:, None]
        level[seen] = np.where(usual, around, 0.0).sum(axis=1) / np.maximum(usual.sum(axis=1), 1)
        noise[seen] = width
    light = near[seen] - level[seen][:, None]
    sides = neighborhood.wings[:, 2] == np.arange(SIDES)[:, None]
    held = (np.isfinite(light)[:, None, :] & sides).sum(axis=2)
    means = np.where(np.isfinite(light)[:, None, :] & sides, light[:, None, :], 0.0).sum(axis=2) / np.maximum(held, 1)
    least[seen] = np.where(held > 0, means, np.inf).min(axis=1, initial=np.inf)
    mean[seen] = means.sum(axis=1) / np.maximum((held > 0).sum(axis=1), 1)
    noise[seen] /= np.sqrt(np.maximum(held.min(axis=1, initial=len(neighborhood.wings)), 1))
    return WingFigures(image[where.row, where.column] - level, least, mean, noise, level)


def _pixels(image: Image, off: Mask, where: PixelIndices, *, steps: Indices) -> FloatArray:
    """Return the pixels at some steps from each place, ``(n, len(steps))``; NaN where nothing is known."""
    y, x = (axis[:, None] + steps[:, k] for k, axis in enumerate(where))
    inside = (y >= 0) & (y < image.shape[0]) & (x >= 0) & (x < image.shape[1])
    y, x = np.where(inside, y, 0), np.where(inside, x, 0)
    values = image[y, x].astype(np.float64)
    return np.where(inside & ~off[y, x] & np.isfinite(values), values, np.nan)
