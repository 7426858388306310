"""What every section of the settings shares."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Section(BaseModel):
    """Base of every section: frozen, strict, no unknown names, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def setting(default: Any, description: str, *, unit: str = "", **limits: Any) -> Any:
    """Declare one setting: default, one sentence, unit, and its limits.

    Parameters
    ----------
    default : object
        The value unless the user says otherwise.
    description : str
        One sentence for people.
    unit : str
        Unit of the number; empty where it has none.
    **limits
        Passed to `pydantic.Field`: ``ge``, ``le``, ``gt``, ``lt``, ``min_length``, ``pattern``...
    """
    if not description:
        raise TypeError("a setting needs a sentence")
    extra: dict[str, JsonValue] | None = {"unit": unit} if unit else None
    if isinstance(default, tuple):
        limits.setdefault("strict", False)  # TOML and JSON give lists
    return Field(default, description=description, json_schema_extra=extra, **limits)


def above(value: float | None, lower: float | None, name: str) -> float | None:
    """Return an upper limit; a lower limit called `name` that is not below it leaves nothing, and is refused."""
    if value is not None and lower is not None and not lower < value:
        raise ValueError(f"it must lie above {name}, which is {lower:g}")
    return value
