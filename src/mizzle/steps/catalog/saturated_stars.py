"""Stars whose cores are saturated in every exposure: they leave holes in the product, where no search finds a peak.

On each chip the saturated pixels of a bright star hang together: a round core, and charge that bled along its column.
The core is where the piece is widest. Its light falls off slowly to both sides, that of a saturated cosmic ray at once.
Its flux is a lower limit: the light around the hole, and for each pixel of the hole as much as saturates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Indices, Mask, Places
from mizzle.kernel.pixels import grow
from mizzle.model import Grid, Mosaic, Runner
from mizzle.stars.pieces import label_pieces
from mizzle.steps.chip_view import ChipView

#: Fewest pixels of a piece: what is smaller leaves no hole.
FEWEST = 3
#: The core is where a piece is at least this share as wide as it is anywhere.
WIDE = 0.5
#: One and two pixels beside the core a star has so much of what saturates a pixel, on both sides.
BESIDE = (0.08, 0.02)
#: Places of two exposures are one star's within this [arcsec], or within the core; another source this near is it.
SAME = 0.3
#: An exposure has a star saturated where a saturated pixel lies within so many of its place.
REACH = 2


@dataclass(frozen=True, eq=False)
class SaturatedStars:
    """Stars without a pixel that tells their light, ``(n,)`` each.

    Parameters
    ----------
    x, y : array
        Positions on the product [0-based pixel]: good to about a pixel of the chip.
    chip : str array
        Chip of the exposure that has most of the core.
    n_exposures : int array
        Exposures that cover the place.
    hole : array
        Area that is saturated in all of them, within the aperture [product pixel].
    full : array
        Least light of a pixel there [count/s at the reference zeropoint, per product pixel].
    """

    x: FloatArray
    y: FloatArray
    chip: NDArray[np.str_]
    n_exposures: NDArray[np.int64]
    hole: FloatArray
    full: FloatArray

    @property
    def cte(self) -> FloatArray:
        """Magnitudes to subtract: unknown, and far less than the star lacks."""
        return np.zeros(self.x.size)

    def at(self, which: Mask) -> SaturatedStars:
        """Return some of them."""
        return SaturatedStars(
            self.x[which], self.y[which], self.chip[which], self.n_exposures[which], self.hole[which], self.full[which]
        )


class _SaturatedCores(NamedTuple):
    """Saturated cores of one chip: place on the product, and half of the width [product pixel]."""

    x: FloatArray
    y: FloatArray
    radius: FloatArray


def find_saturated_stars(
    mosaic: Mosaic, views: Sequence[ChipView], listed: Places, *, aperture: float, runner: Runner
) -> SaturatedStars:
    """Find the stars that are saturated in every exposure that covers them.

    Parameters
    ----------
    mosaic : Mosaic
        The product.
    views : sequence of ChipView
        The chips of its exposures.
    listed : Places
        Saturated stars that are known [0-based pixel of the product].
    aperture : float
        Radius [arcsec].
    runner : Runner
        Threads; by chip.
    """
    cores = runner.map(lambda view: _cores(view, mosaic.grid), views)
    stars = _joined(cores, listed, SAME / mosaic.grid.scale)
    answers = runner.map(lambda view: _on_chip(view, mosaic.grid, stars, aperture=aperture), views)
    nothing = np.zeros(stars.x.size)
    chip = np.full(stars.x.size, "", "U8")
    most, full, hole, whole = nothing.copy(), nothing.copy(), np.full(stars.x.size, np.inf), nothing > 0
    roots = list(dict.fromkeys(view.root for view in views))
    seen = np.zeros((len(roots), stars.x.size), np.bool_)
    for view, answer in zip(views, answers, strict=True):
        seen[roots.index(view.root)] |= answer.covered
        whole |= answer.covered & ~answer.saturated
        hole = np.where(answer.covered, np.minimum(hole, answer.hole), hole)
        full = np.where(answer.covered, np.maximum(full, answer.full), full)
        chip = np.where(answer.covered & (answer.hole > most), view.name, chip)
        most = np.maximum(most, np.where(answer.covered, answer.hole, 0.0))
    every = SaturatedStars(stars.x, stars.y, chip, seen.sum(axis=0), hole, full)
    return every.at(seen.any(axis=0) & ~whole & (chip != ""))


def _cores(view: ChipView, grid: Grid) -> _SaturatedCores:
    """Return the saturated cores of a chip that have a star's wings."""
    saturated = view.saturated()
    rows, columns = np.nonzero(saturated)
    none = np.zeros(0)
    if rows.size < FEWEST:
        return _SaturatedCores(none, none, none)
    label = label_pieces(rows, columns, saturated.shape)
    order = np.argsort(label, kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    bad = view.bad(view.camera.saturated)
    cores = [
        core
        for piece in pieces
        if piece.size >= FEWEST
        for core in _widest(rows[piece], columns[piece])
        if _has_wings(core, view, bad)
    ]
    if not cores:
        return _SaturatedCores(none, none, none)
    x, y, radius = (np.array([getattr(core, key) for core in cores]) for key in ("x", "y", "radius"))
    places = grid.sky_to_pixel(*view.frame.pixel_to_sky(x, y))
    return _SaturatedCores(places.x, places.y, radius * view.side / grid.scale)


class _SaturatedCore(NamedTuple):
    """Middle of a saturated core on its chip [0-based pixel], half of its width, and its ends along the middle row."""

    x: float
    y: float
    radius: float
    first: int
    last: int


def _widest(rows: Indices, columns: Indices) -> list[_SaturatedCore]:
    """Return the places where one piece of saturated pixels is widest: a star's core each, above what bled."""
    bottom = int(rows.min())
    width = np.bincount(rows - bottom)
    left = width.copy()
    cores: list[_SaturatedCore] = []
    while left.max() >= max(FEWEST, WIDE * width.max()) or not cores:
        top = int(left.argmax())
        wide = left >= WIDE * left[top]
        low = top - int(np.argmin(np.append(wide[top::-1], False))) + 1
        high = top + int(np.argmin(np.append(wide[top:], False))) - 1
        within = (rows >= bottom + low) & (rows <= bottom + high)
        x, y = float(columns[within].mean()), float(rows[within].mean())
        middle = columns[rows == round(y)]
        if middle.size:
            cores.append(_SaturatedCore(x, y, 0.5 * float(left[top]), int(middle.min()), int(middle.max())))
        reach = int(left[top])
        left[max(low - reach, 0) : high + reach + 1] = 0
    return cores


def _has_wings(core: _SaturatedCore, view: ChipView, bad: Mask) -> bool:
    """Return whether light falls off to both sides as a star's does."""
    row, chip = round(core.y), view.chip
    known = 0
    for outward, end in ((-1, core.first), (1, core.last)):
        places = end + outward * np.arange(1, len(BESIDE) + 1)
        if places.min() < 0 or places.max() >= chip.shape[1] or bad[row, places].any():
            continue
        if (chip.sci[row, places] - view.sky < np.array(BESIDE) * view.camera.full_well).any():
            return False
        known += 1
    return known > 0


def _joined(cores: Sequence[_SaturatedCores], listed: Places, near: float) -> Places:
    """Return one place for each star that is not listed: the mean of its exposures' places, the widest cores first."""
    x, y, radius = (np.concatenate(column) for column in zip(*cores, strict=True))
    left = np.argsort(-radius, kind="stable")
    for known in zip(*listed, strict=True):
        left = left[np.hypot(x[left] - known[0], y[left] - known[1]) > np.maximum(near, radius[left])]
    stars: list[tuple[float, float]] = []
    while left.size:
        first = left[0]
        same = np.hypot(x[left] - x[first], y[left] - y[first]) <= max(near, radius[first])
        stars.append((float(x[left[same]].mean()), float(y[left[same]].mean())))
        left = left[~same]
    return Places(*np.array(stars, dtype=np.float64).reshape(-1, 2).T)


class _Coverage(NamedTuple):
    """What one chip says of places, ``(n,)`` each; see `SaturatedStars`."""

    covered: Mask
    saturated: Mask
    hole: FloatArray
    full: FloatArray


def _on_chip(view: ChipView, grid: Grid, stars: Places, *, aperture: float) -> _Coverage:
    """Tell which places a chip covers, where it is saturated, and how much."""
    covered, saturated = (np.zeros(stars.x.size, np.bool_) for _ in range(2))
    hole, full = (np.zeros(stars.x.size) for _ in range(2))
    if not stars.x.size:
        return _Coverage(covered, saturated, hole, full)
    x, y = view.frame.sky_to_pixel(*grid.pixel_to_sky(*stars))
    column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    ny, nx = view.chip.shape
    inside = np.flatnonzero((column >= 0) & (column < nx) & (row >= 0) & (row < ny))
    mask = view.saturated()
    lost = view.bad(view.camera.saturated)
    covered[inside] = ~lost[row[inside], column[inside]]
    saturated[inside] = grow(mask, REACH)[row[inside], column[inside]]
    reach = aperture / view.side
    pixel = (view.side / grid.scale) ** 2
    for n in inside.tolist():
        hole[n] = pixel * _count_within(mask, x[n], y[n], reach=reach)
    full[:] = view.brightness * view.camera.full_well * grid.scale**2
    return _Coverage(covered, saturated, hole, full)


def _count_within(mask: Mask, x: float, y: float, *, reach: float) -> int:
    """Return how many pixels of a mask lie within a circle."""
    low, high = (
        np.maximum(np.floor(np.array([y, x]) - reach), 0).astype(int),
        np.ceil(np.array([y, x]) + reach + 1).astype(int),
    )
    box = mask[low[0] : high[0], low[1] : high[1]]
    v, u = np.nonzero(box)
    return int(np.count_nonzero(np.hypot(u + low[1] - x, v + low[0] - y) <= reach))
