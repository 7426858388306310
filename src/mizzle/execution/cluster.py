"""Whole tasks on the processes of a Dask cluster: text in, text out. The only place that knows Dask.

One task runs on a worker at a time, and on the worker that it was given to: so a worker that dies takes down one task,
and that one is known. Who gets what is the caller's decision.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import queue
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from mizzle.errors import SettingsError
from mizzle.execution.threads import available_cores

#: Of one text, another: what a worker is asked to do.
Work = Callable[[str], str]

#: Name of the resource that workers may declare [byte]: ``dask worker --resources memory=16e9``.
MEMORY = "memory"
#: Seconds until a scheduler must answer.
PATIENCE = 20.0


@dataclass(frozen=True)
class WorkerFacts:
    """One worker process.

    Parameters
    ----------
    address : str
        Where it listens.
    identity : str
        Its own name: a worker that is started again has another, even at the same address.
    host : str
        Its machine.
    memory : float
        What one task may use there [byte].
    declared : bool
        Whether that is a declared resource, which the scheduler keeps account of too.
    """

    address: str
    identity: str
    host: str
    memory: float
    declared: bool = False


@dataclass(frozen=True)
class TaskAnswer:
    """How a task ended.

    Parameters
    ----------
    key : str
        Of the task.
    text : str or None
        What it answered; None where it failed.
    error : str
        Class and text of what it raised.
    lost : bool
        No answer will come: the worker or the scheduler is gone.
    """

    key: str
    text: str | None = None
    error: str = ""
    lost: bool = False


class Cluster:
    """Workers of a scheduler at an address, or of one made here for this purpose.

    Parameters
    ----------
    address : str, optional
        Of a scheduler, as ``tcp://host:8786``; without it a cluster of local processes is made.
    workers : int, optional
        Local processes; one per core by default.

    Raises
    ------
    SettingsError
        Dask is not installed, or no scheduler answers.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        client = _dask()
        self._gone = _no_answer()
        self._local: Any = None
        self._ended: queue.SimpleQueue[TaskAnswer] = queue.SimpleQueue()
        self._futures: dict[str, Any] = {}
        try:
            if address is None:
                self._local = _local_cluster(workers or available_cores())
                address = self._local.scheduler_address
            self._client = client(address, timeout=PATIENCE, set_as_default=False)
            if self._local is not None:
                self._client.register_plugin(_deaf_worker(), name="mizzle")
        except (OSError, ValueError, TimeoutError) as problem:
            if self._local is not None:
                self._local.close()
            raise SettingsError(
                f"--scheduler {address}: no scheduler answers: {problem}; start one with 'dask scheduler'",
                address=address,
            ) from problem
        self.address = str(address)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what still runs, and end the workers if they were made here."""
        with contextlib.suppress(*self._gone):
            self._client.cancel(list(self._futures.values()), force=True)
        with contextlib.suppress(*self._gone):
            self._client.close(timeout=2)
        if self._local is not None:
            with contextlib.suppress(*self._gone):
                self._local.close(timeout=5)

    @property
    def dashboard(self) -> str:
        """Address of the dashboard; empty where there is none (it needs bokeh)."""
        if importlib.util.find_spec("bokeh") is None:
            return ""
        return str(self._client.dashboard_link or "")

    def workers(self) -> dict[str, WorkerFacts] | None:
        """Return the workers that are there now, by address; None where the scheduler is gone."""
        if self._client.status not in ("running", "connecting"):
            return None
        try:
            workers = self._client.sync(self._client.scheduler.identity, callback_timeout=PATIENCE)["workers"]
        except self._gone:
            return None
        return {address: _facts(address, entry) for address, entry in workers.items()}

    def memory(self, workers: dict[str, WorkerFacts]) -> dict[str, float]:
        """Return what all tasks together may use on each host [byte]."""
        if self._local is not None:
            return {worker.host: _local_memory() for worker in workers.values()}
        hosts: dict[str, float] = {}
        for worker in workers.values():
            hosts[worker.host] = hosts.get(worker.host, 0.0) + worker.memory
        return hosts

    def start(self, work: Work, key: str, text: str, *, worker: WorkerFacts, memory: float) -> None:
        """Give a task to a worker; it ends in `ended`."""
        future = self._client.submit(
            work,
            text,
            key=key,
            pure=False,
            workers=[worker.address],
            allow_other_workers=False,
            resources={MEMORY: memory} if worker.declared else None,
        )
        self._futures[key] = future
        future.add_done_callback(lambda done: self._ended.put(_answer(key, done)))

    def ended(self, seconds: float) -> list[TaskAnswer]:
        """Return the tasks that ended, waiting for the first one at most so long."""
        answers: list[TaskAnswer] = []
        with contextlib.suppress(queue.Empty):
            answers.append(self._ended.get(timeout=seconds))
            while True:
                answers.append(self._ended.get_nowait())
        current = [answer for answer in answers if answer.key in self._futures]
        for answer in current:
            self._futures.pop(answer.key).release()
        return current

    def forget(self, key: str) -> None:
        """Give a task up: its answer, if one comes, counts no more."""
        future = self._futures.pop(key, None)
        if future is not None:
            with contextlib.suppress(*self._gone):
                self._client.cancel([future], force=True)


def _dask() -> Any:
    """Return Dask's client class; its warnings about workers that die are ours to tell.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        from distributed import Client
    except ImportError as problem:
        raise SettingsError("mizzle batch needs Dask: pip install 'mizzle[batch]'") from problem
    for name in ("distributed", "distributed.client", "distributed.comm", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Client


def _no_answer() -> tuple[type[Exception], ...]:
    """Return what Dask raises when nobody is at the other end."""
    from distributed.client import ClosedClientError

    # While a connection breaks, its scheduler is None for a moment: an AttributeError.
    return (OSError, TimeoutError, ClosedClientError, AttributeError, RuntimeError)


def _local_cluster(workers: int) -> Any:
    """Start local processes, one thread each; memory is watched by the tasks themselves."""
    import dask
    import distributed

    make: Any = distributed.LocalCluster

    watch = {f"distributed.worker.memory.{name}": False for name in ("target", "spill", "pause", "terminate")}
    more = {"distributed.scheduler.allowed-failures": 0, "distributed.worker.profile.enabled": False}
    with dask.config.set({**watch, **more}):
        return make(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=int(_local_memory()),
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        )


def _deaf_worker() -> Any:
    """Return what lets local workers leave Ctrl-C to the driver: a terminal tells it to all of them."""
    from distributed import WorkerPlugin

    base: Any = WorkerPlugin

    class Deaf(base):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # this runs on the process's main thread

    return Deaf()


def _local_memory() -> float:
    """Return what tasks may use here [byte]: four fifths of the memory this process may have."""
    from distributed.system import MEMORY_LIMIT

    return 0.8 * float(MEMORY_LIMIT)


def _facts(address: str, entry: dict[str, Any]) -> WorkerFacts:
    """Read the scheduler's word on a worker."""
    resources = entry.get("resources") or {}
    declared = MEMORY in resources
    memory = float(resources[MEMORY] if declared else entry.get("memory_limit") or 0.0) or _local_memory()
    identity = f"{entry.get('id', address)} {entry.get('local_directory', '')}"  # the folder is a process's own
    return WorkerFacts(address, identity, str(entry.get("host", "")), memory, declared)


def _answer(key: str, future: Any) -> TaskAnswer:
    """Read a future that is done."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    if future.status == "finished":
        try:
            return TaskAnswer(key, str(future.result(timeout=PATIENCE)))
        except (OSError, TimeoutError, FutureCancelledError):
            return TaskAnswer(key, lost=True)
    if future.status == "error":
        problem = future.exception()
        if isinstance(problem, KilledWorker):
            return TaskAnswer(key, lost=True)
        return TaskAnswer(key, error=f"{type(problem).__name__}: {problem}{_place(future)}")
    return TaskAnswer(key, lost=True)


def _place(future: Any) -> str:
    """Return where a task raised, for the reader of its message."""
    frames = traceback.extract_tb(future.traceback())
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
