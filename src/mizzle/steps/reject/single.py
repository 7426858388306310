"""Cosmic rays in a single exposure: peaks that no light behind this camera's optics can make.

L.A.Cosmic (van Dokkum 2001, PASP 113, 1420) asks whether a pixel is sharper than its surroundings allow. WFPC2 is
undersampled: its stars are that sharp, and the method flags nearly all of them. Here each peak gets a finer question:
is there *any* light on the sky, stars at any places, blends, nebulae, that *the sharpest image this camera makes of a
star* turns into the 5 x 5 pixels seen? Wider images are sums of sharper ones, so focus, field and crowding need no
models of their own. A cosmic ray fails: its energy enters without the optics, so around its pixels light is missing.
The answer is a fit of star images on a grid of places, none of them negative, and its chi-square.

The sharpest star is that of the exposure's own stars (`mizzle.steps.focus`), or in perfect focus where it has too few;
with less light around its peak, for real stars change with the place in the field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, IndexPairs, Mask
from mizzle.kernel.pixels import grow
from mizzle.kernel.single import Peaks, SharpRule, SingleRule, find_peaks, find_sharp, follow_rays
from mizzle.psf import StarImage
from mizzle.psf.light import HALF, REACH, Explained, PeakPixels, explain_peaks, light_templates, typical_sky, windows
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.hit_stars import find_hit_stars

#: Rounds in which rays are found and hidden from the peaks beside them; of candidates nearer than this [pixel] only the
#: worst is a ray in one round.
ROUNDS, APART = 3, 3.5
#: Where a centered star's pixel has no more than this share of its light, so much less of it is believed: finer pixels
#: see more of what the optics do over the field, and leave more evidence of a ray.
UNDERSAMPLED, FINER = 0.35, 0.05
#: Pixels below this side [arcsec] are fine; the sky around a peak is then no brighter than at so many of places.
FINE_SIDE, DARKEST_SHARE = 0.03, 0.01
#: Where more than this share of the pixels are peaks, the noise is not what it is taken for, and fits are for nothing:
#: only so many of the highest are judged. The core of omega Cen has .020, a simulated cluster of 90 000 stars .021,
#: noise alone .11. In small pieces so many peaks are always judged.
MOST_PEAKS, HIGHEST, ALWAYS = 0.04, 0.01, 200


@dataclass(frozen=True, eq=False)
class SinglePixels(PeakPixels):
    """One chip as the single-exposure method wants it.

    Parameters
    ----------
    electrons : (ny, nx) array
        Signal, sky included [electron].
    bad : (ny, nx) array
        Pixels to leave alone.
    floor : float
        Variance without light [electron**2].
    star : StarImage
        The sharpest that is believed.
    scale : float
        Side of a pixel [arcsec].
    fine : bool
        Whether the pixels are so fine that what is dark around a peak may still be its own star's wings.
    """

    star: StarImage
    scale: float
    fine: bool = False


def find_single(
    pixels: SinglePixels, settings: RejectSettings, *, laplacian: bool = True, wanted: Mask | None = None
) -> Mask:
    """Find cosmic rays on one chip of one exposure.

    Parameters
    ----------
    pixels : SinglePixels
        The chip, or a part of it.
    settings : RejectSettings
        ``single_*``.
    laplacian : bool
        Follow tracks along the pixels that L.A.Cosmic finds sharp; else along those that are bright, which is as
        good on narrow strips and much cheaper.
    wanted : (ny, nx) bool array, optional
        Where rays are asked for: peaks whose rays do not reach it, and hide nothing from those that do, are not judged.

    Returns
    -------
    mask : (ny, nx) bool array
        True where a cosmic ray was found; never on bad pixels.
    """
    rule = SingleRule(
        floor=pixels.floor,
        structure=settings.single_structure,
        sigma=settings.single_sigma,
        neighbor_sigma=settings.single_neighbor_sigma,
        track=settings.single_track,
        grow=settings.single_grow,
    )
    peaks = _worth_judging(pixels, find_peaks(pixels.electrons, pixels.bad, rule))
    if wanted is not None:
        reach = rule.track + rule.grow + 2 * (HALF + REACH)
        peaks = _some(peaks, grow(wanted, reach)[peaks.y, peaks.x])
    is_ray, spared, hit = judge_peaks(pixels, peaks, settings)
    sharp = SharpRule(rule.floor, rule.sigma, rule.neighbor_sigma, settings.single_contrast)
    track = find_sharp(pixels.electrons, pixels.bad, sharp) if laplacian else None
    return follow_rays(pixels.electrons, pixels.bad, _with(_some(peaks, is_ray), hit), spared, rule, track=track)


def _worth_judging(pixels: SinglePixels, peaks: Peaks) -> Peaks:
    """Return the peaks, or the highest of them where there are more than stars and rays make."""
    good = int(pixels.bad.size - np.count_nonzero(pixels.bad))
    if peaks.y.size <= max(MOST_PEAKS * good, ALWAYS):
        return peaks
    height = pixels.electrons[peaks.y, peaks.x] - peaks.sky
    significance = height / np.sqrt(np.maximum(peaks.sky, 0.0) + pixels.floor)
    count = max(int(HIGHEST * good), ALWAYS)
    return _some(peaks, np.sort(np.argsort(-significance, kind="stable")[:count]))


class JudgedPeaks(NamedTuple):
    """Which peaks are cosmic rays ``(n,)``; of the others their own pixels, and what rays took ``(ny, nx)``."""

    is_ray: Mask
    spared: Mask
    hit: Mask


def judge_peaks(pixels: SinglePixels, peaks: Peaks, settings: RejectSettings) -> JudgedPeaks:
    """Sort peaks into cosmic rays and light; a ray is hidden from its neighbors before they are judged by themselves.

    Returns
    -------
    is_ray : (n,) bool array
        For each peak.
    spared : (ny, nx) bool array
        Pixels of the others: the 3 x 3 around, and what their fitted light explains.
    hit : (ny, nx) bool array
        Of the others: pixels that rays took.
    """
    light = settings.single_light - (0.0 if pixels.star.peak_share > UNDERSAMPLED else FINER)
    templates = light_templates(pixels.star, max(light, 0.0))
    doubt, limit, darkest = (
        settings.single_tolerance,
        settings.single_deficit**2,
        typical_sky(pixels, DARKEST_SHARE if pixels.fine else 0.5),
    )
    n = len(peaks.y)
    is_ray, hidden, open_ones = np.zeros(n, np.bool_), pixels.bad.copy(), np.arange(n)
    misfit, fitted, noise = np.zeros(n), np.zeros((n, templates.shape[1])), np.ones((n, templates.shape[1]))
    sky = np.zeros(n)
    for number in range(ROUNDS):
        some = _some(peaks, open_ones)
        answer = explain_peaks(pixels, hidden, some, templates=templates, doubt=doubt, limit=limit, darkest=darkest)
        misfit[open_ones], fitted[open_ones], noise[open_ones] = answer.misfit, answer.light, answer.noise
        sky[open_ones] = answer.sky
        guilty = open_ones[answer.misfit > limit]
        if number < ROUNDS - 1:
            guilty = guilty[_worst(peaks.y[guilty], peaks.x[guilty], misfit[guilty])]
        if not guilty.size:
            break
        is_ray[guilty] = True
        _hide(pixels, _some(peaks, guilty), sky[guilty], hidden=hidden, sigma=settings.single_neighbor_sigma)
        open_ones = np.flatnonzero(~is_ray & _near(peaks, guilty))
    hit = find_hit_stars(
        pixels,
        hidden,
        _some(peaks, is_ray),
        scale=pixels.scale,
        templates=templates,
        doubt=doubt,
        limit=limit,
        darkest=darkest,
    )
    stars = ~is_ray
    is_ray[np.flatnonzero(is_ray)[hit.peak]] = False
    answer = Explained(misfit[stars], fitted[stars], noise[stars], sky[stars])
    spared = _spared(pixels, _some(peaks, stars), answer, settings=settings)
    spared |= _spared(pixels, hit.place, hit.light, settings=settings)
    return JudgedPeaks(is_ray, spared & ~hit.pixels, hit.pixels)


def _some(peaks: Peaks, which: NDArray[np.generic]) -> Peaks:
    return Peaks(peaks.y[which], peaks.x[which], peaks.sky[which])


def _with(peaks: Peaks, pixels: Mask) -> Peaks:
    """Return peaks and more pixels."""
    y, x = np.nonzero(pixels)
    return Peaks(np.concatenate([peaks.y, y]), np.concatenate([peaks.x, x]), np.append(peaks.sky, np.zeros(y.size)))


def _near(peaks: Peaks, these: NDArray[np.intp]) -> Mask:
    """Return the peaks whose windows `these` touch."""
    near = np.zeros(peaks.y.size, np.bool_)
    near[near_pairs(peaks.y[these], peaks.x[these], y=peaks.y, x=peaks.x, reach=2.0 * HALF + 1.999)[0]] = True
    return near


def _worst(y: NDArray[np.intp], x: NDArray[np.intp], misfit: FloatArray) -> Mask:
    """Return which peaks none of the others nearby surpasses; of equals the first is."""
    worst = np.ones(y.size, np.bool_)
    first, other = near_pairs(y, x, y=y, x=x, reach=APART)
    beaten = (misfit[other] > misfit[first]) | ((misfit[other] == misfit[first]) & (other < first))
    worst[first[beaten]] = False
    return worst


def near_pairs(
    ys: NDArray[np.intp], xs: NDArray[np.intp], *, y: NDArray[np.intp], x: NDArray[np.intp], reach: float
) -> IndexPairs:
    """Return the numbers of pixels ``(y, x)``, and of pixels ``(ys, xs)`` within `reach` of them: all such pairs.

    No two pixels of one list are alike. Their numbers are looked up in a table; `scipy.spatial` takes longer to be
    imported.
    """
    none = np.zeros(0, np.intp)
    if not ys.size or not y.size:
        return IndexPairs(none, none)
    room = math.floor(reach)
    # Whichever are fewer look around in a table of the others.
    if y.size > ys.size:
        first, second = near_pairs(y, x, y=ys, x=xs, reach=reach)
        return IndexPairs(second, first)
    table = np.full((max(ys.max(), y.max()) + 2 * room + 1, max(xs.max(), x.max()) + 2 * room + 1), -1, np.int32)
    table[ys + room, xs + room] = np.arange(ys.size)
    dy, dx = np.mgrid[-room : room + 1, -room : room + 1]
    steps = (dy * table.shape[1] + dx)[dy * dy + dx * dx <= reach * reach]
    number = table.ravel()[((y + room) * table.shape[1] + x + room)[:, None] + steps]
    place, step = np.nonzero(number >= 0)
    return IndexPairs(place, number[place, step].astype(np.intp))


def _hide(pixels: SinglePixels, rays: Peaks, sky: FloatArray, *, hidden: Mask, sigma: float) -> None:
    """Hide rays, and the pixels beside them that are brighter than so many sigma, in `hidden`."""
    ny, nx = hidden.shape
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            y, x = np.clip(rays.y + dy, 0, ny - 1), np.clip(rays.x + dx, 0, nx - 1)
            bright = pixels.electrons[y, x] - sky > sigma * np.sqrt(np.maximum(sky, 0.0) + pixels.floor)
            hidden[y[bright], x[bright]] = True


def _spared(pixels: SinglePixels, stars: Peaks, answer: Explained, *, settings: RejectSettings) -> Mask:
    """Return the pixels of stars: those around the peak, and others where light explains what is seen.

    Elsewhere a pixel as bright as the fit would be a ray's neighbor, and what misses the fit by so much a ray's peak.
    """
    ny, nx = pixels.electrons.shape
    spared = np.zeros((ny + 2 * HALF, nx + 2 * HALF), np.bool_)
    seen = windows(pixels.electrons, stars, outside=0.0) - answer.sky[:, None]
    bright = answer.light > settings.single_neighbor_sigma * math.sqrt(pixels.floor)
    own = bright & (seen < answer.light + settings.single_deficit * answer.noise)
    rows = np.arange(-HALF, HALF + 1)
    own |= (np.maximum(np.abs(rows)[:, None], np.abs(rows)) <= 1).ravel()
    star, pixel = np.nonzero(own)
    dy, dx = np.divmod(pixel, rows.size)
    spared[stars.y[star] + dy, stars.x[star] + dx] = True
    return spared[HALF:-HALF, HALF:-HALF]
