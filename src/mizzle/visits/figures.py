"""The figures of a visit that a page over many visits shows, and a table of trends holds. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

Figures = dict[str, Any]


def figures(report: Mapping[str, Any]) -> tuple[Figures, ...]:
    """Return the figures of each filter of one run.

    Parameters
    ----------
    report : mapping
        What NAME_report.json holds.

    Returns
    -------
    rows : tuple of dict
        Plain values, None where there is nothing: ``filter verdict mjd n_exposures exptime align_rms_mas
        align_matched align_verdict zp_verdict photflam zp_chip flagged sky n_stars scale_arcsec``; by chip
        ``ratio error pairs photflams err_ratio err_pixels`` (mappings).
    """
    return tuple(_of_filter(report, band) for band in report["products"])


def _of_filter(report: Mapping[str, Any], band: str) -> Figures:
    """Return the figures of one filter."""
    inputs = [row for row in report["inputs"] if row["filter"] == band]
    roots = [row["root"] for row in inputs]
    aligned = [report["alignment"]["exposures"].get(root, {}) for root in roots]
    matched = [entry for entry in aligned if entry.get("n_matched")]
    product, zeropoint = report["products"][band], report["zeropoints"][band]
    proof = zeropoint["proof"]
    return {
        "filter": band,
        "verdict": report["verdict"],
        "mjd": _mean(row["mjd_start"] for row in inputs),
        "n_exposures": len(inputs),
        "exptime": product["exptime"],
        "align_rms_mas": _median(entry.get("rms_mas") for entry in matched),
        "align_matched": min((entry["n_matched"] for entry in matched), default=None),
        "align_verdict": report["alignment"]["verdict"],
        "zp_verdict": zeropoint["verdict"],
        "zp_chip": zeropoint["reference"],
        "photflam": zeropoint["photflam"],
        "ratio": {chip: entry["ratio"] for chip, entry in proof.items()},
        "error": {chip: entry["error"] for chip, entry in proof.items()},
        "pairs": {chip: entry["n_pairs"] for chip, entry in proof.items()},
        "flagged": _mean(share for root in roots for share in report["cosmic_rays"].get(root, {}).values()),
        "sky": _mean(
            chip["brightness"] for root in roots for chip in report["sky"]["exposures"].get(root, {}).values()
        ),
        "n_stars": report["catalogs"].get(band, {}).get("n_stars"),
        "scale_arcsec": product["scale_arcsec"],
        **_errors(report, band),
    }


def _errors(report: Mapping[str, Any], band: str) -> Figures:
    """Return measured over predicted errors by chip, where the run measured them."""
    section = report.get("errors") or {}
    section = section.get(band, section)
    chips = section.get("chips", section)
    rows = {chip: entry for chip, entry in chips.items() if isinstance(entry, Mapping) and "ratio" in entry}
    return {
        "err_ratio": {chip: entry["ratio"] for chip, entry in rows.items()},
        "err_pixels": {chip: entry.get("n_pixels") for chip, entry in rows.items()},
    }


def _numbers(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values if isinstance(value, int | float) and value == value]


def _mean(values: Iterable[Any]) -> float | None:
    numbers = _numbers(values)
    return statistics.fmean(numbers) if numbers else None


def _median(values: Iterable[Any]) -> float | None:
    numbers = _numbers(values)
    return statistics.median(numbers) if numbers else None
