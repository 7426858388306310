"""Speed per input pixel, mapping included, against the `drizzle` package with its pixel map.

    PYTHONPATH=src python benchmarks/bench_kernel.py --oracle PYTHON [--rounds 5] [--json FILE]

Every contestant runs in a process of its own and waits for its turn: rounds alternate, so that all meet the same
machine. The best round of each counts; ``--clock cpu`` counts processor time instead of wall time, and with threads
that of the busiest one, for machines that have other work to do. The oracle drizzles with the TAN+SIP WCS of a
WFPC2-like chip through `calc_pixmap`; ours with the Chebyshev map of the same geometry, its fit included.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

CASES = [
    ((800, 800), 1.0, 1.0),
    ((800, 800), 1.0, 0.8),
    ((800, 800), 0.5, 1.0),
    ((800, 800), 0.5, 0.8),
    ((2048, 4096), 1.0, 1.0),
    ((2048, 4096), 1.0, 0.8),
]
SCALE = 0.0996 / 3600


def headers(shape: tuple[int, int], ratio: float) -> tuple[dict[str, Any], dict[str, Any], tuple[int, int]]:
    """Return the WCS keywords of chip and product, and the product's shape: turned by 35 degrees, cubic distortion."""
    ny, nx = shape
    angle = np.deg2rad(35.0)
    c, s = np.cos(angle), np.sin(angle)
    half = 400.0 / max(shape)  # the same distortion at the corners, whatever the size
    chip = {
        "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": 201.7, "CRVAL2": -47.5,
        "CRPIX1": nx / 2 + 0.5, "CRPIX2": ny / 2 + 0.5, "CD1_1": -SCALE * c, "CD1_2": SCALE * s, "CD2_1": SCALE * s,
        "CD2_2": SCALE * c, "A_ORDER": 3, "B_ORDER": 3, "A_3_0": -3.5e-8 * half**2, "A_1_2": -3.6e-8 * half**2,
        "A_2_0": 1.5e-7 * half, "B_0_3": -3.5e-8 * half**2, "B_2_1": -3.6e-8 * half**2, "B_0_2": 1.7e-7 * half,
    }  # fmt: skip
    width = int((nx * c + ny * s) / ratio) + 20
    height = int((nx * s + ny * c) / ratio) + 20
    out = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 201.7, "CRVAL2": -47.5, "CRPIX1": width / 2 + 0.3,
        "CRPIX2": height / 2 + 0.4, "CD1_1": -SCALE * ratio, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": SCALE * ratio,
    }  # fmt: skip
    return chip, out, (height, width)


def data(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.normal(10, 3, shape).astype(np.float32), np.ones(shape, np.float32)


def oracle(case: tuple) -> Any:
    """Return a function that drizzles with the `drizzle` package, and yields the sum of weights."""
    from astropy.io import fits
    from astropy.wcs import WCS
    from drizzle.resample import Drizzle
    from drizzle.utils import calc_pixmap

    shape, ratio, pixfrac = case
    chip, out, target = headers(shape, ratio)
    sci, weight = data(shape)
    wcs_in, wcs_out = WCS(fits.Header(chip)), WCS(fits.Header(out))
    wcs_in.pixel_shape, wcs_out.pixel_shape = shape[::-1], target[::-1]

    def run() -> tuple[float, float, float]:
        wall, cpu = time.perf_counter(), time.thread_time()
        pixmap = calc_pixmap(wcs_in, wcs_out, disable_bbox="both")
        driz = Drizzle(kernel="square", out_shape=target, disable_ctx=True)
        driz.add_image(sci, 1.0, pixmap, weight_map=weight, pixfrac=pixfrac, pixel_scale_ratio=ratio, in_units="cps")
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        return wall, cpu, float(driz.out_wht.sum(dtype=np.float64))

    return run


def ours(case: tuple, threads: int) -> Any:
    """Return a function that maps and drizzles with mizzle on `threads` threads."""
    from mizzle import kernel
    from mizzle.geometry.mapping import chip_map
    from mizzle.model.frame import ChipFrame, Grid

    shape, ratio, pixfrac = case
    chip, out, target = headers(shape, ratio)
    sci, _ = data(shape)
    sip = {axis: np.zeros((4, 4)) for axis in "AB"}
    for axis, table in sip.items():
        for p in range(4):
            for q in range(4):
                table[p, q] = chip.get(f"{axis}_{p}_{q}", 0.0)

    def plane(header: dict[str, Any]) -> tuple[np.ndarray, ...]:
        return (
            np.array([header["CRVAL1"], header["CRVAL2"]]),
            np.array([header["CRPIX1"], header["CRPIX2"]]),
            np.array([[header["CD1_1"], header["CD1_2"]], [header["CD2_1"], header["CD2_2"]]]),
        )

    frame = ChipFrame(*plane(chip), sip["A"], sip["B"], shape, np.zeros(shape[0] + 1), 0.0996)
    grid = Grid(*plane(out), target)
    pool = ThreadPoolExecutor(threads)
    edges = np.linspace(0, target[0], threads + 1).astype(int).tolist()

    def band(acc: Any, where: Any, rows: tuple[int, int]) -> float:
        start = time.thread_time()
        kernel.accumulate(acc, sci, where, pixfrac=pixfrac, pixel_scale_ratio=ratio, rows=rows)
        return time.thread_time() - start

    def run() -> tuple[float, float, float]:
        wall, cpu = time.perf_counter(), time.thread_time()
        where = chip_map(frame, grid)
        acc = kernel.Accumulator(target)
        bands = [pool.submit(band, acc, where, rows) for rows in itertools.pairwise(edges)]
        busiest = max(job.result() for job in bands)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        return wall, cpu + busiest, float(acc.weight.sum())

    return run


def contestant(name: str) -> None:
    """Serve one contestant: for each line naming a case, print wall and processor seconds, and the sum of weights."""
    made: dict[int, Any] = {}
    for line in sys.stdin:
        number = int(line)
        if number not in made:
            made.clear()
            case = CASES[number]
            made[number] = oracle(case) if name == "oracle" else ours(case, 2 if name.endswith("2") else 1)
            made[number]()  # first touch
        print(json.dumps(made[number]()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", required=False, help="interpreter that has the drizzle package")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        contestant(options.contestant)
        return
    people = {
        "drizzle": (options.oracle, "oracle", {}),
        "C, 1 thread": (sys.executable, "native1", {}),
        "C, 2 threads": (sys.executable, "native2", {}),
        "NumPy": (sys.executable, "numpy1", {"MIZZLE_KERNEL": "reference"}),
    }
    processes = {
        name: subprocess.Popen(
            [python, __file__, "--contestant", key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | extra,
        )
        for name, (python, key, extra) in people.items()
    }
    rows = []
    for number, (shape, ratio, pixfrac) in enumerate(CASES):
        seconds: dict[str, list[float]] = {name: [] for name in processes}
        totals: dict[str, float] = {}
        for _ in range(options.rounds):
            for name, process in processes.items():
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
                wall, cpu, totals[name] = json.loads(process.stdout.readline())
                seconds[name].append(cpu if options.clock == "cpu" else wall)
        pixels = shape[0] * shape[1]
        best = {name: min(times) / pixels * 1e9 for name, times in seconds.items()}
        rows.append({"shape": shape, "ratio": ratio, "pixfrac": pixfrac, "ns": best, "weight": totals})
        print(f"{shape[1]}x{shape[0]} ratio {ratio:g} pixfrac {pixfrac:g}: ", end="")
        print(", ".join(f"{n} {b:.1f} ns ({best['drizzle'] / b:.1f}x)" for n, b in best.items()), flush=True)
        spread = [t / totals["drizzle"] - 1 for t in totals.values()]
        assert max(map(abs, spread)) < 1e-5, f"weights differ: {totals}"
    for process in processes.values():
        process.stdin.close()
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
