"""A file appears whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mizzle.errors import SettingsError
from mizzle.io.atomic import prepare_folder, whole_file, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")

    def write_half() -> None:
        with whole_file(path) as stream:
            stream.write(b"new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_the_name_appears_only_when_all_is_written(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.txt") as stream:
        stream.write(b"half")
        stream.flush()
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_bytes() == b"half"


@pytest.mark.skipif(sys.platform == "win32", reason="signal 0 is not harmless there")
def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".x_drz.fits.{dead.pid}.part").write_bytes(b"half")
    (tmp_path / ".mine.part").write_bytes(b"not ours")
    prepare_folder(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [".mine.part"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(SettingsError, match="is a file"):
        prepare_folder(tmp_path / "x")
