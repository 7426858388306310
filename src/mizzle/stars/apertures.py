"""Sums in circular apertures, exact to the area of overlap, and the sky in rings around them.

The overlap of a circle with every pixel of a grid comes from one function: the area of the disk below and left of a
corner. It separates into one-dimensional integrals along x and y, so a whole stamp costs a few arcsines and then
sums and differences only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.arrays import FloatArray
from mizzle.kernel.drop.correlation import small_sum_weights, sum_weights

_SMALL = 2.5  # pixels: in wider circles stars lie whole, and both ways to weigh variances agree
_STAMP_PIXELS = 1_000_000  # pixels in work at once: stays inside the cache's reach


@dataclass(frozen=True, eq=False)
class ApertureSums:
    """Sums over apertures.

    Parameters
    ----------
    flux : (n,) array
        Sum of the usable pixels, each by its overlap.
    variance : (n,) array
        Sum of their variances by overlap squared, or as their correlation asks; NaN where no variance was given.
    area : (n,) array
        Usable area [pixel].
    lost : (n,) array
        Area on masked, non-finite or absent pixels [pixel].
    """

    flux: FloatArray
    variance: FloatArray
    area: FloatArray
    lost: FloatArray


@dataclass(frozen=True, eq=False)
class RingSky:
    """Sky in rings.

    Parameters
    ----------
    level : (n,) array
        Per pixel; NaN where too few pixels are usable.
    sigma : (n,) array
        Scatter of the clipped pixels.
    n_pixels : (n,) array
        How many they are.
    """

    level: FloatArray
    sigma: FloatArray
    n_pixels: NDArray[np.int64]


def circle_overlap(dx: ArrayLike, dy: ArrayLike, radius: float, *, half: int) -> FloatArray:
    """Area of each pixel of a stamp that lies in a circle.

    Parameters
    ----------
    dx, dy : (n,) array_like
        Center of the circle from the center of the stamp's middle pixel [pixel].
    radius : float
        Of the circle [pixel].
    half : int
        The stamp has ``2 half + 1`` pixels a side.

    Returns
    -------
    overlap : (n, 2 half + 1, 2 half + 1) array
        From 0 to 1, indexed [star, y, x].

    Notes
    -----
    With ``H(t)`` the integral of ``sqrt(r**2 - u**2)`` from 0 to t, the part of the disk at ``u < x, v < y`` has area
    ``x y + H(x) + H(y) + pi r**2 / 4`` for a corner (x, y) inside the disk; outside, it is a sum of whole segments.
    """
    edges = np.arange(2 * half + 2) - half - 0.5
    x = np.clip(edges - np.asarray(dx, dtype=np.float64)[:, None], -radius, radius)
    y = np.clip(edges - np.asarray(dy, dtype=np.float64)[:, None], -radius, radius)
    hx, hy = _half_segment(x, radius), _half_segment(y, radius)
    quarter = 0.25 * np.pi * radius * radius
    x3, y3 = x[:, None, :], y[:, :, None]
    inside = (x3 * y3 + hx[:, None, :]) + (hy[:, :, None] + quarter)
    left, below = 2.0 * (hx + quarter)[:, None, :], 2.0 * (hy + quarter)[:, :, None]
    right_of, above = x3 > 0, y3 > 0
    outside = np.where(right_of & above, left + below - 4.0 * quarter, 0.0)
    outside = np.where(right_of & ~above, below, outside)
    outside = np.where(~right_of & above, left, outside)
    corner = np.where(x3 * x3 + y3 * y3 < radius * radius, inside, outside)
    area: FloatArray = np.diff(np.diff(corner, axis=1), axis=2)
    return np.clip(area, 0.0, 1.0, out=area)


def _half_segment(t: FloatArray, radius: float) -> FloatArray:
    """Integral of ``sqrt(r**2 - u**2)`` from 0 to t."""
    result: FloatArray = 0.5 * (t * np.sqrt(radius * radius - t * t) + radius * radius * np.arcsin(t / radius))
    return result


def aperture_sums(
    image: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    *,
    radius: float,
    variance: NDArray[Any] | None = None,
    errors: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
    correlation: FloatArray | None = None,
) -> ApertureSums:
    """Sum an image in circles.

    Parameters
    ----------
    image : (ny, nx) array
        Non-finite pixels are left out.
    x, y : (n,) array_like
        Centers [0-based pixel]; far outside the image is allowed.
    radius : float
        Of all circles [pixel].
    variance : (ny, nx) array, optional
        Of the pixels.
    errors : (ny, nx) array, optional
        1 sigma of the pixels, in place of `variance`: squared where apertures are, without an image of squares.
    mask : (ny, nx) array, optional
        Nonzero: leave out.
    correlation : (2 m + 1, 2 m + 1) array, optional
        Of the noise of neighboring pixels, for `variance`; see `mizzle.kernel.drop.correlation.sum_weights`.

    Returns
    -------
    sums : ApertureSums
        Of what is usable; `lost` tells how much is not.

    Raises
    ------
    ValueError
        `radius` is not a positive number, or shapes differ.
    """
    if not 0 < radius < np.inf:
        raise ValueError(f"radius is {radius}, a positive number is needed")
    noise = variance if errors is None else errors
    _same_shape(image, noise, mask)
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    half = int(np.ceil(radius + 0.5))
    flux, var, area, lost = (np.zeros(xs.size) for _ in range(4))
    for part in _chunks(xs.size, (2 * half + 1) ** 2):
        index, inside, fraction_x, fraction_y = _stamps(image.shape, xs[part], ys[part], half=half)
        overlap = circle_overlap(fraction_x, fraction_y, radius, half=half).reshape(len(fraction_x), -1)
        values = image.ravel()[index].astype(np.float64)
        usable = inside & np.isfinite(values)
        if mask is not None:
            usable &= mask.ravel()[index] == 0
        weight = np.where(usable, overlap, 0.0)
        values[~usable] = 0.0
        flux[part] = np.einsum("ij,ij->i", weight, values)
        area[part] = weight.sum(axis=1)
        lost[part] = overlap.sum(axis=1) - area[part]
        if noise is None:
            var[part] = np.nan
        else:
            of_variance = weight**2
            if correlation is not None:
                stamps = weight.reshape(-1, 2 * half + 1, 2 * half + 1)
                weigh = small_sum_weights if radius < _SMALL else sum_weights
                of_variance = weigh(correlation, stamps).reshape(weight.shape)
            near = noise.ravel()[index]
            near = near if errors is None else np.square(near)
            var[part] = np.einsum("ij,ij->i", of_variance, np.where(usable, near, 0.0))
    return ApertureSums(flux, var, area, lost)


class SkyRule(NamedTuple):
    """What represents the pixels of a sky ring.

    Parameters
    ----------
    statistic : str
        ``"median"``, ``"mean"`` of the clipped pixels, or their ``"mode"``, 3 median - 2 mean.
    clip : float
        Clip at this many sigma around the median; sigma is that of the low side, where there are no stars.
    iterations : int
        Rounds of clipping.
    quantum : float
        Step of the digitization. Pixels are smeared over it, evenly and always in the same way: the median of a
        low sky in whole DN would jump from one whole DN to the next.
    """

    statistic: str = "median"
    clip: float = 2.5
    iterations: int = 4
    quantum: float = 0.0


#: The clipped median.
MEDIAN = SkyRule()


def ring_sky(
    image: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    *,
    radii: tuple[float, float],
    mask: NDArray[Any] | None = None,
    rule: SkyRule = MEDIAN,
    min_pixels: int = 20,
    max_pixels: int | None = None,
) -> RingSky:
    """Measure the sky in rings.

    A pixel belongs to a ring when its center does, seen from the pixel nearest to the ring's center: every ring then
    has the same pixels, and none is counted in part.

    Parameters
    ----------
    image : (ny, nx) array
        Non-finite pixels are left out.
    x, y : (n,) array_like
        Centers [0-based pixel].
    radii : (float, float)
        Inner and outer [pixel].
    mask : (ny, nx) array, optional
        Nonzero: leave out.
    rule : SkyRule
        What represents the pixels of a ring.
    min_pixels : int
        Fewest pixels that make a level.
    max_pixels : int, optional
        Use about this many pixels of a larger ring, spread evenly; `min_pixels` shrinks alike.

    Returns
    -------
    sky : RingSky
        One entry per center.
    """
    _same_shape(image, mask, None)
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    half = int(np.ceil(radii[1]))
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(u, v)
    ring = np.flatnonzero((distance >= radii[0]) & (distance <= radii[1]))
    if max_pixels is not None and ring.size > max_pixels:
        # A lattice that no row, column or diagonal of the image can follow.
        step = int(np.ceil(ring.size / max_pixels))
        lattice = (u.ravel()[ring] + round(0.38 * step + 0.5) * v.ravel()[ring]) % step == 0
        ring, min_pixels = ring[lattice], max(min_pixels // step, 5)
    level, sigma = np.full(xs.size, np.nan), np.full(xs.size, np.nan)
    count = np.zeros(xs.size, dtype=np.int64)
    # The golden ratio's multiples fill the unit interval evenly.
    smear = rule.quantum * (np.mod(np.arange(ring.size) * 0.6180339887498949, 1.0) - 0.5)
    for part in _chunks(xs.size, max(ring.size, 1)):
        index, inside, _, _ = _stamps(image.shape, xs[part], ys[part], half=half, only=ring)
        values = image.ravel()[index].astype(np.float32)
        bad = ~inside | ~np.isfinite(values)
        if mask is not None:
            bad |= mask.ravel()[index] != 0
        if rule.quantum:
            values += smear.astype(np.float32)
        values[bad] = np.inf
        values.sort(axis=1)
        level[part], sigma[part], count[part] = _clipped(values, values.shape[1] - bad.sum(axis=1), rule)
    few = count < min_pixels
    level[few], sigma[few] = np.nan, np.nan
    return RingSky(level, sigma, count)


def _clipped(
    ordered: NDArray[np.float32], count: NDArray[np.int64], rule: SkyRule
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Clip sorted rows, of which the first `count` entries are pixels: level, sigma, pixels left."""
    rows = np.arange(len(ordered))
    finite = np.where(np.isinf(ordered), 0.0, ordered).astype(np.float64)
    low, high = np.zeros_like(count), count.copy()
    last = np.maximum(count - 1, 0)
    middle = spread = np.zeros(len(ordered))
    for _ in range(rule.iterations):
        span = high - low
        middle = 0.5 * (
            finite[rows, np.minimum(low + np.maximum(span - 1, 0) // 2, last)]
            + finite[rows, np.minimum(low + span // 2, last)]
        )
        # Of the whole row, so that repeated clipping cannot shrink it without end.
        below = finite[rows, np.minimum(low + np.round(0.1587 * span).astype(np.int64), last)]
        spread = np.maximum(middle - below, 1e-12)
        new_low = np.minimum((ordered < (middle - rule.clip * spread)[:, None]).sum(axis=1), last)
        new_high = (ordered <= (middle + rule.clip * spread)[:, None]).sum(axis=1)
        if np.array_equal(new_low, low) and np.array_equal(new_high, high):
            break
        low, high = new_low, np.maximum(new_high, new_low + (count > 0))
    if rule.statistic == "median":
        return middle, spread, high - low
    total = np.concatenate([np.zeros((len(ordered), 1)), np.cumsum(finite, axis=1)], axis=1)
    span = np.maximum(high - low, 1)
    mean = (total[rows, high] - total[rows, low]) / span
    level = {"mean": mean, "mode": 3.0 * middle - 2.0 * mean}.get(rule.statistic, middle)
    return level, spread, high - low


def _stamps(
    shape: tuple[int, ...], x: FloatArray, y: FloatArray, *, half: int, only: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_], FloatArray, FloatArray]:
    """Return flat indices of stamps around the nearest pixels, which exist, and the fractions of the centers.

    Parameters
    ----------
    shape : (int, int)
        Of the image.
    x, y : (n,) array
        Centers.
    half : int
        Stamps have ``2 half + 1`` pixels a side.
    only : (k,) array, optional
        Flat indices inside the stamp to return.
    """
    ny, nx = shape
    far = 1 << 30
    column = np.clip(np.round(np.nan_to_num(x, nan=-far)), -far, far).astype(np.int64)
    row = np.clip(np.round(np.nan_to_num(y, nan=-far)), -far, far).astype(np.int64)
    side = 2 * half + 1
    cells = np.arange(side * side) if only is None else only
    columns = column[:, None] + (cells % side - half)
    rows = row[:, None] + (cells // side - half)
    inside = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
    index = np.where(inside, rows * nx + columns, 0)
    known = np.isfinite(x) & np.isfinite(y)
    return index, inside, np.where(known, x - column, 0.0), np.where(known, y - row, 0.0)


def _chunks(n: int, pixels: int) -> Iterator[slice]:
    """Cut n stars into runs that fit the cache."""
    step = max(_STAMP_PIXELS // pixels, 1)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _same_shape(image: NDArray[Any], first: NDArray[Any] | None, second: NDArray[Any] | None) -> None:
    for other in (first, second):
        if other is not None and other.shape != image.shape:
            raise ValueError(f"shapes differ: image {image.shape}, beside it {other.shape}")
