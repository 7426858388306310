"""Arrays that stay as they were measured: copied and locked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def locked(values: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return a C-ordered, read-only copy of `values`.

    A locked *view* would still change with its base, hence the copy.

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
    array = np.array(values, dtype=dtype, order="C")
    array.flags.writeable = False
    return array
