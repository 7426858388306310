"""The cards of a header, split at once and read when asked for; astropy reads what is not plain.

A header of the archive has a thousand cards, of which a run asks for thirty. astropy looks at each as it takes a header
apart, and at its own configuration for each value: that costs more than reading the pixels.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_CARD = 80
#: Value and comment of a card with a plain value: a text, a truth value, an integer or a decimal number.
_VALUE = re.compile(
    r" *(?:'(?P<text>(?:[^']|'')*)'|(?P<truth>[TF])"
    r"|(?P<whole>[+-]?\d+)|(?P<real>[+-]?(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?)) *(?:/.*)?$"
)
_KEYWORD = re.compile(r"[A-Z0-9_-]+$")


class LazyCard:
    """A card whose value is read when it is asked for.

    Parameters
    ----------
    keyword, image : str
        Keyword, and the whole card.
    """

    __slots__ = ("image", "keyword")

    def __init__(self, keyword: str, image: str) -> None:
        self.keyword, self.image = keyword, image

    @property
    def value(self) -> Any:
        """Value, as astropy reads it."""
        match = _VALUE.match(self.image, 10)
        if match is None:
            from astropy.io.fits import Card

            return Card.fromstring(self.image).value
        text, truth, whole = match["text"], match["truth"], match["whole"]
        if text is not None:
            return text.replace("''", "'").rstrip()
        if truth is not None:
            return truth == "T"
        return int(whole) if whole is not None else float(match["real"].replace("D", "E"))


class PlainCards(NamedTuple):
    """A header as far as `FrozenHeader` looks at one."""

    cards: list[Any]


def split_cards(header: bytes) -> PlainCards | None:
    """Return the cards of a header; None where it is not plain text, or texts go on from card to card: only
    astropy puts those together.

    Parameters
    ----------
    header : bytes
        Blocks of a header, nothing but text.
    """
    from astropy.io.fits import Card

    try:
        text = header.decode("ascii")
    except UnicodeDecodeError:
        return None
    cards: list[Any] = []
    for start in range(0, len(text), _CARD):
        image = text[start : start + _CARD]
        name = image[:8].rstrip()
        if name == "END" and not image[8:].strip():
            break
        if name in ("CONTINUE", "HIERARCH"):
            return None
        if name in ("", "COMMENT", "HISTORY"):
            continue
        # In some texts with ``: `` astropy finds a keyword of their own.
        plain = image[8:10] == "= " and ": " not in image and _KEYWORD.match(name)
        cards.append(LazyCard(name, image) if plain else Card.fromstring(image))
    return PlainCards(cards)
