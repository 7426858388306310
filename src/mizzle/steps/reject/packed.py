"""Masks of pixels as solutions hold them: packed bit by bit, and locked, so that nobody need copy them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint8]


def pack(mask: NDArray[np.bool_]) -> Packed:
    """Pack a mask as `numpy.packbits` does.

    Parameters
    ----------
    mask : (ny, nx) bool array
        Flagged pixels.
    """
    packed = np.packbits(mask)
    packed.flags.writeable = False
    return packed


def unpack(packed: Packed, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a packed mask ``(ny, nx)`` of this shape.

    Parameters
    ----------
    packed : uint8 array
        From `pack`.
    shape : (int, int)
        Of the mask.
    """
    return np.unpackbits(packed, count=shape[0] * shape[1]).reshape(shape).view(np.bool_)


def with_pixels(packed: Packed, where: NDArray[np.intp]) -> tuple[Packed, int]:
    """Return a packed mask with more pixels, and how many of them it did not hold.

    Parameters
    ----------
    packed : uint8 array
        From `pack`.
    where : int array
        Flat indices.
    """
    where = np.unique(where)
    bits = (128 >> (where & 7)).astype(np.uint8)
    result = packed.copy()
    np.bitwise_or.at(result, where >> 3, bits)
    result.flags.writeable = False
    return result, int(np.count_nonzero(packed[where >> 3] & bits == 0))
