"""Stars that are brighter in one exposure than in the others: variable stars, which are no cosmic rays.

The comparison with the other exposures takes what a star gained for a ray. But a ray lands on some pixels of a star,
and a star that brightened is brighter all around its peak. Where the eight pixels around a peak hold more than the
comparison expects, by more than they do for the other stars of the chip, the method for single exposures decides: what
light explains is the star's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, Image, Indices, Mask
from mizzle.kernel.compare import SEED, SUSPECT, RayMarks, RayThresholds
from mizzle.kernel.pixels import grow, pixels_with_bits
from mizzle.steps.reject.compared_chip import ComparedChip
from mizzle.steps.reject.neighborhood import inside, pixels_around

#: Where a peak stands, so many sigma of the sky are expected at least.
PEAK_SIGMA = 12.0
#: A star is brighter where the light around its peak over the expected is greater than for the chip's other stars by
#: such a factor, and by so many times their scatter and its own error.
LEAST, SIGMAS = 1.15, 1.0
#: It stands on the peak that is expected, to this share of it, and that is so many times what is around it; brightened
#: by less than such a factor; and no side of it, of three pixels, did so by less than this share of what all four did:
#: rays lie on one or two.
CENTERED, PEAKED, MOST, EVEN = 0.7, 1.3, 12.0, 0.65
#: Around the middle of 3 x 3 pixels, and its sides.
RING, SIDES = [0, 1, 2, 3, 5, 6, 7, 8], ([0, 1, 2], [6, 7, 8], [0, 3, 6], [2, 5, 8])
#: With fewer stars than this the light around peaks is taken to be as expected, to such a share.
FEWEST, UNTESTED = 10, 0.1
#: Two exposures that begin within so many days are compared as if no star changed: what did is rarer than a ray that
#: looks like light, and there is no third to outvote that.
SOON = 1.0 / 24.0
#: A star's own pixels lie this near to its peak; those that hang together with them are its wings, as far as this.
REACH, WINGS = 2, 12


class RingRatios(NamedTuple):
    """Light in the eight pixels around peaks, over what is expected there.

    Parameters
    ----------
    ratio, error : (k,) array
        1 sigma: noise alone.
    least : (k,) array
        The least of the ratios on the four sides, three pixels each; raised by its noise.
    """

    ratio: FloatArray
    error: FloatArray
    least: FloatArray


class KeptStars(NamedTuple):
    """What a comparison says once brighter stars are kept.

    Parameters
    ----------
    marks : RayMarks
        Without the light of those stars.
    peaks : int array
        Of those stars: flat indices.
    """

    marks: RayMarks
    peaks: Indices


def may_vary(chips: Sequence[ComparedChip]) -> bool:
    """Return whether stars may have changed from one of some exposures to another."""
    starts = {chip.index: chip.view.exposure.mjd_start for chip in chips}
    return len(starts) > 2 or max(starts.values()) - min(starts.values()) > SOON


class _StarPixels(NamedTuple):
    """A box around a star, and which of its pixels are the star's."""

    box: tuple[slice, slice]
    own: Mask


class _SideRatio(NamedTuple):
    ratio: FloatArray
    error: FloatArray


def keep_brighter_stars(
    sci: Image,
    bad: Mask,
    *,
    marks: RayMarks,
    thresholds: RayThresholds,
    exact: float,
    find_rays: Callable[[Mask], Mask],
) -> KeptStars:
    """Return marks in which the light of stars that are brighter than in the other exposures is no ray.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [count].
    bad : (ny, nx) bool array
        Pixels that say nothing.
    marks : RayMarks
        What the comparison with the reference said.
    thresholds : RayThresholds
        Those of the comparison.
    exact : float
        Above this the expectation is exact around every pixel [electron].
    find_rays : callable
        Returns the cosmic rays among the pixels that it is asked about, judged without other exposures.
    """
    peaks = find_brighter_stars(sci, bad, marks=marks, thresholds=thresholds, exact=exact)
    if not peaks.size:
        return KeptStars(marks, peaks)
    stars = [_pixels_of_star(marks.mask, *divmod(peak, marks.mask.shape[1])) for peak in peaks.tolist()]
    asked = np.zeros_like(marks.mask)
    for box, own in stars:
        asked[box] |= own
    rays = find_rays(asked)
    # What a ray left of a star is no better known than the ray: there the comparison stands.
    clean = [not bool((rays[star.box] & star.own).any()) for star in stars]
    mask, left = marks.mask.copy(), marks.marks.copy()
    for box, own in compress(stars, clean):
        mask[box] &= ~own
        left[box][own] &= np.uint8(255 - SEED - SUSPECT)
    return KeptStars(RayMarks(mask, left, marks.light), peaks[clean])


def find_brighter_stars(sci: Image, bad: Mask, *, marks: RayMarks, thresholds: RayThresholds, exact: float) -> Indices:
    """Return the peaks of stars that stand above the expectation all around: flat indices.

    Parameters
    ----------
    sci, bad, marks, thresholds, exact
        As in `keep_brighter_stars`.
    """
    noise = np.sqrt(max(thresholds.sky, 0.0) + thresholds.floor)
    asked = _brightest(sci, inside(pixels_with_bits(marks.marks, SEED | SUSPECT), sci.shape, margin=2))
    light = np.nan_to_num(pixels_around(asked, marks.light).astype(np.float64))
    least = np.maximum(CENTERED * light.max(axis=1), PEAKED * light[:, RING].mean(axis=1))
    asked = asked[light[:, 4] > np.maximum(PEAK_SIGMA * noise, least)]
    if not asked.size:
        return np.asarray(asked)
    ring = _ring_ratios(asked, sci, bad, marks=marks, thresholds=thresholds)
    unmarked = marks.marks & (SEED | SUSPECT) == 0
    quiet = inside(np.flatnonzero((marks.light > exact) & unmarked), sci.shape, margin=2)
    others = _ring_ratios(np.intersect1d(quiet, _brightest(sci, quiet)), sci, bad, marks=marks, thresholds=thresholds)
    usual, scatter = 1.0, UNTESTED
    if np.count_nonzero(np.isfinite(others.ratio)) >= FEWEST:
        usual = float(np.nanmedian(others.ratio))
        scatter = 1.4826 * float(np.nanmedian(np.abs(others.ratio - usual)))
    least = np.maximum(SIGMAS * np.hypot(scatter, ring.error), (LEAST - 1.0) * usual)
    even = ring.least > EVEN * ring.ratio
    beyond = (ring.ratio - usual > least) & even & (ring.ratio < MOST * usual)
    return np.asarray(asked[beyond])


def _pixels_of_star(mask: Mask, y: int, x: int) -> _StarPixels:
    """Return the pixels around a peak, and the flagged ones that hang together with them."""
    box = (slice(max(y - WINGS, 0), y + WINGS + 1), slice(max(x - WINGS, 0), x + WINGS + 1))
    own = np.zeros(mask[box].shape, np.bool_)
    row, column = min(y, WINGS), min(x, WINGS)
    own[max(row - REACH, 0) : row + REACH + 1, max(column - REACH, 0) : column + REACH + 1] = True
    flagged = mask[box] | own
    for _ in range(WINGS):
        own = grow(own, 1) & flagged
    return _StarPixels(box, own)


def _brightest(sci: Image, where: Indices) -> Indices:
    """Return the brightest of the 3 x 3 pixels around each of some pixels, each once."""
    nx = sci.shape[1]
    place = pixels_around(where, sci).argmax(axis=1)
    return np.asarray(np.unique(where + (place // 3 - 1) * nx + place % 3 - 1))


def _ring_ratios(where: Indices, sci: Image, bad: Mask, *, marks: RayMarks, thresholds: RayThresholds) -> RingRatios:
    light = pixels_around(where, marks.light).astype(np.float64)
    signal = thresholds.gain * pixels_around(where, sci).astype(np.float64) - thresholds.sky
    good = (pixels_around(where, bad) == 0) & np.isfinite(light) & (light > 0.0)
    variance = np.where(good, np.fmax(light, signal) + max(thresholds.sky, 0.0) + thresholds.floor, 0.0)
    light, signal = np.where(good, light, 0.0), np.where(good, signal, 0.0)

    def over(pixels: list[int]) -> _SideRatio:
        enough = good[:, pixels].sum(axis=1) > len(pixels) // 2
        total = np.where(enough, light[:, pixels].sum(axis=1), np.nan)
        return _SideRatio(signal[:, pixels].sum(axis=1) / total, np.sqrt(variance[:, pixels].sum(axis=1)) / total)

    ring, sides = over(RING), [over(side) for side in SIDES]
    return RingRatios(ring.ratio, ring.error, np.fmin.reduce([side.ratio + side.error for side in sides]))
