"""Headers built of cards, and the cards of a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from mizzle.io.input_table import printable
from mizzle.model import Grid

if TYPE_CHECKING:
    from astropy.io import fits

Card = tuple[str, Any, str]


class CardImage(str):
    """A card of 80 characters that is to stand as it is: a number may have more digits than astropy writes."""

    __slots__ = ()


def make_header(cards: Iterable[Card]) -> fits.Header:
    """Build a header; numbers that are not finite are left out, FITS has no way to write them."""
    from astropy.io import fits

    header = fits.Header()
    for keyword, value, comment in cards:
        if isinstance(value, float | np.floating) and not math.isfinite(value):
            continue
        if isinstance(value, CardImage):
            header.append(fits.Card.fromstring(value), end=True)
        elif "." in keyword:  # a record-valued card, as D2IM2.AXIS.1
            name, field = keyword.split(".", 1)
            header.append(fits.Card(name, f"{field}: {value!r}", comment), end=True)
        else:
            shown = printable(value)
            header.append(fits.Card(keyword, shown, comment[: _room(shown)]), end=True)
    return header


def _room(value: Any) -> int:
    """Return how many characters of comment fit on the card of `value`: 80 less keyword, value and slash."""
    width = len(value.replace("'", "''")) + 2 if isinstance(value, str) else 20
    return max(0, 80 - 10 - max(width, 20) - 3)


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
