"""Is this a whole FITS file, and where is what in it? Headers, sizes and data sums, read no further than needed."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from mizzle.errors import InputError
from mizzle.io.cards import BLOCK, CARD
from mizzle.io.regular import EXPOSURE_LIMIT, Inflated, is_gzip, not_fits, open_regular, reason

#: A header of 72 000 cards is no header; drizzled products of hundreds of exposures have 20 000.
_MOST_BLOCKS = 2000
_MOST_UNITS = 2000
_STRIDE = BLOCK * 365
_END = b"END".ljust(CARD)
#: Kinds of extension of the standard and of its registry, and what the archive's files call their headerlets.
_EXTENSIONS = frozenset({"IMAGE", "TABLE", "BINTABLE", "A3DTABLE", "IUEIMAGE", "FOREIGN", "DUMP"}) | {
    "NONSTANDARD",
    "HDRLET",
    "FITS",
}
_TEXT = bytes(range(32, 127))
#: What the sizes of a unit are made of.
_SIZES = frozenset(
    ["SIMPLE", "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "GROUPS", "DATASUM", "ZIMAGE", "ZSIMPLE"]
    + [f"NAXIS{i}" for i in range(1, 1000)]
)

Cards = dict[str, str | int | float | bool]


class _BrokenError(Exception):
    """Carries what is wrong, until the file's name is known."""


class _Stream(Protocol):
    """What can be read forward."""

    def read(self, length: int, /) -> bytes:
        """Return `length` bytes, fewer at the end."""


@dataclass(frozen=True)
class FitsUnit:
    """One unit of a FITS file: a header and its data.

    Parameters
    ----------
    header : bytes
        The header, whole blocks.
    cards : mapping
        Those of its keywords that say how long the data are.
    start : int
        Byte where the data begin, of the unpacked file.
    length : int
        Bytes of the data, without padding.
    """

    header: bytes
    cards: Mapping[str, str | int | float | bool]
    start: int
    length: int

    @property
    def padded(self) -> int:
        """Bytes of the data, with padding."""
        return -(-self.length // BLOCK) * BLOCK


def _value(text: str) -> str | int | float | bool | None:
    """Read the value field of a card (FITS 4.0, section 4.2)."""
    text = text.strip()
    if text.startswith("'"):
        end = 1
        while (end := text.find("'", end)) >= 0 and text[end + 1 : end + 2] == "'":
            end += 2
        if end < 0:
            return None  # a card without a value; real reference files have some
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


def _cards(header: bytes, wanted: frozenset[str] | None = None) -> Cards:
    """Return the value cards of a header; of a repeated keyword the first counts."""
    cards: Cards = {}
    text = header.decode("ascii")
    for start in range(0, len(text), CARD):
        if text[start + 8 : start + 10] != "= ":
            continue
        keyword = text[start : start + 8].rstrip()
        if (wanted is None or keyword in wanted) and keyword not in cards:
            value = _value(text[start + 10 : start + CARD])
            if value is not None:
                cards[keyword] = value
    return cards


def _ends(block: bytes) -> bool:
    """Tell whether a block holds the END card."""
    place = block.find(_END)
    while place >= 0 and place % CARD:
        place = block.find(_END, place + 1)
    return place >= 0


def _header(stream: _Stream, first: bytes) -> bytes:
    """Read a header, its first block given."""
    blocks = [first]
    while True:
        block = blocks[-1]
        if len(block) < BLOCK:
            raise _BrokenError("truncated, it ends inside a header")
        if block.translate(None, _TEXT):
            raise _BrokenError("a header holds bytes that are not text (its END is missing, or it is damaged)")
        if len(blocks) > 1 and block.startswith((b"XTENSION=", b"SIMPLE  =")):
            raise _BrokenError("a header without an END runs into the next one")
        if _ends(block):
            return b"".join(blocks)
        if len(blocks) == _MOST_BLOCKS:
            raise _BrokenError("a header without an END")
        blocks.append(stream.read(BLOCK))


def _integer(cards: Cards, name: str, low: int, *, high: int, default: int | None = None) -> int:
    value = cards.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _BrokenError(f"{name} is {str(value)[:30]}, needed a whole number from {low} to {high}")
    return value


def _data_bytes(cards: Cards) -> int:
    """Return the length of the data that belong to a header (FITS 4.0, equations 1, 2 and 4)."""
    bitpix = _integer(cards, "BITPIX", -64, high=64)
    if bitpix not in {8, 16, 32, 64, -32, -64}:
        raise _BrokenError(f"BITPIX is {bitpix}")
    axes = [_integer(cards, f"NAXIS{i + 1}", 0, high=1 << 40) for i in range(_integer(cards, "NAXIS", 0, high=999))]
    if not axes:
        return 0
    if axes[0] == 0 and cards.get("GROUPS") is True:
        axes = axes[1:]
    pixels = 1
    for side in axes:
        pixels *= side
    extra = _integer(cards, "PCOUNT", 0, high=1 << 40, default=0)
    return abs(bitpix) // 8 * _integer(cards, "GCOUNT", 1, high=1 << 40, default=1) * (extra + pixels)


def data_sum(data: bytes | memoryview, start: int = 0) -> int:
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


def stated_sum(cards: Mapping[str, str | int | float | bool]) -> int | None:
    """Return DATASUM, where a header has one."""
    stated = cards.get("DATASUM")
    return int(stated) if isinstance(stated, str) and stated.isdecimal() else None


def _missing(unit: FitsUnit, count: int) -> str:
    """Say that the data of a unit are not all there."""
    sides = [str(unit.cards.get(f"NAXIS{i + 1}")) for i in range(int(unit.cards.get("NAXIS", 0)))]
    return f"truncated, {count} bytes of an array of {' x '.join(sides)} are missing"


def _sum_data(stream: _Stream, unit: FitsUnit) -> None:
    """Read over the data of one unit, padding included, and hold them against DATASUM."""
    left, total = unit.padded, 0
    while left:
        part = stream.read(min(left, _STRIDE))
        if not part:
            raise _BrokenError(_missing(unit, left))
        if len(part) % 4:
            raise _BrokenError("truncated")
        total = data_sum(part, total)
        left -= len(part)
    stated = stated_sum(unit.cards)
    if stated is not None and stated != total:
        raise _BrokenError(f"the data sum is {total}, the header says {stated}")


def _walk(stream: _Stream, pass_data: Callable[[_Stream, FitsUnit], None]) -> tuple[FitsUnit, ...]:
    """Go from unit to unit; `pass_data` leaves the stream behind the data of one, padding included."""
    units: list[FitsUnit] = []
    place = 0
    while block := stream.read(BLOCK):
        name = "XTENSION=" if units else "SIMPLE  ="
        if not block.startswith(name.encode()):
            raise _BrokenError(f"after unit {len(units)} comes no FITS extension" if units else not_fits(block))
        header = _header(stream, block)
        cards = _cards(header, _SIZES)
        _check_kind(cards, len(units))
        place += len(header)
        unit = FitsUnit(header, cards, place, _data_bytes(cards))
        pass_data(stream, unit)
        place += unit.padded
        units.append(unit)
    if not units:
        raise _BrokenError("it is empty")
    return tuple(units)


def _check_kind(cards: Cards, index: int) -> None:
    """Refuse a unit that is not what its place in the file demands."""
    if index == 0 and cards.get("SIMPLE") is not True:
        raise _BrokenError("SIMPLE is not T")
    if index and cards.get("XTENSION") not in _EXTENSIONS:
        raise _BrokenError(f"XTENSION of unit {index} is {str(cards.get('XTENSION'))[:20]!r}, no kind of extension")
    if index == _MOST_UNITS:
        raise _BrokenError(f"more than {_MOST_UNITS} extensions")


def check_fits(source: Path | bytes, where: str) -> Mapping[str, str | int | float | bool]:
    """Walk a whole FITS file (``.gz`` too), data sums included, and return the cards of its primary header.

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
    with _told(where), _unpacked(source) as stream:
        return _cards(_walk(stream, _sum_data)[0].header)


def find_units(path: Path, limit: int = EXPOSURE_LIMIT) -> tuple[tuple[FitsUnit, ...], bytes | None]:
    """Walk a FITS file and say where everything is.

    Parameters
    ----------
    path : Path
        Plain or packed with gzip, whatever its name.
    limit : int
        Most bytes, unpacked.

    Returns
    -------
    units : tuple of FitsUnit
        In the order of the file.
    content : bytes or None
        The unpacked file, where it was packed.

    Raises
    ------
    InputError
        As for `check_fits`; data sums are not looked at.
    """
    with _told(str(path)), open_regular(path, limit) as stream:
        packed = is_gzip(stream.read(2))
        stream.seek(0)
        if packed:
            kept = _Kept(Inflated(stream, limit), limit)
            return _walk(kept, _Kept.keep), kept.content()
        size = os.fstat(stream.fileno()).st_size
        return _walk(stream, lambda _, unit: _skip(stream, unit, size)), None


def units_in(content: bytes, where: str) -> tuple[FitsUnit, ...]:
    """Say where everything is in a FITS file that is in memory.

    Parameters
    ----------
    content : bytes
        The file, unpacked.
    where : str
        Its name, for the message.

    Raises
    ------
    InputError
        As for `check_fits`; data sums are not looked at.
    """
    with _told(where), io.BytesIO(content) as stream:
        return _walk(stream, lambda _, unit: _skip(stream, unit, len(content)))


def _skip(stream: BinaryIO, unit: FitsUnit, size: int) -> None:
    """Step over the data of a unit that are there."""
    end = unit.start + unit.padded
    if end > size:
        raise _BrokenError(_missing(unit, end - size))
    stream.seek(end)


class _Kept:
    """A stream that keeps what went through it."""

    def __init__(self, stream: Inflated, limit: int) -> None:
        self._stream, self._limit = stream, limit
        self._parts: list[bytes] = []

    def read(self, length: int, /) -> bytes:
        """Return `length` bytes, fewer at the end."""
        part = self._stream.read(length)
        self._parts.append(part)
        return part

    @staticmethod
    def keep(stream: _Stream, unit: FitsUnit) -> None:
        """Read the data of a unit; their size is looked at before they are."""
        limit = getattr(stream, "_limit", EXPOSURE_LIMIT)
        if unit.start + unit.padded > limit:
            raise _BrokenError(
                f"{unit.start + unit.padded} bytes announced; no file of this kind has more than {limit}"
            )
        left = unit.padded
        while left:
            part = stream.read(min(left, _STRIDE))
            if not part:
                raise _BrokenError(_missing(unit, left))
            left -= len(part)

    def content(self) -> bytes:
        """Return everything that went through."""
        return b"".join(self._parts)


def primary_header(path: Path) -> Mapping[str, str | int | float | bool]:
    """Return the cards of the primary header of a FITS file (``.gz`` too), reading no more than that.

    Raises
    ------
    InputError
        Missing, or it does not begin as FITS.
    """
    with _told(str(path)), _unpacked(path) as stream:
        block = stream.read(BLOCK)
        if not block.startswith(b"SIMPLE  ="):
            raise _BrokenError(not_fits(block))
        return _cards(_header(stream, block))


@contextmanager
def _unpacked(source: Path | bytes) -> Iterator[_Stream]:
    """Open a file or its content, unpacked where it is packed."""
    with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as stream:
        packed = is_gzip(stream.read(2))
        stream.seek(0)
        yield Inflated(stream, EXPOSURE_LIMIT) if packed else stream


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Say what is wrong with a file by name."""
    try:
        yield
    except _BrokenError as problem:
        remedy = "" if ";" in str(problem) else "; fetch it again"  # some say themselves what helps
        raise InputError(f"{where}: not a whole FITS file: {problem}{remedy}", file=where) from None
    except (EOFError, zlib.error) as problem:
        raise InputError(
            f"{where}: compressed file is damaged: {reason(problem)}; fetch it again", file=where
        ) from None
    except (OSError, OverflowError) as problem:
        raise InputError(f"{where}: cannot be read: {reason(problem)}", file=where) from None
