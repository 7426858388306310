"""Errors carry their facts and their exit code, also through a pickle."""

from __future__ import annotations

import pickle

import pytest

from mizzle import DataError, InputError, MizzleError, SettingsError


@pytest.mark.parametrize(("kind", "code"), [(SettingsError, 2), (InputError, 3), (DataError, 4)])
def test_facts_survive_pickling(kind: type[MizzleError], code: int) -> None:
    error = kind("PC: 3 stars, needed 5", chip="PC", found=3)
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert (str(twin), twin.facts, twin.exit_code) == (str(error), {"chip": "PC", "found": 3}, code)


def test_a_wrong_setting_is_a_value_error() -> None:
    assert issubclass(SettingsError, ValueError)
