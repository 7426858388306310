"""The figures of the page about exposures, zeropoint, sky, cosmic rays and star widths.

Each takes the report's numbers and gives a `Figure`, or None where there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mizzle.report.charts import Axis, Chart, chip_key, padded
from mizzle.report.chips import nudge, ordered, paint, shape, unit

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A drawing with its words.

    Parameters
    ----------
    key : str
        Anchor.
    title, caption, good : str
        Name; what is drawn; what good looks like.
    html : str
        The drawing: safe markup.
    wide : bool
        Takes the whole width.
    """

    key: str
    title: str
    caption: str
    good: str
    html: str
    wide: bool = False


def present(report: Report) -> list[str]:
    """Return the chips that appear, in their order."""
    seen = {chip for row in report["inputs"] for chip in row["chips"]}
    return ordered(list(seen))


def footprints(report: Report) -> Figure | None:
    """Draw chip outlines on the sky."""
    outlines = report["evidence"].get("footprints") or {}
    corners = [tuple(p) for chips in outlines.values() for box in chips.values() for p in box]
    if not corners:
        return None
    points = np.array(corners)
    low, high = points.min(axis=0), points.max(axis=0)
    half = float(max(high - low)) / 2 * 1.06
    middle = (low + high) / 2
    chart = Chart(
        Axis("east of the center [arcsec]", float(middle[0]) + half, float(middle[0]) - half),
        Axis("north of the center [arcsec]", float(middle[1]) - half, float(middle[1]) + half),
        "Outlines of all chips on the sky",
        width=440,
        height=434,
    )
    for root, chips in outlines.items():
        for chip, box in chips.items():
            chart.polygon([(p[0], p[1]) for p in box], f"outline {paint(chip)}", f"{root} {chip}")
    first = next(iter(outlines.values()))
    for chip, box in first.items():
        x, y = np.mean(box, axis=0)
        chart.text(float(x), float(y), chip, name=f"chipname {paint(chip)}-text")
    return Figure(
        "footprints",
        "Chips on the sky",
        f"Outlines of {len(corners) // 4} chips, after alignment; east is left. Hover to see which exposure.",
        "dithers of one visit overlap almost wholly; an outline that stands apart is another pointing.",
        chart.svg(),
    )


def pointings(report: Report) -> Figure | None:
    """Draw where the exposures point, relative to the first."""
    dithers = report["evidence"].get("dithers") or {}
    if len(dithers) < 2:
        return None
    places = np.array(list(dithers.values()), dtype=float)
    (x0, x1), (y0, y1) = (
        padded(places[:, 0], least=0.5, share=0.2),
        padded(places[:, 1], least=0.5, share=0.2),
    )
    half = max(x1 - x0, y1 - y0) / 2
    mx, my = (x0 + x1) / 2, (y0 + y1) / 2
    chart = Chart(
        Axis("east of the first [arcsec]", mx + half, mx - half),
        Axis("north of the first [arcsec]", my - half, my + half),
        "Pointings of the exposures relative to the first",
        width=440,
        height=434,
    )
    if len(dithers) <= 60:
        chart.line([(float(x), float(y)) for x, y in places], "path")
    for i, (root, (x, y)) in enumerate(dithers.items()):
        chart.marker(x, y, "ink", title=f'{i + 1}: {root} {x:+.3f}" {y:+.3f}"')
    written: list[tuple[float, float]] = []
    crowded = ""
    for (x, y), names in _grouped(places, half * 0.06).items():
        if all(abs(x - a) > half * 0.35 or abs(y - b) > half * 0.09 for a, b in written):
            chart.text(x - half * 0.045, y + half * 0.03, _runs(names), name="note", anchor="start")
            written.append((x, y))
            if "+" in _runs(names):
                crowded = f" ({_runs(names)}: number {names[0]} and {len(names) - 1} more at its place)"
    return Figure(
        "pointings",
        "Pointings",
        f"Where each exposure points, in the order taken; numbers as in the table, where there is room{crowded}.",
        "steps of several arcsec move bad pixels and chip gaps; fractions of a pixel between them fill in the"
        " undersampled star images.",
        chart.svg(),
    )


def _grouped(places: np.ndarray, reach: float) -> dict[tuple[float, float], list[int]]:
    """Collect points that would print on top of each other."""
    groups: dict[tuple[float, float], list[int]] = {}
    for i, (x, y) in enumerate(places):
        home = next((g for g in groups if np.hypot(g[0] - x, g[1] - y) < reach), (float(x), float(y)))
        groups.setdefault(home, []).append(i + 1)
    return groups


def _runs(numbers: Sequence[int]) -> str:
    """Write ``1–3, 7``; of long lists the first number and how many more there are."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    words = [str(a) if a == b else f"{a}–{b}" for a, b in runs]
    return ", ".join(words) if len(words) <= 3 else f"{numbers[0]} +{len(numbers) - 1}"


def proof(zeropoint: Mapping[str, Any]) -> Figure | None:
    """Draw each chip's star ratio to the reference."""
    rows = {c: p for c, p in zeropoint["proof"].items() if p["ratio"] is not None and p["n_pairs"]}
    if not rows:
        return None
    spread = [abs(p["ratio"] - 1) + (p["error"] or 0) for p in rows.values()]
    spread += [abs(p["ratio_uncorrected"] - 1) for p in rows.values() if p["ratio_uncorrected"] is not None]
    reach = max(0.03, 1.15 * max(spread))
    names = list(rows)
    chart = Chart(
        Axis(
            "",
            -0.6,
            len(names) - 0.4,
            ticks=[(i, f"{n} ({rows[n]['n_pairs']})") for i, n in enumerate(names)],
        ),
        Axis(f"flux over flux on {zeropoint['reference']}", 1 - reach, 1 + reach),
        f"Star flux ratios between chips, {zeropoint['filter']}",
        height=320,
        margins=(62, 10, 14, 30),
    )
    chart.band(0.98, 1.02, "band2")
    chart.band(0.99, 1.01, "band1")
    chart.line([(-0.6, 1.0), (len(names) - 0.4, 1.0)], "unity")
    for i, name in enumerate(names):
        p = rows[name]
        before = p["ratio_uncorrected"]
        if before is not None:
            chart.marker(i + 0.14, before, f"hollow {paint(name)}", shape=shape(name),
                         title=f"{name} without CTE correction: {before:.4f}")  # fmt: skip
        chart.error(i, p["ratio"], p["error"] or 0.0, name=paint(name))
        title = f"{name}: {p['ratio']:.4f} ± {p['error'] or 0:.4f}, {p['n_pairs']} pairs, {p['verdict']}"
        chart.marker(i, p["ratio"], paint(name), shape=shape(name), title=title)
    return Figure(
        f"proof-{zeropoint['filter']}",
        f"The proof, {zeropoint['filter']}",
        "The same stars measured on different chips in different exposures; number of pairs below. Filled:"
        " corrected for charge lost in transfer; hollow: not corrected. Bands: 1 % and 2 %.",
        "every filled mark inside the dark band, its error bar crossing 1.",
        chart.svg(),
    )


def exposure_proof(zeropoint: Mapping[str, Any]) -> Figure | None:
    """Draw each exposure's star ratio to the reference exposure."""
    rows = {r: p for r, p in zeropoint.get("exposures", {}).items() if p["ratio"] is not None and p["n_pairs"]}
    if len(rows) < 2:
        return None
    reach = max(0.03, 1.15 * max(abs(p["ratio"] - 1) + (p["error"] or 0) for p in rows.values()))
    chart = Chart(
        _exposure_axis(list(rows)),
        Axis("flux over flux on the reference exposure", 1 - reach, 1 + reach),
        f"Star flux ratios between exposures, {zeropoint['filter']}",
        height=320,
        margins=(62, 10, 14, 42),
    )
    chart.band(0.98, 1.02, "band2")
    chart.band(0.99, 1.01, "band1")
    chart.line([(0.4, 1.0), (len(rows) + 0.6, 1.0)], "unity")
    for i, (root, p) in enumerate(rows.items(), 1):
        for chip, cell in p["chips"].items() if len(p["chips"]) > 1 else ():
            title = f"{root} {chip}: {cell['ratio']:.4f} ± {cell['error']:.4f}, {cell['n_stars']} stars"
            chart.marker(i + nudge(chip), cell["ratio"], f"hollow {paint(chip)}", shape=shape(chip), title=title)
        chart.error(i, p["ratio"], p["error"] or 0.0, name="")
        title = f"{root}: {p['ratio']:.4f} ± {p['error'] or 0:.4f}, {p['n_pairs']} stars, {p['verdict']}"
        chart.marker(i, p["ratio"], "", shape="circle", title=title)
    chips = ordered([chip for p in rows.values() for chip in p["chips"]])
    return Figure(
        f"proof-exposures-{zeropoint['filter']}",
        f"The proof by exposure, {zeropoint['filter']}",
        "The same stars measured on different exposures, whatever chip they fell on. Filled: all chips; hollow: each"
        " chip alone, what the chips differ by in all exposures taken out. Bands: 1 % and 2 %.",
        "every filled mark inside the dark band, epochs years apart like those of one visit.",
        chart.svg() + (chip_key(chips) if len(chips) > 1 else ""),
    )


def sky_levels(report: Report) -> Figure | None:
    """Draw sky brightness by exposure and chip."""
    exposures = report["sky"]["exposures"]
    values = [c["brightness"] for chips in exposures.values() for c in chips.values()]
    values = [v for v in values if v is not None]
    if not values:
        return None
    chart = Chart(
        _exposure_axis(list(exposures)),
        Axis(f"sky [{unit(report)}/s/arcsec²]", *padded(values, least=0.02 * max(np.abs(values)) + 1e-9)),
        "Sky brightness by exposure and chip",
        margins=(62, 10, 14, 42),
    )
    for i, (root, chips) in enumerate(exposures.items()):
        for chip, row in chips.items():
            if row["brightness"] is not None:
                title = f"{root} {chip}: {row['brightness']:.5g}"
                chart.marker(i + 1 + nudge(chip), row["brightness"], paint(chip),
                             shape=shape(chip), title=title)  # fmt: skip
    return Figure(
        "sky",
        "Sky levels",
        "What each chip measured, equalized to one PHOTFLAM, per square arcsec of sky.",
        "the marks of one exposure together, and a slow change from one to the next. A chip that stays off has"
        " a pedestal, or more of a nebula or cluster on it.",
        chart.svg() + chip_key(present(report)),
    )


def _numbers(n: int, most: int) -> list[int]:
    """Return 1 and the round numbers up to `n`, `most` of them or so.

    Examples
    --------
    >>> _numbers(6, 12), _numbers(100, 12)
    ([1, 2, 3, 4, 5, 6], [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    """
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n / s <= most), 1000)
    return [1, *range(step if step > 1 else 2, n + 1, step)]


def _exposure_axis(roots: Sequence[str]) -> Axis:
    """Return an axis of exposure numbers as in the table."""
    ticks = [(float(i), str(i)) for i in _numbers(len(roots), 12)]
    return Axis("exposure (number as in the table)", 0.4, len(roots) + 0.6, ticks=ticks)


def cosmic_rays(report: Report) -> Figure | None:
    """Draw the share of flagged pixels against what is expected."""
    shares = report["cosmic_rays"]
    values = [100 * f for chips in shares.values() for f in chips.values() if f]
    wanted = [100 * e["fraction"] for e in report["cosmic_rays_expected"].values() if e["fraction"]]
    if not values:
        return None
    low, high = min(values + wanted) / 1.6, max(values + wanted) * 1.6
    chart = Chart(
        _exposure_axis(list(shares)),
        Axis("flagged [% of good pixels]", low, high, log=True),
        "Share of pixels flagged as cosmic rays",
    )
    for i, (root, chips) in enumerate(shares.items()):
        expected = 100 * (report["cosmic_rays_expected"].get(root, {}).get("fraction") or 0.0)
        if expected:
            bar = [(i + 0.55, expected), (i + 1.45, expected)]
            chart.line(bar, "guide", f"{root}: {expected:.3g} % expected")
        for chip, share in chips.items():
            if share:
                chart.marker(i + 1 + nudge(chip), 100 * share, paint(chip), shape=shape(chip),
                             title=f"{root} {chip}: {100 * share:.3f} %")  # fmt: skip
    origins = {e["origin"] for e in report["cosmic_rays_expected"].values()}
    return Figure(
        "cosmic-rays",
        "Cosmic rays found",
        f"Share of each chip's good pixels; the bars are the expected rate ({'; '.join(sorted(origins))})."
        " Faint rims of the tracks are flagged too, so that marks stand somewhat above the bars where many exposures"
        " show them.",
        "every chip near the bar. Many times more on one chip means that stars or the sky itself"
        " were flagged; many times fewer, that rays were left.",
        chart.svg() + chip_key(present(report)),
    )


def _room(base: int, names: Sequence[str]) -> float:
    """Return the distance between products on an axis of `base` exposures that keeps their names apart."""
    # Share of the axis that a name takes on a phone; one name has the last exposure's number for a neighbor.
    share = 0.031 * max(map(len, names), default=0) + (0.04 if len(names) == 1 else 0.01)
    return max(1.2, share * (base + 0.5) / max(0.1, 1 - share * (len(names) + 0.2)))


def star_widths(report: Report) -> Figure | None:
    """Draw star widths in the exposures and in the product."""
    widths = report["evidence"].get("widths") or {}
    single, product = widths.get("exposures") or {}, widths.get("products") or {}
    rows = [r for chips in [*single.values(), *product.values()] for r in chips.values()]
    if not rows:
        return None
    bands = list(product)
    roots = list(single)
    base = len(roots)
    names = ["product"] if len(bands) == 1 else bands if len(bands) < 4 else [band.strip("FWNMLP") for band in bands]
    step = _room(base, names)
    spots = [base + 0.8 + step * (i + 0.6) for i in range(len(bands))]
    ticks = [(float(i), str(i)) for i in _numbers(base, 10)]
    ticks += zip(spots, names, strict=True)
    low, high = padded([r["fwhm_arcsec"] for r in rows], least=0.02, share=0.15)
    chart = Chart(
        Axis("exposures, then the product", 0.3, spots[-1] + 0.6 * step if spots else base + 0.8, ticks=ticks),
        Axis("FWHM [arcsec]", max(0.0, low), high),
        "Star widths in and out",
    )
    chart.line([(base + 0.8, max(0.0, low)), (base + 0.8, high)], "unity")
    places: list[tuple[float, str, Any]] = [(i + 1, root, single[root]) for i, root in enumerate(roots)]
    places += [(spot, f"product {band}", product[band]) for spot, band in zip(spots, bands, strict=True)]
    for x, name, chips in places:
        wide = step / 1.2 if name.startswith("product") else 1.0
        for chip, row in chips.items():
            title = f'{name} {chip}: {row["fwhm_arcsec"]:.3f}" ± {row["scatter_arcsec"]:.3f}", {row["n"]} stars'
            chart.marker(x + wide * nudge(chip), row["fwhm_arcsec"], paint(chip), shape=shape(chip),
                         title=title)  # fmt: skip
    return Figure(
        "widths",
        "Star widths, in and out",
        "Full width at half maximum of clean stars, by Gaussian fit, the pixel's own width included: on single"
        " exposures, by chip, and on the product, by the chip that dominates there.",
        "the product at most 30 % wider than what went in (drizzling onto larger or equal pixels costs that much)."
        " A product much wider than its exposures was not aligned.",
        chart.svg() + chip_key(present(report)),
    )
