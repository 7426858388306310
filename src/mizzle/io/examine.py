"""What the pixels of an exposure say about themselves, looked at once when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Mask
from mizzle.errors import InputError
from mizzle.instrument.cameras import harmless_bits
from mizzle.io.masks import masked_parts
from mizzle.io.pixel_checks import dead_chips, pixel_findings
from mizzle.io.unmarked import repeated_rows, unmarked_shadow
from mizzle.model import Chip, Exposure, Finding, Verdict
from mizzle.model.altered import AlteredPixels
from mizzle.settings.dq import DataQualitySettings

#: Equal pixels side by side that make a row fill; rounded to whole DN, blank sky gives two of three equal at most.
_FILL_RUN = 100
#: So many equal pixels in a row, at places half a run apart, before the whole row is looked at.
_FEW_EQUAL = 8
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
        No pixel of any chip can be used.
    """
    chips: dict[str, Chip] = {}
    fill: dict[str, Mask] = {}
    cleared: dict[str, float] = {}
    repeated: dict[str, Mask] = {}
    shaded: list[str] = []
    flagged: list[str] = []
    dead = dead_chips(exposure.chips)
    good = harmless_bits(exposure.camera, settings)
    ray_bit = dict(exposure.camera.bits)["cosmic_ray"]
    for name, chip in exposure.chips.items():
        sci, dq = chip.sci, chip.dq
        rays = (dq & ray_bit) != 0 if settings.rays == "clear" else np.zeros(0, dtype=np.bool_)
        bad = None if masks is None else masks.get(name)
        filled = np.ones(sci.shape, np.bool_) if name in dead else fill_pixels(chip)
        if filled.any():
            fill[name] = filled
            bad = filled if bad is None else bad | filled
        twice = repeated_rows(chip, filled)
        if twice.any():
            repeated[name] = np.broadcast_to(twice[:, None], sci.shape)
            bad = repeated[name] if bad is None else bad | repeated[name]
        shadow = unmarked_shadow(exposure.camera, chip)
        if shadow is not None:
            shaded.append(name)
            bad = shadow if bad is None else bad | shadow
        if rays.any():
            cleared[name] = float(rays.mean())
        if rays.any() or bad is not None:
            chip = replace(chip, pixels=AlteredPixels(chip.pixels, ray_bit if rays.any() else 0, bad))
        chips[name] = chip
        if np.count_nonzero((chip.dq & ~np.uint16(good)) == 0) < _LEAST_GOOD * sci.size:
            flagged.append(name)
    if len(flagged) == len(chips):
        raise InputError(
            f"{exposure.path}: no pixel of {', '.join(flagged)} can be used: flagged, lost, or without a value; leave"
            " the exposure out (--drop, --keep-going)",
            file=exposure.path,
        )
    findings = [
        *exposure.findings,
        *_findings(fill, cleared, flagged, masks=masks or {}),
        *_unmarked_findings(repeated, shaded),
    ]
    examined = replace(exposure, chips=chips)
    return replace(examined, findings=(*findings, *pixel_findings(examined)))


def fill_pixels(chip: Chip) -> NDArray[np.bool_]:
    """Return which pixels are fill that no flag tells of, ``(ny, nx)``: whole rows, or columns of one value."""
    columns = fill_columns(chip)
    rows = fill_rows(chip, columns)
    return np.asarray(rows[:, None] | columns[None, :])


def fill_columns(chip: Chip) -> NDArray[np.bool_]:
    """Return which columns hold one value from end to end, ``(nx,)``; none where most do: an image without noise."""
    thinned = chip.sci[::_STEP]
    constant = np.asarray(np.all(thinned == thinned[:1], axis=0)) & (thinned.shape[0] >= 10)
    return constant if 2 * np.count_nonzero(constant) < constant.size else np.zeros_like(constant)


def fill_rows(chip: Chip, columns: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return which rows are fill that no flag tells of, ``(ny,)``; `columns` are known to be fill themselves.

    Lost telemetry is filled with a constant (RSDPFILL, -100), whole packets at a time. Such a row either holds one
    value over a hundred pixels, which read noise forbids, or lies far below zero, which no light does.
    """
    sci, unflagged = chip.sci, chip.dq == 0
    if columns is not None and columns.any():
        unflagged = unflagged & ~columns
    run = min(_FILL_RUN, sci.shape[1] // 2)
    fill = np.zeros(sci.shape[0], np.bool_)
    for row in np.flatnonzero(_may_hold_runs(sci, run)):
        # Pixels that are flagged for another reason are filled too, and end no run; flagged rows are known already.
        equal, known = (
            np.concatenate([[0], np.cumsum(which)])
            for which in (sci[row, 1:] == sci[row, :-1], unflagged[row, 1:] & unflagged[row, :-1])
        )
        long = equal[run:] - equal[:-run] == run
        fill[row] = bool(np.any(long & (2 * (known[run:] - known[:-run]) >= run)))
    if 2 * np.count_nonzero(fill) > np.count_nonzero(unflagged.any(axis=1)):
        fill[:] = False  # an image without noise, as simulations may be: constant rows are its sky
    thinned = sci[:, ::_STEP]
    used = unflagged[:, ::_STEP] & np.isfinite(thinned)
    below = np.count_nonzero(used & (thinned < -_BELOW * chip.read_noise / chip.gain), axis=1)
    fill |= (below > 0.75 * np.count_nonzero(used, axis=1)) & (below >= 4)
    return np.asarray(fill)


def _may_hold_runs(sci: NDArray[np.float32], run: int) -> NDArray[np.bool_]:
    """Return the rows that may hold a run of equal neighbors, ``(ny,)``; noise leaves few that do not.

    Of columns half a run apart, a run holds one with the first half of what follows.
    """
    apart = max(run // 2, 1)
    few = max(min(_FEW_EQUAL, apart), 1)
    first = sci[:, : sci.shape[1] - few : apart]
    alike = np.ones(first.shape, np.bool_)
    for step in range(1, few + 1):
        alike &= sci[:, step : step + (first.shape[1] - 1) * apart + 1 : apart] == first
    return np.asarray(alike.any(axis=1))


def _findings(
    fill: Mapping[str, Mask], cleared: Mapping[str, float], flagged: list[str], *, masks: Mapping[str, Mask]
) -> list[Finding]:
    """Put what was found into words."""
    findings: list[Finding] = []
    if cleared:
        parts = ", ".join(f"{chip} {100 * share:.1f} %" for chip, share in cleared.items())
        sentence = (
            f"bit 4096 (cosmic rays found by another program) cleared: {parts} of the pixels; dq.rays = 'keep' keeps it"
        )
        findings.append(Finding("data quality", Verdict.PASS, sentence, tuple(cleared)))
    if fill:
        parts = ", ".join(f"{chip} {_extent(mask)}" for chip, mask in fill.items())
        sentence = f"lost data, filled with one value and not flagged: {parts}; flagged now"
        findings.append(Finding("fill", Verdict.WARN, sentence, tuple(fill)))
    if flagged:
        sentence = f"wholly flagged: {', '.join(flagged)}; no pixel of it is used"
        findings.append(Finding("data quality", Verdict.WARN, sentence, tuple(flagged)))
    if masks and not any(mask.any() for mask in masks.values()):
        sentence = "the user's mask touches no pixel of it: of another exposure, or in other coordinates"
        findings.append(Finding("data quality", Verdict.WARN, sentence, tuple(masks)))
    elif masks:
        sentence = f"masked by the user: {masked_parts(masks)} of the pixels"
        findings.append(Finding("data quality", Verdict.PASS, sentence, tuple(masks)))
    return findings


def _unmarked_findings(repeated: Mapping[str, Mask], shaded: list[str]) -> list[Finding]:
    """Put into words what the quality file should have told."""
    findings: list[Finding] = []
    if repeated:
        parts = ", ".join(f"{chip} {int(mask[:, 0].sum())}" for chip, mask in repeated.items())
        sentence = f"rows that hold the pixels of other rows, as no readout does: {parts}; flagged now, both copies"
        findings.append(Finding("fill", Verdict.WARN, sentence, tuple(repeated)))
    if shaded:
        sentence = "the pyramid's shadow, which no flag marks, is flagged by its place on the chip"
        findings.append(Finding("data quality", Verdict.PASS, sentence, tuple(shaded)))
    return findings


def _extent(mask: Mask) -> str:
    """Say how much of a chip is lost."""
    rows, columns = int(mask.all(axis=1).sum()), int(mask.all(axis=0).sum())
    if mask.all():
        return "all of it"
    return " and ".join(f"{n} {word}" for n, word in ((rows, "rows"), (columns, "columns")) if n)
