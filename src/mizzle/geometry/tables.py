"""Lookup tables in: D2IM and NPOL of a chip, from the cards of its header and the file's table extensions.

HST's files write CRPIX = CRVAL = 0 and CDELT = 64 (or leave the first two out). The Distortion Paper then puts the
nodes at pixels 64, 128, ... (1-based), and that is what `astropy` reads since 6.1; the tables were sampled at pixels 1,
65, ..., which is what it read before. ``geometry.tables`` chooses; the two differ by 0.01 to 0.02 pixel rms. On
subarrays the files' CRVAL has the wrong sign: the nodes are placed by LTV.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.model.lookup import LookupTable, LookupTables

Header = Mapping[str, Any]
Reading = Literal["astropy", "design"]

#: Largest shift of a table [pixel]; the known ones are below 0.2.
MAX_TABLE_SHIFT = 5.0


@dataclass(frozen=True, eq=False)
class TableArray:
    """A table extension as it stands in the file.

    Parameters
    ----------
    data : (ny, nx) array
        Its samples [pixel].
    header : mapping
        Its header.
    """

    data: NDArray[Any]
    header: Header


@dataclass(frozen=True)
class TablePlacement:
    """Where the nodes of a file's tables lie.

    Parameters
    ----------
    reading : {"astropy", "design"}
        ``geometry.tables``.
    ltv : (float, float) or None
        Of a subarray, its LTV1 and LTV2: image pixel = full-frame pixel + LTV; None of a full frame.
    """

    reading: Reading = "astropy"
    ltv: tuple[float, float] | None = None


_KINDS = {"d2im": ("D2IMDIS", "D2IM", "D2IMARR"), "npol": ("CPDIS", "DP", "WCSDVARR")}


def tables_from_header(
    header: Header, arrays: Mapping[tuple[str, int], TableArray], placement: TablePlacement, *, chip: str
) -> LookupTables:
    """Return the lookup tables that a chip's header names.

    Parameters
    ----------
    header : mapping
        Of the SCI extension. Record-valued cards as `astropy.io.fits` has them (``DP1.EXTVER``), or as plain text
        (``DP1 = 'EXTVER: 1'``).
    arrays : mapping
        Table extensions of the file by EXTNAME (``D2IMARR``, ``WCSDVARR``) and EXTVER, in any order.
    placement : TablePlacement
        Where their nodes lie.
    chip : str
        For messages.

    Raises
    ------
    InputError
        A table is named that the file lacks, that is damaged, or of a kind that would be misread.
    """
    tables: dict[str, LookupTable] = {}
    for kind, (word, record, extension) in _KINDS.items():
        for axis, letter in ((1, "x"), (2, "y")):
            if f"{word}{axis}" not in header:
                continue
            _refuse_the_unknown(header, f"{word}{axis}", f"{record}{axis}", chip=chip)
            version = int(_record(header, f"{record}{axis}", "EXTVER", default=1.0, chip=chip))
            array = arrays.get((extension, version))
            if array is None:
                raise InputError(
                    f"{chip}: {word}{axis} names {extension},{version}, which the file lacks; fetch the file again",
                    chip=chip,
                    extension=extension,
                    extver=version,
                )
            tables[f"{kind}_{letter}"] = _table(array, placement, f"{chip}: {extension},{version}")
    return LookupTables(**tables)


def has_tables(header: Header) -> bool:
    """Return whether a SCI header names a lookup table."""
    return any(f"{word}{axis}" in header for word, _, _ in _KINDS.values() for axis in (1, 2))


def _refuse_the_unknown(header: Header, word: str, record: str, *, chip: str) -> None:
    kind = str(header[word]).strip().upper()
    axes = [_record(header, record, f"AXIS.{n}", default=float(n), chip=chip) for n in (1, 2)]
    if kind != "LOOKUP" or axes != [1.0, 2.0] or _record(header, record, "NAXES", default=2.0, chip=chip) != 2.0:
        raise InputError(
            f"{chip}: {word} = {kind!r} with axes {axes}; a 'Lookup' over axes 1 and 2 is understood; fetch the present"
            " version of the file from the archive",
            chip=chip,
            keyword=word,
        )


def _record(header: Header, record: str, field: str, *, default: float, chip: str) -> float:
    """Return a field of a record-valued card."""
    value = header.get(f"{record}.{field}")
    text = header.get(record)
    if value is None and isinstance(text, str) and text.partition(":")[0].strip() == field:
        value = text.partition(":")[2].strip()
    if value is None:
        return default
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(
            f"{chip}: {record}.{field} = {value!r}; a number is needed; repair the header", chip=chip
        ) from None


def _table(array: TableArray, placement: TablePlacement, where: str) -> LookupTable:
    """Return an extension as a table, its nodes placed so that the Distortion Paper reads them as wanted."""
    data = np.atleast_2d(np.asarray(array.data))
    grid = {word: tuple(_finite(array.header, f"{word}{n}", default, where=where) for n in (1, 2)) for word, default in
            (("CRPIX", 0.0), ("CRVAL", 0.0), ("CDELT", 1.0))}  # fmt: skip
    crpix, crval, cdelt = ((grid[word][0], grid[word][1]) for word in ("CRPIX", "CRVAL", "CDELT"))
    good = data.ndim == 2 and data.size > 0 and data.dtype.kind == "f" and min(cdelt) > 0
    if not good or not np.all(np.abs(data) < MAX_TABLE_SHIFT):
        raise InputError(
            f"{where}: {data.shape} samples of type {data.dtype}, {cdelt} pixels apart; needed is a plane of shifts"
            f" below {MAX_TABLE_SHIFT:g} pixel on a rising grid; fetch the file again",
            where=where,
        )
    if placement.ltv is not None:
        crval = placement.ltv
    if placement.reading == "design":
        crpix, crval = (crpix[0] + 1.0, crpix[1] + 1.0), (crval[0] + 1.0, crval[1] + 1.0)
    return LookupTable(data.astype(np.float32), crpix, crval, cdelt)


def _finite(header: Header, key: str, default: float, *, where: str) -> float:
    value = header.get(key, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < 1e9:
        raise InputError(f"{where}: {key} = {value!r}; a finite number is needed; repair the header", keyword=key)
    return float(value)
