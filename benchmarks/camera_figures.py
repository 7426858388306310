"""How good results are on simulated visits of ACS and WFC3, several of each camera: the table of docs/cameras.md.

    python benchmarks/camera_figures.py [--cameras acs-wfc ...] [--seeds 1 2 3] [--epochs] [--dithers box-4]
        [--exptime 400] [--json FILE]

Every visit is simulated, written, run by `mizzle.run` and held against its truth; one line for each figure and visit,
and the mean of each figure with its scatter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import mizzle
from mizzle.camera_scores import score_camera_visit
from mizzle.simulate.cameras import CAMERAS, TWO_EPOCHS, camera_visit, write_exposures


def figures(camera: str, seed: int, changes: dict[str, object]) -> dict[str, float]:
    """Return the figures of one visit by their names."""
    made = camera_visit(camera, seed=seed, **changes)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_exposures(made, Path(folder) / "in")
        result = mizzle.run(paths, workers=1)
        scores = score_camera_visit(result, made)
    print(f"{camera}, seed {seed}: {result.verdict.name}", flush=True)
    for one in scores:
        mark = "" if one.met else "   MISSED"
        print(f"    {one.name:48s} {one.value:9.4f} +- {one.error:.4f} {one.unit:4s} {one.target}{mark}", flush=True)
    return {one.name: one.value for one in scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", nargs="+", default=list(CAMERAS), choices=list(CAMERAS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", action="store_true", help="two epochs, eleven years and half a turn apart")
    parser.add_argument("--dithers", help="cr-split, line-3 or box-4")
    parser.add_argument("--exptime", type=float, default=400.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    changes: dict[str, object] = {"exptime": options.exptime}
    if options.epochs:
        changes["epochs"] = TWO_EPOCHS
    if options.dithers:
        changes["dithers"] = options.dithers
    all_figures: dict[str, list[dict[str, float]]] = {}
    for camera in options.cameras:
        rows = all_figures[camera] = [figures(camera, seed, changes) for seed in options.seeds]
        print(f"{camera}, {len(rows)} visits:")
        for name in rows[0]:
            values = [row[name] for row in rows if name in row]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"    {name:48s} {statistics.mean(values):9.4f}, scatter {spread:.4f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(all_figures, indent=1))


if __name__ == "__main__":
    main()
