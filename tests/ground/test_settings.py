"""Settings: checked, documented, and written so that they read back the same."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.errors import SettingsError
from mizzle.settings import Settings, load_settings, parse_assignment
from mizzle.settings.describe import setting_rows, to_toml, toml_value
from mizzle.settings.old_names import NO_SETTING, OLD_NAMES

ROWS = list(setting_rows(Settings()))


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_every_setting_is_documented(row: object) -> None:
    assert row.description.endswith((".", ")"))  # type: ignore[attr-defined]
    assert row.value == row.default  # type: ignore[attr-defined]


def test_defaults_read_back_the_same() -> None:
    for comments in (True, False):
        assert load_settings(to_toml(Settings(), comments=comments)) == Settings()


def test_changes_read_back_the_same() -> None:
    changed = load_settings(assignments=["combine.scale=0.05", "report.page=false", 'align.method="header"'])
    assert changed != Settings()
    assert load_settings(to_toml(changed)) == changed


def test_assignments_win_over_the_file() -> None:
    settings = load_settings("[combine]\nscale = 0.05\n", ["combine.scale=0.06"])
    assert settings.combine.scale == 0.06


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("combine.scal=1", "did you mean 'scale'"),
        ("combin.scale=1", "did you mean 'combine'"),
        ("combine.scale=inf", "combine.scale"),
        ("combine.scale=true", "combine.scale"),
        ("combine.scale='0.1'", "combine.scale"),
        ("combine.scale=", "not a TOML assignment"),
        ("scale=0.1", "section.key=value"),
        ("a.b.c=1", "unknown section|section.key=value"),
    ],
)
def test_wrong_assignments_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(assignments=[text])


values = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=6
)


@given(values)
def test_any_value_survives_toml(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


@given(st.text())
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        section, key, _ = parse_assignment(text)
    except SettingsError:
        return
    assert isinstance(section, str)
    assert isinstance(key, str)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("align.method=header", "header"),
        ("align.catalog=my stars.ecsv", "my stars.ecsv"),
        ('align.catalog="gaia"', "gaia"),
        ("input.drop=a,b", ["a", "b"]),
        ("input.drop=['a']", ["a"]),
        ("combine.scale=0.05", 0.05),
        ("output.catalog=false", False),
    ],
)
def test_a_bare_word_does_for_a_text(text, value):
    assert parse_assignment(text)[2] == value
    load_settings("", [text])


def test_a_bare_word_for_a_number_is_refused():
    with pytest.raises(SettingsError, match="not a TOML assignment"):
        load_settings("", ["combine.scale=wide"])


def test_what_is_wrong_in_a_file_is_said_by_its_name():
    with pytest.raises(SettingsError, match=r"mine\.toml: combine\.scale"):
        load_settings("[combine]\nscale = -1.0", source="mine.toml")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "[combine]\nnx = " + "9" * 5000], ids=["nested", "long"])
def test_absurd_files_get_one_message(text):
    with pytest.raises(SettingsError, match="not TOML"):
        load_settings(text)


def test_a_byte_order_mark_is_no_mistake():
    assert load_settings("\ufeff[combine]\nscale = 0.05").combine.scale == 0.05


def test_old_names_lead_to_new_ones_that_exist():
    settings = Settings()
    for new in OLD_NAMES.values():
        for section, key in re.findall(r"\b([a-z]+)\.([a-z_0-9]+)", new):
            assert key in type(getattr(settings, section)).model_fields
    assert not set(OLD_NAMES) & set(NO_SETTING)
    with pytest.raises(SettingsError, match="proc_unit of drizzlepac has no setting here: the full"):
        load_settings("", ["proc_unit=native"])
    for text in ("combine.final_scale=0.05", "final_scale=0.05", "final_rot=0"):
        with pytest.raises(SettingsError, match=r"of drizzlepac is combine\.(scale|rotation)"):
            load_settings("", [text])


def test_every_parameter_of_astrodrizzle_that_chooses_something_is_answered():
    from mizzle.drizzlepac.drizzle_parameters import TASK

    names = [name for name in (*TASK.used, *TASK.void) if re.match(r"(final|driz|combine|blot|sky|static)", name)]
    assert len(names) > 50
    # The grid of single images is not chosen: its center and size have no name of their own.
    unnamed = r"driz_sep_(outnx|outny|ra|dec|crpix1|crpix2|refimage|compress)|combine_[lh]thresh"
    assert [n for n in names if n not in OLD_NAMES and n not in NO_SETTING and not re.fullmatch(unnamed, n)] == []


@pytest.mark.parametrize(("low", "high"), [("sky.lower", "sky.upper"), ("reject.combine_low", "reject.combine_high")])
def test_limits_that_leave_nothing_are_refused(low, high):
    """One clear message for the setting, in place of too few pixels later on."""
    assert load_settings(assignments=[f"{low}=1.0", f"{high}=2.0"])
    assert load_settings(assignments=[f"{low}=1.0"])
    for value in (1.0, 0.5):
        with pytest.raises(SettingsError, match=f"{high}: .*above {low}, which is 1"):
            load_settings(assignments=[f"{low}=1.0", f"{high}={value}"])
