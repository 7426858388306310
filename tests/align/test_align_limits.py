"""Exposures that show few stars: how many are expected, and what contradicts the others."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mizzle.instrument.noise import noise_model
from mizzle.instrument.star_optics import chip_star
from mizzle.model import Alignment, ExposureAlignment, Verdict
from mizzle.settings import Settings
from mizzle.steps.align.expected import magnitude_range, seen_stars
from mizzle.steps.align.fallback import place_unmatched
from mizzle.steps.align.frame import _kept
from mizzle.steps.align.motions import epoch_note, motion_verdict
from tiny_visit import exposure, frame

SHAPE = (800, 800)
SKY = 4.0  # DN


def made(number, **keywords):
    sci = np.full(SHAPE, SKY, np.float32)
    return exposure(number, {"WF3": (sci, np.zeros(SHAPE, np.uint16), frame("WF3", SHAPE))}, **keywords)


def stars(count, x=(100.0, 700.0), seed=1):
    """Matched detections of so many stars on a chip."""
    rng = np.random.default_rng(seed)
    columns = {"x": rng.uniform(*x, count), "y": rng.uniform(150.0, 650.0, count)}
    return {**columns, "mag": np.full(count, 21.5), "chip": np.full(count, 3)}


def placed(table, third, *, rays=0, band="F814W", visit="00000"):
    """Entry of a third exposure with `third` as it was solved, beside two that match all stars of `table`."""
    last = replace(made(3), filter=band, root=f"u{visit}03m")
    exposures = [made(1), made(2), last]
    count = len(table["x"])
    good = {"n_detected": count + rays, "n_matched": count, "verdict": Verdict.PASS}
    roots = [e.root for e in exposures]
    entries = {
        root: ExposureAlignment(root, (150.0, 2.0), np.eye(2), np.zeros(2), rms_mas=5.0, **values)
        for root, values in zip(roots, (good, good, third), strict=True)
    }
    alignment = Alignment("mean", entries, tables=dict.fromkeys(roots[:2], table))
    return place_unmatched(exposures, alignment, Settings()).exposures[roots[2]]


def fails(table, detected, **keywords):
    """Whether an exposure that was not matched still fails with so many sources of its own."""
    third = {"n_detected": detected, "verdict": Verdict.FAIL, "note": "not aligned"}
    return placed(table, third, **keywords).verdict is Verdict.FAIL


@pytest.mark.parametrize(("expected", "contradicts"), [(3, False), (9, True)])
def test_where_few_stars_are_expected_an_exposure_is_too_short_to_tell(expected, contradicts):
    assert fails(stars(expected), 40) is contradicts


@pytest.mark.parametrize(("detected", "contradicts"), [(20, False), (50, True)])
def test_half_of_the_stars_at_other_places_contradict_and_a_fifth_may_be_rays(detected, contradicts):
    assert fails(stars(100), detected) is contradicts


@pytest.mark.parametrize(("detected", "contradicts"), [(7, False), (20, True)])
def test_in_another_filter_a_few_sources_are_no_field_of_stars(detected, contradicts):
    assert fails(stars(60), detected, band="F336W") is contradicts


@pytest.mark.parametrize(("beyond", "contradicts"), [(42, False), (100, True)])
def test_what_rays_may_make_by_chance_contradicts_nothing(beyond, contradicts):
    """A hundred rays that look like stars scatter by ten: four sigma are chance where rays come in bundles."""
    assert fails(stars(60), 100 + beyond, rays=100, band="F336W") is contradicts


@pytest.mark.parametrize(("expected", "matched", "said"), [(40, 5, True), (40, 14, False), (15, 2, False)])
def test_a_match_by_a_few_of_many_stars_is_said(expected, matched, said):
    entry = placed(stars(expected), {"n_detected": 60, "n_matched": matched, "verdict": Verdict.PASS})
    assert ("that should show" in entry.note) is said


@pytest.mark.parametrize(("x", "expected"), [((45.0, 60.0), False), ((75.0, 95.0), True)])
def test_no_star_is_expected_in_the_shadow_of_the_pyramid(x, expected):
    """It reaches some fifty pixels into the WF chips, and pointings differ by an arcsecond or two."""
    assert fails(stars(12, x=x), 40) is expected


def test_detections_of_one_star_are_one_star():
    """Two exposures place it a fiftieth of an arcsecond apart, on each axis."""
    table = stars(200)
    shifted = {**table, "x": table["x"] + 0.2, "y": table["y"] + 0.2}
    exposures = [made(1), made(2)]
    roots = [e.root for e in exposures]
    tables = dict(zip(roots, (table, shifted), strict=True))
    seen = seen_stars(exposures, Alignment.identity(exposures), tables)
    assert 200 <= len(seen) < 280


def images(mag):
    """A star of some ST magnitude on a chip [electron], and the variance without it."""
    one = made(1)
    chip = one.chips["WF3"]
    noise = noise_model(one, chip, Settings().noise)
    share = chip_star(one.camera, chip, defocus=one.camera.defocus).pixels(np.zeros(1), np.zeros(1), 3)[0]
    light = 10.0 ** (-0.4 * (mag + 21.1)) / chip.photflam * one.exptime * noise.gain * share
    return light, SKY * noise.gain + noise.floor, noise.gain


def test_the_faintest_star_that_is_expected_is_found_and_one_a_magnitude_fainter_may_not():
    one, settings = made(1), Settings()
    faintest = magnitude_range(one, one.chips["WF3"], settings)[1]

    def share_found(mag):
        light, floor, _ = images(mag)
        noise = np.random.default_rng(2).normal(0.0, 1.0, (400, *light.shape)) * np.sqrt(light + floor)
        weight = light / (light + floor)
        ratio = ((light + noise) * weight).sum(axis=(1, 2)) / math.sqrt(float((weight**2 * (light + floor)).sum()))
        return float((ratio > settings.align.threshold).mean())

    assert share_found(faintest) > 0.99
    assert share_found(faintest + 1.0) < 0.9


def test_the_brightest_star_that_is_expected_is_not_full_and_a_brighter_one_is():
    one = made(1)
    brightest = magnitude_range(one, one.chips["WF3"], Settings())[0]
    full = one.camera.full_well
    for step, least, most in ((0.0, 0.0, 1.0), (-0.75, 1.0, 2.0)):
        light, _, gain = images(brightest + step)
        assert least < (light.max() / gain + SKY) / full < most


@pytest.mark.parametrize(("years", "scatter", "moved"), [(0.6, 9.0, False), (2.0, 9.0, True), (5.0, 3.0, False)])
def test_stars_move_from_year_to_year_by_more_than_a_twentieth_of_a_pixel(years, scatter, moved):
    """Within two seasons parallax and motions of stars are not told from distortion; 3 mas blur nothing."""
    verdict, note = motion_verdict(scatter, [2000.0, 2000.0 + years])
    assert (verdict is Verdict.WARN) is moved
    assert (note != "") is moved
    assert (epoch_note([2000.0, 2000.0 + years]) != "") is (years > 1.5)


@pytest.mark.parametrize(("off", "left_out"), [(0.13, False), (0.4, True)])
def test_a_pointing_far_from_the_others_does_not_move_their_mean(off, left_out):
    """Guide stars are reacquired to a few hundredths of an arcsecond; another pair of them lies some tenths off."""
    shifts = np.random.default_rng(4).normal(0.0, 0.01, (7, 2))
    shifts[3, 0] += off
    assert bool(_kept(shifts)[3] == 0.0) is left_out


def test_a_header_of_another_visit_is_as_good_as_the_guide_stars_catalog():
    """GSC 1 and 2 place stars to 0.2 to 0.5 arcsec on each axis (HST Primer, section 3)."""
    entry = placed(stars(60), {"n_detected": 2, "verdict": Verdict.FAIL, "note": "not aligned"}, visit="12345")
    assert entry.method == "header"
    assert 200.0 < entry.shift_error_mas < 500.0
