"""Maps of a product: background, weight, number of exposures, and the pixels the page carries."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Floats
from mizzle.model import Context
from mizzle.report.stretch import block_mean, encode, factor_for, sky_statistics

#: Bytes an observed pixel takes in the page: 6 bits of noise entropy, in base64.
BYTES_PER_PIXEL = 1.05
#: A cell's level is the mean of its pixels within so many sigma of their median; this share of them lies lower than one
#: sigma below it.
CLIP, BELOW = 5.0, 0.1587
#: Pixels whose background is measured together.
_TOGETHER = 2**22


def pack(array: NDArray[Any]) -> str:
    """Return an array's bytes, deflated, as base64 text.

    Run-length matching with Huffman codes: camera noise has no longer matches, and the search for them is the cost.
    """
    squeezer = _Squeezer()
    squeezer.add(array)
    return squeezer.text()


class _Squeezer:
    """What `pack` does, for an array that comes in pieces."""

    def __init__(self) -> None:
        self._squeezer = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
        self._parts: list[bytes] = []

    def add(self, array: NDArray[Any]) -> None:
        """Take the next piece."""
        self._parts.append(self._squeezer.compress(np.ascontiguousarray(array).data))

    def text(self) -> str:
        """End, and return what all pieces make."""
        return base64.b64encode(b"".join([*self._parts, self._squeezer.flush()])).decode("ascii")


def science_layer(sci: Floats, budget: float) -> dict[str, Any]:
    """Return an image as the page carries it, averaged down where it would not fit.

    Parameters
    ----------
    sci : (ny, nx) array
        Rates; NaN where nothing was observed.
    budget : float
        Room [bytes].
    """
    observed = float(np.isfinite(sci[::4, ::4]).mean()) * sci.size * BYTES_PER_PIXEL
    factor = 1
    while observed / factor**2 > budget:
        factor += 1
    codes, scale = encode(block_mean(sci, factor))
    ny, nx = codes.shape
    return {"factor": factor, "nx": nx, "ny": ny, "scale": scale, "data": pack(codes)}


def weight_layer(wht: Floats, longest: int = 560) -> dict[str, Any]:
    """Return the weight map in 255 even steps up to its maximum."""
    factor = factor_for((wht.shape[0], wht.shape[1]), longest)
    small = block_mean(wht, factor, positive=True)
    top = float(np.nanmax(small)) if np.isfinite(small).any() else 1.0
    codes = np.where(np.isfinite(small), np.nan_to_num(small) / max(top, 1e-30) * 254 + 1.5, 0)
    ny, nx = small.shape
    return {"factor": factor, "nx": nx, "ny": ny, "top": top, "data": pack(codes.astype(np.uint8))}


def context_layer(context: Context, bits: int, room: int = 400_000_000) -> dict[str, Any]:
    """Return the context image, every k-th pixel of it where it is enormous, byte by byte.

    Eight chips make a plane of bytes: such planes have long runs, and take a tenth of the room of whole words. Each is
    deflated by itself, so that neither we nor a phone ever hold more than one.

    Parameters
    ----------
    context : Context
        One bit per input chip.
    bits : int
        Input chips; bytes without any are left out.
    room : int
        Most bytes before deflating.
    """
    used = -(-bits // 8)
    size = context.planes[0].shape[0] * context.planes[0].shape[1]
    step = max(1, int(np.ceil(np.sqrt(size * used / room))))
    ny, nx = (len(range(step // 2, side, step)) for side in context.planes[0].shape)
    packed: list[Any] = []
    for plane in context.planes:
        shifts = range(0, 8 * min(4, used - len(packed)), 8)
        squeezers = [_Squeezer() for _ in shifts]
        for words in plane.samples(step):
            for shift, squeezer in zip(shifts, squeezers, strict=True):
                squeezer.add((words >> shift).astype(np.uint8))
        packed += [squeezer.text() for squeezer in squeezers]
    return {"step": step, "ny": ny, "nx": nx, "planes": packed}


def chip_classes(ctx: NDArray[np.int32], context: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.bool_]]:
    """Return, for each chip, where any exposure of it contributed."""
    planes = ctx[None] if ctx.ndim == 2 else ctx
    masks: dict[str, NDArray[np.uint32]] = {}
    for bit, entry in enumerate(context):
        words = masks.setdefault(str(entry["chip"]), np.zeros(planes.shape[0], dtype=np.uint32))
        words[bit // 32] |= np.uint32(1) << np.uint32(bit % 32)
    classes = {}
    for name, words in masks.items():
        hit = np.zeros(planes.shape[1:], dtype=bool)
        for plane, word in zip(planes, words, strict=True):
            hit |= (plane.view(np.uint32) & word) != 0
        classes[name] = hit
    return classes


def exposure_count(context: Context, inputs: Sequence[Mapping[str, Any]], step: int) -> NDArray[np.uint16]:
    """Return how many exposures made each `step`-th pixel (two chips of one exposure count once)."""
    sample = context.sampled(step).view(np.uint32)
    roots: dict[str, list[int]] = {}
    for bit, entry in enumerate(inputs):
        roots.setdefault(str(entry["root"]), []).append(bit)
    count = np.zeros(sample.shape[1:], dtype=np.uint16)
    for bits in roots.values():
        hit = np.zeros(count.shape, dtype=bool)
        for plane in {bit // 32 for bit in bits}:
            word = np.uint32(sum(1 << (bit % 32) for bit in bits if bit // 32 == plane))
            hit |= (sample[plane] & word) != 0
        count += hit
    return count


def background(sci: Floats, block: int) -> Floats:
    """Return the level of each ``block x block`` cell, from a quarter of its pixels.

    It is their mean within `CLIP` sigma of their median, sigma being that of the darker half: the median itself lies
    below the mean of few electrons, on large pixels more than on small ones, and is noisier. Cells with fewer than half
    their pixels observed are NaN.
    """
    ny, nx = (sci.shape[0] // block, sci.shape[1] // block)
    together = max(1, _TOGETHER // max(1, nx * block * block))
    parts = [
        _cell_levels(sci[first * block : min(first + together, ny) * block, : nx * block], block)
        for first in range(0, max(1, ny), together)
    ]
    return np.concatenate(parts)


def _cell_levels(sci: Floats, block: int) -> Floats:
    """Return `background` of whole cells."""
    ny, nx = (sci.shape[0] // block, sci.shape[1] // block)
    step = 2 if block >= 6 else 1
    cut = sci.reshape(ny, block, nx, block)[:, ::step, :, ::step]
    cells = cut.transpose(0, 2, 1, 3).reshape(ny, nx, -1)
    cells = np.sort(cells, axis=2)  # NaN last
    count = np.isfinite(cells).sum(axis=2)
    last = cells.shape[2] - 1

    def ranked(rank: NDArray[np.intp]) -> Floats:
        return np.take_along_axis(cells, np.clip(rank, 0, last)[..., None], 2)

    middle = 0.5 * (ranked((count - 1) // 2) + ranked(count // 2))
    sigma = middle - ranked(np.rint(BELOW * (count - 1)).astype(np.intp))
    near = np.abs(cells - middle) <= CLIP * sigma
    level = np.where(near, cells, 0.0).sum(axis=2) / np.maximum(near.sum(axis=2), 1)
    return np.where(count * 2 >= cells.shape[2], level, np.nan)


def without_stars(level: Floats) -> Floats:
    """Return the background with its bright cells filled from around, smoothed over 5 x 5 cells.

    Parameters
    ----------
    level : (ny, nx) array
        Background by cell; NaN where nothing was observed.

    Returns
    -------
    smooth : (ny, nx) array
        Mean of the cells within 4 sigma of the sky among 5 x 5 neighbors, among 11 x 11 where fewer than six are;
        NaN where `level` is NaN, or where there is no sky at all.
    """
    middle, scatter = sky_statistics(level)
    with np.errstate(invalid="ignore"):
        good = np.abs(level - middle) < 4 * scatter
    clean = np.where(good, level, 0.0)
    near, wide = ((_box_sum(clean, r), _box_sum(good.astype(float), r)) for r in (2, 5))
    total, count = (np.where(near[1] >= 6, a, b) for a, b in zip(near, wide, strict=True))
    return np.where(np.isfinite(level) & (count > 0), total / np.maximum(count, 1), np.nan)


def _box_sum(values: Floats, reach: int) -> Floats:
    """Sum over the square of ``2 reach + 1`` cells around each cell."""
    ny, nx = values.shape
    sums = np.zeros((ny + 1, nx + 1))
    np.cumsum(np.cumsum(values, axis=0), axis=1, out=sums[1:, 1:])
    y, x = np.arange(ny)[:, None], np.arange(nx)[None, :]
    y0, y1 = np.maximum(y - reach, 0), np.minimum(y + reach + 1, ny)
    x0, x1 = np.maximum(x - reach, 0), np.minimum(x + reach + 1, nx)
    total: Floats = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return total


def grown(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return `mask` grown by `reach` cells in every direction (a square)."""
    return _box_sum(mask.astype(float), reach) > 0.5


DIVERGING = ((38, 84, 124), (120, 160, 186), (236, 230, 218), (206, 142, 104), (150, 62, 34))
SEQUENTIAL = ((244, 238, 224), (214, 196, 150), (150, 158, 128), (70, 112, 118), (26, 48, 78))


def colored(values: Floats, low: float, high: float, *, ramp: Sequence[tuple[int, int, int]]) -> str:
    """Return a map as a PNG data address; NaN is transparent; the first row is at the bottom.

    Parameters
    ----------
    values : (ny, nx) array
        The map.
    low, high : float
        Ends of the color ramp.
    ramp : sequence of RGB
        Evenly spaced colors.
    """
    from PIL import Image

    stops = np.linspace(0, 254, len(ramp))
    table = np.stack([np.interp(np.arange(255), stops, np.array(ramp)[:, c]) for c in range(3)], axis=1)
    palette = np.concatenate([np.zeros((1, 3)), table]).astype(np.uint8)
    span = high - low if high > low else 1.0
    fraction = np.clip((np.nan_to_num(values) - low) / span, 0, 1)
    index = np.where(np.isfinite(values), fraction * 254 + 1, 0).astype(np.uint8)[::-1]
    picture = Image.fromarray(np.ascontiguousarray(index))
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=0, compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
