"""Processor time of a visit in a batch and by itself, on a scheduler and two workers of their own; products compared.

    python benchmarks/batch_throughput.py FOLDER small --visits 99
    python benchmarks/batch_throughput.py FOLDER full --visits 8
    python benchmarks/batch_throughput.py FOLDER cameras

`small`: two exposures of 96-pixel chips; `full`: six of 800-pixel chips; `cameras`: WFPC2, ACS (HRC, WFC) and WFC3 (IR,
UVIS), two exposures each. Whatever the batch takes counts: driver, scheduler, workers, their start.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import psutil
from astropy.io import fits
from batch_faults import Grid

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
CAMERAS = {"acs-hrc": (18.0, 22.0), "wfc3-ir": (20.5, 24.0), "acs-wfc": (19.0, 23.0), "wfc3-uvis": (19.0, 23.0)}


def write(kind: str, folder: Path, number: int) -> list[str]:
    """Write the visits; return the settings that they need."""
    from mizzle.simulate import visit, write_visit
    from mizzle.simulate.cameras import camera_visit, write_exposures
    from visits.batch_tools import ALIGN, write_visits

    if kind == "small":
        write_visits(folder, number)
        return ["--set", ALIGN]
    if kind == "full":
        write_visit(visit(n=6, seed=7), folder / "first")
        for copy in range(1, number):
            _copy(folder / "first", folder / f"copy{copy}", copy)
        return []
    write_visit(visit(n=2, seed=7), folder / "wfpc2")
    for camera, (bright, faint) in CAMERAS.items():
        made = camera_visit(
            camera, stars=250, brightest=bright, faintest=faint, exptime=100.0, seed=4,
            dithers=((0.0, 0.0), (1.513, 0.787)),
        )  # fmt: skip
        write_exposures(made, folder / camera)
    return []


def _copy(source: Path, folder: Path, number: int) -> None:
    """Write the same exposures under the names of another visit."""
    folder.mkdir()
    for path in source.glob("*_c?m.fits"):
        root = path.name[:4] + f"{number + 10:02d}" + path.name[6:9]
        with fits.open(path) as hdus:
            for hdu in hdus:
                if "ROOTNAME" in hdu.header:
                    hdu.header["ROOTNAME"] = root
            hdus.writeto(folder / f"{root}{path.name[9:]}")


def spent() -> float:
    """Return the processor time of all processes that were waited for [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def of_grid(grid: Grid) -> float:
    """Return the processor time of scheduler, nannies and workers so far [s]."""
    total = 0.0
    for made in (grid.scheduler, *grid.workers):
        for process in (psutil.Process(made.pid), *psutil.Process(made.pid).children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=["small", "full", "cameras"])
    parser.add_argument("--visits", type=int, default=8)
    parser.add_argument("--alone", type=int, default=5)
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True)
    settings = write(options.kind, folder / "in", options.visits)
    mizzle = [sys.executable, "-P", "-m", "mizzle"]
    grid, out = Grid(folder), folder / "out"
    words = [*mizzle, "batch", str(folder / "in"), "-o", str(out), "-q", "--scheduler", grid.address, *settings]
    try:
        before = spent()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        batch = spent() - before + of_grid(grid)
    finally:
        grid.stop()
    rows = [row for row in json.loads((out / "batch.json").read_text())["visits"] if row["state"] != "dropped"]
    print({row["state"] for row in rows}, len(rows), "visits;", {row["camera"] for row in rows})
    done = sorted(rows, key=lambda row: row["name"])
    step = max(1, len(done) // options.alone)
    chosen, before = done[::step][: max(options.alone, 1)], spent()
    for row in chosen:
        files = list(row["files"])
        subprocess.run(
            [*mizzle, "run", *files, "-o", str(folder / "alone" / row["name"]), "--workers", "1", "-q", *settings],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    alone = (spent() - before) / len(chosen)
    from visits.batch_tools import content

    differ = [
        str(path)
        for row in chosen
        for path in (folder / "alone" / row["name"]).iterdir()
        if "report" not in path.name and content(path) != content(out / row["name"] / path.name)
    ]
    each = batch / len(rows)
    print(f"{each:.2f} s of processor a visit, alone {alone:.2f} s: {each / alone:.2f}; differ: {differ}")
    by_worker: dict[str, list[float]] = {}
    for row in sorted(rows, key=lambda row: os.stat(out / row["name"]).st_mtime):
        by_worker.setdefault(f"{row.get('worker')} {row.get('process')}", []).append(row["peak_memory_mb"])
    for name, peaks in by_worker.items():
        print(f"worker {name}: {len(peaks)} visits, peak memory {min(peaks[2:] or peaks):.0f} to {max(peaks):.0f} MB")


if __name__ == "__main__":
    main()
