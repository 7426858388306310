"""The cards of a header, split at once and read when asked for; astropy reads what is not plain.

A header of the archive has a thousand cards, of which a run asks for thirty. astropy looks at each as it takes a header
apart, and at its own configuration for each value: that costs more than reading the pixels.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

#: Characters of a card, and bytes that a header or its data fill up to (FITS 4.0, section 3.3).
CARD, BLOCK = 80, 2880
#: Keywords of cards without a value.
COMMENTARY = frozenset({"", "COMMENT", "HISTORY"})
#: Value and comment of a card with a plain value: a text, a truth value, an integer or a decimal number.
_VALUE = re.compile(
    r" *(?:'(?P<text>(?:[^']|'')*)'|(?P<truth>[TF])"
    r"|(?P<whole>[+-]?\d+)|(?P<real>[+-]?(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?)) *(?:/(?P<comment>.*))?$"
)
#: A record-valued card: a text that is the name of a field and a number (FITS WCS Paper IV draft).
_FIELD = r"[A-Za-z_]\w*(?:\.\d+)?"
_RECORD = re.compile(
    rf" *'(?P<field>{_FIELD}(?:\.{_FIELD})*): +(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?) *'"
    r" *(?:/(?P<comment>.*))?$"
)
_KEYWORD = re.compile(r"[A-Z0-9_-]+$")
_OTHERS = frozenset({*COMMENTARY, "CONTINUE", "HIERARCH"})
#: What `LazyCard.plain` says of a card that only astropy can read.
ODD = object()


class LazyCard:
    """A card whose value is read when it is asked for.

    Parameters
    ----------
    keyword, image : str
        Keyword, that of a record-valued card with its field, and the whole card.
    """

    __slots__ = ("image", "keyword")

    def __init__(self, keyword: str, image: str) -> None:
        self.keyword, self.image = keyword, image

    @property
    def value(self) -> Any:
        """Value, as astropy reads it."""
        value = self.plain()
        if value is ODD:
            from astropy.io.fits import Card

            return Card.fromstring(self.image).value
        return value

    def plain(self) -> Any:
        """Return a plain value; `ODD` where there is none."""
        if "." in self.keyword:
            record = _RECORD.match(self.image, 10)
            return ODD if record is None else float(record["number"].replace("D", "E"))
        match = _VALUE.match(self.image, 10)
        if match is None:
            return ODD
        text, truth, whole = match["text"], match["truth"], match["whole"]
        if text is not None:
            return text.replace("''", "'").rstrip()
        if truth is not None:
            return truth == "T"
        return int(whole) if whole is not None else float(match["real"].replace("D", "E"))

    @property
    def comment(self) -> str:
        """Comment of a plain card; empty for others."""
        match = (_RECORD if "." in self.keyword else _VALUE).match(self.image, 10)
        return (match["comment"] or "").strip() if match else ""


class PlainCards(NamedTuple):
    """Cards in the form in which `FrozenHeader` takes them from astropy, without astropy."""

    cards: list[Any]


def keyword_of(image: str) -> str:
    """Return the keyword of a card; that of a record-valued one has its field after a dot.

    Examples
    --------
    >>> keyword_of("D2IM2   = 'EXTVER: 1.0'"), keyword_of("CRVAL1  = 1.5")
    ('D2IM2.EXTVER', 'CRVAL1')
    """
    keyword = image[:8].rstrip()
    if ": " in image and image[8:10] == "= ":
        record = _RECORD.match(image, 10)
        if record is not None:
            return f"{keyword}.{record['field']}"
    return keyword


def split_cards(header: bytes) -> PlainCards | None:
    """Return the cards of a header; None where it is not plain text, or texts go on from card to card: only
    astropy puts those together.

    Parameters
    ----------
    header : bytes
        Blocks of a header, nothing but text.
    """
    try:
        text = header.decode("ascii")
    except UnicodeDecodeError:
        return None
    cards: list[Any] = []
    for start in range(0, len(text), CARD):
        image = text[start : start + CARD]
        name = image[:8].rstrip()
        if image[8:10] == "= " and _KEYWORD.match(name) and name not in _OTHERS:
            cards.append(LazyCard(keyword_of(image) if ": " in image else name, image))
        elif name == "END" and not image[8:].strip():
            break
        elif name in ("CONTINUE", "HIERARCH"):
            return None
        elif name not in COMMENTARY:
            cards.append(_odd_card(image))
    return PlainCards(cards)


def _odd_card(image: str) -> Any:
    """Return a card as only astropy reads it."""
    from astropy.io.fits import Card

    return Card.fromstring(image)
