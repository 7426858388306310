"""A verdict gives its reasons: each part that is WARN or FAIL has one, and nothing else is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.model import (
    Alignment,
    ChipErrors,
    ChipProof,
    ErrorProof,
    ExposureAlignment,
    ExposureProof,
    Finding,
    Verdict,
    Zeropoint,
)
from mizzle.model.reasons import of_inputs, reasons
from tiny_visit import exposure, frame

WARN, FAIL, PASS = Verdict.WARN, Verdict.FAIL, Verdict.PASS


def seen(number, *findings):
    sci = np.zeros((20, 20))
    return replace(exposure(number, {"WF3": (sci, sci, frame("WF3", (20, 20)))}), findings=findings)


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (1, "u0000001m"),
        (3, "u0000001m, u0000002m, u0000003m"),
        (5, "u0000001m, u0000002m, u0000003m and 2 more"),
    ],
)
def test_what_exposures_share_is_said_once(count, names):
    note, same = Finding("file", PASS, "a note"), Finding("guiding", WARN, "lost")
    said = of_inputs(seen(number, note, same) for number in range(1, count + 1))
    assert said == (Finding("inputs", WARN, f"{names}: lost"),)


def test_what_exposures_do_not_share_is_said_of_each():
    said = of_inputs([seen(1, Finding("guiding", WARN, "lost")), seen(2, Finding("guiding", WARN, "gone astray"))])
    assert [finding.sentence for finding in said] == ["u0000001m: lost", "u0000002m: gone astray"]


def entry(root, verdict, note=""):
    return ExposureAlignment(root, np.zeros(2), np.eye(2), np.zeros(2), n_matched=7, verdict=verdict, note=note)


def judged(parts):
    """The reasons of a run in which the named parts are WARN, or FAIL, and all others PASS."""
    of = {name: parts.get(name, PASS) for name in ("inputs", "alignment", "chip", "exposure", "errors", "sky")}
    proof = Zeropoint(
        None,
        {"WF2": ChipProof(1.05, 0.01, 30, of["chip"], float("nan"), float("nan"))},
        exposures={"u0000001m": ExposureProof(0.9, 0.01, 30, of["exposure"])},
    )
    return reasons(
        [seen(1, Finding("file", of["inputs"], "strange"))],
        Alignment("mean", {"u0000001m": entry("u0000001m", of["alignment"])}, "stars"),
        [Finding("sky", of["sky"], "bright")],
        zeropoints={"F814W": proof},
        errors={"F814W": ErrorProof({"PC": ChipErrors(1.2, 5000, of["errors"])})},
    )


@pytest.mark.parametrize("verdict", [WARN, FAIL])
@pytest.mark.parametrize(
    ("part", "name", "words"),
    [
        ("inputs", "inputs", "u0000001m: strange"),
        ("alignment", "alignment", "u0000001m: 7 stars match"),
        ("chip", "zeropoint", "F814W WF2: 1.050 ± 0.010"),
        ("exposure", "zeropoint", "u0000001m: its stars have 0.900"),
        ("errors", "errors", "F814W PC: blank sky scatters 1.200 times"),
        ("sky", "sky", "bright"),
    ],
)
def test_each_part_that_is_not_passed_has_its_reason(part, name, words, verdict):
    (reason,) = judged({part: verdict})
    assert (reason.part, reason.verdict) == (name, verdict)
    assert reason.sentence.startswith(words)


def test_nothing_is_said_against_what_passed_or_could_not_be_judged():
    assert judged({}) == ()
    assert judged(dict.fromkeys(("alignment", "chip", "exposure", "errors"), Verdict.NONE)) == ()


def test_what_fails_comes_first():
    assert [reason.part for reason in judged({"inputs": WARN, "errors": FAIL, "sky": WARN})] == [
        "errors",
        "inputs",
        "sky",
    ]


def test_an_exposure_that_a_finding_names_has_no_second_reason():
    finding = Finding("zeropoint", FAIL, "u0000001m: stars are 10 % fainter")
    exposures = {"u0000001m": ExposureProof(0.9, 0.01, 30, FAIL)}
    proof = Zeropoint(None, {}, exposures=exposures, findings=(finding,))
    said = reasons([], Alignment("mean", {}, "stars"), [finding], zeropoints={"F814W": proof}, errors={})
    assert said == (finding,)


def test_what_is_true_of_several_exposures_is_said_once():
    notes = {1: "no stars", 2: "no stars", 3: "trailed", 4: "no stars", 5: "no stars"}
    entries = {f"u000000{k}m": entry(f"u000000{k}m", WARN, note) for k, note in notes.items()}
    said = reasons([], Alignment("mean", entries, "header"), [], zeropoints={}, errors={})
    assert [reason.sentence for reason in said] == [
        "u0000001m, u0000002m, u0000004m and 1 more: no stars",
        "u0000003m: trailed",
    ]
