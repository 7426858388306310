"""Whole batches on real workers: bits, restarts, poison, a second driver."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table

import mizzle
from mizzle.cli import main
from mizzle.errors import InputError, SettingsError
from mizzle.io.locking import HeldError, lock
from mizzle.settings import load_settings
from mizzle.visits.batching import only_driver
from mizzle.visits.records import Ledger
from visits.batch_tools import ALIGN, content, public, write_visits

SETTINGS = load_settings("", [ALIGN])


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.current = -1
        self.names: list[str] = []
        self.said: list[str] = []

    def begin(self, total: int, current: int, dashboard: str) -> None:
        self.current = current

    def finished(self, record: Any) -> None:
        self.names.append(record.name)

    def say(self, text: str) -> None:
        self.said.append(text)


def run(where: Path, out: Path, **options: Any) -> tuple[Any, Heard]:
    heard = Heard()
    options = {"workers": 2, **options}
    return mizzle.batch(where, out, settings=SETTINGS, listener=heard, **options), heard


def test_a_batch_from_first_to_last(tmp_path: Path) -> None:
    """One test, as the workers take their time to start: what comes out, and what the same call does again."""
    visits, out = tmp_path / "in", tmp_path / "out"
    write_visits(visits, 4)
    broken = visits / "u2lx03" / "u2lx0302t_c0m.fits"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-9000])
    result, heard = run(visits, out)

    # Three are done, the broken one failed with its message, after one attempt, and took nobody along.
    assert [len(result.named(state)) for state in ("done", "failed")] == [3, 1]
    rows = public(out)
    assert "truncated" in str(rows["5001_2lx03_field-3"]["message"])
    assert rows["5001_2lx03_field-3"]["exit_code"] == 3
    assert rows["5001_2lx03_field-3"]["attempts"] == 1
    assert heard.current == 0
    # Each filter has its own picture, and a verdict that is not PASS its reasons.
    for row in (row for row in rows.values() if row["state"] == "done"):
        assert [(out / str(row["name"]) / figure["image"]).is_file() for figure in row["figures"]] == [True]
        assert bool(row["message"]) == (row["verdict"] != "PASS"), row

    # What a visit's folder holds is what one run writes, bit for bit; RUNID and the report's times are its own.
    folder, alone = out / "5000_2lx00_field-0", tmp_path / "alone"
    mizzle.run([visits / "u2lx00"], alone, settings=SETTINGS)
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted(path.name for path in alone.iterdir())
    for name in files:
        if "report" not in name:
            assert content(folder / name) == content(alone / name), name

    # A table of trends that astropy reads, with units.
    table = Table.read(out / "visits.ecsv")
    assert len(table) == 4
    assert str(table["mjd"].unit) == "d"
    assert set(table["filter"]) == {"F814W"}

    # Nothing changed: nothing is done. A file touched: its bytes decide. A product gone, a file mended: those again.
    dates = {path: path.stat().st_mtime_ns for path in out.rglob("*_drz.fits")}
    os.utime(visits / "u2lx00" / "u2lx0001t_c0m.fits")
    result, heard = run(visits, out)
    assert (heard.current, heard.names) == (4, [])
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*_drz.fits")} == dates
    broken.write_bytes(whole)
    next((out / "5000_2lx01_field-1").glob("*.png")).unlink()
    result, heard = run(visits, out)
    assert sorted(heard.names) == ["5000_2lx01_field-1", "5001_2lx03_field-3"]
    assert len(result.named("done")) == 4


def test_poison_is_recorded_and_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies, one that hangs, one that takes all memory; each twice, then no more."""
    visits, out = tmp_path / "in", tmp_path / "out"
    write_visits(visits, 5)
    monkeypatch.setattr("mizzle.visits.plan.run_visit", poisoned)
    from mizzle.visits.plan import BatchOptions

    result, heard = run(visits, out, options=BatchOptions(time_limit=1200.0))  # no good visit meets it
    messages = {outcome.visit.name[-1]: outcome.record.message for outcome in result.named("failed")}
    assert sorted(messages) == ["0", "1", "2", "3"]
    assert "died" in messages["0"]
    assert "did not end within 2 s" in messages["1"]
    assert "of memory" in messages["2"]
    assert messages["3"].startswith("ZeroDivisionError: division by zero (test_batch.py:")
    assert [outcome.visit.name for outcome in result.named("done")] == ["5001_2lx04_field-4"]
    assert all(outcome.record.facts["attempts"] == 2 for outcome in result.named("failed"))
    monkeypatch.undo()

    # Circumstances change: the same call tries those again, and these files are good.
    result, heard = run(visits, out)
    assert len(heard.names) == 4
    assert len(result.named("done")) == 5


def poisoned(text: str) -> str:
    """Do a visit, or something terrible; runs on the workers."""
    from mizzle.visits import task
    from mizzle.visits.records import VisitRequest

    asked = VisitRequest.from_json(text)
    fate = asked.name[-1]
    if fate == "0":
        os._exit(1)
    if fate == "3":
        return str(1 / 0)
    if fate in "12":
        memory = 400e6 if fate == "2" else 0.0
        seconds = asked.seconds / 600 if fate == "1" else 0.0  # so soon for the one that hangs
        with task.watched(seconds, memory, Ledger(asked.out).last_words_path(asked.name)):
            held = bytearray(600_000_000) if fate == "2" else b""
            for place in range(0, len(held), 4096):
                held[place] = 1
            time.sleep(3600)
    return task.run_visit(text)


def test_a_second_driver_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.prepare()
    import socket

    who = rf"process {os.getpid()} on {socket.gethostname()} runs a batch here"
    with only_driver(ledger), pytest.raises(SettingsError, match=who):
        mizzle.batch([tmp_path], tmp_path)
    with only_driver(ledger):
        pass


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with lock(tmp_path / "a"), pytest.raises(HeldError, match="process"), lock(tmp_path / "a"):
        pass
    with lock(tmp_path / "a"):
        pass


def test_the_command_lists_and_ends_as_it_should(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_visits(tmp_path / "in", 2)
    monkeypatch.chdir(tmp_path)

    def code(*words: str) -> int:
        with pytest.raises(SystemExit) as end:
            main(["batch", *words])
        return int(end.value.code or 0)

    assert code("--list", "in", "--table", "files.csv") == 0
    shown = capsys.readouterr().out
    assert "5000_2lx00_field-0" in shown
    assert "2 visits, 4 exposures" in shown
    assert code("--list", "files.csv") == 0
    assert "2 visits, 4 exposures" in capsys.readouterr().out
    assert code("nowhere") == 3
    assert code() == 2
    monkeypatch.setattr("mizzle.execution.cluster.PATIENCE", 1.0)
    assert code("in", "--scheduler", "tcp://127.0.0.1:1", "-o", "out") == 2
    assert "no scheduler answers" in capsys.readouterr().err
    assert not (tmp_path / "out" / "5000_2lx00_field-0").exists()


def test_a_visit_that_failed_is_run_again_only_when_asked(tmp_path: Path) -> None:
    visits, out = tmp_path / "in", tmp_path / "out"
    (path, *_) = write_visits(visits, 1)
    path.write_bytes(path.read_bytes()[:-9000])
    from mizzle.visits.plan import BatchOptions

    counts = []
    for options in (BatchOptions(), BatchOptions(), BatchOptions(retry_failed=True)):
        _, heard = run(visits, out, options=options, workers=1)
        counts.append(len(heard.names))
    assert counts == [1, 0, 1]
    assert json.loads((out / "batch.json").read_text())["visits"][0]["state"] == "failed"
    shutil.rmtree(out)


@pytest.mark.parametrize(("number", "cause"), [(28, "circumstances: disk"), (5, "circumstances"), (None, "data")])
def test_what_the_system_refused_may_go_well_another_time(number: int | None, cause: str) -> None:
    """As FITS writers do it: they raise an error in words of their own while they handle the system's."""
    from mizzle.visits.task import _cause

    try:
        try:
            raise OSError("odd file") if number is None else OSError(number, "no")
        except OSError:
            raise OSError("in words of its own")  # noqa: B904
    except OSError as problem:
        unread, unwritten = InputError("x: cannot be read"), SettingsError("x: cannot be written")
        unread.__cause__ = unwritten.__cause__ = problem
    assert _cause(unread) == cause
    assert _cause(unwritten) == (cause if number is not None else "circumstances")
