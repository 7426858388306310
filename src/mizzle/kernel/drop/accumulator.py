"""Sums of what was dropped so far."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.arguments import sides

#: Planes of context that fit into a cell.
IN_CELL = 2
#: Cells that `Accumulator.touched` speaks of together (MZ_TOGETHER of mizzle.h), and bytes in a line of the cache.
TOGETHER, LINE = 64, 64


def zeros(shape: tuple[int, ...], dtype: type[np.generic], *, sparse: bool = False) -> NDArray[Any]:
    """Return zeros that begin with a line of the cache.

    `sparse`: they take memory only where they are written; NumPy asks for pages of megabytes.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if sparse:
        return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(dtype).reshape(shape)


class Accumulator:
    """Sums over everything dropped so far, in 64 bits; the one mutable thing of the kernel.

    Parameters
    ----------
    shape : (int, int)
        Output ``(ny, nx)``.
    variance : bool
        Keep the sum of weight squared times variance too.
    context : bool
        Keep which inputs reached a pixel.
    sparse : bool
        Few cells will be written, here and there: memory comes in the smallest pages, and where nothing falls in none.

    Attributes
    ----------
    cells : (ny, nx, 2 or 4) float64 array
        Sum of weight times value, and sum of weight, side by side as they are added together. With variance or context,
        next to them: sum of weight squared times variance, and two words of context in the place of a fourth number.
    planes : int
        Planes of context in use, 0 without context; they grow as needed.
    touched : uint8 array or None
        Of a sparse accumulator, where C writes it: not 0 where anything fell into some of `TOGETHER` cells.
    """

    def __init__(
        self, shape: tuple[int, int], *, variance: bool = False, context: bool = False, sparse: bool = False
    ) -> None:
        ny, nx = sides(shape)
        self.shape = (ny, nx)
        self.planes = int(context)
        self._variance, self._sparse = variance, sparse
        lanes = 4 if variance or context else 2
        self.cells: NDArray[np.float64] = zeros((ny, nx, lanes), np.float64, sparse=sparse)
        self.touched = np.zeros(-(-ny * nx // TOGETHER), np.uint8) if sparse else None
        #: Planes of context that do not fit into the cells.
        self.more: NDArray[np.int32] = np.zeros((0, ny, nx), np.int32)

    def reserve_context(self, n_inputs: int) -> None:
        """Make room for `n_inputs` context bits; call it before threads share this accumulator."""
        if not self.planes:
            return
        self.planes = max(self.planes, -(-n_inputs // 32))
        beyond = self.planes - IN_CELL
        if beyond > self.more.shape[0]:
            before, self.more = self.more, zeros((beyond, *self.shape), np.int32, sparse=self._sparse)
            if before.any():  # writing zeros would take memory that may never be needed
                self.more[: before.shape[0]] = before

    def plane(self, number: int) -> NDArray[np.int32]:
        """Return a plane of context (ny, nx), a view; bit ``k % 32`` of plane ``k // 32`` belongs to input ``k``."""
        words: NDArray[np.int32] = self.cells.view(np.int32)[..., 6:] if number < IN_CELL else self.more
        return words[..., number] if number < IN_CELL else words[number - IN_CELL]

    def written_cells(self, rows: tuple[int, int]) -> slice | NDArray[np.int64]:
        """Return the cells of some rows, counted from their first, that anything may have fallen into.

        Of a sparse accumulator the others are not to be looked at: that would take the memory which they do without.

        Parameters
        ----------
        rows : (int, int)
            First, and one past the last.
        """
        if self.touched is None or native.library() is None:
            return slice(None)
        first, last = (row * self.shape[1] for row in rows)
        groups = np.flatnonzero(self.touched[first // TOGETHER : -(-last // TOGETHER)]) + first // TOGETHER
        cells = (groups[:, None] * TOGETHER + np.arange(TOGETHER)).reshape(-1)
        return np.asarray(cells[(cells >= first) & (cells < last)] - first)

    @property
    def context(self) -> NDArray[np.int32] | None:
        """All planes of context (planes, ny, nx), or None; a copy."""
        return np.stack([self.plane(number) for number in range(self.planes)]) if self.planes else None

    @property
    def sums(self) -> NDArray[np.float64]:
        """Sum of weight times value, and sum of weight (ny, nx, 2); a view."""
        return self.cells[..., :2]

    @property
    def weight(self) -> NDArray[np.float64]:
        """Sum of weights (ny, nx); a view."""
        return self.cells[..., 1]

    @property
    def variance_sum(self) -> NDArray[np.float64] | None:
        """Sum of weight squared times variance (ny, nx), or None; a view."""
        return self.cells[..., 2] if self._variance else None

    def mean(self) -> NDArray[np.float64]:
        """Weighted mean value (ny, nx); NaN where the weight is 0."""
        weight = self.sums[..., 1]
        result = np.full(self.shape, np.nan)
        np.divide(self.sums[..., 0], weight, out=result, where=weight != 0)
        return result

    def error(self) -> NDArray[np.float64]:
        """One sigma of `mean` (ny, nx), neighbors' correlation aside; NaN where the weight is 0.

        Raises
        ------
        SettingsError
            The accumulator was made without ``variance=True``.
        """
        if self.variance_sum is None:
            raise SettingsError("this accumulator keeps no variance; make it with variance=True")
        weight = self.sums[..., 1]
        result = np.full(self.shape, np.nan)
        np.divide(np.sqrt(self.variance_sum), np.abs(weight), out=result, where=weight != 0)
        return result
