"""Cosmic rays that hide in stars: nobody can tell a small one from a bright core's own noise and structure.

How many there are, and how large, is known from the rays that were found on the sky of the same chip; how large one
may be and still hide, from the thresholds of the search and the star's own light.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.settings import RejectSettings
from mizzle.stars.radial import RadialProfile
from mizzle.steps.catalog.losses import CORE_ARCSEC

FloatArray = NDArray[np.float64]

_EVERY = 23  # rows: the exposures together show some hundred rays at the real rate
#: A ray at the second look's threshold is found every other time, some stars have few other exposures, and beside a
#: ray's brightest pixel others may hide: rays of this many thresholds are found for sure. Counted on simulated visits
#: (seeds 700-719).
_SURELY = 1.5
#: What a ray that was found leaves in pixels too faint to be flagged: rms over the noise of a pixel and over
#: ``reject.neighbor_sigma`` (the same seeds: 31 electrons on the sky of WF, 24 on the PC's).
_REMAINS = 4.0
_BLOCKS = 2  # pixels to each side of a ray's brightest that hold its charge


@dataclass(frozen=True, eq=False)
class Rays:
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
class RayCensus:
    """The rays of one input, and what turns a star's light into electrons there.

    Parameters
    ----------
    chip : str
        The chip.
    rays : Rays
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
    doubt : float
        How far other exposures told what a pixel should hold, relative to its steepest step; NaN where they were not
        asked.
    """

    chip: str
    rays: Rays
    star: NDArray[np.intp]
    weight: float
    electrons: float
    floor: float
    pixel: float
    scale: float
    doubt: float = float("nan")


def count_rays(sci: NDArray[np.float32], mask: NDArray[np.bool_], gain: float) -> Rays:
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
    return Rays(peak[order], charge, square, peak.size / max(looked, 1))


def hidden_rays(
    censuses: Sequence[RayCensus],
    profiles: Mapping[str, RadialProfile],
    flux: FloatArray,
    radius: float,
    settings: RejectSettings,
) -> tuple[FloatArray, FloatArray]:
    """Return what hidden rays add to each star's mean, and the variance of that and of found rays' rims.

    A ray hides in pixel k where its peak stays below ``seed_sigma * sigma_k + seed_slope * D_k``, D the step of the
    star's light to the next pixel; and, where the other exposures were asked, below the second look's threshold too.

    Parameters
    ----------
    censuses : sequence of RayCensus
        Of all chips of all exposures.
    profiles : mapping
        A star's light by distance; see `mizzle.steps.catalog.losses`.
    flux : (n,) array
        Of the stars, in the aperture [rate at the reference zeropoint].
    radius : float
        Of the aperture [arcsec].
    settings : RejectSettings
        The thresholds of the search.
    """
    mean, variance, weight = (np.zeros(flux.size) for _ in range(3))
    for one in censuses:
        weight[one.star] += one.weight
        profile = profiles.get(one.chip)
        if profile is None or one.rays.peak.size == 0:
            continue
        light = np.maximum(flux[one.star], 0.0) * one.electrons
        charge, square = np.zeros(light.size), np.zeros(light.size)
        for distance, count, share, step in _pixels(one, profile):
            inside = np.clip(radius / one.scale + 0.5 - distance, 0.0, 1.0)
            noise = np.sqrt(light * max(share, 0.0) + one.floor)
            limit = _hides_below(noise, light * step, one.doubt, settings)
            below = np.searchsorted(one.rays.peak, limit)
            charge += count * inside * one.rays.charge[below]
            square += count * inside**2 * one.rays.square[below]
        # The mean of what found rays leave is made up for by the upward noise that is flagged beside them.
        shot = np.pi * (radius / one.scale) ** 2 * one.floor + light
        square += one.rays.density * (_REMAINS * settings.neighbor_sigma) ** 2 * shot
        mean[one.star] += one.weight / one.electrons * charge
        variance[one.star] += (one.weight / one.electrons) ** 2 * square
    weight = np.maximum(weight, 1e-150)
    return mean / weight, variance / weight**2


def _hides_below(noise: FloatArray, step: FloatArray, doubt: float, settings: RejectSettings) -> FloatArray:
    """Return the greatest peak that is not flagged: see `mizzle.kernel.compare.flag_rays` and `steps.reject.star_cores`."""
    seed = settings.seed_sigma * noise + settings.seed_slope * step
    if not np.isfinite(doubt):
        return seed
    suspect = settings.seed_sigma * noise + settings.suspect_slope * step
    second = _SURELY * settings.second_sigma * np.hypot(noise, doubt * step)
    return np.minimum(seed, np.maximum(suspect, second))


def _pixels(one: RayCensus, profile: RadialProfile) -> Iterator[tuple[float, int, float, float]]:
    """Yield the pixels about a star's center, by an eighth of the plane: distance [pixel], how many, share, step."""
    side = int(CORE_ARCSEC / one.scale) + 2
    u, v = np.meshgrid(np.arange(-1, side + 1), np.arange(-1, side + 1))
    share = profile.at(np.hypot(u, v) * one.scale)[0] * one.pixel
    step = np.zeros_like(share)
    for axis in (0, 1):
        for shift in (-1, 1):
            step = np.maximum(step, np.abs(share - np.roll(share, shift, axis=axis)))
    for i in range(side):
        for j in range(i + 1):
            count = 1 if i == 0 else 4 if j in (0, i) else 8
            yield float(np.hypot(i, j)), count, float(share[j + 1, i + 1]), float(step[j + 1, i + 1])
