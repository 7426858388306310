"""The product: units, conservation, saturated pixels, context, and what must not matter."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from mizzle.execution import make_runner
from mizzle.geometry.grid import common_grid
from mizzle.instrument.wfpc2 import GAINS
from mizzle.kernel.drop import finish
from mizzle.model import Context, CosmicRays, Serial
from mizzle.settings import load_settings
from mizzle.steps.combine import combine
from mizzle.steps.combine import mosaic as steps_mosaic
from tiny_visit import FACTORS, SCALES, exposure, frame, no_rays, noisy, solutions

SHAPE = (40, 36)
SHIFTS = [(0.0, 0.0), (0.13, 0.31), (-0.27, 0.18), (0.4, -0.22), (0.05, 0.44), (-0.33, -0.4)]


def drizzled(exposures, assignments=(), *, sky=0.0, rays=None, runner=None):
    settings = load_settings("", assignments)
    alignment, scales, levels = solutions(exposures, sky)
    frames = [alignment.frame(e, name) for e in exposures for name in e.chips]
    grid = common_grid(frames, settings.combine)
    return combine(
        exposures,
        alignment,
        scales,
        sky=levels,
        cosmic_rays=rays or no_rays(),
        grid=grid,
        settings=settings,
        runner=runner or Serial(),
    )


def flats(level, chips=("PC", "WF3"), atodgain=7, exptime=500.0, count=2):
    """A sky of `level` DN/s per WF3 pixel at the reference zeropoint, as each chip records it."""
    made = []
    for number in range(count):
        parts = {}
        for place, name in enumerate(chips):
            dn = level * exptime / FACTORS[name] * (SCALES[name] / SCALES["WF3"]) ** 2
            where = frame(name, SHAPE, (SHIFTS[number][0] + 8.0 * place, SHIFTS[number][1]), roll=3.0)
            parts[name] = (np.full(SHAPE, dn), np.zeros(SHAPE, int), where)
        made.append(exposure(number, parts, atodgain=atodgain, exptime=exptime))
    return made


def inner(mosaic, bit):
    """Cells that input `bit` covers wholly and no other chip touches."""
    full = mosaic.wht > 0.97 * np.nanmax(mosaic.wht[(mosaic.ctx >> bit) & 1 == 1])
    return full & ((mosaic.ctx >> bit) & 1 == 1)


@pytest.mark.parametrize("atodgain", [7, 15])
def test_blank_sky_is_one_level_on_every_chip(atodgain):
    mosaic = drizzled(flats(0.02, atodgain=atodgain))
    for bit in range(2):
        np.testing.assert_allclose(mosaic.sci[inner(mosaic, bit)], 0.02, rtol=1e-5)


def test_the_incumbents_gain_fault_comes_back_on_request():
    mosaic = drizzled(flats(0.02), ["combine.incumbent_gain_fault=true"])
    expected = 0.02 * GAINS[7]["PC"] / GAINS[7]["WF3"]
    np.testing.assert_allclose(mosaic.sci[inner(mosaic, 0)], expected, rtol=1e-5)
    np.testing.assert_allclose(mosaic.sci[inner(mosaic, 1)], 0.02, rtol=1e-5)


@pytest.mark.parametrize("atodgain", [7, 15])
def test_a_full_500_s_exposure_weighs_about_500(atodgain):
    mosaic = drizzled(flats(0.02, atodgain=atodgain, count=1))
    for bit, name in enumerate(("PC", "WF3")):
        expected = 500 * GAINS[atodgain][name] / FACTORS[name] / GAINS[7]["WF3"]
        np.testing.assert_allclose(np.median(mosaic.wht[inner(mosaic, bit)]), expected, rtol=1e-3)


@pytest.mark.parametrize("weight", ["IVM", "ERR"])
def test_inverse_variance_weights_are_the_inverse_variance_of_a_large_area(weight):
    exposures = flats(0.02, chips=("WF3",), count=1)
    (chip,) = exposures[0].chips.values()
    sky = float(chip.sci[0, 0])
    mosaic = drizzled(exposures, [f'combine.weight="{weight}"'], sky=sky)
    gain, floor = chip.gain, 5.22**2 + 2.5  # the read noise includes rounding
    variance = (max(sky, 0) * gain + floor) / gain**2 / 500.0**2
    assert np.median(mosaic.wht[mosaic.wht > 0]) == pytest.approx(1 / variance, rel=2e-3)
    assert mosaic.weight_type == weight


def test_error_weights_follow_the_inputs_errors_but_not_its_stars():
    sci = np.full(SHAPE, 10.0)
    sci[20, 18] = 5000.0
    gain = GAINS[7]["WF3"]
    err = np.sqrt(np.maximum(sci, 0) / gain + 4.0).astype(np.float32)
    err[:, :18] *= 2
    made = [exposure(0, {"WF3": (sci, np.zeros(SHAPE, int), frame("WF3", SHAPE), err)})]
    mosaic = drizzled(made, ['combine.weight="ERR"', 'combine.kernel="point"'], sky=10.0)
    middle = np.array(mosaic.sci.shape) // 2
    rows = mosaic.wht[middle[0] - 5 : middle[0] + 5]
    left, right = np.median(rows[:, middle[1] + 4 : middle[1] + 8]), np.median(rows[:, middle[1] - 8 : middle[1] - 4])
    assert max(left, right) / min(left, right) == pytest.approx(4.0, rel=0.02)
    star = np.unravel_index(np.nanargmax(mosaic.sci), mosaic.sci.shape)
    assert mosaic.wht[star] == pytest.approx(max(left, right), rel=0.05)


@pytest.mark.parametrize("weight", ["EXP", "IVM", "ERR"])
def test_a_stars_counts_are_in_no_weight(weight):
    sci = np.full(SHAPE, 10.0)
    plain = [exposure(0, {"WF3": (sci, np.zeros(SHAPE, int), frame("WF3", SHAPE))})]
    sci = sci.copy()
    sci[15:18, 15:18] = 2000.0
    star = [exposure(0, {"WF3": (sci, np.zeros(SHAPE, int), frame("WF3", SHAPE))})]
    with_star, without = (drizzled(e, [f'combine.weight="{weight}"'], sky=10.0) for e in (star, plain))
    np.testing.assert_array_equal(with_star.wht, without.wht)
    assert np.nanmax(with_star.err) > 3 * np.nanmax(without.err[without.wht > 0.9 * without.wht.max()])


@pytest.mark.parametrize("assignments", [[], ["combine.scale=0.05"], ["combine.scale=0.21"], ["combine.pixfrac=0.5"]])
def test_flux_is_conserved(assignments):
    """T15: the sum of the product is the rate that fell, to 1e-5, where one exposure covers it."""
    sci = np.zeros(SHAPE)
    sci[10:30, 10:26] = np.random.default_rng(3).gamma(1.0, 300.0, (20, 16))
    made = [exposure(0, {"WF3": (sci, np.zeros(SHAPE, int), frame("WF3", SHAPE, roll=21.0))})]
    mosaic = drizzled(made, assignments)
    rate = np.nansum(np.float64(mosaic.sci) * mosaic.wht) / np.median(mosaic.wht[mosaic.wht > 0])
    flat = drizzled(
        [exposure(0, {"WF3": (np.ones(SHAPE), np.zeros(SHAPE, int), frame("WF3", SHAPE, roll=21.0))})], assignments
    )
    per_pixel = np.nansum(np.float64(flat.sci) * flat.wht) / np.median(flat.wht[flat.wht > 0]) / np.prod(SHAPE)
    assert rate / per_pixel == pytest.approx(sci.sum(), rel=1e-5)
    if "combine.pixfrac=0.5" not in assignments:
        assert np.nansum(np.float64(mosaic.sci)) == pytest.approx(sci.sum() / 500.0, rel=1e-5)


def noisy_visit(count, seed=1, chips=("PC", "WF3"), hits=0.02):
    rng = np.random.default_rng(seed)
    made, packed = [], {}
    for number in range(count):
        parts, masks = {}, {}
        for place, name in enumerate(chips):
            shift = SHIFTS[number % len(SHIFTS)]
            sci = noisy(rng, SHAPE, 3.0 + 900.0 * (rng.random(SHAPE) < 0.01), name)
            where = frame(name, SHAPE, (shift[0] + 3.0 * place, shift[1]), roll=12.0)
            dq = np.where(rng.random(SHAPE) < 0.02, 256, 0)
            parts[name] = (sci, dq, where)
            masks[name] = np.packbits(rng.random(SHAPE) < hits)
        made.append(exposure(number, parts))
        packed[made[-1].root] = masks
    return made, CosmicRays(packed, {}, {})


def same(one, other):
    for key in ("sci", "err", "wht", "ctx"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key), err_msg=key)


def test_workers_do_not_matter_to_the_last_bit():
    made, rays = noisy_visit(5)
    one = drizzled(made, ["combine.scale=0.02"], rays=rays)
    for workers in (2, 3):
        same(one, drizzled(made, ["combine.scale=0.02"], rays=rays, runner=make_runner(workers)))


def test_order_matters_to_rounding_only():
    """T13: the pipeline sorts its inputs; the sums themselves agree to 1e-6 in any order."""
    made, rays = noisy_visit(5)
    one, other = drizzled(made, rays=rays), drizzled(made[::-1], rays=rays)
    np.testing.assert_allclose(one.sci, other.sci, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(one.err, other.err, rtol=1e-5)
    np.testing.assert_allclose(one.wht, other.wht, rtol=1e-6)


def test_bad_pixels_and_cosmic_rays_are_invisible():
    made, rays = noisy_visit(3)
    one = drizzled(made, rays=rays)
    spoiled = []
    for e in made:
        parts = {}
        for name, chip in e.chips.items():
            gone = rays.mask(e.root, name, SHAPE) | (chip.dq != 0)
            parts[name] = (np.where(gone, np.nan, chip.sci), chip.dq, chip.frame)
        spoiled.append(exposure(int(e.root[1:8]), parts))
    same(one, drizzled(spoiled, rays=rays))


def test_nothing_is_nan_where_weight_is_and_all_is_where_it_is_not():
    made, rays = noisy_visit(2)
    mosaic = drizzled(made, rays=rays)
    assert (np.isnan(mosaic.sci) == (mosaic.wht == 0)).all()
    assert (np.isnan(mosaic.err) == (mosaic.wht == 0)).all()
    assert ((mosaic.ctx != 0) == (mosaic.wht > 0)).all()
    assert (mosaic.sci.dtype, mosaic.err.dtype, mosaic.wht.dtype, mosaic.ctx.dtype) == ("f4", "f4", "f4", "i4")


def test_context_takes_planes_of_32():
    made, rays = noisy_visit(17)
    mosaic = drizzled(made, rays=rays)
    assert mosaic.ctx.shape[0] == 2
    assert len(mosaic.inputs) == 34
    bits = np.unpackbits(mosaic.ctx.view(np.uint8), axis=None).sum()
    assert bits > 0
    assert (mosaic.ctx[1] & ~np.int32(0b11) == 0).all()
    assert (mosaic.ctx[1] != 0).any()


def test_saturated_pixels_serve_only_where_nothing_else_does():
    sci, dq = np.full(SHAPE, 10.0), np.zeros(SHAPE, int)
    sci[20:22, 18:21], dq[20:22, 18:21] = 4000.0, 8
    clean = np.full(SHAPE, 10.0)
    where = frame("WF3", SHAPE)
    alone = [exposure(0, {"WF3": (sci, dq, where)})]
    both = [*alone, exposure(1, {"WF3": (clean, np.zeros(SHAPE, int), where)})]
    options = ['combine.orientation="exposure"', "combine.scale=0.0996"]
    mosaic = drizzled(alone, options)
    assert np.nansum(mosaic.sci - 0.02) == pytest.approx(6 * (4000.0 - 10.0) / 500.0, rel=1e-4)
    assert np.nanmax(drizzled(both, options).sci) == pytest.approx(10.0 / 500.0, rel=1e-3)
    without = drizzled(alone, [*options, "dq.saturated=false"])
    assert np.nanmax(without.sci) == pytest.approx(10.0 / 500.0, rel=1e-3)


def test_a_fill_value_goes_with_the_product():
    made, rays = noisy_visit(1)
    assert np.isnan(drizzled(made, rays=rays).fill)
    assert drizzled(made, ["combine.fill=-1.0"], rays=rays).fill == -1.0


def test_a_large_product_is_made_in_bands_of_rows_and_is_the_same():
    """Little memory: three bands and more. Saturated pixels and both chips lie across the borders."""
    exposures = flats(0.02)
    for one in exposures:
        chip = one.chips["WF3"]
        dq = chip.dq.copy()
        dq[15:22, 9:17] = 8
        object.__setattr__(chip, "pixels", type(chip.pixels)(chip.sci, dq, None))
    fine = ["combine.scale=0.006"]
    whole = drizzled(exposures, [*fine, "combine.memory_mb=4000"])
    assert whole.sci.nbytes * 8 > 2 * 0.45 * 16 * 2**20
    little = drizzled(exposures, [*fine, "combine.memory_mb=16"])
    for name in ("sci", "err", "wht"):
        np.testing.assert_allclose(getattr(little, name), getattr(whole, name), rtol=2e-6, atol=1e-12)
    differ = little.ctx != whole.ctx
    assert differ.mean() < 1e-4  # a drop whose border meets that of a cell
    again = drizzled(exposures, [*fine, "combine.memory_mb=16"], runner=make_runner(3))
    for name in ("sci", "err", "wht", "ctx"):
        np.testing.assert_array_equal(getattr(again, name), getattr(little, name))


@pytest.mark.parametrize("room", [32, 64])
def test_bits_of_many_inputs_are_those_of_few_side_by_side(room, monkeypatch):
    """More inputs than the sums have room for: each bit is where it is without the others; saturated ones too."""
    made, rays = noisy_visit(35)
    for one in made[3:60:7]:
        chip = one.chips["WF3"]
        dq = chip.dq.copy()
        dq[15:22, 9:17] = 8
        object.__setattr__(chip, "pixels", type(chip.pixels)(chip.sci, dq, None))
    whole = drizzled(made, rays=rays)
    assert len(whole.inputs) == 70
    monkeypatch.setattr(steps_mosaic, "ROOM", room)
    again = drizzled(made, rays=rays, runner=make_runner(2))
    for name in ("sci", "err", "wht"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    assert again.context == whole.context
    monkeypatch.setattr(steps_mosaic, "ROOM", 10**6)
    monkeypatch.setattr(steps_mosaic.RowContext, "planes", lambda self, last, covered: list(last))
    monkeypatch.setattr(steps_mosaic, "_finish", _all_planes)
    assert drizzled(made, rays=rays).context == whole.context


def _all_planes(sums, images, *, bands, runner):
    """Finish sums that have room for every input beside the cells."""
    context = np.empty((sums.planes, *sums.shape), np.int32)
    finish(sums, (0, sums.shape[0]), images, context)
    return list(Context.of(context).planes)


def test_only_the_sums_of_one_band_of_rows_are_there_at_a_time(monkeypatch):
    """Those of the rows before are gone when the next are made: two at once would be twice what the setting grants."""
    alive, most = weakref.WeakSet(), []

    class Watched(steps_mosaic.kernel.Accumulator):
        def __init__(self, *shape, **options):
            super().__init__(*shape, **options)
            alive.add(self)
            most.append(len(alive))

    monkeypatch.setattr(steps_mosaic.kernel, "Accumulator", Watched)
    drizzled(flats(0.02), ["combine.scale=0.006", "combine.memory_mb=16"])
    assert len(most) >= 6
    assert max(most) == 2  # of most pixels, and of saturated ones
