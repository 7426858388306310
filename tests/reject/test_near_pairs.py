"""Peaks near each other."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.steps.reject.single import near_pairs


@pytest.mark.parametrize("reach", [0.0, 1.0, 3.5, 5.999])
def test_pairs_are_those_of_all_distances(reach):
    rng = np.random.default_rng(4)
    places = np.stack(np.unravel_index(rng.choice(60 * 50, 300, replace=False), (60, 50)))
    for first, second in ((places, places[:, ::3]), (places[:, ::3], places)):
        (y, x), (ys, xs) = first, second
        one, other = near_pairs(ys, xs, y=y, x=x, reach=reach)
        distance = np.hypot(y[:, None] - ys, x[:, None] - xs)
        pairs = list(zip(one.tolist(), other.tolist(), strict=True))
        assert sorted(pairs) == sorted(zip(*(k.tolist() for k in np.nonzero(distance <= reach)), strict=True))


def test_nothing_is_near_nothing():
    some, none = np.arange(3), np.zeros(0, np.intp)
    for pair in (near_pairs(none, none, y=some, x=some, reach=4.0), near_pairs(some, some, y=none, x=none, reach=4.0)):
        assert all(numbers.size == 0 for numbers in pair)
