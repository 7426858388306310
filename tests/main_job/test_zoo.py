"""Faults injected into good visits are found in the right part, by name; good visits are left alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import zoo_faults as zoo
from mizzle.cli.app import exit_code

#: A few that need the whole run, and no more than seconds each; the rest is slow.
QUICK = ("one exposure 3 % low", "ghost of a bright star", "quality of another exposure")

#: Some more; `scripts/zoo faults` has them all.
SOME = (
    "flat of one chip 5 % off",
    "PHOTFLAM of one chip 8 % wrong",
    "gain keyword wrong",
    "EXPTIME of one exposure wrong",
    "one chip of one exposure with another flat",
    "bright stars 5 % low in one exposure",
    "corner of one chip 10 % low in one exposure",
    "bias pedestal on one chip, all exposures",
    "hot pixels that no flag marks",
    "focus far off in all",
    "trailed stars in all",
    "negative stars",
    "residual image",
    "a block of NaN",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("zoo")


def answer(fault, folder):
    files = zoo.load(zoo.base_visit(folder, fault.base))
    fault.inject(files)
    roots = list(files)
    case = folder / "case"
    found = zoo.judge(zoo.write(files, case))
    for path in case.iterdir():
        path.unlink()
    return zoo.caught(fault, found, roots)


@pytest.mark.parametrize("fault", [f for f in zoo.FAULTS if f.name in QUICK], ids=lambda f: f.name)
def test_a_fault_is_found_and_named(fault, folder):
    assert answer(fault, folder) == ""


@pytest.mark.slow
@pytest.mark.parametrize("fault", [f for f in zoo.FAULTS if f.name in SOME], ids=lambda f: f.name)
def test_more_kinds_of_fault_are_found_and_named(fault, folder):
    assert answer(fault, folder) == ""


@pytest.mark.parametrize("base", ["dithered", "single"])
def test_the_visits_themselves_say_nothing(base, folder):
    paths = sorted(zoo.base_visit(folder, base).glob("*_c0m.fits"))
    assert zoo.judge(paths).sentences == ()


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 3, 4])
def test_clean_visits_say_nothing(number):
    assert zoo.judge_visit(zoo.clean_plan(1, number)).sentences == ()


@pytest.mark.parametrize(
    ("verdict", "dropped", "code"),
    [("FAIL", {}, 5), ("WARN", {}, 0), ("NONE", {}, 0), ("PASS", {}, 0), ("PASS", {"a": "b"}, 5)],
)
def test_strict_follows_the_verdict(verdict, dropped, code, tmp_path):
    result = SimpleNamespace(verdict=verdict, dropped=dropped, name="x", run_id="")
    assert exit_code(result, True, tmp_path) == code
    assert exit_code(result, False, tmp_path) == 0
