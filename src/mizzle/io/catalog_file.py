"""Writing a catalog as ECSV.

ECSV is text: a YAML header (JSON is YAML) and rows. It is written here, not with `astropy.table`, whose import takes
longer than drizzling a visit; the tests read it back with `astropy.table`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.io.atomic import write_text
from mizzle.io.json_values import plain
from mizzle.model import Catalog

_PAIR = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")


def write_catalog(path: str | Path, catalog: Catalog) -> Path:
    """Write `catalog` as an ECSV table with units on every column; it appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        ``NAME_cat.ecsv``.
    catalog : Catalog
        The stars; an empty one keeps its columns.

    Returns
    -------
    path : Path
        As given.

    References
    ----------
    Astropy Proposal for Enhancement 6: Enhanced Character Separated Values table format, 1.0.
    """
    return write_text(path, ecsv_text(catalog.columns, catalog.units, catalog.meta))


def ecsv_text(
    columns: Mapping[str, NDArray[Any]], units: Mapping[str, str] | None = None, meta: Mapping[str, Any] | None = None
) -> str:
    """Return the text of an ECSV table.

    Parameters
    ----------
    columns : mapping
        One-dimensional arrays of equal length: numbers, booleans or text.
    units : mapping, optional
        Unit by column; empty where dimensionless.
    meta : mapping, optional
        Plain values about the table.
    """
    units = units or {}
    lines = ["%ECSV 1.0", "---", "datatype:"]
    for name, values in columns.items():
        entry = {"name": name, "unit": units.get(name, ""), "datatype": _datatype(np.asarray(values))}
        lines.append(f"- {_yaml({key: value for key, value in entry.items() if value})}")
    if meta:
        lines.append(f"meta: {_yaml(plain(meta))}")
    lines.append("schema: astropy-2.0")
    header = [f"# {line}" for line in lines]
    cells = [_cells(np.asarray(values)) for values in columns.values()]
    rows = [" ".join(row) for row in zip(*cells, strict=True)]
    return "\n".join([*header, " ".join(columns), *rows]) + "\n"


def _yaml(value: Any) -> str:
    """Write a value on one line of YAML: as JSON, but for signs that JSON writes as a pair and YAML as one."""

    def joined(pair: re.Match[str]) -> str:
        sign = json.loads('"' + pair[0] + '"')
        return f"\\U{ord(sign):08x}"

    return _PAIR.sub(joined, json.dumps(value))


def _datatype(values: NDArray[Any]) -> str:
    """Return the ECSV name of an array's type."""
    return "string" if values.dtype.kind in "US" else str(values.dtype.newbyteorder("=").name)


def _cells(values: NDArray[Any]) -> list[str]:
    """Write a column; numbers so that they read back the same."""
    if values.dtype.kind in "US":
        return [_quoted(str(text)) for text in values.tolist()]
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        return [str(number) for number in values]  # the shortest text of its own precision
    return [repr(number) for number in values.tolist()]


def _quoted(text: str) -> str:
    """Quote a text where a reader would split or lose it."""
    if text and not any(sign in text for sign in " \t\r\n\"'#,"):
        return text
    plain = text.replace('"', '""').replace("\n", " ").replace("\r", " ")
    return f'"{plain}"'
