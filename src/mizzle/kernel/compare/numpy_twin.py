"""A chip against its expectation in NumPy: the definition of what src/rays.c does."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import Image, Marks, Mask
from mizzle.kernel.compare.types import RayMarks, RayThresholds
from mizzle.kernel.pixels.numpy_twin import grow


def flag_rays(sci: Image, bad: Mask | Marks, expected: Image, thresholds: RayThresholds) -> RayMarks:
    """Flag a chip; see `front.flag_rays`."""
    light = np.float32(thresholds.rate) * _sharpened(expected, thresholds)
    with np.errstate(invalid="ignore"):
        sigma = np.sqrt(np.maximum(light + np.float32(thresholds.sky), 0) + np.float32(thresholds.floor))
        excess = sci * np.float32(thresholds.gain) - np.float32(thresholds.sky) - light
        if thresholds.negative:
            excess = np.abs(excess)
        step = np.maximum(_steepest(light) - np.float32(thresholds.quiet), 0)
        odd = excess > np.float32(thresholds.seed_sigma) * sigma + np.float32(thresholds.suspect_slope) * step
        excess -= np.float32(thresholds.doubt) * np.fmax(light - np.float32(thresholds.rate) * expected, 0)
        seed = excess > np.float32(thresholds.seed_sigma) * sigma + np.float32(thresholds.seed_slope) * step
        seed &= ~_cross(light > np.float32(thresholds.trust)) & (bad != 2)
        near = excess > np.float32(thresholds.neighbor_sigma) * sigma + np.float32(thresholds.neighbor_slope) * step
    good = bad != 1
    seed, near, suspect = seed & good, near & good, odd & ~seed & good
    beside = near & grow(seed | suspect, 1)
    marks = seed.astype(np.uint8) | beside.astype(np.uint8) << 1 | suspect.astype(np.uint8) << 2
    return RayMarks(np.asarray(seed | (near & grow(seed, 1))), marks, light)


def _cross(mask: Mask) -> Mask:
    """Return `mask` grown to the four nearest pixels."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    return wide


def _sharpened(image: Image, thresholds: RayThresholds) -> Image:
    wide = np.pad(image, 1, mode="edge")
    with np.errstate(invalid="ignore"):
        around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
        lost = np.float32(4) * image - around
        result = image + np.where(lost > 0, np.float32(thresholds.peak), np.float32(thresholds.wing)) * lost
    return np.where(np.isfinite(result), result, image)


def _steepest(image: Image) -> Image:
    """Return the largest absolute difference of each pixel to its four nearest neighbors; unknown ones make none."""
    result = np.zeros_like(image)
    for axis in (0, 1):
        step = np.abs(np.diff(image, axis=axis))
        low = result[:-1] if axis == 0 else result[:, :-1]
        high = result[1:] if axis == 0 else result[:, 1:]
        np.fmax(low, step, out=low)
        np.fmax(high, step, out=high)
    return result
