"""Residuals of an alignment as small pictures."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = Mapping[str, NDArray[Any]]
_WIDTH, _HEIGHT, _EDGE = 460, 300, 50


def _panel(draw: Any, corner: tuple[int, int], x: NDArray[Any], y: NDArray[Any], names: tuple[str, str]) -> None:
    """Draw points in a box with their limits."""
    left, top = corner[0] + _EDGE, corner[1] + 20
    wide, tall = _WIDTH - _EDGE - 20, _HEIGHT - 20 - _EDGE
    low, high = float(x.min()), float(max(x.max(), x.min() + 1.0))
    most = float(max(np.abs(y).max(), 1e-3)) * 1.1
    draw.rectangle((left, top, left + wide, top + tall), outline="black")
    draw.line((left, top + tall / 2, left + wide, top + tall / 2), fill="gray")
    px = left + (x - low) / (high - low) * wide
    py = top + (1 - y / most) / 2 * tall
    _dots(draw, px, py, "#1f5fa8")
    draw.text((left, top + tall + 4), f"{names[0]}: {low:.0f} to {high:.0f} pixel", fill="black")
    draw.text((left, top - 14), f"{names[1]}: within {most:.1f} mas", fill="black")


def _dots(draw: Any, x: NDArray[Any], y: NDArray[Any], color: str) -> None:
    """Draw points of 3 x 3 pixels, all at once."""
    dy, dx = (part.ravel() for part in np.mgrid[-1:2, -1:2])
    places = np.column_stack([(np.round(x)[:, None] + dx).ravel(), (np.round(y)[:, None] + dy).ravel()])
    draw.point(places.ravel().tolist(), fill=color)


@functools.cache
def _font() -> Any:
    """Return the letters of all pictures; Pillow would unpack them for each."""
    from PIL import ImageFont

    return ImageFont.load_default()


def _picture(size: tuple[int, int], title: str, mode: str = "P") -> tuple[Any, Any]:
    from PIL import Image, ImageDraw

    canvas = Image.new(mode, size, "white")  # a palette of few colors takes a third of the bytes
    draw = ImageDraw.Draw(canvas)
    draw.font = _font()
    draw.text((_EDGE, 6), title, fill="black")
    return canvas, draw


def _png(canvas: Any) -> bytes:
    stream = io.BytesIO()
    canvas.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def draw_residuals(table: Table, name: str) -> bytes:
    """Draw residuals east and north against x and y; return a PNG.

    Parameters
    ----------
    table : mapping
        ``x y`` [0-based pixel], ``dx dy`` [mas]: `mizzle.model.Alignment.tables` of an exposure.
    name : str
        Of the exposure.
    """
    canvas, draw = _picture((2 * _WIDTH, 2 * _HEIGHT + 24), f"{name}: residuals of {len(table['x'])} stars")
    for row, along in enumerate(("x", "y")):
        for column, across in enumerate(("dx", "dy")):
            corner = (column * _WIDTH, row * _HEIGHT + 24)
            _panel(draw, corner, table[along], table[across], (along, {"dx": "east", "dy": "north"}[across]))
    return _png(canvas)


def draw_vectors(table: Table, name: str) -> bytes:
    """Draw each residual as a line from its star's place on the chip, 20 mas as long as 100 pixels; return a PNG.

    Parameters
    ----------
    table, name
        As for `draw_residuals`.
    """
    side = 400
    canvas, draw = _picture((2 * side + 60, 2 * side + 80), f"{name}: residuals, a tenth of a chip is 20 mas")
    size = max(800.0, float(table["x"].max()), float(table["y"].max()))
    blue = canvas.palette.getcolor((31, 95, 168))  # a name would be looked up for each star
    for number in range(1, 5):
        left, top = 20 + (number - 1) % 2 * (side + 20), 40 + (number - 1) // 2 * (side + 20)
        draw.rectangle((left, top, left + side, top + side), outline="black")
        draw.text((left + 4, top + 4), f"chip {number}", fill="black")
        on_chip = table["chip"] == number
        px, py = left + table["x"][on_chip] / size * side, top + side - table["y"][on_chip] / size * side
        ex, ey = px - table["dx"][on_chip] * side / 200.0, py - table["dy"][on_chip] * side / 200.0
        for ends in np.column_stack([px, py, ex, ey]).tolist():
            draw.line(ends, fill=blue, width=1)
        _dots(draw, px, py, "black")
    return _png(canvas)


def draw_histogram(table: Table, name: str) -> bytes:
    """Draw how often each offset between an exposure's sources and another's occurs; return a PNG.

    Parameters
    ----------
    table : mapping
        ``histogram`` (m, m) of pairs, north first, and ``histogram_extent`` [arcsec].
    name : str
        Of the exposure.
    """
    from PIL import Image

    counts, extent = np.asarray(table["histogram"], dtype=float), float(table["histogram_extent"][0])
    side = len(counts)
    cell = max(1, 400 // side)
    tones = 255 - np.round(255 * np.sqrt(counts / max(1.0, counts.max()))).astype(np.uint8)
    picture = np.kron(tones[::-1], np.ones((cell, cell), np.uint8))
    canvas, draw = _picture((side * cell + 2 * _EDGE, side * cell + 2 * _EDGE), f"{name}: offsets of pairs", "RGB")
    canvas.paste(Image.fromarray(picture).convert("RGB"), (_EDGE, _EDGE))
    middle = _EDGE + side * cell / 2
    for a, b in ((12, 0), (0, 12)):
        draw.line((middle - a, middle - b, middle + a, middle + b), fill="#c03020")
    peak = np.unravel_index(counts.argmax(), counts.shape)
    north, east = ((k + 0.5) / side * 2 * extent - extent for k in peak)
    words = (
        f"{counts.max():.0f} pairs at {east:+.2f}, {north:+.2f} arcsec east, north; panel: {extent:.2f} to all sides"
    )
    draw.text((_EDGE, _EDGE + side * cell + 6), words, fill="black")
    return _png(canvas)
