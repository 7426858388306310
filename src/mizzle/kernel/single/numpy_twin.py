"""Cosmic rays of a single exposure in NumPy: the definition of what src/single.c does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, Image, Indices, Mask
from mizzle.kernel.pixels.numpy_twin import grow
from mizzle.kernel.single.types import ENOUGH, LANES, NEIGHBORS, ROUNDS, SWEEPS, Peaks, SingleRule

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
    rest = np.empty(values.shape)
    for start in range(0, len(rest), BLOCK):
        some = slice(start, start + BLOCK)
        rest[some] = _rest_of(values[some], weights[some], templates, good)
    return rest


def _rest_of(seen: FloatArray, weight: FloatArray, templates: FloatArray, good: float) -> FloatArray:
    """Fit some sets by greedy coordinate descent: the template that helps most, then those chosen in turn."""
    norm = _dots(weight, templates, templates)
    inverse = np.divide(1.0, norm, out=np.zeros(norm.shape), where=norm > 0.0)
    count = len(seen)
    chosen, light = np.zeros((count, ROUNDS), np.intp), np.zeros((count, ROUNDS))
    product, rest = np.zeros((count, ROUNDS, ROUNDS)), seen.copy()
    chi2, active = _dot(weight * rest, rest), np.arange(count)
    for last in range(ROUNDS):
        active = active[chi2[active] > good]
        slope = _dots(weight[active] * rest[active], templates)
        gains = np.where(slope > 0.0, slope * slope * inverse[active], 0.0)
        best = gains.argmax(axis=1)
        helps = gains[np.arange(len(active)), best] >= ENOUGH
        active, best, slope = active[helps], best[helps], slope[helps]
        if not active.size:
            break
        chosen[active, last] = best
        slots = chosen[active, : last + 1]
        scaled = weight[active] * templates[best]
        for slot in range(last + 1):
            product[active, slot, last] = product[active, last, slot] = _dot(scaled, templates[slots[:, slot]])
        row = np.arange(len(active))[:, None]
        light[active, : last + 1] = _settled(
            ChosenLight(light[active, : last + 1], slope[row, slots], product[active, : last + 1, : last + 1]),
            norm[active[:, None], slots],
            inverse[active[:, None], slots],
        )
        left = seen[active]
        for slot in range(last + 1):
            left = left - light[active, slot, None] * templates[slots[:, slot]]
        rest[active], chi2[active] = left, _dot(weight[active] * left, left)
    return rest


class ChosenLight(NamedTuple):
    """Amplitudes of the templates chosen for some sets, their slopes ``(count, k)``, and products ``(count, k, k)``."""

    light: FloatArray
    slope: FloatArray
    product: FloatArray


def _settled(chosen: ChosenLight, norm: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return amplitudes after sweeps, each from the template chosen last to the first."""
    light, slope, product = (np.array(part) for part in chosen)
    moving = np.arange(len(light))
    for _ in range(SWEEPS):
        gained = np.zeros(len(moving))
        for slot in reversed(range(light.shape[1])):
            now, steep = light[moving, slot], slope[moving, slot]
            move = np.maximum(now + steep * inverse[moving, slot], 0.0) - now
            gained += move * (2.0 * steep - move * norm[moving, slot])
            light[moving, slot] += move
            slope[moving] -= move[:, None] * product[moving, slot]
        moving = moving[gained >= ENOUGH]
    return light


def _dots(values: FloatArray, templates: FloatArray, more: FloatArray | None = None) -> FloatArray:
    """Return sums of products of sets ``(count, n)`` with templates ``(m, n)``, or with two such: ``(count, m)``."""
    lanes = np.zeros((LANES, len(values), len(templates)))
    for pixel in range(values.shape[1]):
        product = values[:, pixel, None] * templates[:, pixel]
        lanes[pixel % LANES] += product if more is None else product * more[:, pixel]
    return np.asarray((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the sum of products along the last axis, in the order of src/fit_light_body.h: four lanes."""
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
