"""Sums of what was dropped so far."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError


def _sparse_zeros(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return zeros that take memory only where they are written: NumPy asks for pages of megabytes."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


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
    sums : (ny, nx, 2) float64 array
        Sum of weight times value, and sum of weight: side by side, as they are added together.
    variance_sum : (ny, nx) float64 array or None
        Sum of weight squared times variance.
    context : (planes, ny, nx) int32 array or None
        Bit ``k % 32`` of plane ``k // 32`` tells that input ``k`` reached the pixel. Planes grow as needed.
    """

    def __init__(
        self, shape: tuple[int, int], *, variance: bool = False, context: bool = False, sparse: bool = False
    ) -> None:
        ny, nx = int(shape[0]), int(shape[1])
        if ny < 1 or nx < 1:
            raise SettingsError(f"output of shape {(ny, nx)}: both sides must be at least 1", shape=(ny, nx))
        self.shape = (ny, nx)
        self._zeros = _sparse_zeros if sparse else np.zeros
        self.sums: NDArray[np.float64] = self._zeros((ny, nx, 2), np.float64)
        self.variance_sum: NDArray[np.float64] | None = self._zeros((ny, nx), np.float64) if variance else None
        self.context: NDArray[np.int32] | None = self._zeros((1, ny, nx), np.int32) if context else None

    def reserve_context(self, n_inputs: int) -> None:
        """Make room for `n_inputs` context bits; call it before threads share this accumulator."""
        if self.context is None:
            return
        planes = max(1, -(-n_inputs // 32))
        if planes > self.context.shape[0]:
            before, self.context = self.context, self._zeros((planes, *self.shape), np.int32)
            if before.any():  # writing zeros would take memory that may never be needed
                self.context[: before.shape[0]] = before

    @property
    def weight(self) -> NDArray[np.float64]:
        """Sum of weights (ny, nx); a view."""
        return self.sums[..., 1]

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
