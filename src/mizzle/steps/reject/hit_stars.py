"""Stars hit by a cosmic ray in a single exposure: what the ray took is flagged, the rest of the star is kept.

A star under a ray fails the test of `mizzle.steps.reject.single` as a ray alone does. What tells them apart lies
outside the pixels that were judged: a star has wings on all sides. So does a star whose core the optics distort, at the
edge of a field, more than the star image knows. Of these the pixels are given up one by one, at every step that
without which light explains the others best, until it explains what is left.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Mask
from mizzle.kernel.pixels import grow
from mizzle.kernel.single import Peaks
from mizzle.psf.light import HALF, Explained, LightFit, PeakPixels, explain_windows, windows
from mizzle.stars.wings import measure_wings

#: Pixels of a star that a ray may take; a star that lost more is lost.
MOST_HIT = 9
#: What a ray took is among so many of the brightest pixels.
CANDIDATES = 6
#: So many sigma do the wings stand out on their faintest side; for them to be looked for, the border of the judged
#: window should stand out by half as many on each side.
WINGS_SIGMA = 3.0


class HitStars(NamedTuple):
    """Stars among the peaks that light does not explain.

    Parameters
    ----------
    peak : (k,) int array
        Which of the peaks.
    place : Peaks
        The stars' own brightest pixels: a ray beside may be brighter.
    light : Explained
        What light explains of their windows without the pixels that were given up.
    pixels : (ny, nx) bool array
        Those pixels.
    """

    peak: NDArray[np.intp]
    place: Peaks
    light: Explained
    pixels: Mask


def find_hit_stars(pixels: PeakPixels, hidden: Mask, peaks: Peaks, *, scale: float, fit: LightFit) -> HitStars:
    """Find stars among peaks that light alone did not make, and their pixels that it did not fill.

    Parameters
    ----------
    pixels : PeakPixels
        The chip.
    hidden : (ny, nx) bool array
        Pixels that say nothing: bad ones, and the rays.
    peaks : Peaks
        Which light does not explain.
    scale : float
        Side of a pixel [arcsec].
    fit : LightFit
        What light may be.

    Returns
    -------
    stars : HitStars
        In the order of the peaks.
    """
    star, near = _with_wings(pixels, hidden, peaks, scale=scale, darkest=fit.darkest)
    bad = windows(pixels.bad, near, outside=True)
    off, answer = _give_up(pixels, bad, near, rays=_rays_beside(hidden, _some(peaks, star), near), fit=fit)
    taken = off & ~bad & (answer.misfit <= fit.limit)[:, None] & _exceed_light(pixels, near, answer, fit=fit)
    kept = (answer.misfit <= fit.limit) & _outshine_rays(pixels, off, near, answer=answer)
    light = Explained(*(part[kept] for part in answer))
    return HitStars(star[kept], _some(near, kept), light, _marked(pixels, near, taken))


class _RaysBeside(NamedTuple):
    """Pixels of windows that rays beside the peaks took, and those with the pixels around them."""

    taken: Mask
    around: Mask


def _rays_beside(hidden: Mask, peaks: Peaks, near: Peaks) -> _RaysBeside:
    """Return the pixels of windows that rays beside the peaks took, and those with the pixels around them.

    Not those that are hidden because the peak itself may be a ray: they are what tells.
    """
    steps = np.arange(-HALF, HALF + 1)
    rows, columns = (np.abs(steps - step[:, None]) for step in (peaks.y - near.y, peaks.x - near.x))
    away = np.maximum(rows[:, :, None], columns[:, None, :]).reshape(-1, steps.size**2)
    taken, around = (windows(mask, near, outside=False) for mask in (hidden, grow(hidden, 1)))
    return _RaysBeside(taken & (away > 1), around & (away > 2))


def _give_up(
    pixels: PeakPixels, bad: Mask, peaks: Peaks, *, rays: _RaysBeside, fit: LightFit
) -> tuple[Mask, Explained]:
    """Give up pixels of each window: what rays beside it took, or else, at every step, that which helps most.

    That is the pixel without which light explains the others best.
    """
    off, answer = bad.copy(), explain_windows(pixels, bad, peaks, fit=fit)
    for beside in rays:
        some = np.flatnonzero((answer.misfit > fit.limit) & beside.any(axis=1))
        without = explain_windows(pixels, bad[some] | beside[some], _some(peaks, some), fit=fit)
        fits = without.misfit <= fit.limit
        off[some[fits]] |= beside[some[fits]]
        for part, explained in zip(answer, without, strict=True):
            part[some[fits]] = explained[fits]
    seen = windows(pixels.electrons, peaks, outside=-np.inf)
    for _ in range(MOST_HIT):
        some = np.flatnonzero(answer.misfit > fit.limit)
        if not some.size:
            break
        order = np.argsort(np.where(off[some], -np.inf, seen[some]), axis=1)[:, : -CANDIDATES - 1 : -1]
        tried = np.repeat(off[some], CANDIDATES, axis=0)
        tried[np.arange(order.size), order.ravel()] = True
        every = explain_windows(pixels, tried, _some(peaks, np.repeat(some, CANDIDATES)), fit=fit)
        best = every.misfit.reshape(order.shape).argmin(axis=1) + CANDIDATES * np.arange(some.size)
        off[some] = tried[best]
        for part, better in zip(answer, every, strict=True):
            part[some] = better[best]
    return off, answer


def _marked(pixels: PeakPixels, peaks: Peaks, taken: Mask) -> Mask:
    """Return the pixels of windows on their chip."""
    mask = np.zeros(pixels.electrons.shape, np.bool_)
    star, pixel = np.nonzero(taken)
    dy, dx = np.divmod(pixel, 2 * HALF + 1)
    mask[peaks.y[star] + dy - HALF, peaks.x[star] + dx - HALF] = True
    return mask


def _some(peaks: Peaks, which: NDArray[np.generic]) -> Peaks:
    return Peaks(peaks.y[which], peaks.x[which], peaks.sky[which])


def _exceed_light(pixels: PeakPixels, peaks: Peaks, answer: Explained, *, fit: LightFit) -> Mask:
    """Return the pixels of windows that are brighter than light explains: a ray only adds.

    Without a star's brightest pixel light explains any others better, and many a ray was sought there that lay beside.
    """
    seen = windows(pixels.electrons, peaks, outside=0.0) - answer.sky[:, None]
    return np.asarray(seen - answer.light > math.sqrt(fit.limit) * answer.noise)


def _outshine_rays(pixels: PeakPixels, off: Mask, peaks: Peaks, *, answer: Explained) -> Mask:
    """Return where the light that is left exceeds what the pixels that were given up hold beside light.

    Less may be the ray's rim.
    """
    left = np.where(off, 0.0, np.maximum(answer.light, 0.0))
    seen = windows(pixels.electrons, peaks, outside=0.0) - answer.sky[:, None]
    taken = np.where(off, seen - answer.light, 0.0)
    return np.asarray(left.sum(axis=1) > taken.sum(axis=1))


def _with_wings(
    pixels: PeakPixels, hidden: Mask, peaks: Peaks, *, scale: float, darkest: float
) -> tuple[NDArray[np.intp], Peaks]:
    """Return which peaks have wings around them, or around their brightest neighbor, and which pixel that is."""
    beside = _brightest_neighbor(pixels, peaks)
    both = Peaks(*(np.concatenate(pair) for pair in zip(peaks, beside, strict=True)))
    some = np.flatnonzero(_stand_on_light(pixels, hidden, both, darkest=darkest))
    wings = measure_wings(
        pixels.electrons, hidden, row=both.y[some], column=both.x[some], scale=scale, sigma=math.sqrt(pixels.floor)
    )
    clear = np.zeros(both.y.size)
    clear[some] = wings.least / np.maximum(wings.noise, 1e-9)
    own, other = clear.reshape(2, -1)
    star = np.flatnonzero(np.maximum(own, other) > WINGS_SIGMA)
    return star, _some(both, star + np.where(other > own, peaks.y.size, 0)[star])


def _brightest_neighbor(pixels: PeakPixels, peaks: Peaks) -> Peaks:
    """Return the brightest of the eight pixels around each peak."""
    seen = windows(np.where(pixels.bad, np.float32(-np.inf), pixels.electrons), peaks, outside=-np.inf)
    side = 2 * HALF + 1
    around = seen.reshape(-1, side, side)[:, HALF - 1 : HALF + 2, HALF - 1 : HALF + 2].reshape(-1, 9).copy()
    around[:, 4] = -np.inf
    dy, dx = np.divmod(around.argmax(axis=1), 3)
    ny, nx = pixels.electrons.shape
    return Peaks(np.clip(peaks.y + dy - 1, 0, ny - 1), np.clip(peaks.x + dx - 1, 0, nx - 1), peaks.sky)


def _stand_on_light(pixels: PeakPixels, hidden: Mask, peaks: Peaks, *, darkest: float) -> Mask:
    """Return the peaks whose windows are bright along all four sides: most rays need no closer look."""
    seen = windows(pixels.electrons, peaks, outside=np.nan)
    seen[windows(hidden, peaks, outside=True)] = np.nan
    steps = np.arange(-HALF, HALF + 1)
    row, column = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    bright, sky = np.ones(peaks.y.size, np.bool_), np.minimum(peaks.sky, darkest)
    for side in (row == -HALF, row == HALF, column == -HALF, column == HALF):
        light = seen[:, side] - sky[:, None]
        count = np.isfinite(light).sum(axis=1)
        mean = np.nansum(light, axis=1) / np.maximum(count, 1)
        noise = np.sqrt((np.maximum(sky, 0.0) + pixels.floor) / np.maximum(count, 1))
        bright &= (count == 0) | (mean > 0.5 * WINGS_SIGMA * noise)
    return bright
