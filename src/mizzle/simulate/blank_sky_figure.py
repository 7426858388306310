"""The picture of the blank-sky demonstration: panels on one scale, one color bar, and the chips' levels.

Drawn with Pillow, as the pictures of the products are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.wfpc2 import CHIP_NAMES
from mizzle.simulate.blank_sky import Comparison, Panel, owners

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

#: Product pixels averaged for display: the noise of single pixels hides differences of a few per cent.
BLOCK = 12
#: Half the range of the gray scale, relative to the true level.
HALF_RANGE = 0.06
#: One color per panel: as recorded, equalized, faulty.
COLORS = {"raw": "#b5651d", "equalized": "#1f6f8b", "fault": "#a02c4a"}

PAPER, INK, FAINT, EMPTY = "#ffffff", "#262422", "#787268", (223, 230, 234)
SIDE, MARGIN, BAR, CHART = 480, 70, 150, 300
LETTER = 17


@dataclass(frozen=True)
class Box:
    """A rectangle of the canvas [pixel]."""

    left: int
    top: int
    width: int
    height: int


def draw(comparison: Comparison) -> Image:
    """Draw the comparison.

    Parameters
    ----------
    comparison : Comparison
        From `compare`.

    Returns
    -------
    figure : PIL Image
        Above, each panel's sky over its true level, on one scale with one color bar; below, the chips' levels
        over WF3's with their errors.
    """
    from PIL import Image, ImageDraw

    panels = comparison.panels
    width = MARGIN + len(panels) * (SIDE + 24) + BAR
    top, below = 90, 90 + SIDE + 60
    height = below + CHART + 50 + 28 * len(panels)
    canvas = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(canvas)
    plan = comparison.visit.truth.plan
    count = "one exposure" if plan.n == 1 else f"{plan.n} exposures"
    title = f"A blank sky through four chips: {plan.filter}, gain {plan.gain}, {count}"
    _write(pen, (width // 2, 16), f"{title} (shown: means of {BLOCK} x {BLOCK} pixels)", size=20, anchor="ma")
    for i, panel in enumerate(panels):
        box = Box(MARGIN + i * (SIDE + 24), top, SIDE, SIDE)
        _show(canvas, panel, comparison.expected, box=box)
    _color_bar(canvas, Box(MARGIN + len(panels) * (SIDE + 24) + 10, top, 24, SIDE))
    _levels(pen, comparison, Box(MARGIN + 30, below, width - MARGIN - 60, CHART))
    return canvas


def _write(pen: ImageDraw, at: tuple[float, float], text: str, *, size: int = LETTER, anchor: str = "mm") -> None:
    from PIL import ImageFont

    pen.text(at, text, font=ImageFont.load_default(size), fill=INK, anchor=anchor, align="center")


def _gray(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn values over the true level into an RGB raster, first row at the top."""
    tone = np.clip((values - (1.0 - HALF_RANGE)) / (2.0 * HALF_RANGE), 0.0, 1.0)
    raster = np.repeat((np.nan_to_num(tone) * 255)[..., None], 3, axis=2)
    return np.where(np.isfinite(values)[..., None], raster, EMPTY)[::-1].astype(np.uint8)


def _show(canvas: Image, panel: Panel, expected: float, *, box: Box) -> None:
    """Show one mosaic over the true level, with each chip's name and level on it."""
    from PIL import Image, ImageDraw

    mosaic, pen = panel.mosaic, ImageDraw.Draw(canvas)
    small = block_mean(np.where(mosaic.wht > 0, mosaic.sci, np.nan) / expected, BLOCK)
    scale = min(box.width / small.shape[1], box.height / small.shape[0])
    size = (round(small.shape[1] * scale), round(small.shape[0] * scale))
    picture = Image.fromarray(_gray(small)).resize(size, Image.Resampling.NEAREST)
    corner = (box.left + (box.width - size[0]) // 2, box.top + (box.height - size[1]) // 2)
    canvas.paste(picture, corner)
    _write(pen, (box.left + box.width / 2, box.top - 22), panel.title)
    owner = owners(mosaic)
    for number, name in enumerate(CHIP_NAMES):
        if name not in panel.levels:
            continue
        y, x = np.nonzero(owner == 1 << number)
        at = (corner[0] + x.mean() / BLOCK * scale, corner[1] + size[1] - y.mean() / BLOCK * scale)
        pen.rounded_rectangle((at[0] - 36, at[1] - 22, at[0] + 36, at[1] + 22), radius=6, fill=PAPER)
        _write(pen, at, f"{name}\n{panel.levels[name].mean / expected:.4f}", size=15)


def _color_bar(canvas: Image, box: Box) -> None:
    """Draw the gray scale that all panels share."""
    from PIL import Image, ImageDraw

    pen = ImageDraw.Draw(canvas)
    ramp = np.linspace(1.0 - HALF_RANGE, 1.0 + HALF_RANGE, box.height)[:, None]
    canvas.paste(Image.fromarray(_gray(ramp)).resize((box.width, box.height)), (box.left, box.top))
    pen.rectangle((box.left, box.top, box.left + box.width, box.top + box.height), outline=INK)
    for value in np.linspace(1.0 - HALF_RANGE, 1.0 + HALF_RANGE, 7):
        y = box.top + box.height * (1.0 + HALF_RANGE - value) / (2.0 * HALF_RANGE)
        pen.line((box.left + box.width, y, box.left + box.width + 5, y), fill=INK)
        _write(pen, (box.left + box.width + 9, y), f"{value:.2f}", size=15, anchor="lm")
    _write(pen, (box.left + box.width / 2, box.top + box.height + 18), "sky / true sky", size=15)


def _levels(pen: ImageDraw, comparison: Comparison, box: Box) -> None:
    """Draw the chips' levels over WF3's, in per cent, with their errors."""
    names = [name for name in CHIP_NAMES if name in comparison.panels[0].levels]
    bases = [panel.levels["WF3"].mean for panel in comparison.panels]
    points = [
        [(100 * (panel.levels[n].mean / base - 1), 100 * panel.levels[n].error / base) for n in names]
        for panel, base in zip(comparison.panels, bases, strict=True)
    ]
    reach = 1.2 * max(abs(value) + error for row in points for value, error in row) or 1.0

    def height(value: float) -> float:
        return box.top + box.height * (0.5 - 0.5 * value / reach)

    pen.rectangle((box.left, box.top, box.left + box.width, box.top + box.height), outline=FAINT)
    pen.line((box.left, height(0.0), box.left + box.width, height(0.0)), fill=FAINT)
    for value in (-reach / 1.2, 0.0, reach / 1.2):
        _write(pen, (box.left - 8, height(value)), f"{value:.1f}", size=15, anchor="rm")
    _write(pen, (box.left, box.top - 14), "chip level over WF3's, less one [%]", size=15, anchor="lm")
    step = box.width / len(names)
    for j, name in enumerate(names):
        _write(pen, (box.left + (j + 0.5) * step, box.top + box.height + 16), name)
    for i, (panel, row) in enumerate(zip(comparison.panels, points, strict=True)):
        color = COLORS[panel.key]
        for j, (value, error) in enumerate(row):
            x, y = box.left + (j + 0.5 + 0.14 * (i - 0.5 * (len(points) - 1))) * step, height(value)
            for end in (height(value - error), height(value + error)):
                pen.line((x, y, x, end), fill=color, width=2)
                pen.line((x - 6, end, x + 6, end), fill=color, width=2)
            pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=color)
        line = box.top + box.height + 46 + 28 * i
        pen.ellipse((box.left + 4, line - 6, box.left + 16, line + 6), fill=color)
        _write(pen, (box.left + 26, line), f"{panel.title}: spread {100 * panel.spread:.2f} %", anchor="lm")


def block_mean(image: NDArray[np.floating], block: int) -> NDArray[np.float64]:
    """Return the mean of each ``block`` x ``block`` square, NaN aside; NaN where less than half is there."""
    ny, nx = (-(-length // block) * block for length in image.shape)
    padded = np.full((ny, nx), np.nan)
    padded[: image.shape[0], : image.shape[1]] = image
    squares = padded.reshape(ny // block, block, nx // block, block)
    good = np.isfinite(squares).sum(axis=(1, 3))
    total = np.nansum(squares, axis=(1, 3))
    return np.where(good >= 0.5 * block * block, total / np.maximum(good, 1), np.nan)
