"""Verdicts: one word for a number held against its limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


def overall(parts: Iterable[Verdict]) -> Verdict:
    """Return the verdict over all parts: ``FAIL``, ``WARN``, ``NONE``, ``PASS``, the first there is.

    What could not be proven is not passed.

    Parameters
    ----------
    parts : iterable of Verdict
        One each.

    Returns
    -------
    verdict : Verdict
        ``NONE`` for an empty iterable.
    """
    present = set(parts)
    order = (Verdict.FAIL, Verdict.WARN, Verdict.NONE, Verdict.PASS)
    return next((verdict for verdict in order if verdict in present), Verdict.NONE)


@dataclass(frozen=True)
class Finding:
    """Something about an input, or about what the data show, that its reader should know, and how much it matters.

    Parameters
    ----------
    part : str
        What it is about, one or two words: ``units``, ``calibration``, ``kind of image``, ``guiding``, ``quality``,
        ``target``, ``readout``, ``fill``, ``light``, ``data quality``, ``geometry``, ``file``; of a run: ``alignment``,
        ``sky``, ``cosmic rays``, ``errors``, ``zeropoint``.
    verdict : Verdict
        ``PASS`` is a note: it is worth saying, and does no harm. ``WARN`` and ``FAIL`` count in the verdict.
    sentence : str
        What was found and what was done about it, in one line of words.
    chips : tuple of str
        The chips concerned; empty where it is the exposure as a whole.
    """

    part: str
    verdict: Verdict
    sentence: str
    chips: tuple[str, ...] = ()
