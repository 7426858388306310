"""One exposure as two: the same pixels under two names, one chip written twice, two exposures at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mizzle.model import Exposure, Finding, Verdict

#: Every so many rows and columns are compared: noise makes no two of them alike.
_ROWS, _COLUMNS = slice(5, None, 97), slice(None, None, 3)
#: One exposure may seem to begin so long before another ends: times are rounded [s].
_ROUNDED = 1.0
#: No exposure lasts so long: its start or its end is wrong, which is said of it alone [day].
_LONGEST = 1.0


def with_twins_named(exposures: Sequence[Exposure]) -> list[Exposure]:
    """Return exposures, each with what it shares with an earlier one of the run among its findings.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one camera.
    """
    twins, times = same_pixels(exposures), overlapping_times(exposures)
    named = []
    for exposure in exposures:
        more = twins.get(exposure.root) or times.get(exposure.root)
        named.append(exposure if more is None else replace(exposure, findings=(*exposure.findings, more)))
    return named


def same_pixels(exposures: Sequence[Exposure]) -> dict[str, Finding]:
    """Say which exposures, or chips of them, hold the very same pixels as another.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one run.

    Returns
    -------
    findings : dict
        By root of the later one.
    """
    known: dict[bytes, tuple[str, str]] = {}
    findings: dict[str, Finding] = {}
    for exposure in exposures:
        alike: dict[str, tuple[str, str]] = {}
        for name, chip in exposure.chips.items():
            sample = chip.sci[_ROWS, _COLUMNS]
            if not sample.size or not np.ptp(sample) > 0:
                continue
            first = known.setdefault(sample.tobytes(), (exposure.root, name))
            if first != (exposure.root, name):
                alike[name] = first
        if alike:
            findings[exposure.root] = _alike(exposure, alike)
    return findings


def _alike(exposure: Exposure, alike: dict[str, tuple[str, str]]) -> Finding:
    """Put into words which chips hold whose pixels."""
    others = {root for root, _ in alike.values()}
    whole = len(alike) == len(exposure.chips) and all(name == chip for name, (_, chip) in alike.items())
    if whole and len(others) == 1:
        text = f"the same pixels as {others.pop()}: one exposure under two names; its noise and its rays count twice"
        return Finding("file", Verdict.FAIL, text)
    listed = "; ".join(
        f"{name} those of {chip}" + ("" if root == exposure.root else f" of {root}")
        for name, (root, chip) in alike.items()
    )
    text = f"chips with the very pixels of another: {listed}; one of them is in a wrong place, and another is missing"
    return Finding("file", Verdict.FAIL, text, tuple(alike))


def overlapping_times(exposures: Sequence[Exposure]) -> dict[str, Finding]:
    """Say which exposures began before another one ended: a camera takes one at a time.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one camera.

    Returns
    -------
    findings : dict
        By root of the later one.
    """
    findings: dict[str, Finding] = {}
    last: Exposure | None = None
    for exposure in sorted(exposures, key=lambda e: (e.mjd_start, e.root)):
        if not 0 < exposure.mjd_start < exposure.mjd_end < exposure.mjd_start + _LONGEST:
            continue
        if last is not None and 86400.0 * (last.mjd_end - exposure.mjd_start) > _ROUNDED:
            text = (
                f"its time overlaps that of {last.root}, and a camera takes one exposure at a time: one exposure under"
                " two names (of two calibrations, or two transmissions), or a wrong EXPSTART"
            )
            findings[exposure.root] = Finding("file", Verdict.WARN, text)
        if last is None or exposure.mjd_end > last.mjd_end:
            last = exposure
    return findings
