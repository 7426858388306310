"""Stacks reduced in NumPy: the definition of what src/rays.c does."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import Image
from mizzle.arrays import Indices as Counts
from mizzle.kernel.stack.types import StackRule

#: So many values of a pixel make up for one that is too low.
PER_LOW = 6


def reduce_stack(stack: Image, rule: StackRule) -> Image:
    """Reduce ``(n, ny, nx)`` to ``(ny, nx)``; see `front.reduce_stack`."""
    known = np.isfinite(stack)
    floor = np.where(known, rule.floor[:, None, None], np.float32(np.inf))
    best, second = np.sort(floor, axis=0)[[0, min(1, len(floor) - 1)]]
    # One of little noise: where light makes all noisy, the others are asked.
    alone = (second > np.float32(rule.ratio) * best) & np.isfinite(second)
    known &= floor <= np.float32(rule.ratio) * np.where(alone, second, best)
    worst = np.where(known, floor, np.float32(0)).max(axis=0)
    ordered = np.sort(np.where(known, stack, np.float32(np.inf)), axis=0)
    count = known.sum(axis=0)
    low = np.minimum(rule.nlow, np.maximum(count - 1, 0))
    high = np.minimum(rule.nhigh, np.maximum(count - 1 - low, 0))
    with np.errstate(invalid="ignore"):
        if rule.method == "median":
            image = _median(ordered, low, count - high)
        elif rule.method == "mean":
            image = _mean(ordered, low, count - high)
        else:
            lowest = (count - 1) // PER_LOW if rule.method == "clipped" else np.zeros_like(count)
            image = _guarded(ordered, count, worst, rule, least=_at(ordered, lowest))
        if rule.method == "clipped":
            image = _clipped(
                np.where(known, stack, np.float32(np.nan)), image, np.float32(0.5) * worst / np.maximum(count, 1), rule
            )
        bright = rule.slope.max() * image > worst
    return np.where((count >= 2) & (bright | ~alone), image, np.float32(np.nan)).astype(np.float32)


def _at(ordered: Image, index: Counts) -> Image:
    clipped = np.clip(index, 0, ordered.shape[0] - 1)
    return np.asarray(np.take_along_axis(ordered, clipped[None], axis=0)[0])


def _median(ordered: Image, first: Counts, stop: Counts) -> Image:
    return (_at(ordered, (first + stop - 1) // 2) + _at(ordered, (first + stop) // 2)) * np.float32(0.5)


def _mean(ordered: Image, first: Counts, stop: Counts) -> Image:
    index = np.arange(ordered.shape[0])[:, None, None]
    kept = (index >= first) & (index < stop)
    total = np.where(kept, ordered, np.float32(0)).sum(axis=0, dtype=np.float32)
    return np.asarray(total / np.maximum(stop - first, 1).astype(np.float32))


def _guarded(ordered: Image, count: Counts, worst: Image, rule: StackRule, *, least: Image) -> Image:
    """Return the median without the highest value, or `least` where that is far below it (minmed)."""
    middle = _median(ordered, np.zeros_like(count), np.where(count >= 3, count - 1, count))
    light = np.maximum(least, np.float32(0))
    # With three values or fewer the middle is a mean of two: half a difference away from the lower one.
    share = np.where(count <= 3, np.float32(0.5), np.float32(1))
    spread = np.float32(rule.structure) * light
    variance = (worst + rule.slope.max() * light) * share + spread * spread
    far = middle - least > np.float32(rule.sigma) * np.sqrt(variance)
    return np.where(far, least, middle)


def _clipped(stack: Image, middle: Image, guess: Image, rule: StackRule) -> Image:
    """Return the noise-weighted mean of the values near `middle` (of variance `guess`); else `middle` itself."""
    light = np.maximum(middle, np.float32(0))
    spread = np.float32(rule.structure) * light
    total, weight = np.zeros_like(middle), np.zeros_like(middle)
    for image, floor, slope in zip(stack, rule.floor, rule.slope, strict=True):
        sigma = np.sqrt(floor + guess.astype(np.float32) + slope * light + spread * spread)
        near = np.abs(image - middle) <= np.float32(rule.sigma) * sigma
        share = np.float32(1) / floor
        total += np.where(near, image * share, np.float32(0))
        weight += np.where(near, share, np.float32(0))
    return np.where(weight > 0, total / np.where(weight > 0, weight, np.float32(1)), middle)


def fill_holes(image: Image) -> Image:
    """Fill single unknown pixels; see `front.fill_holes`."""
    result = image.copy()
    ys, xs = np.nonzero(np.isnan(image[1:-1, 1:-1]))
    around = np.stack([image[ys + 1 + dy, xs + 1 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    fill = np.isfinite(around).sum(axis=0) >= 5
    result[ys[fill] + 1, xs[fill] + 1] = np.fmax.reduce(around[:, fill], axis=0)
    return result
