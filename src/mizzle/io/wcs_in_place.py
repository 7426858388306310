"""Writing the frames of chips into the headers of their own file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mizzle.geometry.keywords import (
    Card,
    TableExtension,
    alternate_cards,
    frame_cards,
    is_wcs_keyword,
    next_letter,
    table_cards,
    table_extensions,
)
from mizzle.instrument.wfpc2 import CHIP_NUMBERS
from mizzle.io.cards import keyword_of
from mizzle.io.editable import EditableFile, EditableUnit
from mizzle.io.editable_header import EditableHeader
from mizzle.io.header_cards import card_images
from mizzle.io.rewriting import chip_units
from mizzle.io.wcs_history import record_history
from mizzle.model import ChipFrame


def write_frames(
    hdus: EditableFile,
    frames: Mapping[str, ChipFrame],
    more: Mapping[str, Iterable[Card]] | None = None,
    *,
    archive: bool = True,
) -> None:
    """Give each chip's image a new primary WCS; the old one is kept as an alternate, and both in ``WCSCORR``.

    Parameters
    ----------
    hdus : EditableFile
        A ``c0m`` or an ``flt``.
    frames : mapping
        Frame by chip name; chips without one stay as they are.
    more : mapping, optional
        More cards by chip name: how the WCS was found.
    archive : bool
        Keep the old primary WCS: the first one as ``O``, later ones under the next free letter.
    """
    science = chip_units(hdus)
    others = [chip_units(hdus, (name,)) for name in ("ERR", "DQ")]
    tables: list[TableExtension] = []
    for chip, frame in frames.items():
        number = CHIP_NUMBERS[chip]
        cards = [*frame_cards(frame, lookup_version=number), *(more or {}).get(chip, ())]
        _replace(science[chip], cards, archive=archive)
        for units in others:
            if chip in units:
                _replace(units[chip], _linear(cards), archive=False)
        tables += table_extensions(frame, number)
    _put_lookups(hdus, tables)
    record_history(hdus, {chip: science[chip] for chip in frames}, CHIP_NUMBERS)
    hdus[0].header["NEXTEND"] = len(hdus) - 1


def write_image_frame(hdu: EditableUnit, frame: ChipFrame, more: Iterable[Card] = (), *, archive: bool = True) -> None:
    """Give one image without distortion (a drizzled one) a new primary WCS; the old one is kept as an alternate.

    Parameters
    ----------
    hdu : EditableUnit
        The image.
    frame : ChipFrame
        Its linear part is written.
    more : iterable of (keyword, value, comment)
        More cards: how the WCS was found.
    archive : bool
        Keep the old primary WCS, as `write_frames` does.
    """
    _replace(hdu, [*_linear(frame_cards(frame)), *more], archive=archive)


def _replace(hdu: EditableUnit, cards: list[Card], *, archive: bool) -> None:
    """Put `cards` in place of the primary WCS of one header."""
    new = [*(_archived(hdu.header) if archive else []), *cards]
    names = {keyword.split(".")[0] for keyword, _, _ in new}
    clean = EditableHeader(image for image in hdu.header.images if not _is_replaced(image, names))
    clean.images += card_images(new)
    hdu.header = clean


def _is_replaced(image: str, names: set[str]) -> bool:
    """Return whether a card is of the primary WCS, or one that a new card replaces."""
    keyword = keyword_of(image)
    return keyword in names or is_wcs_keyword(keyword)


def _archived(header: EditableHeader) -> list[Card]:
    """Return the primary WCS of a header as an alternate; nothing where an alternate holds it already.

    The polynomial stays in the header, so the alternate may go on saying that it has one.
    """
    letter = next_letter(header)
    cards = [card for card in alternate_cards(header, letters=(letter,)) if letter and card[0] not in header]
    kinds = {f"CTYPE{i}{letter}": header.get(f"CTYPE{i}") for i in (1, 2)}
    return [(keyword, kinds.get(keyword) or value, comment) for keyword, value, comment in cards]


def _linear(cards: Iterable[Card]) -> list[Card]:
    """Return the cards of the linear WCS, for planes that go with the science image."""
    words = ("WCSAXES", "CTYPE", "CUNIT", "CRVAL", "CRPIX", "CD", "RADESYS", "EQUINOX", "ORIENTAT", "WCSNAME")
    linear = []
    for keyword, value, comment in cards:
        if keyword.startswith(words):
            linear.append((keyword, str(value).removesuffix("-SIP") if keyword.startswith("CTYPE") else value, comment))
    return linear


def _put_lookups(hdus: EditableFile, tables: Iterable[TableExtension]) -> None:
    """Put row terms in place of those of an earlier call."""
    hdus.drop("D2IMARR", "WCSDVARR")
    for extension in tables:
        cards = table_cards(extension.table, extension.version, extension.name)
        hdus.append(EditableUnit.of_image(np.asarray(extension.table.data), cards))
