"""The tutorial runs from the first cell to the last, and what it says is true."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from docs_pages import DOCS, load_tool

NOTEBOOK = DOCS / "tutorial.ipynb"


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    notebook: dict[str, Any] = load_tool("run_notebook").read_notebook(NOTEBOOK)
    return notebook


def printed(notebook: dict[str, Any]) -> list[str]:
    """Return what each code cell printed."""
    return [
        "".join("".join(out["text"]) for out in cell["outputs"] if out["output_type"] == "stream")
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def test_the_tutorial_runs_and_what_it_says_is_true(stored: dict[str, Any], tmp_path: Path):
    # One test, so that the cells run once, on whichever worker.
    executed, names = load_tool("run_notebook").execute(stored, tmp_path)
    check_numbers(names)
    check_blank_sky(names)
    check_stored_outputs(stored, executed)


def check_numbers(names: dict[str, Any]) -> None:
    """Hold the visit's numbers against the truth."""
    assert names["result"].verdict == "PASS"
    assert names["rms_before"] > 10
    assert names["rms_after"] < 2
    assert names["completeness"] > 0.97
    assert names["false_alarms"] < 0.01
    factors = names["result"].flux_scales.factors["ua060502m"]
    np.testing.assert_allclose(
        [factors[chip] for chip in names["CHIPS"]], [1.0240581, 1.0036790, 1, 1.0201481], atol=5e-8
    )
    for chip, within in (("PC", 0.01), ("WF2", 0.005), ("WF3", 0.005), ("WF4", 0.005)):
        value, error = names["level"][chip]
        assert abs(value - 1) < within + 2 * error, chip
    assert names["unchanged"] is True


def check_blank_sky(names: dict[str, Any]) -> None:
    """Hold the blank sky's levels against what the text says."""
    raw, equalized, fault = (panel.spread for panel in names["sky"].panels)
    assert raw == pytest.approx(0.024, abs=0.003)
    assert equalized < 0.003
    assert fault == pytest.approx(0.032, abs=0.003)
    levels = names["sky15"].panels[2].levels
    assert levels["WF2"].mean / levels["WF3"].mean == pytest.approx(1.04, abs=0.005)


def check_stored_outputs(stored: dict[str, Any], executed: dict[str, Any]) -> None:
    """Compare the words and kinds of the stored outputs with the fresh ones."""

    def words(text: str) -> str:
        return " ".join(re.sub(r"[-+]?\d[\d.e+-]*", "#", text).split())

    for old, new in zip(printed(stored), printed(executed), strict=True):
        assert words(old) == words(new), "run tools/run_notebook.py docs/tutorial.ipynb"
    kinds = [
        [[out["output_type"] for out in cell.get("outputs", [])] for cell in notebook["cells"]]
        for notebook in (stored, executed)
    ]
    assert kinds[0] == kinds[1]


def test_the_notebook_is_small_and_its_figures_say_what_good_looks_like(stored):
    assert NOTEBOOK.stat().st_size < 600_000
    figures = [
        (cell, out["data"]["image/png"])
        for cell in stored["cells"]
        for out in cell.get("outputs", [])
        if "image/png" in out.get("data", {})
    ]
    assert len(figures) >= 6
    for cell, data in figures:
        assert base64.b64decode(data).startswith(b"\x89PNG")
        assert len(base64.b64decode(data)) < 150_000
        assert len(cell["metadata"]["caption"]) > 20


def test_the_page_of_the_site_holds_every_cell_and_figure(stored):
    text, pictures = load_tool("notebook_page").notebook_page(stored, "tutorial")
    for cell in stored["cells"]:
        assert "".join(cell["source"]).strip() in text
    assert all(f"({name})" in text for name in pictures)
    assert len(pictures) == sum("image/png" in o.get("data", {}) for c in stored["cells"] for o in c.get("outputs", []))
    for output in printed(stored):
        assert output.strip() in text


def test_a_failing_cell_is_not_hidden(tmp_path: Path):
    cell = {"cell_type": "code", "source": ["1 / 0\n"], "outputs": [], "execution_count": None, "metadata": {}}
    before = Path.cwd()
    with pytest.raises(ZeroDivisionError):
        load_tool("run_notebook").execute({"cells": [cell]}, tmp_path)
    assert Path.cwd() == before
