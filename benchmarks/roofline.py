"""Where the kernel stands against the machine: its bandwidth, its arithmetic, and what a drop needs of both.

    python benchmarks/roofline.py [--runs 15]

One thread, processor time of the thread, the least of several runs. Bandwidth is that of copying an array far larger
than the caches, read and written; arithmetic that of NumPy's matrix product, in 64 bits. A drop reads a pixel (value
and mask, 5 bytes), and reads and writes the cell that it is the first to touch (32 bytes each way); cells that the next
pixels touch again are in the cache. Operations are counted in the source: see `operations`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from mizzle import kernel

#: Bytes of a pixel, and of a cell of the sums with variance and context, which is read and written.
PIXEL, CELL = 5, 64


def least(function: Callable[[], object], runs: int) -> float:
    """Return the least processor time of some runs [s]."""
    best = float("inf")
    for _ in range(runs):
        begin = time.thread_time()
        function()
        best = min(best, time.thread_time() - begin)
    return best


def operations(n: int) -> int:
    """Return the operations of a square drop over ``n x n`` cells, as `src/square_body.h` has them.

    Each edge: its slopes (12), the lowest row of cells (6), each further one (14), each inner corner of cells (8). The
    drop: where it lies, and whether it is convex (66). Each cell: its share (5), what is added there (7). The map: two
    coordinates of two corners, the others are a neighbor's (40). The pixel: value and variance (6). Comparing, and
    choosing of two, count as one; a multiplication with an addition as two.
    """
    return 4 * (12 + 6 + 14 * (n - 1) + 8 * n * (n - 1)) + 66 + (5 + 7) * n * n + 40 + 6


def turned_map(shape: tuple[int, int], angle: float) -> kernel.ChipMap:
    """Return a chip turned by an angle, on cells of the size of its pixels."""
    ny, nx = shape
    c, s = np.cos(angle), np.sin(angle)
    reach = 0.5 * (abs(c) * nx + abs(s) * ny) + 4, 0.5 * (abs(s) * nx + abs(c) * ny) + 4
    cx, cy = np.zeros((5, 5)), np.zeros((5, 5))
    cx[0, 0], cx[1, 0], cx[0, 1] = reach[0], c * nx / 2, -s * ny / 2
    cy[0, 0], cy[1, 0], cy[0, 1] = reach[1], s * nx / 2, c * ny / 2
    return kernel.ChipMap(cx, cy, np.arange(ny + 1) - 0.5, shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    source, target = np.ones(2**25), np.ones(2**25)
    copied = least(lambda: np.copyto(target, source), options.runs)
    bandwidth = 2 * source.nbytes / copied / 1e9
    square = np.random.default_rng(1).normal(size=(1024, 1024))
    flops = 2 * 1024**3 / least(lambda: square @ square, options.runs) / 1e9
    print(f"copy {bandwidth:.1f} GB/s, matrix product {flops:.0f} GFLOP/s, kernel {kernel.backend()}")
    shape = (2048, 2048)
    sci, mask = np.ones(shape, np.float32), np.zeros(shape, np.uint8)
    for angle in (0.02, 0.6):
        where = turned_map(shape, angle)
        c, s = abs(np.cos(angle)), abs(np.sin(angle))
        side = int(np.ceil((c + s) * shape[0])) + 8
        acc = kernel.Accumulator((side, side), variance=True, context=True)
        drop = least(
            lambda acc=acc, where=where: kernel.accumulate(
                acc, sci, where, mask=mask, variance=(1.0, 0.1), context_bit=3
            ),
            options.runs,
        )
        nanoseconds = 1e9 * drop / sci.size
        cells = 2 if angle < 0.1 else 3
        used, done = (PIXEL + CELL) / nanoseconds, operations(cells) / nanoseconds
        print(
            f"drop at {angle} rad: {nanoseconds:.1f} ns a pixel;"
            f" {used:.1f} GB/s ({100 * used / bandwidth:.0f} % of copy);"
            f" {operations(cells)} operations, {done:.0f} GFLOP/s ({100 * done / flops:.0f} % of the matrix product)"
        )


if __name__ == "__main__":
    main()
