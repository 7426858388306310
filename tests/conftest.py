"""Fixtures every test may use. Tests know only MIZZLE_TEST_DATA, MIZZLE_ORACLE_PYTHON and MIZZLE_REQUIRE."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time on a busy machine is no property of the code; examples are the same in every run.
settings.register_profile("mizzle", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mizzle")


def _absent(kind: str, message: str) -> None:
    """Skip, or fail where the run requires this kind."""
    required = {word.strip() for word in os.environ.get("MIZZLE_REQUIRE", "").split(",")}
    if kind in required:
        pytest.fail(f"required by MIZZLE_REQUIRE: {message}")
    pytest.skip(message)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with the real exposure and reference tables."""
    text = os.environ.get("MIZZLE_TEST_DATA", "")
    if not text or not Path(text).is_dir():
        _absent("data", "MIZZLE_TEST_DATA does not name the folder of real data")
    return Path(text)


@pytest.fixture(scope="session")
def oracle_python() -> str:
    """Interpreter of the environment that holds drizzlepac, stwcs and drizzle."""
    text = os.environ.get("MIZZLE_ORACLE_PYTHON", "")
    if not text or not Path(text).exists():
        _absent("oracle", "MIZZLE_ORACLE_PYTHON does not name an interpreter with the oracles")
    return text
