"""Which worker runs which visit: one at a time, memory known before, a second attempt elsewhere."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from mizzle.errors import InputError, SettingsError
from mizzle.execution.cluster import Cluster, TaskAnswer, WorkerFacts
from mizzle.io.quick_headers import FileStamp
from mizzle.visits.records import CIRCUMSTANCES, InputRecord, Ledger, Record, VisitRequest

#: Attempts at a visit.
ATTEMPTS = 2
#: Waiting for an answer at most so long before looking at the workers again [s].
_TURN = 0.25
#: Looking at the workers not more often than this [s].
_GLANCE = 0.5
#: A worker that is gone may have answered just before [s].
_GRACE = 1.0
#: A scheduler that does not answer for so long is gone [s].
_PATIENCE = 15.0
#: A worker that should have ended itself is given up after so much more [s].
_OVERTIME = 60.0
#: A worker that lost a task is given no other for so long, should it still be there [s].
_QUARANTINE = 30.0
#: A visit that others passed so often for want of memory is the next one.
_PASSED = 20


@dataclass
class Job:
    """A visit to be run.

    Parameters
    ----------
    request : VisitRequest
        What the worker is asked.
    memory : float
        Expected [byte].
    attempts : int
        So far.
    avoid : set of str
        Workers it failed on.
    passed : int
        How often others were started before it, for want of memory.
    """

    request: VisitRequest
    memory: float
    attempts: int = 0
    avoid: set[str] = field(default_factory=set)
    passed: int = 0

    @property
    def name(self) -> str:
        """Return the visit's name."""
        return self.request.name

    @property
    def limit(self) -> float:
        """Return the memory at which a worker stops it [byte]: what is expected is not exact."""
        return 1.5 * self.memory + 300e6


class Source(Protocol):
    """Where jobs come from: all there at once, or one by one as their files arrive."""

    def take(self) -> list[Job]:
        """Return the jobs that have become ready."""

    def exhausted(self) -> bool:
        """Tell whether no more will come."""

    def ended(self, name: str) -> None:
        """Hear that a job is over."""


class Ready:
    """Jobs that are all there at once.

    Parameters
    ----------
    jobs : list of Job
        The largest are started first: they hold up the others least.
    """

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = sorted(jobs, key=lambda job: -round(job.memory / 1e8))

    def take(self) -> list[Job]:
        """Return them, once."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def exhausted(self) -> bool:
        """Tell whether they were taken."""
        return not self._jobs

    def ended(self, name: str) -> None:
        """Need not know."""


@dataclass
class Running:
    """A job on a worker."""

    job: Job
    worker: WorkerFacts
    began: float
    gone: float | None = None


def _unheard(text: str) -> None:
    """Say nothing."""


class Driver:
    """Gives jobs to workers until all have ended.

    Parameters
    ----------
    cluster : Cluster
        The workers.
    ledger : Ledger
        Where records are.
    work : callable
        What a worker does: `task.run_visit`.
    say : callable, optional
        Told of what must be seen.
    """

    def __init__(
        self, cluster: Cluster, ledger: Ledger, work: Callable[[str], str], *, say: Callable[[str], None] = _unheard
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._ledger = ledger
        self._work = work
        self._say = say
        self._pending: list[Job] = []
        self._running: dict[str, Running] = {}
        self._workers: dict[str, WorkerFacts] = {}
        self._given_up: dict[str, float] = {}  # until when
        self._looked = self._answered = time.monotonic()
        self._starts = 0
        self._idle_said = False

    def run(self, source: Source) -> Iterator[Record]:
        """Yield the record of each job as it ends.

        Raises
        ------
        SettingsError
            The scheduler is gone, or the disk is full.
        """
        self._look(at_once=True)
        while True:
            self._pending += source.take()
            ended: list[Record] = [*self._look(), *self._assign()]
            if self._pending or self._running:
                for answer in self._cluster.ended(_TURN):
                    ended += self._settle(answer)
            for record in ended:
                source.ended(record.name)
                yield record
            if self._pending or self._running:
                continue
            if source.exhausted():
                return
            time.sleep(_TURN)

    # -- workers ------------------------------------------------------------------------------------------------------

    def _look(self, *, at_once: bool = False) -> list[Record]:
        """See which workers are there; return the records of jobs whose workers are not."""
        now = time.monotonic()
        if not at_once and now - self._looked < _GLANCE:
            return []
        self._looked = now
        workers = self._cluster.workers()
        if workers is None:
            if now - self._answered > _PATIENCE:
                raise SettingsError(
                    f"the scheduler at {self._cluster.address} is gone; what has ended is kept, the same command"
                    " continues",
                    address=self._cluster.address,
                )
            return []
        self._answered, self._workers = now, workers
        if not workers and not self._idle_said:
            self._say(f"no worker at {self._cluster.address} yet; waiting for one")
        self._idle_said = not workers
        return [record for running in list(self._running.values()) for record in self._missed(running, now)]

    def _missed(self, running: Running, now: float) -> list[Record]:
        """Give up a job whose worker is gone, or should have ended itself long ago."""
        limit = running.job.request.seconds
        if limit and now - running.began > limit + _OVERTIME:
            self._given_up[running.worker.identity] = math.inf
            return self._lost(running, f"did not end within {limit:.0f} s, nor did its worker")
        there = self._workers.get(running.worker.address)
        if there is not None and there.identity == running.worker.identity:
            running.gone = None
            return []
        if running.gone is None:
            running.gone = now
        return self._lost(running) if now - running.gone > _GRACE else []

    # -- starting -----------------------------------------------------------------------------------------------------

    def _assign(self) -> list[Record]:
        """Start what fits; return the records of jobs that fit nowhere."""
        busy = {running.worker.address for running in self._running.values()}
        free = [
            worker
            for worker in self._workers.values()
            if worker.address not in busy and self._given_up.get(worker.identity, 0.0) < time.monotonic()
        ]
        if not free or not self._pending:
            return []
        hosts = self._cluster.memory(self._workers)
        left = dict(hosts)
        for running in self._running.values():
            host = running.worker.host
            left[host] = left.get(host, 0.0) - running.job.memory
        ended: list[Record] = []
        for job in list(self._pending):
            if not free:
                break
            most = max(min(hosts[worker.host], worker.memory) for worker in self._workers.values())
            if job.memory > most:
                self._pending.remove(job)
                ended.append(self._too_large(job, most))
                continue
            worker = self._place(job, free, left)
            if worker is not None:
                free.remove(worker)
                left[worker.host] -= job.memory
                self._start(job, worker, min(hosts[worker.host], worker.memory))
                continue
            job.passed += 1
            if job.passed > _PASSED:  # nobody is started any more until this one fits
                break
        return ended

    def _place(self, job: Job, free: list[WorkerFacts], left: dict[str, float]) -> WorkerFacts | None:
        """Choose a worker: not one that the job failed on, if there is another."""
        avoid = job.avoid if any(w.identity not in job.avoid for w in self._workers.values()) else set()
        fitting = [
            worker
            for worker in free
            if worker.identity not in avoid and job.memory <= min(worker.memory, left[worker.host])
        ]
        return max(fitting, key=lambda worker: left[worker.host], default=None)

    def _start(self, job: Job, worker: WorkerFacts, most: float) -> None:
        """Give a job to a worker."""
        self._pending.remove(job)
        self._starts += 1
        request = replace(job.request, memory=min(job.limit, most) if most > job.memory else job.limit)
        key = f"{job.name}-{self._starts}-{time.time_ns()}"
        self._running[key] = Running(job, worker, time.monotonic())
        self._cluster.start(self._work, key, request.to_json(), worker=worker, memory=job.memory)

    # -- ending -------------------------------------------------------------------------------------------------------

    def _settle(self, answer: TaskAnswer) -> list[Record]:
        """Take in how a task ended."""
        running = self._running.get(answer.key)
        if running is None:
            return []
        if answer.lost:
            return self._lost(running)
        del self._running[answer.key]
        if answer.text is None:
            return self._again(running, self._failure(running.job, answer.error))
        record = Record.from_json(answer.text)
        if record.cause.endswith("disk"):
            self._stop(record)
        if record.state == "failed" and record.cause.startswith(CIRCUMSTANCES):
            return self._again(running, record)
        return [record.with_facts(attempts=running.job.attempts + 1)]

    def _stop(self, record: Record) -> None:
        """End everything: the next visit would meet the same disk."""
        raise SettingsError(
            f"{record.message}; stopped, as every visit would fail: make room, then give the same command again",
            name=record.name,
        )

    def _lost(self, running: Running, why: str = "") -> list[Record]:
        """Take in that no answer will come; the visit may have been finished nevertheless."""
        key = next(key for key, entry in self._running.items() if entry is running)
        del self._running[key]
        self._cluster.forget(key)
        # What the scheduler said a moment ago may name a worker that is dead by now.
        self._given_up.setdefault(running.worker.identity, time.monotonic() + _QUARANTINE)
        record = self._ledger.read(running.job.name)
        if record is not None and self._ledger.holds(running.job.request, record):
            return [record.with_facts(attempts=running.job.attempts + 1)]
        said = self._ledger.last_words(running.job.name)
        if "of memory" in said:
            most = min(self._cluster.memory(self._workers).get(running.worker.host, 0.0) or 1e99, running.worker.memory)
            running.job.memory = min(1.5 * running.job.limit, most)
        why = said or why or f"its worker on {running.worker.host} died (killed, or out of memory)"
        return self._again(running, self._failure(running.job, why))

    def _again(self, running: Running, record: Record) -> list[Record]:
        """Let a job have another attempt elsewhere, or keep how it ended."""
        job = running.job
        job.attempts += 1
        job.avoid.add(running.worker.identity)
        if job.attempts < ATTEMPTS:
            self._say(f"{job.name}: {record.message}; another attempt")
            self._ledger.remove(job.name)
            self._pending.insert(0, job)
            return []
        record = record.with_facts(attempts=job.attempts)
        self._ledger.write(record)
        return [record]

    def _failure(self, job: Job, message: str) -> Record:
        """Return the record of a visit that ended without one of its own."""
        inputs = []
        for name in job.request.all_files:
            with contextlib.suppress(InputError):
                stamp = FileStamp.of(name)
                inputs.append(InputRecord(name, stamp.size, stamp.changed))
        return Record(
            name=job.name,
            state="failed",
            wanted=job.request.wanted,
            inputs=tuple(inputs),
            verdict="FAIL",
            message=message,
            exit_code=1,
            cause=CIRCUMSTANCES,
        )

    def _too_large(self, job: Job, most: float) -> Record:
        """Keep that a visit fits on no worker."""
        record = self._failure(
            job,
            f"needs about {job.memory / 1e9:.1f} GB of memory, the largest worker may use {most / 1e9:.1f} GB; use"
            " larger workers, a coarser combine.scale, or fewer exposures",
        )
        self._ledger.write(record)
        return record
