"""Medians of the rows of a table with gaps."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray


def row_medians(values: FloatArray) -> FloatArray:
    """Return the median of each row, NaN passed over: `numpy.nanmedian` takes ten times as long for short rows.

    Parameters
    ----------
    values : (n, m) array
        NaN where nothing is known.

    Returns
    -------
    medians : (n,) array
        The mean of the two middle numbers where their count is even; NaN for a row without any.
    """
    ordered = np.sort(values, axis=1)  # NaN last
    count, row = np.count_nonzero(~np.isnan(values), axis=1), np.arange(len(values))
    return np.asarray(0.5 * (ordered[row, np.maximum(count - 1, 0) // 2] + ordered[row, count // 2]))
