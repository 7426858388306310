"""Sums over cells that several chips read, and the groups they link."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.steps.sky.overlap import cell_products


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cells=st.sampled_from((0, 1, 7, 1024, 2500)), units=st.integers(1, 9))
def test_products_are_those_of_the_whole_table(seed, cells, units):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 4 * cells + 1)) if cells else 0
    cell, unit = rng.integers(0, max(cells, 1), count), rng.integers(0, units, count)
    weight, scale = rng.random(count), rng.random(cells)
    table = np.zeros((cells, units))
    np.add.at(table, (cell, unit), weight)
    found = cell_products(cell, unit, weight, units=units, scale=scale)
    np.testing.assert_allclose(found, table.T @ (scale[:, None] * table), rtol=1e-12, atol=1e-12)
