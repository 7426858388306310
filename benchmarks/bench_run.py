"""Whole commands in fresh processes: six exposures, page and all, against 24, against no page, and the start alone.

    python benchmarks/bench_run.py [--runs 5] [--folder DIR] [--other PYTHON]

Kinds of run alternate, so that all meet the same machine; medians count. Memory is that of the largest process.
``--other`` names the interpreter of another installation of mizzle, which takes turns too: two versions are compared
by the ratio of runs made one after the other, for a machine's own speed may change by a third from hour to hour.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PAGELESS = ("--set", "report.page=false", "--set", "output.image=false")


def measured(command: list[str]) -> dict[str, float]:
    """Run a command; return its wall and processor seconds, children included, and its peak memory [MB]."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    words = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {words}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}


def kinds(python: str, folder: Path) -> dict[str, list[str]]:
    """Return the commands by name."""
    program = [python, "-c", "from mizzle.cli import main; main()"]
    run = [*program, "run", "-q", "-o", str(folder / "out")]
    return {
        "6 exposures": [*run, str(folder / "6")],
        "6, no page, no picture": [*run, *PAGELESS, str(folder / "6")],
        "24 exposures": [*run, str(folder / "24")],
        "--help": [*program, "--help"],
        "import mizzle": [python, "-c", "import mizzle"],
    }


def simulate(python: str, folder: Path) -> None:
    """Make the visits, once."""
    for count in (6, 24):
        if not (folder / str(count)).exists():
            measured([
                python, "-c", "from mizzle.cli import main; main()",
                "simulate", "-o", str(folder / str(count)), "--exposures", str(count), "--seed", "1",
            ])  # fmt: skip


def report(name: str, rows: list[dict[str, float]], others: list[dict[str, float]]) -> dict[str, Any]:
    """Print one kind's medians, and the ratio to the other installation's, pair by pair."""
    median = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    least = min(row["wall"] for row in rows)
    line = f"{name:24s} {median['wall']:6.3f} s wall (least {least:.3f}), {median['cpu']:6.2f} s cpu"
    line += f", {median['peak_mb']:4.0f} MB"
    if others:
        ratio = {key: statistics.median(a[key] / b[key] for a, b in zip(rows, others, strict=True)) for key in median}
        line += f"; over the other: {ratio['wall']:.2f} wall, {ratio['cpu']:.2f} cpu, {ratio['peak_mb']:.2f} memory"
    print(line, flush=True)
    return {"name": name, **median, "least": least}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the simulated visits here")
    parser.add_argument("--other", help="interpreter of another installation")
    parser.add_argument("--json", type=Path)
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as spare:
        folder = options.folder or Path(spare)
        simulate(sys.executable, folder)
        ours = kinds(sys.executable, folder)
        theirs = kinds(options.other, folder) if options.other else {}
        for commands in (ours, theirs):  # first touch
            for command in commands.values():
                measured(command)
        rows = []
        for name, command in ours.items():
            pairs = [(measured(command), measured(theirs[name]) if theirs else None) for _ in range(options.runs)]
            rows.append(report(name, [one for one, _ in pairs], [other for _, other in pairs if other]))
    by_name = {row["name"]: row for row in rows}
    six, many = by_name["6 exposures"], by_name["24 exposures"]
    print(f"24 over 6: {many['cpu'] / six['cpu']:.2f} cpu, {many['peak_mb'] / six['peak_mb']:.2f} memory")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
