"""Lists of positions, given in a call or in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mizzle.errors import InputError, SettingsError
from mizzle.io.atomic import write_text
from mizzle.io.text import read_text
from mizzle.stwcs.wcsutil import HSTWCS


@dataclass(frozen=True)
class Positions:
    """Two columns, and whether one position was meant."""

    first: list[Any]
    second: list[Any]
    single: bool

    def answer(self) -> tuple[Any, Any]:
        """Return lists, or one value each."""
        return (self.first[0], self.second[0]) if self.single else (self.first, self.second)


def wcs_of(name: str) -> HSTWCS:
    """Return the WCS of an image by its name, as ``name.fits[sci,3]``.

    Raises
    ------
    InputError
        It has no celestial WCS: every place would come back as it is.
    """
    wcs = HSTWCS(name)
    if not wcs.has_celestial:
        raise InputError(f"{name}: no celestial WCS there; name the extension, as name.fits[sci,1]", file=name)
    return wcs


def read_positions(
    given: tuple[Any, Any], path: str | None, columns: Any, separator: str | None, *, text: bool = False
) -> Positions:
    """Return the positions of a call: its two arguments, or two columns of a file.

    Parameters
    ----------
    given : (first, second)
        Values or sequences; None for none.
    path : str or None
        A table of text.
    columns : None, str or sequence
        ``'c1,c2'``, or 1-based numbers; the first two by default.
    separator : str or None
        Between columns; white space by default.
    text : bool
        Keep texts as they are.

    Raises
    ------
    SettingsError
        Neither is given.
    InputError
        The file has no such columns of numbers.
    """
    if path is None:
        if given[0] is None or given[1] is None:
            raise SettingsError("no positions: give both coordinates, or a file of them")
        single = np.ndim(given[0]) == 0
        first, second = (list(np.atleast_1d(values)) for values in given)
        return Positions(first, second, single)
    words = columns.split(",") if isinstance(columns, str) else list(columns or (1, 2))
    numbers = [int(str(word).strip().lstrip("c")) - 1 for word in words]
    rows = []
    for line in read_text(path).splitlines():
        cells = line.split("#")[0].split(separator)
        if not "".join(cells).strip():
            continue
        try:
            rows.append([cells[n].strip() if text else float(cells[n]) for n in numbers])
        except (IndexError, ValueError):
            raise InputError(f"{path}: {line[:60]!r}; needed columns {words} of numbers", file=path) from None
    return Positions([row[0] for row in rows], [row[1] for row in rows], False)


def as_hms(ra: Any, dec: Any, precision: int) -> tuple[list[str], list[str]]:
    """Return positions [deg] as ``hh:mm:ss.s`` and ``dd:mm:ss.s``."""
    from astropy.coordinates import Angle

    hours, degrees = Angle(ra, unit="deg"), Angle(dec, unit="deg")
    return (
        [str(text) for text in hours.to_string(unit="hourangle", sep=":", pad=True, precision=precision)],
        [str(text) for text in degrees.to_string(unit="deg", sep=":", pad=True, alwayssign=True, precision=precision)],
    )


def in_degrees(places: Positions) -> tuple[Any, Any]:
    """Return positions, numbers or sexagesimal text, in degrees."""
    from astropy.coordinates import Angle

    def degrees(value: Any, unit: str) -> float:
        try:
            return float(value)
        except ValueError:
            return float(Angle(str(value), unit=unit).deg)

    ra = np.array([degrees(value, "hourangle") for value in places.first])
    return ra, np.array([degrees(value, "deg") for value in places.second])


def write_positions(path: str | None, values: tuple[list[Any], list[Any]], precision: int) -> None:
    """Write two columns, where a file is asked for."""
    if path:
        lines = [
            "  ".join(v if isinstance(v, str) else f"{v:.{precision}f}" for v in row)
            for row in zip(*values, strict=True)
        ]
        write_text(path, "\n".join(lines) + "\n")
