"""Measure the alignment on simulated truth and print the table of docs/alignment.md.

    python benchmarks/bench_align.py [--seeds 6] [--write]

``--write`` puts the table between the marks of docs/alignment.md. Image-level rows simulate exposures, pixels and all;
list-level rows start from star lists with honest centroid errors, so that hundreds of trials are cheap.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from align_lists import _inside, errors, scene, solve  # noqa: E402
from align_truth import frame_errors, relative_rms  # noqa: E402
from mizzle.execution import make_runner  # noqa: E402
from mizzle.model import ArrayPixels, Verdict, deproject  # noqa: E402
from mizzle.model.references import AlignReferences, SkyCatalog  # noqa: E402
from mizzle.settings import Settings  # noqa: E402
from mizzle.simulate import make_plan, visit  # noqa: E402
from mizzle.steps.align import align  # noqa: E402
from mizzle.steps.align.match import vote  # noqa: E402
from mizzle.steps.align.sources import common_pivot, find_all  # noqa: E402

Row = tuple[str, str, str, str]
RUNNER = make_runner(2)
PIVOT = (200.0, -47.0)
MARKS = ("<!-- table: benchmarks/bench_align.py -->", "<!-- end of table -->")


def made(**changes):
    return visit(make_plan(**changes), runner=RUNNER)


def field(name: str, goal: str, seeds: int, **changes) -> Row:
    """Frame-to-frame error of simulated visits."""
    rms, matched, failed = [], [], 0
    for seed in range(seeds):
        v = made(seed=300 + seed, **changes)
        a = align(v.exposures, Settings(), RUNNER)
        failed += sum(e.verdict is Verdict.FAIL for e in a.exposures.values())
        good = {e.root for e in v.exposures if a.exposures[e.root].verdict is not Verdict.FAIL}
        if len(good) > 1:
            rms.append(relative_rms(v, a, good))
        matched += [e.n_matched for e in a.exposures.values()]
    every = np.concatenate(rms)
    result = f"{np.sqrt((every**2).mean()):.2f} mas rms, worst exposure {every.max():.2f}"
    facts = f"{len(every)} exposures, median {np.median(matched):.0f} stars"
    return name, result + (f", {failed} refused" if failed else ""), goal, facts


def loud(name: str, seeds: int, **changes) -> Row:
    """Fields that cannot be aligned."""
    accepted, total = 0, 0
    for seed in range(seeds):
        v = made(seed=400 + seed, n=4, **changes)
        a = align(v.exposures, Settings(), RUNNER)
        accepted += sum(e.verdict is not Verdict.FAIL for e in a.exposures.values())
        total += len(a.exposures)
    return name, f"{accepted} of {total} exposures accepted", "none", "images"


def odd_one(name: str, seeds: int, change: Callable) -> Row:
    """One exposure is changed; the others must stand."""
    rms, notes = [], set()
    for seed in range(seeds):
        v = made(seed=500 + seed, n=4)
        exposures, extra = change(v, seed)
        a = align(exposures, Settings(), RUNNER)
        failed = [r for r, e in a.exposures.items() if e.verdict is Verdict.FAIL]
        notes.add("named" if failed == extra else "WRONG")
        rms.append(relative_rms(v, a))
    every = np.concatenate(rms)
    word = " and ".join(sorted(notes)) + "; " if extra else ""
    return name, f"{word}the others {np.sqrt((every**2).mean()):.2f} mas rms", "", f"{seeds} visits"


def another_field(v, seed):
    other = made(seed=900 + seed, n=1, ra=323.6, root="uzzzzz").exposures[0]
    return [*v.exposures, other], [other.root]


def same_pointing_other_stars(v, seed):
    other = made(seed=900 + seed, n=1, root="uzzzzz").exposures[0]
    return [*v.exposures, other], [other.root]


def blank_chip(v, seed):
    first = v.exposures[0]
    rng = np.random.default_rng(seed)
    chip = first.chips["WF3"]
    quiet = dataclasses.replace(chip, pixels=ArrayPixels(rng.normal(2, 1, chip.shape), chip.dq))
    return [dataclasses.replace(first, chips={**first.chips, "WF3": quiet}), *v.exposures[1:]], []


def few_stars(n_stars: int, n_spurious: int, trials: int = 300) -> Row:
    """Very sparse lists: refused, or honest."""
    beyond = false = accepted = refused = 0
    for seed in range(trials):
        s = scene(70000 * n_stars + seed, n_stars=n_stars, n_spurious=n_spurious, n_exposures=3, pointing=0.03)
        entries = [solve(s.lists).exposures[x.root] for x in s.lists]
        good = [k for k, e in enumerate(entries) if e.verdict is not Verdict.FAIL]
        refused += len(entries) - len(good)
        accepted += len(good)
        for k in good if len(good) > 1 else []:
            wrong = np.abs(entries[k].shift - (s.shifts[k] - s.shifts[good].mean(axis=0)))
            beyond += bool((wrong > 3 * np.sqrt(np.diag(entries[k].covariance)[:2])).any())
            false += bool((wrong > 0.05).any())
    honest = 100 * (1 - beyond / max(accepted, 1))
    result = f"{accepted} solved, {refused} refused; within 3 sigma {honest:.1f} %; {false} false"
    return f"{n_stars} stars, {n_spurious} spurious, {trials} trials of 3 lists", result, "≥ 99 %, 0 false", "lists"


def offsets(offset: float, roll: float, seeds: int) -> Row:
    """Large pointing and roll errors."""
    rms, failed, seconds = [], 0, []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        angle = rng.uniform(0, 2 * np.pi, 4)
        wrong = 0.49 * offset * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        s = scene(seed, n_exposures=4, pointing=wrong, roll_deg=roll / 2, n_spurious=160)
        start = time.perf_counter()
        a = solve(s.lists, search_radius=max(1.0, offset), search_roll=roll if roll > 0.1 else 0.0)
        seconds.append(time.perf_counter() - start)
        failed += sum(e.verdict is Verdict.FAIL for e in a.exposures.values())
        e = errors(a, s)
        rms.append(np.sqrt(((e - e.mean(axis=0)) ** 2).mean()))
    name = f'offsets up to {offset:g}", rolls up to {roll:g}°, 80 % spurious'
    return name, f"{np.mean(rms):.2f} mas rms, {failed} of {4 * seeds} failed", "found", "lists"


def search_bias() -> Row:
    """The offset of identical lists, whatever the radius (T6)."""
    a = np.random.default_rng(1).uniform(-80, 80, (457, 2))
    worst = max(float(np.hypot(*vote(a, a, radius=r).offset)) for r in np.linspace(0.3, 60, 400))
    return "identical lists, 400 search radii", f"largest offset {1000 * worst / 0.0996:.1g} mpx", "< 50 mpx", "lists"


def catalog(seeds: int) -> Row:
    """Absolute alignment to a catalog with wrong entries."""
    bias = []
    for seed in range(seeds):
        v = made(seed=600 + seed, n=3, density=60.0)
        rng = np.random.default_rng(seed)
        ra, dec = np.array(v.stars.ra), np.array(v.stars.dec)
        wrong = rng.random(ra.size) < 0.2
        ra[wrong] += rng.uniform(-1, 1, wrong.sum()) / 3600
        dec[wrong] += rng.uniform(-1, 1, wrong.sum()) / 3600
        given = SkyCatalog("truth", ra, dec, mag=np.array(v.stars.mag_st))
        a = align(v.exposures, Settings(), RUNNER, references=AlignReferences(catalog=given))
        bias.append(frame_errors(v, a)[0].mean(axis=(0, 1)))
    worst = np.abs(bias).max()
    return "catalog with 20 % wrong entries", f"bias {worst:.2f} mas at worst", "≤ 2 mas", f"{seeds} visits"


def proper_motions(seeds: int) -> Iterator[Row]:
    """Two epochs 13 years apart, stars moving 8 mas/yr rms."""
    for with_catalog in (True, False):
        wrong, states = [], set()
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            stars = _inside(rng, 80)
            motion = rng.normal(0, 8.0, stars.shape)
            lists, truth = [], []
            for k, epoch in enumerate((1995.0, 1995.1, 2008.0, 2008.1)):
                moved = stars + motion / 1000 * (epoch - 2000)
                s = scene(50 * seed + k, stars=moved, n_exposures=1, epochs=[epoch])
                lists.append(dataclasses.replace(s.lists[0], root=f"uepoch{k:03d}"))
                truth.append(s.shifts[0])
            ra, dec = deproject(stars[:, 0] / 3600, stars[:, 1] / 3600, PIVOT)
            given = SkyCatalog("pm", ra, dec, pm_ra=motion[:, 0], pm_dec=motion[:, 1], epoch=2000.0)
            a = solve(lists, catalog=given if with_catalog else None)
            found = np.array([a.exposures[x.root].shift for x in lists])
            rest = found - np.array(truth)
            wrong.append(1000 * (rest - (0 if with_catalog else rest.mean(axis=0))))
            states |= {str(e.verdict) for e in a.exposures.values()}
        rms = np.sqrt((np.array(wrong) ** 2).mean())
        name = "two epochs, 13 years, 8 mas/yr, " + ("catalog with motions" if with_catalog else "no catalog")
        yield name, f"{rms:.2f} mas rms, {'/'.join(sorted(states))}", "", "lists"


def order(seeds: int) -> Row:
    """Shuffled input."""
    same = 0
    for seed in range(seeds):
        v = made(seed=700 + seed, n=4, density=60.0)
        first = align(v.exposures, Settings(), RUNNER)
        shuffled = [v.exposures[k] for k in np.random.default_rng(seed).permutation(4)]
        second = align(shuffled, Settings(), RUNNER)
        same += all(
            np.array_equal(e.matrix, second.exposures[r].matrix) and np.array_equal(e.shift, second.exposures[r].shift)
            for r, e in first.exposures.items()
        )
    return "order of inputs shuffled", f"{same} of {seeds} identical to the last bit", "identical", "images"


def timing() -> Iterator[Row]:
    """Wall time, the best of several, two threads."""
    v = made(seed=1)
    pivot = common_pivot(v.exposures)
    lists = lambda: find_all(v.exposures, Settings(), RUNNER, references=AlignReferences(), pivot=pivot)  # noqa: E731
    whole = lambda: align(v.exposures, Settings(), RUNNER)  # noqa: E731
    for name, job, goal in (("sources of 24 chips", lists, "≤ 0.3 s"), ("whole alignment, 6 exposures", whole, "")):
        wall, cpu = [], []
        for _ in range(10):
            start = time.perf_counter(), time.process_time()
            job()
            wall.append(time.perf_counter() - start[0])
            cpu.append(time.process_time() - start[1])
        yield name, f"{min(wall):.2f} s ({min(cpu):.2f} s of processor)", goal, "two threads, best of 10"


def rows(seeds: int) -> Iterator[Row]:
    yield field("dense field, 6 exposures", "≤ 0.6, worst ≤ 1.5", seeds)
    yield field("the same, cosmic rays × 3", "≤ 0.6, worst ≤ 1.5", seeds, effects={"cosmic_rays": 0.03})
    yield field("King cluster", "≤ 0.6, worst ≤ 1.5", seeds, field="king")
    yield field("sparse field", "≤ 4", seeds, density=4.0)
    yield field("sparse field, cosmic rays × 3", "≤ 4", seeds, density=4.0, effects={"cosmic_rays": 0.03})
    yield field("satellite trails in 2 of 4", "", seeds, n=4, effects={"satellites": 2})
    yield field("breathing 10 %, CTE loss", "", seeds, n=4, effects={"breathing": 0.1, "cte": True})
    yield field("2000 unmarked hot pixels per chip", "", seeds, n=4, effects={"hot_pixels": 2000})
    yield loud("blank field", seeds, field="blank", effects={"cosmic_rays": 0.0})
    yield loud(
        "only cosmic rays (× 3), hot pixels", seeds, field="blank", effects={"cosmic_rays": 0.03, "hot_pixels": 500}
    )
    yield odd_one("one exposure of another field", seeds, another_field)
    yield odd_one("one exposure of other stars, same pointing", seeds, same_pointing_other_stars)
    yield odd_one("one blank chip", seeds, blank_chip)
    for n_stars, n_spurious in ((3, 15), (4, 15), (5, 15), (3, 100), (5, 200)):
        yield few_stars(n_stars, n_spurious)
    for offset, roll in ((0.1, 0.01), (1.0, 0.01), (10.0, 0.01), (60.0, 0.01), (1.0, 1.0), (1.0, 5.0), (60.0, 5.0)):
        yield offsets(offset, roll, seeds)
    yield search_bias()
    yield catalog(seeds)
    yield from proper_motions(seeds)
    yield order(seeds)
    yield from timing()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = ["| what | result | goal | from |", "|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for row in rows(options.seeds):
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    if options.write:
        page = ROOT / "docs" / "alignment.md"
        head, rest = page.read_text().split(MARKS[0])
        page.write_text(head + MARKS[0] + "\n" + "\n".join(lines) + "\n" + MARKS[1] + rest.split(MARKS[1])[1])


if __name__ == "__main__":
    main()
