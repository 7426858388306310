"""Cosmic rays of a single exposure in NumPy: the definition of what src/single.c does."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Image, Indices, Mask
from mizzle.kernel.pixels.numpy_twin import grow
from mizzle.kernel.single.types import ENOUGH, GREEDY, LANES, NEIGHBORS, ROUNDS, SWEEPS, Peaks, SingleRule

#: Sets of pixels fitted at once.
BLOCK = 512


def find_peaks(electrons: Image, bad: Mask, rule: SingleRule) -> Peaks:
    """List the peaks of a chip; see `front.find_peaks`."""
    # A frame of bad pixels lets peaks at the chip's edge be judged by the neighbors they have.
    image, hidden = np.pad(electrons, 1, mode="edge"), np.pad(bad, 1, constant_values=True)
    excess, noise = _excess(image, hidden, rule)
    ys, xs = _peaks(excess, noise, hidden, rule.sigma)
    return Peaks(ys - 1, xs - 1, _dark_surroundings(image, ys, xs))


def follow_rays(
    electrons: Image, bad: Mask, peaks: Peaks, spared: Mask, rule: SingleRule, *, track: Mask | None = None
) -> Mask:
    """Mark rays with what hangs on them; see `front.follow_rays`."""
    image, hidden = np.pad(electrons, 1, mode="edge"), np.pad(bad, 1, constant_values=True)
    excess, noise = _excess(image, hidden, rule)
    # A pixel belongs to a ray when it is sharp, or bright, and hangs on its peak; stars are out of bounds.
    free = ~(np.pad(spared, 1) | hidden)
    with np.errstate(invalid="ignore"):
        bright = excess > rule.neighbor_sigma * noise
    along = free & (bright if track is None else np.pad(track, 1))
    mask = np.zeros(hidden.shape, np.bool_)
    mask[peaks.y + 1, peaks.x + 1] = True
    for _ in range(rule.track):
        mask |= grow(mask, 1) & along
    mask |= grow(mask, rule.grow) & free & bright
    return mask[1:-1, 1:-1]


def _excess(image: Image, hidden: Mask, rule: SingleRule) -> tuple[Image, Image]:
    """Return what pixels exceed the background by, and its noise."""
    background = local_median(image, hidden)
    # Smooth structure (wings, spikes, nebulae) is known to no better than a share of itself.
    light = np.maximum(background, np.float32(0))
    noise = np.sqrt(light + np.float32(rule.floor) + (np.float32(rule.structure) * light) ** 2)
    return image - background, noise


def fit_light(values: FloatArray, weights: FloatArray, templates: FloatArray, *, good: float = 0.0) -> FloatArray:
    """Return what the best sum of templates leaves of each set of pixels; see `front.fit_light`."""
    rest = np.array(values, np.float64)
    for start in range(0, len(rest), BLOCK):
        some = slice(start, start + BLOCK)
        rest[some] = _rest_of(rest[some], weights[some], templates, good)
    return rest


def _rest_of(rest: FloatArray, weight: FloatArray, templates: FloatArray, good: float) -> FloatArray:
    """Fit some sets by coordinate descent: at first the template that helps most, then all in turn."""
    norm = np.stack([_dot(weight * star, star) for star in templates], axis=1)
    light, active = np.zeros(norm.shape), np.arange(len(rest))
    for _ in range(GREEDY):
        slope = np.stack([_dot(weight[active] * rest[active], star) for star in templates], axis=1)
        move, gained = _moves(light[active], slope, norm[active])
        best = gained.argmax(axis=1)
        row = np.arange(len(active))
        helps = gained[row, best] > 0.0
        active, best, step = active[helps], best[helps], move[row, best][helps]
        light[active, best] += step
        rest[active] -= step[:, None] * templates[best]

    def sweep(which: Indices, every: bool) -> FloatArray:
        for number, star in enumerate(templates):
            some = which if every else which[light[which, number] > 0.0]
            if not some.size:
                continue
            slope = _dot(weight[some] * rest[some], star)
            move, _ = _moves(light[some, number], slope, norm[some, number])
            light[some, number] += move
            rest[some] -= move[:, None] * star
        return _dot(weight[which] * rest[which], rest[which])

    chi2 = np.full(len(rest), np.inf)
    for _ in range(ROUNDS):
        before = chi2[active]
        chi2[active] = sweep(active, True)
        active = active[~(before - chi2[active] < ENOUGH)]
        settling = active
        for _ in range(SWEEPS):
            settling = settling[chi2[settling] > good]
            last = chi2[settling]
            chi2[settling] = sweep(settling, False)
            settling = settling[~(last - chi2[settling] < ENOUGH)]
        active = active[chi2[active] > good]
    return rest


def _moves(light: FloatArray, slope: FloatArray, norm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the best change of each amplitude, and what chi-square gains by it; none where a template says nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.where(norm > 0.0, np.maximum(light + slope / norm, 0.0) - light, 0.0)
    return move, move * (2.0 * slope - move * norm)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the sum of products along the last axis, in the order of src/single.c: four lanes."""
    products = a * b
    lanes = np.zeros((*products.shape[:-1], LANES))
    for first in range(0, products.shape[-1], LANES):
        lanes += products[..., first : first + LANES]
    return np.asarray((lanes[..., 0] + lanes[..., 1]) + (lanes[..., 2] + lanes[..., 3]))


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
