"""The notebook's calls in mizzle's hands and in the incumbent's, taking turns in fresh processes: what both cost.

    python benchmarks/compare_calls.py --oracle PYTHON --tables DIR [--other PYTHON] [--rounds 3] [--visit DIR]

`--oracle` names the interpreter that has drizzlepac, `--tables` the folder of IDCTAB, OFFTAB and DGEOFILE for it.
`benchmarks/incumbent_sequence.py` runs as it is, and as `mizzle migrate` rewrites its imports, each time on copies of
the same exposures: those of `mizzle demo` (six, F814W) without `--visit`. `--other` is the interpreter of another
version of mizzle, and takes its turn too. The files lie in memory where there is a /dev/shm. `--prefix "chrt -f 1"`
gives each process the cores when it wants them, where others keep the machine busy and the user may do so.

For each round: wall and processor time, the memory of the largest process, and the load of the machine before it. At
the end the least of each, and ratios of those. On a machine that is busy the clock says nothing without a prefix.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from measuring import Cost, run

HERE = Path(__file__).parent
SCRIPT = HERE / "incumbent_sequence.py"


def rewritten(folder: Path) -> Path:
    """Return the sequence with mizzle's imports."""
    target = folder / "rewritten_sequence.py"
    run([sys.executable, "-m", "mizzle", "migrate", str(SCRIPT), "-o", str(target)])
    return target


def demo_visit(folder: Path) -> Path:
    """Simulate the demonstration's exposures."""
    from mizzle.simulate import visit, write_visit
    from mizzle.simulate.plan import demo_plan

    write_visit(visit(demo_plan(1)), folder)
    return folder


def once(command: list[str], visit: Path, folder: Path, tables: Path) -> Cost:
    """Run a sequence on copies of a visit."""
    folder.mkdir()
    for path in [*visit.glob("*_c0m.fits*"), *visit.glob("*_c1m.fits*")]:
        shutil.copy(path, folder)
    # The bytecode of a first run serves the later ones, as a user has it.
    environment = {"uref": f"{tables}/", "PYTHONDONTWRITEBYTECODE": ""}
    cost = run([*command, str(folder)], environment)
    shutil.rmtree(folder)
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", required=True, help="interpreter that has drizzlepac")
    parser.add_argument("--tables", required=True, type=Path, help="folder of its reference tables")
    parser.add_argument("--other", help="interpreter of another version of mizzle")
    parser.add_argument("--visit", type=Path, help="folder of exposures called ua*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prefix", default="", help="words before each command, as 'chrt -f 1'")
    options = parser.parse_args()
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as spare:
        folder = Path(spare)
        visit = options.visit or demo_visit(folder / "visit")
        ours = rewritten(folder)
        programs = {"ours": [sys.executable, str(ours)], "theirs": [options.oracle, str(SCRIPT)]}
        if options.other:
            programs["other"] = [options.other, str(ours)]
        costs: dict[str, list[Cost]] = {name: [] for name in programs}
        once(programs["ours"], visit, folder / "first", options.tables.resolve())
        for number in range(options.rounds):
            for name, command in programs.items():
                load = os.getloadavg()[0]
                cost = once(
                    [*options.prefix.split(), *command], visit, folder / f"{name}{number}", options.tables.resolve()
                )
                costs[name].append(cost)
                print(f"    {name:6s} {cost.wall:6.2f} s wall, {cost.cpu:6.2f} s processor, {cost.peak:5.0f} MB;"
                      f" load before {load:.1f}", flush=True)  # fmt: skip
    keys = ("wall", "cpu", "peak")
    least = {name: [min(getattr(one, key) for one in of) for key in keys] for name, of in costs.items()}
    for name in [name for name in programs if name != "ours"]:
        wall, processor, peak = (b / a for a, b in zip(least["ours"], least[name], strict=True))
        print(f"{name} over ours, least of each: wall {wall:.2f}, processor {processor:.2f}, peak {peak:.2f}")


if __name__ == "__main__":
    main()
