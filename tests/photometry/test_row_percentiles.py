"""Percentiles of many short rows at once."""

from __future__ import annotations

import numpy as np

from mizzle.stars.wings import _percentiles


def test_they_are_those_of_numpy():
    rng = np.random.default_rng(4)
    values = rng.normal(10, 3, (300, 41)).astype(np.float32)
    wanted = rng.random(values.shape) < rng.random((300, 1))
    wanted[:, 0] = True
    values[rng.random(values.shape) < 0.05] = np.nan
    values[:, 0] = 3.0
    expected = np.nanpercentile(np.where(wanted, values, np.nan).astype(np.float64), (16, 50), axis=1)
    np.testing.assert_allclose(_percentiles(values, wanted, (16.0, 50.0)), expected, rtol=1e-12)


def test_a_row_without_numbers_has_none():
    nothing = _percentiles(np.ones((2, 5), np.float32), np.zeros((2, 5), bool), (50.0,))[0]
    assert np.isnan(nothing).all()
