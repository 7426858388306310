"""Ratios of an exposure's stars to the others that follow brightness, or place on a chip, are named; others are not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mizzle.model import FluxReference, FluxScales, Verdict
from mizzle.steps.verify.slopes import WARN_CHANGE, ChipSightings, chip_changes
from mizzle.steps.verify.star_fluxes import Measured
from mizzle.steps.verify.steadiness import ChargeLost, star_findings
from tiny_visit import exposure, frame

NAMES = ("PC", "WF2", "WF3", "WF4")
SIDE, STARS, SEEDS = 20, 80, 8
#: Electrons of the faintest star in 500 s, and how many times as bright the brightest is.
FAINTEST, CONTRAST = 3000.0, 30.0


def same(exposure, name, light, x, y):
    return np.ones(light.size)


def response(power, which=(1,), chips=NAMES):
    """Counts to a power: each e-fold of brightness changes the ratio by `power`."""
    return lambda k, name, light, x, y: (light / 1000.0) ** (power * (k in which and name in chips))


def saturating(share):
    """A loss that grows with the counts: `share` of the brightest star of 500 s, in all exposures."""
    return lambda k, name, light, x, y: 1.0 - share * light / (FAINTEST * CONTRAST)


def tilted(change, which=(1,), chips=NAMES):
    """Fainter by `change` at high x, of what low x has."""
    return lambda k, name, light, x, y: 1.0 - change * (x / SIDE) * (k in which and name in chips)


def visit(times, change=same, *, seed=1, stars=STARS, dither=0.5, lost=0.0):
    """Stars of four chips on exposures of some times; `lost` is what transfer takes of the faintest at the last row."""
    rng = np.random.default_rng(seed)
    sci = np.zeros((SIDE, SIDE))
    made = [exposure(k, {name: (sci, sci, frame(name, (SIDE, SIDE))) for name in NAMES}) for k in range(len(times))]
    made = [dataclasses.replace(e, exptime=time) for e, time in zip(made, times, strict=True)]
    rate = FAINTEST / 500.0 * CONTRAST ** rng.uniform(0.0, 1.0, stars * len(NAMES))
    places = rng.uniform(1.0, SIDE - 1.0, (2, rate.size))
    moved = rng.uniform(-dither, dither, (len(times), 2))
    measured, logs = [], []
    for k, e in enumerate(made):
        for c, name in enumerate(NAMES):
            star = np.arange(stars * c, stars * (c + 1))
            light, (x, y) = rate[star] * e.exptime, places[:, star] + moved[k][:, None]
            taken = lost * (FAINTEST / light) ** 0.5 * y / SIDE
            error = np.hypot(np.sqrt(light + 400.0), 0.01 * light)
            flux = light * change(k, name, light, x, y) * np.exp(-taken) + rng.normal(0.0, error)
            zero = np.zeros(stars)
            measured.append(Measured(e.root, name, star, x, y, flux, error, zero, zero + 1.0, zero))
            logs.append(taken)
    return made, measured, rate, logs


def said(times, change=same, *, charge=None, **plan):
    """What is said of slopes; offsets have tests of their own."""
    made, measured, rate, logs = visit(times, change, **plan)
    reference = FluxReference("WF3", 2.4e-18, 7996.0, 646.0, -21.1, "WFPC2", 7.0, "test")
    scales = FluxScales({"F814W": reference}, {e.root: dict.fromkeys(e.chips, 1.0) for e in made})
    lost = None if charge is None else ChargeLost([charge * part for part in logs], 0.1)
    findings = star_findings(made, measured, scales, rate=rate, charge=lost)
    return [f for f in findings if "against faint" in f.sentence or "other side" in f.sentence], [e.root for e in made]


@pytest.mark.parametrize("times", [(500.0,) * n for n in (1, 2, 3, 6)] + [(40.0, 500.0) * n for n in (1, 2)])
def test_clean_visits_say_nothing(times):
    assert sum(bool(said(times, seed=seed)[0]) for seed in range(15)) == 0


@pytest.mark.parametrize("n", [3, 4, 6])
def test_an_exposure_whose_bright_stars_are_faint_is_named(n):
    for seed in range(SEEDS):
        findings, roots = said((500.0,) * n, response(-0.025), seed=seed)
        assert [(f.part, f.verdict, f.chips) for f in findings] == [("zeropoint", Verdict.WARN, ())]
        assert findings[0].sentence.startswith(roots[1])
        assert "fainter" in findings[0].sentence


def test_one_chip_that_is_not_linear_is_named():
    for seed in range(SEEDS):
        findings, roots = said((500.0,) * 4, response(0.03, chips=("WF3",)), seed=seed)
        assert [f.chips for f in findings] == [("WF3",)]
        assert findings[0].sentence.startswith(roots[1])
        assert "brighter" in findings[0].sentence


def test_a_loss_with_counts_in_all_exposures_shows_between_long_and_short():
    """Which are right, the data do not say: the sentence names an exposure, and holds it against the others."""
    seen = [bool(said((40.0, 500.0) * 2, saturating(0.12), seed=seed)[0]) for seed in range(SEEDS)]
    assert sum(seen) >= SEEDS - 1


@pytest.mark.parametrize("change", [saturating(0.12), response(-0.05, which=range(9)), tilted(0.1, which=range(9))])
def test_what_equal_exposures_share_is_not_seen(change):
    """Equal times, dithers small beside the chip: no ratio of exposures holds it. The documentation says so."""
    assert not any(said((500.0,) * 4, change, seed=seed)[0] for seed in range(SEEDS))


@pytest.mark.parametrize("n", [3, 6])
def test_an_exposure_that_is_fainter_toward_one_side_is_named(n):
    for seed in range(SEEDS):
        findings, roots = said((500.0,) * n, tilted(0.1, chips=("WF2", "WF4")), seed=seed)
        assert [(f.part, f.verdict, f.chips) for f in findings] == [("zeropoint", Verdict.WARN, ("WF2", "WF4"))]
        assert findings[0].sentence.startswith(roots[1])
        assert findings[0].sentence.count("toward high x") == 2
        assert "low x" not in findings[0].sentence


def test_of_two_exposures_that_differ_both_are_named():
    for change in (tilted(0.1), response(-0.03)):
        (finding,), roots = said((500.0,) * 2, change)
        assert all(root in finding.sentence for root in roots)


def test_two_exposures_of_six_are_both_named():
    for seed in range(SEEDS):
        findings, roots = said((500.0,) * 6, tilted(0.1, which=(1, 4), chips=("PC",)), seed=seed)
        assert {f.sentence[: len(roots[0])] for f in findings} == {roots[1], roots[4]}


def test_an_exposure_that_is_fainter_throughout_has_no_slope():
    for seed in range(SEEDS):
        assert said((500.0,) * 3, lambda k, *_: 0.8 if k == 1 else 1.0, seed=seed, dither=3.0)[0] == []


def test_charge_lost_by_faint_stars_is_no_fault_where_the_formula_explains_it():
    times = (20.0, 500.0) * 2
    assert any(said(times, seed=seed, lost=0.1)[0] for seed in range(SEEDS))
    assert not any(said(times, seed=seed, lost=0.1, charge=1.0)[0] for seed in range(SEEDS))
    # A formula is not known better than it is: off by its error, it accuses nobody.
    assert not any(said(times, seed=seed, lost=0.1, charge=0.9)[0] for seed in range(SEEDS))


def test_few_stars_say_nothing():
    assert not any(said((500.0,) * 4, tilted(0.2), seed=seed, stars=20)[0] for seed in range(SEEDS))


def test_two_blends_near_an_edge_are_no_slope():
    """Thirty stars, and two of them 15 % faint in one exposure, beside each other: a fault of a chip has more."""

    def blended(k, name, light, x, y):
        far = np.argsort(-x)[:2]
        return np.where(np.isin(np.arange(x.size), far) & (k == 1), 0.85, 1.0)

    assert sum(bool(said((500.0,) * 4, blended, seed=seed, stars=30)[0]) for seed in range(15)) <= 1


@pytest.mark.parametrize("faint", [0.02, 0.15])
def test_noise_alone_makes_no_slope(faint):
    """Stars' brightness is known from the very fluxes that are compared: on the mean no slope comes of that."""
    rng = np.random.default_rng(3)
    star, values, errors = np.tile(np.arange(60), 2), [], []
    for _ in range(200):
        truth, sigma = rng.uniform(0.0, 1.0, 60), np.repeat([0.01, faint], 60)
        light = np.tile(truth, 2) + rng.normal(0.0, sigma)
        place = rng.uniform(-0.5, 0.5, (2, 60))
        seen = ChipSightings(
            star, np.repeat([0, 1], 60), light, sigma, np.zeros(120), np.tile(place[0], 2), np.tile(place[1], 2)
        )
        changes = chip_changes(seen, 0.0)
        values.append([[c.brightness.value, c.column.value, c.row.value] for c in changes.values()])
        errors.append([[c.brightness.statistical, c.column.statistical, c.row.statistical] for c in changes.values()])
    mean, scatter = np.mean(values, axis=0), np.std(values, axis=0)
    assert np.all(np.abs(mean) < 4.0 * scatter / np.sqrt(len(values)))
    np.testing.assert_allclose(np.mean(errors, axis=0) / scatter, 1.0, atol=0.25)


def test_a_change_is_what_was_put_in():
    """3 % for each e-fold, over the range of 90 % of the stars."""
    rng = np.random.default_rng(5)
    brightness = rng.uniform(0.0, 2.0, 100)
    light = np.concatenate([brightness, 0.97 * brightness])
    place = rng.uniform(-0.5, 0.5, (2, 100))
    seen = ChipSightings(
        np.tile(np.arange(100), 2),
        np.repeat([0, 1], 100),
        light,
        np.full(200, 0.01),
        np.zeros(200),
        np.tile(place[0], 2),
        np.tile(place[1], 2),
    )
    low, high = np.percentile(brightness, (5.0, 95.0))
    change = chip_changes(seen, 0.0)[1]
    np.testing.assert_allclose(change.brightness.value, -0.03 * (high - low), rtol=0.03)
    assert change.brightness.counts == (abs(change.brightness.value) > WARN_CHANGE)
    np.testing.assert_allclose(change.magnitudes, 1.0857 * (high - low), rtol=0.03)
