"""CRDS rules: which reference file fits a header, decided from cached mappings without a server.

A context (``.pmap``) names an instrument mapping (``.imap``), which names one rule file (``.rmap``) for each type. An
rmap matches keywords (``Match``), then takes the newest file that was valid at the exposure's start (``UseAfter``).
The files are Python literals with these two calls; they are parsed, never executed.
Format: https://hst-crds.stsci.edu/static/users_guide/ (rmap syntax).
"""

from __future__ import annotations

import ast
import datetime
import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from mizzle.archive.names import shown
from mizzle.errors import InputError

_LONGEST = 2_000_000


class _RuleError(Exception):
    """Carries what is wrong, until the mapping's name is known."""


def _parse(text: str) -> dict[str, Any]:
    """Return the assignments of a mapping file; ``Match({...})`` becomes ``("Match", {...})``."""
    if len(text) > _LONGEST:
        raise _RuleError("it is too long")
    try:
        module = ast.parse(text)
        return {
            node.targets[0].id: _literal(node.value)
            for node in module.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as problem:
        raise _RuleError(f"it cannot be parsed ({shown(problem)})") from None


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or len(node.args) != 1 or node.keywords:
            raise ValueError("an unknown call")
        return (node.func.id, _literal(node.args[0]))
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError("an unknown dictionary")
        return {
            ast.literal_eval(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True) if key
        }
    return ast.literal_eval(node)


def next_mapping(text: str, key: str, where: str) -> str:
    """Return what a ``.pmap`` or ``.imap`` names for `key` (an instrument or a type).

    Raises
    ------
    InputError
        Not such a mapping, or it names nothing.
    """
    try:
        selector = _parse(text).get("selector")
        if not isinstance(selector, dict):
            raise _RuleError("it has no selector")
        for name, value in selector.items():
            if str(name).lower() == key.lower():
                return str(value)
        raise _RuleError(f"it names nothing for {key}")
    except _RuleError as problem:
        raise InputError(f"{where}: not a usable CRDS mapping: {problem}; fetch it again", file=where) from None


def choose(text: str, header: Mapping[str, str], where: str) -> str:
    """Return the file that an ``.rmap`` chooses for a header; ``N/A`` where it wants none.

    Parameters
    ----------
    text : str
        The rmap.
    header : mapping
        Keywords as text, ``DATE-OBS`` and ``TIME-OBS`` among them.
    where : str
        Name of the rmap.

    Raises
    ------
    InputError
        The rmap cannot be parsed, uses a selector other than Match and UseAfter, or fits nothing.
    """
    try:
        rules = _parse(text)
        selector, facts = rules.get("selector"), rules.get("header", {})
        parkeys = facts.get("parkey", ()) if isinstance(facts, dict) else None
        files = sorted(_select(selector, _levels(parkeys), header))
        if not files:
            raise _RuleError("no file fits the header")
        return files[-1][1]
    except _RuleError as problem:
        raise InputError(f"{where}: cannot choose a reference file: {problem}", file=where) from None


def _levels(parkeys: Any) -> list[tuple[str, ...]]:
    """Return the keywords of each level of selectors."""
    if not isinstance(parkeys, tuple):
        raise _RuleError("its parkey is not a tuple")
    levels = parkeys if all(isinstance(level, tuple) for level in parkeys) else (parkeys,)
    return [tuple(str(name) for name in level) for level in levels]


def _select(node: Any, levels: Sequence[tuple[str, ...]], header: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return candidates as (useafter, file); the last in order wins."""
    if isinstance(node, str):
        return [("", node)]
    if not (isinstance(node, tuple) and len(node) == 2 and isinstance(node[1], dict)):
        raise _RuleError("its selector has an unknown form")
    kind, table = node
    if kind == "UseAfter":
        return _use_after(table, header)
    if kind == "Match":
        return _match(table, levels, header)
    raise _RuleError(f"the selector {shown(kind)} is not known here")


def _use_after(table: Mapping[Any, Any], header: Mapping[str, str]) -> list[tuple[str, str]]:
    start = moment(f"{header.get('DATE-OBS', '')} {header.get('TIME-OBS', '')}")
    valid = [(moment(str(key)), str(value)) for key, value in table.items()]
    valid = [item for item in valid if item[0] <= start]
    return [max(valid)] if valid else []


def _match(
    table: Mapping[Any, Any], levels: Sequence[tuple[str, ...]], header: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Follow the keys that fit with the most exact values; equals are merged."""
    names = levels[0] if levels else ()
    best, chosen = -1, []
    for key, value in table.items():
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(names):
            raise _RuleError(f"a key of {len(parts)} values for {len(names)} keywords")
        weights = [_weight(str(part), header.get(name, "UNDEFINED")) for part, name in zip(parts, names, strict=True)]
        if all(weight is not None for weight in weights):
            weight = sum(weight or 0 for weight in weights)
            if weight > best:
                best, chosen = weight, [value]
            elif weight == best:
                chosen.append(value)
    return [item for value in chosen for item in _select(value, levels[1:], header)]


def _weight(pattern: str, value: str) -> int | None:
    """Return 1 for an exact match, 0 for "any value", None for no match."""
    if pattern.strip().upper() in {"*", "N/A"}:
        return 0
    if pattern.startswith(("#", "(")) or "BETWEEN" in pattern.upper():
        raise _RuleError(f"the condition {shown(pattern)} is not known here")
    words = [word.strip().upper() for word in pattern.strip("{}").split("|")]
    found = value.strip().upper()
    fits = any(fnmatch.fnmatchcase(found, word) or _same_number(found, word) for word in words)
    return 1 if fits else None


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def moment(text: str) -> str:
    """Return a date and time as ``YYYY-MM-DD HH:MM:SS``, which sorts; FITS's old ``dd/mm/yy`` is understood.

    Raises
    ------
    InputError
        No such moment.

    Examples
    --------
    >>> moment("13/06/97 11:30:14")
    '1997-06-13 11:30:14'
    """
    date, _, clock = text.strip().replace("T", " ").partition(" ")
    try:
        if date[2:3] == "/":
            day, month, year = date.split("/")
            date = f"{1900 + int(year)}-{month}-{day}"
        return str(datetime.datetime.fromisoformat(f"{date} {clock.strip() or '00:00:00'}").replace(microsecond=0))
    except ValueError:
        raise InputError(
            f"'{shown(text)}' is no date and time; needed DATE-OBS as 1997-06-13, TIME-OBS as 11:30:14"
        ) from None
