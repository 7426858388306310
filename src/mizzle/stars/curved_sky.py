"""The sky under stars where it is not even: slopes and curvature, from what lies close around."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.row_medians import row_medians

#: Stars at a time, so that their stamps fit the cache.
_CHUNK = 1000
#: Rounds of clipping, and where [sigma].
_ROUNDS, _CLIP = 3, 2.5
#: Least share of a ring's pixels that tells six parameters safely.
_LEAST = 0.4
#: Patches of the ring, and how many of them six parameters leave free.
_SECTORS, _FREE = 8, 3.0


class CurvedSky(NamedTuple):
    """Mean sky in the middle of each ring, per pixel, NaN where unknown, and its variance for independent pixels."""

    level: FloatArray
    variance: FloatArray


class Ring(NamedTuple):
    """Inner and outer radius of a ring, and that of the aperture whose sky is wanted [pixel]."""

    inner: float
    outer: float
    aperture: float


def curved_sky(image: NDArray[Any], where: Places, ring: Ring, *, mask: NDArray[Any]) -> CurvedSky:
    """Fit a polynomial of second degree to the ring around each star; return its mean within the aperture.

    Parameters
    ----------
    image : (ny, nx) array
        Non-finite pixels are left out.
    where : (x, y)
        Centers [0-based pixel].
    ring : Ring
        Its pixels are fitted, clipped about the fit.
    mask : (ny, nx) array
        Nonzero: leave out.

    Returns
    -------
    sky : CurvedSky
        The variance holds what the polynomial cannot follow: by how much patches of the ring, about as large as the
        aperture, differ from it beyond their noise.

    Notes
    -----
    The mean of ``u**2`` in a circle of radius a is ``a**2 / 4``.
    """
    half = int(np.ceil(ring.outer))
    v, u = (a.ravel().astype(np.float64) for a in np.mgrid[-half : half + 1, -half : half + 1])
    distance = np.hypot(u, v)
    in_ring = (distance >= ring.inner) & (distance <= ring.outer)
    v, u = v[in_ring], u[in_ring]
    sector = np.floor(_SECTORS * (np.arctan2(v, u) / (2.0 * np.pi) + 0.5)).astype(int) % _SECTORS
    sectors = (sector[:, None] == np.arange(_SECTORS)).astype(np.float64)
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1) / ring.outer ** np.array([0, 1, 1, 2, 2, 2])
    squares = (terms[:, :, None] * terms[:, None, :]).reshape(u.size, 36)
    mean = np.array([1.0, 0.0, 0.0, 0.25, 0.0, 0.25]) * (ring.aperture / ring.outer) ** np.array([0, 1, 1, 2, 2, 2])
    level, variance = np.full(where.x.size, np.nan), np.full(where.x.size, np.nan)
    ny, nx = image.shape
    for start in range(0, where.x.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        rows = np.rint(where.y[part]).astype(np.int64)[:, None] + v.astype(np.int64)
        columns = np.rint(where.x[part]).astype(np.int64)[:, None] + u.astype(np.int64)
        inside = (rows >= 0) & (columns >= 0) & (rows < ny) & (columns < nx)
        index = np.where(inside, rows * nx + columns, 0)
        values = image.ravel()[index].astype(np.float64)
        good = inside & np.isfinite(values) & (mask.ravel()[index] == 0)
        values[~good] = 0.0
        usable = good.mean(axis=1) >= _LEAST
        use = good & usable[:, None]
        for _ in range(_ROUNDS):
            normal = (use @ squares).reshape(-1, 6, 6) + 1e-9 * np.eye(6)
            solution = np.linalg.solve(normal, ((use * values) @ terms)[:, :, None])[:, :, 0]
            rest = values - solution @ terms.T
            sigma = 1.4826 * np.nan_to_num(row_medians(np.where(use, np.abs(rest), np.nan)))
            last, use = use, use & (np.abs(rest) <= _CLIP * sigma[:, None])
        count = np.maximum(last.sum(axis=1), 7)
        scatter = (last * rest**2).sum(axis=1) / (count - 6.0)
        pixels = np.maximum(last @ sectors, 1.0)
        patches = ((((last * rest) @ sectors) / pixels) ** 2).sum(axis=1) - scatter * (1.0 / pixels).sum(axis=1)
        inverse = np.linalg.inv(normal)
        level[part] = np.where(usable, solution @ mean, np.nan)
        variance[part] = scatter * np.einsum("a,nab,b->n", mean, inverse, mean) + np.maximum(patches, 0.0) / _FREE
    return CurvedSky(level, variance)
