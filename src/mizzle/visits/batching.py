"""MANY VISITS: find them, skip what is whole and current, run the rest on a cluster, keep a page over all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mizzle.errors import DataError, SettingsError
from mizzle.execution import make_runner
from mizzle.execution.cluster import Cluster
from mizzle.io.locking import HeldError, lock
from mizzle.io.quick_headers import HeaderCache
from mizzle.settings import Settings
from mizzle.settings.describe import to_toml
from mizzle.visits.driver import Driver, Job, Ready
from mizzle.visits.grouping import By, Grouped, Visit, find_visits
from mizzle.visits.memory import expected_memory
from mizzle.visits.outcome import Outcome, Overview
from mizzle.visits.records import CIRCUMSTANCES, Ledger, Record, Request
from mizzle.visits.task import run_visit

#: Threads that read headers: they wait for disks more than they work.
_READERS = 8


class Listener(Protocol):
    """Told how a batch goes."""

    def begin(self, total: int, current: int, dashboard: str) -> None:
        """Hear how many visits there are, how many of them need no work, and where Dask shows its own page."""

    def finished(self, record: Record) -> None:
        """Hear that a visit has ended."""

    def say(self, text: str) -> None:
        """Hear what must be seen."""


class Silent:
    """A listener that says nothing."""

    def begin(self, total: int, current: int, dashboard: str) -> None:
        """Say nothing."""

    def finished(self, record: Record) -> None:
        """Say nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is run.

    Parameters
    ----------
    keep_going : bool
        In each visit, drop what cannot be used instead of failing.
    retry_failed : bool
        Run visits again that failed, though nothing changed.
    time_limit : float
        Seconds that a visit may take; 0 sets no limit.
    filters : tuple of str
        Only exposures through these.
    """

    keep_going: bool = False
    retry_failed: bool = False
    time_limit: float = 3600.0
    filters: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchResult:
    """What became of each visit.

    Parameters
    ----------
    out : Path
        Folder of the batch: ``index.html``, ``batch.json``, ``visits.ecsv``, and one folder per visit.
    visits : tuple of Outcome
        Sorted by name.
    """

    out: Path
    visits: tuple[Outcome, ...]

    def named(self, state: str) -> tuple[Outcome, ...]:
        """Return the visits in a state: ``done``, ``failed``, ``dropped``."""
        return tuple(outcome for outcome in self.visits if outcome.record.state == state)


def batch(
    where: Sequence[str | Path] | str | Path, out: str | Path, *, settings: Settings | None = None, by: By = "visit",
    scheduler: str | None = None, workers: int | None = None, options: BatchOptions | None = None,
    listener: Listener | None = None,
) -> BatchResult:  # fmt: skip
    """Run many visits, each as ``mizzle run`` would, and keep a page over all of them.

    The same call again does only what is missing or changed: other files or settings, another version of mizzle.

    Parameters
    ----------
    where : str, Path or sequence
        Folders (searched to the bottom), wildcards, files, or tables of files.
    out : str or Path
        Folder for the results: one folder for each visit, ``index.html``, ``batch.json`` and ``visits.ecsv``.
    settings : Settings, optional
        Of every run.
    by : str
        What makes a visit: ``visit``, ``target``, ``proposal`` or ``folder``.
    scheduler : str, optional
        Address of a Dask scheduler; without it, processes on this machine.
    workers : int, optional
        Processes on this machine; one per core by default.
    options : BatchOptions, optional
        Limits, filters, second attempts.
    listener : Listener, optional
        Told how it goes.

    Returns
    -------
    result : BatchResult
        What became of each visit.

    Raises
    ------
    SettingsError
        The request is wrong, another process works on `out`, no scheduler answers, or the disk is full.
    InputError
        A table of files cannot be read, or a name is not there.
    DataError
        There is no visit among the files.
    """
    where = [where] if isinstance(where, str | Path) else list(where)
    settings, options, listener = settings or Settings(), options or BatchOptions(), listener or Silent()
    ledger = Ledger(Path(os.path.abspath(out)))
    ledger.prepare()
    with only_driver(ledger):
        grouped = list_visits(where, ledger.out, by, options.filters)
        if not grouped.visits:
            why = next(iter(grouped.problems.values()), "no exposure was found")
            raise DataError(f"no visit to run: {why}", problems=dict(grouped.problems))
        overview = Overview(ledger.out, grouped.problems)
        jobs = _jobs(grouped, ledger, settings, options, overview)
        for name, problem in grouped.problems.items():
            listener.say(f"left out: {problem if name in problem else f'{name}: {problem}'}")
        with overview:
            if not jobs:
                listener.begin(len(grouped.visits), len(grouped.visits), "")
            else:
                _run(jobs, grouped, ledger, overview, listener, scheduler, workers)
    return BatchResult(ledger.out, overview.outcomes())


def list_visits(where: Sequence[str | Path], out: Path | None, by: By, filters: Sequence[str] = ()) -> Grouped:
    """Find the visits, with the headers that OUT remembers."""
    path = None if out is None else Ledger(out).hidden / "headers.json"
    cache = HeaderCache() if path is None else HeaderCache.load(path)
    before = len(cache.entries)
    grouped = find_visits(where, out, by=by, filters=filters, cache=cache, runner=make_runner(_READERS))
    if path is not None and path.parent.is_dir() and len(cache.entries) != before:
        cache.save(path)
    return grouped


@contextlib.contextmanager
def only_driver(ledger: Ledger) -> Iterator[None]:
    """Be the only one who works on a folder.

    Raises
    ------
    SettingsError
        Somebody else does.
    """
    try:
        with lock(ledger.hidden / "driver"):
            yield
    except HeldError as problem:
        raise SettingsError(
            f"{ledger.out}: {problem.facts['holder']} runs a batch here; wait for it, stop it, or choose another"
            " folder with -o",
            folder=str(ledger.out),
            holder=problem.facts["holder"],
        ) from problem


def _jobs(
    grouped: Grouped, ledger: Ledger, settings: Settings, options: BatchOptions, overview: Overview
) -> list[Job]:  # fmt: skip
    """Return what is to be done; what is whole and current goes to the overview at once."""
    toml = to_toml(settings)
    jobs = []
    for visit in grouped.visits:
        request = Request(
            visit.name, visit.files, visit.all_files, str(ledger.out), toml, options.keep_going, options.time_limit
        )
        record = ledger.read(visit.name)
        if record is not None and not _redo(record, options) and ledger.holds(request, record):
            overview.add(visit, record)
            continue
        ledger.remove(visit.name)
        jobs.append(Job(request, expected_memory(visit, settings)))
    return jobs


def _redo(record: Record, options: BatchOptions) -> bool:
    """Tell whether a failed visit deserves another run."""
    return record.state == "failed" and (options.retry_failed or record.cause.startswith(CIRCUMSTANCES))


def _run(
    jobs: list[Job], grouped: Grouped, ledger: Ledger, overview: Overview, listener: Listener, scheduler: str | None,
    workers: int | None,
) -> None:  # fmt: skip
    """Run the jobs on a cluster."""
    visits: dict[str, Visit] = {visit.name: visit for visit in grouped.visits}
    with Cluster(scheduler, workers) as cluster:
        listener.begin(len(visits), len(visits) - len(jobs), cluster.dashboard)
        for record in Driver(cluster, ledger, run_visit, listener.say).run(Ready(jobs)):
            overview.add(visits[record.name], record)
            listener.finished(record)
            overview.write_sometimes()
