"""Masks of pixels in one pass: src/masks.c, and its NumPy twin, which is the definition."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import native

_I64, _U16, _PTR = ctypes.c_int64, ctypes.c_uint16, ctypes.c_void_p


def _library() -> ctypes.CDLL | None:
    """Return the C library if it knows about masks."""
    library = native.library()
    if library is None or not hasattr(library, "mz_bad_pixels"):
        return None
    library.mz_bad_pixels.argtypes = (_PTR, _PTR, _U16, _I64, _PTR)
    library.mz_bad_pixels.restype = _I64
    library.mz_has_bits.argtypes = (_PTR, _U16, _I64, _PTR)
    library.mz_all_finite.argtypes = (_PTR, _I64)
    return library


def flagged(sci: NDArray[np.float32], dq: NDArray[np.uint16], bits: int) -> NDArray[np.bool_]:
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
    library = _library()
    if library is None or not (sci.flags.c_contiguous and dq.flags.c_contiguous):
        return np.asarray(((dq & np.uint16(bits)) != 0) | ~np.isfinite(sci))
    mask = np.empty(sci.shape, np.bool_)
    library.mz_bad_pixels(native.pointer(sci), native.pointer(dq), bits, sci.size, native.pointer(mask))
    return mask


def has_bits(dq: NDArray[np.uint16], bits: int) -> NDArray[np.bool_]:
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
    library = _library()
    if library is None or not dq.flags.c_contiguous:
        return np.asarray((dq & np.uint16(bits)) != 0)
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
    library = _library()
    if library is None or not values.flags.c_contiguous:
        return bool(np.isfinite(values).all())
    return bool(library.mz_all_finite(native.pointer(values), values.size))
