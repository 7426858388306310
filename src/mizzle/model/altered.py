"""Pixels of a chip with what a reader changed about them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model.arrays import locked
from mizzle.model.exposure import Pixels
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
        bits = self._base.dq & np.uint16(0xFFFF & ~self._clear)
        if self._bad is not None:
            bits |= np.where(self._bad, USER_BIT, 0).astype(np.uint16)
        bits.flags.writeable = False
        return bits

    @property
    def err(self) -> NDArray[np.float32] | None:
        """1 sigma [DN], or None."""
        return self._base.err
