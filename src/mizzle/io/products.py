"""Writing the product: ``NAME_drz.fits``."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from mizzle.io.atomic import whole_file
from mizzle.io.cards import BLOCK
from mizzle.io.header_cards import Card, array_cards, grid_cards, header_bytes, make_header
from mizzle.io.input_table import input_table
from mizzle.io.product_cards import Units, UnitScale, photometry_cards, primary_cards, scale_cards, unit_scale
from mizzle.io.product_names import SEPARATE
from mizzle.io.tiled import write_tiled_context
from mizzle.model import Context, Exposure, Mosaic, Zeropoint

#: Pixels written at a time.
_PIECE = 2**20


def write_mosaic(
    path: str | Path,
    mosaic: Mosaic,
    exposures: Iterable[Exposure],
    *,
    zeropoint: Zeropoint,
    extra: Iterable[Card] = (),
    compress: Literal["none", "context", "all"] = "none",
    units: Units = "rate",
    all_keywords: bool = False,
) -> Path:
    """Write a mosaic with its weights, errors, context, table of inputs and the proof of its zeropoint.

    Parameters
    ----------
    path : str or Path
        Name of the product; it appears whole or not at all.
    mosaic : Mosaic
        The image.
    exposures : iterable of Exposure
        What went in.
    zeropoint : Zeropoint
        The proof.
    extra : iterable of (keyword, value, comment)
        More cards for the primary header; they stand first.
    compress : str
        Images that are tile-compressed, without loss: ``none``, ``context`` or ``all``.
    units : str
        Of SCI and ERR: ``rate``, or ``counts`` or ``electrons`` in EXPTIME.
    all_keywords : bool
        The table holds every keyword of the inputs.

    Returns
    -------
    path : Path
        As given.
    """
    inputs = [exposure for exposure in exposures if exposure.filter == mosaic.filter]
    scale = unit_scale(mosaic, inputs[0].camera.unit, units)
    first = list(extra)
    named = {card[0] for card in first}
    own = [card for card in primary_cards(mosaic, inputs, zeropoint, scale=scale) if card[0] not in named]
    with whole_file(path) as stream:
        stream.write(header_bytes([*array_cards((), np.dtype(np.uint8)), ("EXTEND", True, ""), *first, *own]))
        for name, image, cards in _planes(mosaic, scale):
            if isinstance(image, Context) and compress != "none":
                write_tiled_context(stream, image, cards, name=name)
            elif not isinstance(image, Context) and compress == "all":
                stream.write(_packed(_untouchable(image), cards, name))
            else:
                write_image(stream, image, cards, name=name)
        stream.write(input_table(mosaic, inputs, all_keywords=all_keywords))
    return Path(path)


def write_separate(
    folder: str | Path,
    stem: str,
    mosaic: Mosaic,
    *,
    exposures: Iterable[Exposure],
    zeropoint: Zeropoint,
    extra: Iterable[Card] = (),
    units: Units = "rate",
) -> list[Path]:
    """Write SCI, ERR, WHT and CTX as files of one image each, all cards with the image.

    Parameters
    ----------
    folder, stem : str or Path, str
        Where, and the start of the names.
    mosaic, exposures, zeropoint, extra, units
        As in `write_mosaic`.
    """
    inputs = [exposure for exposure in exposures if exposure.filter == mosaic.filter]
    scale = unit_scale(mosaic, inputs[0].camera.unit, units)
    shared = [
        card for card in primary_cards(mosaic, inputs, zeropoint, scale=scale) if card[0] not in ("BUNIT", "UNITSCAL")
    ]
    paths = []
    for name, image, cards in _planes(mosaic, scale):
        path = Path(folder) / f"{stem}{SEPARATE[name]}"
        with whole_file(path) as stream:
            write_image(stream, image, [*extra, *shared, *cards])
        paths.append(path)
    return paths


def _planes(mosaic: Mosaic, scale: UnitScale) -> list[tuple[str, NDArray[Any] | Context, list[Card]]]:
    """Return the images of a product, each with its cards."""
    grid, unit, scaled = grid_cards(mosaic.grid), scale.unit, scale_cards(scale)
    sci, err = (_filled(mosaic, image, scale.factor) for image in (mosaic.sci, mosaic.err))
    return [
        ("SCI", sci, [*photometry_cards(mosaic, scale), *scaled, *grid]),
        ("ERR", err, [("BUNIT", unit, "1 sigma per pixel"), *scaled, *grid]),
        ("WHT", mosaic.wht, [("WHTTYPE", mosaic.weight_type, "what the weight is"), *grid]),
        ("CTX", mosaic.context, [("BUNIT", "UNITLESS", "one bit per input chip"), *grid]),
    ]


def product_image(mosaic: Mosaic, units: Units) -> NDArray[np.float32]:
    """Return SCI of a product in some unit, filled where nothing covers it."""
    return _filled(mosaic, mosaic.sci, unit_scale(mosaic, "", units).factor)


def write_image(stream: BinaryIO, image: NDArray[Any] | Context, cards: Iterable[Card], *, name: str = "") -> None:
    """Write an image piece by piece, as the first of a file or as an extension.

    Parameters
    ----------
    stream : binary file
        Written to, at its end.
    image : array or Context
        Pixels.
    cards : iterable of (keyword, value, comment)
        Those beside the cards that describe the array.
    name : str
        EXTNAME of an extension, whose EXTVER is 1; without it the image is the file's first.
    """
    # A context is never there as a whole.
    kind = np.dtype(np.int32) if isinstance(image, Context) else image.dtype
    own: list[Card] = [("EXTNAME", name, "extension name"), ("EXTVER", 1, "extension value")] if name else []
    stream.write(header_bytes([*array_cards(image.shape, kind, extension=bool(name)), *cards, *own]))
    for piece in _pieces(image):
        stream.write(piece.astype(piece.dtype.newbyteorder(">")).data)
    stream.write(bytes(-math.prod(image.shape) * kind.itemsize % BLOCK))


def _pieces(image: NDArray[Any] | Context) -> Iterator[NDArray[Any]]:
    """Return the pixels of an image in order, some at a time."""
    if isinstance(image, Context):
        for plane in image.planes:
            ny, nx = plane.shape
            step = max(1, _PIECE // max(1, nx))
            yield from (plane.rows(first, min(first + step, ny)) for first in range(0, ny, step))
        return
    flat = image.reshape(-1)
    yield from (flat[first : first + _PIECE] for first in range(0, flat.size, _PIECE))


def _packed(array: NDArray[Any], cards: Iterable[Card], name: str) -> bytes:
    """Return an image in tiles compressed by gzip, which give back every bit: it is not quantized."""
    from astropy.io import fits

    header = make_header([*cards, ("EXTVER", 1, "")])
    hdu = fits.CompImageHDU(array, header=header, name=name, compression_type="GZIP_2", quantize_level=0.0)
    whole, alone = io.BytesIO(), fits.PrimaryHDU()
    fits.HDUList([alone, hdu]).writeto(whole)
    return whole.getvalue()[len(alone.header.tostring()) :]


def _untouchable(array: NDArray[Any]) -> NDArray[Any]:
    """Return a locked view: astropy turns the bytes of writeable arrays around while it writes, under others' eyes."""
    view = array.view()
    view.flags.writeable = False
    return view


def _filled(mosaic: Mosaic, image: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Return `image` times `factor`, with the wanted value where nothing covers the product."""
    if factor != 1.0:
        image = image * np.float32(factor)
    if np.isnan(mosaic.fill):
        return image
    return np.where(mosaic.wht > 0, image, np.float32(mosaic.fill))
