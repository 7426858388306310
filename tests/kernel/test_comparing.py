"""Reading the reference only where it matters changes no verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import SettingsError
from mizzle.kernel import ChipMap, blot_chip, native
from mizzle.kernel.compare import (
    SEED,
    SUSPECT,
    CompareOptions,
    RayThresholds,
    ReferenceImage,
    compare_chip,
    reading_bounds,
)
from mizzle.kernel.pixels import grow

F32 = np.float32
INTERPOLATIONS = tuple(native.INTERPOLATIONS)

native_only = pytest.mark.skipif(native.library() is None, reason="no compiled kernel")


def scene(rng, shape=(24, 70), crowd=0.01, holes=0.002):
    """Return a picture with stars, noise and holes, and a chip that lies askew on it and beyond its edge."""
    image = rng.normal(0, 0.5, (60, 90)).astype(F32)
    stars = rng.random(image.shape) < crowd
    for dy, dx, share in ((0, 0, 0.5), (0, 1, 0.2), (1, 0, 0.15), (0, -1, 0.1), (-1, 0, 0.05)):
        image += share * np.roll(stars * rng.exponential(300, image.shape), (dy, dx), (0, 1)).astype(F32)
    image[rng.random(image.shape) < holes] = np.nan
    angle = rng.uniform(0, 2 * np.pi)
    matrix = rng.uniform(0.7, 1.3) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = matrix @ np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    where = ChipMap.affine(shape, matrix, np.array([45.0, 30.0]) - middle + rng.uniform(-20, 20, 2))
    expected = np.nan_to_num(blot_chip(image, where))
    sci = (expected / 7 + rng.normal(0, 0.7, shape) + 20 / 7).astype(F32)
    hit = rng.random(shape) < 0.02
    sci[hit] += rng.exponential(30, hit.sum()).astype(F32)
    return image, where, sci, rng.random(shape) < 0.03


def judge(**more):
    known = {
        "gain": 7.0, "rate": 1.0, "sky": 20.0, "floor": 30.0, "quiet": 1.5, "peak": 0.16, "wing": 0.04,
        "seed_sigma": 3.4, "seed_slope": 0.6, "neighbor_sigma": 1.0, "neighbor_slope": 0.1, "doubt": 0.5,
        "suspect_slope": 0.05, "trust": 400.0,
    }  # fmt: skip
    return RayThresholds(**{**known, **more})


def bounded(image, interp="poly5"):
    edges = np.empty(image.shape, np.uint32)
    cut = image.shape[0] // 3
    reading_bounds(image, interp, slice(0, cut), edges)
    reading_bounds(image, interp, slice(cut, image.shape[0]), edges)
    return ReferenceImage(image, interp, edges)


def around(mask):
    return grow(mask, 1)


def assert_same(one, other, bright, asked, excess):
    """Same verdicts, and the same light wherever it is promised."""
    (first, first_known), (second, second_known) = one, other
    np.testing.assert_array_equal(first_known, second_known)
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_array_equal(first.marks, second.marks)
    told = around(second.marks & (SEED | SUSPECT) != 0) | around(second.light > bright)
    told |= asked & (second.light < excess)
    np.testing.assert_allclose(first.light[told], second.light[told], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(first.light > bright, second.light > bright)


@native_only
@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(INTERPOLATIONS),
    st.sampled_from([0.0, 0.003, 0.02, 0.1]),
    st.sampled_from([0.0, 0.04, 0.2]),
    st.integers(1, 2),
)
def test_verdicts_do_not_depend_on_where_the_picture_was_read(seed, interp, crowd, wing, unsure):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 30)), int(rng.integers(1, 140)))
    image, where, sci, bad = scene(rng, shape, crowd)
    asked = rng.random(sci.shape) < 0.1
    query = CompareOptions(edge=2, edge_rule=unsure, probe_level=80.0, extra_pixels=asked)
    how = judge(wing=wing, peak=4 * wing)
    some = compare_chip(sci, bad, bounded(image, interp), where, how, query)
    everything = compare_chip(sci, bad, ReferenceImage(image, interp), where, how, query)
    assert_same(some, everything, 80.0, asked, sci * F32(7) - F32(20))


@native_only
@pytest.mark.parametrize("seed", range(6))
def test_twins_compare_alike(seed, monkeypatch):
    image, where, sci, bad = scene(np.random.default_rng(seed))
    nothing = np.zeros(sci.shape, np.bool_)
    query, how = CompareOptions(edge=2, edge_rule=2, probe_level=80.0), judge()
    fast = compare_chip(sci, bad, bounded(image), where, how, query)
    monkeypatch.setattr(native, "library", lambda: None)
    assert_same(fast, compare_chip(sci, bad, bounded(image), where, how, query), 80.0, nothing, sci)


@native_only
def test_little_is_read_where_little_matters():
    image, where, sci, bad = scene(np.random.default_rng(1), (200, 200), crowd=0.0, holes=0.0)
    judged, _ = compare_chip(sci, bad, bounded(image), where, judge(), CompareOptions(probe_level=80.0))
    everything, known = compare_chip(sci, bad, ReferenceImage(image), where, judge(), CompareOptions(probe_level=80.0))
    assert known.any()
    assert everything.mask.any()
    assert np.isfinite(judged.light).sum() < 0.6 * np.isfinite(everything.light).sum()


@native_only
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(INTERPOLATIONS))
def test_readings_lie_within_their_bounds(seed, interp):
    rng = np.random.default_rng(seed)
    image = (rng.normal(0, 1, (40, 40)) * 10 ** rng.uniform(-2, 4, (40, 40))).astype(F32)
    image[rng.random(image.shape) < 0.01] = np.nan
    where = ChipMap.affine((60, 60), 0.7 * np.eye(2), rng.uniform(-2, 2, 2))
    values, edges = blot_chip(image, where, interp=interp), bounded(image, interp).bounds
    x, y = (np.floor(place).astype(int) for place in where.lines(np.arange(60), 0.5, np.arange(60.0)))
    inside = (x >= 0) & (y >= 0) & (x < 40) & (y < 40)
    pairs = edges[y[inside], x[inside]]
    low, high = ((half & np.uint32(0xFFFF0000)).view(F32) for half in (pairs << np.uint32(16), pairs))
    known = ~np.isnan(values[inside])
    assert np.all((low <= values[inside])[known])
    assert np.all((values[inside] <= high)[known])
    assert np.isfinite(low).any() or interp == "lanczos5"  # bounds nothing


def test_what_lies_below_is_flagged_too_where_asked():
    image, where, sci, bad = scene(np.random.default_rng(3))
    how = judge(negative=True)
    some = compare_chip(sci - F32(9), bad, bounded(image), where, how, CompareOptions())
    everything = compare_chip(sci - F32(9), bad, ReferenceImage(image), where, how, CompareOptions())
    assert some[0].mask.any()
    np.testing.assert_array_equal(some[0].mask, everything[0].mask)


def test_shapes_must_agree():
    image, where, sci, bad = scene(np.random.default_rng(4))
    with pytest.raises(SettingsError, match="must be equal"):
        compare_chip(sci[1:], bad, ReferenceImage(image), where, judge(), CompareOptions())
