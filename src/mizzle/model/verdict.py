"""Verdicts: one word for a number held against its limits."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """Outcome of a quality check. ``NONE`` means: nothing to judge."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    NONE = "NONE"


_ORDER = (Verdict.NONE, Verdict.PASS, Verdict.WARN, Verdict.FAIL)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of `verdicts`; ``NONE`` counts as ``PASS`` unless it is all there is.

    Parameters
    ----------
    verdicts : iterable of Verdict
        The parts.

    Returns
    -------
    verdict : Verdict
        ``NONE`` for an empty iterable.
    """
    return max(verdicts, key=_ORDER.index, default=Verdict.NONE)
