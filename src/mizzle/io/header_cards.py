"""Headers built of cards, and the cards of a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from mizzle.io.cards import BLOCK, CARD, COMMENTARY
from mizzle.model import Grid

if TYPE_CHECKING:
    from astropy.io import fits

Card = tuple[str, Any, str]

#: Longest text on one card, its quotes doubled, and longest number.
_LONGEST_TEXT, _NUMBER_WIDTH = 68, 20


class CardImage(str):
    """A card of 80 characters that is to stand as it is: a number may have more digits than astropy writes."""

    __slots__ = ()


def printable(value: Any) -> Any:
    """Return a value FITS can hold: hostile control characters become blanks, texts fit one card."""
    if isinstance(value, str):
        return "".join(sign if " " <= sign <= "~" else " " for sign in value)[:66]
    return value.item() if isinstance(value, np.generic) else value


def make_header(cards: Iterable[Card]) -> fits.Header:
    """Build a header of `card_images`."""
    from astropy.io import fits

    return fits.Header.fromstring("".join(card_images(cards)))


def card_images(cards: Iterable[Card]) -> list[str]:
    """Return cards as they stand in a file, 80 characters each, as astropy writes them (FITS 4.0, section 4.2).

    Numbers that are not finite are left out, FITS has no way to write them; a text is cut where its card ends. A
    keyword with a dot is a record-valued card, as D2IM2.AXIS.1.

    Parameters
    ----------
    cards : iterable of (keyword, value, comment)
        Values that are texts, numbers or truth values, of NumPy too; a `CardImage` stands as it is.
    """
    images = []
    for keyword, value, comment in cards:
        if isinstance(value, CardImage):
            images.append(f"{value:80}")
        elif not isinstance(value, float | np.floating) or math.isfinite(value):
            images.append(_image(keyword, value, comment))
    return images


def header_bytes(cards: Iterable[Card]) -> bytes:
    """Return a header as it stands in a file: `whole_blocks` of `card_images`."""
    return whole_blocks(card_images(cards))


def whole_blocks(images: Iterable[str]) -> bytes:
    """Return cards with their end, and blanks up to whole blocks; bytes that are not ASCII stay as they were."""
    text = "".join((*images, f"{'END':{CARD}}"))
    return (text + " " * (-len(text) % BLOCK)).encode("latin-1")


def array_cards(shape: tuple[int, ...], kind: np.dtype[Any], *, extension: bool = False) -> list[Card]:
    """Return the cards that describe an array, which a header begins with (FITS 4.0, sections 4.4.1 and 7.1).

    Parameters
    ----------
    shape : tuple of int
        Of the array; empty where there is none.
    kind : dtype
        Of its numbers, one that FITS has.
    extension : bool
        Whether it is an image extension; else the file's first header.
    """
    first: Card = (
        ("XTENSION", "IMAGE", "Image extension") if extension else ("SIMPLE", True, "conforms to FITS standard")
    )
    bits = 8 * kind.itemsize * (-1 if kind.kind == "f" else 1)
    counts: list[Card] = [("PCOUNT", 0, "number of parameters"), ("GCOUNT", 1, "number of groups")]
    return [
        first,
        ("BITPIX", bits, "array data type"),
        ("NAXIS", len(shape), "number of array dimensions"),
        *((f"NAXIS{axis}", side, "") for axis, side in enumerate(reversed(shape), 1)),
        *(counts if extension else []),
    ]


def _image(keyword: str, value: Any, comment: str) -> str:
    """Return one card; a comment is cut where the card ends."""
    if "." in keyword:
        keyword, field = keyword.split(".", 1)
        value = f"{field}: {value!r}"
    shown = printable(value)
    if keyword in COMMENTARY:
        return f"{keyword:8}{shown}"[:CARD].ljust(CARD)
    if isinstance(shown, str):
        text = shown.replace("'", "''")
        if len(text) > _LONGEST_TEXT:  # never half of a doubled quote
            text = text[: _LONGEST_TEXT - text[:_LONGEST_TEXT].count("'") % 2]
        quoted = f"'{text:8}'" if text else "''"
        start = f"{keyword:8}= {quoted:20}" if text else f"{keyword:8}= {quoted}"
    else:
        word = str(shown)[0] if isinstance(shown, bool) else number_text(shown)
        start = f"{keyword:8}= {word:>20}"
    return (f"{start} / {comment}" if comment and len(start) < CARD - 3 else start)[:CARD].ljust(CARD)


def number_text(value: float) -> str:
    """Return a number in at most 20 characters, as astropy has it: digits that find no room are left out.

    Examples
    --------
    >>> number_text(-1.2345678901234567e-05), number_text(1.5), number_text(7)
    ('-1.2345678901234E-05', '1.5', '7')
    """
    text = str(value).replace("e", "E")
    if len(text) <= _NUMBER_WIDTH:
        return text
    digits, letter, power = text.partition("E")
    return digits[: _NUMBER_WIDTH - len(letter + power)] + letter + power


def grid_cards(grid: Grid) -> list[Card]:
    """Return the WCS of a product as cards; those of another image as that has them."""
    if grid.header:
        images = [grid.header[start : start + 80] for start in range(0, len(grid.header), 80)]
        cards: list[Card] = [(image[:8].rstrip(), CardImage(image), "") for image in images]
        extra: list[Card] = [
            ("ORIENTAT", grid.orientation(), "[deg] position angle of the y axis"),
            ("WCSNAME", "MIZZLE", "common grid"),
        ]
        return [*cards, *(card for card in extra if card[0] not in {keyword for keyword, _, _ in cards})]
    return [
        ("WCSAXES", 2, "number of axes"),
        ("CTYPE1", "RA---TAN", "gnomonic"),
        ("CTYPE2", "DEC--TAN", "gnomonic"),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CRVAL1", float(grid.crval[0]), "[deg] right ascension of the reference pixel"),
        ("CRVAL2", float(grid.crval[1]), "[deg] declination of the reference pixel"),
        ("CRPIX1", float(grid.crpix[0]), "[pixel] reference pixel, x"),
        ("CRPIX2", float(grid.crpix[1]), "[pixel] reference pixel, y"),
        ("CD1_1", float(grid.cd[0, 0]), "[deg/pixel]"),
        ("CD1_2", float(grid.cd[0, 1]), "[deg/pixel]"),
        ("CD2_1", float(grid.cd[1, 0]), "[deg/pixel]"),
        ("CD2_2", float(grid.cd[1, 1]), "[deg/pixel]"),
        ("RADESYS", grid.radesys, "frame of the coordinates, as in the input headers"),
        *([("EQUINOX", 2000.0, "equinox")] if grid.radesys == "FK5" else []),
        ("ORIENTAT", grid.orientation(), "[deg] position angle of the y axis"),
        ("WCSNAME", "MIZZLE", "common grid"),
    ]
