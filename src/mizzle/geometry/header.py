"""WCS in: frames from headers that already carry one (``IDC_*``, ``TWEAK``, fits to Gaia, headerlets)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.errors import InputError
from mizzle.geometry.keywords import DEFAULT_RADESYS, wcs_letters, wcs_names
from mizzle.geometry.rows import RowTerm, row_edges
from mizzle.model.frame import ChipFrame
from mizzle.model.lookup import LookupTable, LookupTables

Header = Mapping[str, Any]

_SIP = re.compile(r"^([AB])_(\d)_(\d)$")
_MAX_SIP_ORDER = 9
#: Largest shift of a row term [pixel]; the known one is 0.015.
MAX_SHIFT = 2.0
_FACTS: tuple[str, ...] = ("IDCSCALE", "IDCTHETA", "IDCXREF", "IDCYREF", "IDCV2REF", "IDCV3REF")
_FACTS += ("OCX10", "OCX11", "OCY10", "OCY11", "VAFACTOR")


@dataclass(frozen=True, eq=False)
class HeaderletChips:
    """What a headerlet says about each chip.

    Parameters
    ----------
    name : str
        HDRNAME, or the file's name.
    headers : mapping
        SIP headers by chip name.
    lookups : mapping
        Row terms by chip name, where the headerlet has them.
    """

    name: str
    headers: Mapping[str, Header]
    lookups: Mapping[str, LookupTable] = field(default_factory=dict)


def number(header: Header, key: str, where: str, *, default: float | None = None) -> float:
    """Return a finite number from a header.

    Raises
    ------
    InputError
        The keyword is absent without a default, or holds no finite number.
    """
    value = header.get(key, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < 1e30:
        raise InputError(
            f"{where}: {key} = {value!r}; a finite number is needed to place the chip on the sky; repair the header",
            keyword=key,
            value=str(value),
            where=where,
        )
    return float(value)


def choose_wcs(header: Header, name: str, chip: str) -> str:
    """Return the letter of the WCS called `name` (a WCSNAME or a letter; ``""`` is the primary).

    Raises
    ------
    InputError
        The header has no such WCS; those it has are named.
    """
    letters = wcs_letters(header)
    word = name.strip().upper()
    if not word and "" in letters:
        return ""
    for key in letters:
        if word and word in (key, str(header.get(f"WCSNAME{key}", "")).strip().upper()):
            return key
    raise InputError(
        f"{chip}: no WCS {name or 'at all'!r} in the header; it has: {', '.join(wcs_names(header)) or 'none'}; set"
        " geometry.wcsname to one of these, or geometry.wcs='model'",
        chip=chip,
        wcsname=name,
    )


def _cd(header: Header, key: str, chip: str) -> FloatArray:
    """Return the CD matrix [deg / pixel], from CD or from PC and CDELT."""
    if any(f"CD{i}_{j}{key}" in header for i in (1, 2) for j in (1, 2)):
        cd = [[number(header, f"CD{i}_{j}{key}", chip, default=0.0) for j in (1, 2)] for i in (1, 2)]
        matrix = np.array(cd)
    else:
        pc = [[number(header, f"PC{i}_{j}{key}", chip, default=float(i == j)) for j in (1, 2)] for i in (1, 2)]
        matrix = np.array(pc) * np.array([[number(header, f"CDELT{i}{key}", chip)] for i in (1, 2)])
    side = 3600.0 * math.sqrt(abs(float(np.linalg.det(matrix))))
    if not 1e-3 < side < 10.0:
        raise InputError(
            f"{chip}: the header's pixels are {side:.3g} arcsec wide; Hubble's are 0.025 to 0.3; repair the header, or"
            " set geometry.wcs='model'",
            chip=chip,
            side=side,
        )
    return matrix


def _sip(header: Header, ctype: str, chip: str) -> tuple[FloatArray, FloatArray]:
    """Return the SIP coefficients of a header; zeros unless CTYPE says SIP."""
    tables = {letter: np.zeros((4, 4)) for letter in "AB"}
    if ctype.endswith("-SIP"):
        orders = {letter: int(number(header, f"{letter}_ORDER", chip)) for letter in "AB"}
        if not all(2 <= order <= _MAX_SIP_ORDER for order in orders.values()):
            raise InputError(f"{chip}: SIP order of {orders}; 2 to {_MAX_SIP_ORDER} are known", chip=chip)
        size = max(orders.values()) + 1
        tables = {letter: np.zeros((size, size)) for letter in "AB"}
        for keyword in header:
            match = _SIP.match(keyword)
            if match and int(match[2]) + int(match[3]) <= orders[match[1]]:
                tables[match[1]][int(match[2]), int(match[3])] = number(header, keyword, chip)
    return tables["A"], tables["B"]


def _refuse_the_unknown(header: Header, key: str, chip: str, *, tables: bool) -> str:
    """Return CTYPE1 of a WCS this module understands in full; raise `InputError` for any other."""
    kinds = [str(header.get(f"CTYPE{i}{key}", "")).strip().upper() for i in (1, 2)]
    if tables and kinds == ["RA---TAN", "DEC--TAN"]:
        raise InputError(
            f"{chip}: WCS {key or 'of the header'} is plain TAN, the chip's distortion is a SIP polynomial with lookup"
            " tables; set geometry.wcsname to a WCS that has them",
            chip=chip,
            ctype=tuple(kinds),
        )
    if kinds not in (["RA---TAN", "DEC--TAN"], ["RA---TAN-SIP", "DEC--TAN-SIP"]):
        raise InputError(
            f"{chip}: CTYPE {kinds}; RA---TAN and DEC--TAN, with or without -SIP, are understood; set"
            " geometry.wcs='model'",
            chip=chip,
            ctype=tuple(kinds),
        )
    unknown = ("CQDIS", "PV1_", "PV2_") if tables else ("CPDIS", "CQDIS", "D2IMDIS1", "PV1_", "PV2_")
    lookups = [k for k in header if k.startswith(unknown)]
    if lookups or number(header, f"LONPOLE{key}", chip, default=180.0) != 180.0:
        known = "lookup tables" if tables else "a row table"
        raise InputError(
            f"{chip}: {', '.join(lookups) or 'LONPOLE'} in the header; TAN, SIP and {known} are understood; set"
            " geometry.wcs='model'",
            chip=chip,
            keywords=tuple(lookups),
        )
    return kinds[0]


def frame_from_header(
    header: Header,
    shape: tuple[int, int],
    *,
    chip: str,
    name: str = "",
    rows: RowTerm | None = None,
    tables: LookupTables | None = None,
    flat_side: float = 0.0,
) -> ChipFrame:
    """Build a chip's frame from a WCS that its header holds.

    Parameters
    ----------
    header : mapping
        Keywords of the SCI extension.
    shape : (int, int)
        ``(ny, nx)``.
    chip : str
        Chip name.
    name : str
        WCSNAME or letter of the WCS to take; the primary by default.
    rows : (array, array), optional
        Row edges ``(ny + 1,)`` and columns ``(nx,)`` or ``(0,)`` [pixel]; none by default.
    tables : LookupTables, optional
        D2IM and NPOL tables (`geometry.tables.tables_from_header`). A header that names some is refused without them.
    flat_side : float
        As in `ChipFrame`; it is the nominal scale too.

    Raises
    ------
    InputError
        The WCS is missing, damaged, or of a kind that would be misread.
    """
    key = choose_wcs(header, name, chip)
    tables = tables or LookupTables()
    ctype = _refuse_the_unknown(header, key, chip, tables=bool(tables))
    cd = _cd(header, key, chip)
    crval = np.array([number(header, f"CRVAL{i}{key}", chip) for i in (1, 2)])
    if abs(crval[1]) > 90.0:
        raise InputError(f"{chip}: CRVAL2 = {crval[1]} is no declination; repair the header", chip=chip)
    a, b = _sip(header, ctype, chip)
    edges, columns = rows if rows is not None else (np.zeros(shape[0] + 1), np.zeros(0))
    facts: dict[str, float | str] = {"CHIP": chip, "RADESYS": DEFAULT_RADESYS}
    facts |= {word: number(header, word, chip) for word in _FACTS if word in header}
    if str(header.get(f"RADESYS{key}", "")).strip().upper() in {"ICRS", "FK5"}:
        facts["RADESYS"] = str(header[f"RADESYS{key}"]).strip().upper()
    side = 3600.0 * math.sqrt(abs(float(np.linalg.det(cd))))
    nominal = float(facts.get("IDCSCALE", side))
    return ChipFrame(
        np.array([crval[0] % 360.0, crval[1]]),
        np.array([number(header, f"CRPIX{i}{key}", chip) for i in (1, 2)]),
        cd,
        a,
        b,
        shape,
        edges,
        flat_side or (nominal if abs(nominal / side - 1.0) < 0.02 else side),
        name=str(header.get(f"WCSNAME{key}", "")).strip() or "HEADER",
        facts=facts,
        columns=columns,
        tables=tables,
        flat_side=flat_side,
    )


def rows_from_lookup(table: LookupTable, shape: tuple[int, int], chip: str) -> RowTerm:
    """Return row edges ``(ny + 1,)`` and columns ``(nx,)`` or ``(0,)`` [pixel] that a lookup table stands for.

    Raises
    ------
    InputError
        The table varies along both axes: no row term of WFPC2 does.
    """
    ny, nx = shape
    regular = all(step > 0 for step in table.cdelt) and np.all(np.isfinite([*table.crpix, *table.crval, *table.cdelt]))
    if min(table.data.shape) != 1 or not regular or not np.all(np.abs(table.data) < MAX_SHIFT):
        raise InputError(
            f"{chip}: lookup table of {table.data.shape} samples, {table.cdelt} pixels apart; one row or one column of"
            f" shifts below {MAX_SHIFT:g} pixel is understood; set geometry.wcs='model'",
            chip=chip,
            shape=table.data.shape,
        )
    if table.data.shape[0] == 1 and table.data.shape[1] > 1:
        at, values = table.samples(0)
        return RowTerm(np.zeros(ny + 1), np.interp(np.arange(nx), at, values))
    at, values = table.samples(1)
    if values.size == ny and np.allclose(at, np.arange(ny), atol=1e-6):
        return RowTerm(row_edges(values), np.zeros(0))
    return RowTerm(np.interp(np.arange(ny + 1) - 0.5, at, values), np.zeros(0))
