"""The fused path: Chebyshev maps, row terms, bands, threads, variance, context; both twins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, bent_chip, frame_of_chip, linear, using
from mizzle.errors import DataError, SettingsError
from mizzle.kernel import Accumulator, ChipMap, accumulate, backend, drizzle

FEW = settings(max_examples=40, deadline=None)
twin = pytest.mark.parametrize("twin", TWINS)
seeds, angles, scales = st.integers(0, 2**32 - 1), st.floats(0, 6.3), st.floats(0.3, 2.5)


def drop_areas(chip_map: ChipMap, pixfrac: float = 1.0) -> np.ndarray:
    """Output area of each drop, from its corners."""
    rows, columns, half = np.arange(chip_map.shape[0]), np.arange(chip_map.shape[1]), pixfrac / 2
    corners = [
        chip_map.lines(rows, 0.5 + dy, columns + dx)
        for dx, dy in ((-half, -half), (half, -half), (half, half), (-half, half))
    ]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    return np.abs(0.5 * ((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0)))


@twin
@settings(max_examples=15, deadline=None)
@given(seeds, angles, scales)
def test_drops_tile_the_plane(twin, seed, angle, scale):
    """With each drop's area as its weight, every cell inside the chip holds exactly 1: no gap, no overlap."""
    chip_map = bent_chip((16, 70), angle, scale, seed)
    acc = Accumulator(frame_of_chip(chip_map))
    with using(twin):
        accumulate(acc, np.ones(chip_map.shape), chip_map, relative_weight=drop_areas(chip_map))
    assert acc.weight.max() <= 1 + 1e-9
    assert acc.weight.sum() == pytest.approx(drop_areas(chip_map).sum(), rel=1e-9)
    covered = acc.weight > 1 - 1e-9
    # Cells whose whole neighborhood lies on the chip are full.
    x, y = np.meshgrid(np.arange(acc.shape[1]), np.arange(acc.shape[0]))
    rim = np.concatenate([np.column_stack(chip_map(*edge)) for edge in _rim(chip_map)])
    inside = _inside(rim, x, y)
    near = np.min(np.hypot(x[..., None] - rim[:, 0], y[..., None] - rim[:, 1]), axis=-1) < 1.5
    assert covered[inside & ~near].all()
    assert (acc.weight[~inside & ~near] == 0).all()


def _rim(chip_map):
    ny, nx = chip_map.shape
    t = np.linspace(-0.5, nx - 0.5, 2 * nx), np.linspace(-0.5, ny - 0.5, 2 * ny)
    low, right, top = np.full(t[0].size, -0.5), np.full(t[1].size, nx - 0.5), np.full(t[0].size, ny - 0.5)
    return (t[0], low), (right, t[1]), (t[0][::-1], top), (np.full(t[1].size, -0.5), t[1][::-1])


def _inside(rim, x, y):
    """Ray casting."""
    result = np.zeros(x.shape, bool)
    for (xa, ya), (xb, yb) in zip(rim, np.roll(rim, -1, axis=0), strict=True):
        if ya != yb:
            crosses = (ya > y) != (yb > y)
            result ^= crosses & (x < xa + (y - ya) / (yb - ya) * (xb - xa))
    return result


@FEW
@given(
    seeds,
    angles,
    scales,
    st.sampled_from(("square", "point", "turbo", "gaussian", "lanczos2", "lanczos3", "lanczos5")),
    st.floats(0.1, 1),
)
def test_twins_agree_on_everything(seed, angle, scale, kernel, pixfrac):
    rng = np.random.default_rng(seed)
    chip_map = bent_chip((13, 75), angle, scale, seed)
    sci = rng.normal(30, 10, chip_map.shape).astype(np.float32)
    given_request = {
        "mask": rng.random(chip_map.shape) < 0.1,
        "relative_weight": rng.uniform(0.5, 1, chip_map.shape),
        "multiply": 1.3,
        "subtract": 4.0,
        "weight": 2.0,
        "variance": (3.0, 0.4),
        "kernel": kernel,
        "pixfrac": pixfrac,
        "pixel_scale_ratio": 1 / scale,
        "context_bit": 33,
    }
    sums = []
    for name in TWINS:
        acc = Accumulator(frame_of_chip(chip_map), variance=True, context=True)
        with using(name):
            accumulate(acc, sci, chip_map, **given_request)
        sums.append(acc)
    one, two = sums
    np.testing.assert_allclose(one.sums, two.sums, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(one.variance_sum, two.variance_sum, rtol=1e-6, atol=1e-9)
    # A share at the very limit of what counts may fall to either side.
    heavy = one.weight > 1e-6
    np.testing.assert_array_equal(one.context[:, heavy], two.context[:, heavy])
    if not kernel.startswith("lanczos"):
        assert (one.context[1][heavy] == 2).all()
    assert (one.context[0] == 0).all()


@twin
@pytest.mark.parametrize("kernel", ["square", "turbo", "point", "gaussian", "lanczos2", "lanczos3", "lanczos5"])
def test_stored_and_polynomial_maps_are_one(twin, kernel):
    shape = (24, 31)
    chip_map = ChipMap.affine(shape, linear(0.6, 0.9), [30.0, 5.0])
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixmap = np.stack(chip_map(x, y), axis=-1)
    sci = np.random.default_rng(4).normal(3, 1, shape)
    with using(twin):
        _, total = drizzle(sci, np.ones(shape), pixmap, (60, 60), kernel=kernel, pixfrac=0.7, pixel_scale_ratio=1 / 0.9)
        acc = Accumulator((60, 60))
        accumulate(acc, sci, chip_map, kernel=kernel, pixfrac=0.7, pixel_scale_ratio=1 / 0.9)
    np.testing.assert_allclose(acc.weight, total, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kernel", ["square", "turbo", "gaussian", "lanczos3", "lanczos5", "point"])
@pytest.mark.parametrize("pixfrac", [1.0, 0.6])
@pytest.mark.parametrize("extras", [False, True])
def test_bands_and_threads_change_no_bit(kernel, pixfrac, extras):
    chips = [bent_chip((70, 200), angle, scale, k) for k, (angle, scale) in enumerate([(0.5, 0.8), (2.1, 0.5), (0, 1)])]
    shape = tuple(np.max([frame_of_chip(c) for c in chips], axis=0))
    sci = [np.random.default_rng(k).normal(9, 3, c.shape).astype(np.float32) for k, c in enumerate(chips)]

    def run(bands, pool=None):
        acc = Accumulator(shape, variance=extras, context=extras)
        acc.reserve_context(70)

        def one(rows):
            for k, chip_map in enumerate(chips):
                accumulate(
                    acc,
                    sci[k],
                    chip_map,
                    variance=(1, 0.1),
                    kernel=kernel,
                    pixfrac=pixfrac,
                    context_bit=33 * k,
                    rows=rows,
                )

        edges = np.linspace(0, shape[0], bands + 1).astype(int)
        jobs = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        list(pool.map(one, jobs) if pool else map(one, jobs))
        return acc

    with using("native"), ThreadPoolExecutor(4) as pool:
        whole = run(1)
        for other in (run(7), run(shape[0]), run(5, pool)):
            np.testing.assert_array_equal(whole.sums, other.sums)
            if extras:
                np.testing.assert_array_equal(whole.variance_sum, other.variance_sum)
                np.testing.assert_array_equal(whole.context, other.context)


@twin
def test_bands_write_nothing_else(twin):
    chip_map = bent_chip((30, 40), 0.7, 1.1, 3)
    acc = Accumulator(frame_of_chip(chip_map))
    with using(twin):
        accumulate(acc, np.ones(chip_map.shape), chip_map, rows=(20, 31))
    assert acc.weight[20:31].sum() > 50
    assert acc.weight[:20].sum() == acc.weight[31:].sum() == 0


@twin
def test_order_of_exposures_matters_to_rounding_only(twin):
    chips = [bent_chip((20, 30), angle, 1.2, k) for k, angle in enumerate((0.3, 1.0, 2.5))]
    shape = tuple(np.max([frame_of_chip(c) for c in chips], axis=0))
    answers = []
    with using(twin):
        for order in ((0, 1, 2), (2, 0, 1)):
            acc = Accumulator(shape)
            for k in order:
                accumulate(acc, np.full((20, 30), 1.0 + k), chips[k], weight=1 + 0.3 * k)
            answers.append(acc)
    np.testing.assert_allclose(answers[0].sums, answers[1].sums, rtol=1e-12, atol=1e-12)


@twin
def test_row_term_moves_the_edges_of_rows(twin):
    """A row narrower by 3 % keeps its weight in a smaller area, and its neighbors close the gap."""
    edges = np.zeros(9)
    edges[5:] = -0.03
    chip_map = ChipMap.affine((8, 6), np.eye(2), [2.0, 2.0], edges)
    acc = Accumulator((14, 10))
    with using(twin):
        accumulate(acc, np.ones((8, 6)), chip_map)
    column = acc.weight[:, 4]
    assert column[5] == pytest.approx(1)
    # Row 4 lies in 5.5 .. 6.47; row 5 begins there.
    assert column[6] == pytest.approx(1 + 0.03)
    assert column[7] == pytest.approx(1)
    assert column[9] == pytest.approx(0.97)
    assert column.sum() == pytest.approx(8)


@twin
def test_variance_is_propagated(twin):
    rng = np.random.default_rng(8)
    chip_map = ChipMap.affine((6, 6), linear(0.3, 1.3), [4.0, 2.0])
    sci = rng.normal(50, 30, (6, 6))
    with using(twin):
        acc = Accumulator((14, 14), variance=True)
        accumulate(acc, sci, chip_map, multiply=2.0, weight=3.0, variance=(5.0, 0.5))
        expected = np.zeros((14, 14))
        for j in range(6):
            for i in range(6):
                alone = np.ones((6, 6), bool)
                alone[j, i] = False
                one = Accumulator((14, 14))
                accumulate(one, np.ones((6, 6)), chip_map, mask=alone, weight=3.0)
                expected += one.weight**2 * (5.0 + 0.5 * max(sci[j, i], 0))
    np.testing.assert_allclose(acc.variance_sum, expected, rtol=1e-9)
    seen = acc.weight > 0
    np.testing.assert_allclose(acc.error()[seen], np.sqrt(expected[seen]) / acc.weight[seen])
    assert np.isnan(acc.error()[~seen]).all()


@twin
def test_input_of_any_layout_is_read_alike(twin):
    chip_map = bent_chip((10, 12), 0.4, 1.0, 1)
    sci = np.random.default_rng(0).normal(size=(10, 12)).astype(np.float32)
    mask = np.zeros((10, 12), np.int16)
    mask[3, 4] = -300
    answers = []
    with using(twin):
        for given_sci, given_mask in (
            (sci, mask),
            (sci.astype(">f4"), mask != 0),
            (np.asfortranarray(sci), (mask != 0).astype(np.uint8)),
            (np.repeat(sci, 2, axis=1)[:, ::2], mask),
        ):
            acc = Accumulator(frame_of_chip(chip_map))
            accumulate(acc, given_sci, chip_map, mask=given_mask)
            answers.append(acc.sums)
    for other in answers[1:]:
        np.testing.assert_array_equal(answers[0], other)
    assert answers[0][..., 1].sum() == pytest.approx(119)


def test_reference_can_be_forced():
    with using("reference"):
        assert backend() == "reference"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": (5, 900)}, "do not lie within"),
        ({"rows": (7, 3)}, "do not lie within"),
        ({"context_bit": -1}, "must not be negative"),
        ({"weight": float("nan")}, "weight is nan"),
        ({"variance": (1.0, float("inf"))}, "v1 is inf"),
        ({"mask": np.zeros((2, 2))}, "mask has shape"),
        ({"relative_weight": np.zeros((2, 2))}, "relative_weight has shape"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(change, words):
    chip_map = bent_chip((10, 12), 0.4, 1.0, 1)
    with pytest.raises(SettingsError, match=words):
        accumulate(Accumulator((40, 40)), np.ones((10, 12)), chip_map, **change)


@pytest.mark.parametrize(
    ("cx", "edges", "words"),
    [
        (np.zeros((2, 3)), np.zeros(11), "two equal square sets"),
        (np.zeros((17, 17)), np.zeros(11), "up to degree 15"),
        (np.zeros((2, 2)), np.zeros(10), "ny \\+ 1 edges"),
        (np.full((2, 2), np.nan), np.zeros(11), "not finite"),
    ],
)
def test_a_wrong_map_is_refused(cx, edges, words):
    with pytest.raises(DataError, match=words):
        ChipMap(cx, cx, edges, (10, 12))


def test_map_evaluates_its_own_definition():
    chip_map = bent_chip((30, 40), 0.9, 0.7, 12)
    y, x = np.mgrid[:30, :40].astype(float)
    by_lines = chip_map.lines(np.arange(30), 0.5, np.arange(40.0))
    np.testing.assert_allclose(by_lines, chip_map(x, y), rtol=0, atol=1e-10)
    matrix = linear(0.2, 1.7)
    plain = ChipMap.affine((30, 40), matrix, [3.0, -2.0])
    expected = np.einsum("ij,jyx->iyx", matrix, np.stack([x, y])) + np.array([3.0, -2.0])[:, None, None]
    np.testing.assert_allclose(plain(x, y), expected, atol=1e-10)


def test_a_sparse_accumulator_gives_the_same_sums():
    chip_map = bent_chip((16, 70), 0.4, 1.1, 3)
    shape = frame_of_chip(chip_map)
    plain, sparse = (Accumulator(shape, variance=True, context=True, sparse=choice) for choice in (False, True))
    for acc in (plain, sparse):
        acc.reserve_context(40)
        accumulate(acc, np.ones(chip_map.shape, np.float32), chip_map, variance=(1.0, 0.5), context_bit=35)
    np.testing.assert_array_equal(plain.sums, sparse.sums)
    np.testing.assert_array_equal(plain.variance_sum, sparse.variance_sum)
    np.testing.assert_array_equal(plain.context, sparse.context)
    assert sparse.context.shape[0] == 2
    assert sparse.context.any()
