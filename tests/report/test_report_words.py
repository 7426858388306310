"""Sentences of the verdict read as English for any number of exposures."""

import pytest

from mizzle.report.words import _about_alignment, _with_findings


@pytest.mark.parametrize(
    ("matched", "start", "end"),
    [
        ((191, 191), "Both exposures are aligned", "from 191 matches each."),
        ((180, 191, 185), "All three exposures are aligned", "from 180 to 191 matches each."),
    ],
)
def test_alignment_sentence_counts_as_people_do(matched, start, end):
    entries = {f"root{i}": {"rms_mas": 1.0, "verdict": "PASS", "n_matched": n} for i, n in enumerate(matched)}
    said = _about_alignment({"exposures": entries, "verdict": "PASS", "method": "stars"})
    assert said["text"].startswith(start)
    assert said["text"].endswith(end)
    assert "residuals 1.0 mas per axis" in said["text"]


def test_a_place_on_the_sky_that_nothing_checked_is_said_with_its_error():
    entries = {f"root{i}": {"rms_mas": 1.0, "verdict": "PASS", "n_matched": 90} for i in range(3)}
    alignment = {"exposures": entries, "verdict": "PASS", "method": "stars", "reference": "mean"}
    position = {"checked": False, "error": 1.0, "origin": "guide stars of GSC 1"}
    text = _about_alignment({**alignment, "position": position})["text"]
    assert "not checked" in text
    assert "1 arcsec" in text
    assert "guide stars of GSC 1" in text
    single = {"exposures": {"root": {}}, "verdict": "NONE", "method": "stars", "reference": "root"}
    assert "not checked" in _about_alignment({**single, "position": position})["text"]
    named = {**alignment, "reference": "gaia.ecsv", "position": {**position, "checked": True}}
    assert "not checked" not in _about_alignment(named)["text"]
    assert "gaia.ecsv" in _about_alignment(named)["text"]


def inputs_said(count: int, text: str = "root1: strange") -> str:
    reasons = [{"part": "inputs", "verdict": "WARN", "sentence": text} for _ in range(count)]
    report = {"findings": [], "reasons": reasons, "parts": {"inputs": "WARN"}, "zeropoints": {}}
    return _with_findings({"part": "inputs", "verdict": "PASS", "text": "One exposure."}, report)["text"]


def test_inputs_say_what_is_remarkable_about_them_and_not_all_of_it():
    """The part was WARN, and its sentence did not say why."""
    assert inputs_said(1) == "One exposure. root1: strange."
    assert inputs_said(1, "strange") == "One exposure. Strange."
    assert inputs_said(9).count("strange") == 6
    assert inputs_said(9).endswith("three more remarks below.")
