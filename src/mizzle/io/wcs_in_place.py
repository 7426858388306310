"""Writing the frames of chips into the headers of their own file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

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
from mizzle.io.header_cards import make_header
from mizzle.io.rewriting import chip_units
from mizzle.io.wcs_history import record_history
from mizzle.model import ChipFrame

if TYPE_CHECKING:
    from astropy.io import fits


def write_frames(
    hdus: fits.HDUList,
    frames: Mapping[str, ChipFrame],
    more: Mapping[str, Iterable[Card]] | None = None,
    *,
    archive: bool = True,
) -> None:
    """Give each chip's image a new primary WCS; the old one is kept as an alternate, and both in ``WCSCORR``.

    Parameters
    ----------
    hdus : HDUList
        A ``c0m`` or an ``flt``, in memory.
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


def write_image_frame(hdu: Any, frame: ChipFrame, more: Iterable[Card] = (), *, archive: bool = True) -> None:
    """Give one image without distortion (a drizzled one) a new primary WCS; the old one is kept as an alternate.

    Parameters
    ----------
    hdu : HDU
        In memory.
    frame : ChipFrame
        Its linear part is written.
    more : iterable of (keyword, value, comment)
        More cards: how the WCS was found.
    archive : bool
        Keep the old primary WCS, as `write_frames` does.
    """
    _replace(hdu, [*_linear(frame_cards(frame)), *more], archive=archive)


def _replace(hdu: Any, cards: list[Card], *, archive: bool) -> None:
    """Put `cards` in place of the primary WCS of one header."""
    from astropy.io import fits

    old = hdu.header
    names = {keyword.split(".")[0] for keyword, _, _ in cards}
    kept = _archived(old) if archive else []
    names |= {keyword for keyword, _, _ in kept}
    clean = [card for card in old.cards if not is_wcs_keyword(card.keyword) and card.keyword not in names]
    hdu.header = fits.Header([*clean, *make_header([*kept, *cards]).cards])


def _archived(header: Any) -> list[Card]:
    """Return the primary WCS of a header as an alternate; nothing where an alternate holds it already.

    The polynomial stays in the header, so the alternate may go on saying that it has one.
    """
    values = {card.keyword: card.value for card in header.cards if card.keyword}
    letter = next_letter(values)
    cards = [card for card in alternate_cards(values, letters=(letter,)) if letter and card[0] not in values]
    kinds = {f"CTYPE{i}{letter}": values.get(f"CTYPE{i}") for i in (1, 2)}
    return [(keyword, kinds.get(keyword) or value, comment) for keyword, value, comment in cards]


def _linear(cards: Iterable[Card]) -> list[Card]:
    """Return the cards of the linear WCS, for planes that go with the science image."""
    words = ("WCSAXES", "CTYPE", "CUNIT", "CRVAL", "CRPIX", "CD", "RADESYS", "EQUINOX", "ORIENTAT", "WCSNAME")
    linear = []
    for keyword, value, comment in cards:
        if keyword.startswith(words):
            linear.append((keyword, str(value).removesuffix("-SIP") if keyword.startswith("CTYPE") else value, comment))
    return linear


def _put_lookups(hdus: fits.HDUList, tables: Iterable[TableExtension]) -> None:
    """Put row terms in place of those of an earlier call."""
    from astropy.io import fits

    for index in reversed(range(1, len(hdus))):
        if str(hdus[index].header.get("EXTNAME", "")).strip().upper() in ("D2IMARR", "WCSDVARR"):
            del hdus[index]
    for extension in tables:
        cards = table_cards(extension.table, extension.version, extension.name)
        hdus.append(fits.ImageHDU(np.array(extension.table.data), header=make_header(cards)))
