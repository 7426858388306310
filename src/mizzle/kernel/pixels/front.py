"""Masks of pixels in one pass: src/masks.c and src/grow.c, or their NumPy twins, which are the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Marks, Mask
from mizzle.kernel import native
from mizzle.kernel.pixels import numpy_twin


def flagged(sci: NDArray[np.float32], dq: NDArray[np.uint16], bits: int) -> Mask:
    """Return where `dq` has one of `bits`, or `sci` is not finite.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal.
    dq : (ny, nx) uint16 array
        Data-quality bits.
    bits : int
        Sum of the bits that matter.

    Returns
    -------
    mask : (ny, nx) bool array
    """
    library = native.library()
    if library is None or not (sci.flags.c_contiguous and dq.flags.c_contiguous):
        return numpy_twin.flagged(sci, dq, bits)
    mask = np.empty(sci.shape, np.bool_)
    library.mz_bad_pixels(native.pointer(sci), native.pointer(dq), bits, sci.size, native.pointer(mask))
    return mask


def has_bits(dq: NDArray[np.uint16], bits: int) -> Mask:
    """Return where `dq` has one of `bits`.

    Parameters
    ----------
    dq : (ny, nx) uint16 array
        Data-quality bits.
    bits : int
        Sum of the bits that matter.

    Returns
    -------
    mask : (ny, nx) bool array
    """
    library = native.library()
    if library is None or not dq.flags.c_contiguous:
        return numpy_twin.has_bits(dq, bits)
    mask = np.empty(dq.shape, np.bool_)
    library.mz_has_bits(native.pointer(dq), bits, dq.size, native.pointer(mask))
    return mask


def all_finite(values: NDArray[np.float32]) -> bool:
    """Return whether no value is NaN or infinite.

    Parameters
    ----------
    values : float32 array
        Of any shape.
    """
    library = native.library()
    if library is None or not values.flags.c_contiguous:
        return bool(np.isfinite(values).all())
    return bool(library.mz_all_finite(native.pointer(values), values.size))


def grow(mask: Mask, radius: int) -> Mask:
    """Return `mask` grown by `radius` pixels to all sides (a square).

    Parameters
    ----------
    mask : (ny, nx) bool array
        Marks.
    radius : int
        Rows and columns; 0: a copy.
    """
    library = native.library()
    if library is None or not mask.size:
        return numpy_twin.grow(mask, radius)
    out, given = np.empty(mask.shape, np.bool_), np.ascontiguousarray(mask, np.bool_)
    native.raise_on_status(library.mz_grown(native.pointer(given), *mask.shape, max(0, radius), native.pointer(out)))
    return out


def pixels_with_bits(marks: Marks, bits: int) -> NDArray[np.int64]:
    """Return the flat indices of the pixels that have one of `bits`.

    Parameters
    ----------
    marks : uint8 array
        Of any shape; few have the bits.
    bits : int
        Sum of bits.
    """
    library = native.library()
    if library is None or not marks.flags.c_contiguous:
        return numpy_twin.pixels_with_bits(marks, bits)
    where = np.empty(4096, np.int64)
    count = library.mz_marked(native.pointer(marks), marks.size, bits, where.size, native.pointer(where))
    if count > where.size:
        where = np.empty(count, np.int64)
        library.mz_marked(native.pointer(marks), marks.size, bits, where.size, native.pointer(where))
    return where[:count].copy()
