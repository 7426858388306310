"""Pixels that a comparison leaves alone: all who could judge them were hit by a cosmic ray themselves.

Where two exposures know a place and rays hit it in both, the reference is the lower ray: the higher one stands above it
and is found, the lower one is what was expected. With the higher one flagged nobody knows the place but the exposure
that has the lower one, and the method for single exposures decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from mizzle.arrays import FloatArray, Indices
from mizzle.kernel import ChipMap
from mizzle.kernel.maps import InverseMap
from mizzle.kernel.pixels import grow
from mizzle.model import Runner
from mizzle.steps.reject.compared_chip import ComparedChip
from mizzle.steps.reject.packed import Packed, unpack

#: The reference of a pixel is made of others this far from it, at most [pixel].
REACH = 1
#: Room around the corners of a chip on the grid, for the bend of its edges [pixel].
ROOM = 4.0


class SearchedChip(Protocol):
    """What is known of a chip: its mask, packed, and what the method for single exposures says beyond it."""

    @property
    def packed(self) -> Packed:
        """Flagged pixels."""

    @property
    def alone_too(self) -> Indices | None:
        """Pixels that are rays if no other exposure knows them: flat indices."""


class _Candidates(NamedTuple):
    """Pixels of all chips, by their place along y: number of chip, flat index, exposure, place on the grid."""

    chip: Indices
    pixel: Indices
    exposure: Indices
    x: FloatArray
    y: FloatArray

    def inside(self, own: ChipMap) -> Indices:
        """Return those in the rectangle around a chip."""
        ny, nx = own.shape
        x, y = own(np.array([0.0, nx, 0.0, nx]), np.array([0.0, 0.0, ny, ny]))
        first, last = np.searchsorted(self.y, [y.min() - ROOM, y.max() + ROOM])
        near = self.x[first:last]
        return np.asarray(first + np.flatnonzero((near > x.min() - ROOM) & (near < x.max() + ROOM)))


def find_left_alone(
    chips: Sequence[ComparedChip], maps: Sequence[ChipMap], searched: Sequence[SearchedChip], *, runner: Runner
) -> list[Indices]:
    """Return, for each chip, the cosmic rays among the pixels whose other exposure is flagged there: flat indices.

    Parameters
    ----------
    chips, maps : sequence
        All of one class, and their maps to its grid.
    searched : sequence
        What is known of each.
    runner : Runner
        Threads; by chip.
    """
    candidates = _candidates(chips, maps, searched)
    if not candidates.pixel.size:
        return [np.zeros(0, np.intp)] * len(chips)

    def flagged_by(number: int) -> Indices:
        """Return the candidates that this chip saw, and lost to a ray."""
        near = candidates.inside(maps[number])
        near = near[candidates.exposure[near] != chips[number].index]
        i, j, place = InverseMap(maps[number]).nearest_pixels(candidates.x[near], candidates.y[near])
        if not place.size:
            return place
        hit = grow(unpack(searched[number].packed, chips[number].view.chip.shape), REACH)
        return np.asarray(near[place[hit[j, i]]])

    left = np.unique(np.concatenate(runner.map(flagged_by, range(len(chips)))))
    return [np.sort(candidates.pixel[left[candidates.chip[left] == number]]) for number in range(len(chips))]


def _candidates(
    chips: Sequence[ComparedChip], maps: Sequence[ChipMap], searched: Sequence[SearchedChip]
) -> _Candidates:
    """Return what the method for single exposures flags beyond the masks, of all chips."""
    none = np.zeros(0, np.intp)
    parts = [_Candidates(none, none, none, none.astype(np.float64), none.astype(np.float64))]
    for number, (compared, own, known) in enumerate(zip(chips, maps, searched, strict=True)):
        if known.alone_too is None:
            continue
        y, x = np.divmod(known.alone_too, compared.view.chip.shape[1])
        size = np.ones(x.size, np.intp)
        gx, gy = own(x.astype(np.float64), y.astype(np.float64))
        parts.append(_Candidates(number * size, known.alone_too, compared.index * size, gx, gy))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(joined[-1], kind="stable")
    return _Candidates(*(column[order] for column in joined))
