"""Star cores, checked again: what smooth light must be, where the other exposures' pixels lie, what is decided."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mizzle.execution import make_runner
from mizzle.geometry.mapping import chip_map
from mizzle.instrument.dq import bad_mask
from mizzle.kernel import ChipMap
from mizzle.kernel.maps import InverseMap
from mizzle.kernel.predict import NeighborSamples, Samples, predict_light
from mizzle.model import Alignment, Serial
from mizzle.settings import Settings, load_settings
from mizzle.settings.reject import RejectSettings
from mizzle.steps.equalize import equalize
from mizzle.steps.focus import measure_focus
from mizzle.steps.reject.compared_chip import compared_chips
from mizzle.steps.reject.reference import build_reference, class_grid
from mizzle.steps.reject.star_cores import (
    CoreCandidates,
    _in_focus,
    _JoinedCandidates,
    _of_other_exposures,
    recheck_star_cores,
)
from ray_scores import found, scores, simulated, star_peaks_flagged, true_sky

WIDTH, LENGTH = 0.56, 0.8  # of a star on a WF chip, its pixel included, and of the covariance that it makes [pixel]


def star(dx, dy, flux=1000.0):
    return flux * np.exp(-(dx**2 + dy**2) / (2 * WIDTH**2))


def samples(rng, k=300, m=16, noise=3.0):
    """Stars near each place, seen through pixels around it."""
    center = rng.uniform(-1, 1, (2, k, 1))
    dx, dy = rng.uniform(-1.2, 1.2, (2, k, m))
    value = star(dx - center[0], dy - center[1])
    truth = star(-center[0], -center[1])[:, 0]
    seen = Samples(dx, dy, value + rng.normal(0, noise, value.shape), np.full(value.shape, noise**2))
    return seen, truth


def all_chips(made):
    settings = load_settings("")
    scales = equalize(made.exposures, settings)
    return compared_chips(
        made.exposures, Alignment.identity(made.exposures), scales, sky=true_sky(made, scales), settings=settings
    )


def test_a_star_is_predicted_within_what_is_promised():
    seen, truth = samples(np.random.default_rng(1))
    mean, variance = predict_light(seen, np.full(truth.size, 1000.0), LENGTH)
    pull = (mean - truth) / np.sqrt(variance)
    assert np.abs(mean - truth).mean() < 25.0, "2.5 per cent of the star, sixteen samples at random"
    assert np.mean(np.abs(pull) < 2) > 0.95


def test_what_is_no_sample_is_invisible():
    seen, truth = samples(np.random.default_rng(2), m=12)
    loud = Samples(*(np.concatenate([a, a], axis=1) for a in seen))
    loud.value[:, 12:] = np.nan
    loud.variance[:, 12:] = np.inf
    some = np.full(truth.size, 1000.0)
    for one, other in zip(predict_light(seen, some, LENGTH), predict_light(loud, some, LENGTH), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_without_samples_nothing_is_known():
    nothing = Samples(*np.zeros((3, 2, 4)), np.full((2, 4), np.inf))
    mean, variance = predict_light(nothing, np.array([3.0, 5.0]), LENGTH)
    np.testing.assert_array_equal(mean, 0.0)
    np.testing.assert_allclose(variance, [9.0, 25.0])


def test_a_pixel_is_found_again():
    """Distorted chips: the pixel on which a place lies is that from which the place was made."""
    made = simulated(n=2, seed=5, effects=(("cosmic_rays", 0.0),))
    every = all_chips(made)
    grid = class_grid([s for s in every if s.view.chip_class.name == "WF"])
    rng = np.random.default_rng(3)
    for compared in every[1:4]:
        own = chip_map(compared.view.frame, grid)
        i, j = rng.integers(1, 799, (2, 500))
        away = rng.uniform(-0.45, 0.45, (2, 500))
        x, y, near = InverseMap(own).nearest_pixels(*own(i + away[0], j + away[1]))
        assert near.size == i.size
        assert np.mean((x == i) & (y == j)) > 0.99
        assert InverseMap(own).covers(*own(i, j))[(i > 9) & (i < 790) & (j > 9) & (j < 790)].all()
        outside = InverseMap(own).nearest_pixels(*own(np.array([-0.9, 799.9]), np.array([400.0, 400.0])))
        assert outside[2].size == 0


def test_inverse_of_a_straight_map():
    own = ChipMap.affine((50, 40), [[0.0, -2.0], [2.0, 0.0]], [300.0, 10.0])
    gx, gy = own(np.array([12.0, 35.0]), np.array([20.0, 3.0]))
    x, y, near = InverseMap(own).nearest_pixels(gx, gy)
    assert (x.tolist(), y.tolist(), near.tolist()) == ([12, 35], [20, 3], [0, 1])


#: Six exposures at gain 15, where the check matters most.
SEEDS = (51, 151, 251)


def six(seed):
    return simulated(n=6, seed=seed, gain=15, effects=(("cosmic_rays", 0.03),))


def flagged(made, rays):
    """Whether each pixel with more than 150 electrons of cosmic rays, and else good, is flagged."""
    parts = []
    for exposure in made.exposures:
        for name, chip in exposure.chips.items():
            hit = made.truth.cosmic_rays(exposure.root, name, 150.0) & ~bad_mask(chip, load_settings().dq)
            parts.append(rays.mask(exposure.root, name, chip.shape)[hit])
    return np.concatenate(parts)


def test_rays_in_star_cores_are_found():
    """Of the pixels on which the two differ the check finds more than chance would, in every visit."""
    gained = lost = missed = total = 0
    for seed in SEEDS:
        made = six(seed)
        plain, rays = found(made, ["reject.second_look=false"]), found(made)
        without, checked = flagged(made, plain), flagged(made, rays)
        here = np.count_nonzero(checked & ~without), np.count_nonzero(without & ~checked)
        assert here[0] > here[1], seed
        gained, lost = gained + here[0], lost + here[1]
        missed, total = missed + np.count_nonzero(~checked), total + checked.size
        score = scores(made, rays)
        assert score["star"] <= 0.002
        assert max(score["sky"].values()) <= 0.003
    assert gained - lost > 3.0 * np.sqrt(gained + lost)
    assert missed < 0.006 * total + 3.0 * np.sqrt(0.006 * total)


def test_stars_that_saturate_in_long_exposures_only_are_no_rays():
    times = (500.0, 500.0, 100.0, 1000.0, 30.0, 500.0)
    made = simulated(n=6, seed=52, exptime=times, effects=(("cosmic_rays", 0.03),))
    checked = scores(made, found(made))
    assert checked["star"] <= 0.002
    assert checked["found150"] >= 0.991


def test_stars_that_are_full_in_long_exposures_are_no_rays_beside_a_far_shorter_one():
    """Half a second knew nothing beside 49: the reference had a hole where 200 s are full, and its rim filled it."""
    flagged, total = 0, 0
    effects = (("cosmic_rays", 0.01), ("breathing", 0.01))
    plan = {"n": 4, "exptime": (208.0, 208.0, 49.2, 0.4), "density": 150.0, "brightest": 16.0, "effects": effects}
    for seed in (56, 57):
        made = simulated(seed=seed, filter="F675W", **plan)
        for taken, peaks in star_peaks_flagged(made, found(made)).values():
            flagged, total = flagged + taken, total + peaks
    assert flagged <= 0.002 * total + 3.0 * np.sqrt(0.002 * total)


@pytest.mark.parametrize(
    ("seconds", "asked"), [(500.0, True), (200.0, True), (20.0, False), (1.0, False), (2000.0, True)]
)
def test_far_shorter_exposures_are_not_asked_for_a_star(seconds, asked):
    """Where their noise was nearest it took the place of better samples."""
    one = {name: np.ones(1) for name in _JoinedCandidates._fields}
    candidate = _JoinedCandidates(
        **{**one, "exposure": np.zeros(1, int), "floor": np.full(1, 30.0), "unit": np.full(1, 1 / 500)}
    )
    other = SimpleNamespace(index=1, view=SimpleNamespace(noise=SimpleNamespace(floor=30.0)))
    assert bool(_of_other_exposures(candidate, other, 2, unit=1 / seconds).number.size) is asked


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [
        {"seed": 53, "effects": (("cosmic_rays", 0.03), ("pointing_error", 7.0))},
        {"seed": 54, "effects": (("cosmic_rays", 0.03), ("breathing", 0.05))},
        {"seed": 55, "filter": "F555W", "effects": (("cosmic_rays", 0.03),)},
    ],
)
def test_predictions_count_for_less_where_exposures_disagree(plan):
    made = simulated(n=6, **plan)
    checked = scores(made, found(made))
    assert checked["star"] <= 0.003
    assert checked["found150"] >= 0.993


def test_a_visit_without_candidates_asks_nobody():
    made = simulated(n=2, seed=14, field="blank", sky=0.006, effects=(("cosmic_rays", 0.0),))
    settings = RejectSettings()
    chips = [s for s in all_chips(made) if s.view.chip_class.name == "PC"]
    reference = build_reference(chips, settings, Serial())
    none = np.zeros(0)
    empty = CoreCandidates(
        none.astype(int), none.astype(int), none, none, none, none, np.zeros((0, 9), bool), none.astype(bool)
    )
    packed = [np.zeros(80000, np.uint8)] * 2
    units = [reference.unit(s) for s in chips]
    hits, _ = recheck_star_cores(
        chips, reference.maps, [empty] * 2, masks=packed, units=units, settings=settings, runner=Serial()
    )
    assert [hit.size for hit in hits] == [0, 0]
    assert reference.thin_coverage(0).all(), "two exposures are few everywhere"


def candidates_at(sharper, count=3):
    """Candidates with a bend of 100 electrons, in units of half an electron."""
    whole, zero = np.ones(count), np.zeros(count)
    return _JoinedCandidates(
        value=zero, amplitude=whole, step=whole, bend=100.0 * whole, sharper=sharper * whole, probe=zero > 0,
        exposure=zero.astype(int), x=zero, y=zero, unit=2.0 * whole, sky=zero, floor=zero,
    )  # fmt: skip


def test_samples_are_brought_to_the_focus_of_the_candidate():
    near, far = [0.0, 0.0, 500.0, 9.0], [2.5, 0.0, 40.0, 9.0]
    seen = NeighborSamples(np.array([0, 2]), np.array([near, far]))
    assert _in_focus(seen, candidates_at(0.02), 0.02, length=0.84) is seen
    sharper, softer = (_in_focus(seen, candidates_at(0.02), other, length=0.84).samples for other in (0.05, -0.01))
    # What a sharper exposure saw is less at the candidate's focus; nothing but the value changes, and little far away.
    np.testing.assert_allclose(sharper[0], [0.0, 0.0, 500.0 - 0.03 * 100.0 * 2.0, 9.0])
    np.testing.assert_allclose(softer[0], [0.0, 0.0, 500.0 + 0.03 * 100.0 * 2.0, 9.0])
    np.testing.assert_allclose(sharper[1], far, rtol=1e-3)
    assert seen.samples[0, 2] == 500.0


@pytest.mark.slow
def test_each_neighbor_counts_with_its_own_focus(monkeypatch):
    """Exposures whose focus is that of the mean lose stars too, where those beside them in phase are out of focus."""
    made = simulated(n=6, seed=613, filter="F555W", effects=(("cosmic_rays", 0.0), ("focus_breathing", 0.02)))
    exposures = measure_focus(made.exposures, Settings(), make_runner(2))

    def peaks_lost():
        pairs = star_peaks_flagged(made, found(made, exposures=exposures), least=300.0).values()
        return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)

    lost, every = peaks_lost()
    monkeypatch.setattr("mizzle.steps.reject.star_cores._in_focus", lambda seen, *_, **__: seen)
    without, _ = peaks_lost()
    assert lost < 0.01 * every
    assert without > 1.5 * lost
