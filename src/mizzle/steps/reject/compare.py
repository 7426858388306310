"""One chip against the reference: what stands above it beyond noise and misregistration is a cosmic ray."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.settings.reject import RejectSettings

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Noise of the reference's steepest step, over that of a pixel of one exposure, times sqrt(exposures): the largest of
#: four differences, smoothed by the drops. That much of a step says nothing about stars.
STEP_NOISE = 4.0


@dataclass(frozen=True)
class Judge:
    """What it takes to turn a chip's DN and the reference's rates into electrons.

    Parameters
    ----------
    gain : float
        Electrons per DN.
    rate : float
        Electrons per unit of the reference (equalized DN/s per reference pixel).
    sky : float
        Sky [electron].
    floor : float
        Variance without light [electron**2].
    exposures : int
        Exposures the reference is made of.
    """

    gain: float
    rate: float
    sky: float
    floor: float
    exposures: int


def compare(sci: Image, bad: Mask, expected: Image, judge: Judge, settings: RejectSettings) -> Mask:
    """Flag the pixels of a chip that stand above the reference.

    With ``E`` the expected electrons, ``sigma**2 = max(E + sky, 0) + floor``, and ``D`` the largest absolute step of
    E to one of the four nearest pixels (less what noise alone makes of it)::

        seed       E_observed - E > seed_sigma * sigma + seed_slope * D
        neighbor   the same with neighbor_sigma and neighbor_slope, in the 3 x 3 pixels around a seed

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    bad : (ny, nx) bool array
        Pixels not to judge; they are never flagged.
    expected : (ny, nx) float32 array
        The reference at the chip's pixels.
    judge : Judge
        Units and noise.
    settings : RejectSettings
        Thresholds.

    Returns
    -------
    mask : (ny, nx) bool array
        True where a cosmic ray is.

    References
    ----------
    The two-pass form with a derivative term: Fruchter & Hook 2002, PASP 114, 144, section 4.
    """
    light = sharpened(expected * np.float32(judge.rate), settings)
    sigma = np.sqrt(np.maximum(light + np.float32(judge.sky), 0) + np.float32(judge.floor))
    excess = sci * np.float32(judge.gain) - np.float32(judge.sky) - light
    if settings.negative:
        np.abs(excess, out=excess)
    quiet = np.float32(STEP_NOISE * np.sqrt((max(judge.sky, 0) + judge.floor) / max(judge.exposures, 1)))
    step = np.maximum(steepest(light) - quiet, 0)
    seed = excess > np.float32(settings.seed_sigma) * sigma + np.float32(settings.seed_slope) * step
    seed &= ~bad
    near = excess > np.float32(settings.neighbor_sigma) * sigma + np.float32(settings.neighbor_slope) * step
    return np.asarray((near & grown(seed, 1) | seed) & ~bad)


def sharpened(image: Image, settings: RejectSettings) -> Image:
    """Return `image` with the smoothing by drop and reference pixel undone to first order.

    Dropping convolves with the drop (variance ``pixfrac**2 / 12`` per axis) and with the reference's pixel (1/12);
    half that variance times the Laplacian is what a smooth image lost.
    """
    unit = (1.0 + settings.pixfrac**2) / 24.0
    peak, wing = np.float32(settings.sharpen * unit), np.float32(settings.sharpen_wings * unit)
    wide = np.pad(image, 1, mode="edge")
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    lost = np.float32(4) * image - around
    result: Image = image + np.where(lost > 0, peak, wing) * lost
    return np.where(np.isfinite(result), result, image)


def steepest(image: Image) -> Image:
    """Return the largest absolute difference of each pixel to its four nearest neighbors."""
    result = np.zeros_like(image)
    for axis in (0, 1):
        step = np.abs(np.diff(image, axis=axis))
        low = result[:-1] if axis == 0 else result[:, :-1]
        high = result[1:] if axis == 0 else result[:, 1:]
        np.fmax(low, step, out=low)  # fmax: what is not known makes no step
        np.fmax(high, step, out=high)
    return result


def grown(mask: Mask, radius: int) -> Mask:
    """Return `mask` grown by `radius` pixels to all sides (a square)."""
    result = mask
    for _ in range(radius):
        wide = result.copy()
        wide[:, 1:] |= result[:, :-1]
        wide[:, :-1] |= result[:, 1:]
        result = wide.copy()
        result[1:] |= wide[:-1]
        result[:-1] |= wide[1:]
    return result


def trailed(mask: Mask, length: int) -> Mask:
    """Return `mask` with tails of `length` pixels toward higher y: charge is read out through y = 0 and left behind."""
    result = mask.copy()
    for shift in range(1, min(length, mask.shape[0] - 1) + 1):
        result[shift:] |= mask[:-shift]
    return result
