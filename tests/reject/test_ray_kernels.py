"""Stacks and judgment: the two twins agree, and both obey the laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mizzle.kernel import compare, native, pixels
from mizzle.kernel import stack as stacks

F32 = np.float32
METHODS = ("clipped", "minmed", "median", "mean")


def rule(n, method="clipped", **more):
    return stacks.StackRule(method, np.full(n, 1.0, F32), np.full(n, 0.1, F32), **more)


def reduce(stack, how):
    out = np.empty(stack.shape[1:], F32)
    stacks.reduce_stack(np.ascontiguousarray(stack, F32), slice(0, stack.shape[1]), how, out)
    return out


@pytest.fixture(params=["native", "reference"])
def twin(request, monkeypatch):
    if request.param == "reference":
        monkeypatch.setattr(native, "library", lambda: None)
    elif native.library() is None:
        pytest.skip("no compiled kernel")
    return request.param


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.integers(1, 9),
    st.sampled_from(METHODS),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_twins_reduce_alike(data, n, method, nlow, nhigh):
    values = st.one_of(st.floats(-50, 500, width=32), st.just(np.nan))
    stack = data.draw(arrays(F32, (n, 3, 70), elements=values, fill=values))
    how = rule(n, method, sigma=3.0, structure=0.2, nlow=nlow, nhigh=nhigh)
    floor = data.draw(st.lists(st.sampled_from((1.0, 4.0, 25.0, 200.0)), min_size=n, max_size=n))
    how = replace(how, floor=np.array(floor, F32))
    np.testing.assert_allclose(reduce(stack, how), stacks.numpy_twin.reduce_stack(stack, how), rtol=2e-6, atol=1e-4)


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 70), st.booleans())
def test_twins_judge_alike(seed, ny, nx, negative):
    rng = np.random.default_rng(seed)
    expected = rng.normal(0, 1, (ny, nx)).astype(F32)
    expected[rng.random((ny, nx)) < 0.1] = np.nan
    sci = rng.normal(0, 3, (ny, nx)).astype(F32)
    bad = rng.choice(np.array([0, 1, 2], np.uint8), (ny, nx), p=[0.8, 0.1, 0.1])
    how = compare.RayThresholds(7.0, 6.5, 20.0, 30.0, 1.5, 0.16, 0.04, 2.0, 0.6, 1.0, 0.3, 0.5, negative, 0.2, 9.0)
    one, other = compare.flag_rays(sci, bad, expected, how), compare.numpy_twin.flag_rays(sci, bad, expected, how)
    np.testing.assert_array_equal(one.mask, other[0])
    np.testing.assert_array_equal(one.marks, other[1])
    np.testing.assert_allclose(one.light, other[2], rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 300), st.sampled_from((0.01, 0.3, 0.99)))
def test_twins_fill_holes_alike(seed, ny, nx, share):
    """Here and there, everywhere, and at the end of what is known."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 1, (ny, nx)).astype(F32)
    image[rng.random((ny, nx)) < share] = np.nan
    image[:, rng.integers(0, nx + 1) :] = np.nan
    expected = stacks.numpy_twin.fill_holes(image)
    np.testing.assert_array_equal(stacks.fill_holes(image), expected)
    assert stacks.fill_holes(image, image) is image
    np.testing.assert_array_equal(image, expected)


def test_equal_exposures_come_back(twin):
    image = np.linspace(-1, 400, 140, dtype=F32).reshape(2, 70)
    for method in METHODS:
        np.testing.assert_allclose(reduce(np.stack([image] * 4), rule(4, method)), image, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4, 6, 20])
def test_one_hit_in_any_exposure_leaves_the_reference_clean(twin, n):
    rng = np.random.default_rng(n)
    stack = rng.normal(0, 1, (n, 40, 70)).astype(F32)
    clean = reduce(stack, rule(n))
    hit = stack.copy()
    which = rng.integers(0, n, (40, 70))
    np.put_along_axis(hit, which[None], 200.0, axis=0)
    assert np.abs(reduce(hit, rule(n)) - clean).max() < (5.5 if n == 2 else 3.6)
    assert reduce(hit, rule(n)).mean() == pytest.approx(0.0, abs=0.4)


def test_two_hits_of_three_are_survived(twin):
    stack = np.zeros((3, 1, 64), F32)
    stack[1:] = 300.0
    assert reduce(stack, rule(3)).max() == 0


def test_fewer_than_two_values_are_nothing(twin):
    stack = np.full((3, 1, 64), np.nan, F32)
    stack[0] = 1.0
    stack[1, :, :32] = 3.0
    for method in METHODS:
        out = reduce(stack, rule(3, method))
        assert np.isnan(out[:, 32:]).all()
        assert np.isfinite(out[:, :32]).all()


def test_high_and_low_values_are_left_out_where_others_remain(twin):
    stack = np.array([1.0, 2.0, 4.0, 100.0], F32)[:, None, None] * np.ones((1, 1, 3), F32)
    assert reduce(stack, rule(4, "mean", nhigh=1))[0, 0] == pytest.approx(7 / 3, rel=1e-6)
    assert reduce(stack, rule(4, "median", nhigh=1))[0, 0] == 2.0
    assert reduce(stack, rule(4, "median", nlow=1, nhigh=1))[0, 0] == 3.0
    assert reduce(stack, rule(4, "median", nlow=9, nhigh=9))[0, 0] == 100.0
    assert reduce(stack, rule(4, "minmed", sigma=4.0))[0, 0] == 2.0


def test_long_exposures_outweigh_short_ones(twin):
    how = stacks.StackRule("clipped", np.array([1.0, 9.0], F32), np.zeros(2, F32), sigma=50.0)
    stack = np.array([0.0, 1.0], F32)[:, None, None] * np.ones((1, 1, 3), F32)
    assert reduce(stack, how)[0, 0] == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize(("value", "known"), [(1.0, False), (10.0, False), (1000.0, True)])
def test_one_long_exposure_asks_short_ones_of_what_is_bright(value, known, twin):
    """On the sky they know nothing; a star's own light makes all of them noisy, and one alone is no reference."""
    how = stacks.StackRule("clipped", np.array([1.0, 100.0, 100.0], F32), np.full(3, 1.0, F32))
    stack = np.full((3, 4, 4), value, F32)
    assert np.isfinite(reduce(stack, how)).all() == known
    stack[1] = np.nan
    two_long = stacks.StackRule("clipped", np.array([1.0, 1.0, 100.0], F32), np.full(3, 1.0, F32))
    assert np.isnan(reduce(stack, two_long)).all() != known
    stack[1], stack[2] = value, 2.0 * value + 50.0
    np.testing.assert_allclose(reduce(stack, two_long), value)


JUDGE = compare.RayThresholds(
    gain=7.0, rate=7.0, sky=20.0, floor=40.0, quiet=0.0, peak=0.0, wing=0.0, seed_sigma=4.0, seed_slope=1.0,
    neighbor_sigma=2.0, neighbor_slope=0.5,
)  # fmt: skip
SIGMA = np.sqrt(60.0) / 7.0  # DN, on the sky


def flat(height):
    sci = np.full((9, 9), 20.0 / 7.0, F32)
    sci[4, 4] += height
    return sci


def judged(sci, bad=None, expected=None, how=JUDGE):
    empty = np.zeros((9, 9), F32)
    bad = np.zeros((9, 9), bool) if bad is None else bad
    return compare.flag_rays(sci, bad, empty if expected is None else expected, how).mask


def test_thresholds_are_true_sigma(twin):
    assert not judged(flat(3.95 * SIGMA)).any()
    assert judged(flat(4.05 * SIGMA)).sum() == 1


def test_neighbors_need_a_seed(twin):
    sci = flat(5 * SIGMA)
    sci[4, 5] += 2.5 * SIGMA
    sci[7, 7] += 2.5 * SIGMA
    assert np.argwhere(judged(sci)).tolist() == [[4, 4], [4, 5]]


def test_bad_pixels_are_neither_flagged_nor_seeds(twin):
    sci = flat(50 * SIGMA)
    sci[4, 5] += 2.5 * SIGMA
    bad = np.zeros((9, 9), bool)
    bad[4, 4] = True
    assert not judged(sci, bad).any()


def test_unknown_expectation_flags_nothing_there_and_hides_nothing_beside(twin):
    expected = np.zeros((9, 9), F32)
    expected[4, 5] = np.nan
    sci = flat(10 * SIGMA)
    sci[4, 5] += 10 * SIGMA
    assert np.argwhere(judged(sci, expected=expected)).tolist() == [[4, 4]]


def test_a_step_of_the_reference_raises_the_threshold(twin):
    expected = np.zeros((9, 9), F32)
    expected[4, 5] = 5 * SIGMA
    sci = flat(6 * SIGMA)
    sci[4, 5] += 5 * SIGMA
    assert not judged(sci, expected=expected).any()
    assert judged(flat(6 * SIGMA))[4, 4]


def test_low_pixels_count_on_request_only(twin):
    assert not judged(flat(-6 * SIGMA)).any()
    assert judged(flat(-6 * SIGMA), how=replace(JUDGE, negative=True))[4, 4]


def test_growth_is_a_radius(twin):
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    assert [pixels.grow(mask, r).sum() for r in range(3)] == [1, 9, 25]
    assert mask.sum() == 1


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 70), st.integers(0, 12))
def test_growth_reaches_all_that_is_near(seed, ny, nx, radius):
    mask = np.random.default_rng(seed).random((ny, nx)) < 0.05
    there = np.argwhere(mask)
    expected = [np.any(np.abs(there - place).max(axis=1) <= radius) for place in np.ndindex(ny, nx)]
    np.testing.assert_array_equal(pixels.grow(mask, radius).ravel(), expected)
    np.testing.assert_array_equal(pixels.numpy_twin.grow(mask, radius).ravel(), expected)


def test_a_hole_is_filled_and_an_edge_is_not(twin):
    image = np.ones((7, 7), F32)
    image[3, 3] = np.nan
    image[:, 0] = np.nan
    filled = stacks.fill_holes(image)
    assert filled[3, 3] == 1.0
    assert np.isnan(filled[:, 0]).all()


def test_where_the_expectation_is_not_sure_seeds_are_only_suspect(twin):
    unsure = np.zeros((9, 9), np.uint8)
    unsure[4, 4] = 2
    how = replace(JUDGE, suspect_slope=0.5)
    told = compare.flag_rays(flat(9 * SIGMA), unsure, np.zeros((9, 9), F32), how)
    assert not told.mask.any()
    assert told.marks[4, 4] == compare.NEAR | compare.SUSPECT
    unsure[4, 4] = 1
    assert not compare.flag_rays(flat(9 * SIGMA), unsure, np.zeros((9, 9), F32), how).marks.any()


def test_beside_what_may_be_saturated_seeds_are_only_suspect(twin):
    expected = np.zeros((9, 9), F32)
    expected[4, 5] = 100.0
    sci = flat(0.0)
    sci[4, 4:6] += 1000.0
    how = replace(JUDGE, suspect_slope=0.5)
    assert compare.flag_rays(sci, np.zeros((9, 9), bool), expected, how).mask[4, 4:6].all()
    told = compare.flag_rays(sci, np.zeros((9, 9), bool), expected, replace(how, trust=600.0))
    assert not told.mask.any()
    assert (told.marks[4, 4:6] & compare.SUSPECT).all()


def test_suspects_have_a_slope_of_their_own(twin):
    expected = np.zeros((9, 9), F32)
    expected[4, 5] = 5 * SIGMA
    sci = flat(7 * SIGMA)
    sci[4, 5] += 5 * SIGMA
    how = replace(JUDGE, suspect_slope=0.2)
    told = compare.flag_rays(sci, np.zeros((9, 9), bool), expected, how)
    assert not told.mask.any()
    assert np.argwhere(told.marks & compare.SUSPECT).tolist() == [[4, 4]]
    assert not compare.flag_rays(sci, np.zeros((9, 9), bool), expected, JUDGE).marks[4, 4] & compare.SUSPECT


@pytest.mark.parametrize("count", [7, 13, 20])
def test_one_value_that_is_too_low_does_not_stand_against_many(count):
    """A bright star lost its core in 15 of 20 exposures: in one, beside lost pixels, it had been read far too low."""
    rng = np.random.default_rng(count)
    stack = rng.uniform(1.0, 1.6, (count, 1, 200)).astype(F32)
    low = stack.copy()
    low[rng.integers(0, count, 200), 0, np.arange(200)] = 0.5
    how = rule(count, "clipped", structure=0.3)
    np.testing.assert_allclose(reduce(low, how), reduce(stack, how), rtol=0.15)
