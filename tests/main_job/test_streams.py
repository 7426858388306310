"""Streams and signals: a closed, full or vanished stream never costs a product, and a signal leaves one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mizzle.cli.console import LostOutputError, one_line, out
from mizzle.simulate import visit, write_visit
from processes import await_handlers, running

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and signals")

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
MIZZLE = f"{sys.executable} -P -m mizzle"
FAST = "--set report.page=false --set output.image=false"
PRODUCTS = {"x_drz.fits", "x_cat.ecsv", "x_report.json", "x_settings.toml"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("visit")
    write_visit(visit(n=1, seed=11, field="blank"), folder)
    return folder


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True, check=False, cwd=folder, timeout=1800
    )


@pytest.mark.parametrize(
    ("streams", "code"),
    [
        ("2>&-", 0),
        ("2>/dev/full", 0),
        ("2> >(exec true)", 0),
        (">&-", 2),
        (">/dev/full", 2),
        ("<&- >&- 2>&-", 2),
        ("2>&1 | (exec true); exit ${PIPESTATUS[0]}", 2),
    ],
)
def test_a_lost_stream_costs_no_product_and_lost_output_is_an_error(
    streams: str, code: int, files: Path, tmp_path: Path
) -> None:
    done = shell(f"{MIZZLE} run {files} -o {tmp_path}/out --name x {FAST} {streams}", tmp_path)
    assert {path.name for path in (tmp_path / "out").iterdir()} == PRODUCTS
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_lost_output_of_a_command_that_only_speaks(files: Path, tmp_path: Path) -> None:
    done = shell(f"{MIZZLE} settings >/dev/full", tmp_path)
    assert done.returncode == 2
    assert done.stderr == "mizzle: stdout: cannot be written: No space left on device; the output is lost\n"


def test_signs_that_stdout_lacks_are_spelled(tmp_path: Path) -> None:
    done = shell(f"PYTHONIOENCODING=latin-1 {MIZZLE} settings | grep -c '>= 0.005, <= 5.0'", tmp_path)
    assert done.stdout.strip() == "1"
    with pytest.MonkeyPatch.context() as patch, (tmp_path / "x").open("w", encoding="ascii") as stream:
        patch.setattr(sys, "stdout", stream)
        out("\udce9 ≥ é")
    assert (tmp_path / "x").read_text() == "\\udce9 >= \\xe9\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with pytest.raises(LostOutputError, match="is closed"):
            out("x")


def test_a_message_stays_on_one_line() -> None:
    assert one_line("a\nb\x1b[31mc") == "a b?[31mc"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("delay", [0.0, 1.2, 2.7])
def test_a_signal_leaves_one_true_sentence_and_nothing_else(
    number: signal.Signals, code: int, delay: float, files: Path, tmp_path: Path
) -> None:
    command = [*MIZZLE.split(), "run", str(files), "-o", str(tmp_path / "out"), "--name", "x", "-q"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    await_handlers(process)
    time.sleep(delay)
    process.send_signal(number)
    _, said = process.communicate(timeout=600)
    said = "".join(line for line in said.splitlines(keepends=True) if "compiled kernel is not in use" not in line)
    names = {path.name for path in (tmp_path / "out").glob("*")} if (tmp_path / "out").exists() else set()
    whole = PRODUCTS | {"x.png", "x_report.html"}
    if process.returncode != 0:  # else it was done before
        assert process.returncode == code
        assert said == (
            f"mizzle: stopped; the products x in {tmp_path / 'out'} are complete\n"
            if names
            else "mizzle: stopped; nothing was written\n"
        )
    assert names in (set(), whole)
    deadline = time.monotonic() + 120
    while running(process.pid):  # the helper leaves when its input closes, at the latest
        assert time.monotonic() < deadline
        time.sleep(0.05)
