"""Trails of satellites: lines across a chip where at most two exposures are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.instrument.dq import bad_mask
from mizzle.model import ArrayPixels, Serial
from mizzle.settings import load_settings
from mizzle.steps.reject.findings import ray_findings
from mizzle.steps.reject.trails import Trail, find_trails
from ray_scores import found, simulated

SIDE = 400


def sky(seed, *, stars=0, side=SIDE):
    """Noise of one sigma, with stars of a few hundred."""
    rng = np.random.default_rng(seed)
    image = rng.normal(10.0, 1.0, (side, side))
    y, x = np.mgrid[:side, :side]
    for _ in range(stars):
        cx, cy = rng.uniform(0, side, 2)
        near = np.s_[max(0, int(cy) - 8) : int(cy) + 9, max(0, int(cx) - 8) : int(cx) + 9]
        square = (x[near] - cx) ** 2 + (y[near] - cy) ** 2
        image[near] += rng.uniform(20, 400) * np.exp(-square / 2.0)
    return image.astype(np.float32)


def across(angle, distance, side=SIDE):
    y, x = np.mgrid[:side, :side]
    return x * np.cos(angle) + y * np.sin(angle) - distance


@pytest.mark.parametrize("degrees", [12.3, 47.0, 80.0, 130.4, 171.0])
@pytest.mark.parametrize(("height", "sigma"), [(3.0, 3.0), (60.0, 2.5)])
def test_a_trail_is_found_whole_and_nothing_else(degrees, height, sigma):
    angle = np.deg2rad(degrees)
    middle = SIDE / 2 * (np.cos(angle) + np.sin(angle)) + 21.0
    distance = across(angle, middle)
    image = sky(3, stars=60) + (height * np.exp(-0.5 * (distance / sigma) ** 2)).astype(np.float32)
    bad = np.zeros(image.shape, np.bool_)
    (trail,) = find_trails(image, bad, 1.0)
    mask = trail.mask(image.shape)
    assert mask[np.abs(distance) < 2 * sigma].all()
    assert not mask[np.abs(distance) > 30].any()


@pytest.mark.parametrize("seed", range(4))
def test_stars_rays_and_columns_are_no_trails(seed):
    image = sky(seed, stars=(0, 60, 600, 3000)[seed])
    rng = np.random.default_rng(seed)
    hits = rng.integers(0, SIDE, (2, 1500))
    image[tuple(hits)] += rng.exponential(100.0, 1500).astype(np.float32)
    image[:, 100:103] += 50.0  # a column is the detector's own
    glow = 300.0 * np.exp(-0.5 * (across(0.7, 300.0) ** 2 + across(0.7 + np.pi / 2, 20.0) ** 2) / 60.0**2)
    assert find_trails(image + glow.astype(np.float32), np.zeros(image.shape, np.bool_), 1.0) == []


def line(degrees, height, sigma, offset=21.0):
    angle = np.deg2rad(degrees)
    distance = across(angle, SIDE / 2 * (np.cos(angle) + np.sin(angle)) + offset)
    return (height * np.exp(-0.5 * (distance / sigma) ** 2)).astype(np.float32)


@pytest.mark.parametrize(("degrees", "seen"), [(86.5, True), (89.8, False)])
def test_lines_along_rows_and_columns_are_the_detectors_own(degrees, seen):
    image = sky(4) + line(degrees, 20.0, 1.5)
    assert bool(find_trails(image, np.zeros(image.shape, np.bool_), 1.0)) == seen


def test_a_chip_has_few_trails():
    """More lines than four are a pattern, not satellites."""
    image = sky(4) + sum(line(degrees, 20.0, 2.0, 8.0 * degrees / 10 - 60.0) for degrees in (15, 40, 65, 110, 135, 160))
    assert len(find_trails(image, np.zeros(image.shape, np.bool_), 1.0)) == 4


def test_a_trail_ends_where_its_light_is_a_quarter_of_the_noise():
    """A Gaussian of three sigma falls to that at 2.2 of its widths; three pixels more for what a chip bends a line."""
    image = sky(4) + line(33.0, 3.0, 3.0)
    (trail,) = find_trails(image, np.zeros(image.shape, np.bool_), 1.0)
    assert abs(trail.half_width - (3.0 * np.sqrt(2.0 * np.log(12.0)) + 3.0)) < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_a_faint_trail_is_found_by_its_length(seed):
    """Half a sigma in a pixel: no pixel shows it."""
    image = sky(seed) + line(33.0, 0.6, 3.0)
    assert len(find_trails(image, np.zeros(image.shape, np.bool_), 1.0)) == 1


def test_a_trail_out_of_focus_is_flagged_to_its_edge():
    """A satellite near the telescope is as wide as the pupil looks."""
    image = sky(4) + line(33.0, 5.0, 8.0)
    (trail,) = find_trails(image, np.zeros(image.shape, np.bool_), 1.0)
    assert trail.half_width > 2.0 * 8.0


def test_half_a_line_is_no_trail():
    """A jet, a spike or the edge of a galaxy ends on the chip."""
    angle = np.deg2rad(33.0)
    distance, along = across(angle, 200.0), across(angle + np.pi / 2, 100.0)
    image = sky(5) + (20.0 * np.exp(-0.5 * (distance / 3.0) ** 2) * (along > 0)).astype(np.float32)
    assert find_trails(image, np.zeros(image.shape, np.bool_), 1.0) == []


def interrupted(seed, middle, share):
    """A bright line that is dark over a share of its length, about a place along it."""
    distance, along = across(np.deg2rad(33.0), 300.0), across(np.deg2rad(123.0), 0.0)
    on = np.abs(distance) < 1.0
    part = (along - along[on].min()) / np.ptp(along[on])
    lit = np.abs(part - middle) > 0.5 * share
    return sky(seed) + (20.0 * np.exp(-0.5 * (distance / 3.0) ** 2) * lit).astype(np.float32)


@pytest.mark.parametrize(("share", "least", "most"), [(0.05, 9, 9), (0.12, 0, 4)])
def test_a_trail_may_pass_under_a_star_but_not_end_on_the_way(share, least, most):
    """What hides a twentieth of it, a saturated star or a bad column, hides no trail; two spikes in a row are none."""
    places = (0.3, 0.44, 0.8)
    bad = np.zeros((SIDE, SIDE), np.bool_)
    count = sum(len(find_trails(interrupted(seed, place, share), bad, 1.0)) for seed in range(3) for place in places)
    assert least <= count <= most


def test_a_trail_in_whole_counts_is_as_wide_as_in_broken_ones():
    """Medians of whole counts are whole counts: a ridge of a fifth of one was none, or stood as high as one."""
    for offset in (0.1, 0.2, 0.3, 0.4):
        image = (0.4 * sky(3) + line(33.0, 1.2, 3.0) + offset).astype(np.float32)
        (fine,), (coarse,) = (
            find_trails(pixels.astype(np.float32), np.zeros(image.shape, np.bool_), 0.5)
            for pixels in (image, np.rint(image))
        )
        assert abs(fine.half_width - coarse.half_width) <= 1.5


def left(made, rays):
    """Good pixels with light of a satellite that are not flagged, and all of them, by chip of the first exposure."""
    exposure, counted = made.exposures[0], {}
    for name, chip in exposure.chips.items():
        trail = made.truth.chip(exposure.root, name).trail
        charge = np.zeros(chip.shape) if trail is None else np.asarray(trail.electrons())
        lit = (charge > 10.0) & ~bad_mask(chip, load_settings().dq)
        counted[name] = int((lit & ~rays.mask(exposure.root, name, chip.shape)).sum()), int(lit.sum())
    return counted


@pytest.mark.parametrize(("seed", "corner"), [(318, "WF3"), (319, "WF2"), (332, "PC")])
def test_a_trail_goes_on_across_the_corner_of_the_next_chip(seed, corner):
    """By itself a corner is too short for the search: half of its light was kept."""
    made = simulated(n=1, seed=seed, density=60.0, effects=(("satellites", 1),))
    rays = found(made)
    kept, lit = left(made, rays)[corner]
    assert lit > 800
    assert kept < 0.06 * lit
    assert corner in rays.trails[made.exposures[0].root]


def with_filament(made, height):
    """The exposures of a visit with a straight line of light on the sky, 0.7 arcsec wide (FWHM) [DN/s per WF pixel]."""
    plan, exposures = made.truth.plan, []
    for exposure in made.exposures:
        chips = {}
        for name, chip in exposure.chips.items():
            y, x = np.mgrid[: chip.shape[0], : chip.shape[1]].astype(float)
            ra, dec = made.truth.exposures[exposure.root].pointing.true[name].pixel_to_sky(x, y)
            xi, eta = 3600.0 * (ra - plan.ra) * np.cos(np.deg2rad(plan.dec)), 3600.0 * (dec - plan.dec)
            light = (
                height * np.exp(-0.5 * ((0.55 * xi + 0.835 * eta + 20.0) / 0.3) ** 2) * (chip.frame.scale / 0.0996) ** 2
            )
            sci = (chip.sci + light * exposure.exptime * made.truth.lit[name]).astype(np.float32)
            chips[name] = replace(chip, pixels=ArrayPixels(sci, chip.dq))
        exposures.append(replace(exposure, chips=chips))
    return exposures


@pytest.mark.parametrize("exptime", [(500.0, 500.0), (800.0, 200.0)])
def test_a_line_that_the_other_exposure_shows_too_is_on_the_sky(exptime):
    """Straight filaments of a nebula were flagged as trails of satellites, up to a quarter of a chip."""
    made = simulated(n=2, seed=303, density=60.0, exptime=exptime)
    exposures = with_filament(made, 0.06)
    assert set(found(made, exposures=exposures).trails) == set()
    alone = found(made, exposures=exposures[:1]).trails
    assert alone, "one exposure cannot tell it from a trail"


def with_line_on_wf3(exposure, height, degrees):
    """An exposure with a line of light on its WF3 alone, 3 pixels wide (sigma) [DN]."""
    chip, angle = exposure.chips["WF3"], np.deg2rad(degrees)
    y, x = np.mgrid[:800, :800]
    distance = (x - 430.0) * np.cos(angle) + (y - 430.0) * np.sin(angle)
    sci = (chip.sci + height * np.exp(-0.5 * (distance / 3.0) ** 2)).astype(np.float32)
    return replace(exposure, chips={**exposure.chips, "WF3": replace(chip, pixels=ArrayPixels(sci, chip.dq))})


def test_a_faint_line_that_ends_with_its_chip_is_not_followed():
    """Noise has bright lines, too, where the line of a faint trail leads across a corner: the best of thirteen."""
    followed = 0
    for seed in range(500, 506):
        made = simulated(n=1, seed=seed, density=20.0, effects=(("cosmic_rays", 0.0),))
        (exposure,) = made.exposures
        lined = with_line_on_wf3(exposure, 0.9, 20.0 + 12.0 * (seed - 500))
        trails = found(made, exposures=[lined]).trails[exposure.root]
        assert "WF3" in trails
        followed += len(trails) - 1
    assert followed == 0


def test_noisy_exposures_do_not_put_a_faint_trail_on_the_sky():
    """Their noise was taken for its light in half of these visits: exposures counted by their pixels."""
    missed = 0
    for seed in range(510, 516):
        exptime = (500.0, 500.0, 2.0, 2.0)
        made = simulated(n=4, seed=seed, density=20.0, exptime=exptime, effects=(("cosmic_rays", 0.0),))
        lined = with_line_on_wf3(made.exposures[0], 0.9, 20.0 + 12.0 * (seed - 510))
        trails = found(made, exposures=[lined, *made.exposures[1:]]).trails
        missed += "WF3" not in trails.get(lined.root, {})
    assert missed == 0


def test_a_satellite_beside_a_shorter_exposure_is_no_light_of_the_sky():
    made = simulated(n=2, seed=303, density=60.0, exptime=(800.0, 200.0), effects=(("satellites", 1),))
    assert set(found(made).trails[made.exposures[0].root]) >= {"WF3", "WF4"}


@pytest.mark.parametrize("exptime", [(500.0, 500.0), (500.0, 500.0, 5.0), (500.0, 500.0, 5.0, 5.0)])
def test_short_exposures_beside_a_pair_do_not_hide_a_trail(exptime):
    """Five seconds know nothing of the wings of what 500 seconds recorded."""
    made = simulated(n=len(exptime), seed=303, density=60.0, exptime=exptime, effects=(("satellites", 1),))
    for kept, lit in left(made, found(made)).values():
        assert kept < 0.06 * max(lit, 500)


def test_small_or_wholly_bad_chips_have_none():
    assert find_trails(sky(1, side=100), np.zeros((100, 100), np.bool_), 1.0) == []
    assert find_trails(sky(1), np.ones((SIDE, SIDE), np.bool_), 1.0) == []
    assert find_trails(sky(1), np.zeros((SIDE, SIDE), np.bool_), 0.0) == []


def test_the_mask_follows_the_line():
    mask = Trail(angle=np.deg2rad(90.0), distance=10.0, half_width=2.0).mask((30, 20))
    np.testing.assert_array_equal(np.flatnonzero(mask.any(axis=1)), [8, 9, 10, 11, 12])


def test_a_pair_of_exposures_loses_a_trail_and_says_so():
    """FAULTS: one or two exposures kept the wings of a trail."""
    made = simulated(n=2, seed=303, density=60.0, effects=(("satellites", 1),))
    rays = found(made)
    without = found(made, ["reject.trails=never"])
    left = {True: 0, False: 0}
    for name, chip in made.exposures[0].chips.items():
        trail = made.truth.chip(made.exposures[0].root, name).trail
        if trail is None:
            continue
        charge = np.asarray(trail.electrons() if hasattr(trail, "electrons") else trail)
        if np.count_nonzero(charge > 10.0) < 6000:
            continue  # a corner
        for which, masks in ((True, rays), (False, without)):
            mask = masks.mask(made.exposures[0].root, name, chip.shape)
            left[which] += int(np.count_nonzero((charge > 10.0) & ~mask & (chip.dq == 0)))
    assert left[False] > 500
    assert left[True] < 0.1 * left[False]
    findings = ray_findings(made.exposures, rays, Serial())
    sentences = [f.sentence for f in findings if "a straight trail" in f.sentence or "a trail along" in f.sentence]
    told = {name: sum(name in sentence for sentence in sentences) for name in rays.trails[made.exposures[0].root]}
    assert set(told.values()) == {1}  # once for each chip
    assert all(sentence.startswith(made.exposures[0].root) for sentence in sentences)
