"""From sums to images: both twins, and what the C twin need not look at."""

from __future__ import annotations

import numpy as np
import pytest

from kernel.twins import TWINS, bent_chip, frame_of_chip, using
from mizzle.errors import SettingsError
from mizzle.kernel import Accumulator, accumulate
from mizzle.kernel.drop import fill_in, finish, take_means

BITS = (3, 40, 64, 99)
twin = pytest.mark.parametrize("twin", TWINS)


def dropped(few: bool, sparse: bool = False) -> Accumulator:
    """Return the sums of a chip dropped as four inputs: all its pixels, or a few."""
    chip_map = bent_chip((40, 70), 0.4, 0.9, 5)
    rng = np.random.default_rng(8)
    acc = Accumulator(frame_of_chip(chip_map), variance=True, context=True, sparse=sparse)
    acc.reserve_context(100)
    for bit in BITS:
        sci = rng.normal(20, 5, chip_map.shape).astype(np.float32)
        mask = (rng.random(chip_map.shape) < 0.98) == few
        accumulate(acc, sci, chip_map, mask=mask, variance=(1.0, 0.2), weight=0.3, context_bit=bit)
    return acc


def images(acc: Accumulator) -> list[np.ndarray]:
    planes = [np.full(acc.shape, -9, np.float32) for _ in range(3)]
    context = np.full((acc.planes, *acc.shape), -9, np.int32)
    ny = acc.shape[0]
    for rows in ((0, ny // 3), (ny // 3, ny)):
        finish(acc, rows, tuple(planes), context)
    return [*planes, context]


@twin
def test_images_are_the_sums_in_another_form(twin):
    with using(twin):
        acc = dropped(few=True)
        sci, err, wht, ctx = images(acc)
    covered = acc.weight > 0
    assert 0 < covered.mean() < 1
    np.testing.assert_allclose(sci, acc.mean(), rtol=1e-6)
    np.testing.assert_allclose(err, acc.error(), rtol=1e-6)
    np.testing.assert_allclose(wht, acc.weight, rtol=1e-6)
    np.testing.assert_array_equal(ctx, acc.context)
    assert ctx.shape[0] == 4
    for bit in BITS:
        assert (ctx[bit // 32] >> (bit % 32) & 1).any()
    assert not ctx[:, ~covered].any()


@twin
@pytest.mark.parametrize("sparse", [False, True])
def test_spare_sums_help_where_weight_is_lacking(twin, sparse):
    with using(twin):
        acc, spare, before = dropped(few=False), dropped(few=True, sparse=sparse), dropped(few=False)
        enough = float(np.quantile(acc.weight[acc.weight > 0], 0.4))
        ny = acc.shape[0]
        for rows in ((0, ny // 2), (ny // 2, ny)):
            fill_in(acc, spare, enough, rows)
    lacking = (before.weight < enough) & (spare.weight > 0)
    assert 0 < lacking.mean() < 1
    np.testing.assert_array_equal(acc.sums[lacking], (before.sums + spare.sums)[lacking])
    np.testing.assert_array_equal(acc.variance_sum[lacking], (before.variance_sum + spare.variance_sum)[lacking])
    np.testing.assert_array_equal(acc.context[:, lacking], (before.context | spare.context)[:, lacking])
    np.testing.assert_array_equal(acc.sums[~lacking], before.sums[~lacking])
    np.testing.assert_array_equal(acc.context[:, ~lacking], before.context[:, ~lacking])


@twin
def test_means_leave_the_cells_empty(twin):
    chip_map = bent_chip((20, 70), 1.4, 1.1, 2)
    with using(twin):
        acc = Accumulator(frame_of_chip(chip_map))
        out = []
        for _ in range(2):
            accumulate(acc, np.full(chip_map.shape, 7.0, np.float32), chip_map)
            out.append(np.empty(acc.shape, np.float32))
            take_means(acc, 0.5, out[-1])
            assert not acc.cells.any()
    np.testing.assert_array_equal(out[0], out[1])
    np.testing.assert_allclose(out[0][np.isfinite(out[0])], 7.0, rtol=1e-6)
    assert 0 < np.isfinite(out[0]).mean() < 1


def test_no_image_without_all_sums():
    acc = Accumulator((3, 4), variance=True)
    blank = np.zeros((3, 4), np.float32)
    with pytest.raises(SettingsError, match="lacks variance or context"):
        finish(acc, (0, 3), (blank, blank, blank), np.zeros((1, 3, 4), np.int32))
