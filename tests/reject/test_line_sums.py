"""Sums along lines of all directions: what any such transform must obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.steps.reject.line_sums import sum_along_lines


@given(ny=st.integers(1, 20), nx=st.integers(1, 20), seed=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_each_direction_counts_every_pixel_once(ny, nx, seed):
    rng = np.random.default_rng(seed)
    value, known = rng.normal(0.0, 1.0, (ny, nx)), rng.random((ny, nx)) > 0.2
    for sums in sum_along_lines(value, known):
        np.testing.assert_allclose(sums.total.sum(axis=1), value[known].sum(), atol=1e-4)
        np.testing.assert_array_equal(sums.count.sum(axis=1), known.sum())


@pytest.mark.parametrize("shape", [(24, 24), (17, 40), (40, 17)])
def test_lines_pass_where_they_say(shape):
    """A pixel lies within one pixel of each line that counts it."""
    rng = np.random.default_rng(5)
    for _ in range(6):
        y, x = (int(rng.integers(size)) for size in shape)
        value = np.zeros(shape)
        value[y, x] = 1.0
        for sums in sum_along_lines(value, np.ones(shape, np.bool_)):
            for direction, start in zip(*np.nonzero(sums.total), strict=True):
                angle, distance = sums.line(int(direction), int(start))
                assert 0.0 <= angle < np.pi
                assert abs(x * np.cos(angle) + y * np.sin(angle) - distance) <= 1.0


def test_a_straight_line_is_the_brightest_of_all_whatever_its_direction():
    y, x = np.mgrid[:64, :64]
    tolerance = np.deg2rad(2.0)
    for angle in np.deg2rad(np.arange(3.0, 180.0, 8.5)):
        across = (x - 31.5) * np.cos(angle) + (y - 31.5) * np.sin(angle)
        sums = sum_along_lines(np.exp(-0.5 * across**2), np.ones((64, 64), np.bool_))
        best = max(sums, key=lambda one: float(one.total.max()))
        direction, start = np.unravel_index(best.total.argmax(), best.total.shape)
        seen, distance = best.line(int(direction), int(start))
        assert abs((seen - angle + np.pi / 2) % np.pi - np.pi / 2) < tolerance
        middle = 31.5 * (np.cos(seen) + np.sin(seen))
        assert abs(distance - middle) < 1.0
