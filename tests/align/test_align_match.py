"""Votes on offsets: unbiased for any search radius, robust to what does not repeat, honest about chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.steps.align import link, match
from mizzle.steps.align.match import Magnitudes, pair_blocks, pairs_between, poisson_tail, rotation, vote


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


@pytest.mark.parametrize("together", [1, 7, 1000])
def test_pairs_come_in_blocks_of_any_size(together, monkeypatch):
    """Few candidates at a time or all at once: the same pairs, in the same order."""
    rng = np.random.default_rng(3)
    a, b = rng.uniform(-5, 5, (40, 2)), rng.uniform(-5, 5, (30, 2))
    whole = pairs_between(a, b, 2.0)
    monkeypatch.setattr(match, "PAIRS_TOGETHER", together)
    blocks = list(pair_blocks(a, b, 2.0))
    assert (len(blocks) > 5) == (together < 10)
    for number in (0, 1):
        np.testing.assert_array_equal(np.concatenate([block[number] for block in blocks]), whole[number])
    assert not list(pair_blocks(np.zeros((0, 2)), b, 2.0))
    assert pairs_between(np.zeros((0, 2)), b, 2.0).first.size == 0


@pytest.mark.parametrize("together", [1, 50])
def test_stars_do_not_depend_on_how_many_pairs_are_looked_at_together(together, monkeypatch):
    """Crowded: chains of detections that hold an exposure twice are among them."""
    rng = np.random.default_rng(4)
    stars = rng.uniform(0, 3, (60, 2))
    position = (stars[None] + rng.normal(0, 0.03, (5, 60, 2))).reshape(-1, 2)
    n = len(position)
    detections = link.Detections(
        position, np.repeat(np.arange(5), 60), np.ones(n), np.ones(n), rng.normal(20, 0.3, n),
        np.zeros(n, np.int64), np.ones(n, np.int64), np.zeros((n, 2)), np.arange(n),
    )  # fmt: skip
    whole = link.link(detections, position, 0.15, mag_tolerance=0.5)
    monkeypatch.setattr(match, "PAIRS_TOGETHER", together)
    np.testing.assert_array_equal(link.link(detections, position, 0.15, mag_tolerance=0.5), whole)
    exposures = [set() for _ in range(whole.max() + 1)]
    for star, exposure in zip(whole.tolist(), detections.exposure.tolist(), strict=True):
        if star >= 0:
            assert exposure not in exposures[star]
            exposures[star].add(exposure)
    assert max(map(len, exposures)) == 5
