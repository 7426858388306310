"""Steps of the sky across the borders between neighboring chips, and how well they are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Mask
from mizzle.report.chips import BORDERS
from mizzle.report.maps import grown
from mizzle.report.stretch import sky_statistics

#: Cells on either side of a border that are compared; fewer than so many say nothing.
REACH, FEWEST = 20, 8
#: A border is cut into pieces of this length; on each side a piece has so many cells at least [cell].
PIECE, PIECE_CELLS = 12, 60
#: Error of a median over that of a mean.
MEDIAN_ERROR = 1.2533


@dataclass(frozen=True, eq=False)
class Border:
    """Cells along the border of two chips, on the side of each.

    Parameters
    ----------
    chips : (str, str)
        Whose border.
    sides : (Mask, Mask)
        Cells that one chip alone made, and near the other's.
    """

    chips: tuple[str, str]
    sides: tuple[Mask, Mask]

    def step(self, level: FloatArray, where: Mask | None = None) -> tuple[float, float, int]:
        """Return the second side less the first, its error if cells are independent, and the cells of the lesser side.

        Stars only add light: levels are clipped middles, their scatter is that of the darker half.
        """
        cells = [level[side if where is None else side & where] for side in self.sides]
        (first, second) = (sky_statistics(values) for values in cells)
        errors = [s / np.sqrt(values.size) for (_, s), values in zip((first, second), cells, strict=True)]
        return second[0] - first[0], MEDIAN_ERROR * float(np.hypot(*errors)), min(values.size for values in cells)

    def pieces(self) -> list[Mask]:
        """Return the border cut across, both sides together, where both have cells enough."""
        rows, columns = np.nonzero(self.sides[0] | self.sides[1])
        places = np.stack([rows, columns], axis=1).astype(np.float64)
        along = np.linalg.eigh(np.cov(places.T))[1][:, -1]
        number = np.floor((places - places.mean(axis=0)) @ along / PIECE)
        result = []
        for value in np.unique(number):
            piece = np.zeros(self.sides[0].shape, np.bool_)
            piece[rows[number == value], columns[number == value]] = True
            if min(np.count_nonzero(side & piece) for side in self.sides) >= PIECE_CELLS:
                result.append(piece)
        return result


def borders(level: FloatArray, classes: Mapping[str, Mask]) -> list[Border]:
    """Return the borders of neighboring chips that have cells on both sides.

    Parameters
    ----------
    level : (ny, nx) array
        Background by cell; NaN where there is none.
    classes : mapping
        Where each chip contributed, on the same cells.
    """
    n_chips: NDArray[np.int64] = np.sum([c.astype(np.int64) for c in classes.values()], axis=0)
    result = []
    for chips in BORDERS:
        if any(chip not in classes for chip in chips):
            continue
        first, second = (classes[name] & (n_chips == 1) & np.isfinite(level) for name in chips)
        sides = (first & grown(second, REACH), second & grown(first, REACH))
        if min(np.count_nonzero(side) for side in sides) >= FEWEST:
            result.append(Border(chips, sides))
    return result


def unevenness(level: FloatArray, along: list[Border]) -> float:
    """Return how much more the steps vary along the borders than independent cells would: a ratio of variances.

    Faint stars, wings and nebulae make neighboring cells alike, and a mean over them worse than their scatter says. 1
    where the borders are too short to tell, and at least.
    """
    total, freedom = 0.0, 0
    for border in along:
        steps = [border.step(level, piece) for piece in border.pieces()]
        if len(steps) > 1:
            value, weight = np.array([s[0] for s in steps]), np.array([s[1] for s in steps]) ** -2
            total += float(weight @ (value - weight @ value / weight.sum()) ** 2)
            freedom += len(steps) - 1
    return max(1.0, total / freedom) if freedom else 1.0


def seams(level: FloatArray, classes: Mapping[str, Mask], doubts: Mapping[str, float]) -> list[dict[str, Any]]:
    """Compare the background on both sides of each border between neighboring chips.

    Parameters
    ----------
    level : (ny, nx) array
        Background by cell.
    classes : mapping
        Where each chip contributed, on the same cells.
    doubts : mapping
        How far the whole level of a chip may be off, 1 sigma, by chip, in the unit of `level`: what rounding to whole
        counts does to it.

    Returns
    -------
    rows : list of dict
        ``chips step error cells``: the second chip's level less the first's, in the unit of `level`.
    """
    along = borders(level, classes)
    more = np.sqrt(unevenness(level, along))
    rows = []
    for border in along:
        step, error, cells = border.step(level)
        rows.append(
            {"chips": list(border.chips), "step": float(step), "error": float(more * error), "cells": int(cells)}
        )
    return doubted(rows, doubts)


def doubted(rows: Sequence[Mapping[str, Any]], doubts: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return rows of `seams` whose errors hold what the levels of whole chips may be off, too.

    Parameters
    ----------
    rows : sequence of mapping
        Made without doubts.
    doubts : mapping
        As in `seams`.
    """
    whole = [math.hypot(*(doubts.get(chip, 0.0) for chip in row["chips"])) for row in rows]
    return [{**row, "error": math.hypot(row["error"], more)} for row, more in zip(rows, whole, strict=True)]
