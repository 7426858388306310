"""The chore that changes constants knows its own exceptions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "mutants"


@pytest.mark.skipif(not SCRIPT.is_file(), reason="not a checkout")
def test_exceptions_name_constants_that_exist_and_are_left_out():
    done = subprocess.run([sys.executable, SCRIPT, "--list"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "steps.reject.trails.CLIP" in done.stdout
    assert "steps.reject.trails.BLOCKS" not in done.stdout
