"""Tables of files: which file belongs to which visit, as CSV, ECSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mizzle.errors import InputError, SettingsError
from mizzle.io.atomic import whole_file, write_text
from mizzle.io.catalog_file import ecsv_text
from mizzle.io.opened import read_table

#: Endings of the kinds of tables.
ENDINGS = (".csv", ".ecsv", ".parquet")

_FILE = ("file", "path", "filename", "name")
_VISIT = ("visit", "group")
_UTF8_MARK = "\ufeff"


class FileRow(NamedTuple):
    """One row: a file, and the visit it belongs to; empty where the table does not say."""

    file: str
    visit: str = ""


def is_table(path: str | Path) -> bool:
    """Tell whether a name is that of a table."""
    return Path(path).suffix.lower() in ENDINGS


def read_file_table(path: str | Path) -> list[FileRow]:
    """Read a table of files.

    Parameters
    ----------
    path : str or Path
        ``.csv``, ``.ecsv`` or ``.parquet`` with a column ``file`` (``path``, ``filename`` and ``name`` are understood
        too) and, if wanted, ``visit`` (``group``).

    Returns
    -------
    rows : list of FileRow
        Names that are not absolute are taken from the table's own folder.

    Raises
    ------
    InputError
        The table cannot be read, or has no column of files.
    SettingsError
        Parquet without ``pyarrow``.
    """
    path = Path(path)
    columns = _columns(path)
    names = {name.strip().lower(): name for name in columns}
    file = next((names[word] for word in _FILE if word in names), None)
    if file is None:
        raise InputError(
            f"{path}: has the columns {', '.join(list(columns)[:12]) or 'none'}; needed 'file'", file=str(path)
        )
    visit = next((names[word] for word in _VISIT if word in names), None)
    visits = columns[visit] if visit is not None else [""] * len(columns[file])
    pairs = zip(columns[file], visits, strict=True)
    return [FileRow(str(path.parent / str(name)), _text(group)) for name, group in pairs if _text(name)]


def write_file_table(path: str | Path, columns: dict[str, Sequence[Any]]) -> Path:
    """Write a table of files; it appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        Its ending says the kind: ``.csv``, ``.ecsv`` or ``.parquet``.
    columns : dict
        Values of equal number.

    Raises
    ------
    SettingsError
        Another ending, Parquet without ``pyarrow``, or the folder cannot be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".ecsv":
        return write_text(path, ecsv_text({name: np.array(values) for name, values in columns.items()}))
    if ending == ".csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return write_text(path, text.getvalue())
    if ending == ".parquet":
        parquet = _parquet(path)
        with whole_file(path) as stream:
            parquet.write_table(parquet_table(columns), stream)
        return path
    raise SettingsError(f"{path}: a table ends in {', '.join(ENDINGS)}", file=str(path))


def parquet_table(columns: dict[str, Sequence[Any]]) -> Any:
    """Return an Arrow table."""
    import pyarrow

    return pyarrow.table({name: list(values) for name, values in columns.items()})


def _columns(path: Path) -> dict[str, list[Any]]:
    """Return a table's columns by name."""
    if path.suffix.lower() == ".parquet":
        return _parquet_columns(path)
    if path.suffix.lower() == ".ecsv":
        table = read_table(path)
        return {str(name): list(table[name]) for name in table.colnames}
    try:
        text = path.read_text(encoding="utf-8").removeprefix(_UTF8_MARK)
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{path}: cannot be read as CSV: {problem}", file=str(path)) from problem
    uneven = next((i for i, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if uneven is not None:
        raise InputError(
            f"{path}: row {uneven + 1} has {len(rows[uneven])} cells, the first {len(rows[0])}", file=str(path)
        )
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])} if rows else {}


def _parquet_columns(path: Path) -> dict[str, list[Any]]:
    parquet = _parquet(path)
    try:
        return dict(parquet.read_table(path).to_pydict())
    except (OSError, ValueError) as problem:  # Arrow's own errors are ValueErrors
        raise InputError(f"{path}: cannot be read as Parquet: {problem}", file=str(path)) from problem


def _parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet as parquet
    except ImportError as problem:
        raise SettingsError(f"{path}: Parquet needs pyarrow: pip install pyarrow", file=str(path)) from problem
    return parquet


def _text(value: Any) -> str:
    """Return a cell as text; empty where there is nothing."""
    return "" if value is None or value is np.ma.masked else str(value).strip()
