"""What a batch is to do, what it may take, and who is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mizzle.execution.cluster import Cluster
from mizzle.settings import Settings
from mizzle.visits.driver import Driver, Job, Source
from mizzle.visits.grouping import GroupedVisit
from mizzle.visits.memory import expected_memory
from mizzle.visits.options import SettingsOfVisits
from mizzle.visits.outcome import Overview
from mizzle.visits.records import CIRCUMSTANCES, Ledger, Record, VisitRequest
from mizzle.visits.task import run_visit


class BatchListener(Protocol):
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
    fetch : tuple of str
        Queries of MAST (rootnames, ``proposal:11100``, ``target:NGC-7089``) that bring the exposures into
        ``OUT/inputs`` while visits run.
    drop_inputs : bool
        Delete fetched exposures when their visit has ended.
    disk : float
        Fetched exposures that may wait for their run at one time [byte].
    """

    keep_going: bool = False
    retry_failed: bool = False
    time_limit: float = 3600.0
    filters: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    drop_inputs: bool = False
    disk: float = 20e9


class BatchPlan:
    """What a batch is to do, and what has become of it.

    Parameters
    ----------
    ledger : Ledger
        Its records.
    settings : Settings
        Of every run.
    options : BatchOptions
        Limits, second attempts.
    listener : BatchListener
        Told how it goes.
    """

    def __init__(self, ledger: Ledger, settings: Settings, options: BatchOptions, *, listener: BatchListener) -> None:
        self.ledger, self.settings, self.options, self.listener = ledger, settings, options, listener
        self.overview = Overview(ledger.out)
        self.visits: dict[str, GroupedVisit] = {}
        self.own = SettingsOfVisits(settings)

    def leave_out(self, problems: Mapping[str, str]) -> None:
        """Take in which files belong to no visit, and why."""
        self.overview.leave_out(problems)
        for name, problem in problems.items():
            self.listener.say(f"left out: {problem if name in problem else f'{name}: {problem}'}")

    def request(self, visit: GroupedVisit) -> VisitRequest:
        """Return what a worker is asked."""
        options, own = self.options, self.own.of(visit)
        files = dict.fromkeys((*visit.all_files, *own.files))
        return VisitRequest(
            visit.name, visit.files, tuple(files), str(self.ledger.out), own.toml, options.keep_going,
            options.time_limit,
        )  # fmt: skip

    def current(self, visit: GroupedVisit, *, kept_inputs: bool = True) -> Record | None:
        """Return the record of a visit that needs no work, else None."""
        record = self.ledger.read(visit.name)
        if record is None or _redo(record, self.options):
            return None
        return record if self.ledger.holds(self.request(visit), record, kept_inputs=kept_inputs) else None

    def jobs(self, visits: Iterable[GroupedVisit]) -> list[Job]:
        """Return what is to be done; what is whole and current goes to the overview at once."""
        jobs = []
        for visit in visits:
            self.visits[visit.name] = visit
            record = self.current(visit)
            if record is not None:
                self.overview.add(visit, record)
                continue
            self.ledger.remove(visit.name)
            jobs.append(Job(self.request(visit), expected_memory(visit, self.settings)))
        return jobs

    def drive(self, cluster: Cluster, source: Source) -> None:
        """Run what a source gives until it gives no more."""
        for record in Driver(cluster, self.ledger, run_visit, say=self.listener.say).run(source):
            self.overview.add(self.visits[record.name], record)
            self.listener.finished(record)
            self.overview.write_sometimes()


def _redo(record: Record, options: BatchOptions) -> bool:
    """Tell whether a failed visit deserves another run."""
    return record.state == "failed" and (options.retry_failed or record.cause.startswith(CIRCUMSTANCES))
