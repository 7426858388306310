"""Pieces of a mask: pixels that touch each other, and how far each piece reaches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Indices


def longest_piece(mask: NDArray[np.bool_]) -> float:
    """Return the diagonal of the box around the piece of a mask that reaches farthest [pixel]; 0 for an empty mask.

    Pixels that touch at a side or corner belong together. A few thousand pixels are flagged on a chip: links between
    them are followed by doubling steps, which takes about as long as labeling the whole image in compiled code.

    Parameters
    ----------
    mask : (ny, nx) bool array
        True where something was flagged.
    """
    places = np.flatnonzero(mask)
    if not places.size:
        return 0.0
    rows, columns = np.divmod(places, mask.shape[1])
    label = label_pieces(rows, columns, mask.shape)
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    tall, wide = (
        np.maximum.reduceat(place[order], starts) - np.minimum.reduceat(place[order], starts) + 1
        for place in (rows, columns)
    )
    return math.sqrt(float(np.max(tall**2 + wide**2)))


def label_pieces(rows: Indices, columns: Indices, shape: tuple[int, ...]) -> Indices:
    """Return, for each pixel of a mask, the number of the first pixel of its piece.

    Parameters
    ----------
    rows, columns : (n,) int array
        Where the mask is True, each pixel once.
    shape : (int, int)
        Of the mask.

    Examples
    --------
    >>> label_pieces(np.array([0, 5, 1]), np.array([0, 5, 1]), (9, 9)).tolist()
    [0, 1, 0]
    """
    wide = shape[1] + 2  # a border, so that no pixel wraps around
    place = rows * wide + columns + 1
    number = np.full((shape[0] + 1) * wide, -1, np.int32)
    number[place] = np.arange(rows.size, dtype=np.int32)
    links = []
    for step in (1, wide - 1, wide, wide + 1):
        other = number[place + step]
        linked = np.flatnonzero(other >= 0)
        links.append(np.stack([linked, other[linked]]))
    first, second = np.concatenate(links, axis=1)
    label = np.arange(rows.size)
    while True:
        least = np.minimum(label[first], label[second])
        before = label.copy()
        np.minimum.at(label, before[first], least)
        np.minimum.at(label, before[second], least)
        label = label[label]
        if np.array_equal(label, before):
            return label
