"""From sums to images: both twins, and what the C twin need not look at."""

from __future__ import annotations

import numpy as np
import pytest

from kernel.twins import TWINS, bent_chip, frame_of_chip, using
from mizzle.errors import SettingsError
from mizzle.kernel import Accumulator, accumulate
from mizzle.kernel.drop import fill_in, finish, lacking_cells, take_context, take_means

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


@twin
@pytest.mark.parametrize("sparse", [False, True])
def test_context_that_is_taken_leaves_room_for_more_inputs(twin, sparse):
    """Bits of all rows, band by band; sums stay, and what falls afterwards is there alone."""
    chip_map = bent_chip((40, 70), 0.4, 0.9, 5)
    shape = frame_of_chip(chip_map)
    ny = shape[0]
    sci, mask = np.ones(chip_map.shape, np.float32), np.ones(chip_map.shape, bool)
    mask[10:14, 20:33] = False
    with using(twin):
        acc, usual = (Accumulator(shape, variance=True, context=True, sparse=sparse) for _ in range(2))
        for one in (acc, usual):
            one.reserve_context(64)
        accumulate(usual, sci, chip_map, mask=mask, context_bit=0)
        accumulate(usual, sci, chip_map, mask=~mask, context_bit=40)
        accumulate(acc, sci, chip_map, mask=mask, context_bit=0)
        accumulate(acc, sci, chip_map, mask=~mask, context_bit=40)
        taken = np.concatenate([take_context(acc, rows) for rows in ((0, ny // 3), (ny // 3, ny))], axis=1)
        np.testing.assert_array_equal(taken, usual.context)
        assert taken[0].any()
        assert taken[1].any()
        np.testing.assert_array_equal(acc.cells[..., :3], usual.cells[..., :3])
        assert not take_context(acc, (0, ny)).any()
        accumulate(acc, sci, chip_map, mask=mask, context_bit=33)
        np.testing.assert_array_equal(take_context(acc, (0, ny))[1], np.where(usual.plane(0), 2, 0))
        usual.reserve_context(65)
        with pytest.raises(ValueError, match="in its cells"):
            take_context(usual, (0, ny))


@twin
@pytest.mark.parametrize("sparse", [False, True])
def test_cells_that_will_be_filled_in_are_known_before(twin, sparse):
    with using(twin):
        acc, spare, before = dropped(few=False), dropped(few=True, sparse=sparse), dropped(few=False)
        enough = float(np.median(acc.weight[acc.weight > 0]))
        lacking = lacking_cells(acc, spare, enough)
        fill_in(acc, spare, enough, (0, acc.shape[0]))
    changed = np.flatnonzero(acc.weight != before.weight)
    np.testing.assert_array_equal(lacking, changed)
    assert 0 < lacking.size < np.count_nonzero(spare.weight)
