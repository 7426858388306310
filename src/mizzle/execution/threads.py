"""Serially, or on threads. The kernels release the interpreter lock, so threads are real."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mizzle.model.runner import Runner, Serial

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Threads:
    """A pool of threads with an ordered map.

    Parameters
    ----------
    workers : int
        Number of threads.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="mizzle")

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """Return the answers in the order of `items`; the first exception, in that order, is raised."""
        return list(self._pool.map(function, items))

    def begin(self, function: Callable[[Item], Answer], item: Item) -> Callable[[], Answer]:
        """Start ``function(item)`` on a thread; the answer waits for it."""
        return self._pool.submit(function, item).result


def available_cores() -> int:
    """Return the number of cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        return os.cpu_count() or 1


def make_runner(workers: int | None = None) -> Runner:
    """Return a runner for `workers` threads; by default one per available core, eight at most."""
    count = workers if workers is not None else min(available_cores(), 8)
    return Serial() if count <= 1 else Threads(count)
