"""Laws of dropping, for both twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, clip_area, frame_of, linear, positions, using
from mizzle.errors import SettingsError
from mizzle.kernel import drizzle

FEW = settings(max_examples=60, deadline=None)
KEEPING = ("square", "turbo", "point")
KERNELS = (*KEEPING, "gaussian", "lanczos2", "lanczos3", "lanczos5")

twin = pytest.mark.parametrize("twin", TWINS)
angles, scales = st.floats(0, 6.3), st.floats(0.3, 3.0)
seeds = st.integers(0, 2**32 - 1)


def scene(seed, angle, scale, mirror=False, bend=0.4, shape=(14, 17)):
    rng = np.random.default_rng(seed)
    pixmap = positions(shape, linear(angle, scale, mirror), bend)
    sci, weight = rng.normal(20, 5, shape), rng.uniform(0.5, 2.0, shape)
    weight[rng.random(shape) < 0.1] = 0
    return sci, weight, pixmap, frame_of(pixmap, 3 * scale)


@twin
@FEW
@given(seeds, angles, scales, st.booleans(), st.floats(0, 1), st.sampled_from(KEEPING))
def test_signal_and_weight_are_kept(twin, seed, angle, scale, mirror, pixfrac, kernel):
    sci, weight, pixmap, shape = scene(seed, angle, scale, mirror)
    with using(twin):
        mean, total = drizzle(sci, weight, pixmap, shape, pixfrac=pixfrac, kernel=kernel, pixel_scale_ratio=1 / scale)
    assert total.sum() == pytest.approx(weight.sum(), rel=1e-6)
    assert np.nansum(mean * total) == pytest.approx((sci * weight).sum(), rel=1e-6)
    assert np.array_equal(np.isnan(mean), total == 0)


@twin
@FEW
@given(seeds, angles, scales, st.floats(0.1, 1), st.sampled_from(KERNELS))
def test_flat_stays_flat(twin, seed, angle, scale, pixfrac, kernel):
    _, weight, pixmap, shape = scene(seed, angle, scale, bend=0.6)
    flat = np.full(weight.shape, 7.25)
    with using(twin):
        mean, total = drizzle(flat, weight, pixmap, shape, pixfrac=pixfrac, kernel=kernel, pixel_scale_ratio=1 / scale)
    # Lanczos weights change sign: where they cancel there is nothing to divide by.
    seen = np.abs(total) > (1e-3 * total.max() if kernel.startswith("lanczos") else 0)
    np.testing.assert_allclose(mean[seen], 7.25, rtol=1e-6)


@twin
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("loud", [1e9, np.inf, -np.inf, np.nan])
def test_zero_weight_pixel_is_invisible(twin, kernel, loud):
    sci, weight, pixmap, shape = scene(1, 0.4, 1.3)
    weight[2, 3] = 0.0
    with using(twin):
        quiet = drizzle(sci, weight, pixmap, shape, pixfrac=0.9, kernel=kernel)
        sci[2, 3] = loud
        np.testing.assert_array_equal(quiet, drizzle(sci, weight, pixmap, shape, pixfrac=0.9, kernel=kernel))


@twin
@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_pixel_without_a_number_is_as_one_without_weight(twin, hole):
    sci, weight, pixmap, shape = scene(2, 1.1, 0.8)
    with using(twin):
        clear = weight.copy()
        clear[5, 6] = 0
        expected = drizzle(sci, clear, pixmap, shape)
        sci[5, 6] = hole
        np.testing.assert_array_equal(expected, drizzle(sci, weight, pixmap, shape))


@twin
@pytest.mark.parametrize("kernel", KEEPING)
def test_identity_returns_the_input(twin, kernel):
    rng = np.random.default_rng(5)
    sci, weight = rng.normal(size=(30, 70)), rng.uniform(0.1, 1, (30, 70))
    y, x = np.mgrid[:30, :70].astype(float)
    with using(twin):
        mean, total = drizzle(sci, weight, np.stack([x, y], -1), (30, 70), kernel=kernel)
    np.testing.assert_allclose(mean, sci, rtol=1e-9)
    np.testing.assert_allclose(total, weight, rtol=1e-9)


@twin
@FEW
@given(seeds, angles, scales, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from(KERNELS))
def test_whole_pixel_shift_commutes(twin, seed, angle, scale, dx, dy, kernel):
    sci, weight, pixmap, (ny, nx) = scene(seed, angle, scale)
    pixmap, shape = pixmap + 16, (ny + 32, nx + 32)
    with using(twin):
        mean, total = drizzle(sci, weight, pixmap, shape, kernel=kernel, pixel_scale_ratio=1 / scale)
        moved = drizzle(sci, weight, pixmap + np.array([dx, dy]), shape, kernel=kernel, pixel_scale_ratio=1 / scale)
    total = np.roll(total, (dy, dx), (0, 1))
    # Where a drop merely grazes a cell, rounding decides whether it counts.
    np.testing.assert_allclose(moved[1], total, rtol=1e-8, atol=1e-8)
    seen = np.abs(total) > 1e-3
    np.testing.assert_allclose(moved[0][seen], np.roll(mean, (dy, dx), (0, 1))[seen], rtol=1e-6)


@twin
@FEW
@given(seeds, angles, scales, st.sampled_from(("square", "turbo", "gaussian")), st.integers(0, 7))
def test_mirrored_and_turned_maps_give_mirrored_and_turned_results(twin, seed, angle, scale, kernel, symmetry):
    sci, weight, pixmap, (ny, nx) = scene(seed, angle, scale)
    # A pixel just at the edge of a Gaussian's box belongs to it or not as the last bit falls: 3e-4 of its weight.
    pixmap = pixmap + np.array([0.0137, 0.0291])

    def turned(place, image=None):
        if symmetry & 1:
            place = np.stack([nx - 1 - place[..., 0], place[..., 1]], -1)
            image = None if image is None else image[:, ::-1]
        if symmetry & 2:
            place = np.stack([place[..., 0], ny - 1 - place[..., 1]], -1)
            image = None if image is None else image[::-1]
        if symmetry & 4:
            place = place[..., ::-1]
            image = None if image is None else image.T
        return place, image

    with using(twin):
        mean, total = drizzle(sci, weight, pixmap, (ny, nx), kernel=kernel, pixel_scale_ratio=1 / scale)
        place, expected = turned(pixmap, total)
        other = drizzle(sci, weight, place, expected.shape, kernel=kernel, pixel_scale_ratio=1 / scale)
    np.testing.assert_allclose(other[1], expected, rtol=1e-8, atol=1e-8)
    seen = expected > 1e-3
    np.testing.assert_allclose(other[0][seen], turned(pixmap, mean)[1][seen], rtol=1e-6)


@FEW
@given(seeds, angles, st.floats(0.2, 7.0), st.booleans(), st.floats(0, 1), st.sampled_from(KERNELS), st.floats(0, 1.5))
def test_twins_agree(seed, angle, scale, mirror, pixfrac, kernel, bend):
    sci, weight, pixmap, shape = scene(seed, angle, scale, mirror, bend, (9, 11))
    answers = []
    for name in TWINS:
        with using(name):
            answers.append(
                drizzle(sci, weight, pixmap, shape, pixfrac=pixfrac, kernel=kernel, pixel_scale_ratio=1 / scale)
            )
    (mean, total), (mean_twin, total_twin) = answers
    np.testing.assert_allclose(total, total_twin, rtol=1e-6, atol=1e-9)
    seen = np.abs(total) > 1e-3 * total.max()
    np.testing.assert_allclose(mean[seen], mean_twin[seen], rtol=1e-6)


@twin
@FEW
@given(st.lists(st.tuples(st.floats(0, 6), st.floats(0, 6)), min_size=4, max_size=4), st.floats(0, 6.3))
def test_overlap_is_that_of_a_polygon_cut_by_the_cell(twin, jitter, angle):
    """Corners at will, convex: the map of 3 x 3 pixels is bilinear through the corners of the middle one."""
    base = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    corners = base + 0.25 * np.array(jitter) + 9.3
    c, s = np.cos(angle), np.sin(angle)
    corners = (corners - 12) @ np.array([[c, s], [-s, c]]) + 12
    # The one pixel's map is bilinear through these corners: extend it to the 3 x 3 centers around it.
    f = np.array([-0.5, 0.5, 1.5])
    v, u = np.meshgrid(f, f, indexing="ij")
    p00, p10, p11, p01 = corners
    grid = (
        p00 * ((1 - u) * (1 - v))[..., None]
        + p10 * (u * (1 - v))[..., None]
        + p11 * (u * v)[..., None]
        + p01 * ((1 - u) * v)[..., None]
    )
    weight = np.zeros((3, 3))
    weight[1, 1] = 1
    with using(twin):
        _, total = drizzle(np.ones((3, 3)), weight, grid, (26, 26))
    x, y = corners.T
    area = abs(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    expected = np.array([[clip_area(corners, i, j) for i in range(26)] for j in range(26)]) / area
    np.testing.assert_allclose(total, expected, atol=1e-9)


@twin
def test_drop_on_a_corner_of_four_cells_feeds_them_alike(twin):
    diamond = linear(np.pi / 4, 0.6)
    pixmap = np.einsum("ij,yxj->yxi", diamond, np.stack(np.meshgrid([-1.0, 0, 1], [-1.0, 0, 1]), -1)) + 3.5
    weight = np.zeros((3, 3))
    weight[1, 1] = 8
    with using(twin):
        _, total = drizzle(np.ones((3, 3)), weight, pixmap, (8, 8), pixfrac=0.7)
    assert total[3:5, 3:5] == pytest.approx(np.full((2, 2), 2.0), rel=1e-12)
    assert total.sum() == pytest.approx(8, rel=1e-12)


@twin
def test_one_pixel_is_sized_by_the_scale_ratio(twin):
    one = np.ones((1, 1))
    with using(twin):
        mean, total = drizzle(7 * one, one, np.array([[[0.5, 0.0]]]), (1, 3))
        np.testing.assert_array_equal(mean, [[7.0, 7.0, np.nan]])
        np.testing.assert_array_equal(total, [[0.5, 0.5, 0.0]])
        _, total = drizzle(one, one, np.array([[[2.0, 2.0]]]), (5, 5), pixel_scale_ratio=1 / 3)
    np.testing.assert_allclose(total[1:4, 1:4], 1 / 9)


@twin
@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0, 1), st.sampled_from(KERNELS), st.floats(0.05, 20))
def test_wild_maps_do_no_harm(twin, seed, pixfrac, kernel, ratio):
    """NaN, infinite, folded, degenerate and huge maps: nothing crashes, and no weight is invented."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 70)))
    pixmap = rng.choice([1.0, 30.0, 1e3])[None] * rng.normal(size=(*shape, 2)) + rng.choice([0.0, 8.0])
    wild = rng.random((*shape, 2)) < 0.2
    pixmap[wild] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e300, 1e9, 2.0**31, 0.0, 5e-324], wild.sum())
    sci = rng.choice([0.0, 1.0, np.nan, np.inf, 1e30], shape)
    weight = rng.choice([0.0, 1.0, 2.0, np.nan, np.inf], shape)
    with using(twin):
        mean, total = drizzle(sci, weight, pixmap, (13, 17), pixfrac=pixfrac, kernel=kernel, pixel_scale_ratio=ratio)
    assert mean.shape == total.shape == (13, 17)
    assert np.isfinite(total).all()
    if kernel in KEEPING:
        assert (total >= 0).all()
        assert total.sum() <= weight[np.isfinite(weight)].sum() * (1 + 1e-9)
        assert np.isfinite(mean[total > 0]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kernel": "sinc"}, "kernel 'sinc' is unknown"),
        ({"pixfrac": 1.5}, "pixfrac is 1.5"),
        ({"pixfrac": float("nan")}, "pixfrac is nan"),
        ({"pixel_scale_ratio": 0.0}, "pixel scale ratio is 0"),
        ({"weight": np.ones((2, 2))}, "weight has shape"),
        ({"sci": np.ones((3, 4), complex)}, "needed real numbers"),
        ({"pixmap": np.ones((3, 4, 3))}, "pixmap has shape"),
        ({"shape": (0, 4)}, "a side of shape is 0"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(change, words):
    request = {"sci": np.ones((3, 4)), "weight": np.ones((3, 4)), "pixmap": np.ones((3, 4, 2)), "shape": (5, 5)}
    request.update(change)
    with pytest.raises(SettingsError, match=words):
        drizzle(**request)


def test_arguments_are_never_changed():
    given_arrays = scene(3, 0.5, 1.1)[:3]
    copies = [a.copy() for a in given_arrays]
    for array in given_arrays:
        array.flags.writeable = False
    drizzle(*given_arrays, (40, 40))
    for array, copy in zip(given_arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
