"""A small visit named like the notebook's, in a folder of its own for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mizzle.simulate import visit, write_visit


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """Three exposures as MAST gives them, c0m and c1m."""
    folder = tmp_path_factory.mktemp("archive")
    write_visit(visit(n=3, density=250.0), folder)
    for extra in folder.glob("truth*"):
        extra.unlink()
    return folder


@pytest.fixture(autouse=True)
def _quiet_service(monkeypatch):
    """No test asks the real astrometry database."""
    monkeypatch.setenv("ASTROMETRY_STEP_CONTROL", "off")


@pytest.fixture
def here(archive, tmp_path, monkeypatch) -> Path:
    """A working folder with the exposures in it; the current one."""
    for path in archive.glob("*.fits"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
