"""The NumPy twin of blotting."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Image
from mizzle.kernel.maps.numpy_twin import FAR, blocks, points
from mizzle.kernel.maps.types import AnyMap

SHORTER = {"lanczos5": "lanczos3", "lanczos3": "poly5", "poly5": "poly3", "poly3": "linear", "linear": "nearest"}
POINTS = {"linear": 2, "poly3": 4, "poly5": 6, "lanczos3": 6, "lanczos5": 10}
ORDER = {"lanczos3": 3.0, "lanczos5": 5.0}


def weights(interp: str, f: FloatArray) -> FloatArray:
    """Weights (n, ...) of the points ``-(n/2 - 1) .. n/2`` for a reading at ``0 <= f < 1``."""
    n = POINTS[interp]
    nodes = np.arange(n) - (n // 2 - 1)
    t = f[None] - nodes.reshape(-1, *(1,) * f.ndim)
    if interp in ORDER:
        order = ORDER[interp]
        w = np.where(np.abs(t) < order, np.sinc(t) * np.sinc(t / order), 0.0)
        return np.asarray(w / w.sum(axis=0))
    result = np.empty_like(t)
    for k in range(n):
        others = [m for m in range(n) if m != k]
        result[k] = np.prod(t[others], axis=0) / np.prod([float(nodes[k] - nodes[m]) for m in others])
    return result


def _read(image: Image, x: FloatArray, y: FloatArray, interp: str) -> FloatArray:
    """Read the image at finite places; NaN where a point is missing."""
    ny, nx = image.shape
    if interp == "nearest":
        i, j = np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
        inside = (i >= 0) & (j >= 0) & (i < nx) & (j < ny)
        return np.where(inside, image[np.where(inside, j, 0), np.where(inside, i, 0)], np.nan)
    n = POINTS[interp]
    fx, fy = np.floor(x), np.floor(y)
    i, j = fx.astype(np.int64) - (n // 2 - 1), fy.astype(np.int64) - (n // 2 - 1)
    inside = (i >= 0) & (j >= 0) & (i + n <= nx) & (j + n <= ny)
    i, j = np.where(inside, i, 0), np.where(inside, j, 0)
    wx, wy = weights(interp, x - fx), weights(interp, y - fy)
    total = np.zeros(x.shape)
    for r in range(n):
        row = np.zeros(x.shape)
        for c in range(n):
            row += wx[c] * image[np.minimum(j + r, ny - 1), np.minimum(i + c, nx - 1)]
        total += wy[r] * row
    return np.where(inside, total, np.nan)


def blot(image: Image, where: AnyMap, interp: str) -> Image:
    """Read `image` at the centers of a chip's pixels, block by block."""
    ny, nx = where.shape
    out = np.full((ny, nx), np.nan, dtype=np.float32)
    for block in blocks((ny, nx)):
        x, y = (p.ravel() for p in points(where, block, 0.0, 0.0))
        values = np.full(x.shape, np.nan)
        todo = np.flatnonzero((np.abs(x) < FAR - 1) & (np.abs(y) < FAR - 1))
        chosen: str | None = interp
        while chosen is not None and todo.size:
            with np.errstate(invalid="ignore"):
                values[todo] = _read(image, x[todo], y[todo], chosen)
            todo = todo[np.isnan(values[todo])]
            chosen = SHORTER.get(chosen)
        with np.errstate(over="ignore"):
            out[block] = values.reshape(out[block].shape)
    return out
