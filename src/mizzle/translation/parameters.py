"""Parameters as the incumbents' callers write them: known, without meaning here, or unknown."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mizzle.errors import SettingsError
from mizzle.translation.config import flatten, read_config

#: What users write for "no value".
_NOTHING = frozenset({"", "none", "indef"})


class TranslationWarning(UserWarning):
    """A parameter of the incumbent's call that changes nothing here, or a call that gives another result."""


@dataclass(frozen=True)
class Task:
    """One call of an incumbent: its parameters and their defaults.

    Parameters
    ----------
    name : str
        As its users call it.
    used : mapping
        Default by name, of the parameters that have a meaning here.
    void : mapping
        Default and reason by name, of the parameters that have none.
    """

    name: str
    used: Mapping[str, Any]
    void: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

    def values(self, given: Mapping[str, Any], config: Any = None) -> Values:
        """Return all parameters: defaults, then those of `config`, then those `given`.

        Parameters
        ----------
        given : mapping
            What the caller wrote.
        config : None, str, Path or mapping
            A configuration file as the incumbent's ``configobj`` argument takes it, or a (nested) mapping.

        Raises
        ------
        SettingsError
            A name nobody knows; the nearest known one is named.

        Warns
        -----
        TranslationWarning
            Once for a call: the parameters without meaning, and why they have none.
        """
        asked: dict[str, Any] = {}
        if config is not None and str(config).strip().lower() not in {"", "defaults"}:
            settings = config if isinstance(config, Mapping) else read_config(Path(str(config)))
            asked.update({key: value for key, value in flatten(settings).items() if self.knows(key)})
        # Dictionaries that TEAL loaded carry its own entries, as _task_name_ and _RULES_.
        own = {key: value for key, value in given.items() if not key.startswith("_")}
        for key in own:
            if not self.knows(key):
                raise self._unknown(key)
        asked.update(own)
        self._warn(asked)
        defaults = {**self.used, **{key: default for key, (default, _) in self.void.items()}}
        return Values(self.name, {**defaults, **asked}, frozenset(asked))

    def knows(self, key: str) -> bool:
        """Return whether the incumbent has a parameter of this name."""
        return key in self.used or key in self.void

    def _unknown(self, key: str) -> SettingsError:
        near = difflib.get_close_matches(key, [*self.used, *self.void], n=1)
        hint = f"did you mean '{near[0]}'?" if near else "see docs/from_drizzlepac.md for those it has"
        return SettingsError(f"{self.name}: no parameter {key!r}; {hint}", parameter=key)

    def _warn(self, asked: Mapping[str, Any]) -> None:
        """Say once which parameters change nothing, and why."""
        reasons: dict[str, list[str]] = {}
        for key, value in asked.items():
            default, reason = self.void.get(key, (value, ""))
            if reason and not _same(value, default):
                reasons.setdefault(reason, []).append(key)
        if reasons:
            text = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
            warnings.warn(f"{self.name}: without effect here: {text}", TranslationWarning, stacklevel=4)


@dataclass(frozen=True)
class Values:
    """The parameters of one call.

    Parameters
    ----------
    task : str
        The call, for messages.
    all : mapping
        Value by name.
    asked : frozenset of str
        The names the caller gave, or the configuration.
    """

    task: str
    all: Mapping[str, Any]
    asked: frozenset[str]

    def __getitem__(self, name: str) -> Any:
        return self.all[name]

    def text(self, name: str) -> str:
        """Return a text; ``""`` for none."""
        value = self.all[name]
        return "" if value is None or str(value).strip().lower() in _NOTHING else str(value).strip()

    def flag(self, name: str) -> bool:
        """Return a truth value; ``"yes"`` and ``"no"`` are understood."""
        value = self.all[name]
        if isinstance(value, str):
            word = value.strip().lower()
            if word in {"yes", "true", "y", "t", "1"}:
                return True
            if word in _NOTHING | {"no", "false", "n", "f", "0"}:
                return False
            raise SettingsError(f"{self.task}: {name} = {value!r}; True or False is needed", parameter=name)
        return bool(value)

    def number(self, name: str) -> float | None:
        """Return a number; None for none."""
        value = self.all[name]
        if value is None or str(value).strip().lower() in _NOTHING:
            return None
        try:
            return float(value)
        except (TypeError, ValueError):
            raise SettingsError(f"{self.task}: {name} = {value!r}; a number is needed", parameter=name) from None

    def whole(self, name: str) -> int | None:
        """Return a whole number; None for none."""
        value = self.number(name)
        return None if value is None else int(value)

    def pair(self, name: str) -> tuple[float, float]:
        """Return two numbers written as one text, ``'5.5 3.5'``.

        Raises
        ------
        SettingsError
            Not two numbers.
        """
        value = self.all[name]
        parts = value.replace(",", " ").split() if isinstance(value, str) else list(value)
        try:
            first, second = (float(part) for part in parts)
        except (TypeError, ValueError):
            raise SettingsError(
                f"{self.task}: {name} = {value!r}; two numbers are needed, as '5.5 3.5'", parameter=name
            ) from None
        return first, second


def _same(value: Any, default: Any) -> bool:
    """Return whether a value says what the default says: ``"yes"`` is True, ``""`` is None."""
    if isinstance(value, str) and isinstance(default, bool):
        return (value.strip().lower() in {"yes", "true"}) == default
    nothing = [v is None or str(v).strip().lower() in _NOTHING for v in (value, default)]
    return all(nothing) or bool(value == default) or str(value) == str(default)
