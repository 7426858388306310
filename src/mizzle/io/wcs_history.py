"""``WCSCORR``: the table of all WCSs that the chips of a file have had, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzle.io.binary_table import encode_table
from mizzle.io.editable import EditableFile, EditableUnit, StoredData
from mizzle.io.editable_header import EditableHeader

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


def record_history(hdus: EditableFile, units: Mapping[str, Any], numbers: Mapping[str, int]) -> None:
    """Add the WCSs of the chips to the file's table, each once: those of an earlier call are replaced.

    Parameters
    ----------
    hdus : EditableFile
        Its table ``WCSCORR`` is replaced, or put at the end.
    units : mapping
        Science image by chip name, its new WCS in place.
    numbers : mapping
        Version of a chip in the table where its header has no EXTVER.
    """
    rows = _rows_of(hdus)
    for chip, unit in units.items():
        version = int(unit.header.get("EXTVER", numbers[chip]))
        for letter in ("O", " "):
            row = _row(unit.header, hdus[0].header, letter, version=version)
            if row is not None:
                rows[str(row["WCS_ID"]), version] = row
    columns = [(name, form, "", [row[name] for row in rows.values()]) for name, form in _COLUMNS]
    hdus.drop("WCSCORR")
    table = encode_table("WCSCORR", columns, version=1)
    hdus.append(EditableUnit(EditableHeader.of_bytes(table.head), StoredData.of(table.data)))


def _rows_of(hdus: EditableFile) -> dict[tuple[str, int], Row]:
    """Return the rows of an earlier table by WCS and version; empty ones are spare."""
    rows: dict[tuple[str, int], Row] = {}
    for unit in hdus:
        records = unit.records if unit.name == "WCSCORR" else None
        if records is None:
            continue
        known = {name.lower(): name for name in records.dtype.names or ()}
        for record in records:
            row = {
                name: _plain(record[known[name.lower()]]) if name.lower() in known else _EMPTY[form[-1]]
                for name, form in _COLUMNS
            }
            if row["WCS_ID"]:
                rows[row["WCS_ID"], int(row["EXTVER"])] = row
    return rows


def _plain(value: Any) -> Any:
    """Return an element of a table as text or number."""
    return value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else value.item()


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
