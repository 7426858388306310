"""The picture of a product: a readable stretch inside coordinate axes, as PNG.

Drawn with Pillow and its built-in face: a tenth of a plotting library's time, and no font cache to build.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from mizzle.errors import SettingsError
from mizzle.io.run_id import KEYWORD
from mizzle.model.frame import Grid
from mizzle.report.axes import Axes, sky_axes
from mizzle.report.stretch import block_mean, factor_for, stretched

PAPER = (250, 248, 243)
INK = (38, 36, 34)
FAINT = (120, 114, 106)
EMPTY = np.array([226, 221, 211], dtype=np.uint8)  # nothing was observed: neutral, neither sky nor star
OVERLAY = (120, 150, 190, 90)
MARK = (222, 138, 32)  # reads on black sky and on the neutral tone alike


@dataclass(frozen=True)
class Style:
    """Numbers a picture is drawn with; from ``settings.report``."""

    longest: int = 1400
    softening: float = 3.0
    white: float = 99.7


@dataclass(frozen=True)
class Caption:
    """Words around a picture, and the word in its metadata that tells which run made it."""

    title: str
    subtitle: str = ""
    run_id: str = ""


def binned_grid(grid: Grid, factor: int) -> Grid:
    """Return the frame of an image binned by `factor`; the sky stays where it is."""
    if factor == 1:
        return grid
    ny, nx = grid.shape
    crpix = (grid.crpix - 0.5) / factor + 0.5
    return Grid(grid.crval, crpix, grid.cd * factor, (-(-ny // factor), -(-nx // factor)))


def gray(levels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Turn 0..1 levels into an RGB raster, first row at the top; NaN becomes the neutral tone."""
    flipped = levels[::-1]
    empty = ~np.isfinite(flipped)
    tone = (np.where(empty, 0, flipped) * 255 + 0.5).astype(np.uint8)
    raster = np.empty((*tone.shape, 3), dtype=np.uint8)
    for channel, neutral in enumerate(EMPTY):
        raster[:, :, channel] = np.where(empty, neutral, tone)
    return raster


def draw_product(sci: NDArray[np.float32], grid: Grid, caption: Caption, *, style: Style | None = None) -> bytes:
    """Draw one mosaic.

    Parameters
    ----------
    sci : (ny, nx) array
        Rates; NaN where nothing was observed.
    grid : Grid
        Its pixels on the sky.
    caption : Caption
        Title and second line.
    style : Style, optional
        Size and stretch.

    Returns
    -------
    png : bytes
        The file.
    """
    style = style or Style()
    factor = factor_for(grid.shape, style.longest)
    small = block_mean(sci, factor)
    levels = stretched(small, softening=style.softening, white=style.white)
    return draw_raster(gray(levels), binned_grid(grid, factor), caption)


def draw_raster(raster: NDArray[np.uint8], grid: Grid, caption: Caption) -> bytes:
    """Draw an RGB raster (first row at the top) inside the coordinate axes of `grid` (y upward)."""
    ny, nx = grid.shape
    unit = max(ny, nx) / 1000.0
    size = max(11, round(17 * unit))
    font, large = _face(size), _face(round(size * 1.5))
    left, bottom = round(size * 8.2), round(size * 4.2)
    top, right = round(size * 4.6), round(size * 2.4)
    canvas = Image.new("RGB", (left + nx + right, top + ny + bottom), PAPER)
    axes = sky_axes(grid)
    canvas.paste(_with_lines(raster, axes, grid), (left, top))
    draw = ImageDraw.Draw(canvas)
    frame = (left - 1, top - 1, left + nx, top + ny)
    draw.rectangle(frame, outline=INK, width=max(1, size // 12))
    draw.text((left, top - size * 3.4), _plain(caption.title), font=large, fill=INK)
    draw.text((left, top - size * 1.5), _plain(caption.subtitle), font=font, fill=FAINT)
    _draw_labels(draw, axes, (left, top, nx, ny), font=font)
    _draw_side_name(canvas, axes.left_name, (left, top, ny), font=font)
    draw.text((left + nx / 2, top + ny + size * 2.4), axes.bottom_name, font=font, fill=FAINT, anchor="ma")
    _draw_compass(draw, grid, (left, top), font=font)
    buffer = io.BytesIO()
    facts = PngInfo()
    if caption.run_id:
        facts.add_text(KEYWORD, caption.run_id)
    canvas.save(buffer, "PNG", compress_level=1, pnginfo=facts)
    return buffer.getvalue()


def _face(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's built-in scalable face."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # a Pillow built without FreeType
        raise SettingsError(
            "Pillow was built without FreeType, which the picture's labels need; install Pillow from a wheel,"
            " or use --set output.image=false"
        )
    return font


def _plain(text: str) -> str:
    """Return one line of printable text: a header may hold anything."""
    dashes = str.maketrans("–—−", "---")  # the built-in face knows Latin-1
    words = "".join(c if c.isprintable() and ord(c) < 256 else "?" for c in text[:200].translate(dashes))
    return words if len(words) <= 90 else words[:87] + "..."


def _with_lines(raster: NDArray[np.uint8], axes: Axes, grid: Grid) -> Image.Image:
    """Return the raster under a faint coordinate grid."""
    base = Image.fromarray(raster, "RGB") if raster.ndim == 3 else Image.fromarray(raster).convert("RGB")
    draw = ImageDraw.Draw(base, "RGBA")
    height = grid.shape[0] - 1
    for line in axes.lines:
        points = [(float(x), float(height - y)) for x, y in line]
        draw.line(points, fill=OVERLAY, width=1)
    return base


def _draw_labels(
    draw: ImageDraw.ImageDraw, axes: Axes, box: tuple[int, int, int, int], *, font: ImageFont.FreeTypeFont
) -> None:
    """Write tick marks and labels; a label that would touch the one before it is left out."""
    left, top, _, ny = box
    size = int(font.size)
    mark = size // 2
    last = -1e9
    for tick in sorted(axes.bottom, key=lambda t: t.position):
        x = left + tick.position + 0.5
        draw.line((x, top + ny, x, top + ny + mark), fill=INK)
        width = font.getlength(tick.label)
        if x - width / 2 > last + size:
            draw.text((x, top + ny + mark * 1.5), tick.label, font=font, fill=INK, anchor="ma")
            last = x + width / 2
    last = -1e9
    for tick in sorted(axes.left, key=lambda t: -t.position):
        y = top + ny - 0.5 - tick.position
        draw.line((left - 1 - mark, y, left - 1, y), fill=INK)
        if y - size > last:
            draw.text((left - mark * 2, y), tick.label, font=font, fill=INK, anchor="rm")
            last = y + size * 0.6


def _draw_side_name(canvas: Image.Image, name: str, box: tuple[int, int, int], *, font: ImageFont.FreeTypeFont) -> None:
    """Write the name of the left side, turned by a quarter."""
    _, top, ny = box
    size = int(font.size)
    label = Image.new("RGB", (int(font.getlength(name)) + size, round(size * 1.6)), PAPER)
    ImageDraw.Draw(label).text((size // 2, 2), name, font=font, fill=FAINT)
    label = label.rotate(90, expand=True)
    canvas.paste(label, (round(size * 0.15), top + (ny - label.height) // 2))


def _draw_compass(
    draw: ImageDraw.ImageDraw, grid: Grid, origin: tuple[int, int], *, font: ImageFont.FreeTypeFont
) -> None:
    """Draw north and east, and a bar of round length, in the lower corners."""
    left, top = origin
    ny, nx = grid.shape
    size = float(font.size)
    inverse = np.linalg.inv(grid.cd)
    center = np.array([left + nx - size * 4.2, top + ny - size * 4.2])
    for name, axis in (("N", 1), ("E", 0)):
        arrow = inverse[:, axis] / np.hypot(*inverse[:, axis]) * np.array([1, -1])
        tip, far = center + arrow * size * 2.3, center + arrow * size * 3.2
        draw.line((*center, *tip), fill=MARK, width=max(1, round(size / 8)))
        draw.text(tuple(far), name, font=font, fill=MARK, anchor="mm")
    choices = np.array([0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300])
    length = float(choices[np.argmin(np.abs(choices / grid.scale - nx * 0.18))])
    x0, y0, x1 = left + size * 1.6, top + ny - size * 1.6, left + size * 1.6 + length / grid.scale
    draw.line((x0, y0, x1, y0), fill=MARK, width=max(2, round(size / 6)))
    text = f'{length:g}"'
    draw.text(((x0 + x1) / 2, y0 - size * 0.4), text, font=font, fill=MARK, anchor="mb")
