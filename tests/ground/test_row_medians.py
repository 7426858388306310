"""Medians of rows with gaps are those of NumPy."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mizzle.row_medians import row_medians

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.just(np.nan))


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=NUMBERS))
def test_the_median_of_a_row_is_that_of_its_numbers(values):
    before = values.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy warns of rows without a number
        expected = np.nanmedian(values, axis=1)
    np.testing.assert_allclose(row_medians(values), expected, rtol=1e-12)
    np.testing.assert_array_equal(values, before)
