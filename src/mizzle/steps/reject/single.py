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
from mizzle.psf.light import (
    HALF,
    REACH,
    Explained,
    LightFit,
    PeakPixels,
    explain_peaks,
    light_templates,
    typical_sky,
    windows,
)
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.hit_stars import find_hit_stars
from mizzle.steps.reject.track_mates import find_track_mates

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
#: A peak is faint below so many sigma of the sky: noise, not the star image's own error, decides what light explains.
FAINT = 100.0
#: Of peaks above so many sigma those are counted as rays whose faintest neighbor holds less than this share of them.
COUNTED, DARK = 40.0, 0.05
#: Stars per pixel: where there are no more, what lies beside a ray is a piece of it.
SPARSE = 1e-3


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
    pixels: SinglePixels,
    settings: RejectSettings,
    *,
    laplacian: bool = True,
    wanted: Mask | None = None,
    lone: Mask | None = None,
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
    lone : (ny, nx) bool array, optional
        Where no other exposure knows a pixel: only there faint peaks are judged by the odds of stars and rays.

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
    ratio = _stars_to_rays(pixels, peaks)
    stars = peaks.y.size * ratio / (1.0 + ratio)
    if wanted is not None:
        reach = rule.track + rule.grow + 2 * (HALF + REACH)
        peaks = _some(peaks, grow(wanted, reach)[peaks.y, peaks.x])
    fit = _light_fit(pixels, settings)
    judged = judge_peaks(pixels, peaks, fit, settings=settings)
    sharp = SharpRule(rule.floor, rule.sigma, rule.neighbor_sigma, settings.single_contrast)
    track = find_sharp(pixels.electrons, pixels.bad, sharp) if laplacian else None

    hit = np.divmod(np.flatnonzero(judged.hit), pixels.bad.shape[1])

    def followed(is_ray: Mask) -> Mask:
        freed = _squares(peaks, is_ray & ~judged.is_ray, shape=pixels.bad.shape)
        if freed.any():
            freed &= ~_squares(peaks, ~is_ray, shape=pixels.bad.shape)
        y, x = (np.concatenate([at[is_ray], more]) for at, more in zip((peaks.y, peaks.x), hit, strict=True))
        rays = Peaks(y, x, np.zeros(y.size))
        return follow_rays(pixels.electrons, pixels.bad, rays, judged.spared & ~freed, rule, track=track)

    faint = _faint(pixels, peaks) & (judged.misfit <= fit.limit)
    if lone is not None:
        faint &= lone[peaks.y, peaks.x]
    likely = settings.single_faint_deficit**2 + _odds(ratio)
    is_ray = judged.is_ray | (faint & (judged.misfit > likely))
    mask = followed(is_ray)
    strict = settings.single_beside**2 + _odds(stars / (SPARSE * pixels.bad.size))
    beside = fit._replace(limit=min(strict, likely))
    mates = faint & find_track_mates(pixels, mask, peaks, scale=pixels.scale, fit=beside)
    return followed(is_ray | mates) if mates.any() else mask


def _odds(ratio: float) -> float:
    """Return what odds of `ratio` to one for a star add to a limit of chi-square: a log-likelihood is half of that."""
    return 2.0 * math.log(max(ratio, 1.0))


def _stars_to_rays(pixels: SinglePixels, peaks: Peaks) -> float:
    """Return how many stars a chip has for one ray, roughly: the optics leave none of a star's neighbors dark."""
    height = pixels.electrons[peaks.y, peaks.x] - peaks.sky
    bright = np.flatnonzero(height > COUNTED * np.sqrt(np.maximum(peaks.sky, 0.0) + pixels.floor))
    around = windows(np.where(pixels.bad, np.float32(np.inf), pixels.electrons), _some(peaks, bright), outside=np.inf)
    side, middle = 2 * HALF + 1, around.shape[1] // 2
    nearest = around[:, [middle - side, middle - 1, middle + 1, middle + side]].min(axis=1, initial=np.inf)
    rays = int(np.count_nonzero(nearest - peaks.sky[bright] < DARK * height[bright]))
    return (bright.size - rays) / max(rays, 1)


def _squares(peaks: Peaks, which: Mask, *, shape: tuple[int, ...]) -> Mask:
    """Return the 3 x 3 pixels around some peaks."""
    mask = np.zeros(shape, np.bool_)
    mask[peaks.y[which], peaks.x[which]] = True
    return grow(mask, 1)


def _faint(pixels: SinglePixels, peaks: Peaks) -> Mask:
    """Return which peaks are faint."""
    noise = np.sqrt(np.maximum(peaks.sky, 0.0) + pixels.floor)
    return np.asarray(pixels.electrons[peaks.y, peaks.x] - peaks.sky < FAINT * noise)


def _light_fit(pixels: SinglePixels, settings: RejectSettings) -> LightFit:
    light = settings.single_light - (0.0 if pixels.star.peak_share > UNDERSAMPLED else FINER)
    return LightFit(
        templates=light_templates(pixels.star, max(light, 0.0)),
        doubt=settings.single_tolerance,
        limit=settings.single_deficit**2,
        darkest=typical_sky(pixels, DARKEST_SHARE if pixels.fine else 0.5),
    )


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
    """The answer of `judge_peaks`; a star that a ray hit keeps the chi-square of both."""

    is_ray: Mask
    spared: Mask
    hit: Mask
    misfit: FloatArray


def judge_peaks(pixels: SinglePixels, peaks: Peaks, fit: LightFit, *, settings: RejectSettings) -> JudgedPeaks:
    """Sort peaks into cosmic rays and light; a ray is hidden from its neighbors before they are judged by themselves.

    Parameters
    ----------
    pixels, peaks, fit : SinglePixels, Peaks, LightFit
        The chip, its peaks, and what light may be.
    settings : RejectSettings
        What belongs to a star.

    Returns
    -------
    is_ray : (n,) bool array
        For each peak.
    spared : (ny, nx) bool array
        Pixels of the others: the 3 x 3 around, and what their fitted light explains.
    hit : (ny, nx) bool array
        Of the others: pixels that rays took.
    misfit : (n,) array
        Chi-square of what light does not explain of each peak.
    """
    n, count = len(peaks.y), fit.templates.shape[1]
    is_ray, hidden, open_ones = np.zeros(n, np.bool_), pixels.bad.copy(), np.arange(n)
    misfit, fitted, noise = np.zeros(n), np.zeros((n, count)), np.ones((n, count))
    sky = np.zeros(n)
    for number in range(ROUNDS):
        some = _some(peaks, open_ones)
        answer = explain_peaks(pixels, hidden, some, fit=fit)
        misfit[open_ones], fitted[open_ones], noise[open_ones] = answer.misfit, answer.light, answer.noise
        sky[open_ones] = answer.sky
        guilty = open_ones[answer.misfit > fit.limit]
        if number < ROUNDS - 1:
            guilty = guilty[_worst(peaks.y[guilty], peaks.x[guilty], misfit[guilty])]
        if not guilty.size:
            break
        is_ray[guilty] = True
        _hide(pixels, _some(peaks, guilty), sky[guilty], hidden=hidden, sigma=settings.single_neighbor_sigma)
        open_ones = np.flatnonzero(~is_ray & _near(peaks, guilty))
    hit = find_hit_stars(pixels, hidden, _some(peaks, is_ray), scale=pixels.scale, fit=fit)
    stars = ~is_ray
    is_ray[np.flatnonzero(is_ray)[hit.peak]] = False
    answer = Explained(misfit[stars], fitted[stars], noise[stars], sky[stars])
    spared = _spared(pixels, _some(peaks, stars), answer, settings=settings)
    taken = hit.pixels.copy()
    taken[peaks.y[stars], peaks.x[stars]] = False  # a star beside the one that was hit
    spared |= _spared(pixels, hit.place, hit.light, settings=settings)
    return JudgedPeaks(is_ray, spared & ~taken, taken, misfit)


def _some(peaks: Peaks, which: NDArray[np.generic]) -> Peaks:
    return Peaks(peaks.y[which], peaks.x[which], peaks.sky[which])


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
