"""Pairs of points that lie close together, without a tree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray


class ClosePairs(NamedTuple):
    """Numbers of two points, and how far apart they are."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: FloatArray


def close_pairs(x: FloatArray, y: FloatArray, radius: float) -> ClosePairs:
    """Find all pairs of points closer than `radius`.

    Parameters
    ----------
    x, y : (n,) array
        Finite positions.
    radius : float
        In the unit of the positions.

    Returns
    -------
    one, two : (m,) int array
        Indices; each pair stands once.
    distance : (m,) array
        Between them.

    Notes
    -----
    Points are sorted along x and compared with their successors, one step further each time, until no successor is
    near enough: n times the number of points in a strip of width `radius`.
    """
    order = np.argsort(x, kind="stable")
    xs, ys = x[order], y[order]
    first = np.arange(xs.size)
    ones, twos, distances = [], [], []
    step = 1
    while first.size:
        first = first[first + step < xs.size]
        first = first[xs[first + step] - xs[first] < radius]
        second = first + step
        distance = np.hypot(xs[second] - xs[first], ys[second] - ys[first])
        near = distance < radius
        ones.append(order[first[near]])
        twos.append(order[second[near]])
        distances.append(distance[near])
        step += 1
    if not ones:
        empty = np.zeros(0, dtype=np.int64)
        return ClosePairs(empty, empty, np.zeros(0))
    return ClosePairs(np.concatenate(ones), np.concatenate(twos), np.concatenate(distances))
