"""Equalizing: the factor of a chip is PHOTFLAM over the reference's, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.errors import DataError, SettingsError
from mizzle.model import FluxScales
from mizzle.model.user_tables import FluxCorrection
from mizzle.settings import EqualizeSettings, Settings
from mizzle.steps.equalize import equalize, photflam_findings
from photometry_tools import F555W, F814W, make_chip, make_exposure

EXECUTED_F814W = {"PC": 1.0240581413248393, "WF2": 1.0036789520254041, "WF3": 1.0, "WF4": 1.0201480808814134}
REAL_F555W = {"PC": 1.012764586, "WF2": 0.987426746, "WF3": 1.0, "WF4": 1.019680749}


def exposure(root="ua060502m", photflams=F814W, **extra):
    gain = extra.get("atodgain", 7)
    return make_exposure(root, [make_chip(n, photflam=p, atodgain=gain) for n, p in photflams.items()], **extra)


def options(**values):
    return Settings(equalize=EqualizeSettings(**values))


def test_factors_of_the_executed_workflow():
    scales = equalize([exposure()], Settings())
    assert scales.factors["ua060502m"] == pytest.approx(EXECUTED_F814W, rel=1e-12)
    assert scales.photflam == 2.449067e-18
    assert scales.reference.chip == "WF3"
    assert scales.reference.gain == 6.90


def test_factors_from_the_printed_photflams_of_the_real_exposure():
    scales = equalize([exposure(photflams=F555W, filter="F555W")], Settings())
    assert scales.factors["ua060502m"] == pytest.approx(REAL_F555W, rel=1e-6)


@pytest.mark.data
def test_factors_of_the_real_exposure(data_dir):
    from mizzle import read_exposure

    real = read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    scales = equalize([real], Settings())
    assert scales.factors["u40x010hm"] == pytest.approx(REAL_F555W, rel=1e-9)
    assert scales.photflam == pytest.approx(3.439046e-18, rel=1e-6)


@given(
    photflams=st.lists(st.floats(1e-20, 1e-14), min_size=4, max_size=4),
    reference=st.sampled_from(["PC", "PC1", "WF2", "wf3", "4"]),
)
def test_equalized_photflam_is_the_reference_for_every_chip(photflams, reference):
    named = dict(zip(("PC", "WF2", "WF3", "WF4"), photflams, strict=True))
    one = exposure(photflams=named)
    scales = equalize([one], options(reference=reference))
    for chip in one.chips.values():
        keywords = scales.keywords(one, chip)
        assert keywords["PHOTFLAM"] == pytest.approx(scales.photflam, rel=1e-14)
    assert scales.factors[one.root][scales.reference.chip] == 1.0


def test_order_of_the_exposures_does_not_matter():
    early = exposure("b", mjd=50000.0)
    late = exposure("a", {n: 1.1 * p for n, p in F814W.items()}, mjd=51000.0)
    one, two = equalize([early, late], Settings()), equalize([late, early], Settings())
    assert one.factors == two.factors
    assert one.references == two.references
    assert one.reference.origin == "WF3 of b"


def test_gains_and_epochs_come_to_one_zeropoint():
    seven = exposure("a")
    fifteen = exposure("b", {n: 2.006 * p for n, p in F814W.items()}, atodgain=15, mjd=54001.0)
    faded = exposure("c", {n: 1.03 * p for n, p in F814W.items()}, mjd=54900.0)
    scales = equalize([seven, fifteen, faded], Settings())
    for name in F814W:
        assert scales.factors["b"][name] == pytest.approx(2.006 * EXECUTED_F814W[name], rel=1e-12)
        assert scales.factors["c"][name] == pytest.approx(1.03 * EXECUTED_F814W[name], rel=1e-12)
    assert scales.notes == ()


def test_gains_that_share_a_photflam_are_pointed_out():
    scales = equalize([exposure("a"), exposure("b", atodgain=15, mjd=54001.0)], Settings())
    assert len(scales.notes) == 4
    assert "gain 15 is 1.0000 times that at gain 7" in scales.notes[0]


def test_each_filter_has_its_own_reference():
    scales = equalize([exposure("a"), exposure("b", F555W, filter="F555W", mjd=54001.0)], options(reference="WF2"))
    assert scales.references["F814W"].photflam == F814W["WF2"]
    assert scales.references["F555W"].photflam == F555W["WF2"]


def test_a_number_is_the_reference():
    scales = equalize([exposure()], options(photflam=2e-18))
    assert scales.photflam == 2e-18
    assert scales.factors["ua060502m"]["WF3"] == pytest.approx(2.449067 / 2, rel=1e-14)


def test_one_number_for_two_filters_is_refused():
    with pytest.raises(SettingsError, match="cannot serve 2 filters"):
        equalize([exposure("a"), exposure("b", F555W, filter="F555W")], options(photflam=2e-18))


def test_a_chosen_exposure_gives_the_reference():
    later = exposure("b", {n: 1.1 * p for n, p in F814W.items()}, mjd=55000.0)
    scales = equalize([exposure("a"), later], options(exposure="B"))
    assert scales.factors["b"]["WF3"] == 1.0
    assert scales.reference.origin == "WF3 of b"


def test_first_exposure_without_the_chip_is_said():
    no_wf3 = {n: p for n, p in F814W.items() if n != "WF3"}
    scales = equalize([exposure("a", no_wf3, mjd=50000.0), exposure("b")], Settings())
    assert scales.reference.origin == "WF3 of b"
    assert scales.notes == ("F814W: a has no WF3; the reference is WF3 of b",)


def test_where_no_exposure_has_the_chip_the_reference_falls_back_and_says_so():
    scales = equalize([exposure(photflams={"PC": 1e-18, "WF2": 2e-18})], Settings())
    assert scales.reference.chip == "WF2"
    assert scales.notes == ("F814W: no exposure has WF3, the reference asked for; it is WF2 of ua060502m",)
    assert equalize([exposure(photflams={"PC": 1e-18})], Settings()).factors["ua060502m"] == {"PC": 1.0}


def test_what_takes_the_reference_s_place_is_the_camera_s_to_say():
    visit = exposure(photflams={"PC": 1e-18, "WF2": 2e-18, "WF4": 3e-18})
    for order in (("WF2", "PC"), ("WF4", "WF2"), ("PC",)):
        by_camera = replace(visit, camera=replace(visit.camera, stand_ins=order))
        assert equalize([by_camera], Settings()).reference.chip == order[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reference": "WF5"}, "one of PC, WF2, WF3, WF4"),
        ({"exposure": "nothere"}, "choose from ua060502m"),
    ],
)
def test_requests_that_cannot_be_meant(values, message):
    with pytest.raises(SettingsError, match=message):
        equalize([exposure()], options(**values))


@pytest.mark.parametrize("bad", [0.0, -1e-18, float("nan"), float("inf")])
def test_a_photflam_that_is_no_positive_number(bad):
    with pytest.raises(DataError, match="WF2: PHOTFLAM is"):
        equalize([exposure(photflams={**F814W, "WF2": bad})], Settings())


def test_user_corrections_apply_where_their_conditions_hold():
    rows = [
        FluxCorrection(factor=1 / 0.9746, chip="WF4", commanded_gain=7, mjd_max=50500.0),
        FluxCorrection(photflam=3e-18, chip="PC", filter="F814W"),
        FluxCorrection(factor=2.0, chip="WF2", root="other"),
    ]
    scales = equalize([exposure("old", mjd=50000.0), exposure("new")], Settings(), corrections=rows)
    assert scales.factors["old"]["WF4"] == pytest.approx(EXECUTED_F814W["WF4"] / 0.9746, rel=1e-12)
    assert scales.factors["new"]["WF4"] == pytest.approx(EXECUTED_F814W["WF4"], rel=1e-12)
    assert scales.factors["new"]["PC"] == pytest.approx(3e-18 / 2.449067e-18, rel=1e-12)
    assert scales.factors["new"]["WF2"] == pytest.approx(EXECUTED_F814W["WF2"], rel=1e-12)


def test_a_correction_of_the_reference_moves_the_zeropoint():
    scales = equalize([exposure()], Settings(), corrections=[FluxCorrection(factor=1.02, chip="WF3")])
    assert scales.photflam == pytest.approx(1.02 * 2.449067e-18, rel=1e-14)
    assert scales.factors["ua060502m"]["WF3"] == 1.0


def test_impossible_corrections_are_refused():
    with pytest.raises(SettingsError, match="must be positive"):
        equalize([exposure()], Settings(), corrections=[FluxCorrection(factor=float("nan"))])


def test_switched_off_leaves_chips_alone():
    scales = equalize([exposure()], options(enabled=False))
    assert set(scales.factors["ua060502m"].values()) == {1.0}
    assert "own zeropoints" in scales.notes[0]


def test_photfnu_scales_along():
    chip = make_chip("PC", photflam=2e-18, header={"PHOTFNU": 4e-7})
    keywords = FluxScales({}, {"ua060502m": {"PC": 1.25}}).keywords(exposure(), chip)
    assert keywords == pytest.approx({"PHOTFLAM": 1.6e-18, "PHOTFNU": 3.2e-7})


def test_log_names_every_chip():
    one = exposure()
    lines = equalize([one], Settings()).lines([one])
    assert len(lines) == 5
    assert "WF4" in lines[4]
    assert "1.020148081" in lines[4]


def of_visit(photflams, **corrections):
    """Three exposures of one visit with these PHOTFLAM, and their scales."""
    group = [exposure(f"ua06050{2 * k + 2}m", p, mjd=54000.0 + 0.01 * k) for k, p in enumerate(photflams)]
    return group, equalize(group, Settings(), **corrections)


def test_one_photflam_serves_a_visit():
    group, scales = of_visit([F814W] * 3)
    assert photflam_findings(group, scales) == ()


@pytest.mark.parametrize(("first", "second"), [("PC", "WF4"), ("WF2", "WF3"), ("PC", "WF3")])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_photflam_exchanged_between_chips_of_one_exposure_is_said(first, second, index):
    moved = {**F814W, first: F814W[second], second: F814W[first]}
    group, scales = of_visit([moved if k == index else F814W for k in range(3)])
    (finding,) = photflam_findings(group, scales)
    assert set(finding.chips) == {first, second}
    assert finding.sentence.startswith(f"{group[index].root}: PHOTFLAM")
    assert f"{first} {100 * (F814W[second] / F814W[first] - 1):+.2f} %" in finding.sentence


def test_other_visits_gains_and_chips_have_their_own_photflam():
    later = {name: 1.03 * value for name, value in F814W.items()}
    group = [exposure(), exposure("ub120101m", later, mjd=54800.0)]
    assert photflam_findings(group, equalize(group, Settings())) == ()
    other = {name: 2.0 * value for name, value in F814W.items()}
    group = [exposure(), exposure("ua060504m", other, atodgain=15)]
    assert photflam_findings(group, equalize(group, Settings())) == ()


def test_what_a_table_puts_right_is_not_said():
    wrong = {**F814W, "PC": 0.9 * F814W["PC"]}
    rows = [FluxCorrection(chip="PC", root="ua060502m", factor=1 / 0.9)]
    group, scales = of_visit([wrong, F814W, F814W], corrections=rows)
    assert photflam_findings(group, scales) == ()
