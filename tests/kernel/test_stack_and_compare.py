"""Stacks and comparisons: truths, and twins that agree."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, using
from mizzle.errors import SettingsError
from mizzle.kernel import Limits, StackRule, combine_stack, compare

twin = pytest.mark.parametrize("twin", TWINS)
FEW = settings(max_examples=60, deadline=None)
METHODS = ("median", "mean", "minmed", "clipped")


def random_stack(seed, n, holes=0.15):
    rng = np.random.default_rng(seed)
    stack = rng.normal(3, 1, (n, 5, 200)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.05] += 80
    stack[rng.random(stack.shape) < holes] = rng.choice([np.nan, np.inf, -np.inf])
    return stack, rng.uniform(0.5, 2, n), rng.uniform(0, 0.2, n)


@twin
@FEW
@given(st.integers(0, 2**31), st.integers(1, 33))
def test_median_and_mean_are_numpys(twin, seed, n):
    stack, _, _ = random_stack(seed, n)
    known = np.where(np.isfinite(stack), stack, np.nan)
    with warnings.catch_warnings(), using(twin):
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's own, on pixels without any value
        median, count = combine_stack(stack, StackRule("median"))
        mean, _ = combine_stack(stack, StackRule("mean"))
        np.testing.assert_array_equal(count, np.isfinite(stack).sum(axis=0))
        np.testing.assert_allclose(median, np.nanmedian(known, axis=0), rtol=1e-6)
        np.testing.assert_allclose(mean, np.nanmean(known, axis=0), rtol=1e-5)


@FEW
@given(st.integers(0, 2**31), st.integers(1, 20), st.sampled_from(METHODS), st.integers(0, 3), st.integers(0, 3))
def test_twins_agree(seed, n, method, nlow, nhigh):
    stack, floor, slope = random_stack(seed, n)
    rule = StackRule(method, nlow, nhigh, sigma=3.3, structure=0.17, least=min(n, 2))
    answers = []
    for name in TWINS:
        with using(name):
            answers.append(combine_stack(stack, rule, floor=floor, slope=slope))
    np.testing.assert_array_equal(answers[0][1], answers[1][1])
    # A value at the very limit may fall to either side.
    differ = ~np.isclose(answers[0][0], answers[1][0], rtol=1e-5, equal_nan=True)
    assert differ.sum() <= 1


@twin
@pytest.mark.parametrize("method", METHODS)
def test_bands_change_no_bit(twin, method):
    stack, floor, slope = random_stack(9, 7)
    rule = StackRule(method, nhigh=1)
    with using(twin):
        whole, _ = combine_stack(stack, rule, floor=floor, slope=slope)
        parts = [combine_stack(stack[:, j : j + 2], rule, floor=floor, slope=slope)[0] for j in range(0, 5, 2)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@twin
def test_truths_of_a_small_stack(twin):
    stack = np.array([[[4.0]], [[1.0]], [[100.0]], [[2.0]], [[np.nan]]], np.float32)

    def of(rule, **noise):
        image, count = combine_stack(stack, rule, **noise)
        assert count[0, 0] == 4
        return image[0, 0]

    ones = {"floor": np.ones(5), "slope": np.zeros(5)}
    with using(twin):
        assert of(StackRule("median")) == 3
        assert of(StackRule("median", nhigh=1)) == 2
        assert of(StackRule("mean", nlow=1, nhigh=1)) == 3
        assert of(StackRule("median", nlow=9, nhigh=9)) == 100
        assert of(StackRule("minmed"), **ones) == 2
        assert of(StackRule("minmed", sigma=0.5, structure=0), **ones) == 1
        assert of(StackRule("clipped", structure=0), **ones) == pytest.approx(7 / 3)
        assert np.isnan(of(StackRule("median", least=5)))


@pytest.mark.parametrize(
    ("stack", "rule", "noise", "words"),
    [
        (np.ones((2, 3)), StackRule(), {}, "needed \\(n, ny, nx\\)"),
        (np.ones((2, 3, 3)), StackRule("mode"), {}, "'mode' is unknown"),
        (np.ones((2, 3, 3)), StackRule("minmed"), {}, "give floor"),
        (np.ones((2, 3, 3)), StackRule("clipped"), {"floor": [1.0]}, "needed 2 finite numbers"),
        (np.ones((2, 3, 3)), StackRule("clipped"), {"floor": [1.0, 0.0]}, "floor must be positive"),
    ],
)
def test_a_wrong_stack_is_refused(stack, rule, noise, words):
    with pytest.raises(SettingsError, match=words):
        combine_stack(stack, rule, **noise)


LIMITS = Limits(gain=7.0, rate=3.0, sky=20.0, floor=30.0)


@twin
def test_a_seed_takes_its_neighbors_along(twin):
    expected = np.zeros((9, 12))
    sci = np.full((9, 12), 20.0 / 7)
    sigma = np.sqrt(50.0)
    for (j, i), height in {(4, 4): 4.1, (4, 5): 2.1, (5, 3): 2.1, (4, 6): 2.1, (0, 0): 3.9, (8, 11): 4.1}.items():
        sci[j, i] += height * sigma / 7
    with using(twin):
        mask = compare(sci, expected, LIMITS)
        assert {tuple(p) for p in np.argwhere(mask)} == {(4, 4), (4, 5), (5, 3), (8, 11)}
        bad = np.zeros(sci.shape)
        bad[4, 4] = 2
        assert {tuple(p) for p in np.argwhere(compare(sci, expected, LIMITS, bad=bad))} == {(8, 11)}
        low = compare(40 / 7 - sci, expected, LIMITS)
        assert not low.any()
        assert compare(40 / 7 - sci, expected, Limits(7.0, 3.0, 20.0, 30.0, both_sides=True)).sum() == 4


@twin
def test_steep_places_are_judged_mildly(twin):
    expected = np.zeros((7, 7))
    expected[3, 3] = 100.0
    sci = (expected * 3.0 + 20.0) / 7
    sci[3, 3] += 300 / 7
    with using(twin):
        assert not compare(sci, expected, LIMITS).any()
        assert compare(sci, expected, Limits(7.0, 3.0, 20.0, 30.0, seed=(4.0, 0.0))).sum() == 1
        assert compare(sci, expected, Limits(7.0, 3.0, 20.0, 30.0, quiet=300.0)).sum() == 1


@FEW
@given(st.integers(0, 2**31), st.booleans(), st.floats(0, 30))
def test_twins_flag_the_same_pixels(seed, both_sides, quiet):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 30)), int(rng.integers(1, 90)))
    expected = rng.exponential(20, shape).astype(np.float32)
    expected[rng.random(shape) < 0.05] = np.nan
    sci = (expected * 3 + 20 + rng.normal(0, 30, shape)).astype(np.float32) / 7
    bad = rng.random(shape) < 0.1
    limits = Limits(7.0, 3.0, 20.0, 30.0, (3.0, 0.5), (1.0, 0.2), quiet, both_sides)
    answers = []
    for name in TWINS:
        with using(name):
            answers.append(compare(sci, expected, limits, bad=bad))
    assert (answers[0] != answers[1]).sum() <= 1
    assert not answers[0][bad | np.isnan(expected)].any()


def test_a_wrong_comparison_is_refused():
    with pytest.raises(SettingsError, match="one shape"):
        compare(np.ones((3, 3)), np.ones((3, 4)), LIMITS)
