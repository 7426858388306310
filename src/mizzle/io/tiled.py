"""The context of a product in compressed tiles, made plane by plane: unpacked it may be larger than all else."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.io.cards import BLOCK
from mizzle.io.header_cards import Card, header_bytes
from mizzle.model import Context
from mizzle.model.context import Words

#: Pixels that Rice's method codes together, and their bytes (FITS 4.0, section 10.4.1).
_RICE: tuple[Card, ...] = (
    ("ZCMPTYPE", "RICE_1", "compression algorithm"),
    ("ZNAME1", "BLOCKSIZE", ""),
    ("ZVAL1", 32, "pixels per block"),
    ("ZNAME2", "BYTEPIX", ""),
    ("ZVAL2", 4, "bytes per pixel"),
)


class Tiles(NamedTuple):
    """Compressed rows of an image.

    Parameters
    ----------
    sizes : (n,) int array
        Of each row's tile [byte].
    heap : bytes
        The tiles, one after the other.
    """

    sizes: NDArray[np.int64]
    heap: bytes


def write_tiled_context(stream: BinaryIO, context: Context, cards: Iterable[Card], *, name: str) -> None:
    """Write a context as an image extension in tiles of one row, compressed without loss by Rice's method.

    Parameters
    ----------
    stream : binary file
        Written to, at its end.
    context : Context
        Unpacked some rows at a time.
    cards : iterable of (keyword, value, comment)
        Those of the image beside the cards that describe it.
    name : str
        EXTNAME; EXTVER is 1.
    """
    # Compressed, all planes of many exposures take a few megabytes: a table of sizes stands before them in the file.
    pieces = [compress_rows(rows) for plane in context.planes for rows in plane.samples(1)]
    sizes = np.concatenate([piece.sizes for piece in pieces])
    places = np.cumsum(sizes) - sizes
    table = np.stack([sizes, places], axis=1).astype(">i4").tobytes()
    heap = sum(len(piece.heap) for piece in pieces)
    stream.write(header_bytes([*_table_cards(sizes, heap), *_image_cards(context.shape), *_RICE, *cards,
                               ("EXTNAME", name, "extension name"), ("EXTVER", 1, "extension value")]))  # fmt: skip
    stream.write(table)
    for piece in pieces:
        stream.write(piece.heap)
    stream.write(bytes(-(len(table) + heap) % BLOCK))


def compress_rows(rows: Words) -> Tiles:
    """Compress each row of an image by itself.

    Parameters
    ----------
    rows : (ny, nx) int32 array
        Pixels.
    """
    from astropy.io import fits

    packed = io.BytesIO()
    tiles = fits.CompImageHDU(rows, compression_type="RICE_1", tile_shape=(1, rows.shape[1]))
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(packed)
    whole = packed.getvalue()
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as opened:
        start = opened[1].fileinfo()["datLoc"]
        header = opened[1].header
    width = header["NAXIS1"] * header["NAXIS2"]
    content = whole[start : start + width + header["PCOUNT"]]
    sizes, places = np.frombuffer(content[:width], ">i4").reshape(len(rows), 2).T.astype(np.int64)
    heap = content[width:]
    return Tiles(sizes, b"".join(heap[place : place + size] for size, place in zip(sizes, places, strict=True)))


def _table_cards(sizes: NDArray[np.int64], heap: int) -> list[Card]:
    """Return the cards of a table of one column, the tiles, whose bytes follow it (FITS 4.0, section 10.1)."""
    return [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", 8, "width of table in bytes"),
        ("NAXIS2", sizes.size, "number of rows in table"),
        ("PCOUNT", heap, "bytes of the tiles"),
        ("GCOUNT", 1, "number of groups"),
        ("TFIELDS", 1, "number of fields in each row"),
        ("TTYPE1", "COMPRESSED_DATA", ""),
        ("TFORM1", f"1PB({int(sizes.max(initial=0))})", ""),
    ]


def _image_cards(shape: tuple[int, ...]) -> list[Card]:
    """Return the cards that say what the image was, and its tiles."""
    sides = list(enumerate(reversed(shape), 1))
    return [
        ("ZIMAGE", True, "extension contains compressed image"),
        ("ZTENSION", "IMAGE", "Image extension"),
        ("ZBITPIX", 32, "array data type"),
        ("ZNAXIS", len(shape), "number of array dimensions"),
        *((f"ZNAXIS{axis}", side, "") for axis, side in sides),
        ("ZPCOUNT", 0, "number of parameters"),
        ("ZGCOUNT", 1, "number of groups"),
        *((f"ZTILE{axis}", side if axis == 1 else 1, "size of tiles") for axis, side in sides),
    ]
