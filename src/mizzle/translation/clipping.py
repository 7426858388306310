"""How sky pixels are chosen: the incumbents' rounds and limits of clipping as mizzle's."""

from __future__ import annotations

import warnings
from typing import Any

from mizzle.translation.parameters import TranslationWarning, Values


def clipping(values: Values, names: tuple[str, str, str]) -> dict[str, Any]:
    """Return ``iterations`` and ``clip`` of section sky, where the caller gave them.

    Parameters
    ----------
    values : Values
        Of the call.
    names : (str, str, str)
        Its parameters: rounds of clipping, limit below, limit above [sigma].

    Returns
    -------
    part : dict
        One round at least. The limit is the same on both sides, that above where two differ: stars and cosmic rays lie
        there. Sigma is that of the sky's own pile.

    Warns
    -----
    TranslationWarning
        The limits differ, or lie outside 1 to 10 sigma.
    """
    rounds, below, above = names
    part: dict[str, Any] = {}
    if rounds in values.asked and values.number(rounds) is not None:
        part["iterations"] = min(50, max(1, values.whole(rounds) or 1))
    limits = [values.number(name) for name in (above, below) if name in values.asked]
    given = [limit for limit in limits if limit is not None]
    if not given:
        return part
    part["clip"] = min(10.0, max(1.0, given[0]))
    if any(limit != part["clip"] for limit in given):
        warnings.warn(
            f"{values.task}: {below}, {above}: sky pixels are clipped alike on both sides, at 1 to 10 sigma;"
            f" {part['clip']:g} is taken",
            TranslationWarning,
            stacklevel=5,
        )
    return part
