"""Faults injected into good visits are found in the right part, by name; good visits are left alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import zoo_faults as zoo
from mizzle.cli.app import exit_code

#: A few that need the whole run, and no more than seconds each; the rest is slow.
QUICK = ("one exposure 3 % low", "ghost of a bright star", "quality of another exposure")


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
@pytest.mark.parametrize("fault", [f for f in zoo.FAULTS if f.name not in QUICK], ids=lambda f: f.name)
def test_every_kind_of_fault_is_found_and_named(fault, folder):
    assert answer(fault, folder) == ""


@pytest.mark.parametrize("base", ["dithered", "single"])
def test_the_visits_themselves_say_nothing(base, folder):
    paths = sorted(zoo.base_visit(folder, base).glob("*_c0m.fits"))
    assert zoo.judge(paths).sentences == ()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 13))
def test_clean_visits_say_nothing(number):
    assert zoo.judge_visit(zoo.clean_plan(1, number)).sentences == ()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 3))
def test_a_crowd_is_no_fault_of_the_zeropoint(number):
    assert zoo.judge_visit(zoo.crowded_plan(1, number)).parts["zeropoint"] != "FAIL"


@pytest.mark.parametrize(
    ("verdict", "dropped", "code"),
    [("FAIL", {}, 5), ("WARN", {}, 0), ("NONE", {}, 0), ("PASS", {}, 0), ("PASS", {"a": "b"}, 5)],
)
def test_strict_follows_the_verdict(verdict, dropped, code, tmp_path):
    result = SimpleNamespace(verdict=verdict, dropped=dropped, name="x", run_id="")
    assert exit_code(result, True, tmp_path) == code
    assert exit_code(result, False, tmp_path) == 0
