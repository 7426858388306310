"""Pixels of a chip with what a reader changed about them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model.arrays import locked
from mizzle.model.exposure import PixelRows, Pixels
from mizzle.model.values import same

#: Set on pixels that a user's mask, or a reader's finding, declares bad; no camera's pipeline sets it alone on WFPC2.
USER_BIT = 16384


class AlteredPixels:
    """Pixels whose data-quality bits were changed; the signal is that of the file.

    Parameters
    ----------
    base : Pixels
        As read.
    clear : int
        Bits taken away.
    bad : (ny, nx) bool array, optional
        Pixels that get `USER_BIT`.
    """

    def __init__(self, base: Pixels, clear: int = 0, bad: NDArray[np.bool_] | None = None) -> None:
        self._base, self._clear = base, clear
        self._bad = None if bad is None else locked(bad, np.bool_)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._base, self._clear, self._bad)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AlteredPixels):
            return NotImplemented
        return same((self._base, self._clear, self._bad), (other._base, other._clear, other._bad))

    __hash__ = None  # type: ignore[assignment]

    @property
    def sci(self) -> NDArray[np.float32]:
        """Signal [DN]."""
        return self._base.sci

    @property
    def dq(self) -> NDArray[np.uint16]:
        """Data-quality bits."""
        return self._altered(self._base.dq, self._bad)

    def _altered(self, dq: NDArray[np.uint16], bad: NDArray[np.bool_] | None) -> NDArray[np.uint16]:
        bits = dq & np.uint16(0xFFFF & ~self._clear)
        if bad is not None:
            np.bitwise_or(bits, np.uint16(USER_BIT), out=bits, where=bad)
        bits.flags.writeable = False
        return bits

    @property
    def err(self) -> NDArray[np.float32] | None:
        """1 sigma [DN], or None."""
        return self._base.err

    def rows(self, first: int, last: int) -> PixelRows:
        """Return rows ``first .. last - 1`` of `sci` and `dq`."""
        sci, dq = self._base.rows(first, last)
        return PixelRows(sci, self._altered(dq, None if self._bad is None else self._bad[first:last]))


class SteppedPixels:
    """Pixels of which half of a step between the left and the right part is taken away, and given, on either side.

    Parameters
    ----------
    base : Pixels
        As read.
    border : int
        Column at which the right part begins.
    step : float
        Right over left [DN].
    """

    def __init__(self, base: Pixels, border: int, step: float) -> None:
        self._base, self._border, self._step = base, border, float(step)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._base, self._border, self._step)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SteppedPixels):
            return NotImplemented
        return same((self._base, self._border, self._step), (other._base, other._border, other._step))

    __hash__ = None  # type: ignore[assignment]

    def _level(self, sci: NDArray[np.float32]) -> NDArray[np.float32]:
        leveled = sci.copy()
        half = np.float32(0.5 * self._step)
        leveled[:, : self._border] += half
        leveled[:, self._border :] -= half
        leveled.flags.writeable = False
        return leveled

    @property
    def sci(self) -> NDArray[np.float32]:
        """Signal [DN], without the step."""
        return self._level(self._base.sci)

    @property
    def dq(self) -> NDArray[np.uint16]:
        """Data-quality bits."""
        return self._base.dq

    @property
    def err(self) -> NDArray[np.float32] | None:
        """1 sigma [DN], or None."""
        return self._base.err

    def rows(self, first: int, last: int) -> PixelRows:
        """Return rows ``first .. last - 1`` of `sci` and `dq`."""
        sci, dq = self._base.rows(first, last)
        return PixelRows(self._level(sci), dq)
