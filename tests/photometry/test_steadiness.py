"""Stars of one exposure against the others: what is brighter, wider or missing is named, what is alike is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mizzle.model import FluxReference, FluxScales, Verdict
from mizzle.steps.verify.star_fluxes import Measured
from mizzle.steps.verify.steadiness import ChargeLost, star_findings
from tiny_visit import exposure, frame

NAMES = ("PC", "WF2", "WF3", "WF4")
STARS = 60


def exposures(n):
    sci = np.zeros((20, 20))
    return [exposure(k, {name: (sci, sci, frame(name, (20, 20))) for name in NAMES}) for k in range(n)]


def scales(made):
    reference = FluxReference("WF3", 2.4e-18, 7996.0, 646.0, -21.1, "WFPC2", 7.0, "test")
    return FluxScales({"F814W": reference}, {e.root: dict.fromkeys(e.chips, 1.0) for e in made})


def measured(made, seed=1, *, flux=lambda k, name: 1.0, sharp=lambda k, name: 1.0, blends=0.1):
    """Each chip has its own stars; a tenth of the measurements hold light of a neighbor."""
    rng = np.random.default_rng(seed)
    rate = 10 ** rng.uniform(0.0, 1.5, STARS * len(NAMES))
    found = []
    for k, e in enumerate(made):
        for c, name in enumerate(NAMES):
            star = np.arange(STARS * c, STARS * (c + 1))
            light = rate[star] * e.exptime
            error = np.sqrt(light * 7.0) / 7.0 + 0.01 * light
            blended = np.where(rng.random(STARS) < blends, rng.exponential(0.3, STARS), 0.0)
            got = light * flux(k, name) * (1.0 + blended) + rng.normal(0.0, error)
            shape = sharp(k, name) * rng.normal(1.0, 0.05, STARS)
            zero = np.zeros(STARS)
            found.append(Measured(e.root, name, star, zero, zero, got, error, zero, shape, zero))
    return found, rate


def said(made, **faults):
    found, rate = measured(made, **faults)
    return star_findings(made, found, scales(made), rate=rate)


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_clean_visits_say_nothing(n):
    made = exposures(n)
    assert sum(bool(said(made, seed=seed)) for seed in range(25)) == 0


@pytest.mark.parametrize(("size", "verdict"), [(0.95, Verdict.FAIL), (0.977, Verdict.WARN), (1.3, Verdict.FAIL)])
def test_an_exposure_that_is_fainter_or_brighter_is_named(size, verdict):
    made = exposures(4)
    findings = said(made, flux=lambda k, name: size if k == 2 else 1.0)
    assert [(f.part, f.verdict, f.chips) for f in findings] == [("zeropoint", verdict, ())]
    assert findings[0].sentence.startswith(made[2].root)
    assert ("brighter" if size > 1 else "fainter") in findings[0].sentence


def test_one_chip_of_one_exposure_is_named():
    made = exposures(3)
    findings = said(made, flux=lambda k, name: 0.94 if (k, name) == (1, "WF4") else 1.0)
    assert [f.chips for f in findings] == [("WF4",)]
    assert findings[0].sentence.startswith(made[1].root)


def test_two_exposures_that_differ_are_both_named():
    made = exposures(2)
    (finding,) = said(made, flux=lambda k, name: 0.94 if k else 1.0)
    assert made[0].root in finding.sentence
    assert made[1].root in finding.sentence


def test_stars_that_are_not_there_are_said_once():
    made = exposures(3)
    findings = said(made, flux=lambda k, name: 0.01 if (k, name) == (1, "PC") else 1.0)
    assert [(f.part, f.verdict, f.chips) for f in findings] == [("alignment", Verdict.FAIL, ("PC",))]


def test_wider_stars_are_said_of_the_exposure_or_of_all():
    made = exposures(3)
    (one,) = said(made, sharp=lambda k, name: 0.8 if k == 1 else 1.0)
    assert one.part == "star shape"
    assert made[1].root in one.sentence
    (every,) = said(made, sharp=lambda k, name: 0.8)
    assert "camera's model" in every.sentence


def test_stars_in_a_crowd_tell_nothing_of_their_shape():
    made = exposures(3)
    found, rate = measured(made, sharp=lambda k, name: 0.6)
    crowded = [dataclasses.replace(one, crowd=np.full(STARS, 0.5)) for one in found]
    assert star_findings(made, crowded, scales(made), rate=rate) == ()


@pytest.mark.parametrize(("crowd", "tells"), [(0.03, True), (0.1, False)])
def test_a_little_light_around_a_star_changes_its_shape_little(crowd, tells):
    """5 % of a star's light around it moves the share of its core by less than breathing does."""
    made = exposures(3)
    found, rate = measured(made, sharp=lambda k, name: 0.6)
    crowded = [dataclasses.replace(one, crowd=np.full(STARS, crowd)) for one in found]
    assert bool(star_findings(made, crowded, scales(made), rate=rate)) == tells


@pytest.mark.parametrize(("size", "part"), [(0.15, "alignment"), (0.5, "zeropoint")])
def test_half_of_a_star_is_a_star(size, part):
    """A shutter that failed leaves faint stars where they belong; a displaced chip leaves none."""
    made = exposures(4)
    findings = said(made, flux=lambda k, name: size if (k, name) == (1, "WF3") else 1.0)
    assert [f.part for f in findings] == [part]


@pytest.mark.parametrize(("stars", "tells"), [(12, True), (6, False)])
def test_six_stars_of_a_chip_tell_nothing(stars, tells):
    made = exposures(4)
    found, rate = measured(made, flux=lambda k, name: 0.9 if (k, name) == (1, "WF3") else 1.0, blends=0.0)
    few = [_part(one, slice(0, stars)) if one.chip == "WF3" else one for one in found]
    assert bool(star_findings(made, few, scales(made), rate=rate)) == tells


def test_charge_lost_at_other_rows_is_no_fault():
    """Dithers move stars along the columns; what the formula explains is taken off, and known no better than it is."""
    made = exposures(4)
    lost = {(e.root, name): 0.08 * (k % 2) for k, e in enumerate(made) for name in NAMES}
    found, rate = measured(made, flux=lambda k, name: float(np.exp(-lost[made[k].root, name])))
    assert star_findings(made, found, scales(made), rate=rate)
    logs = [np.full(STARS, lost[one.root, one.chip]) for one in found]
    assert star_findings(made, found, scales(made), rate=rate, charge=ChargeLost(logs, 0.15)) == ()
    assert star_findings(made, found, scales(made), rate=rate, charge=ChargeLost([0.25 * part for part in logs], 0.15))


def test_few_stars_that_agree_by_chance_are_not_better_known():
    """Nine stars on one chip of twelve exposures: the scatter of nine values is itself known to a quarter."""
    made = exposures(12)
    alarms = 0
    for seed in range(40):
        found, rate = measured(made, seed=seed, blends=0.0)
        few = [_part(one, slice(0, 9)) for one in found if one.chip == NAMES[0]]
        faint = [
            dataclasses.replace(
                one,
                flux=one.flux * (1.0 + np.random.default_rng([seed, k]).normal(0.0, 0.03, 9)),
                error=np.hypot(one.error, 0.03 * one.flux),
            )
            for k, one in enumerate(few)
        ]
        alarms += bool(star_findings(made, faint, scales(made), rate=rate))
    assert alarms <= 2


def test_exposures_with_no_star_in_common_say_nothing():
    made = exposures(3)
    found, rate = measured(made)
    step = STARS // len(made)
    parts = [slice(step * k, step * (k + 1)) for k in range(len(made))]
    alone = [_part(one, parts[k // len(NAMES)]) for k, one in enumerate(found)]
    assert star_findings(made, alone, scales(made), rate=rate) == ()


def _part(one, some):
    arrays = {key: value[some] for key, value in vars(one).items() if isinstance(value, np.ndarray)}
    return dataclasses.replace(one, **arrays)


def test_sources_that_are_blended_tell_no_shape():
    """Bumps in a bright star's wings, listed as stars, have no cores; stars alone are as the model has them."""
    made = exposures(3)
    found, rate = measured(made, sharp=lambda k, name: 0.03)
    assert {f.part for f in star_findings(made, found, scales(made), rate=rate)} == {"star shape"}
    assert star_findings(made, found, scales(made), rate=rate, alone=np.zeros(rate.size, np.bool_)) == ()
