"""What a reader notices about an exposure counts by its verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.model import Finding, Verdict
from tiny_visit import exposure, frame


@pytest.fixture
def plain():
    sci = np.zeros((20, 20))
    return exposure(1, {"WF3": (sci, sci, frame("WF3", (20, 20)))})


def test_an_exposure_is_as_bad_as_its_worst_finding(plain):
    note, warning = Finding("geometry", Verdict.PASS, "said"), Finding("guiding", Verdict.WARN, "lost", ("PC",))
    assert plain.verdict is Verdict.PASS
    assert replace(plain, findings=(note,)).verdict is Verdict.PASS
    assert replace(plain, findings=(note, warning)).verdict is Verdict.WARN
    assert replace(plain, findings=(warning, replace(note, verdict=Verdict.FAIL))).verdict is Verdict.FAIL


def test_notes_are_the_sentences_with_what_they_mean(plain):
    findings = (Finding("geometry", Verdict.PASS, "said"), Finding("guiding", Verdict.WARN, "lost"))
    assert replace(plain, findings=findings).notes == ("said", "WARN: lost")
