"""Errors carry their facts and their exit code, also through a pickle."""

from __future__ import annotations

import os
import pickle

import pytest

from mizzle import DataError, InputError, MizzleError, SettingsError
from mizzle.errors import LONGEST_MESSAGE
from mizzle.settings import load_settings


@pytest.mark.parametrize(("kind", "code"), [(SettingsError, 2), (InputError, 3), (DataError, 4)])
def test_facts_survive_pickling(kind: type[MizzleError], code: int) -> None:
    error = kind("PC: 3 stars, needed 5", chip="PC", found=3)
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert (str(twin), twin.facts, twin.exit_code) == (str(error), {"chip": "PC", "found": 3}, code)


def test_a_wrong_setting_is_a_value_error() -> None:
    assert issubclass(SettingsError, ValueError)


def test_a_message_stays_one_short_line_and_keeps_its_ends() -> None:
    said = str(InputError("a.csv, row 2: \x00" + "long\n" * 5000 + "; a number is needed"))
    assert len(said) <= LONGEST_MESSAGE
    assert said.isprintable()
    assert said.startswith("a.csv, row 2: ")
    assert said.endswith("; a number is needed")


def test_of_many_wrong_settings_a_few_are_said_and_all_are_known() -> None:
    with pytest.raises(SettingsError, match=r"combine\.a: .*; and 6 more$") as caught:
        load_settings("[combine]\n" + "".join(f"{name} = 1\n" for name in "abcdefghi"))
    assert len(caught.value.facts["errors"]) == 9


def test_a_name_that_is_not_utf_8_can_be_told() -> None:
    assert str(InputError(f"{os.fsdecode(b'a/g' + bytes([0xFE]) + b'.fits')}: no\x07such file")) == (
        "a/g\\xfe.fits: no?such file"
    )
