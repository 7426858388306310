"""The example of the page on many visits finds a drift that was put in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from docs_pages import DOCS, run_examples
from mizzle.visits.outcome import visits_table
from visits.overview_rows import made_rows


def test_the_example_finds_the_drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for i, row in enumerate(made_rows(400)) if i not in (7, 77)]  # without the faults
    for row in rows:
        for figure in row["figures"]:
            figure["ratio"]["WF2"] += 0.004 + 0.0015 * (figure["mjd"] - 51544.5) / 365.25
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "visits.ecsv").write_text(visits_table(rows))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    run_examples((DOCS / "batch.md").read_text(encoding="utf-8"), names)
    for chip, level, slope in (("PC", 1.0, 0.0), ("WF2", 1.004, 0.0015), ("WF4", 1.0, 0.0)):
        values, errors = names["drift"](chip)
        assert errors[1] < 1e-4
        assert abs(values[0] - level) < 5 * errors[0]
        assert abs(values[1] - slope) < 5 * errors[1]
