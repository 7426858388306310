"""The figures of the page about alignment: residuals, and the votes on the offset.

Each takes the report's numbers and gives a `Figure`, or None where there is nothing to show.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.geometry.rows import ROW_PERIOD, ROW_PHASE
from mizzle.report import maps
from mizzle.report.charts import Axis, Chart, chip_key, padded
from mizzle.report.chips import SHAPES, paint
from mizzle.report.figures import Figure, Report
from mizzle.report.stretch import median, percentile


def residual_panels(report: Report, most: int = 12) -> Figure | None:
    """Draw residual vectors, a panel per exposure; the widest rms where there are many."""
    tables = {r: t for r, t in (report["evidence"].get("residuals") or {}).items() if t["xi"]}
    if not tables:
        return None
    entries = report["alignment"]["exposures"]
    shown = sorted(tables, key=lambda r: -(entries.get(r, {}).get("rms_mas") or 0.0))[:most]
    shown = [root for root in tables if root in shown]
    reach = max(max(map(abs, t["xi"] + t["eta"])) for t in tables.values()) * 1.05
    typical = median(np.array([median(np.hypot(t["dxi"], t["deta"])) for t in tables.values()]))
    # The typical vector takes a twenty-fifth of the panel's side.
    gain = float(f"{2 * reach / 25 / max(typical, 1e-6):.1g}")
    panels = []
    for root in shown:
        table = tables[root]
        chart = Chart(
            Axis("", reach, -reach, ticks=()), Axis("", -reach, reach, ticks=()),
            f"Residual vectors of {root}", width=220, height=220, margins=(6, 6, 6, 6), grid=False,
        )  # fmt: skip
        step = -(-len(table["xi"]) // 150)  # more would hide each other
        xs, ys, dxs, dys = (table[key][::step] for key in ("xi", "eta", "dxi", "deta"))
        ends = ((x, y, x + dx * gain, y + dy * gain) for x, y, dx, dy in zip(xs, ys, dxs, dys, strict=True))
        chart.segments(ends, "vector")
        chart.cloud(xs, ys, "root")
        rms = entries.get(root, {}).get("rms_mas")
        words = f"{root}" + (f" · {rms:.1f} mas" if rms is not None else "")
        panels.append(f'<div class="panel">{chart.svg()}<div class="panelname">{escape(words)}</div></div>')
    left_out = len(tables) - len(shown)
    extra = f" The {len(shown)} with the largest rms; {left_out} more are in the table." if left_out else ""
    scale = f"Vectors are residuals of single stars, 150 at most, drawn {gain * 1000:,.0f} times longer than they are"
    return Figure(
        "residuals",
        "Residual vectors",
        f"{scale}; the typical one is {typical:.1f} mas. Panels span ±{reach:.0f} arcsec, north up, east left.{extra}",
        "short vectors pointing every way. A swirl is a roll left over, a fan a wrong scale, a common direction"
        " a wrong shift, and one chip apart from the others a chip that moved.",
        f'<div class="panels">{"".join(panels)}</div>',
        wide=True,
    )


def residual_cloud(report: Report) -> Figure | None:
    """Draw all residuals together, east against north."""
    tables = report["evidence"].get("residuals") or {}
    dx = np.array([v for t in tables.values() for v in t["dxi"]], dtype=float)
    dy = np.array([v for t in tables.values() for v in t["deta"]], dtype=float)
    if not dx.size:
        return None
    reach = percentile(np.abs(np.concatenate([dx, dy])), 99) * 1.25 + 0.1
    chart = Chart(
        Axis("residual east [mas]", reach, -reach), Axis("residual north [mas]", -reach, reach),
        "Residuals of all matched stars", width=440, height=434,
    )  # fmt: skip
    chart.cloud(dx, dy, "ink")
    rms = float(np.sqrt(np.mean(np.concatenate([dx, dy]) ** 2)))
    turn = np.linspace(0, 2 * np.pi, 73)
    chart.line([(rms * float(np.cos(a)), rms * float(np.sin(a))) for a in turn], "guide")
    return Figure(
        "residual-cloud",
        "All residuals together",
        f"{dx.size} residuals; the circle is their rms per axis, {rms:.2f} mas.",
        "a round cloud centered on zero, a few mas wide. Two clouds mean false matches.",
        chart.svg(),
    )


def residual_trend(report: Report) -> Figure | None:
    """Draw residuals against magnitude, or against position where magnitudes are not known."""
    tables = [t for t in (report["evidence"].get("residuals") or {}).values() if t["dxi"]]
    if not tables:
        return None
    by_mag = all("mag" in t for t in tables)
    size = np.array([v for t in tables for v in np.hypot(t["dxi"], t["deta"])])
    x = np.array([v for t in tables for v in t["mag" if by_mag else "xi"]], dtype=float)
    good = np.isfinite(x) & np.isfinite(size)
    x, size = x[good], size[good]
    if x.size < 2:
        return None
    low, high = padded(x, least=1.0, share=0.04)
    label = "magnitude (instrumental)" if by_mag else "east of the center [arcsec]"
    chart = Chart(
        Axis(label, low, high),
        Axis("residual [mas]", 0.0, percentile(size, 99) * 1.15 + 0.1),
        "Length of residuals",
        height=434,
    )
    chart.cloud(x, size, "ink")
    edges = np.array([percentile(x, share) for share in np.linspace(0, 100, 9)])
    cells = [(x >= a) & (x <= b) for a, b in pairwise(edges)]
    chart.line([(median(x[c]), median(size[c])) for c in cells if c.any()], "guide")
    good_words = (
        "bright stars fit best, faint ones worse as their noise grows; a rise at the bright end is saturation."
        if by_mag
        else "the line is level: no place of the field fits worse than another."
    )
    return Figure(
        "residual-trend", "Residuals against " + ("magnitude" if by_mag else "place"),
        "Each matched star; the line is the running median.", good_words, chart.svg(),
    )  # fmt: skip


#: What is drawn against what: column of the table (``row`` is `y` folded), name of the axis.
_PLACES = (("x", "chip x [pixel]"), ("y", "chip y [pixel]"), ("row", "chip y within the row cycle [pixel]"))
_MOST_DOTS = 1600  # in one panel
_LEAST_STARS = 12  # of a median


def residual_positions(report: Report) -> Figure | None:
    """Draw residuals along the chip's axes against the place on the chip, with running medians."""
    tables = [t for t in (report["evidence"].get("residuals") or {}).values() if t.get("x")]
    if not tables:
        return None
    stars = {key: np.array([v for t in tables for v in t[key]], dtype=float) for key in ("x", "y", "dx", "dy")}
    stars["row"] = np.mod(stars["y"] + 1.0 - ROW_PHASE, ROW_PERIOD)
    chips = np.array([v for t in tables for v in t["chip"]])
    sizes = np.abs(np.concatenate([stars["dx"], stars["dy"]]))
    reach = percentile(sizes, 90) + 0.1
    panels: list[str] = []
    trends: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for axis in ("dx", "dy"):
        for place, label in _PLACES:
            low, high = (0.0, ROW_PERIOD) if place == "row" else padded(stars[place], least=1.0, share=0.02)
            chart = Chart(
                Axis(label, low, high),
                Axis(f"along {axis[1]} [mas]", -reach, reach),
                f"Residuals along {axis[1]} against {label}", width=340, height=260,
            )  # fmt: skip
            folded = place == "row"
            medians = _positions_panel(chart, stars[place], stars[axis], chips=chips, folded=folded)
            if axis == "dy" or not folded:
                trends[folded] += medians
            panels.append(f'<div class="panel">{chart.svg()}</div>')
    words = ""
    if trends[False] and trends[True]:
        (scatter, noise), (cycle, cycle_noise) = (np.sqrt(np.mean(np.square(v), axis=0)) for v in trends.values())
        words = (
            f" The medians scatter by {scatter:.2f} mas around zero; the stars' noise alone makes {noise:.2f} mas."
            f" Those along y in the row cycle: {cycle:.2f} mas, and {cycle_noise:.2f} mas."
        )
    return Figure(
        "residual-positions",
        "Residuals against place on the chip",
        f"{chips.size} residuals along the chip's own axes, against x, against y, and against y folded by the"
        f" {ROW_PERIOD:.2f} rows after which a narrow row returns; pixels of the full chip. Lines are running medians,"
        f" by chip, and of all chips where folded.{words}",
        "level lines at zero: no wave, no slope, so distortion and row term are right. A slope or a bow is a wrong"
        " distortion; a sawtooth along y in the last panel, a wrong row term.",
        f'<div class="panels charts">{"".join(panels)}</div>' + chip_key(_present(chips)),
        wide=True,
    )


def _positions_panel(
    chart: Chart, places: FloatArray, residuals: FloatArray, *, chips: NDArray[Any], folded: bool
) -> list[tuple[float, float]]:
    """Draw one panel; return each median, and its error from the scatter in its cell [mas]."""
    step = max(1, -(-places.size // _MOST_DOTS))
    for name in SHAPES:
        on_chip = np.flatnonzero(chips == name)[::step]
        chart.cloud(places[on_chip], residuals[on_chip], f"chip {paint(name)}")
    chart.line([(chart.x.low, 0.0), (chart.x.high, 0.0)], "unity")
    groups = {"guide": np.ones(chips.size, dtype=bool)} if folded else {}
    groups |= {} if folded else {f"median {paint(name)}": chips == name for name in _present(chips)}
    medians: list[tuple[float, float]] = []
    for name, members in groups.items():
        cells = running_median(places[members], residuals[members])
        if cells:
            chart.line([(x, y) for x, y, _ in cells], name)
            medians += [(y, error) for _, y, error in cells]
    return medians


def _present(chips: NDArray[Any]) -> list[str]:
    """Return the names that stand among `chips`, in the order in which chips are drawn."""
    names = set(np.unique(chips).tolist())
    return [name for name in SHAPES if name in names]


def running_median(x: FloatArray, y: FloatArray, most: int = 16) -> list[tuple[float, float, float]]:
    """Return medians of `y` in cells of `x` that hold equally many: middle of the cell, median, its error.

    The error is that of a median of normal noise, 1.2533 sigma / sqrt(n); sigma is 1.4826 times the median absolute
    deviation.
    """
    count = min(most, x.size // _LEAST_STARS)
    if count < 1:
        return []
    cells = []
    for rows in np.array_split(np.argsort(x, kind="stable"), count):
        middle = median(y[rows])
        sigma = 1.4826 * median(np.abs(y[rows] - middle))
        cells.append((median(x[rows]), middle, 1.2533 * sigma / float(np.sqrt(rows.size))))
    return cells


def offset_votes(report: Report) -> Figure | None:
    """Draw the histograms in which the offset between exposures was found."""
    votes = report["evidence"].get("votes") or {}
    if not votes:
        return None
    panels = []
    for root, vote in votes.items():
        counts, extent = np.array(vote["counts"], dtype=float), vote["extent"]
        chart = Chart(
            Axis("", -1, 1, ticks=()), Axis("", -1, 1, ticks=()),
            f"Offset histogram of {root}", width=220, height=220, margins=(6, 6, 6, 6), grid=False,
        )  # fmt: skip
        top = max(1.0, float(counts.max()))
        chart.image(maps.colored(np.sqrt(counts), 0.0, np.sqrt(top), ramp=maps.SEQUENTIAL), (-1, -1, 1, 1))
        words = f"{root} · {top:.0f}"
        panels.append(f'<div class="panel">{chart.svg()}<div class="panelname">{escape(words)}</div></div>')
    return Figure(
        "votes",
        "Votes on the offset",
        "How often each offset between this exposure's sources and another's occurs, for the exposure's best pair; the"
        f" number is the highest count; panels span ±{extent:.3g} arcsec, tones the square root of the count.",
        "one dark spot on an even ground: the true offset. No spot, or several, means that nothing was matched.",
        f'<div class="panels">{"".join(panels)}</div>',
        wide=True,
    )
