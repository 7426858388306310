"""Arrays that stay as they were measured: copied and locked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def locked(values: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return a C-ordered, read-only copy of `values`.

    A locked *view* would still change with its base, hence the copy. What is locked already, and owns its memory, is
    returned as it is.

    Parameters
    ----------
    values : array_like
        Anything NumPy can make an array of.
    dtype : dtype, optional
        Type of the copy; the type of `values` by default.

    Returns
    -------
    array : ndarray
        The copy; its ``writeable`` flag is off.
    """
    if _is_locked(values, dtype):
        return np.asarray(values)
    array = np.array(values, dtype=dtype, order="C")
    array.flags.writeable = False
    return array


def _is_locked(values: ArrayLike, dtype: DTypeLike | None) -> bool:
    """Return whether nobody can change `values`, an array of the right kind."""
    if type(values) is not np.ndarray or values.base is not None:
        return False
    flags = values.flags
    return flags.c_contiguous and not flags.writeable and (dtype is None or values.dtype == np.dtype(dtype))
