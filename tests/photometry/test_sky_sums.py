"""Sums over cells that several chips read, and the groups they link."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.steps.sky.overlap import _groups, _Readings, _solve, cell_products


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


def readings(values, error=1.0):
    """What chips say of the same cells: values (chips, cells), NaN where a chip does not reach."""
    unit, cell = np.nonzero(np.isfinite(values))
    return _Readings(cell, unit, values[unit, cell], np.ones(cell.size), error)


@pytest.mark.parametrize(("common", "linked"), [(2, False), (8, True)])
def test_two_cells_in_common_link_nothing(common, linked):
    """One star at the border of two chips spoils two cells, and no others would tell."""
    values = np.full((2, 100), np.nan)
    values[0, :50], values[1, 50 - common :] = 1.0, 1.0
    first, second = _groups(readings(values), 2)
    assert (first == second) == linked


def test_what_one_exposure_alone_sees_does_not_move_its_sky():
    """A trail or a planet in a seventh of the cells, 10 to 200 errors bright: least squares would move by 1.4 to 28."""
    moved = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        sky = rng.normal(0.0, 30.0, 700)  # a nebula that both see
        values = sky + rng.normal(0.0, 1.0, (2, 700)) + np.array([[0.0], [5.0]])
        values[1, rng.random(700) < 1 / 7] += rng.uniform(10.0, 200.0)
        levels, own = _solve(readings(values), np.array([0, 1]), np.array([0.0, 5.0]), light=np.ones(2))
        moved.append(levels[1] + own[1] - levels[0] - own[0] - 5.0)
    assert np.mean(moved) < 1.5  # where every outlier pulls as two errors of a difference: 0.5, were it all converged


@pytest.mark.parametrize(("exposures", "pedestal"), [(6, 40.0), (6, 100.0), (2, 100.0)])
def test_a_pedestal_of_one_chip_is_the_chips_not_the_exposures(exposures, pedestal):
    """Squares alone would put a quarter of it on the exposure: on three chips that have none."""
    moved, own_levels = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        true = rng.normal(0.0, 50.0, exposures)
        values = np.full((4 * exposures, 400), np.nan)
        for unit in range(4 * exposures):
            here = slice(100 * (unit % 4), 100 * (unit % 4 + 1))  # each chip overlaps its own kind alone
            values[unit, here] = true[unit // 4] + rng.normal(0.0, 1.0, 100)
        values[3] += pedestal
        levels, own = _solve(readings(values), np.arange(4 * exposures) // 4, true, light=np.ones(exposures))
        moved.append(levels[0] - true[0] - np.median((levels - true)[1:]))
        own_levels.append(own[3] - np.median(own[7::4]))
    assert abs(np.mean(moved)) < 0.04 * pedestal
    assert np.mean(own_levels) == pytest.approx(pedestal, rel=0.04)
