"""A file appears whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mizzle.errors import SettingsError
from mizzle.io.atomic import part_name, prepare_folder, whole_file, write_text


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
    code = "import sys\nfrom pathlib import Path\nfrom mizzle.io.atomic import part_name\n"
    code += (
        "Path(sys.argv[1], part_name('x_drz.fits')).write_bytes(b'half')\nPath(sys.argv[1], part_name('x')).mkdir()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / ".mine.part").write_bytes(b"not ours")
    prepare_folder(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [".mine.part"]


def test_parts_of_others_are_let_be_until_they_are_old(tmp_path: Path) -> None:
    """A process of another host or container may be alive under any number."""
    mine = part_name("x_drz.fits")
    parts = {"alive": mine, "elsewhere": re.sub(r"-[0-9a-f]{8}\.\d+\.", "-0123abcd.999999.", mine)}
    for name in parts.values():
        (tmp_path / name).write_bytes(b"half")
    prepare_folder(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == set(parts.values())
    for name in parts.values():
        os.utime(tmp_path / name, (0, 0))
    prepare_folder(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {parts["alive"]}


def test_a_part_never_takes_the_place_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mizzle.io.atomic.secrets.token_hex", lambda _: "0" * 8)
    with whole_file(tmp_path / "a.txt"), pytest.raises(SettingsError, match="File exists"):  # noqa: SIM117
        with whole_file(tmp_path / "a.txt"):
            pass
    assert len({part_name("x") for _ in range(3)}) == 1
    monkeypatch.undo()
    assert len({part_name("x") for _ in range(50)}) == 50


def test_a_full_disk_is_told_with_file_and_cause(tmp_path: Path) -> None:
    def write(problem: OSError) -> None:
        with whole_file(tmp_path / "a.fits"):
            raise problem

    with pytest.raises(SettingsError, match=r"a\.fits: cannot be written: No space left on device"):
        write(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(SettingsError, match=r"a\.fits: cannot be written: Not enough space on disk: 5 needed"):
        write(OSError("Not enough space on disk:\n 5 needed"))  # as astropy says it, without a number


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(SettingsError, match="is a file"):
        prepare_folder(tmp_path / "x")


@pytest.mark.parametrize("name", ["x" * 250, "ü" * 120])
def test_the_part_of_a_file_with_the_longest_name_has_a_name_too(name, tmp_path) -> None:
    """File systems take 255 bytes; what tells whose part it is stays readable."""
    part = part_name(name)
    assert len(os.fsencode(part)) <= 255
    assert part.startswith("." + name[:50])
    (tmp_path / part).touch()
