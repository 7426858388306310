"""``WCSCORR``: the table of all WCSs that the chips of a file have had, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.io import fits

#: Columns, their FITS formats, and what is not in a header of that name.
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("WCS_ID", "40A"),
    ("EXTVER", "I"),
    ("WCS_key", "A"),
    *((name, "24A") for name in ("HDRNAME", "SIPNAME", "NPOLNAME", "D2IMNAME")),
    *((name, "D") for name in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")),
    *((name, "24A") for name in ("CTYPE1", "CTYPE2")),
    *((name, "D") for name in ("ORIENTAT", "PA_V3", "RMS_RA", "RMS_Dec")),
    ("NMatch", "J"),
    ("Catalog", "40A"),
    ("DESCRIP", "128A"),
)
_EMPTY: dict[str, Any] = {"A": "", "I": 0, "J": 0, "D": 0.0}
_PRIMARY = {"SIPNAME": "SIPNAME", "NPOLNAME": "NPOLFILE", "D2IMNAME": "D2IMFILE", "PA_V3": "PA_V3"}

Row = dict[str, Any]


def record_history(hdus: fits.HDUList, units: Mapping[str, Any], numbers: Mapping[str, int]) -> None:
    """Add the WCSs of the chips to the file's table, each once: those of an earlier call are replaced.

    Parameters
    ----------
    hdus : HDUList
        In memory; its table ``WCSCORR`` is replaced, or put at the end.
    units : mapping
        Science image by chip name, its new WCS in place.
    numbers : mapping
        Version of a chip in the table where its header has no EXTVER.
    """
    from astropy.io import fits

    rows = _rows_of(hdus)
    for chip, unit in units.items():
        version = int(unit.header.get("EXTVER", numbers[chip]))
        for letter in ("O", " "):
            row = _row(unit.header, hdus[0].header, letter, version=version)
            if row is not None:
                rows[str(row["WCS_ID"]), version] = row
    columns = [
        fits.Column(name=name, format=form, array=np.array([row[name] for row in rows.values()]))
        for name, form in _COLUMNS
    ]
    table = fits.BinTableHDU(name="WCSCORR", ver=1)  # not from_columns: that imports astropy.table
    table.data = fits.FITS_rec.from_columns(fits.ColDefs(columns))
    table.columns = table.data.columns
    table.update_header()
    for index in reversed(range(1, len(hdus))):
        if hdus[index].name == "WCSCORR":
            del hdus[index]
    hdus.append(table)


def _rows_of(hdus: fits.HDUList) -> dict[tuple[str, int], Row]:
    """Return the rows of an earlier table by WCS and version; empty ones are spare."""
    rows: dict[tuple[str, int], Row] = {}
    for hdu in hdus[1:]:
        if hdu.name != "WCSCORR" or hdu.data is None:
            continue
        known = {name.lower(): name for name in hdu.data.names}
        for record in hdu.data:
            row = {
                name: record[known[name.lower()]] if name.lower() in known else _EMPTY[form[-1]]
                for name, form in _COLUMNS
            }
            if str(row["WCS_ID"]).strip():
                rows[str(row["WCS_ID"]), int(row["EXTVER"])] = row
    return rows


def _row(header: Mapping[str, Any], primary: Mapping[str, Any], letter: str, *, version: int) -> Row | None:
    """Return one WCS of a header; None where it has none of this letter."""
    end = letter.strip()
    if f"CRVAL1{end}" not in header:
        return None
    row = {name: header.get(f"{name.upper()}{end}", _EMPTY[form[-1]]) for name, form in _COLUMNS}
    row |= {"WCS_ID": header.get(f"WCSNAME{end}") or ("OPUS" if end else "primary")}
    row |= {"EXTVER": version, "WCS_key": end, "NMatch": header.get("NMATCH", 0) if not end else 0}
    row |= {name: primary.get(key, _EMPTY[dict(_COLUMNS)[name][-1]]) for name, key in _PRIMARY.items()}
    if end:  # the first WCS knows neither fit nor distortion
        row |= {"RMS_RA": 0.0, "RMS_Dec": 0.0, "NPOLNAME": "", "D2IMNAME": ""}
        row |= {f"CTYPE{i}": str(row[f"CTYPE{i}"]).removesuffix("-SIP") for i in (1, 2)}
    else:
        row["DESCRIP"] = header.get("WCSTYPE", "")
    return row
