"""The proof: faults are found, clean data are not accused, and what cannot be judged is not."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from mizzle.instrument.cameras import WFPC2
from mizzle.model import (
    Alignment,
    ArrayPixels,
    Catalog,
    CosmicRays,
    ExposureProof,
    Serial,
    SkyLevels,
    Verdict,
)
from mizzle.settings import Settings, VerifySettings
from mizzle.steps.chip_view import view_chips
from mizzle.steps.equalize import equalize
from mizzle.steps.verify import judge_ratio, verify
from mizzle.steps.verify.measure import _blend_errors, _without_exposures
from mizzle.steps.verify.sightings import StarTable, _enough_for_profiles, on_two_exposures
from mizzle.steps.verify.solve import gather_sightings, pair_table, solve
from mizzle.steps.verify.stars import PlacedStars, cut_stamps
from photometry_tools import make_chip, make_exposure

CHIPS = ("PC", "WF2", "WF3", "WF4")
PAIRS = ((0, 1), (0, 3), (1, 2), (2, 3))  # chips that share a border


def catalog_from_truth(truth, photflam):
    stars = truth.stars
    columns = {
        "ra": stars.ra,
        "dec": stars.dec,
        "flux": truth.rate(photflam),
        "mag_st": stars.mag_st,
        "flux_err": np.zeros(len(stars)),  # as they are
        "flags": np.zeros(len(stars), np.int32),
    }
    return Catalog(columns, {})


def prove(scene, *, fault=None, runner=None, **options):
    """Prove a scene's zeropoint; `fault` multiplies the factors of one chip."""
    alignment, scales, sky, rays = scene.solutions.values()
    if fault is not None:
        chip, size = fault
        factors = {
            root: {n: f * (size if n == chip else 1.0) for n, f in chips.items()}
            for root, chips in scales.factors.items()
        }
        scales = dataclasses.replace(scales, factors=factors)
    catalog = catalog_from_truth(scene.truth, scales.photflam)
    settings = Settings(verify=VerifySettings(**options))
    return verify(
        scene.exposures,
        catalog,
        alignment,
        scales=scales,
        sky=sky,
        cosmic_rays=rays,
        settings=settings,
        runner=runner or Serial(),
    )


@pytest.mark.parametrize(
    ("ratio", "error", "pairs", "verdict"),
    [
        (1.000, 0.006, 20, Verdict.PASS),
        (1.0099, 0.010, 5, Verdict.PASS),
        (0.989, 0.006, 20, Verdict.PASS),
        (0.989, 0.003, 20, Verdict.WARN),
        (1.000, 0.011, 20, Verdict.NONE),
        (0.970, 0.0099, 20, Verdict.FAIL),
        (0.975, 0.0099, 20, Verdict.WARN),
        (1.030, 0.0101, 20, Verdict.NONE),
        (1.040, 0.0101, 20, Verdict.FAIL),
        (1.019, 0.005, 20, Verdict.WARN),
        (1.021, 0.009, 20, Verdict.NONE),
        (1.021, 0.008, 20, Verdict.WARN),
        (0.500, 0.001, 4, Verdict.NONE),
        (float("nan"), 0.01, 20, Verdict.NONE),
    ],
)
def test_rules_of_the_verdict(ratio, error, pairs, verdict):
    assert judge_ratio(ratio, error, pairs) is verdict


def sightings(rng, n_pairs, *, ratios=(1, 1, 1, 1), sigma=0.02, outliers=0.03):
    """Stars on chip pairs as a dithered visit gives them, a few exposures each."""
    star, chip, value, error = [], [], [], []
    for k in range(n_pairs):
        brightness = rng.normal(0, 1)
        for c in PAIRS[rng.integers(4)]:
            for _ in range(rng.integers(1, 4)):
                s = sigma * np.exp(rng.normal(0, 0.4))
                off = rng.exponential(0.3) if rng.random() < outliers else 0.0
                star.append(k)
                chip.append(c)
                value.append(brightness + np.log(ratios[c]) + rng.normal(0, s) + off)
                error.append(s)
    return gather_sightings(np.array(star), np.array(chip), np.array(value), error=np.array(error))


@pytest.mark.parametrize(
    ("chip", "share", "verdict"),
    [("PC", 0.7, Verdict.NONE), ("PC", 1.1, Verdict.FAIL), ("WF4", 0.07, Verdict.NONE), ("WF4", 0.16, Verdict.FAIL)],
)
def test_a_crowd_excuses_what_it_does_and_no_more(chip, share, verdict):
    """Simulated clusters leave the PC up to .7 of its crowd's light too bright, the WF .07: far more is a fault."""
    crowd = 0.5
    star, chips = np.repeat(np.arange(40), 2), np.tile([2, CHIPS.index(chip)], 40)
    seen = gather_sightings(star, chips, np.zeros(80), error=np.full(80, 0.01), crowd=np.full(80, crowd))
    error = float(np.hypot(0.004, _blend_errors(seen, CHIPS, "WF3", camera=WFPC2)[chip]))
    assert judge_ratio(1.0 + share * crowd, error, 40) is verdict


def test_the_noise_of_a_short_exposure_is_no_crowd():
    """Light around a star is weighed as its flux is: half a second knows nothing of it."""
    star, chip = np.tile([0, 0, 0, 0], 2), np.repeat([0, 1], 4)
    error, crowd = np.tile([0.01, 0.01, 0.01, 0.3], 2), np.tile([0.02, 0.02, 0.02, 2.0], 2)
    seen = gather_sightings(star, chip, np.zeros(8), error=error, crowd=crowd)
    np.testing.assert_allclose(seen.crowd, 0.02, atol=0.002)


def test_a_star_beside_a_full_one_is_not_measured():
    """The full one's pixels were filled with the star's own profile: a short exposure saw up to seven times as much."""
    sci = np.random.default_rng(8).normal(5.0, 1.0, (200, 200)).astype(np.float32)
    dq = np.zeros(sci.shape, np.uint16)
    dq[98:103, 104:107] = 8
    exposures = [make_exposure("a", [make_chip("WF3", sci, dq)])]
    settings, alignment = Settings(), Alignment.identity(exposures)
    (view,) = view_chips(exposures, alignment, equalize(exposures, settings), settings=settings)
    x, y = np.array([100.0, 100.0, 50.0]), np.array([100.0, 130.0, 60.0])
    where, nothing = PlacedStars(np.arange(3), x, y), np.zeros(sci.shape, np.bool_)
    stamps = cut_stamps(view, where, nothing, cosmic_rays=CosmicRays({}, {}, {}), settings=settings)
    assert stamps.star.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("ratio", "error", "taken"), [(0.988, 0.0015, 0.98), (1.003, 0.004, 0.0), (float("nan"), float("nan"), 0.0)]
)
def test_what_an_exposure_differs_by_is_no_chips(ratio, error, taken):
    """A short exposure of a crowded field is a per cent faint; the stars it moved to WF2 made that chip 2 % faint."""
    exposure, chip = np.array([0, 1, 0, 1]), np.array([2, 1, 2, 2])
    value = np.array([1.0, 1.0, 2.0, 2.0]) + np.where(exposure == 1, np.log(ratio) if taken else 0.0, 0.0)
    zero = np.zeros(4)
    table = StarTable(np.array([0, 0, 1, 1]), exposure, chip, value, zero + 0.01, zero, zero)
    reference = ExposureProof(1.0, 0.0, 9, Verdict.PASS, 1.0, 0.0)
    proofs = {"a": reference, "b": ExposureProof(ratio, error, 9, Verdict.PASS, ratio, error)}
    light = _without_exposures(table, proofs)
    expected = value - taken * np.array([0.0, 1.0, 0.0, 1.0]) * (np.log(ratio) if taken else 0.0)
    np.testing.assert_allclose(light.with_charge, expected, atol=1e-4)
    np.testing.assert_array_equal(light.plain, light.with_charge)
    np.testing.assert_array_equal(_without_exposures(table, {}).plain, value)


def test_exposures_are_compared_on_as_many_stars_as_their_ratio_wants():
    """Stars of 2 % each give a ratio to a thousandth, a third of what is systematic; thousands more would cost time."""
    views = [SimpleNamespace(root=root) for root in ("a", "b", "b")]
    seen = np.random.default_rng(5).random((3, 5000)) < 0.8
    chosen = on_two_exposures(seen, views)
    assert 0.0008 < 0.02 / np.sqrt(np.count_nonzero(chosen)) < 0.0012
    assert np.flatnonzero(chosen).max() < 1000


def test_ratios_are_found_through_chains():
    found = solve(sightings(np.random.default_rng(1), 4000, ratios=(0.9, 1.1, 1.0, 0.97)), 4, 2)
    np.testing.assert_allclose(found.ratio, (0.9, 1.1, 1.0, 0.97), atol=0.003)
    assert found.error[2] == 0
    assert (found.n_pairs[[0, 1, 3]] > 1500).all()  # a ring of chips: two borders tie each to the reference


def test_errors_of_the_ratios_are_right():
    rng = np.random.default_rng(2)
    pulls = []
    for _ in range(200):
        found = solve(sightings(rng, 60, outliers=0.0), 4, 2)
        pulls.append(np.log(found.ratio[[0, 1, 3]]) / found.error[[0, 1, 3]])
    assert 0.85 < np.std(pulls) < 1.15


@pytest.mark.parametrize("n_pairs", [12, 40, 100])
def test_clean_visits_are_not_accused(n_pairs):
    rng = np.random.default_rng(n_pairs)
    fails = 0
    for _ in range(100):
        found = solve(sightings(rng, n_pairs), 4, 2)
        errors = np.hypot(found.error, 0.005)
        fails += any(judge_ratio(found.ratio[c], errors[c], found.n_pairs[c]) is Verdict.FAIL for c in (0, 1, 3))
    assert fails <= 1


@pytest.mark.parametrize("chip", [0, 1, 3])
def test_a_fault_of_three_percent_is_detected_where_the_error_allows(chip):
    rng = np.random.default_rng(30 + chip)
    missed = judged = 0
    for _ in range(100):
        ratios = [1.0] * 4
        ratios[chip] = 0.97
        found = solve(sightings(rng, 150, ratios=ratios), 4, 2)
        error = float(np.hypot(found.error[chip], 0.005))
        if error <= 0.008:
            judged += 1
            missed += judge_ratio(found.ratio[chip], error, found.n_pairs[chip]) is Verdict.PASS
    assert judged > 50
    assert missed == 0


def test_a_chip_no_chain_reaches_has_no_ratio():
    seen = gather_sightings(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]), np.zeros(4), error=np.full(4, 0.01))
    found = solve(seen, 4, 2)
    assert np.isnan(found.ratio[:2]).all()
    assert found.ratio[3] == pytest.approx(1.0)
    assert found.n_pairs.tolist() == [0, 0, 1, 1]


def test_a_chain_is_as_good_as_its_thinnest_place():
    """Twenty good pairs from PC to WF2, and one bad star from WF2 to the reference: nobody may be accused."""
    star = np.concatenate([np.repeat(np.arange(20), 2), [20, 20]])
    chip = np.concatenate([np.tile([0, 1], 20), [1, 2]])
    value = np.concatenate([np.zeros(41), [0.3]])
    found = solve(gather_sightings(star, chip, value, error=np.full(42, 0.02)), 4, 2)
    assert found.ratio[1] < 0.8
    assert found.n_pairs.tolist() == [1, 1, 1, 0]
    assert judge_ratio(found.ratio[1], found.error[1], int(found.n_pairs[1])) is Verdict.NONE


def test_nothing_seen():
    empty = np.zeros(0)
    seen = gather_sightings(empty.astype(int), empty.astype(int), empty, error=empty)
    found = solve(seen, 4, 2)
    assert found.n_pairs.tolist() == [0, 0, 0, 0]
    assert pair_table(seen, CHIPS)["one"].size == 0


def test_pairs_of_a_star_on_three_chips():
    seen = gather_sightings(np.zeros(3, int), np.array([0, 1, 2]), np.array([0.0, 0.1, 0.3]), error=np.full(3, 0.01))
    table = pair_table(seen, CHIPS)
    pairs = {(a, b): r for a, b, r in zip(table["one"], table["two"], table["log_ratio"], strict=True)}
    assert pairs == pytest.approx({("PC", "WF2"): -0.1, ("WF2", "WF3"): -0.2, ("PC", "WF3"): -0.3})
    assert solve(seen, 4, 2).n_pairs.tolist() == [2, 2, 2, 0]


def test_a_clean_visit_is_proven(scene):
    zeropoint = prove(scene)
    for name in ("WF2", "WF4"):
        proof = zeropoint.proof[name]
        assert proof.n_pairs > 20
        assert proof.error < 0.009
        assert abs(proof.ratio - 1) < 3 * proof.error
        assert proof.cte_error == pytest.approx(0.1 * abs(proof.ratio - proof.ratio_uncorrected))
    # The borders join one chip's low y to its neighbor's low x: without correction they disagree, more than the few
    # stars of one visit, each with a loss of its own, can hide.
    plain = {name: zeropoint.proof[name].ratio_uncorrected for name in ("WF2", "WF4")}
    assert plain["WF4"] - plain["WF2"] > 0.03
    assert zeropoint.proof["WF3"].ratio == 1.0
    assert zeropoint.verdict in (Verdict.PASS, Verdict.WARN)
    assert set(zeropoint.tables["pairs"]) >= {"ra", "dec", "one", "two", "log_ratio", "error"}


@pytest.mark.parametrize("chip", ["WF2", "WF4"])
def test_a_faulty_chip_fails(scene, chip):
    clean, faulty = prove(scene), prove(scene, fault=(chip, 0.97))
    assert faulty.proof[chip].ratio == pytest.approx(0.97 * clean.proof[chip].ratio, rel=1e-3)
    assert faulty.proof[chip].verdict in (Verdict.FAIL, Verdict.WARN)
    assert abs(faulty.proof[chip].ratio - 1) > 0.018


def test_a_faulty_reference_accuses_all_others(scene):
    faulty = prove(scene, fault=("WF3", 0.95))
    assert faulty.proof["WF2"].verdict is Verdict.FAIL
    assert faulty.proof["WF4"].verdict is Verdict.FAIL
    assert faulty.verdict is Verdict.FAIL


def test_without_cte_correction_the_loss_would_look_like_a_fault(scene):
    plain = prove(scene, cte="none")
    assert plain.proof["WF2"].ratio == plain.proof["WF2"].ratio_uncorrected
    assert plain.proof["WF4"].ratio - plain.proof["WF2"].ratio > 0.03


def test_too_few_stars_cannot_judge(scene):
    zeropoint = prove(scene, snr=1000.0)
    assert zeropoint.proof["PC"].verdict is Verdict.NONE
    assert any("would prove it" in note for note in zeropoint.notes)


@pytest.mark.parametrize("exposures", [1, 6])
def test_a_chip_whose_stars_are_all_shaded_is_left_out(scene, exposures):
    """Some visits hold a chip of one exposure that keeps none of the stars it was asked about."""
    dark = [
        replace_pixels(e, {"PC": (e.chips["PC"].sci, e.chips["PC"].dq | np.uint16(2))}) if i < exposures else e
        for i, e in enumerate(scene.exposures)
    ]
    proof = prove(SimpleNamespace(exposures=dark, truth=scene.truth, solutions=scene.solutions)).proof
    assert proof["WF4"].verdict is Verdict.PASS
    assert proof["PC"].n_pairs <= prove(scene).proof["PC"].n_pairs
    if exposures == 6:
        assert proof["PC"].verdict is Verdict.NONE


def replace_pixels(exposure, planes):
    """The exposure with other pixels on some chips."""
    chips = {
        name: dataclasses.replace(chip, pixels=ArrayPixels(*planes[name])) if name in planes else chip
        for name, chip in exposure.chips.items()
    }
    return dataclasses.replace(exposure, chips=chips)


def test_switched_off(scene):
    zeropoint = prove(scene, enabled=False)
    assert zeropoint.verdict is Verdict.NONE
    assert "nothing was proven" in zeropoint.notes[0]


def test_the_runner_does_not_matter(scene):
    from mizzle.execution import Threads

    one, two = prove(scene), prove(scene, runner=Threads(3))
    assert repr(one.proof) == repr(two.proof)


def test_a_mean_profile_of_some_stars_measures_as_one_of_all(scene, monkeypatch):
    """Of many exposures some make the profile that fills in lost pixels; no star is left out, no ratio moves."""
    every = prove(scene)
    monkeypatch.setattr("mizzle.steps.verify.sightings.PROFILE_PIXELS", 2e4)
    some = prove(scene)
    for name in CHIPS:
        assert some.proof[name].n_pairs == pytest.approx(every.proof[name].n_pairs, rel=0.02)
        assert some.proof[name].ratio == pytest.approx(every.proof[name].ratio, abs=1e-3)


@pytest.mark.parametrize("many", [1, 3, 4, 6])
def test_the_mean_profile_comes_from_every_chip_of_a_class(monkeypatch, many):
    """However many exposures are left out: a step over the list of chips would hit the same chip again and again."""
    wide = SimpleNamespace(classes=(SimpleNamespace(chips=("WF2", "WF3", "WF4")),))
    side = SimpleNamespace(scale=0.1)
    views = [SimpleNamespace(root=f"e{n}", name=name, frame=side, camera=wide) for n in range(12) for name in CHIPS[1:]]
    monkeypatch.setattr("mizzle.steps.verify.sightings.PROFILE_PIXELS", 36 * 100.0 / many)
    shown = _enough_for_profiles(range(36), [1] * 36, views)
    assert len(shown) == 36 // many
    assert {views[i].name for i in shown} == set(CHIPS[1:])


def test_no_stars_no_proof():
    exposure = make_exposure("a", [make_chip(n, np.zeros((60, 60), np.float32)) for n in CHIPS])
    scales = equalize([exposure], Settings())
    nothing = {"a": dict.fromkeys(CHIPS, float("nan"))}
    sky = SkyLevels({"a": dict.fromkeys(CHIPS, 0.0)}, nothing, nothing, nothing)
    empty = Catalog({name: np.zeros(0) for name in ("ra", "dec", "flux", "flags", "mag_st")}, {})
    zeropoint = verify(
        [exposure],
        empty,
        Alignment.identity([exposure]),
        scales=scales,
        sky=sky,
        cosmic_rays=CosmicRays({}, {}, {}),
        settings=Settings(),
        runner=Serial(),
    )
    assert {p.verdict for p in zeropoint.proof.values()} == {Verdict.NONE}
    assert zeropoint.verdict is Verdict.NONE


def test_a_clump_of_stars_accuses_no_chip():
    """On the border of PC and WF4 all stars but one are of a clump; the other borders know better."""
    accused = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pairs = [(0, 1)] * 9 + [(1, 2)] * 5 + [(2, 3)] * 11 + [(0, 3)] * 5
        star, chip = np.repeat(np.arange(30), 2), np.array(pairs).ravel()
        error = np.where(chip == 0, 0.03, 0.02)
        value, crowd = rng.normal(0.0, error), rng.uniform(0.0, 0.01, 60)
        clump = (star >= 26) & (chip == 0)
        value[clump] -= rng.uniform(0.1, 0.25, 4)
        crowd[clump] = rng.uniform(0.06, 0.11, 4)
        fit = solve(gather_sightings(star, chip, value, error=error, crowd=crowd), 4, 2)
        accused += (np.abs(np.log(fit.ratio)) > 3.0 * np.hypot(fit.error, 0.005)).any()
    assert accused <= 1
