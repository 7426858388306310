"""Matching two lists of positions by voting on their offset: no first guess, no bias.

Every pair of sources within the search radius votes for its own offset. The peak is found on a mesh, but its
place is then the mean of the *pairs* in it, so neither the mesh nor the search radius leaves a trace (a mesh built
with one radius and read with another shifts everything by up to a cell).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, IndexPairs

#: Pairs of one search, all rolls together: a wide search is done on the brightest sources.
MAX_PAIRS = 5_000_000

#: A fine mesh is tried up to this many cells from the center.
FINE_CELLS = 400

#: Candidates for pairs that are looked at together.
PAIRS_TOGETHER = 2**18


class Transform(NamedTuple):
    """``b = matrix @ a + shift``."""

    matrix: FloatArray
    shift: FloatArray


@dataclass(frozen=True, eq=False)
class Vote:
    """The outcome of one search: ``b = rotate(a - pivot) + pivot + offset``.

    Parameters
    ----------
    offset : (2,) array
        Best offset, b minus a [arcsec].
    roll : float
        Rotation of a about `pivot` that gave it [rad].
    pivot : (2,) array
        Center of the rotation [arcsec].
    n : int
        Sources of each list that agree (each counted once).
    chance : float
        Probability that an accident does as well anywhere in the search.
    first, second : (n,) int array
        The agreeing pairs.
    histogram : (m, m) int array
        Pairs by offset, for the report.
    extent : float
        Half-side of the histogram [arcsec].
    """

    offset: FloatArray
    roll: float
    pivot: FloatArray
    n: int
    chance: float
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    extent: float = 0.0

    def transform(self) -> Transform:
        """Return ``(matrix, shift)``: ``b = matrix @ a + shift``."""
        matrix = rotation(self.roll)
        return Transform(matrix, self.pivot - matrix @ self.pivot + self.offset)


def rotation(angle: float) -> FloatArray:
    """Return the matrix that turns ``(east, north)`` by `angle` [rad] from north through east."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def poisson_tail(count: int, mean: float) -> float:
    """Return an upper bound of the chance that a Poisson variable of `mean` reaches `count`.

    The first term of the tail times a geometric series; exact to a few per cent where ``count > 2 mean``.
    """
    if count <= 0 or mean >= count:
        return 1.0
    if mean <= 0:
        return 0.0
    log_term = count * math.log(mean) - mean - math.lgamma(count + 1)
    return min(1.0, math.exp(max(log_term, -700.0)) / (1.0 - mean / (count + 1)))


def pairs_between(a: FloatArray, b: FloatArray, radius: float) -> IndexPairs:
    """Return the indices of all pairs with both coordinates within `radius`.

    Parameters
    ----------
    a, b : (n, 2), (m, 2) array
        Positions.
    radius : float
        Half-side of the box.
    """
    blocks = list(pair_blocks(a, b, radius))
    none = np.zeros(0, np.int64)
    return (
        IndexPairs(*(np.concatenate([none, *column]) for column in zip(*blocks, strict=True)))
        if blocks
        else IndexPairs(none, none)
    )


def pair_blocks(a: FloatArray, b: FloatArray, radius: float) -> Iterator[IndexPairs]:
    """Yield the pairs of `pairs_between`, in its order, some at a time: of many lists all would take much memory.

    Parameters
    ----------
    a, b, radius
        As in `pairs_between`.
    """
    order = np.argsort(b[:, 1], kind="stable")
    sorted_y = b[order, 1]
    low = np.searchsorted(sorted_y, a[:, 1] - radius, side="left")
    count = np.searchsorted(sorted_y, a[:, 1] + radius, side="right") - low
    # Blocks end where so many candidates are full.
    block = np.cumsum(count) // PAIRS_TOGETHER
    edges = np.flatnonzero(np.diff(block, prepend=-1, append=-1))
    for begin, end in pairwise(edges.tolist()):
        counts = count[begin:end]
        first = np.repeat(np.arange(begin, end), counts)
        start = np.repeat(low[begin:end] - (np.cumsum(counts) - counts), counts)
        second = order[np.arange(first.size) + start]
        near = np.abs(b[second, 0] - a[first, 0]) <= radius
        yield IndexPairs(first[near].astype(np.int64), second[near].astype(np.int64))


def _unique_count(first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """Count agreeing sources so that a source with many partners counts once."""
    return min(np.unique(first).size, np.unique(second).size)


def _peak(delta: FloatArray, radius: float, cell: float) -> tuple[FloatArray, NDArray[np.int64], float]:
    """Return the offset (a corner between four cells) around which the most pairs lie, the mesh, its half-side."""
    half = math.ceil(radius / cell) + 1
    side = 2 * half
    column = np.floor(delta[:, 0] / cell).astype(np.int64) + half
    row = np.floor(delta[:, 1] / cell).astype(np.int64) + half
    mesh = np.bincount(row * side + column, minlength=side * side).reshape(side, side)
    boxes = mesh[:-1, :-1] + mesh[1:, :-1] + mesh[:-1, 1:] + mesh[1:, 1:]
    top = int(np.argmax(boxes))
    y, x = divmod(top, side - 1)
    return cell * np.array([x + 1.0 - half, y + 1.0 - half]), mesh, half * cell


def _settle(delta: FloatArray, start: FloatArray, window: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Move to the mean of the pairs within `window` until it stands still."""
    center = start
    inside = np.zeros(len(delta), dtype=np.bool_)
    for turn in range(20):
        # The first look takes in all four cells around the corner.
        reach = 1.5 * window if turn == 0 else window
        inside = np.hypot(delta[:, 0] - center[0], delta[:, 1] - center[1]) <= reach
        if not inside.any():
            break
        moved = delta[inside].mean(axis=0)
        if turn and np.allclose(moved, center, rtol=0, atol=1e-9):
            break
        center = moved
    return center, inside


def _background(delta: FloatArray, center: FloatArray, window: float, *, radius: float, density: float) -> float:
    """Return the number of accidental pairs expected within `window` of `center`.

    The largest of three: what two random fields of this `density` of pairs [arcsec**-2] would give, the mean over
    the whole search, and that in a ring around the peak: in a cluster, pairs pile up at small offsets without
    agreeing.
    """
    distance = np.hypot(delta[:, 0] - center[0], delta[:, 1] - center[1])
    outer = min(5.0 * window, 0.9 * radius)
    everywhere = (distance > 2.0 * window).sum() / max(4.0 * radius**2 / window**2 / math.pi - 4.0, 1.0)
    near = 0.0
    if outer > 2.5 * window:
        ring = ((distance > 2.0 * window) & (distance <= outer)).sum()
        near = float(ring) * window**2 / (outer**2 - 4.0 * window**2)
    return max(float(everywhere), near, density * math.pi * window**2)


def _rolls(max_roll: float, lever: float, window: float) -> FloatArray:
    """Return the rolls to try [rad]: none moves a source by more than half a window from the nearest."""
    if max_roll <= 0:
        return np.zeros(1)
    steps = math.ceil(max_roll * lever / window)
    return np.linspace(-max_roll, max_roll, 2 * steps + 1)


class Magnitudes(NamedTuple):
    """Magnitudes of two lists of sources, and the largest difference that a pair may have."""

    first: FloatArray
    second: FloatArray
    tolerance: float


def vote(
    a: FloatArray,
    b: FloatArray,
    *,
    radius: float,
    window: float = 0.15,
    max_roll: float = 0.0,
    mags: Magnitudes | None = None,
) -> Vote | None:
    """Find the offset (and roll) that brings the most sources of `a` onto sources of `b`.

    Parameters
    ----------
    a, b : (n, 2), (m, 2) array
        Positions [arcsec], brightest first.
    radius : float
        Largest offset searched [arcsec].
    window : float
        Pairs this close to the peak agree [arcsec].
    max_roll : float
        Largest roll searched [rad].
    mags : Magnitudes, optional
        Of `a` and `b`; pairs of unknown magnitude are let through.

    Returns
    -------
    vote : Vote or None
        None when no pair lies within the radius.
    """
    if not len(a) or not len(b):
        return None
    pivot = 0.5 * (np.median(a, axis=0) + np.median(b, axis=0))
    lever = float(np.percentile(np.hypot(*(a - np.median(a, axis=0)).T), 90)) if len(a) > 1 else 0.0
    rolls = _rolls(max_roll, max(lever, 1.0), window)
    best: tuple[tuple[int, float], float, FloatArray] | None = None
    a_few, b_few, mags_few = _brightest(a, b, radius, n_rolls=rolls.size, mags=mags)
    for roll in rolls:
        turned = (a_few - pivot) @ rotation(float(roll)).T + pivot
        _, _, delta = _voters(turned, b_few, radius, mags=mags_few)
        if not len(delta):
            continue
        start, _, _ = _peak(delta, radius, window)
        _, inside = _settle(delta, start, window)
        rank = (int(inside.sum()), -abs(float(roll)))
        if best is None or rank > best[0]:
            best = (rank, float(roll), start)
    if best is None:
        return None
    return _finish(a_few, b_few, best[1], pivot=pivot, radius=radius, window=window, n_rolls=rolls.size, mags=mags_few)


def _brightest(
    a: FloatArray,
    b: FloatArray,
    radius: float,
    *,
    n_rolls: int,
    mags: Magnitudes | None,
) -> tuple[FloatArray, FloatArray, Magnitudes | None]:
    """Cut both lists to what a search of this size can afford: the brightest come first."""
    area = max(float(np.prod(np.ptp(b, axis=0) + 2 * radius)), 1.0)
    share = min(1.0, 4.0 * radius * radius / area)
    keep = max(60, int(math.sqrt(MAX_PAIRS / (share * n_rolls))))
    cut = None if mags is None else Magnitudes(mags.first[:keep], mags.second[:keep], mags.tolerance)
    return a[:keep], b[:keep], cut


def _voters(
    a: FloatArray, b: FloatArray, radius: float, *, mags: Magnitudes | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Return the pairs that may vote, and their offsets."""
    first, second = pairs_between(a, b, radius)
    if mags is not None:
        # An unknown magnitude agrees with any.
        fits = ~(np.abs(mags.first[first] - mags.second[second]) > mags.tolerance)
        first, second = first[fits], second[fits]
    return first, second, b[second] - a[first]


def _finish(
    a: FloatArray,
    b: FloatArray,
    roll: float,
    *,
    pivot: FloatArray,
    radius: float,
    window: float,
    n_rolls: int,
    mags: Magnitudes | None,
) -> Vote:
    """Settle on the peak at the best roll and judge it, with the window and with a third of it.

    Few stars among many spurious sources stand out in the small window; stars whose places scatter, by roll or by
    proper motion, in the large one. Two tries double the chance of an accident.
    """
    turned = (a - pivot) @ rotation(roll).T + pivot
    first, second, delta = _voters(turned, b, radius, mags=mags)
    area = max(float(np.prod(np.ptp(np.concatenate([turned, b]), axis=0))), 400.0)
    windows = (window, window / 3.0) if radius <= FINE_CELLS * window / 3.0 else (window,)
    best: Vote | None = None
    for size in windows:
        start, mesh, extent = _peak(delta, radius, size)
        center, inside = _settle(delta, start, size)
        agreeing = _unique_count(first[inside], second[inside])
        expected = _background(delta, center, size, radius=radius, density=len(a) * len(b) / area)
        trials = len(windows) * n_rolls * max(1.0, 4.0 * radius**2 / (math.pi * size**2))
        # The peak was moved to where the pairs are: the first of them only says where to look.
        chance = min(1.0, trials * poisson_tail(agreeing, expected)) if agreeing > 1 else 1.0
        if best is not None and chance >= best.chance:
            continue
        keep = best.histogram if best is not None else mesh
        best = Vote(center, roll, pivot, agreeing, chance, first[inside], second[inside], keep, extent)
    assert best is not None
    if best.histogram.shape[0] > 128:
        return replace(best, histogram=np.zeros((0, 0), dtype=np.int64), extent=0.0)
    return replace(best, extent=0.5 * best.histogram.shape[0] * window)
