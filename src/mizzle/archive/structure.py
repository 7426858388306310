"""Is this a whole FITS file? Headers, sizes and data sums, walked without reading more than needed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from mizzle.archive.names import shown
from mizzle.errors import InputError

BLOCK = 2880
_CARD = 80
_MOST_BLOCKS = 4000
_STRIDE = BLOCK * 365

Cards = dict[str, str | int | float | bool]


class _BrokenError(Exception):
    """Carries what is wrong, until the file's name is known."""


def _value(text: str) -> str | int | float | bool | None:
    """Read the value field of a card (FITS 4.0, section 4.2)."""
    text = text.strip()
    if text.startswith("'"):
        end = 1
        while (end := text.find("'", end)) >= 0 and text[end + 1 : end + 2] == "'":
            end += 2
        if end < 0:
            raise _BrokenError("a text without a closing quote")
        return text[1:end].replace("''", "'").rstrip()
    word = text.split("/")[0].strip()
    if word in {"T", "F"}:
        return word == "T"
    for kind in (int, float):
        try:
            return kind(word.replace("D", "E"))
        except ValueError:
            continue
    return None


def _header(stream: BinaryIO, first: bytes) -> Cards:
    """Read a header, its first block given; return its cards."""
    cards: Cards = {}
    block, count = first, 1
    while True:
        if len(block) < BLOCK:
            raise _BrokenError("it ends inside a header")
        if any(byte < 32 or byte > 126 for byte in set(block)):
            raise _BrokenError("a header holds bytes that are not text")
        text = block.decode("ascii")
        for start in range(0, BLOCK, _CARD):
            card = text[start : start + _CARD]
            if card.rstrip() == "END":
                return cards
            if card[8:10] == "= ":
                value = _value(card[10:])
                if value is not None:
                    cards.setdefault(card[:8].rstrip(), value)
        if count == _MOST_BLOCKS:
            raise _BrokenError("a header without an end")
        block = stream.read(BLOCK)
        count += 1


def _integer(cards: Cards, name: str, low: int, high: int, default: int | None = None) -> int:
    value = cards.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _BrokenError(f"{name} is {shown(value, 30)}, needed a whole number from {low} to {high}")
    return value


def _data_bytes(cards: Cards) -> int:
    """Return the length of the data that belong to a header (FITS 4.0, equations 1, 2 and 4)."""
    bitpix = _integer(cards, "BITPIX", -64, 64)
    if bitpix not in {8, 16, 32, 64, -32, -64}:
        raise _BrokenError(f"BITPIX is {bitpix}")
    axes = [_integer(cards, f"NAXIS{i + 1}", 0, 1 << 40) for i in range(_integer(cards, "NAXIS", 0, 999))]
    if not axes:
        return 0
    if axes[0] == 0 and cards.get("GROUPS") is True:
        axes = axes[1:]
    pixels = 1
    for side in axes:
        pixels *= side
    extra = _integer(cards, "PCOUNT", 0, 1 << 40, 0)
    return abs(bitpix) // 8 * _integer(cards, "GCOUNT", 1, 1 << 40, 1) * (extra + pixels)


def data_sum(data: bytes, start: int = 0) -> int:
    """Add big-endian 32-bit words in ones' complement, as DATASUM does (FITS 4.0, appendix J).

    Examples
    --------
    >>> data_sum(b"\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x02")
    2
    """
    total = start + int(np.frombuffer(data, dtype=">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _data(stream: BinaryIO, length: int, cards: Cards) -> None:
    """Read over the data of one unit, padding included, and hold them against DATASUM."""
    left = -(-length // BLOCK) * BLOCK
    total, wanted = 0, cards.get("DATASUM")
    while left:
        part = stream.read(min(left, _STRIDE))
        if not part:
            raise _BrokenError(f"truncated, {left} bytes are missing")
        if len(part) % 4:
            raise _BrokenError("truncated")
        total = data_sum(part, total)
        left -= len(part)
    if isinstance(wanted, str) and wanted.isdigit() and int(wanted) != total:
        raise _BrokenError(f"the data sum is {total}, the header says {wanted}")


def _walk(stream: BinaryIO) -> Cards:
    primary: Cards = {}
    unit = 0
    while block := stream.read(BLOCK):
        name = "SIMPLE  =" if unit == 0 else "XTENSION="
        if not block.startswith(name.encode()):
            raise _BrokenError(
                "it does not begin as FITS" if unit == 0 else f"after unit {unit} comes no FITS extension"
            )
        cards = _header(stream, block)
        if unit == 0 and cards.get("SIMPLE") is not True:
            raise _BrokenError("SIMPLE is not T")
        _data(stream, _data_bytes(cards), cards)
        primary = primary or cards
        unit += 1
    if unit == 0:
        raise _BrokenError("it is empty")
    return primary


def check_fits(source: Path | bytes, where: str) -> Mapping[str, str | int | float | bool]:
    """Walk a whole FITS file (``.gz`` too) and return the cards of its primary header.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.
    where : str
        Its name, for the message.

    Raises
    ------
    InputError
        Not FITS, truncated, something behind the last unit, impossible sizes, or a DATASUM that does not fit.
    """
    return _opened(source, where, _walk)


def primary_header(path: Path) -> Mapping[str, str | int | float | bool]:
    """Return the cards of the primary header of a FITS file (``.gz`` too), reading no more than that.

    Raises
    ------
    InputError
        Missing, or it does not begin as FITS.
    """
    return _opened(path, str(path), _first)


def _first(stream: BinaryIO) -> Cards:
    block = stream.read(BLOCK)
    if not block.startswith(b"SIMPLE  ="):
        raise _BrokenError("it does not begin as FITS")
    return _header(stream, block)


def _opened(source: Path | bytes, where: str, read: Callable[[BinaryIO], Cards]) -> Cards:
    """Open a file or its content, unpacked where it is packed, and say what is wrong with it by name."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=stream) as plain:
                    return read(cast(BinaryIO, plain))
            return read(stream)
    except _BrokenError as problem:
        raise InputError(f"{where}: not a whole FITS file: {problem}; fetch it again", file=where) from None
    except (OSError, EOFError, zlib.error) as problem:
        raise InputError(f"{where}: cannot be read: {shown(problem)}; fetch it again", file=where) from None
