"""A FITS header that can be changed: cards stay as they stand in the file, byte for byte, until one is replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mizzle.errors import SettingsError
from mizzle.io.cards import CARD, COMMENTARY, LazyCard, keyword_of
from mizzle.io.header_cards import card_images, whole_blocks

_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}")


class EditableHeader(Mapping[str, Any]):
    """The cards of one header; what is not changed keeps its bytes.

    Keywords may be written in small letters. Of a repeated keyword the first counts; a card without a value counts as
    absent, as in `FrozenHeader`.

    Parameters
    ----------
    images : iterable of str
        Cards of 80 characters, without END.
    """

    def __init__(self, images: Iterable[str] = ()) -> None:
        self.images = list(images)
        self._places: dict[str, int] | None = None

    @classmethod
    def of_bytes(cls, blocks: bytes) -> EditableHeader:
        """Split the blocks of a header; bytes that are not ASCII come back as they were."""
        text = blocks.decode("latin-1")
        images = []
        for start in range(0, len(text), CARD):
            image = text[start : start + CARD]
            if image.startswith("END") and not image[3:].strip():
                break
            images.append(image)
        return cls(images)

    def to_bytes(self) -> bytes:
        """Return the header as it stands in a file, whole blocks."""
        return whole_blocks(self.images)

    @property
    def cards(self) -> list[LazyCard]:
        """The cards, in order."""
        return [LazyCard(keyword_of(image), image) for image in self.images]

    def __getitem__(self, keyword: str) -> Any:
        name = _proper(keyword)
        value = LazyCard(name, self.images[self._find()[name]]).value
        if not isinstance(value, str | int | float):
            raise KeyError(keyword)
        return value

    def __contains__(self, keyword: object) -> bool:
        return isinstance(keyword, str) and _proper(keyword) in self._find() and self.get(keyword) is not None

    def __iter__(self) -> Iterator[str]:
        return (keyword for keyword in self._find() if keyword in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __setitem__(self, keyword: str, value: Any) -> None:
        """Replace a card, or put one at the end, before comments.

        The value is ``(value, comment)``, or a value alone, which keeps the comment.

        Raises
        ------
        SettingsError
            No FITS keyword.
        """
        name = keyword.upper()
        if not _KEYWORD.fullmatch(name):
            raise SettingsError(
                f"{keyword!r} is no FITS keyword; needed 1 to 8 letters, digits, - or _", keyword=keyword
            )
        place = self._find().get(name)
        if isinstance(value, tuple):
            value, comment = value
        else:
            comment = "" if place is None else LazyCard(name, self.images[place]).comment
        (image,) = card_images([(name, value, comment)])
        if place is None:
            self.extend([image])
        else:
            self.images[place] = image

    def extend(self, images: Iterable[str]) -> None:
        """Put cards at the end, before comments that stand there."""
        end = len(self.images)
        while end and self.images[end - 1][:8].rstrip() in COMMENTARY:
            end -= 1
        self.images[end:end] = images
        self._places = None

    def remove(self, keyword: str, ignore_missing: bool = False) -> None:
        """Take the first card of a keyword out.

        Raises
        ------
        KeyError
            There is none, and `ignore_missing` is not set.
        """
        place = self._find().get(keyword.upper())
        if place is None:
            if ignore_missing:
                return
            raise KeyError(keyword)
        del self.images[place]
        self._places = None

    def _find(self) -> dict[str, int]:
        """Return where the first card of each keyword is."""
        if self._places is None:
            places: dict[str, int] = {}
            for place, image in enumerate(self.images):
                places.setdefault(keyword_of(image), place)
            self._places = places = {keyword: place for keyword, place in places.items() if keyword not in COMMENTARY}
        return self._places


def _proper(keyword: str) -> str:
    """Return a keyword in capitals; the fields of record-valued cards may have small letters."""
    name, dot, field = keyword.partition(".")
    return name.upper() + dot + field
