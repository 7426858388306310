"""Visits that never were, as batch.json has them: for the page over many."""

from __future__ import annotations

from typing import Any

import numpy as np

FILTERS = ("F555W", "F606W", "F814W", "F439W")


def made_rows(number: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return `number` visits of 1994 to 2009, a few of them failed, three with a fault that must stand out."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(number):
        band, mjd = FILTERS[i % 4], float(rng.uniform(49400, 54900))
        error = {chip: float(rng.uniform(0.002, 0.01)) for chip in ("PC", "WF2", "WF4")}
        ratio = {chip: 1 + float(rng.normal(0, error[chip])) for chip in error} | {"WF3": 1.0}
        if i in (7, 77, 777):
            ratio["WF2"] = 1.2
        name = f"{5000 + i // 20}_2l{i:04d}_field-{i % 300}"
        row = {
            "name": name, "state": "done", "verdict": ("PASS", "PASS", "WARN", "FAIL")[int(rng.integers(4))],
            "message": "", "exit_code": 0, "seconds": float(rng.lognormal(1.2, 0.3)), "cpu_seconds": 1.0,
            "peak_memory_mb": 300.0, "camera": "wfpc2", "proposal": str(5000 + i // 20), "target": f"FIELD-{i % 300}",
            "filters": [band], "ra": 1.0, "dec": 2.0, "mjd": mjd, "files": ["a", "b"], "page": f"f_{i % 3}.html",
            "image": f"f_{i % 3}.png", "products": [],
        }  # fmt: skip
        figure = {
            "filter": band, "verdict": row["verdict"], "mjd": mjd, "n_exposures": 2, "exptime": 800.0,
            "align_rms_mas": float(rng.gamma(4, 1.5)), "align_matched": 30, "align_verdict": "PASS",
            "zp_verdict": "PASS", "zp_chip": "WF3", "photflam": 3e-18, "ratio": ratio, "error": error | {"WF3": 0.0},
            "pairs": {}, "flagged": float(rng.normal(0.02, 0.003)), "sky": 0.01, "n_stars": int(rng.integers(2000)),
            "scale_arcsec": 0.1, "err_ratio": {chip: float(rng.normal(1, 0.03)) for chip in ratio}, "err_pixels": {},
        }  # fmt: skip
        if i % 97 == 96:
            row |= {
                "state": "failed",
                "verdict": "FAIL",
                "message": "a.fits: <b>truncated</b>",
                "page": "",
                "image": "",
            }
            figure = None  # type: ignore[assignment]
        rows.append(row | {"figures": [figure] if figure else []})
    return rows
