"""Cosmic rays that stay undetected in stars: a small one cannot be told from a bright core's own noise and structure.

How many there are, and how large, is known from the rays that were found on the sky of the same chip; how large one
may be and stay undetected, from the thresholds of the search and the star's own light.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.settings import RejectSettings
from mizzle.stars.radial import RadialProfile
from mizzle.steps.catalog.lost_light import CORE_ARCSEC

_EVERY = 23  # rows: the exposures together show some hundred rays at the real rate
#: Rays of this many thresholds of `mizzle.steps.reject.star_cores` are taken for found. At the threshold every other
#: one is, and some stars have few other exposures; but it holds a doubt that most stars do not deserve. Chosen between
#: 0.7 and 1.4 by the scatter of star fluxes of simulated visits (seeds 800-823; judged on 900-939).
DETECTION_MARGIN = 0.8
#: What a ray that was found leaves in pixels too faint to be flagged: rms over the noise of a pixel and over
#: ``reject.neighbor_sigma`` (the same seeds: 31 electrons on the sky of WF, 24 on the PC's).
UNFLAGGED_RIM_RMS = 4.0
_BLOCKS = 2  # pixels to each side of a ray's brightest that hold its charge


@dataclass(frozen=True, eq=False)
class DetectedRays:
    """Rays found on one chip of one exposure.

    Parameters
    ----------
    peak : (m,) array
        Brightest pixel of each [electron], rising.
    charge, square : (m + 1,) array
        Sum of the charges, and of their squares, of the rays before each, per pixel of the chip [electron,
        electron**2].
    density : float
        All of them, per pixel of the chip.
    """

    peak: FloatArray
    charge: FloatArray
    square: FloatArray
    density: float = 0.0


@dataclass(frozen=True, eq=False)
class RayStatistics:
    """The rays of one input, and what turns a star's light into electrons there.

    Parameters
    ----------
    chip : str
        The chip.
    rays : DetectedRays
        Found on it.
    star : (n,) int array
        Stars it holds.
    weight : float
        Of this input.
    electrons : float
        Per unit of rate at the reference zeropoint.
    floor : float
        Variance of a pixel without stars [electron**2].
    pixel : float
        Area of a pixel [product pixel].
    scale : float
        Its side [arcsec].
    prediction_error : float
        Of what the other exposures predict for a pixel of a star's core, relative to its steepest step; NaN where star
        cores were not checked so.
    """

    chip: str
    rays: DetectedRays
    star: NDArray[np.intp]
    weight: float
    electrons: float
    floor: float
    pixel: float
    scale: float
    prediction_error: float = float("nan")


class RayBias(NamedTuple):
    """What cosmic rays do to stars.

    Parameters
    ----------
    flux : (n,) array
        What undetected rays add [rate at the reference zeropoint].
    variance : (n,) array
        Of that, and of what the unflagged rims of detected rays add.
    """

    flux: FloatArray
    variance: FloatArray


def count_rays(sci: NDArray[np.float32], mask: NDArray[np.bool_], gain: float) -> DetectedRays:
    """Measure the rays found in some rows of a chip.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    mask : (ny, nx) bool array
        Pixels found to be hit.
    gain : float
        Electrons per DN.
    """
    ny, nx = sci.shape
    rows, columns = np.nonzero(mask[_BLOCKS : ny - _BLOCKS : _EVERY, _BLOCKS : nx - _BLOCKS])
    looked = len(range(_BLOCKS, ny - _BLOCKS, _EVERY)) * (nx - 2 * _BLOCKS)
    step = np.arange(-_BLOCKS, _BLOCKS + 1)
    y = (rows * _EVERY + _BLOCKS)[:, None, None] + step[:, None]
    x = (columns + _BLOCKS)[:, None, None] + step
    hit, values = mask[y, x].reshape(-1, step.size**2), sci[y, x].reshape(-1, step.size**2).astype(np.float64)
    center = step.size**2 // 2
    # The level beside a ray: the median of what was not hit.
    ordered = np.sort(np.where(hit, np.inf, values), axis=1)
    clean = step.size**2 - hit.sum(axis=1)
    level = np.take_along_axis(ordered, np.maximum(clean - 1, 0)[:, None] // 2, axis=1)[:, 0]
    charge = np.where(hit, values - level[:, None], 0.0) * gain
    # Whichever of its pixels lies in a row that was looked at, a ray counts where its brightest does.
    first = (np.argmax(np.where(np.isfinite(charge), charge, 0.0), axis=1) == center) & np.isfinite(level)
    peak, total = charge[first, center], charge[first].sum(axis=1)
    order = np.argsort(peak)
    charge, square = (np.concatenate([[0.0], np.cumsum(total[order] ** power)]) / max(looked, 1) for power in (1, 2))
    return DetectedRays(peak[order], charge, square, peak.size / max(looked, 1))


def undetected_ray_bias(
    statistics: Sequence[RayStatistics],
    profiles: Mapping[str, RadialProfile],
    flux: FloatArray,
    *,
    radius: float,
    settings: RejectSettings,
) -> RayBias:
    """Return what undetected cosmic rays add to the flux of each star, on average over the exposures.

    A ray stays undetected in pixel k where its peak is below ``seed_sigma * sigma_k + seed_slope * D_k``, D the step of
    the star's light to the next pixel; and, where star cores were checked on the other exposures, below that check's
    threshold too.

    Parameters
    ----------
    statistics : sequence of RayStatistics
        Of all chips of all exposures.
    profiles : mapping
        A star's light by distance; see `mizzle.steps.catalog.lost_light`.
    flux : (n,) array
        Of the stars, in the aperture [rate at the reference zeropoint].
    radius : float
        Of the aperture [arcsec].
    settings : RejectSettings
        The thresholds of the search.
    """
    mean, variance, weight = (np.zeros(flux.size) for _ in range(3))
    for chip_rays in statistics:
        weight[chip_rays.star] += chip_rays.weight
        profile = profiles.get(chip_rays.chip)
        if profile is None or chip_rays.rays.peak.size == 0:
            continue
        light = np.maximum(flux[chip_rays.star], 0.0) * chip_rays.electrons
        charge, square = np.zeros(light.size), np.zeros(light.size)
        for distance, count, share, step in _pixels(chip_rays, profile):
            inside = np.clip(radius / chip_rays.scale + 0.5 - distance, 0.0, 1.0)
            noise = np.sqrt(light * max(share, 0.0) + chip_rays.floor)
            limit = _undetected_below(noise, light * step, chip_rays.prediction_error, settings=settings)
            below = np.searchsorted(chip_rays.rays.peak, limit)
            charge += count * inside * chip_rays.rays.charge[below]
            square += count * inside**2 * chip_rays.rays.square[below]
        # The mean of what found rays leave is made up for by the upward noise that is flagged beside them.
        shot = np.pi * (radius / chip_rays.scale) ** 2 * chip_rays.floor + light
        square += chip_rays.rays.density * (UNFLAGGED_RIM_RMS * settings.neighbor_sigma) ** 2 * shot
        mean[chip_rays.star] += chip_rays.weight / chip_rays.electrons * charge
        variance[chip_rays.star] += (chip_rays.weight / chip_rays.electrons) ** 2 * square
    weight = np.maximum(weight, 1e-150)
    return RayBias(mean / weight, variance / weight**2)


def _undetected_below(
    noise: FloatArray, step: FloatArray, prediction_error: float, *, settings: RejectSettings
) -> FloatArray:
    """Return the greatest peak that is not flagged: see `kernel.compare.flag_rays`, `steps.reject.star_cores`."""
    seed = settings.seed_sigma * noise + settings.seed_slope * step
    if not np.isfinite(prediction_error):
        return seed
    suspect = settings.seed_sigma * noise + settings.suspect_slope * step
    second = DETECTION_MARGIN * settings.second_sigma * np.hypot(noise, prediction_error * step)
    return np.minimum(seed, np.maximum(suspect, second))


def _pixels(chip_rays: RayStatistics, profile: RadialProfile) -> Iterator[tuple[float, int, float, float]]:
    """Yield the pixels about a star's center, by an eighth of the plane: distance [pixel], how many, share, step."""
    side = int(CORE_ARCSEC / chip_rays.scale) + 2
    u, v = np.meshgrid(np.arange(-1, side + 1), np.arange(-1, side + 1))
    share = profile.at(np.hypot(u, v) * chip_rays.scale)[0] * chip_rays.pixel
    step = np.zeros_like(share)
    for axis in (0, 1):
        for shift in (-1, 1):
            step = np.maximum(step, np.abs(share - np.roll(share, shift, axis=axis)))
    for i in range(side):
        for j in range(i + 1):
            count = 1 if i == 0 else 4 if j in (0, i) else 8
            yield float(np.hypot(i, j)), count, float(share[j + 1, i + 1]), float(step[j + 1, i + 1])
