"""No file that was read or named is ever a target, however it is spelled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mizzle.errors import SettingsError
from mizzle.io.targets import named_in, refuse_folder, refuse_targets
from mizzle.settings import load_settings


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "m2_drz.fits"
    path.write_text("mine")
    return path


def test_the_same_file_by_any_name(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "soft.fits").symlink_to(kept)
    os.link(kept, tmp_path / "hard.fits")
    spelled = tmp_path / "sub" / ".." / "m2_drz.fits"
    for target in (kept, tmp_path / "soft.fits", tmp_path / "hard.fits", spelled):
        with pytest.raises(SettingsError, match="would be written over"):
            refuse_targets([target], [str(kept)])
        with pytest.raises(SettingsError, match="would be written over"):
            refuse_targets([kept], ["", "no such file", target])
    refuse_targets([tmp_path / "other.fits", tmp_path / "absent" / "m2_drz.fits"], [kept])


def test_only_files_are_replaced(kept: Path, tmp_path: Path) -> None:
    refuse_targets([kept], [])
    (tmp_path / "m2.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("m2.png", "pipe.png"):
        with pytest.raises(SettingsError, match="no regular file"):
            refuse_targets([tmp_path / name], [])


def test_every_path_of_the_settings_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("uref", "/tables/")
    settings = load_settings(
        '[align]\nimage = "a.fits"\n[sky]\nvalues = ["u1=b.txt"]\n[geometry]\nidctab = "uref$c.fits"'
    )
    assert {"a.fits", "b.txt", "/tables/c.fits"} <= set(named_in(settings))


def test_a_folder_is_judged_without_being_made(kept: Path, tmp_path: Path) -> None:
    refuse_folder(tmp_path)
    refuse_folder(tmp_path / "new" / "deeper")
    assert not (tmp_path / "new").exists()
    with pytest.raises(SettingsError, match="is no folder"):
        refuse_folder(kept)
    with pytest.raises(SettingsError, match="is no folder"):
        refuse_folder(kept / "inside")
