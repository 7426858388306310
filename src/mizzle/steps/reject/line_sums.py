"""Sums along straight lines of all directions: the approximate discrete Radon transform.

Lines are put together from halves: two lines of ``n`` rows that meet make one of ``2 n`` rows, so that all sums of an
image of ``N`` rows take ``log2(N)`` additions each, in place of ``N``.

References
----------
Brady 1998, SIAM J. Comput. 27, 107; Nir, Zackay & Ofek 2018, AJ 156, 229 (streaks in astronomical images).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LineSums:
    """Sums along the lines of one quarter of all directions.

    The line ``[k, i]`` leaves the first row at ``x = i - len(total)`` and has moved ``k`` columns at the last; both are
    of the image as it was transposed, or mirrored.

    Parameters
    ----------
    total, count : (n, m) arrays
        Of the values, and of the pixels that are known.
    transposed, mirrored : bool
        Whether rows and columns, and then left and right, were exchanged.
    width : int
        Columns of the image after that.
    """

    total: FloatImage
    count: FloatImage
    transposed: bool
    mirrored: bool
    width: int

    @property
    def slopes(self) -> FloatArray:
        """Columns per row of each direction, ``(n,)``."""
        return np.arange(len(self.total)) / max(len(self.total) - 1, 1)

    def line(self, direction: int, start: int) -> tuple[float, float]:
        """Return angle [rad], from 0 to pi, and distance [pixel] of a line: ``x cos + y sin = distance``."""
        slope, first = float(self.slopes[direction]), float(start - len(self.total))
        # x = first + slope y, with x to the left where mirrored, and named y where transposed.
        if self.mirrored:
            slope, first = -slope, self.width - 1.0 - first
        length = float(np.hypot(1.0, slope))
        x, y, distance = 1.0 / length, -slope / length, first / length
        if self.transposed:
            x, y = y, x
        angle = float(np.arctan2(y, x))
        return (angle, distance) if 0.0 <= angle < np.pi else (angle % np.pi, -distance)


def sum_along_lines(value: FloatArray, known: NDArray[np.bool_]) -> list[LineSums]:
    """Return the sums along all lines through an image, each quarter of the directions by itself.

    Parameters
    ----------
    value : (ny, nx) array
        Values.
    known : (ny, nx) bool array
        Which of them count.
    """
    planes = np.stack([np.where(known, value, 0.0), known]).astype(np.float32)
    sums = []
    for transposed in (False, True):
        turned = planes.transpose(0, 2, 1) if transposed else planes
        both = np.stack([turned, turned[:, :, ::-1]])
        for mirrored, (total, count) in zip((False, True), _joined(both), strict=True):
            sums.append(LineSums(total, count, transposed, mirrored, turned.shape[2]))
    return sums


def _joined(planes: FloatImage) -> FloatImage:
    """Return sums ``(..., n, n + nx)`` along the lines of images ``(..., ny, nx)``; `n` is the power of 2 from `ny`."""
    *outer, rows, columns = planes.shape
    n = 1 << max(rows - 1, 0).bit_length()
    # Lines come in from the left of the image, and leave it on the right.
    sums = np.zeros((*outer, n, 1, 2 * n + columns), np.float32)
    sums[..., :rows, 0, n : n + columns] = planes
    reached = n + columns
    while sums.shape[-3] > 1:
        strips, moves = sums.shape[-3] // 2, sums.shape[-2]
        joined = np.zeros((*outer, strips, 2 * moves, sums.shape[-1]), np.float32)
        lower, upper = sums[..., 0::2, :, :], sums[..., 1::2, :, :]
        for step in (0, 1):
            # The upper half begins where the lower one has come to, or one column on.
            shape = (*upper.shape[:-1], reached)
            *strides, by_move, by_column = upper.strides
            shifted = np.lib.stride_tricks.as_strided(
                upper[..., step:], shape, (*strides, by_move + by_column, by_column), writeable=False
            )
            np.add(lower[..., :reached], shifted, out=joined[..., step::2, :reached])
        sums = joined
    return sums[..., 0, :, :reached]
