"""Charts as SVG text: small, sharp on paper, colored by the page's style sheet (light and dark alike)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.report.chips import paint, shape

MOST_DOTS = 4000  # more cannot be told apart


@dataclass(frozen=True)
class Axis:
    """One side of a chart.

    Parameters
    ----------
    label : str
        Quantity and unit.
    low, high : float
        Ends; `low` may exceed `high` (east to the left, bright at the top).
    log : bool
        Decades.
    ticks : sequence of (float, str), optional
        Places and words; round numbers otherwise.
    """

    label: str
    low: float
    high: float
    log: bool = False
    ticks: Sequence[tuple[float, str]] | None = None

    def fraction(self, value: float) -> float:
        """Return where a value lies: 0 at `low`, 1 at `high`."""
        if self.log:
            return math.log(max(value, 1e-300) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def fractions(self, values: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
        """Return `fraction` of many values; NaN where it has none."""
        array = np.asarray(values, dtype=np.float64)
        if self.log:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(np.log(array / self.low) / math.log(self.high / self.low))
        return np.asarray((array - self.low) / (self.high - self.low))

    def marks(self) -> list[tuple[float, str]]:
        """Return the ticks."""
        if self.ticks is not None:
            return list(self.ticks)
        return log_ticks(self.low, self.high) if self.log else round_ticks(self.low, self.high)


def round_ticks(low: float, high: float, wanted: int = 6, *, least: float = 0.0) -> list[tuple[float, str]]:
    """Return round values between two ends, `least` apart at least, with as many decimals as they need.

    Examples
    --------
    >>> [label for _, label in round_ticks(0.0, 1.0)]
    ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']
    """
    low, high = min(low, high), max(low, high)
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = max(next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999), least)
    exponent = math.floor(math.log10(step) + 1e-9)
    decimals = max(0, -exponent)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    values = [(first + i) * step for i in range(count)]
    return [(v, f"{v if abs(v) > step * 1e-6 else 0.0:.{decimals}f}".replace("-", "−")) for v in values]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return 1, 2, 5 in each decade, fewer where there are many decades, round values within one."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    span = math.log10(high / low)
    steps = (1,) if span > 4 else (1, 3) if span > 2 else (1, 2, 5)
    values = [m * 10.0**d for d in decades for m in steps]
    inside = [(v, f"{v:g}") for v in values if low * 0.999 <= v <= high * 1.001]
    return inside if len(inside) > 2 or span > 1 else round_ticks(low, high)


def padded(values: Iterable[float | None], *, least: float, share: float = 0.08) -> tuple[float, float]:
    """Return ends that hold all finite values with some room, at least `least` apart."""
    array = np.array([v for v in values if v is not None], dtype=float)
    array = array[np.isfinite(array)]
    if not array.size:
        return -least / 2, least / 2
    low, high = float(array.min()), float(array.max())
    room = max((high - low) * share, (least - (high - low)) / 2, 0.0)
    return low - room, high + room


@dataclass
class Chart:
    """A frame with two axes to draw in; `svg` gives the text.

    Parameters
    ----------
    x, y : Axis
        Sides.
    label : str
        What it shows, for those who cannot see it.
    width, height : int
        In units of the view box; text is 12 units high.
    """

    x: Axis
    y: Axis
    label: str
    width: int = 440
    height: int = 300
    margins: tuple[int, int, int, int] = (62, 10, 14, 42)  # left, top, right, bottom
    grid: bool = True
    parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.y.label:
            # On a phone a digit is 8.6 units wide: the ticks must not reach the name of the side.
            longest = max((len(words) for _, words in self.y.marks()), default=0)
            self.margins = (max(self.margins[0], round(30 + 8.6 * longest)), *self.margins[1:])

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the drawing position of a data point."""
        left, top, right, bottom = self.margins
        px = left + self.x.fraction(x) * (self.width - left - right)
        py = self.height - bottom - self.y.fraction(y) * (self.height - top - bottom)
        return px, py

    def band(self, low: float, high: float, name: str) -> None:
        """Shade a range of y."""
        left, _, right, _ = self.margins
        _, y0 = self.at(self.x.low, max(low, high))
        _, y1 = self.at(self.x.low, min(low, high))
        width = self.width - left - right
        self.parts.append(f'<rect class="{name}" x="{left}" y="{y0:.1f}" width="{width}" height="{y1 - y0:.1f}"/>')

    def line(self, points: Iterable[tuple[float, float]], name: str, title: str = "") -> None:
        """Join points."""
        path = " ".join("{:.1f},{:.1f}".format(*self.at(*p)) for p in points)
        self.parts.append(f'<polyline class="{name}" points="{path}">{_title(title)}</polyline>')

    def polygon(self, points: Iterable[tuple[float, float]], name: str, title: str = "") -> None:
        """Draw a closed outline."""
        path = " ".join("{:.1f},{:.1f}".format(*self.at(*p)) for p in points)
        self.parts.append(f'<polygon class="{name}" points="{path}">{_title(title)}</polygon>')

    def segments(self, lines: Iterable[tuple[float, float, float, float]], name: str) -> None:
        """Draw many straight pieces as one path."""
        pieces = []
        for x0, y0, x1, y1 in lines:
            a, b = self.at(x0, y0), self.at(x1, y1)
            pieces.append(f"M{a[0]:.1f} {a[1]:.1f}l{b[0] - a[0]:.1f} {b[1] - a[1]:.1f}")
        self.parts.append(f'<path class="{name}" d="{"".join(pieces)}"/>')

    def cloud(self, xs: Sequence[float] | NDArray[Any], ys: Sequence[float] | NDArray[Any], name: str) -> None:
        """Draw many dots as one path; those outside the frame are left out, and evenly some of very many."""
        left, top, right, bottom = self.margins
        px = left + self.x.fractions(xs) * (self.width - left - right)
        py = self.height - bottom - self.y.fractions(ys) * (self.height - top - bottom)
        seen = (px >= left) & (px <= self.width - right) & (py >= top) & (py <= self.height - bottom)
        rows = np.flatnonzero(seen)
        rows = rows[:: max(1, -(-rows.size // MOST_DOTS))]
        dots = zip(np.round(px[rows], 1).tolist(), np.round(py[rows], 1).tolist(), strict=True)
        path = "".join([f"M{x} {y}h0" for x, y in dots])
        self.parts.append(f'<path class="cloud {name}" d="{path}"/>')

    def marker(self, x: float, y: float, name: str, *, shape: str = "circle", title: str = "") -> None:
        """Draw one mark; `title` shows on hovering."""
        px, py = self.at(x, y)
        self.parts.append(_marker(px, py, name, shape=shape, title=title))

    def error(self, x: float, y: float, size: float, *, name: str) -> None:
        """Draw an error bar with caps."""
        px, y0 = self.at(x, y - size)
        _, y1 = self.at(x, y + size)
        self.parts.append(
            f'<path class="bar {name}" d="M{px:.1f} {y0:.1f}V{y1:.1f}M{px - 4:.1f} {y0:.1f}h8'
            f'M{px - 4:.1f} {y1:.1f}h8"/>'
        )

    def text(self, x: float, y: float, words: str, *, name: str = "note", anchor: str = "middle") -> None:
        """Write at a data point."""
        px, py = self.at(x, y)
        self.parts.append(
            f'<text class="{name}" x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def image(self, href: str, box: tuple[float, float, float, float]) -> None:
        """Place a picture between data corners ``(x0, y0, x1, y1)``, lower left and upper right."""
        x0, y0 = self.at(box[0], box[1])
        x1, y1 = self.at(box[2], box[3])
        self.parts.append(
            f'<image class="raster" href="{href}" x="{x0:.1f}" y="{y1:.1f}" width="{x1 - x0:.1f}"'
            f' height="{y0 - y1:.1f}" preserveAspectRatio="none"/>'
        )

    def svg(self) -> str:
        """Return the chart."""
        left, top, right, bottom = self.margins
        x1, y1 = self.width - right, self.height - bottom
        clip = f"c{zlib.crc32((self.label + self.x.label).encode()):08x}"
        head = (
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img"'
            f' aria-label="{escape(self.label)}"><title>{escape(self.label)}</title>'
            f'<clipPath id="{clip}"><rect x="{left - 6}" y="{top - 6}" width="{x1 - left + 12}"'
            f' height="{y1 - top + 12}"/></clipPath>'
        )
        frame = f'<rect class="frame" x="{left}" y="{top}" width="{x1 - left}" height="{y1 - top}"/>'
        body = f'<g clip-path="url(#{clip})">{"".join(self.parts)}</g>'
        return head + self._ticks() + body + frame + "</svg>"

    def _ticks(self) -> str:
        """Return grid lines, tick words and axis names."""
        left, top, right, bottom = self.margins
        x1, y1 = self.width - right, self.height - bottom
        out = []
        for value, words in self.x.marks():
            px = self.at(value, self.y.low)[0]
            if self.grid:
                out.append(f'<path class="grid" d="M{px:.1f} {top}V{y1}"/>')
            out.append(f'<text class="tick" x="{px:.1f}" y="{y1 + 16}" text-anchor="middle">{escape(words)}</text>')
        for value, words in self.y.marks():
            py = self.at(self.x.low, value)[1]
            if self.grid:
                out.append(f'<path class="grid" d="M{left} {py:.1f}H{x1}"/>')
            out.append(f'<text class="tick" x="{left - 6}" y="{py + 4:.1f}" text-anchor="end">{escape(words)}</text>')
        middle = (left + x1) / 2
        out.append(
            f'<text class="axis" x="{middle:.0f}" y="{self.height - 8}" text-anchor="middle">'
            f"{escape(self.x.label)}</text>"
        )
        out.append(
            f'<text class="axis" transform="translate(13 {(top + y1) / 2:.0f}) rotate(-90)"'
            f' text-anchor="middle">{escape(self.y.label)}</text>'
        )
        return "".join(out)


def _title(words: str) -> str:
    """Return the words shown on hovering."""
    return f"<title>{escape(words)}</title>" if words else ""


def _marker(x: float, y: float, name: str, *, shape: str, title: str) -> str:
    """Return one mark: the shape tells the chip where color cannot."""
    inner = _title(title)
    if shape == "circle":
        return f'<circle class="mark {name}" cx="{x:.1f}" cy="{y:.1f}" r="4.2">{inner}</circle>'
    offsets = {
        "square": ((-3.8, -3.8), (3.8, -3.8), (3.8, 3.8), (-3.8, 3.8)),
        "diamond": ((0, -5.4), (5.4, 0), (0, 5.4), (-5.4, 0)),
        "triangle": ((0, -5), (4.8, 3.8), (-4.8, 3.8)),
    }[shape]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in offsets)
    return f'<polygon class="mark {name}" points="{points}">{inner}</polygon>'


def chip_key(chips: Iterable[str]) -> str:
    """Return the legend of chips: mark and name."""
    items = []
    for chip in chips:
        mark = _marker(7, 7, paint(chip), shape=shape(chip), title="")
        items.append(f'<span><svg class="key" viewBox="0 0 14 14" aria-hidden="true">{mark}</svg>{escape(chip)}</span>')
    return f'<div class="legend">{"".join(items)}</div>'
