"""Start-up stays light: heavy libraries load when they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("astropy", "scipy", "matplotlib", "jinja2", "PIL")


@pytest.mark.parametrize(
    "code",
    [
        "import mizzle",
        "import mizzle; dir(mizzle); mizzle.MizzleError",
        "import mizzle; mizzle.Settings()",
        "import mizzle.cli\ntry: mizzle.cli.main(['--help'])\nexcept SystemExit as stop: assert not stop.code",
        "import mizzle.cli\ntry: mizzle.cli.main(['run', '--help'])\nexcept SystemExit as stop: assert not stop.code",
        "import mizzle.cli\ntry: mizzle.cli.main(['settings'])\nexcept SystemExit as stop: assert not stop.code",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    check = f"\nimport sys\nheavy = [m for m in {HEAVY!r} if m in sys.modules]\nassert not heavy, heavy"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_process_that_draws_needs_no_settings_and_reads_no_files() -> None:
    """It starts with each run, beside it: what it does not need costs the run."""
    code = "import sys, mizzle.report.worker\nfrom mizzle.report import draw\ndraw.warm_up()\n"
    code += (
        "heavy = [m for m in ('pydantic', 'astropy', 'typer', 'scipy') if m in sys.modules]\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_door_opens_on_every_name() -> None:
    code = (
        "import mizzle\nfor name in mizzle.__all__: getattr(mizzle, name)\nassert {*mizzle.__all__} <= {*dir(mizzle)}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library of Linux keeps freed memory")
def test_memory_that_lies_idle_is_given_back() -> None:
    """The last array stays, so the store cannot shrink from its end."""
    code = """
from pathlib import Path
from mizzle.progress import MemoryKeeper, Progress
from mizzle.startup import tune_process
tune_process()
import numpy as np
def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024
arrays = [np.ones(2**18) for _ in range(100)]
held = resident()
del arrays[:-1]
with Progress(MemoryKeeper()).step("sky"):
    left = resident()
assert (arrays[0] == 1).all()
print(held, left)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    held, left = map(int, done.stdout.split())
    assert left < held - 150
