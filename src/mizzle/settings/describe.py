"""Settings for people and files: rows for a table, text for a TOML file."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from mizzle.settings import Settings


@dataclass(frozen=True)
class SettingRow:
    """One setting as a person sees it."""

    name: str
    value: Any
    default: Any
    unit: str
    range: str
    description: str

    @property
    def changed(self) -> bool:
        """Tell whether the value differs from the default."""
        return bool(self.value != self.default)


def setting_rows(settings: Settings) -> Iterator[SettingRow]:
    """Yield every setting of every section, in order.

    Parameters
    ----------
    settings : Settings
        The values; defaults come from the declarations.
    """
    for section in type(settings).model_fields:
        part = getattr(settings, section)
        for key, field in type(part).model_fields.items():
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            yield SettingRow(
                name=f"{section}.{key}",
                value=getattr(part, key),
                default=field.get_default(call_default_factory=True),
                unit=str(extra.get("unit", "")),
                range=_range(field),
                description=field.description or "",
            )


def _range(field: FieldInfo) -> str:
    """Say what a setting may be: choices, or limits."""
    choices = _choices(field.annotation)
    if choices:
        return " | ".join(str(choice) for choice in choices)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    parts = [
        f"{sign} {getattr(entry, key)}"
        for key, sign in signs.items()
        for entry in field.metadata
        if getattr(entry, key, None) is not None
    ]
    return ", ".join(parts)


def _choices(annotation: Any) -> list[Any]:
    """Collect the values of the Literals inside a type."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def to_toml(settings: Settings, *, comments: bool = True) -> str:
    """Write settings as TOML that `mizzle.settings.load_settings` reads back to the same values.

    Parameters
    ----------
    settings : Settings
        Any settings.
    comments : bool
        Put each setting's sentence, unit and range above it.
    """
    lines: list[str] = []
    section = ""
    for row in setting_rows(settings):
        head, key = row.name.split(".", 1)
        if head != section:
            lines += ([""] if lines else []) + [f"[{head}]"]
            section = head
        if comments:
            lines += _comment(row)
        if row.value is None:
            lines.append(f"# {key} =")
        else:
            lines.append(f"{key} = {toml_value(row.value)}")
    return "\n".join(lines) + "\n"


def _comment(row: SettingRow) -> list[str]:
    """Wrap a setting's sentence into comment lines."""
    facts = ", ".join(part for part in (row.unit and f"unit: {row.unit}", row.range) if part)
    text = f"{row.description} [{facts}]" if facts else row.description
    return [f"# {line}" for line in textwrap.wrap(text, 110)]


def toml_value(value: Any) -> str:
    """Write one value as TOML.

    Examples
    --------
    >>> toml_value(True), toml_value(0.1), toml_value("a\\"b"), toml_value((1, 2))
    ('true', '0.1', '"a\\\\"b"', '[1, 2]')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # a JSON string is a TOML basic string
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml_value(entry)}" for key, entry in value.items()) + "}"
    raise TypeError(f"no TOML for {type(value).__name__}")
