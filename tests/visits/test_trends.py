"""The notebook on trends finds the drift that its programme was given; its fit holds on many visits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from docs_pages import DOCS, load_tool
from mizzle.visits.outcome import visits_table
from visits.overview_rows import made_rows

NOTEBOOK = DOCS / "trends.ipynb"


def cells() -> dict[str, Any]:
    notebook: dict[str, Any] = load_tool("run_notebook").read_notebook(NOTEBOOK)
    return notebook


def printed(notebook: dict[str, Any]) -> str:
    """Return what a notebook prints, numbers aside: their last digits depend on the processor."""
    outputs = [out for cell in notebook["cells"] for out in cell.get("outputs", []) if "text" in out]
    text = "".join("".join(out["text"]) for out in outputs)
    return " ".join(re.sub(r"[-+]?\d[\d.e+-]*", "#", text).split())


def test_the_fit_finds_a_drift_among_many_visits(tmp_path: Path) -> None:
    rows = [row for i, row in enumerate(made_rows(400)) if i not in (7, 77)]  # without the faults
    for row in rows:
        for figure in row["figures"]:
            figure["ratio"]["WF2"] += 0.004 + 0.0015 * (figure["mjd"] - 51544.5) / 365.25
    path = tmp_path / "visits.ecsv"
    path.write_text(visits_table(rows))
    names: dict[str, Any] = {"np": np, "table": Table.read(path)}
    (fit,) = ("".join(cell["source"]) for cell in cells()["cells"] if "def drift" in "".join(cell["source"]))
    exec(compile(fit, "drift", "exec"), names)
    for chip, level, slope in (("PC", 1.0, 0.0), ("WF2", 1.004, 0.0015), ("WF4", 1.0, 0.0)):
        values, errors = names["drift"](chip)
        assert errors[1] < 1e-4
        assert abs(values[0] - level) < 5 * errors[0]
        assert abs(values[1] - slope) < 5 * errors[1]


def test_the_notebook_runs_and_finds_the_drift(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    stored = cells()
    executed, names = load_tool("run_notebook").execute(stored, tmp_path)
    assert set(names["table"]["state"]) == {"done"}
    for chip, drift in (("PC", 0.0), ("WF2", names["DRIFT"]), ("WF4", 0.0)):
        (level, slope), (level_error, slope_error) = names["fits"][chip]
        assert abs(level - 1.0) < 4 * level_error
        assert abs(slope - drift) < 4 * slope_error
    assert names["fits"]["WF2"][0][1] < -2 * names["fits"]["WF2"][1][1]
    assert printed(executed) == printed(stored), "run tools/run_notebook.py docs/trends.ipynb"
