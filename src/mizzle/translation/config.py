"""Configuration files as the incumbents' tasks take them: ``key = value`` lines under ``[SECTION]``; dictionaries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mizzle.errors import InputError
from mizzle.io.text import read_text

_SECTION = re.compile(r"^\[+\s*(?P<name>[^\]]+?)\s*\]+$")
_WORDS = {"true": True, "yes": True, "false": False, "no": False, "none": None, "indef": None}


def read_config(path: Path) -> dict[str, Any]:
    """Read a ``.cfg`` file; sections become nested dictionaries.

    Parameters
    ----------
    path : Path
        As TEAL saved it, or written by hand. The section ``_RULES_`` is left out.

    Raises
    ------
    InputError
        The file cannot be read, or a line is neither a section nor ``key = value``.

    Examples
    --------
    >>> parse_config("output = m2 # name\\n[STEP 7: DRIZZLE]\\nfinal_bits = '8,1024'")
    {'output': 'm2', 'STEP 7: DRIZZLE': {'final_bits': '8,1024'}}
    """
    return parse_config(read_text(path), str(path))


def parse_config(text: str, where: str = "configuration") -> dict[str, Any]:
    """Return the values of the text of a ``.cfg`` file; see `read_config`."""
    result: dict[str, Any] = {}
    part = result
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        section = _SECTION.match(line)
        if section:
            part = result.setdefault(section["name"], {})
            continue
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            raise InputError(
                f"{where}, line {number}: {line[:60]!r}; needed a [SECTION], or key = value", file=where, line=number
            )
        part[key.strip()] = parse_value(value)
    result.pop("_RULES_", None)
    return result


def parse_value(text: str) -> Any:
    """Return a value of a ``.cfg`` line: a number, a truth value, None, or a text; a comment after ``#`` is dropped.

    Examples
    --------
    >>> [parse_value(t) for t in ("0.0996", "8  # bits", "'5.5 3.5'", "None", "yes", '"" # nothing')]
    [0.0996, 8, '5.5 3.5', None, True, '']
    """
    text = text.strip()
    quoted = re.match(r"^(?P<sign>['\"])(?P<text>.*?)(?P=sign)\s*(#.*)?$", text)
    if quoted:
        return quoted["text"]
    text = re.sub(r"\s*#.*$", "", text)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def flatten(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of nested mappings by name, whatever section they stand in.

    Parameters
    ----------
    settings : mapping
        A dictionary, or what TEAL hands out: anything with ``items``.
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value))
        else:
            flat[str(key)] = value
    return flat
