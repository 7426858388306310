"""The demanded figures, each as a ratio, from one run in which all kinds of command alternate.

    python benchmarks/bench_figures.py [--rounds 3] [--folder DIR] [--oracle PYTHON --tables DIR] [--other PYTHON]
        [--counts 6,24,100] [--plot FILE.png] [--json FILE]

* six exposures with page and picture, and with catalog, page and picture off, against the incumbent's sequence
  (``--oracle``: an interpreter with drizzlepac; ``--tables``: folder of IDCTAB, OFFTAB and DGEOFILE);
* one exposure, and the imports of a run;
* processor time, system time and peak memory against the number of exposures (``--counts``; 400 takes minutes), and
  a plot of them;
* everything against another installation of mizzle (``--other``).

Every command is a fresh process; medians of ratios within a round count. On a busy machine wall times mean little:
look at the ratios of processor time. Files are best in memory (``--folder /dev/shm/...``).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from measuring import Cost, run

BARE = ("--set", "output.catalog=false", "--set", "report.page=false", "--set", "output.image=false")
MAIN = "from mizzle.cli import main; main()"
#: What a run imports, and nothing else: asked of a run by ``python -X importtime``.
IMPORTS = "import mizzle.pipeline, mizzle.products, mizzle.cli.app, mizzle.io.products, pydantic, typer"


def mizzle(python: str, folder: Path, visit: int, *options: str) -> list[str]:
    return [python, "-c", MAIN, "run", "-q", "-o", str(folder / "out"), *options, str(folder / str(visit))]


def simulate(folder: Path, count: int) -> None:
    """Make a visit, once."""
    if not (folder / str(count)).exists():
        run([sys.executable, "-c", MAIN, "simulate", "-o", str(folder / str(count)), "--exposures", str(count),
             "--seed", "1"])  # fmt: skip


def incumbent(options: argparse.Namespace, folder: Path) -> Cost:
    """Run the incumbent's sequence on fresh copies, which do not count."""
    copies = folder / "incumbent"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    for path in (folder / "6").glob("ua*.fits"):
        shutil.copy(path, copies)
    script = Path(__file__).with_name("incumbent_sequence.py")
    tables = f"{options.tables.resolve()}/"
    return run([options.oracle, str(script), str(copies)], {"uref": tables})


def kinds(options: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Cost]]:
    """Return what is measured, by name."""
    six = {"6": mizzle(sys.executable, folder, 6), "6 bare": mizzle(sys.executable, folder, 6, *BARE)}
    six |= {"1": mizzle(sys.executable, folder, 1), "imports": [sys.executable, "-c", IMPORTS]}
    six |= {str(count): mizzle(sys.executable, folder, count) for count in options.counts if count > 6}
    if options.other:
        six |= {"other 6": mizzle(options.other, folder, 6), "other 1": mizzle(options.other, folder, 1)}
    made: dict[str, Callable[[], Cost]] = {name: lambda command=command: run(command) for name, command in six.items()}
    if options.oracle:
        made["incumbent"] = lambda: incumbent(options, folder)
    return made


def ratio(rounds: list[dict[str, Cost]], over: str, under: str, of: str) -> float:
    return statistics.median(getattr(r[over], of) / getattr(r[under], of) for r in rounds)


def report(rounds: list[dict[str, Cost]], counts: Iterable[int]) -> dict[str, float]:
    """Print the medians, and return and print the ratios."""
    for name in rounds[0]:
        wall, user, system, peak, tree = (
            statistics.median(column) for column in zip(*(r[name] for r in rounds), strict=True)
        )
        share = 100 * system / (user + system)
        times = f"{wall:7.2f} s wall {user + system:7.2f} s cpu ({share:3.0f} % system)"
        print(f"{name:12s} {times} {peak:6.0f} MB, tree {tree:6.0f} MB")
    figures: dict[str, float] = {}
    known = rounds[0]
    for name in ("6", "6 bare"):
        for of in ("wall", "cpu") if "incumbent" in known else ():
            figures[f"incumbent over {name}, {of}"] = ratio(rounds, "incumbent", name, of)
    for name in ("6", "1") if "other 6" in known else ():
        for of in ("wall", "cpu", "peak"):
            figures[f"{name} over the other's, {of}"] = ratio(rounds, name, f"other {name}", of)
    largest = max(counts)
    for small in (24, 6):
        if str(small) in known and largest > small:
            figures[f"{largest} over {small}, cpu"] = ratio(rounds, str(largest), str(small), "cpu")
            figures[f"{largest} over {small}, peak"] = ratio(rounds, str(largest), str(small), "peak")
    figures["1 over 6, cpu"] = ratio(rounds, "1", "6", "cpu")
    for name, value in figures.items():
        print(f"{name:36s} {value:6.2f}")
    return figures


def plot(rounds: list[dict[str, Cost]], counts: list[int], path: Path) -> None:
    """Draw processor time and peak memory against the number of exposures."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    median = {n: Cost(*(statistics.median(c) for c in zip(*(r[str(n)] for r in rounds), strict=True))) for n in counts}
    left.plot(counts, [median[n].cpu for n in counts], "o-", label="user and system")
    left.plot(counts, [median[n].system for n in counts], "s--", label="system")
    right.plot(counts, [median[n].peak for n in counts], "o-", label="largest process")
    right.plot(counts, [median[n].tree for n in counts], "s--", label="all processes")
    for axes, words in ((left, "processor time [s]"), (right, "peak memory [MB]")):
        axes.set(xlabel="exposures", ylabel=words, xlim=0, ylim=0)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the simulated visits here")
    parser.add_argument("--oracle", help="interpreter with drizzlepac")
    parser.add_argument("--tables", type=Path, help="folder of IDCTAB, OFFTAB and DGEOFILE")
    parser.add_argument("--other", help="interpreter of another installation of mizzle")
    parser.add_argument("--counts", type=lambda text: [int(word) for word in text.split(",")], default=[6, 24, 100])
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    options, _ = parser.parse_known_args()
    if options.oracle and not options.tables:
        parser.error("--oracle needs --tables")
    with tempfile.TemporaryDirectory() as spare:
        folder = options.folder or Path(spare)
        folder.mkdir(parents=True, exist_ok=True)
        for count in {1, 6, *options.counts}:
            simulate(folder, count)
        made = kinds(options, folder)
        made["6"]()  # first touch
        rounds = [{name: measure() for name, measure in made.items()} for _ in range(options.rounds)]
    figures = report(rounds, options.counts)
    if options.plot:
        plot(rounds, sorted({1, 6, *options.counts}), options.plot)
    if options.json:
        costs = [{name: cost._asdict() for name, cost in one.items()} for one in rounds]
        options.json.write_text(json.dumps({"figures": figures, "rounds": costs}, indent=1))


if __name__ == "__main__":
    main()
