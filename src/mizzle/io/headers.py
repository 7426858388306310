"""Headers as frozen mappings, and keywords checked once: present, of the right kind, within sense."""

from __future__ import annotations

import datetime
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from mizzle.errors import InputError
from mizzle.io.cards import COMMENTARY, ODD, LazyCard
from mizzle.model import HeaderValue
from mizzle.model.sky import MJD_EPOCH


def keyword_text(header: Mapping[str, HeaderValue], name: str) -> str:
    """Return a keyword as upper-case text without blanks around it; empty where it is absent."""
    return str(header.get(name, "")).strip().upper()


class FrozenHeader(Mapping[str, HeaderValue]):
    """The value cards of a FITS header, read-only; a card is parsed when it is first asked for.

    A run asks for thirty of a thousand cards, and parsing costs more than reading the pixels. Cards without a value
    count as absent, commentary is left out, and of a repeated keyword the first counts.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Any header; not kept, only its cards are.
    where : str
        File and extension, for messages.

    Raises
    ------
    InputError
        A keyword cannot be read; later, when a value is asked for that cannot be read.
    """

    def __init__(self, header: Any, where: str) -> None:
        self._where = where
        self._values: dict[str, HeaderValue | None] = {}
        self._cards: dict[str, Any] = {}
        try:
            for card in header.cards:
                keyword = card.keyword
                if keyword not in COMMENTARY:
                    self._cards.setdefault(keyword, card)
        except ValueError as problem:
            raise InputError(f"{where}: a header card cannot be read: {problem}", file=where) from problem

    def __reduce__(self) -> tuple[Any, ...]:
        return _header_of_cards, (self._where, {name: str(card.image) for name, card in self._cards.items()})

    @classmethod
    def of(cls, values: Mapping[str, HeaderValue], where: str) -> FrozenHeader:
        """Return a header of these values, as if it had been read from a file at `where`."""
        from astropy.io.fits import Card

        made = cls.__new__(cls)
        made._where, made._values = where, {}
        made._cards = {name: Card(name, value) for name, value in values.items()}
        return made

    def _value(self, name: str) -> HeaderValue | None:
        """Return a card's value; None where there is no card, or no value on it."""
        if name not in self._values:
            card = self._cards.get(name)
            self._values[name] = None if card is None else self._parse(name, card)
        return self._values[name]

    def _parse(self, name: str, card: Any) -> HeaderValue | None:
        value = card.plain() if isinstance(card, LazyCard) else ODD
        if value is ODD:
            value = self._odd_value(name, card)
        return value if isinstance(value, str | int | float | bool) else None

    def _odd_value(self, name: str, card: Any) -> Any:
        """Return the value that astropy reads."""
        from astropy.io.fits import VerifyError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd but readable cards warn; what matters is the value
                return card.value
        except (ValueError, VerifyError) as problem:
            raise InputError(
                f"{self._where}: the card {name} cannot be read: {problem}", file=self._where, keyword=name
            ) from problem

    def __getitem__(self, name: str) -> HeaderValue:
        value = self._value(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._value(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._cards if self._value(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _header_of_cards(where: str, images: Mapping[str, str]) -> FrozenHeader:
    """Return a header made of card images: how a pickled one comes back, its cards parsed when asked for."""
    from astropy.io.fits import Card

    header = FrozenHeader.__new__(FrozenHeader)
    header._where, header._values = where, {}
    header._cards = {name: Card.fromstring(image) for name, image in images.items()}
    return header


class Keywords:
    """Reads keywords of one exposure and says exactly what is wrong with them.

    Parameters
    ----------
    where : str
        File, for the messages.
    *headers : mapping
        Searched in this order.
    """

    def __init__(self, where: str, *headers: Mapping[str, HeaderValue]) -> None:
        self.where = where
        self._headers = headers

    def find(self, name: str) -> HeaderValue | None:
        """Return the first value called `name`, or None."""
        for header in self._headers:
            if name in header:
                return header[name]
        return None

    def fail(self, name: str, value: object, needed: str) -> InputError:
        """Build the error for keyword `name`."""
        what = "is missing" if value is None else f"is {str(value)[:60]!r}"
        return InputError(f"{self.where}: {name} {what}; needed {needed}", file=self.where, keyword=name, found=value)

    def number(self, name: str, low: float, high: float, *, unit: str = "", default: float | None = None) -> float:
        """Return a finite number with ``low <= value <= high``.

        Raises
        ------
        InputError
            Missing (without `default`), not a number, or outside.
        """
        value = self.find(name)
        if value is None and default is not None:
            return default
        needed = f"a number from {low:g} to {high:g} {unit}".rstrip()
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise self.fail(name, value, needed) from None
        if value is None or isinstance(value, bool) or not math.isfinite(value) or not low <= value <= high:
            raise self.fail(name, value, needed)
        return float(value)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text, stripped.

        Raises
        ------
        InputError
            Missing (without `default`).
        """
        value = self.find(name)
        if value is None:
            if default is None:
                raise self.fail(name, None, "a text")
            return default
        return str(value).strip()


def start_time(keywords: Keywords) -> tuple[str, float]:
    """Return DATE-OBS as an ISO date, and the start of the exposure [MJD].

    EXPSTART is used where it is there and agrees with DATE-OBS to two days; the date alone otherwise.

    Raises
    ------
    InputError
        No readable date, or one outside the camera's life.
    """
    text = keywords.text("DATE-OBS")
    old = re.fullmatch(r"(\d\d)/(\d\d)/(\d\d)", text)  # dd/mm/yy, before the year 2000
    try:
        if old:
            date = datetime.datetime(1900 + int(old[3]), int(old[2]), int(old[1]))
        else:
            date = datetime.datetime.fromisoformat(text[:10])
    except ValueError:
        raise keywords.fail("DATE-OBS", text, "a date as 1997-06-13") from None
    if not datetime.datetime(1993, 1, 1) <= date <= datetime.datetime(2010, 12, 31):
        raise keywords.fail("DATE-OBS", text, "a date in WFPC2's life, 1993 to 2009")
    clock = re.fullmatch(r"(\d\d?):(\d\d):(\d\d)(\.\d*)?", keywords.text("TIME-OBS", "00:00:00"))
    seconds = 3600 * int(clock[1]) + 60 * int(clock[2]) + int(clock[3]) if clock else 0
    mjd = (date.date() - MJD_EPOCH).days + seconds / 86400
    stated = keywords.number("EXPSTART", 0, 1e6, unit="d", default=mjd)
    return date.date().isoformat(), stated if abs(stated - mjd) <= 2 else mjd
