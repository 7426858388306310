"""Drizzling with stored maps: on any number of threads, with variance and context, several images into one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, frame_of, linear, positions, using
from mizzle.errors import SettingsError
from mizzle.kernel import Accumulator, blot, drizzle
from mizzle.kernel.bands import busy_edges, even_edges, thread_count
from mizzle.kernel.coadd_inputs import misses
from mizzle.kernel.drop import stored
from mizzle.kernel.drop.stored import center_ranges
from mizzle.kernel.maps.types import StoredMap
from mizzle.kernel.native import library

KERNELS = ("square", "point", "turbo", "gaussian", "lanczos2", "lanczos3", "lanczos5")
twin = pytest.mark.parametrize("twin", TWINS)


def scene(seed, shape):
    """A bent map with holes, folds and jumps in it, and an image with bad pixels."""
    rng = np.random.default_rng(seed)
    pixmap = positions(shape, linear(rng.uniform(0, 6.3), rng.uniform(0.4, 2.0)), 0.7)
    broken = rng.random(shape) < rng.choice([0.0, 0.02])
    pixmap[broken] = rng.choice([np.nan, np.inf, -1e300, 5.0], (np.count_nonzero(broken), 2))
    sci, weight = rng.normal(10, 3, shape), rng.uniform(0.5, 2.0, shape) * (rng.random(shape) > 0.05)
    sci[rng.random(shape) < 0.01] = np.nan
    return sci, weight, pixmap


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 1), (1, 90), (50, 1), (2, 2), (23, 64), (40, 65), (31, 200)]),
    pixfrac=st.sampled_from([1.0, 0.7, 0.1]),
    ratio=st.floats(0.4, 2.0),
)
def test_threads_change_nothing(kernel, seed, shape, pixfrac, ratio):
    sci, weight, pixmap = scene(seed, shape)
    out = (int(np.clip(np.nanmax(np.where(np.isfinite(pixmap), pixmap, 0)), 3, 90)), 70)
    given_ = {"pixfrac": pixfrac, "kernel": kernel, "pixel_scale_ratio": ratio}
    with using("native"):
        alone = drizzle(sci, weight, pixmap, out, threads=1, **given_)
        shared = drizzle(sci, weight, pixmap, out, threads=3, **given_)
    np.testing.assert_array_equal(shared.weight, alone.weight)
    np.testing.assert_array_equal(shared.mean, alone.mean)


def assert_alike(native, reference):
    """The same sums; the same context wherever weight is more than rounding."""
    np.testing.assert_allclose(native.sums, reference.sums, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(native.variance_sum, reference.variance_sum, rtol=1e-9, atol=1e-9)
    clear = np.abs(reference.weight) > 1e-9
    np.testing.assert_array_equal(native.context[:, clear], reference.context[:, clear])


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 9), (7, 1), (9, 70)]),
    pixfrac=st.sampled_from([1.0, 0.6]),
)
def test_twins_agree(kernel, seed, shape, pixfrac):
    sci, weight, pixmap = scene(seed, shape)
    sums = []
    for name in TWINS:
        acc = Accumulator((60, 70), variance=True, context=True)
        with using(name):
            drizzle(
                sci, weight, pixmap, (60, 70), pixfrac=pixfrac, kernel=kernel, variance=sci**2, context=40, into=acc,
                threads=2,
            )  # fmt: skip
        sums.append(acc)
    assert_alike(*sums)


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(-0.05, 0.05), size=st.floats(0.9, 1.1), seed=st.integers(0, 2**32 - 1))
def test_twins_agree_where_most_drops_touch_few_cells(angle, size, seed):
    """Along the grid most groups of drops lie within 2 x 2 cells, and some do not."""
    rng = np.random.default_rng(seed)
    pixmap = positions((9, 200), linear(angle, size), 0.3)
    sci, weight = rng.normal(10, 3, (9, 200)), rng.uniform(0.5, 2.0, (9, 200))
    sums = []
    for name in TWINS:
        acc = Accumulator((40, 250), variance=True, context=True)
        with using(name):
            drizzle(sci, weight, pixmap, (40, 250), variance=sci**2, context=3, into=acc)
        sums.append(acc)
    assert_alike(*sums)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from([(1, 1), (3, 63), (5, 64), (7, 131), (2, 200)]))
def test_ranges_say_where_pixels_lie(seed, shape):
    """Least and greatest of the numbers, x without end where a place is none; misses are those counted one by one."""
    _, _, pixmap = scene(seed, shape)
    where = StoredMap(pixmap, 1.0)
    with using("native"):
        ranges = center_ranges(library(), where, 1)
    for j, row in enumerate(ranges):
        for number, (low, high, left, right) in enumerate(row):
            places = pixmap[j, 64 * number : 64 * (number + 1)]
            y = places[:, 1][~np.isnan(places[:, 1])]
            assert (low, high) == (y.min(initial=np.inf), y.max(initial=-np.inf))
            whole = np.isfinite(places).all()
            assert (left, right) == ((places[:, 0].min(), places[:, 0].max()) if whole else (-np.inf, np.inf))
    for frame in ((40, 60), (500, 500), (1, 1)):
        with np.errstate(invalid="ignore"):
            inside = ((pixmap > -0.5) & (pixmap < np.array(frame[::-1]) - 0.5)).all(axis=2)
        counts = {"nmiss": np.count_nonzero(~inside), "nskip": np.count_nonzero(~inside.any(axis=1))}
        assert misses(pixmap, frame, ranges) == misses(pixmap, frame) == counts


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(2, 2), (3, 63), (5, 64), (7, 131), (2, 200), (40, 70)]),
    threads=st.sampled_from([1, 3]),
)
def test_corners_lie_where_their_ranges_say(seed, shape, threads):
    """A band looks at no other chunk: no corner of a drop lies beyond."""
    rng = np.random.default_rng(seed)
    pixmap = positions(shape, linear(rng.uniform(0, 6.3), rng.uniform(0.4, 2.0)), 0.7)
    pixmap += rng.normal(0, 0.3, pixmap.shape)
    where = StoredMap(pixmap, 1.0)
    with using("native"):
        wide = stored._with_corners(library(), center_ranges(library(), where, threads), where, threads)
    around = np.pad(pixmap[..., 1], 1, mode="reflect", reflect_type="odd")
    corners = 0.25 * (around[:-1, :-1] + around[1:, :-1] + around[:-1, 1:] + around[1:, 1:])
    for j, row in enumerate(wide):
        for number, (low, high) in enumerate(row):
            own = corners[j : j + 2, 64 * number : 64 * (number + 1) + 1]
            assert low - 1e-9 <= own.min()
            assert own.max() <= high + 1e-9
    inner = wide[1:-1, 1:-1]
    assert (inner[..., 1] - inner[..., 0] <= np.ptp(pixmap[..., 1])).all()


@pytest.mark.parametrize("kernel", ["square", "turbo", "gaussian", "lanczos3"])
@pytest.mark.parametrize("height", [1, 3, 17])
def test_sums_of_a_few_rows_at_a_time_are_those_of_all(kernel, height, monkeypatch):
    """An image alone is what it is in sums of the whole frame, to the bit, however few rows are kept."""
    monkeypatch.setattr(stored, "SCRATCH", 0)
    monkeypatch.setattr(stored, "FEWEST_ROWS", height)
    sci, weight, pixmap = scene(3, (31, 200))
    with using("native"):
        alone = drizzle(sci, weight, pixmap, (60, 70), kernel=kernel, threads=2)
        whole = drizzle(sci, weight, pixmap, (60, 70), kernel=kernel, into=Accumulator((60, 70)))
    np.testing.assert_array_equal(alone.weight, whole.weight)
    np.testing.assert_array_equal(alone.mean, whole.mean)


@twin
def test_several_images_make_one(twin):
    """Sums add up whatever the order; a variance falls as the weights say; each image leaves its bit."""
    images = [scene(seed, (12, 30)) for seed in (2, 4, 6)]
    images = [
        (np.nan_to_num(sci), weight, np.nan_to_num(pixmap, posinf=3.0, neginf=3.0)) for sci, weight, pixmap in images
    ]
    out = (70, 80)
    with using(twin):
        whole, back = (Accumulator(out, variance=True, context=True) for _ in range(2))
        for number, (sci, weight, pixmap) in enumerate(images):
            result = drizzle(sci, weight, pixmap, out, variance=np.full(sci.shape, 4.0), context=number, into=whole)
        for number, (sci, weight, pixmap) in reversed(list(enumerate(images))):
            drizzle(sci, weight, pixmap, out, variance=np.full(sci.shape, 4.0), context=number, into=back)
        alone = [drizzle(sci, weight, pixmap, out) for sci, weight, pixmap in images]
    total = sum(one.weight for one in alone)
    np.testing.assert_allclose(result.weight, total, rtol=1e-12)
    np.testing.assert_allclose(back.sums, whole.sums, rtol=1e-12, atol=1e-12)
    mean = sum(np.nan_to_num(one.mean) * one.weight for one in alone)[total > 0] / total[total > 0]
    np.testing.assert_allclose(result.mean[total > 0], mean, rtol=1e-10)
    np.testing.assert_array_equal(np.isnan(result.mean), total == 0)
    bits = sum((one.weight > 0).astype(np.int32) << number for number, one in enumerate(alone))
    np.testing.assert_array_equal(whole.context[0], bits)


@twin
def test_a_point_keeps_its_own_variance(twin):
    rng = np.random.default_rng(5)
    pixmap = np.stack(np.meshgrid(np.arange(9.0), np.arange(6.0)), axis=-1)
    variance, weight = rng.uniform(1, 9, (6, 9)), rng.uniform(0.5, 2, (6, 9))
    acc = Accumulator((6, 9), variance=True)
    with using(twin):
        drizzle(np.ones((6, 9)), weight, pixmap, (6, 9), kernel="point", variance=variance.astype(np.float32), into=acc)
    np.testing.assert_allclose(acc.error() ** 2, variance, rtol=1e-6)


def test_what_is_not_kept_is_not_taken():
    one = np.ones((2, 2))
    here = np.zeros((2, 2, 2))
    plain, other = Accumulator((3, 3)), Accumulator((4, 3), variance=True, context=True)
    for wrong, says in (
        ({"variance": one}, "variance"),
        ({"variance": one, "into": plain}, "variance"),
        ({"context": 0, "into": plain}, "context"),
        ({"context": -1, "into": Accumulator((3, 3), context=True)}, "context"),
        ({"into": other}, "into has shape"),
        ({"variance": np.ones(3), "into": other}, "variance has shape"),
        ({"threads": 0}, "threads"),
    ):
        with pytest.raises(SettingsError, match=says):
            drizzle(one, one, here, (3, 3), **wrong)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from([(1, 1), (40, 65), (31, 200)]))
def test_blotting_on_threads_changes_nothing(seed, shape):
    _, _, pixmap = scene(seed, shape)
    image = np.random.default_rng(seed).normal(size=(60, 50))
    with using("native"):
        np.testing.assert_array_equal(blot(image, pixmap, threads=3), blot(image, pixmap, threads=1))


@given(
    st.lists(st.floats(-5, 50, allow_nan=False) | st.just(float("nan")), max_size=30),
    st.integers(1, 40),
    st.integers(1, 4),
)
def test_bands_cover_every_row_once(places, size, threads):
    for edges in (busy_edges(np.array(places, float), size, threads), even_edges(size, threads)):
        assert edges[0] == 0
        assert edges[-1] == size
        assert all(low <= high for low, high in pairwise(edges))


def test_small_images_are_not_worth_a_thread():
    assert thread_count(1000, None) == 1
    assert thread_count(1000, 3) == 3


def test_a_map_fills_its_frame():
    """No pixel's weight is lost where the frame holds them all."""
    pixmap = positions((40, 130), linear(0.4, 0.9), 0.6)
    shape = frame_of(pixmap, 8)
    with using("native"):
        result = drizzle(np.ones((40, 130)), np.ones((40, 130)), pixmap, shape, threads=4)
    assert result.weight.sum() == pytest.approx(40 * 130, rel=1e-12)
