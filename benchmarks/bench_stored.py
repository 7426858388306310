"""Drizzling and blotting with a stored pixel map, against the `drizzle` package.

    taskset -c 0 python benchmarks/bench_stored.py --oracle PYTHON [--rounds 12]

Both work in processes of their own and take turns, so that both meet the same machine. ``class`` is the package's
`Drizzle` beside `mizzle.kernel.Drizzle`, with variance and context, outputs looked at; ``four`` the same with four
images; ``drizzle`` means and weights only; ``blot`` reads an image. Printed is a table: medians in milliseconds, ratios
of medians and of the least, wall and processor time, and by how much the sums of the images differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

#: What is done, rotation [rad], output over input pixel side, pixfrac, kernel or interpolation.
CASES: list[tuple[str, float, float, float, str]] = [
    ("class", 0.2, 1.0, 1.0, "square"),
    ("class", 0.2, 1.0, 0.8, "square"),
    ("class", 0.02, 1.0, 1.0, "square"),
    ("class", 0.2, 2.0, 1.0, "square"),
    ("class", 0.2, 1.0, 0.8, "turbo"),
    ("class", 0.2, 1.0, 1.0, "point"),
    ("four", 0.2, 1.0, 1.0, "square"),
    ("drizzle", 0.2, 1.0, 1.0, "square"),
    ("drizzle", 0.02, 1.0, 1.0, "square"),
    ("drizzle", 0.2, 1.0, 0.8, "square"),
    ("blot", 0.2, 1.0, 1.0, "poly5"),
]
SIDE = 2048


def scene(angle: float, ratio: float) -> tuple[list[np.ndarray], np.ndarray, tuple[int, int]]:
    """Return image, weight and variance, the map with a cubic distortion, and the shape of the output."""
    rng = np.random.default_rng(5)
    images = [rng.normal(10, 3, (SIDE, SIDE)), rng.uniform(0.5, 1.5, (SIDE, SIDE)), rng.uniform(1, 2, (SIDE, SIDE))]
    y, x = np.indices((SIDE, SIDE), dtype=float)
    u, v = (x - SIDE / 2) / SIDE, (y - SIDE / 2) / SIDE
    east = x - SIDE / 2 + 8 * u**3 + 6 * u * v**2 + 2 * u**2
    north = y - SIDE / 2 + 7 * v**3 + 5 * u**2 * v + 1.5 * v**2
    c, s, side = np.cos(angle), np.sin(angle), int(1.22 * SIDE / ratio)
    pixmap = np.dstack([(c * east - s * north) / ratio + side / 2, (s * east + c * north) / ratio + side / 2])
    return [image.astype(np.float32) for image in images], pixmap, (side, side)


def work(name: str, case: list[Any], images: list[np.ndarray], pixmap: np.ndarray, shape: tuple[int, int]) -> Any:
    """Do one case; return the images that came out, the mean first."""
    what, _, ratio, pixfrac, kernel = case
    data, weight, variance = images
    package = import_module("drizzle.resample") if name == "oracle" else import_module("mizzle.kernel")
    if what == "blot":
        if name == "oracle":
            return [package.blot_image(data, pixmap, 1.0, 1.0, interp=kernel)]
        return [package.blot(data, pixmap, interp=kernel)]
    options = {"pixfrac": pixfrac, "pixel_scale_ratio": ratio}
    if what == "drizzle" and name != "oracle":
        return package.drizzle(data, weight, pixmap, shape, kernel=kernel, **options)
    whole = what != "drizzle"
    driz = package.Drizzle(kernel=kernel, out_shape=shape, disable_ctx=not whole)
    for _ in range(4 if what == "four" else 1):
        more = {"data2": variance} if whole else {}
        driz.add_image(data, exptime=1.0, pixmap=pixmap, weight_map=weight, **options, **more)
    return [driz.out_img, driz.out_wht, driz.out_img2, driz.out_ctx]


def serve(name: str) -> None:
    """For each line with a case, print wall and processor seconds, and the sum."""
    made: dict[tuple[float, float], Any] = {}
    for line in sys.stdin:
        case = json.loads(line)
        key = (case[1], case[2])
        if key not in made:
            made.clear()
            made[key] = scene(*key)
        before, wall = os.times(), time.perf_counter()
        images = work(name, case, *made[key])
        wall, after = time.perf_counter() - wall, os.times()
        total = float(np.nansum(images[0], dtype=float))
        del images
        print(json.dumps([wall, sum(after[:2]) - sum(before[:2]), total]), flush=True)


TITLE = (
    "                                           milliseconds, medians     times faster: median      least\n"
    "case    angle ratio pixfrac kernel    theirs   ours  processor    wall processor   wall processor   sums\n"
)


def row(case: tuple[str, float, float, float, str], theirs: np.ndarray, ours: np.ndarray) -> str:
    """Return a line of the table: wall and processor seconds, and the sum, of some rounds (rounds, 3) each."""
    what, angle, ratio, pixfrac, kernel = case
    middle, least = (np.median(theirs, 0), np.median(ours, 0)), (theirs.min(0), ours.min(0))
    medians, best = middle[0] / middle[1], least[0] / least[1]
    words = f"{what:7} {angle:5} {ratio:5} {pixfrac:7} {kernel:7}"
    spent = f"{1e3 * middle[0][0]:8.0f} {1e3 * middle[1][0]:6.0f} {1e3 * middle[0][1]:6.0f}/{1e3 * middle[1][1]:.0f}"
    factors = f"{medians[0]:9.2f} {medians[1]:9.2f} {best[0]:6.2f} {best[1]:9.2f}"
    return f"{words} {spent:>26} {factors}   {abs(medians[2] - 1):.0e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", help="interpreter that has the drizzle package")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        serve(options.contestant)
        return
    people = {
        name: subprocess.Popen(
            [python, "-W", "ignore", __file__, "--contestant", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name, python in (("oracle", options.oracle), ("mizzle", sys.executable))
    }  # fmt: skip
    print(TITLE, end="", flush=True)
    for case in CASES:
        times: dict[str, list[list[float]]] = {name: [] for name in people}
        for _ in range(options.rounds + 1):
            for name, process in people.items():
                process.stdin.write(json.dumps(case) + "\n")
                process.stdin.flush()
                times[name].append(json.loads(process.stdout.readline()))
        print(row(case, *(np.array(times[name])[1:] for name in ("oracle", "mizzle"))), flush=True)
    for process in people.values():
        process.stdin.close()


if __name__ == "__main__":
    main()
