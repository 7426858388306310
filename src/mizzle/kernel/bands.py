"""Work shared among threads by bands of rows; the C code lets go of the interpreter."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.kernel.arguments import whole

#: Fewer pixels than this are not worth a thread.
WORTH_A_THREAD = 1 << 17

#: More threads than this are a mistake.
MOST_THREADS = 4096

#: Bands for each thread: some are done sooner than others.
BANDS_PER_THREAD = 3


def thread_count(pixels: int, threads: int | None) -> int:
    """Return how many threads to use: `threads`, or as many as this process may run at once, where that pays.

    Raises
    ------
    SettingsError
        Fewer than one are asked for.
    """
    if threads is not None:
        return whole(threads, "threads", 1, MOST_THREADS)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, pixels // WORTH_A_THREAD))


def in_bands(edges: list[int], threads: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, stop)`` for each pair of neighboring `edges`, on `threads` threads."""
    bands = [(low, high) for low, high in pairwise(edges) if low < high]
    if threads == 1 or len(bands) < 2:
        for band in bands:
            work(*band)
        return
    with ThreadPoolExecutor(threads) as pool:
        for job in [pool.submit(work, *band) for band in bands]:
            job.result()


def even_edges(size: int, threads: int) -> list[int]:
    """Return the edges of bands of like height."""
    count = 1 if threads == 1 else BANDS_PER_THREAD * threads
    return [int(edge) for edge in np.linspace(0, size, min(count, max(size, 1)) + 1)]


def busy_edges(places: FloatArray, size: int, threads: int) -> list[int]:
    """Return the edges of bands that hold like numbers of `places` (rows of the output, NaN aside)."""
    places = places[(places > 0) & (places < size)]
    if threads == 1 or not places.size:
        return even_edges(size, threads)
    count = BANDS_PER_THREAD * threads
    inner = np.quantile(places, np.arange(1, count) / count)
    return sorted({0, size, *np.rint(inner).astype(int).tolist()})
