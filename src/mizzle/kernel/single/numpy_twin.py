"""Cosmic rays of a single exposure in NumPy: the definition of what src/single.c does."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Image, Indices, Mask
from mizzle.kernel.pixels.numpy_twin import grow
from mizzle.kernel.single.types import NEIGHBORS, SingleRule

#: Peaks judged at once.
BLOCK = 512


def find_rays(electrons: Image, bad: Mask, templates: FloatArray, rule: SingleRule, track: Mask | None) -> Mask:
    """Find the rays of a chip; see `front.find_rays`."""
    # A frame of bad pixels lets peaks at the chip's edge be judged by the neighbors they have.
    image, hidden = np.pad(electrons, 1, mode="edge"), np.pad(bad, 1, constant_values=True)
    background = local_median(image, hidden)
    excess = image - background
    # Smooth structure (wings, spikes, nebulae) is known to no better than a share of itself.
    noise = np.sqrt(np.maximum(background, 0) + rule.floor + (rule.structure * np.maximum(background, 0)) ** 2)
    stars, rays = judge_peaks(image, hidden, excess, noise, templates, rule)
    # A pixel belongs to a ray when it is sharp, or bright, and hangs on a condemned peak; stars are out of bounds.
    free = ~(grow(stars, 1) | hidden)
    with np.errstate(invalid="ignore"):
        bright = excess > rule.neighbor_sigma * noise
    along = free & (bright if track is None else np.pad(track, 1))
    mask = rays & ~hidden
    for _ in range(rule.track):
        mask |= grow(mask, 1) & along
    mask |= grow(mask, rule.grow) & free & bright
    return mask[1:-1, 1:-1]


def judge_peaks(
    image: Image, bad: Mask, excess: Image, noise: Image, templates: FloatArray, rule: SingleRule
) -> tuple[Mask, Mask]:
    """Sort the local maxima into possible stars and cosmic rays.

    For each peak the deficit of its neighbors below a template scaled to the peak is summed, in units of the
    noise and of the template's own uncertainty; the template with the least deficit decides.

    Returns
    -------
    stars, rays : (ny, nx) bool array
        Peaks, one pixel each.
    """
    ys, xs = _peaks(excess, noise, bad, rule.sigma)
    sky = _dark_surroundings(image, ys, xs)
    known = np.stack([~bad[ys + dy, xs + dx] for dy, dx in NEIGHBORS], axis=1)
    values = np.stack([image[ys + dy, xs + dx] - sky for dy, dx in NEIGHBORS], axis=1)
    # What a bad pixel holds says nothing, not even where it is no number.
    values[~known] = 0.0
    sigmas = np.stack([noise[ys + dy, xs + dx] for dy, dx in NEIGHBORS], axis=1).astype(np.float64)
    peak = image[ys, xs] - sky
    own = noise[ys, xs].astype(np.float64) ** 2 + np.maximum(peak, 0)
    variance, share = sigmas**2 + np.maximum(values, 0), own + (rule.doubt * peak) ** 2
    least = np.empty(peak.size)
    for start in range(0, peak.size, BLOCK):
        some = slice(start, start + BLOCK)
        lack = _lacks(templates, values[some], peak[some], variance[some], share[some])
        least[some] = (lack * known[some]).sum(axis=2).min(axis=0)
    is_star = (least <= rule.deficit**2) | (known.sum(axis=1) < 5)
    stars, rays = np.zeros(excess.shape, np.bool_), np.zeros(excess.shape, np.bool_)
    stars[ys[is_star], xs[is_star]] = True
    rays[ys[~is_star], xs[~is_star]] = True
    return stars, rays


def _lacks(
    templates: FloatArray, values: FloatArray, peak: FloatArray, variance: FloatArray, share: FloatArray
) -> FloatArray:
    """Return the squared deficit of each neighbor beside each template, in units of its variance: (template, peak, 8).

    `variance` is that of the neighbors; the template adds `share` times its own square.
    """
    lack = np.maximum(templates[:, None] * peak[:, None] - values, 0.0)
    lack *= lack
    lack /= templates[:, None] ** 2 * share[:, None] + variance
    return lack


def _dark_surroundings(image: Image, ys: Indices, xs: Indices) -> FloatArray:
    """Return the fifth-lowest tenth of the 7 x 7 pixels around each peak: a sky that crowding does not lift.

    Light of other stars then speaks for a star, never against it. Where too few are numbers it is 0.
    """
    wide = np.pad(np.where(np.isfinite(image), image, np.float32(np.inf)), 3, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (7, 7))[ys, xs].reshape(-1, 49)
    sky = np.partition(windows, 10, axis=1)[:, 10].astype(np.float64)
    return np.where(np.isfinite(sky), sky, 0.0)


def _peaks(excess: Image, noise: Image, bad: Mask, sigma: float) -> tuple[Indices, Indices]:
    """Return ``(y, x)`` of local maxima above `sigma` times `noise`, one pixel inside the edges."""
    clean = np.where(bad, np.float32(-np.inf), excess)
    middle = clean[1:-1, 1:-1]
    top = middle > sigma * noise[1:-1, 1:-1]
    ny, nx = excess.shape
    for dy, dx in NEIGHBORS:
        other = clean[1 + dy : ny - 1 + dy, 1 + dx : nx - 1 + dx]
        top &= (middle > other) if (dy, dx) < (0, 0) else (middle >= other)
    ys, xs = np.nonzero(top)
    return ys + 1, xs + 1


def local_median(image: Image, bad: Mask) -> Image:
    """Return about the median of the 5 x 5 pixels around each pixel: of rows, then of columns.

    Bad pixels count as the image's median.
    """
    good = image[~bad]
    level = np.float32(np.median(good)) if good.size else np.float32(0)
    clean = np.where(bad, level, image).astype(np.float32)
    return _median5(_median5(clean, 1), 0)


def _median5(image: Image, axis: int) -> Image:
    """Return the median of five neighbors along one axis, by exchanges."""
    width = [(0, 0), (0, 0)]
    width[axis] = (2, 2)
    wide = np.pad(image, width, mode="symmetric")
    size = image.shape[axis]
    a, b, c, d, e = (np.take(wide, np.arange(k, k + size), axis=axis) for k in range(5))
    a, b = np.minimum(a, b), np.maximum(a, b)
    d, e = np.minimum(d, e), np.maximum(d, e)
    # The least of two lows and the greatest of two highs cannot be the middle one.
    low, high = np.maximum(a, d), np.minimum(b, e)
    low, high = np.minimum(low, high), np.maximum(low, high)
    return np.asarray(np.maximum(low, np.minimum(high, c)))
