"""MANY VISITS: find them, skip what is whole and current, run the rest on a cluster, keep a page over all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mizzle.errors import DataError, SettingsError
from mizzle.execution.cluster import Cluster
from mizzle.io.locking import HeldError, lock
from mizzle.io.quick_headers import HeaderCache
from mizzle.settings import Settings
from mizzle.visits.driver import Ready
from mizzle.visits.fetched import run_fetched
from mizzle.visits.grouping import By, Grouped, find_visits
from mizzle.visits.options import SettingsOfVisits
from mizzle.visits.outcome import Outcome
from mizzle.visits.plan import BatchListener, BatchOptions, BatchPlan, Silent
from mizzle.visits.records import Ledger


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
    listener: BatchListener | None = None,
) -> BatchResult:  # fmt: skip
    """Run many visits, each as ``mizzle run`` would, and keep a page over all of them.

    The same call again does only what is missing or changed: other files or settings, another version of mizzle.

    Parameters
    ----------
    where : str, Path or sequence
        Folders (searched to the bottom), wildcards, files, or tables of files; empty where `options.fetch` says
        what to bring.
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
    listener : BatchListener, optional
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
    if bool(where) == bool(options.fetch):
        raise SettingsError("give either folders, files or tables, or a query of MAST (--fetch)", where=where)
    ledger = Ledger(Path(os.path.abspath(out)))
    ledger.prepare()
    with only_driver(ledger):
        plan = BatchPlan(ledger, settings, options, listener=listener)
        with plan.overview:
            if options.fetch:
                run_fetched(plan, scheduler, workers)
            else:
                grouped = list_visits(where, ledger.out, by, filters=options.filters, settings=settings)
                _run_found(plan, grouped, scheduler, workers=workers)
    return BatchResult(ledger.out, plan.overview.outcomes())


def list_visits(
    where: Sequence[str | Path], out: Path | None, by: By, *, filters: Sequence[str], settings: Settings
) -> Grouped:
    """Find the visits, with the headers that OUT remembers; without what the settings drop.

    Raises
    ------
    SettingsError
        Nothing was named, or the settings name an exposure that is not there.
    """
    own = SettingsOfVisits(settings)
    path = None if out is None else Ledger(out).hidden / "headers.json"
    cache = HeaderCache() if path is None else HeaderCache.load(path)
    before = len(cache.entries)
    grouped = find_visits(where, out, by=by, filters=filters, cache=cache, quality=settings.dq.files)
    if path is not None and path.parent.is_dir() and len(cache.entries) != before:
        cache.save(path)
    own.check(grouped)
    return own.kept(grouped)


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


def _run_found(plan: BatchPlan, grouped: Grouped, scheduler: str | None, *, workers: int | None) -> None:
    """Run visits whose files are here.

    Raises
    ------
    DataError
        There are none.
    """
    if not grouped.visits:
        why = next(iter(grouped.problems.values()), "no exposure was found")
        raise DataError(f"no visit to run: {why}", problems=dict(grouped.problems))
    plan.leave_out(grouped.problems)
    jobs = plan.jobs(grouped.visits)
    total = len(grouped.visits)
    if not jobs:
        plan.listener.begin(total, total, "")
        return
    with Cluster(scheduler, workers) as cluster:
        plan.listener.begin(total, total - len(jobs), cluster.dashboard)
        plan.drive(cluster, Ready(jobs))
