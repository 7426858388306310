"""The step between the two amplifiers of a chip."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pickle import dumps, loads

import numpy as np
import pytest

from gaussian_spots import add_spots
from mizzle.instrument.cameras import camera_of
from mizzle.model import ArrayPixels, Serial
from mizzle.model.altered import SteppedPixels
from mizzle.settings import load_settings
from mizzle.simulate import visit
from mizzle.steps.amplifiers import BLOCKS, STRIP, AmplifierStep, amplifier_step, level_amplifiers

EACH = load_settings("", ["sky.amplifiers=each"])
SHAPE, BORDER = (1024, 800), 400


@cache
def wfpc2():
    (made,) = visit(n=1, seed=1).exposures
    return made


def exposure(step, seed, *, slope=0.0, stars=0, ccdamp="ABCD"):
    """A subarray of WFC1 across the border: noise, a slope of the sky, stars, and a galaxy on the border."""
    made = wfpc2()
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    level = 30.0 + slope * (x - BORDER) + np.where(x >= BORDER, 0.5, -0.5) * step
    add_spots(level, *rng.uniform([0, 0, 50], [800, 1024, 5000], (stars, 3)).T, 1.5**0.5)
    level = level + 40.0 * np.exp(-((x - BORDER - 10) ** 2 + (y - 250) ** 2) / 2 / 15.0**2)
    sci = (rng.poisson(level) + rng.normal(0, 4.0, SHAPE)).astype(np.float32)
    primary = {"INSTRUME": "ACS", "DETECTOR": "WFC", "CCDAMP": ccdamp}
    chip = replace(
        made.chips["WF3"], name="WFC1", number=1, pixels=ArrayPixels(sci, np.zeros(SHAPE, np.uint16)),
        header={"LTV1": float(BORDER - 2048)}, dark=0.0, gain=1.0, read_noise=4.0, binning=1,
        frame=replace(made.chips["WF3"].frame, shape=SHAPE, row_edges=np.zeros(SHAPE[0] + 1)),
    )  # fmt: skip
    return replace(made, header=primary, camera=camera_of(primary), chips={"WFC1": chip})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("step", "slope"), [(1.7, 0.0), (-0.8, 0.004), (4.0, -0.003)])
def test_a_step_is_found_whatever_slope_stars_and_galaxy_do(step, slope, seed):
    one = exposure(step, seed, slope=slope, stars=150)
    found = amplifier_step(one, one.chips["WFC1"], EACH)
    assert found.border == BORDER
    assert found.error < 0.3
    assert abs(found.step - step) < 4 * found.error


def test_the_step_is_taken_out_and_named_and_the_mean_stays():
    one = exposure(3.0, 5)
    (leveled,) = level_amplifiers([one], EACH, Serial())
    before, after = one.chips["WFC1"].sci, leveled.chips["WFC1"].sci
    strips = [np.median(after[:, BORDER + first : BORDER + first + 200]) for first in (-200, 0)]
    assert abs(strips[1] - strips[0]) < 0.8
    assert after.mean(dtype=float) == pytest.approx(before.mean(dtype=float), abs=1e-3)
    assert "WFC1 +" in leveled.findings[-1].sentence
    assert "[electrons]" in leveled.findings[-1].sentence
    np.testing.assert_array_equal(leveled.chips["WFC1"].pixels.rows(3, 9).sci, after[3:9])
    assert not after.flags.writeable


def test_no_step_and_one_amplifier_leave_the_pixels_alone():
    quiet = exposure(0.0, 6)
    assert amplifier_step(quiet, quiet.chips["WFC1"], EACH).error > 0
    single = exposure(3.0, 7, ccdamp="A")
    assert amplifier_step(single, single.chips["WFC1"], EACH) is None
    unasked = exposure(3.0, 8)
    assert level_amplifiers([unasked], load_settings(), Serial())[0] is unasked
    assert level_amplifiers([wfpc2()], EACH, Serial())[0] is wfpc2()


@pytest.mark.parametrize(("sigmas", "real"), [(2.0, False), (5.0, True), (-5.0, True)])
def test_two_errors_are_noise_and_five_are_not(sigmas, real):
    """Of chips without a step, one in 22 shows two errors: to take that out adds noise. One in 2 million shows five."""
    assert AmplifierStep(BORDER, 0.1 * sigmas, 0.1).significant == real


def hidden(known):
    """A quiet chip with a step, of which only the pixels `known` are good."""
    one = exposure(3.0, 9)
    chip = one.chips["WFC1"]
    dq = np.where(known, 0, 4).astype(np.uint16)
    return one, replace(chip, pixels=ArrayPixels(np.asarray(chip.sci), dq))


@pytest.mark.parametrize(("blocks", "enough"), [(3, False), (8, True)])
def test_a_few_blocks_tell_no_scatter(blocks, enough):
    """The error is the scatter of the blocks: that of three is luck."""
    rows = np.arange(SHAPE[0])[:, None] >= SHAPE[0] - SHAPE[0] // BLOCKS * blocks
    step = amplifier_step(*hidden(np.broadcast_to(rows, SHAPE)), EACH)
    assert (step is not None) == enough
    if enough:
        assert abs(step.step - 3.0) < 4 * step.error


@pytest.mark.parametrize(("pixels", "enough"), [(100, False), (450, True)])
def test_a_strip_with_a_hundred_pixels_has_no_sky(pixels, enough):
    """A clipped sky of a hundred pixels is known to 0.7 electron here, and four of them to no step that matters."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = (y % (SHAPE[0] // BLOCKS)) * STRIP + (x - BORDER) % STRIP  # number of a pixel in its strip of a block
    step = amplifier_step(*hidden(inside < pixels), EACH)
    assert (step is not None) == enough


def test_leveled_pixels_travel():
    pixels = SteppedPixels(ArrayPixels(np.ones((4, 6)), np.zeros((4, 6))), 3, 0.5)
    assert loads(dumps(pixels)) == pixels
    assert pixels != SteppedPixels(ArrayPixels(np.ones((4, 6)), np.zeros((4, 6))), 3, 0.6)
