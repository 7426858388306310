"""Sources that some exposures show and others of the same place do not: a supernova, a fast star, a planet's moon.

A mean of such exposures is no magnitude of anything, and where fewer than half of the exposures show the source, the
search for rays takes it away. A single exposure's source cannot be told from a ray that looks like a star: two have to
show it, with a star's wings on all sides, whatever was flagged there. Rays only ever add light; but a lost pixel takes
some, so that two have to show nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Indices, Mask
from mizzle.instrument.dq import bad_pixels
from mizzle.model import Finding, Runner, Verdict
from mizzle.row_medians import row_medians
from mizzle.stars.neighbors import close_pairs
from mizzle.stars.wings import bright_peaks, have_wings
from mizzle.steps.chip_view import ChipView
from mizzle.steps.verify.stars import lit_positions

#: A source stands out by so many sigma where it shows, and by so many above what is there where it does not.
SIGMAS = 10.0
#: It does not show below this share of its light, and shows between these times it.
ABSENT, PRESENT = 0.2, (0.5, 2.0)
#: Light outside the brightest of the nine pixels of a star's core, at least: hot pixels, and most rays, have less.
SPREAD = 0.3
#: Peaks that may have the wings of stars [count], so many of a chip, and how near to each other two exposures see the
#: same [arcsec].
PEAK, MOST, NEAR = 30.0, 500, 0.12
#: So many of a chip's brightest peaks tell what wings are usual.
TELLING = 60
#: Within this of saturated pixels rays have a halo around them, and look like stars [arcsec].
HALO = 1.5
#: A ring of sky about the core [pixel].
_RING = (4, 6)
#: Sources that are named.
NAMED = 5
#: Sources beyond this share of all are no transients: exposures do not see the same sky.
TOO_MANY = 0.05
PART = "cosmic rays"


class StarPlaces(NamedTuple):
    """Places on the sky [deg], ``(n,)`` each."""

    ra: FloatArray
    dec: FloatArray


class _ListedPeaks(NamedTuple):
    """Bright peaks of one chip: pixels, and where on the sky."""

    view: ChipView
    row: Indices
    column: Indices
    places: StarPlaces


class _SharedPlaces(NamedTuple):
    """Places that two exposures or more have, and how many have each."""

    places: StarPlaces
    seen: Indices


@dataclass(frozen=True, eq=False)
class _Cores:
    """Light of sources in the nine pixels of their cores, on each chip of each exposure; NaN where it is not known.

    Parameters
    ----------
    rate, error : (n_views, n) array
        Equalized count/s; the error is that of no source.
    spread : (n_views, n) bool array
        More than a single pixel is bright.
    """

    rate: FloatArray
    error: FloatArray
    spread: NDArray[np.bool_]


def transient_findings(views: Sequence[ChipView], *, runner: Runner) -> tuple[Finding, ...]:
    """Say which sources two exposures or more show, and two or more do not.

    Parameters
    ----------
    views : sequence of ChipView
        Every chip of every exposure of one filter, aligned.
    runner : Runner
        Where chips are looked at.
    """
    if len({view.root for view in views}) < 4:
        return ()
    roots = [view.root for view in views]
    peaks = runner.map(_peaks, views)
    places = [part.places for part in peaks]
    every, seen = _shared(places, roots)
    # What all exposures show, or all but one, is no transient: wings and light are asked of the rest alone.
    some = StarPlaces(*(axis[seen <= len(set(roots)) - 2] for axis in every))
    if not some.ra.size:
        return ()
    asked = _near(places, some)
    stars = runner.map(lambda pair: _stars(*pair), list(zip(peaks, asked, strict=True)))
    ra, dec = _shared(stars, roots).places
    if not ra.size:
        return ()
    looks = runner.map(lambda view: _cores(view, ra, dec), views)
    cores = _Cores(*(np.array([getattr(look, key) for look in looks]) for key in ("rate", "error", "spread")))
    shown = _shown(cores, roots)
    if len(shown) > max(NAMED, TOO_MANY * every.ra.size):
        return ()
    return _findings(shown, ra, dec)


def _peaks(view: ChipView) -> _ListedPeaks:
    """Return where a chip has bright peaks, the brightest first, flagged as rays or not."""
    row, column = bright_peaks(view.chip.sci, view.bad(), view.chip.frame.scale, least=PEAK, most=MOST)
    places = StarPlaces(*view.frame.pixel_to_sky(column.astype(np.float64), row.astype(np.float64)))
    return _ListedPeaks(view, row, column, places)


def _stars(peaks: _ListedPeaks, asked: Mask) -> StarPlaces:
    """Return the places of those peaks that have the wings of stars; bright ones tell what wings are usual."""
    if not asked.any():
        return StarPlaces(np.zeros(0), np.zeros(0))
    view = peaks.view
    looked = asked | (np.arange(asked.size) < TELLING)
    row, column = peaks.row[looked], peaks.column[looked]
    real = have_wings(view.chip.sci, view.bad(), row=row, column=column, scale=view.chip.frame.scale)
    real &= asked[looked]
    if real.any():
        real &= ~view.near_saturated(HALO)[row, column]
    return StarPlaces(*(axis[looked][real] for axis in peaks.places))


def _flat(places: StarPlaces, about: StarPlaces) -> StarPlaces:
    """Return places in a plane [arcsec], close enough for neighbors, about the first of others."""
    shrink = np.cos(np.deg2rad(float(np.median(about.dec))))
    return StarPlaces(3600.0 * shrink * (places.ra - about.ra[0]), 3600.0 * (places.dec - about.dec[0]))


def _joined(parts: Sequence[StarPlaces]) -> StarPlaces:
    return StarPlaces(*(np.concatenate([part[axis] for part in parts]) for axis in (0, 1)))


def _shared(parts: Sequence[StarPlaces], roots: Sequence[str]) -> _SharedPlaces:
    """Return the places where two exposures or more have a peak, and how many have."""
    every = _joined(parts)
    if not every.ra.size:
        return _SharedPlaces(every, np.zeros(0, np.intp))
    owner = np.repeat(np.unique(roots, return_inverse=True)[1], [part.ra.size for part in parts])
    pairs = close_pairs(*_flat(every, every), NEAR)
    other = owner[pairs.first] != owner[pairs.second]
    first, second = (np.sort([pairs.first[other], pairs.second[other]], axis=0)).reshape(2, -1)
    kept = np.setdiff1d(first, second)
    seen = 1 + np.bincount(np.unique(np.stack([first, owner[second]]), axis=1)[0], minlength=every.ra.size)
    return _SharedPlaces(StarPlaces(every.ra[kept], every.dec[kept]), seen[kept])


def _near(parts: Sequence[StarPlaces], some: StarPlaces) -> list[Mask]:
    """Return which places of each part lie at one of some others."""
    every, number = _joined(parts), some.ra.size
    pairs = close_pairs(*_flat(_joined([some, every]), some), NEAR)
    low, high = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    near = np.zeros(number + every.ra.size, np.bool_)
    near[high[low < number]] = True
    return np.split(near[number:], np.cumsum([part.ra.size for part in parts])[:-1])


def _cores(view: ChipView, ra: FloatArray, dec: FloatArray) -> _Cores:
    """Add up the nine pixels around each source, the sky of a ring taken off, rays left in."""
    x, y, lit = lit_positions(view, ra, dec, margin_arcsec=0.0)
    ny, nx = view.chip.shape
    edge = _RING[1] + 1
    where = np.flatnonzero(lit & (x > edge) & (y > edge) & (x < nx - 1 - edge) & (y < ny - 1 - edge))
    rate, error = np.full(ra.size, np.nan), np.full(ra.size, np.nan)
    spread = np.zeros(ra.size, np.bool_)
    if not where.size:
        return _Cores(rate, error, spread)
    row, column = np.rint(y[where]).astype(np.intp), np.rint(x[where]).astype(np.intp)
    v, u = (grid.ravel() for grid in np.mgrid[-edge + 1 : edge, -edge + 1 : edge])
    window = row[:, None] + v, column[:, None] + u
    values = view.chip.sci[window]
    bad = bad_pixels(values, view.chip.dq[window], view.good)
    core, distance = (np.abs(v) <= 1) & (np.abs(u) <= 1), np.hypot(u, v)
    ring = (distance >= _RING[0]) & (distance <= _RING[1])
    known = ~bad[:, core].any(axis=1) & (np.mean(bad[:, ring], axis=1) < 0.5)
    where, values, bad = where[known], values[known].astype(np.float64), bad[known]
    around = np.where(bad[:, ring], np.nan, values[:, ring])
    sky = row_medians(around)
    scatter = 1.4826 * row_medians(np.abs(around - sky[:, None]))
    light = values[:, core] - sky[:, None]
    total = light.sum(axis=1)
    v0, v1 = view.noise.coefficients()
    pixel = np.maximum(scatter, np.sqrt(v0 + v1 * np.maximum(sky, 0.0)))
    rate[where], error[where] = total * view.rate, np.sqrt(9.0 + 81.0 / np.count_nonzero(ring)) * pixel * view.rate
    spread[where] = total - light.max(axis=1) > SPREAD * total
    return _Cores(rate, error, spread)


@dataclass(frozen=True, eq=False)
class _Shown:
    """A source, its light, and the exposures that show it and that do not."""

    index: int
    rate: float
    present: tuple[str, ...]
    absent: tuple[str, ...]


def _shown(cores: _Cores, roots: Sequence[str]) -> list[_Shown]:
    """Return the sources that two exposures or more show, and two or more do not."""
    rate, error = cores.rate, cores.error
    bright = np.isfinite(rate) & (rate > SIGMAS * error) & cores.spread
    # The second brightest: a ray may have fallen on the brightest.
    level = np.sort(np.where(bright, rate, 0.0), axis=0)[-2]
    shows = bright & (rate > PRESENT[0] * level) & (rate < PRESENT[1] * level)
    lacks = np.isfinite(rate) & (np.abs(rate) < ABSENT * level) & (level - rate > SIGMAS * error) & (level > 0)
    answer = []
    for k in np.flatnonzero(lacks.any(axis=0)):
        present = tuple(dict.fromkeys(root for root, here in zip(roots, shows[:, k], strict=True) if here))
        absent = tuple(dict.fromkeys(root for root, here in zip(roots, lacks[:, k], strict=True) if here))
        # Two chips of one exposure do not see one place.
        if min(len(present), len(absent)) > 1 and not set(present) & set(absent):
            answer.append(_Shown(int(k), float(level[k]), present, absent))
    return sorted(answer, key=lambda source: -source.rate)


def _findings(shown: Sequence[_Shown], ra: FloatArray, dec: FloatArray) -> tuple[Finding, ...]:
    """Put them into words, the brightest first."""
    if not shown:
        return ()
    words = [
        f"RA {ra[s.index]:.5f}, Dec {dec[s.index]:+.5f} (in {_some(s.present)}; not in {_some(s.absent)})"
        for s in shown[:NAMED]
    ]
    rest = f"; and {len(shown) - NAMED} more" if len(shown) > NAMED else ""
    text = (
        f"stars that some exposures show and others do not: {'; '.join(words)}{rest}: a supernova or another transient,"
        " a star that moves fast, or light left on the detector; image and catalog hold a part of their light, or none:"
        " to measure them, leave the other exposures out (--drop)"
    )
    return (Finding(PART, Verdict.WARN, text),)


def _some(roots: Sequence[str]) -> str:
    return ", ".join(roots[:3]) + (f" and {len(roots) - 3} more" if len(roots) > 3 else "")
