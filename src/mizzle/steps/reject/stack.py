"""Many exposures to one: median, mean, minmed, and the clipped mean that is the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.sensor import Sensor

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StackNoise:
    """Noise of the images of a stack: variance ``floor + slope * max(value, 0)`` [(equalized DN/s)**2].

    Parameters
    ----------
    floor, slope : (n,) float32 array
        One per exposure; the sky's Poisson noise is in the floor.
    """

    floor: NDArray[np.float32]
    slope: NDArray[np.float32]

    @classmethod
    def of(cls, groups: Sequence[Sequence[Sensor]]) -> StackNoise:
        """Return the noise of exposures, the mean over each one's chips."""
        floor = [np.mean([s.noise.background(s.sky, s.multiply) for s in group]) for group in groups]
        # Per electron: v1 is per DN of the chip, the value is multiply * DN.
        slope = [np.mean([s.noise.coefficients(s.multiply)[1] / s.multiply for s in group]) for group in groups]
        return cls(np.array(floor, np.float32), np.array(slope, np.float32))


def reduce_stack(stack: Image, noise: StackNoise, settings: RejectSettings) -> Image:
    """Reduce a stack to one image.

    Parameters
    ----------
    stack : (n, ny, nx) float32 array
        Rates, sky subtracted; NaN where an exposure has nothing.
    noise : StackNoise
        Of each image.
    settings : RejectSettings
        ``combine``, ``combine_sigma``, ``combine_structure``, ``nlow``, ``nhigh``.

    Returns
    -------
    image : (ny, nx) float32 array
        NaN where fewer than two exposures have a value.
    """
    ordered = np.sort(stack, axis=0)  # NaN last
    count = np.isfinite(stack).sum(axis=0)
    if settings.combine == "median":
        image = _median(ordered, *_kept(count, settings))
    elif settings.combine == "mean":
        image = _mean(ordered, *_kept(count, settings))
    else:
        image = _guarded(ordered, count, noise, settings)
        if settings.combine == "clipped":
            image = _clipped(stack, image, noise, settings)
    return np.where(count >= 2, image, np.float32(np.nan)).astype(np.float32)


def _kept(count: NDArray[np.intp], settings: RejectSettings) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and one past last index to keep; at least one value stays where there is one."""
    low = np.minimum(settings.nlow, np.maximum(count - 1, 0))
    high = np.minimum(settings.nhigh, np.maximum(count - 1 - low, 0))
    return low, count - high


def _at(ordered: Image, index: NDArray[np.intp]) -> Image:
    clipped = np.clip(index, 0, ordered.shape[0] - 1)
    return np.asarray(np.take_along_axis(ordered, clipped[None], axis=0)[0])


def _median(ordered: Image, first: NDArray[np.intp], stop: NDArray[np.intp]) -> Image:
    return (_at(ordered, (first + stop - 1) // 2) + _at(ordered, (first + stop) // 2)) * np.float32(0.5)


def _mean(ordered: Image, first: NDArray[np.intp], stop: NDArray[np.intp]) -> Image:
    index = np.arange(ordered.shape[0])[:, None, None]
    kept = (index >= first) & (index < stop)
    total = np.where(kept, ordered, np.float32(0)).sum(axis=0, dtype=np.float32)
    return np.asarray(total / np.maximum(stop - first, 1).astype(np.float32))


def _guarded(ordered: Image, count: NDArray[np.intp], noise: StackNoise, settings: RejectSettings) -> Image:
    """Return the median without the highest value, or the minimum where that is far below it (minmed)."""
    middle = _median(ordered, np.zeros_like(count), np.where(count >= 3, count - 1, count))
    least = ordered[0]
    floor, slope = np.float32(noise.floor.max()), np.float32(noise.slope.max())
    light = np.maximum(least, np.float32(0))
    # Two values: their mean is half a difference away from the lower one.
    share = np.where(count <= 3, np.float32(np.sqrt(0.5)), np.float32(1))
    variance = (floor + slope * light) * share**2 + (np.float32(settings.combine_structure) * light) ** 2
    far = middle - least > np.float32(settings.combine_sigma) * np.sqrt(variance)
    return np.where(far, least, middle)


def _clipped(stack: Image, middle: Image, noise: StackNoise, settings: RejectSettings) -> Image:
    """Return the noise-weighted mean of the values near `middle`; `middle` itself where none is."""
    light = np.maximum(middle, np.float32(0))
    structure = (np.float32(settings.combine_structure) * light) ** 2
    limit = np.float32(settings.combine_sigma)
    total, weight = np.zeros_like(middle), np.zeros_like(middle)
    for image, floor, slope in zip(stack, noise.floor, noise.slope, strict=True):
        near = np.abs(image - middle) <= limit * np.sqrt(floor + slope * light + structure)
        share = np.float32(1) / floor
        total += np.where(near, image * share, np.float32(0))
        weight += np.where(near, share, np.float32(0))
    return np.where(weight > 0, total / np.where(weight > 0, weight, np.float32(1)), middle)
