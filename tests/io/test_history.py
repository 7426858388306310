"""What the date of an exposure says about its photometry, from the instrument's reports."""

from __future__ import annotations

import re
from datetime import date

import pytest

from mizzle.instrument.wfpc2.sensitivity import PHOTFLAM
from mizzle.io.exposures import read_exposure
from mizzle.io.history import history_findings
from mizzle.model import Verdict
from mizzle.model.sky import MJD_EPOCH
from tiny_files import write_pair


def mjd(text: str) -> float:
    return float((date.fromisoformat(text) - MJD_EPOCH).days)


@pytest.mark.parametrize(("day", "warm"), [("1994-04-22", True), ("1994-04-24", False)])
def test_the_camera_was_warmer_until_april_1994(day: str, warm: bool) -> None:
    """Holtzman et al. 1995: cooled to -88 C on 23 April 1994."""
    said = list(history_findings(mjd(day), band="F555W"))
    assert [finding.verdict for finding in said] == [Verdict.WARN] * warm


@pytest.mark.parametrize(
    ("band", "verdict"),
    [
        ("F160BW", Verdict.WARN), ("F170W", Verdict.WARN), ("F218W", Verdict.WARN), ("F255W", Verdict.WARN),
        ("F255W+POLQ", Verdict.WARN), ("F300W", Verdict.PASS), ("F336W", Verdict.PASS), ("F375N", None),
        ("F439W", None), ("F1042M", None), ("F130LP", None), ("F165LP+F439W", None), ("FR418N-3700", None),
    ],
)  # fmt: skip
def test_contamination_takes_ultraviolet_light_that_photflam_does_not_know(band: str, verdict: Verdict | None) -> None:
    """ISR WFPC2 96-02, 96-04: strong in the far ultraviolet, some per cent near 300 nm, nothing longward of it."""
    said = [finding.verdict for finding in history_findings(mjd("1999-01-01"), band=band)]
    assert said == ([] if verdict is None else [verdict])


def test_f343n_faded_evenly_through_the_mission() -> None:
    """ISR WFPC2 2009-02: half of its throughput, linear in time."""
    lost = []
    for day in ("1994-05-01", "2001-07-01", "2008-09-01", "2009-05-01"):
        (finding,) = history_findings(mjd(day), band="F343N")
        assert finding.verdict is Verdict.WARN
        lost.append(int(re.search(r"about (\d+) %", finding.sentence)[1]))
    assert lost[0] < 2
    assert lost[1] == pytest.approx(25, abs=2)
    assert lost[2:] == [50, 50]


def test_the_wide_optical_filters_say_nothing(tmp_path) -> None:
    """Read as a user's file is: the date and filter of the headers count, and modern F814W is silent."""
    for name in PHOTFLAM:
        wave = int(re.search(r"\d+", name)[0])
        exposure = read_exposure(write_pair(tmp_path / name, primary_changes={"FILTNAM1": name}))
        said = [f for f in exposure.findings if "contamination" in f.sentence]
        assert bool(said) == (wave < 350)
