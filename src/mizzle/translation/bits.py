"""Data-quality bits as the incumbents' callers write them."""

from __future__ import annotations

from typing import Any

from mizzle.errors import SettingsError

_ALL_BITS = 0xFFFF


def parse_bits(value: Any, name: str) -> int:
    """Return the good bits of ``'8,1024'``, ``8 + 1024``, ``'~4,8'``; all of them for None.

    Raises
    ------
    SettingsError
        Not bits.

    Examples
    --------
    >>> parse_bits("8,1024", "final_bits"), parse_bits("~4,8", "final_bits"), parse_bits(0, ""), parse_bits(None, "")
    (1032, 65523, 0, 65535)
    """
    text = "" if value is None else str(value).strip()
    if text.lower() in {"", "none", "indef"}:
        return _ALL_BITS
    inverted, text = text.startswith("~"), text.lstrip("~").strip("()")
    try:
        total = 0
        for word in text.replace("+", ",").split(","):
            total |= int(word)
    except ValueError:
        raise SettingsError(f"{name} = {value!r}; needed bits, as '8,1024'", parameter=name) from None
    return _ALL_BITS & ~total if inverted else total
