"""The tables of the page: what each cell says, and the key it sorts by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mizzle.report.chips import unit
from mizzle.report.figures import Report, present


@dataclass(frozen=True)
class Head:
    """A column: name, unit, whether it holds numbers, and an explanation shown on hovering."""

    name: str
    unit: str = ""
    number: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Cell:
    """Text, sort key (None: the text itself), style and an explanation shown on hovering."""

    text: str
    key: float | str | None = None
    kind: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """Heads and rows."""

    heads: list[Head]
    rows: list[list[Cell]]
    caption: str = ""


def num(value: Any, digits: int = 2, *, sign: bool = False) -> Cell:
    """Return a number's cell; a missing one is a dash and sorts last."""
    if value is None or not math.isfinite(value):
        return Cell("–", "", "n")
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return Cell(text.replace("-", "−"), float(value), "n")


def word(text: Any, kind: str = "") -> Cell:
    """Return a text's cell: one line, cut where absurdly long, whole on hovering."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return Cell(line, None, kind) if len(line) <= 120 else Cell(line[:118] + "…", None, kind, line[:2000])


def verdict(text: str) -> Cell:
    """Return a verdict's cell; the worst sorts last."""
    order = ("NONE", "PASS", "WARN", "FAIL")
    return Cell(text, float(order.index(text)), "verdict")


def inputs(report: Report) -> Table:
    """Return the table of exposures, their files and hashes."""
    heads = [
        Head("#"), Head("exposure", number=False), Head("start", "UTC", number=False), Head("filter", number=False),
        Head("time", "s"), Head("gain", "", True, "its setting"), Head("PA_V3", "°"), Head("files", number=False),
        Head("SHA-256", "", False, "first 8 digits; all of them on hovering and in the JSON"),
        Head("aligned", number=False),
    ]  # fmt: skip
    rows = []
    for i, row in enumerate(report["inputs"], 1):
        names = _pair([_short(f["file"]) for f in row["files"]] or [_short(row["file"])])
        hashes = " ".join(f["sha256"][:8] for f in row["files"]) or row["sha256"][:8]
        whole = "; ".join(f"{_short(f['file'])} {f['sha256']}" for f in row["files"])
        rows.append(
            [
                num(i, 0), word(row["root"], "mono"), word(start(row["mjd_start"]), "date"), word(row["filter"]),
                num(row["exptime"], 1), num(row["atodgain"], 0), _angle(row["pa_v3"]), word(names, "line"),
                Cell(hashes, None, "mono", whole), verdict(row["verdict"]),
            ]
        )  # fmt: skip
    return Table(heads, rows)


def _angle(value: Any) -> Cell:
    """Return an angle from a header, where anything may stand."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return num(value, 2) if known else Cell("–", "", "n")


def _pair(names: list[str]) -> str:
    """Write file names side by side; what a later one shares with the first, at either end, is left out.

    Examples
    --------
    >>> _pair(["ua060502m_c0m.fits", "ua060502m_c1m.fits"])
    'ua060502m_c0m.fits + c1m'
    """
    root, _, rest = names[0].rpartition("_")
    ending = "." + rest.partition(".")[2]
    later = [
        n.removeprefix(f"{root}_").removesuffix(ending) if root and n.startswith(f"{root}_") else n for n in names[1:]
    ]
    return " + ".join([names[0], *later])


def _short(path: str) -> str:
    """Return the last part of a path, either kind of slash."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def start(mjd: float | None) -> str:
    """Write a Modified Julian Date as a calendar date and time.

    Examples
    --------
    >>> start(50612.479329)
    '1997-06-13 11:30'
    """
    if mjd is None or not 0 < mjd < 1e6:
        return "–"
    return str(np.datetime64("1858-11-17", "m") + np.timedelta64(int(mjd * 1440 + 1e-6), "m")).replace("T", " ")


def dropped(report: Report) -> Table:
    """Return what was left out, and why."""
    rows = [[word(name, "mono"), word(reason, "long")] for name, reason in report["dropped"].items()]
    return Table([Head("left out", number=False), Head("because", number=False)], rows, "Left out")


def alignment(report: Report) -> Table:
    """Return how each exposure moved."""
    heads = [
        Head("#"), Head("exposure", number=False), Head("found"), Head("matched"), Head("rms", "mas", True, "per axis"),
        Head("east", "mas"), Head("north", "mas"), Head("±", "mas", True, "error of the shift"),
        Head("roll", "″", True, "arcsec"), Head("scale − 1", "ppm"),
        Head("false match", "", True, "chance that the match is an accident"), Head("verdict", number=False),
        Head("note", number=False),
    ]  # fmt: skip
    rows = []
    for i, (root, e) in enumerate(report["alignment"]["exposures"].items(), 1):
        east, north = e["shift_arcsec"]
        errors = [v for v in e["shift_error_mas"] or [] if v is not None]
        error = max(errors) if errors else None
        chance = e["false_match"]
        rows.append(
            [
                num(i, 0), word(root, "mono"), num(e["n_detected"], 0), num(e["n_matched"], 0), num(e["rms_mas"], 2),
                num(_times(east, 1e3), 2, sign=True), num(_times(north, 1e3), 2, sign=True), num(error, 2),
                num(_times(e["roll_deg"], 3600), 2, sign=True),
                num(None if e["scale"] is None else (e["scale"] - 1) * 1e6, 1, sign=True),
                _chance(chance),
                verdict(e["verdict"]), word(e["note"]),
            ]
        )  # fmt: skip
    return Table(heads, rows, "Corrections to the headers' pointings")


def _chance(value: float | None) -> Cell:
    """Return a probability's cell; what is beyond all doubt is not written out."""
    if value is None:
        return Cell("–", "", "n")
    return Cell("< 1e−12" if value < 1e-12 else f"{value:.0e}".replace("-", "−"), float(value), "n")


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def zeropoint(z: Mapping[str, Any], several: bool) -> list[Table]:
    """Return the factors, grouped where exposures share them, and the proof."""
    groups: dict[tuple[tuple[str, float, float], ...], list[str]] = {}
    for root, factors in z["factors"].items():
        flams = z["photflams"].get(root, {})
        groups.setdefault(tuple((c, flams.get(c, math.nan), f) for c, f in factors.items()), []).append(root)
    rows = []
    for chips, roots in groups.items():
        who = roots[0] if len(roots) == 1 else f"{roots[0]} … {roots[-1]} ({len(roots)} exposures)"
        for chip, flam, factor in chips:
            rows.append([word(chip), Cell(f"{flam:.6e}", flam, "n"), num(factor, 7), word(who, "long")])
    heads = [Head("chip", number=False), Head("PHOTFLAM", "erg cm⁻² s⁻¹ Å⁻¹"), Head("factor"),
             Head("exposures", number=False)]  # fmt: skip
    suffix = f", {z['filter']}" if several else ""
    tables = [Table(heads, rows, f"Factors{suffix}: counts × factor are counts at the one PHOTFLAM")]
    if any(p["ratio"] is not None and p["n_pairs"] for p in z.get("exposures", {}).values()):
        tables.insert(0, _exposures(z, suffix))
    if len(z["proof"]) > 1:
        tables.insert(0, _proof(z, suffix))
    return tables


def _exposures(z: Mapping[str, Any], suffix: str) -> Table:
    chips = list(z["proof"])
    several = chips if len(chips) > 1 else []
    heads = [
        Head("exposure", number=False), Head("ratio", "", True, "flux on this exposure over flux on the reference"),
        Head("±"), Head("statistical"), Head("stars", "", True, "that other exposures have too"),
        *(Head(chip, "", True, "the same for this chip alone") for chip in several), Head("verdict", number=False),
    ]  # fmt: skip
    rows = [
        [
            word(root, "mono"), num(p["ratio"], 4), num(p["error"], 4), num(p["statistical"], 4), num(p["n_pairs"], 0),
            *(num(p["chips"].get(chip, {}).get("ratio"), 4) for chip in several), verdict(p["verdict"]),
        ]
        for root, p in z["exposures"].items()
    ]  # fmt: skip
    return Table(heads, rows, f"Proof{suffix}: the same stars on different exposures")


def _proof(z: Mapping[str, Any], suffix: str) -> Table:
    heads = [
        Head("chip", number=False), Head("ratio", "", True, "flux on this chip over flux on the reference"),
        Head("±"), Head("statistical"), Head("CTE part", "", True, "error of the charge-transfer correction"),
        Head("uncorrected", "", True, "ratio without the charge-transfer correction"), Head("pairs"),
        Head("blank sky", "", True, "informs, never decides"), Head("±"), Head("verdict", number=False),
    ]  # fmt: skip
    rows = [
        [
            word(chip), num(p["ratio"], 4), num(p["error"], 4), num(p["statistical"], 4), num(p["cte_error"], 4),
            num(p["ratio_uncorrected"], 4), num(p["n_pairs"], 0), num(p["sky_ratio"], 3), num(p["sky_error"], 3),
            verdict(p["verdict"]),
        ]
        for chip, p in z["proof"].items()
    ]  # fmt: skip
    return Table(heads, rows, f"Proof{suffix}: the same stars on different chips, over {z['reference']}")


def mean_sky(report: Report, band: str) -> float | None:
    """Return the mean sky brightness of a filter's exposures [DN/s/arcsec²]."""
    roots = {row["root"] for row in report["inputs"] if row["filter"] == band}
    values = [
        chip["brightness"]
        for root, chips in report["sky"]["exposures"].items()
        if root in roots
        for chip in chips.values()
        if chip["brightness"] is not None
    ]
    mean = sum(values) / len(values) if values else 0.0
    return mean if mean > 0 else None


def rounding_doubts(report: Report, product: Mapping[str, Any]) -> dict[str, float]:
    """Return how far rounding may move the sky of each chip of a product: mean over its exposures [DN/s/arcsec²].

    Exposures of one sky are all moved alike: the mean of several is no better.
    """
    skies = report["sky"]["exposures"]
    values: dict[str, list[float]] = {}
    for entry in product["context"]:
        doubt = skies.get(entry["root"], {}).get(entry["chip"], {}).get("rounding")
        if doubt is not None and math.isfinite(doubt):
            values.setdefault(entry["chip"], []).append(doubt)
    return {chip: sum(doubts) / len(doubts) for chip, doubts in values.items()}


def seams(rows: Sequence[Mapping[str, Any]], band: str) -> Table:
    """Return the steps across the borders."""
    heads = [
        Head("border", number=False), Head("step", "10⁻³ counts/s/arcsec²"), Head("±"), Head("step", "% of the sky"),
        Head("±"), Head("cells"),
    ]  # fmt: skip
    body = [
        [
            word(f"{r['chips'][1]} less {r['chips'][0]}", "line"),
            num(1e3 * r["step"], 2, sign=True), num(1e3 * r["error"], 2),
            num(r["percent"], 2, sign=True), num(r["percent_error"], 2), num(r["cells"], 0),
        ]
        for r in rows
    ]  # fmt: skip
    return Table(heads, body, f"Steps across the borders{', ' + band if band else ''}")


def sky(report: Report) -> Table:
    """Return sky levels and pedestals."""
    chips = present(report)
    heads = [Head("#"), Head("exposure", number=False)]
    heads += [Head(c, f"subtracted {unit(report)}") for c in chips]
    heads += [Head(c, f"pedestal {unit(report)}") for c in chips]
    rows = []
    for i, (root, levels) in enumerate(report["sky"]["exposures"].items(), 1):
        cells = [num(levels.get(c, {}).get("level"), 3) for c in chips]
        cells += [num(levels.get(c, {}).get("pedestal"), 3, sign=True) for c in chips]
        rows.append([num(i, 0), word(root, "mono"), *cells])
    return Table(heads, rows)


def cosmic_rays(report: Report) -> Table:
    """Return flagged shares by exposure and chip."""
    chips = present(report)
    heads = [Head("#"), Head("exposure", number=False), Head("method", number=False), Head("expected", "%")]
    heads += [Head(c, "%") for c in chips]
    rows = []
    for i, (root, shares) in enumerate(report["cosmic_rays"].items(), 1):
        expected = (report["cosmic_rays_expected"].get(root) or {}).get("fraction")
        cells = [num(_times(shares.get(c), 100), 3) for c in chips]
        method = report["cosmic_rays_method"].get(root, "")
        rows.append([num(i, 0), word(root, "mono"), word(method), num(_times(expected, 100), 3), *cells])
    return Table(heads, rows)


def star_shapes(report: Report) -> Table | None:
    """Return the table of star shapes: what the camera's model says, and what stars centered on a pixel show."""
    shapes = report.get("star_shape") or {}
    if not any(shape["model"] for shape in shapes.values()):
        return None
    heads = [
        Head("chip", number=False), Head("stars", "", True, "centered on a pixel, bright and clear of flagged pixels"),
        Head("FWHM, model", "pixel"), Head("FWHM, stars", "pixel"),
        Head("peak's share, model", "%", True, "of all light, in the brightest pixel"),
        Head("peak's share, stars", "%"), Head("verdict", number=False),
    ]  # fmt: skip
    rows = []
    for chip, shape in shapes.items():
        model, measured = shape["model"] or {}, shape["measured"] or {}
        widths = [num(entry.get("fwhm_px"), 2) for entry in (model, measured)]
        shares = [num(100 * entry["peak_share"] if entry else None, 1) for entry in (model, measured)]
        rows.append([word(chip), num(shape["n_stars"], 0), *widths, *shares, verdict(shape["verdict"])])
    return Table(heads, rows, "Stars centered on a pixel against the camera's model: WARN where widths differ by 12 %.")


def settings(report: Report) -> Table:
    """Return the settings that were changed."""
    heads = [Head("setting", number=False), Head("value", number=False), Head("default", number=False),
             Head("meaning", number=False)]  # fmt: skip
    rows = [
        [word(s["name"], "mono"), word(s["value"], "mono"), word(s["default"], "mono"), word(s.get("description", ""))]
        for s in report["settings_changed"]
    ]
    return Table(heads, rows)


def timing(report: Report) -> Table:
    """Return seconds per step."""
    heads = [Head("step", number=False), Head("time", "s")]
    rows = [[word(step), num(seconds, 2)] for step, seconds in report["timing"].items()]
    return Table(heads, rows, "Where the time went")


def facts(report: Report) -> Table:
    """Return versions, platform and memory."""
    known: dict[str, Any] = {"mizzle": report["version"]}
    for key, value in report["provenance"].items():
        if isinstance(value, Mapping):
            known |= {str(k): v for k, v in value.items()}
        else:
            known[key] = value
    if report["peak_rss_mb"] is not None:
        known["peak memory"] = f"{report['peak_rss_mb']:.0f} MB"
    return Table([Head("what", number=False), Head("which", number=False)],
                 [[word(k), word(v)] for k, v in known.items()])  # fmt: skip
