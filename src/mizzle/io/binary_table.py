"""Binary tables as bytes, and back: for a product's table of inputs, of 300 columns, astropy takes half a second."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.io.cards import BLOCK
from mizzle.io.header_cards import Card, header_bytes

#: Kinds of number by letter of TFORM (FITS 4.0, table 18), as they stand in a file.
_KINDS = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
_FORM = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])")

Column = tuple[str, str, str, list[Any]]
"""Name, FITS format, unit and values."""


class EncodedTable(NamedTuple):
    """A table as it stands in a file: its header and its data, whole blocks."""

    head: bytes
    data: bytes


def encode_table(name: str, columns: Sequence[Column], *, version: int = 0) -> EncodedTable:
    """Return a table as an extension of a file.

    Parameters
    ----------
    name : str
        EXTNAME.
    columns : sequence of Column
        Texts (``24A``), whole numbers (``I J K``), numbers (``D``) and truth values (``L``).
    version : int
        EXTVER; 0 leaves it out.
    """
    types = [(column, _kind(form)) for column, form, _, _ in columns]
    table = np.zeros(len(columns[0][3]), types)
    for column, form, _, values in columns:
        table[column] = [b"FT"[v : v + 1] for v in values] if form == "L" else _array(values, table[column].dtype)
    cards: list[Card] = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", table.itemsize, "length of dimension 1"),
        ("NAXIS2", table.size, "length of dimension 2"),
        ("PCOUNT", 0, "number of group parameters"),
        ("GCOUNT", 1, "number of groups"),
        ("TFIELDS", len(columns), "number of table fields"),
    ]
    for number, (column, form, unit, _) in enumerate(columns, 1):
        cards += [(f"TTYPE{number}", column, ""), (f"TFORM{number}", form, "")]
        cards += [(f"TUNIT{number}", unit, "")] if unit else []
    cards += [("EXTNAME", name, "extension name"), *([("EXTVER", version, "extension value")] if version else [])]
    data = table.tobytes()
    return EncodedTable(header_bytes(cards), data + bytes(-len(data) % BLOCK))


def _array(values: Sequence[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Return values as they stand in a column; texts that are too long are cut."""
    if kind.kind == "S":
        return np.array([str(value).encode("ascii", "replace") for value in values], kind)
    return np.array(values).astype(kind)


def decode_table(header: Mapping[str, Any], data: bytes | memoryview) -> NDArray[Any]:
    """Return the rows of a table as records, in the file's byte order; texts are bytes, scaled columns stay as stored.

    Parameters
    ----------
    header : mapping
        Of the table.
    data : bytes-like
        Its data.

    Raises
    ------
    ValueError
        The columns do not fill the rows.
    """
    count = int(header["TFIELDS"])
    forms = [str(header[f"TFORM{number}"]) for number in range(1, count + 1)]
    names = [str(header.get(f"TTYPE{number}", f"column {number}")) for number in range(1, count + 1)]
    kinds = np.dtype({"names": names, "formats": [_kind(form) for form in forms]})
    if kinds.itemsize != header["NAXIS1"]:
        raise ValueError(f"rows of {header['NAXIS1']} bytes, columns of {kinds.itemsize}")
    return np.frombuffer(data, kinds, int(header["NAXIS2"]))


def _kind(form: str) -> Any:
    """Return the NumPy kind of a column; what is neither text nor number is so many bytes."""
    match = _FORM.match(form)
    letter, count = (match[2], int(match[1] or 1)) if match else ("A", 1)
    if letter == "A":
        return f"S{count}"
    if letter in "XPQ":
        return f"V{-(-count // 8) if letter == 'X' else (8 if letter == 'P' else 16) * count}"
    return _KINDS[letter] if count == 1 else (_KINDS[letter], (count,))
