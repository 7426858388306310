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

from mizzle.arrays import FloatArray
from mizzle.model import Finding, Runner, Verdict
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
    ra, dec = _shared(runner.map(_stars, views), [view.root for view in views])
    if not ra.size:
        return ()
    looks = runner.map(lambda view: _cores(view, ra, dec), views)
    cores = _Cores(*(np.array([getattr(look, key) for look in looks]) for key in ("rate", "error", "spread")))
    shown = _shown(cores, [view.root for view in views])
    if len(shown) > max(NAMED, TOO_MANY * ra.size):
        return ()
    return _findings(shown, ra, dec)


def _stars(view: ChipView) -> StarPlaces:
    """Return where on the sky a chip has peaks with the wings of stars, flagged as rays or not."""
    bad, scale = view.bad(), view.chip.frame.scale
    row, column = bright_peaks(view.chip.sci, bad, scale, least=PEAK, most=MOST)
    real = have_wings(view.chip.sci, bad, row=row, column=column, scale=scale)
    real &= ~view.near_saturated(HALO)[row, column]
    return StarPlaces(*view.frame.pixel_to_sky(column[real].astype(np.float64), row[real].astype(np.float64)))


def _shared(parts: Sequence[StarPlaces], roots: Sequence[str]) -> StarPlaces:
    """Return the places where two exposures or more have a star."""
    ra, dec = (np.concatenate([part[axis] for part in parts]) for axis in (0, 1))
    if not ra.size:
        return StarPlaces(ra, dec)
    owner = np.repeat(np.unique(roots, return_inverse=True)[1], [part.ra.size for part in parts])
    flat = np.cos(np.deg2rad(float(np.median(dec))))
    pairs = close_pairs(3600.0 * flat * (ra - ra[0]), 3600.0 * (dec - dec[0]), NEAR)
    other = owner[pairs.first] != owner[pairs.second]
    first, second = (np.sort([pairs.first[other], pairs.second[other]], axis=0)).reshape(2, -1)
    kept = np.setdiff1d(first, second)
    return StarPlaces(ra[kept], dec[kept])


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
    values = view.chip.sci[row[:, None] + v, column[:, None] + u].astype(np.float64)
    bad = view.bad()[row[:, None] + v, column[:, None] + u]
    core, distance = (np.abs(v) <= 1) & (np.abs(u) <= 1), np.hypot(u, v)
    ring = (distance >= _RING[0]) & (distance <= _RING[1])
    around = np.where(bad[:, ring], np.nan, values[:, ring])
    known = ~bad[:, core].any(axis=1) & (np.isfinite(around).sum(axis=1) > 0.5 * np.count_nonzero(ring))
    where, values, around = where[known], values[known], around[known]
    sky = np.nanmedian(around, axis=1)
    scatter = 1.4826 * np.nanmedian(np.abs(around - sky[:, None]), axis=1)
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
