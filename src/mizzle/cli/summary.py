"""What a finished run prints to stdout: where the results are, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mizzle.cli.inspection import table
from mizzle.report.words import not_passed

if TYPE_CHECKING:
    from mizzle.model import Result
    from mizzle.progress import Progress
    from mizzle.scores import Score

#: Reasons of a verdict that are printed.
_REASONS = 16


def summary(result: Result, progress: Progress) -> str:
    """Return the closing words of ``mizzle run``."""
    lines = [*_verdict(result), "", _alignment(result), ""]
    for band, mosaic in result.mosaics.items():
        ny, nx = mosaic.grid.shape
        lines.append(
            f"{band}: {nx} x {ny} pixels of {mosaic.grid.scale:.4f} arcsec, {mosaic.exptime:g} s, PHOTFLAM"
            f" {mosaic.photflam:.6e} ({mosaic.reference.origin})"
            + (f", {len(result.catalogs[band])} stars" if band in result.catalogs else "")
        )
        if band in result.zeropoints:
            lines.append(_proof(result, band))
        lines.append("")
    lines += [f"dropped: {what}: {why}" for what, why in result.dropped.items()]
    lines += [f"wrote {path}" for path in result.files]
    lines.append(f"{progress.total:.2f} s")
    return "\n".join(lines)


def _verdict(result: Result) -> list[str]:
    """Return the verdict, and a line for each reason it is not ``PASS``: what counts against it, what is not proven."""
    said = not_passed(result.report)
    more = [f"and {len(said) - _REASONS} more, in the report"] if len(said) > _REASONS else []
    top = f"verdict: {result.verdict}{' (not proven)' if result.verdict == 'NONE' else ''}"
    return [top, *(f"  {line}" for line in [*said[:_REASONS], *more])]


def _alignment(result: Result) -> str:
    """Return the table of alignments."""
    rows = [
        (
            entry.root,
            entry.n_detected,
            entry.n_matched,
            "-" if entry.n_matched == 0 else f"{entry.rms_mas:.2f}",
            f"{1000 * entry.shift[0]:.2f}",
            f"{1000 * entry.shift[1]:.2f}",
            f"{entry.roll_deg:.5f}",
            f"{entry.scale:.7f}",
            entry.verdict,
        )
        for entry in result.alignment.exposures.values()
    ]
    return table(
        rows,
        ("exposure", "found", "matched", "rms mas", "east mas", "north mas", "roll deg", "scale", "verdict"),
    )


def _proof(result: Result, band: str) -> str:
    """Return the table that proves a zeropoint."""
    proof = result.zeropoints[band].proof
    rows = [
        (
            name,
            "-" if entry.n_pairs == 0 else f"{entry.ratio:.4f}",
            "-" if entry.n_pairs == 0 else f"{entry.error:.4f}",
            entry.n_pairs,
            entry.verdict,
        )
        for name, entry in proof.items()
    ]
    chips = table(rows, ("chip", "ratio", "error", "pairs", "verdict"))
    exposures = [
        (root, f"{exposure.ratio:.4f}", f"{exposure.error:.4f}", exposure.n_pairs, exposure.verdict)
        for root, exposure in result.zeropoints[band].exposures.items()
        if exposure.n_pairs and exposure.ratio == exposure.ratio
    ]
    if not exposures:
        return chips
    second = table(exposures, ("exposure", "ratio", "error", "stars", "verdict"))
    return f"{chips}\n\n{second}" if len(rows) > 1 else second


def demo_summary(result: Result, scores: Sequence[Score], progress: Progress) -> str:
    """Return the closing words of ``mizzle demo``: each figure against the truth, with its uncertainty."""
    rows = [
        (
            score.name,
            f"{score.value:.4f}",
            f"{score.error:.2g}",
            score.unit,
            score.target,
            "yes" if score.met else "NO",
        )
        for score in scores
    ]
    figures = table(rows, ("against the truth", "value", "+-", "unit", "wanted", "met"))
    return f"{figures}\n\n{summary(result, progress)}"
