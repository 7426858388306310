"""A chip's view: what the steps take from it agrees with its parts, and its pixel side is the true one."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.model import Alignment, CosmicRays, ExposureAlignment, FluxReference, FluxScales, Serial, SkyLevels
from mizzle.settings import Settings
from mizzle.steps.chip_view import view_chips
from mizzle.steps.sky import measure_sky
from tiny_visit import FACTORS, exposure, frame

SHAPE = (60, 60)
SIDES = {"PC": 0.0455, "WF3": 0.0996}


def visit(level=20.0, stretch=1.0):
    """Two chips under one flat sky of `level` counts on WF3; `stretch` of the sky's scale by an alignment."""
    dq = np.zeros(SHAPE, np.uint16)
    dq[3, 4], dq[5, 6], dq[7, 8] = 8, 1024, 2
    rng = np.random.default_rng(1)
    chips = {}
    for name, side in SIDES.items():
        counts = level * (side / SIDES["WF3"]) ** 2 / FACTORS[name] + rng.normal(0, 0.02, SHAPE)
        chips[name] = (counts.astype(np.float32), dq, frame(name, SHAPE))
    one = exposure(0, chips)
    pivot = tuple(float(v) for v in one.chips["WF3"].frame.crval)
    entry = ExposureAlignment(one.root, pivot, np.eye(2) * stretch, np.zeros(2))
    reference = FluxReference("WF3", 2.4e-18, 7995.0, 646.0, -21.1, "", 7.0, "")
    scales = FluxScales({"F814W": reference}, {one.root: {name: FACTORS[name] for name in chips}})
    return one, Alignment(one.root, {one.root: entry}), scales


def test_views_come_by_exposure_then_chip_and_hold_the_parts():
    one, alignment, scales = visit()
    table = {one.root: dict.fromkeys(one.chips, 3.0)}
    sky = SkyLevels(levels=table, brightness=table, noise=table, pedestals={one.root: dict.fromkeys(one.chips, 0.5)})
    views = view_chips([one], alignment, scales, settings=Settings(), sky=sky)
    assert [view.name for view in views] == list(one.chips)
    for view in views:
        assert view.frame == alignment.frame(one, view.name)
        assert view.rate == pytest.approx(FACTORS[view.name] / one.exptime)
        assert view.sky * view.factor == pytest.approx(3.5)
        assert view.name in view.chip_class.chips


def test_good_bits_pass_and_saturated_pixels_are_told_apart():
    one, alignment, scales = visit()
    view = view_chips([one], alignment, scales, settings=Settings())[0]
    assert set(zip(*np.nonzero(view.bad()), strict=True)) == {(3, 4), (7, 8)}
    assert set(zip(*np.nonzero(view.bad(allow=2)), strict=True)) == {(3, 4)}
    assert set(zip(*np.nonzero(view.saturated()), strict=True)) == {(3, 4)}
    assert not view.hit(CosmicRays({}, {}, {})).any()
    assert np.isnan(view.sky)


def test_a_brightness_refers_to_the_true_side_of_an_aligned_pixel():
    settings = Settings.model_validate({"sky": {"min_pixels": 100}})
    found = {}
    for stretch in (1.0, 1.001):
        one, alignment, scales = visit(stretch=stretch)
        for view in view_chips([one], alignment, scales, settings=settings):
            assert view.side == pytest.approx(SIDES[view.name] * stretch, rel=1e-6)
            assert view.frame.scale == SIDES[view.name]
        found[stretch] = measure_sky([one], alignment, scales, settings=settings, runner=Serial()).brightness[one.root]
    for name, brightness in found[1.0].items():
        assert found[1.001][name] == pytest.approx(brightness / 1.001**2, rel=1e-6)
