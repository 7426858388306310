"""A small part of `scripts/campaign`, at fixed seeds: every promise of reading, writing and stopping, case by case."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "campaign"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("kind", "count"), [("inputs", 120), ("texts", 30), ("tables", 200), ("kills", 3), ("rivals", 1)]
)
def test_no_case_ends_wrongly(kind: str, count: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), kind, "--seed", "11", "--count", str(count)],
        env=environment, capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{kind} --seed 11: {count} tried, 0 wrong\n"
