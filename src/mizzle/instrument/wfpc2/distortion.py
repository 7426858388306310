"""Distortion of one chip: from the tables' rows to a polynomial, a focal-plane position, and a row term.

Conventions of the IDCTAB: ``x = X - XREF``, ``y = Y - YREF`` in 1-based pixels, and ``CXnm`` multiplies
``x**m * y**(n - m)``. The result is in pixels of SCALE arcsec.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, Places
from mizzle.errors import InputError
from mizzle.geometry.rows import row_edges
from mizzle.instrument.tables import DistortionTables
from mizzle.instrument.wfpc2 import CHIP_NUMBERS

AreaMode = Literal["exact", "incumbent"]
OfftabEnd = Literal["hold", "extrapolate"]


class SipCoefficients(NamedTuple):
    """SIP coefficients, indexed ``[power of u, power of v]``."""

    a: FloatArray
    b: FloatArray


@dataclass(frozen=True, eq=False)
class ChipModel:
    """The distortion of one chip at one date through one filter.

    Parameters
    ----------
    chip : str
        ``PC``, ``WF2``, ``WF3`` or ``WF4``.
    scale : float
        Pixel side [arcsec]; doubled where binned.
    xref, yref : float
        Reference pixel of the polynomial, 1-based.
    cx, cy : (order + 1, order + 1) array
        ``c[n, m]`` multiplies ``x**m * y**(n - m)``; pixels.
    v2, v3 : float
        Focal-plane position of the reference pixel [arcsec].
    theta : float
        Rotation of the chip against the V3 axis [deg].
    """

    chip: str
    scale: float
    xref: float
    yref: float
    cx: FloatArray
    cy: FloatArray
    v2: float
    v3: float
    theta: float

    def apply(self, x: FloatArray, y: FloatArray) -> Places:
        """Return the undistorted offset from the reference pixel [pixel] of 1-based ``(x, y)``."""
        u, v = np.asarray(x, dtype=np.float64) - self.xref, np.asarray(y, dtype=np.float64) - self.yref
        order = self.cx.shape[0] - 1
        terms = [(n, m, u**m * v ** (n - m)) for n in range(1, order + 1) for m in range(n + 1)]
        total_x = sum((self.cx[n, m] * term for n, m, term in terms), np.zeros_like(u))
        total_y = sum((self.cy[n, m] * term for n, m, term in terms), np.zeros_like(u))
        return Places(total_x, total_y)

    def sip(self) -> SipCoefficients:
        """Return SIP coefficients ``(a, b)``, indexed ``[power of u, power of v]``.

        The linear part stays in the CD matrix; what is left is multiplied by its inverse.
        """
        order = self.cx.shape[0] - 1
        inverse = np.linalg.inv(np.array([[self.cx[1, 1], self.cx[1, 0]], [self.cy[1, 1], self.cy[1, 0]]]))
        a, b = np.zeros((order + 1, order + 1)), np.zeros((order + 1, order + 1))
        for n in range(2, order + 1):
            for m in range(n + 1):
                a[m, n - m], b[m, n - m] = inverse @ np.array([self.cx[n, m], self.cy[n, m]])
        return SipCoefficients(a, b)


def clean_filter(name: object) -> str:
    """Return a filter's name as the tables have it; clear positions give ``""``.

    Examples
    --------
    >>> clean_filter(" f555w  "), clean_filter("CLEAR1"), clean_filter(None)
    ('F555W', '', '')
    """
    word = "".join(str("" if name is None else name).split()).strip("'\"").upper()
    return "" if word.startswith("CLEAR") or word in {"N/A", "NONE", "INDEF", "UNDEFINED"} else word


def select_filter(tables: DistortionTables, names: Sequence[object]) -> tuple[str, str]:
    """Choose the filter whose distortion an exposure has.

    Parameters
    ----------
    tables : DistortionTables
        Where filters are looked up.
    names : sequence
        FILTNAM1 and FILTNAM2 as the header has them.

    Returns
    -------
    name, note : str
        The filter, and one sentence where there was a choice; else ``""``.

    Raises
    ------
    InputError
        No filter at all, or none that the table knows; the nearest names are given.
    """
    given = [word for word in map(clean_filter, names) if word]
    if not given:
        raise InputError(
            "FILTNAM1 and FILTNAM2 are blank; the distortion depends on the filter, so one must be named",
            filters=(),
        )
    known = [word for word in given if word in tables.filters]
    if not known:
        near = difflib.get_close_matches(given[0], tables.filters, n=3, cutoff=0.4)
        raise InputError(
            f"filter {' + '.join(given)} is not in {tables.idctab_name}; nearest:"
            f" {', '.join(near) or 'none'};"
            " give a table that has it (geometry.idctab)",
            filters=tuple(given),
            nearest=tuple(near),
        )
    # A polarizer does not set the wavelength, and with it the refraction; its partner does.
    chosen = sorted(known, key=lambda word: word.startswith("POL"))[0]
    if len(given) == 1:
        return chosen, ""
    left = "also in the table" if len(known) == len(given) else "not in the table"
    other = " + ".join(word for word in given if word != chosen) or chosen
    return chosen, f"two filters, {' + '.join(given)}: distortion of {chosen} taken ({other} is {left})"


def day_number(date: object) -> int:
    """Return the day of an ISO date (a time after it is ignored) or of ``DD/MM/YY``, counted from year 1.

    Raises
    ------
    InputError
        The text is no date.
    """
    text = str(date).strip()
    try:
        if "/" in text:  # before 1999 FITS wrote two-digit years of the twentieth century
            day, month, year = (int(part) for part in text.split("/"))
            return datetime.date(year + 1900 if year < 100 else year, month, day).toordinal()
        return datetime.date.fromisoformat(text[:10]).toordinal()
    except ValueError as problem:
        raise InputError(
            f"DATE-OBS = {text[:40]!r} is no date; write YYYY-MM-DD (chip positions depend on it)",
            date=text[:80],
        ) from problem


def _table_day(tables: DistortionTables, text: object) -> int:
    """Return the day of a row of the OFFTAB."""
    try:
        return day_number(text)
    except InputError as problem:
        message = f"{tables.offtab_name}: OBSDATE {str(text)[:40]!r} is no date; give another OFFTAB (geometry.offtab)"
        raise InputError(message, file=tables.offtab_name) from problem


def chip_offset(
    tables: DistortionTables, number: int, date: object, *, end: OfftabEnd = "hold"
) -> tuple[float, float, float]:
    """Return ``(V2, V3 [arcsec], THETA [deg])`` of a chip at a date.

    Linear in time between the table's dates, in whole days; the nearest date before and after them. With
    ``end="extrapolate"`` the last slope goes on after the last date.
    """
    rows = np.flatnonzero(tables.offtab["DETCHIP"] == number)
    if rows.size == 0:
        raise InputError(f"{tables.offtab_name}: no row for chip {number}; give another OFFTAB", chip=number)
    days = np.array([_table_day(tables, text) for text in tables.offtab["OBSDATE"][rows]], dtype=np.float64)
    order = np.argsort(days, kind="stable")
    when = float(day_number(date))
    days = days[order]

    def value(name: str) -> float:
        column = tables.offtab[name][rows][order].astype(np.float64)
        if end == "extrapolate" and days.size > 1 and when > days[-1]:
            slope = (column[-1] - column[-2]) / (days[-1] - days[-2])
            return float(column[-2] + slope * (when - days[-2]))
        return float(np.interp(when, days, column))

    return value("V2REF"), value("V3REF"), value("THETA")


def _coefficients(tables: DistortionTables, row: int, axis: str, *, scale: float) -> FloatArray:
    """Return ``c[n, m]`` in pixels; tables that hold arcsec (CX11 is not 1) are divided by their SCALE."""
    order = tables.order
    c = np.zeros((order + 1, order + 1))
    for n in range(1, order + 1):
        for m in range(n + 1):
            c[n, m] = float(tables.idctab[f"C{axis}{n}{m}"][row])
    return c if float(tables.idctab["CX11"][row]) == 1.0 else c / scale


def chip_model(
    tables: DistortionTables,
    chip: str,
    filter_name: str,
    *,
    date: object,
    binning: int = 1,
    area_mode: AreaMode = "exact",
    offtab_end: OfftabEnd = "hold",
) -> ChipModel:
    """Build the distortion of one chip.

    Parameters
    ----------
    tables : DistortionTables
        IDCTAB and OFFTAB.
    chip : str
        Chip name.
    filter_name : str
        A filter of the table.
    date : object
        DATE-OBS.
    binning : int
        1, or 2 for MODE AREA.
    area_mode : str
        ``exact``: a binned pixel ``X_b`` is ``(X + 0.5) / 2``, so terms of order n grow by ``2**(n - 1)``;
        ``incumbent``: XREF is halved and all terms above the first are doubled.
    offtab_end : str
        As `end` of `chip_offset`.

    Raises
    ------
    InputError
        The table has no row for this chip and filter.
    """
    number = CHIP_NUMBERS[chip]
    row = tables.rows.get((filter_name, number))
    if row is None:
        raise InputError(
            f"{tables.idctab_name}: no row for {chip} in {filter_name}; give another IDCTAB (geometry.idctab)",
            chip=chip,
            filter=filter_name,
        )
    table_scale = round(float(tables.idctab["SCALE"][row]), 8)
    cx, cy = (_coefficients(tables, row, axis, scale=table_scale) for axis in "XY")
    xref, yref = float(tables.idctab["XREF"][row]), float(tables.idctab["YREF"][row])
    if binning != 1:
        powers = np.arange(cx.shape[0], dtype=np.float64) - 1.0
        if area_mode == "exact":
            growth = float(binning) ** powers
            xref, yref = ((ref + 0.5 * (binning - 1)) / binning for ref in (xref, yref))
        else:
            growth = np.where(powers > 0, float(binning), 1.0)
            xref, yref = xref / binning, yref / binning
        cx, cy = cx * growth[:, None], cy * growth[:, None]
    if "V2REF" in tables.idctab:
        v2, v3 = float(tables.idctab["V2REF"][row]), float(tables.idctab["V3REF"][row])
        theta = float(tables.idctab["THETA"][row]) if "THETA" in tables.idctab else 0.0
    else:
        v2, v3, theta = chip_offset(tables, number, date, end=offtab_end)
    return ChipModel(chip, table_scale * binning, xref, yref, cx, cy, v2, v3, theta)


def full_frame_rows(row_shift: Mapping[int, FloatArray], number: int) -> FloatArray:
    """Return the edge shifts of a full chip, ``(801,)``; zeros for a chip the profile lacks."""
    centers = row_shift.get(number)
    return np.zeros(801) if centers is None else row_edges(centers)
