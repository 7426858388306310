"""Byte order: src/masks.c, and its NumPy twin. NumPy holds the interpreter while it turns bytes around; C does not."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mizzle.kernel import native


def to_native(values: NDArray[Any]) -> NDArray[Any]:
    """Turn numbers of the other byte order around in place.

    Parameters
    ----------
    values : array
        Given away, contiguous; numbers of any order.

    Returns
    -------
    values : array
        The same memory, in native order.

    Examples
    --------
    >>> import numpy as np
    >>> to_native(np.array([1, 2], ">i2")).tolist()
    [1, 2]
    """
    if values.dtype.isnative:
        return values
    kind = values.dtype.newbyteorder("=")
    library = native.library()
    if library is None or not values.flags.c_contiguous:
        return values.byteswap(inplace=True).view(kind)
    if library.mz_swap(native.pointer(values), values.size, values.itemsize):
        raise ValueError(f"numbers of {values.itemsize} bytes have no order")
    return values.view(kind)
