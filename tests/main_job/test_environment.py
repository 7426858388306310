"""No environment is needed, and no name is too odd: the same products, nothing on stderr."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits

from mizzle.cli import main
from visits.batch_tools import ALIGN, write_visits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes, and /proc")

FAST = ["-q", "--set", ALIGN, "--set", "report.page=false", "--set", "output.image=false"]
#: Where this Python finds its modules; and which processor OpenBLAS takes this one for, as its last bit hangs on that.
PATHS = {"PYTHONPATH": os.pathsep.join(sys.path)} | {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS")}
#: Environments: nothing at all; homes that cannot be written (/proc, even for root), that are none, or that are files.
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "nothing": {},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "HOME": "/proc", "TMPDIR": "/nonexistent",
          "XDG_CONFIG_HOME": "/proc", "XDG_CACHE_HOME": "/nonexistent"},
    "Latin-1": {"LC_ALL": "en_US.ISO-8859-1", "TERM": "nonsense", "HOME": "/etc/passwd", "TMPDIR": "/etc/passwd",
                "XDG_CONFIG_HOME": "/etc/passwd", "XDG_CACHE_HOME": "/etc/passwd", "COLUMNS": "x"},
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("visit")
    write_visits(folder, 1)
    return folder


def mizzle(*arguments: object, environment: dict[str, str] | None = None) -> str:
    """Run a command that must succeed in silence; return what it printed."""
    words = [sys.executable, "-P", "-m", "mizzle", *map(str, arguments)]
    chosen = PATHS | (os.environ if environment is None else environment)
    done = subprocess.run(words, env=chosen, capture_output=True, check=False, timeout=1800)
    told = [line for line in done.stderr.splitlines() if b"NumPy kernel serves" not in line]  # said once, without C
    assert (done.returncode, told) == (0, [])
    return done.stdout.decode("utf-8", "replace")


def pixels(folder: Path) -> bytes:
    with fits.open(os.fsdecode(folder / "x_drz.fits")) as hdus:
        return bytes(hdus["SCI"].data.tobytes())


@pytest.fixture(scope="module")
def usual(files: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("out")
    mizzle("run", files, "-o", out, "--name", "x", *FAST)
    return pixels(out)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_environment_is_needed(name: str, files: Path, usual: bytes, tmp_path: Path) -> None:
    mizzle("run", files, "-o", tmp_path, "--name", "x", *FAST, environment=ENVIRONMENTS[name])
    assert pixels(tmp_path) == usual


def test_names_of_any_bytes(files: Path, usual: bytes, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\xe9 'd\n[1]")
    odd.mkdir()
    for path in files.rglob("*.fits"):
        name = os.fsdecode(b"\xfe") + path.name if "c1m" not in path.name else path.name
        (odd / name).write_bytes(path.read_bytes())
    sciences = sorted(odd.glob("*c0m*"))
    qualities = [f"--dq={path.name[1:10]}={path.with_name(path.name[1:].replace('c0m', 'c1m'))}" for path in sciences]
    mizzle("run", *sciences, *qualities, "-o", odd / "out", "--name", "x", *FAST)
    assert pixels(odd / "out") == usual
    mizzle("run", odd, *qualities, "-o", odd / "again", "-c", odd / "out" / "x_settings.toml", "--name", "x", *FAST)
    assert pixels(odd / "again") == usual
    mizzle("report", odd / "out")
    assert "F814W" in mizzle("inspect", sciences[0], qualities[0])


def test_plan_says_where_a_setting_comes_from(files: Path) -> None:
    rows = mizzle("plan", files, "--drop", "u2lx0001t", "--set", ALIGN).splitlines()
    assert any(row.split() == ["input.drop", '["u2lx0001t"]', "--drop"] for row in rows)
    assert any(row.split() == ["align.method", '"header"', "--set"] for row in rows)


@pytest.mark.parametrize(
    "setting",
    ["align.catalog", "align.image", "align.regions", "align.sources", "align.shifts", "combine.like", "dq.masks",
     "dq.files", "equalize.factors", "sky.file", "sky.exclude", "geometry.idctab", "geometry.offtab"],
)  # fmt: skip
def test_plan_refuses_what_a_run_could_not_read(
    setting: str, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever names a file: a pipe, whose opening would wait, is refused in one line that names it."""
    os.mkfifo(tmp_path / "pipe")
    root = "u2lx0001t=" if setting.startswith("dq.") else ""
    with pytest.raises(SystemExit) as end:
        main(["plan", str(files), "--set", f"{setting}={root}{tmp_path / 'pipe'}"])
    said = capsys.readouterr()
    assert end.value.code == 3
    assert re.fullmatch(rf"mizzle: {tmp_path / 'pipe'}: .*regular.*\n", said.err), said.err


def test_a_set_that_another_run_replaced_meanwhile_is_called_that(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mizzle.products.of_other_runs", lambda *_: {"x_drz.fits": "20260101T000000Z-01234567"})
    with pytest.raises(SystemExit) as end:
        main(["run", str(files), "-o", str(tmp_path), "--name", "x", "--workers", "1", *FAST])
    assert not end.value.code
    assert (
        capsys.readouterr().err
        == f"mizzle: {tmp_path}: another run wrote products of this name meanwhile; its set stands\n"
    )
