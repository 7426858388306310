"""Masks in NumPy: the definition of what src/masks.c, src/grow.c and mz_marked do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Marks, Mask


def flagged(sci: NDArray[np.float32], dq: NDArray[np.uint16], bits: int) -> Mask:
    """Return where `dq` has one of `bits`, or `sci` is not finite."""
    return np.asarray(has_bits(dq, bits) | ~np.isfinite(sci))


def has_bits(dq: NDArray[np.uint16], bits: int) -> Mask:
    """Return where `dq` has one of `bits`."""
    return np.asarray((dq & np.uint16(bits)) != 0)


def pixels_with_bits(marks: Marks, bits: int) -> NDArray[np.int64]:
    """Return the flat indices of the pixels that have one of `bits`."""
    return np.flatnonzero(marks & np.uint8(bits)).astype(np.int64, copy=False)


def grow(mask: Mask, radius: int) -> Mask:
    """Return `mask` grown by `radius` pixels to all sides; see `front.grow`."""
    wide = mask.copy()
    for step in range(1, radius + 1):
        wide[:, step:] |= mask[:, :-step]
        wide[:, :-step] |= mask[:, step:]
    result = wide.copy()
    for step in range(1, radius + 1):
        result[step:] |= wide[:-step]
        result[:-step] |= wide[step:]
    return result
