"""Every parameter of every step, with its default, unit, range and a sentence.

The values come from defaults, then a TOML file (``-c``), then single assignments (``--set``).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from mizzle.errors import SettingsError
from mizzle.settings.align import AlignSettings
from mizzle.settings.archive import ArchiveSettings
from mizzle.settings.base import Section
from mizzle.settings.catalog import CatalogSettings
from mizzle.settings.combine import CombineSettings
from mizzle.settings.dq import DataQualitySettings
from mizzle.settings.equalize import EqualizeSettings
from mizzle.settings.geometry import GeometrySettings
from mizzle.settings.input import InputSettings
from mizzle.settings.noise import NoiseSettings
from mizzle.settings.output import OutputSettings
from mizzle.settings.reject import RejectSettings
from mizzle.settings.report import ReportSettings
from mizzle.settings.sky import SkySettings
from mizzle.settings.verify import VerifySettings

__all__ = [
    "AlignSettings",
    "ArchiveSettings",
    "CatalogSettings",
    "CombineSettings",
    "DataQualitySettings",
    "EqualizeSettings",
    "GeometrySettings",
    "InputSettings",
    "NoiseSettings",
    "OutputSettings",
    "RejectSettings",
    "ReportSettings",
    "Section",
    "Settings",
    "SkySettings",
    "VerifySettings",
    "load_settings",
    "parse_assignment",
]


class Settings(Section):
    """All settings, one section per step."""

    input: InputSettings = Field(default_factory=InputSettings)
    geometry: GeometrySettings = Field(default_factory=GeometrySettings)
    dq: DataQualitySettings = Field(default_factory=DataQualitySettings)
    noise: NoiseSettings = Field(default_factory=NoiseSettings)
    align: AlignSettings = Field(default_factory=AlignSettings)
    equalize: EqualizeSettings = Field(default_factory=EqualizeSettings)
    sky: SkySettings = Field(default_factory=SkySettings)
    reject: RejectSettings = Field(default_factory=RejectSettings)
    combine: CombineSettings = Field(default_factory=CombineSettings)
    catalog: CatalogSettings = Field(default_factory=CatalogSettings)
    verify: VerifySettings = Field(default_factory=VerifySettings)
    output: OutputSettings = Field(default_factory=OutputSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)


#: How a byte of a file's name that is not UTF-8 stands in a settings file of ours: TOML itself has no way to say it.
_ODD_BYTE = re.compile(r"((?<!\\)(?:\\\\)*)\\udc([89a-f][0-9a-f])")


def _as_read(match: re.Match[str]) -> str:
    """Return what Python makes of such a byte in a name."""
    return match[1] + chr(0xDC00 + int(match[2], 16))


#: Wrong settings that a message names; its facts hold all.
_MOST_SAID = 3


def load_settings(toml: str = "", assignments: Iterable[str] = (), *, source: str = "settings") -> Settings:
    """Build the settings of a run.

    Parameters
    ----------
    toml : str
        Text of a settings file, as ``mizzle settings --toml`` writes it.
    assignments : iterable of str
        ``section.key=value`` each, the value in TOML; they win over `toml`.
    source : str
        Name of the file, for messages.

    Returns
    -------
    settings : Settings
        Checked and frozen.

    Raises
    ------
    SettingsError
        Bad TOML, an unknown name (the nearest known one is named), or a value out of range.
    """
    try:
        values: dict[str, Any] = tomllib.loads(_ODD_BYTE.sub(_as_read, toml.removeprefix("\ufeff")))
    except (ValueError, RecursionError) as problem:  # ValueError: not TOML, or a number of thousands of digits
        reason = "nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        raise SettingsError(f"{source}: not TOML: {reason}", source=source) from problem
    if toml:
        build_settings(values, source)  # what is wrong in the file is said by its name
    for assignment in assignments:
        section, key, value = parse_assignment(assignment)
        table = values.setdefault(section, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{source}: {section} is a section, write [{section}]", section=section)
        table[key] = value
    return build_settings(values)


def build_settings(values: Mapping[str, Any], source: str = "") -> Settings:
    """Check nested `values`; a `SettingsError` names each setting that is wrong, what is allowed, and the source."""
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as problem:
        lines = [_explain(error) for error in problem.errors()]
        said = "; ".join(lines[:_MOST_SAID]) + (f"; and {len(lines) - _MOST_SAID} more" if lines[_MOST_SAID:] else "")
        raise SettingsError(f"{source}: " * bool(source) + said, errors=lines) from None


def parse_assignment(text: str) -> tuple[str, str, Any]:
    """Split ``section.key=value``; the value is TOML, or a bare word where the setting is a text.

    Examples
    --------
    >>> parse_assignment("combine.scale=0.05")
    ('combine', 'scale', 0.05)
    >>> parse_assignment('align.method="header"')
    ('align', 'method', 'header')
    >>> parse_assignment("align.method=header")
    ('align', 'method', 'header')
    """
    bare = _bare_text(text)
    if bare is not None:
        return bare
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        near = _successor(text)
        message = f"--set {text[:200]}: not a TOML assignment ({str(problem)[:100]}); write section.key=value"
        raise SettingsError(f"{message}{near}", assignment=text) from problem
    if len(document) == 1:
        ((section, table),) = document.items()
        if isinstance(table, dict) and len(table) == 1:
            ((key, value),) = table.items()
            return section, key, value
    raise SettingsError(f"--set {text[:200]}: one section.key=value is needed{_successor(text)}", assignment=text)


def _bare_text(text: str) -> tuple[str, str, str | list[str]] | None:
    """Return an assignment of a bare word to a setting that is a text, or a list of texts; None for any other."""
    match = re.fullmatch(r"\s*([a-z_]+)\.([a-z_0-9]+)\s*=\s*([^\s\"'\[{][^\n\"']*?)\s*", text)
    if match is None:
        return None
    section, key, word = match.groups()
    model = _section_model((section, key))
    field = model.model_fields.get(key) if model is not None else None
    if field is None:
        return None
    if isinstance(field.default, str):
        return section, key, word
    # Lists of texts are empty by default; those of numbers and texts take TOML.
    if field.annotation == tuple[str, ...]:
        return section, key, [part.strip() for part in word.split(",") if part.strip()]
    return None


def _successor(text: str) -> str:
    """Say what a parameter of drizzlepac is called here, where `text` begins with the name of one."""
    from mizzle.settings.old_names import NO_SETTING, OLD_NAMES

    name = text.partition("=")[0].strip().rpartition(".")[2].lower()
    if name in NO_SETTING:
        return f"; {name} of drizzlepac has no setting here: {NO_SETTING[name]}"
    return f"; {name} of drizzlepac is {OLD_NAMES[name]} here" if name in OLD_NAMES else ""


def _section_model(location: tuple[Any, ...]) -> type[BaseModel] | None:
    """Return the model that holds the last name of `location`."""
    model: type[BaseModel] | None = Settings
    for name in location[:-1]:
        field = model.model_fields.get(str(name)) if model is not None else None
        annotation = field.annotation if field is not None else None
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return model


def _explain(error: Any) -> str:
    """Turn one pydantic error into one sentence; unknown names get the nearest known one."""
    location = tuple(error["loc"])
    name = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        model = _section_model(location)
        known = list(model.model_fields) if model is not None else []
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        hint = _successor(str(location[-1])).removeprefix("; ") or hint
        kind = "section" if len(location) == 1 else "setting"
        return f"{name}: unknown {kind}; {hint}"
    value = repr(error.get("input"))
    return f"{name}: {error['msg']}; found {value[:80]}"
