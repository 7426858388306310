"""Pixels that a comparison leaves alone: all who could judge them were hit by a cosmic ray themselves.

Where two exposures know a place and rays hit it in both, the reference is the lower ray: the higher one stands above it
and is found, the lower one is what was expected. With the higher one flagged nobody knows the place but the exposure
that has the lower one, and the method for single exposures decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import ChipMap
from mizzle.kernel.maps import InverseMap
from mizzle.kernel.pixels import grow
from mizzle.model import Runner
from mizzle.steps.reject.compared_chip import ComparedChip
from mizzle.steps.reject.packed import Packed, unpack

#: The reference of a pixel is made of others this far from it, at most [pixel].
REACH = 1


class SearchedChip(Protocol):
    """What is known of a chip: its mask, and what the method for single exposures says beyond it; both packed."""

    @property
    def packed(self) -> Packed:
        """Flagged pixels."""

    @property
    def alone_too(self) -> Packed | None:
        """Pixels that are rays if no other exposure knows them; none where no place is known to two only."""


def find_left_alone(
    chips: Sequence[ComparedChip], maps: Sequence[ChipMap], searched: Sequence[SearchedChip], *, runner: Runner
) -> list[NDArray[np.intp]]:
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
    if all(chip.alone_too is None for chip in searched):
        return [np.zeros(0, np.intp)] * len(chips)
    shapes = [compared.view.chip.shape for compared in chips]
    hit = [grow(unpack(chip.packed, shape), REACH) for chip, shape in zip(searched, shapes, strict=True)]

    def one_chip(number: int) -> NDArray[np.intp]:
        candidates = searched[number].alone_too
        if candidates is None:
            return np.zeros(0, np.intp)
        y, x = np.nonzero(unpack(candidates, shapes[number]))
        gx, gy = maps[number](x.astype(np.float64), y.astype(np.float64))
        left = np.zeros(x.size, np.bool_)
        for other, compared in enumerate(chips):
            if compared.index != chips[number].index:
                i, j, place = InverseMap(maps[other]).nearest_pixels(gx, gy)
                left[place] |= hit[other][j, i]
        return np.asarray(y[left] * shapes[number][1] + x[left])

    return runner.map(one_chip, range(len(chips)))
