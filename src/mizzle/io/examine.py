"""What the pixels of an exposure say about themselves, looked at once when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.instrument.cameras import harmless_bits
from mizzle.instrument.wfpc2 import DQ_BITS
from mizzle.io.masks import Mask, masked_parts
from mizzle.kernel.pixels import all_finite
from mizzle.model import Chip, Exposure, Finding, Verdict
from mizzle.model.altered import AlteredPixels
from mizzle.settings.dq import DataQualitySettings

_RAYS = DQ_BITS["cosmic_ray"]
#: Equal pixels side by side that make a row fill; rounded to whole DN, blank sky gives two of three equal at most.
_FILL_RUN = 100
#: Most of a row this far below zero [read noise] is fill; looked at in every so many columns.
_BELOW, _STEP = 10.0, 8
#: A chip with less than this share of usable pixels shows nothing.
_LEAST_GOOD = 0.02


def examine(exposure: Exposure, settings: DataQualitySettings, masks: Mapping[str, Mask] | None = None) -> Exposure:
    """Look at the pixels of an exposure, and flag what must not be used.

    Parameters
    ----------
    exposure : Exposure
        As read.
    settings : DataQualitySettings
        ``rays``: whether bit 4096 is cleared.
    masks : mapping, optional
        What the user declares bad, by chip.

    Returns
    -------
    exposure : Exposure
        With changed data quality, and the findings.

    Raises
    ------
    InputError
        No pixel of a chip is finite.
    """
    chips: dict[str, Chip] = {}
    fill: dict[str, Mask] = {}
    cleared: dict[str, float] = {}
    flagged: list[str] = []
    good = harmless_bits(exposure.camera, settings)
    for name, chip in exposure.chips.items():
        sci, dq = chip.sci, chip.dq
        if not all_finite(sci) and not np.any(np.isfinite(sci)):
            raise InputError(f"{exposure.path}: chip {name} has no finite pixel", file=exposure.path, chip=name)
        rays = (dq & _RAYS) != 0 if settings.rays == "clear" else np.zeros(0, dtype=np.bool_)
        bad = None if masks is None else masks.get(name)
        filled = fill_rows(chip)
        if filled.any():
            fill[name] = np.broadcast_to(filled[:, None], sci.shape)
            bad = fill[name] if bad is None else bad | fill[name]
        if rays.any():
            cleared[name] = float(rays.mean())
        if rays.any() or bad is not None:
            chip = replace(chip, pixels=AlteredPixels(chip.pixels, _RAYS if rays.any() else 0, bad))
        chips[name] = chip
        if np.count_nonzero((chip.dq & ~np.uint16(good)) == 0) < _LEAST_GOOD * sci.size:
            flagged.append(name)
    findings = [*exposure.findings, *_findings(fill, cleared, flagged, masks or {})]
    return replace(exposure, chips=chips, findings=tuple(findings))


def fill_rows(chip: Chip) -> NDArray[np.bool_]:
    """Return which rows are fill that no flag tells of, ``(ny,)``.

    Lost telemetry is filled with a constant (RSDPFILL, -100), whole packets at a time. Such a row either holds one
    value over a hundred pixels, which read noise forbids, or lies far below zero, which no light does.
    """
    sci, unflagged = chip.sci, chip.dq == 0
    with np.errstate(invalid="ignore"):
        equal = (np.diff(sci, axis=1) == 0) & unflagged[:, 1:] & unflagged[:, :-1]
    run = min(_FILL_RUN, sci.shape[1] // 2)
    found = np.count_nonzero(equal, axis=1) >= run
    for row in np.flatnonzero(found):
        sums = np.concatenate([[0], np.cumsum(equal[row])])
        found[row] = bool(np.any(sums[run:] - sums[:-run] == run))
    if 2 * np.count_nonzero(found) > np.count_nonzero(unflagged.any(axis=1)):
        found[:] = False  # an image without noise, as simulations may be: constant rows are its sky
    thinned = sci[:, ::_STEP]
    used = unflagged[:, ::_STEP] & np.isfinite(thinned)
    below = np.count_nonzero(used & (thinned < -_BELOW * chip.read_noise / chip.gain), axis=1)
    found |= (below > 0.75 * np.count_nonzero(used, axis=1)) & (below >= 4)
    return np.asarray(found)


def _findings(
    fill: Mapping[str, Mask], cleared: Mapping[str, float], flagged: list[str], masks: Mapping[str, Mask]
) -> list[Finding]:
    """Put what was found into words."""
    found: list[Finding] = []
    if cleared:
        parts = ", ".join(f"{chip} {100 * share:.1f} %" for chip, share in cleared.items())
        sentence = (
            f"bit 4096 (cosmic rays found by another program) cleared: {parts} of the pixels; dq.rays = 'keep' keeps it"
        )
        found.append(Finding("data quality", Verdict.PASS, sentence, tuple(cleared)))
    if fill:
        parts = ", ".join(f"{chip} {int(mask[:, 0].sum())} rows" for chip, mask in fill.items())
        sentence = f"lost data, filled with one value and not flagged: {parts}; flagged now"
        found.append(Finding("fill", Verdict.WARN, sentence, tuple(fill)))
    if flagged:
        sentence = f"wholly flagged: {', '.join(flagged)}; no pixel of it is used"
        found.append(Finding("data quality", Verdict.WARN, sentence, tuple(flagged)))
    if masks:
        sentence = f"masked by the user: {masked_parts(masks)} of the pixels"
        found.append(Finding("data quality", Verdict.PASS, sentence, tuple(masks)))
    return found
