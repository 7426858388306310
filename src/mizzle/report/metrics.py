"""The numbers of a run, for machines: what NAME_report.json holds and the page shows. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mizzle.instrument.noise import noise_model, rounding_error
from mizzle.instrument.wcs_states import header_position
from mizzle.io.json_values import plain
from mizzle.io.run_id import KEYWORD
from mizzle.model import Alignment, Exposure, Mosaic, Result, Verdict, Zeropoint
from mizzle.report.words import verdict_sentences
from mizzle.settings.noise import NoiseSettings
from mizzle.steps.reject import expected_rate

FORMAT = 1


def to_json(report: Mapping[str, Any]) -> str:
    """Return the text of NAME_report.json: two levels of lines for readers, deeper ones in a row.

    The library's own indenting takes ten times as long.
    """
    parts = []
    for key, value in report.items():
        if value and isinstance(value, Mapping):
            inner = ",\n  ".join(f"{_compact(name)}: {_compact(entry)}" for name, entry in value.items())
            parts.append(f"{_compact(key)}: {{\n  {inner}\n }}")
        else:
            parts.append(f"{_compact(key)}: {_compact(value)}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def build_report(
    result: Result,
    *,
    timing: Mapping[str, float],
    peak_rss_mb: float,
    version: str,
    command: str = "",
    settings_changed: list[dict[str, Any]] | None = None,
    provenance: Mapping[str, Any] | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Collect the numbers of a run.

    Parameters
    ----------
    result : Result
        All solutions and products.
    timing : mapping
        Seconds per step.
    peak_rss_mb : float
        Highest resident memory [MB].
    version : str
        Of mizzle.
    command : str
        What repeats the run.
    settings_changed : list of dict, optional
        From `changed_settings`.
    provenance : mapping, optional
        Versions of libraries, platform, date: plain values.
    evidence : mapping, optional
        From `evidence.gather`: tables and stamps that the figures need.

    Returns
    -------
    report : dict
        JSON-safe; at least the keys that the outside may rely on.
    """
    per_filter = {band: _zeropoint(result, band) for band in result.zeropoints}
    products = {band: _product(mosaic, result.exposures) for band, mosaic in result.mosaics.items()}
    report = plain(
        {
            "format": FORMAT,
            KEYWORD: result.run_id,
            "version": version,
            "name": result.name,
            "camera": result.exposures[0].camera.name if result.exposures else "",
            "verdict": result.verdict,
            "inputs": [_input(e, result.alignment) for e in result.exposures],
            "dropped": dict(result.dropped),
            "alignment": _alignment(result.alignment, result.exposures),
            "zeropoint": next(iter(per_filter.values()), {}),
            "zeropoints": per_filter,
            "sky": _sky(result),
            "cosmic_rays": {root: dict(chips) for root, chips in result.cosmic_rays.fractions.items()},
            "cosmic_rays_expected": {e.root: asdict(expected_rate(e)) for e in result.exposures},
            "cosmic_rays_method": dict(result.cosmic_rays.methods),
            "errors": _errors(result),
            "star_shape": dict((evidence or {}).get("star_shape", {})),
            "findings": [asdict(finding) for finding in result.findings],
            "reasons": [asdict(finding) for finding in result.reasons],
            "parts": dict(result.parts),
            "notes": _notes(result),
            "product": next(iter(products.values()), {}),
            "products": products,
            "catalogs": {
                band: {"n_stars": len(catalog), **dict(catalog.meta)} for band, catalog in result.catalogs.items()
            },
            "timing": dict(timing),
            "peak_rss_mb": peak_rss_mb,
            "command": command,
            "settings_changed": settings_changed or [],
            "provenance": dict(provenance or {}),
            "evidence": dict(evidence or {}),
        }
    )
    report["sentences"] = verdict_sentences(report)
    return dict(report)


def _input(exposure: Exposure, alignment: Alignment) -> dict[str, Any]:
    """One row of the exposure table."""
    entry = alignment.exposures.get(exposure.root)
    names = list(exposure.files)
    return {
        "file": exposure.path,
        "sha256": exposure.files.get(exposure.path, next(iter(exposure.files.values()), "")),
        "files": [{"file": name, "sha256": exposure.files[name]} for name in names],
        "root": exposure.root,
        "filter": exposure.filter,
        "exptime": exposure.exptime,
        "verdict": entry.verdict if entry is not None else Verdict.NONE,
        "date_obs": exposure.date_obs,
        "mjd_start": exposure.mjd_start,
        "mjd_end": exposure.mjd_end,
        "atodgain": exposure.commanded_gain,
        "target": exposure.target,
        "proposal": exposure.keyword("PROPOSID"),
        "pa_v3": exposure.keyword("PA_V3"),
        "chips": list(exposure.chips),
        "findings": [asdict(finding) for finding in exposure.findings],
        "notes": list(exposure.notes),
    }


def _alignment(alignment: Alignment, exposures: Sequence[Exposure]) -> dict[str, Any]:
    """The alignment, by exposure."""
    entries = {}
    for root, entry in alignment.exposures.items():
        variance = np.diag(entry.covariance)
        entries[root] = {
            "n_detected": entry.n_detected,
            "n_matched": entry.n_matched,
            "rms_mas": entry.rms_mas,
            "shift_arcsec": entry.shift,
            "roll_deg": entry.roll_deg,
            "scale": entry.scale,
            "shift_error_mas": 1e3 * np.sqrt(np.maximum(variance[:2], 0)) if variance.size >= 2 else None,
            "false_match": entry.false_match,
            "chip_shifts": dict(entry.chip_shifts),
            "method": entry.method,
            "scatter_mas": entry.scatter_mas,
            "verdict": entry.verdict,
            "note": entry.note,
        }
    return {
        "reference": alignment.reference,
        "method": alignment.method,
        "verdict": alignment.verdict,
        "exposures": entries,
        "position": {"checked": alignment.on_catalog, **header_position(exposures)._asdict()},
    }


def _zeropoint(result: Result, band: str) -> dict[str, Any]:
    """The zeropoint of one filter: reference, factors, proof."""
    zeropoint: Zeropoint = result.zeropoints[band]
    reference = zeropoint.reference
    exposures = [e for e in result.exposures if e.filter == band]
    scales = replace(result.flux_scales, references={band: reference})
    proof = {
        chip: {
            "ratio": p.ratio,
            "error": p.error,
            "n_pairs": p.n_pairs,
            "verdict": p.verdict,
            "ratio_uncorrected": p.ratio_uncorrected,
            "statistical": p.statistical,
            "cte_error": p.cte_error,
            "sky_ratio": p.sky_ratio,
            "sky_error": p.sky_error,
        }
        for chip, p in zeropoint.proof.items()
    }
    return {
        "filter": band,
        "findings": [asdict(finding) for finding in zeropoint.findings if finding.part == "zeropoint"],
        "reference": reference.chip,
        "origin": reference.origin,
        "photflam": reference.photflam,
        "photplam": reference.photplam,
        "photbw": reference.photbw,
        "photzpt": reference.photzpt,
        "gain": reference.gain,
        "photflams": {e.root: {name: c.photflam for name, c in e.chips.items()} for e in exposures},
        "factors": {e.root: dict(result.flux_scales.factors.get(e.root, {})) for e in exposures},
        "proof": proof,
        "exposures": {
            root: {
                "ratio": p.ratio,
                "error": p.error,
                "n_pairs": p.n_pairs,
                "verdict": p.verdict,
                "ratio_uncorrected": p.ratio_uncorrected,
                "statistical": p.statistical,
                "chips": {
                    chip: {"ratio": ratio, "error": error, "n_stars": n} for chip, (ratio, error, n) in p.chips.items()
                },
            }
            for root, p in zeropoint.exposures.items()
        },
        "log": list(scales.lines(exposures)),
        "verdict": zeropoint.verdict,
        "notes": list(zeropoint.notes),
    }


def _sky(result: Result) -> dict[str, Any]:
    """Sky levels, by exposure and chip."""
    sky = result.sky
    exposures: dict[str, dict[str, dict[str, float]]] = {}
    rounding = {e.root: {name: _rounding(result, e, name) for name in e.chips} for e in result.exposures}
    for root, levels in sky.levels.items():
        exposures[root] = {
            chip: {
                "level": level,
                "brightness": sky.brightness.get(root, {}).get(chip, math.nan),
                "noise": sky.noise.get(root, {}).get(chip, math.nan),
                "pedestal": sky.pedestals.get(root, {}).get(chip, math.nan),
                "rounding": rounding.get(root, {}).get(chip, math.nan),
            }
            for chip, level in levels.items()
        }
    return {"method": sky.method, "exposures": exposures, "notes": list(sky.notes)}


def _rounding(result: Result, exposure: Exposure, name: str) -> float:
    """Return how far rounding to whole counts may move the level of a chip's sky [count/s/arcsec**2].

    By the handbook's noise: measured scatter of a sky of few lumps is not good enough.
    """
    root, chip = exposure.root, exposure.chips[name]
    factor = result.flux_scales.factors.get(root, {}).get(name, math.nan)
    levels = (result.sky.levels, result.sky.pedestals)
    level = sum(part.get(root, {}).get(name, math.nan) for part in levels) / factor
    sigma = math.sqrt(noise_model(exposure, chip, NoiseSettings()).background(level))
    return rounding_error(sigma, exposure.camera.quantum) * factor / (exposure.exptime * chip.frame.side**2)


def _errors(result: Result) -> dict[str, Any]:
    """The proof of the pixels' errors, by filter."""
    return {
        band: {
            "verdict": proof.verdict,
            "chips": {
                name: {"ratio": chip.ratio, "n_pixels": chip.n_pixels, "verdict": chip.verdict}
                for name, chip in proof.chips.items()
            },
        }
        for band, proof in result.errors.items()
    }


def _notes(result: Result) -> list[str]:
    """What steps and readers remarked, once each."""
    notes = [f"{e.root}: {note}" for e in result.exposures for note in e.notes]
    notes += [f"{root}: {entry.note}" for root, entry in result.alignment.exposures.items() if entry.note]
    notes += [*result.sky.notes, *result.cosmic_rays.notes]
    notes += [note for zeropoint in result.zeropoints.values() for note in zeropoint.notes]
    return list(dict.fromkeys(notes))


def sketch(mosaic: Mosaic, exposures: Sequence[Exposure], name: str) -> dict[str, Any]:
    """Return those entries of a report that pictures of one product need; the same as `build_report` will give."""
    return dict(
        plain(
            {
                "name": name,
                "camera": exposures[0].camera.name,
                "inputs": [{"target": exposure.target} for exposure in exposures],
                "products": {mosaic.filter: _product(mosaic, exposures)},
            }
        )
    )


def _product(mosaic: Mosaic, exposures: Sequence[Exposure]) -> dict[str, Any]:
    """What a mosaic is."""
    grid = mosaic.grid
    times = [e for e in exposures if e.filter == mosaic.filter]
    return {
        "filter": mosaic.filter,
        "shape": list(grid.shape),
        "scale_arcsec": grid.scale,
        "orientation_deg": grid.orientation(),
        "exptime": mosaic.exptime,
        "n_exposures": len(times),
        "crval": grid.crval,
        "crpix": grid.crpix,
        "cd": grid.cd,
        "kernel": mosaic.kernel,
        "pixfrac": mosaic.pixfrac,
        "weight_type": mosaic.weight_type,
        "noise_correlation": dict(mosaic.noise_correlation),
        "context": [{"root": i.root, "chip": i.chip, "exptime": i.exptime} for i in mosaic.inputs],
    }
