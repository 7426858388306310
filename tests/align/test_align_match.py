"""Votes on offsets: unbiased for any search radius, robust to what does not repeat, honest about chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.steps.align.match import Magnitudes, pairs_between, poisson_tail, rotation, vote


@given(radius=st.floats(0.2, 60.0), window=st.floats(0.1, 0.4))
@settings(max_examples=60, deadline=None)
def test_identical_lists_have_no_offset_whatever_the_search_radius(radius, window):
    # The incumbent's first guess is off by ceil(r) - r here: up to a pixel.
    a = np.random.default_rng(7).uniform(-80, 80, (150, 2))
    found = vote(a, a, radius=radius, window=window)
    assert found.n == 150
    np.testing.assert_allclose(found.offset, 0.0, atol=1e-6)


@given(
    radius=st.floats(1.0, 20.0),
    share=st.floats(0.0, 0.95),
    angle=st.floats(0.0, 2 * math.pi),
    seed=st.integers(0, 50),
)
@settings(max_examples=60, deadline=None)
def test_offset_is_found_among_80_per_cent_spurious_sources(radius, share, angle, seed):
    rng = np.random.default_rng(seed)
    shift = share * radius * np.array([math.cos(angle), math.sin(angle)])
    stars = rng.uniform(-80, 80, (60, 2))
    a = np.concatenate([stars, rng.uniform(-80, 80, (240, 2))])
    b = np.concatenate([stars + shift, rng.uniform(-80, 80, (240, 2))]) + rng.normal(0, 0.01, (300, 2))
    found = vote(a, b, radius=radius)
    # A few accidental pairs within the window of 0.15" pull the mean a little.
    assert np.hypot(*(found.offset - shift)) < 0.02
    assert found.chance < 1e-6


@pytest.mark.parametrize("roll", [0.01, -1.0, 5.0, -5.0])
def test_roll_is_found(roll):
    rng = np.random.default_rng(3)
    stars = rng.uniform(-80, 80, (80, 2))
    turned = stars @ rotation(np.deg2rad(roll)).T + np.array([3.0, -2.0])
    found = vote(stars, turned, radius=8.0, max_roll=np.deg2rad(5.0))
    assert abs(np.rad2deg(found.roll) - roll) < 0.12
    matrix, shift = found.transform()
    corner = np.array([60.0, 60.0])
    wanted = rotation(np.deg2rad(roll)) @ corner + np.array([3.0, -2.0])
    assert np.hypot(*(matrix @ corner + shift - wanted)) < 0.25


@pytest.mark.parametrize(("n", "radius"), [(20, 1.0), (200, 1.0), (600, 1.0), (200, 10.0)])
def test_unrelated_lists_do_not_match(n, radius):
    rng = np.random.default_rng(11)
    chances = []
    for _ in range(40):
        found = vote(rng.uniform(-80, 80, (n, 2)), rng.uniform(-80, 80, (n, 2)), radius=radius)
        chances.append(1.0 if found is None else found.chance)
    assert min(chances) > 1e-4
    assert np.mean(np.array(chances) < 0.05) <= 0.15


def test_a_cluster_against_itself_elsewhere_does_not_match():
    # Pairs of two clusters pile up at small offsets without agreeing.
    rng = np.random.default_rng(5)
    for _ in range(20):
        a, b = rng.normal(0, 8, (300, 2)), rng.normal(0, 8, (300, 2))
        assert vote(a, b, radius=1.0).chance > 1e-4


def test_magnitudes_that_disagree_do_not_vote():
    stars = np.random.default_rng(1).uniform(-80, 80, (50, 2))
    mags = np.linspace(18, 22, 50)
    assert vote(stars, stars, radius=1.0, mags=Magnitudes(mags, mags, 0.75)).n == 50
    assert vote(stars, stars, radius=1.0, mags=Magnitudes(mags, mags + 2.0, 0.75)) is None
    unknown = np.full(50, np.nan)
    assert vote(stars, stars, radius=1.0, mags=Magnitudes(mags, unknown, 0.75)).n == 50


def test_empty_and_single_lists():
    one, none = np.zeros((1, 2)), np.zeros((0, 2))
    assert vote(none, one, radius=1.0) is None
    assert vote(one, none, radius=1.0) is None
    single = vote(one, one, radius=1.0)
    assert (single.n, single.chance) == (1, 1.0)


def test_one_star_with_many_partners_counts_once():
    a = np.zeros((1, 2))
    b = np.random.default_rng(2).uniform(-0.05, 0.05, (30, 2))
    assert vote(a, b, radius=1.0).n == 1


@given(count=st.integers(1, 60), mean=st.floats(1e-6, 50.0))
def test_poisson_tail_bounds_the_truth(count, mean):
    exact = 1.0 - sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))
    assert poisson_tail(count, mean) >= exact - 1e-12
    if count > 2 * mean and exact > 1e-10:
        assert poisson_tail(count, mean) <= 1.5 * exact


@given(seed=st.integers(0, 1000), radius=st.floats(0.1, 30.0))
@settings(max_examples=30, deadline=None)
def test_close_pairs_are_all_the_pairs(seed, radius):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-20, 20, (rng.integers(0, 30), 2)), rng.uniform(-20, 20, (rng.integers(0, 30), 2))
    first, second = pairs_between(a, b, radius)
    near = (np.abs(a[:, None] - b[None]) <= radius).all(axis=2)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == set(
        zip(*map(np.ndarray.tolist, np.nonzero(near)), strict=True)
    )
