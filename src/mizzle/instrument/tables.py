"""Distortion tables of WFPC2: the embedded ones, and the type that any others take.

The embedded tables hold the values of the archive's IDCTAB, OFFTAB and DGEOFILE, named in each table's
header. They are
plain text (ECSV), read here without a table library because every run needs them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.errors import InputError

Columns = Mapping[str, NDArray[Any]]

#: Length of the row profile: a full chip [pixel].
PROFILE_LENGTH = 800

_TYPES: Mapping[str, type] = MappingProxyType(
    {"int16": np.int16, "int32": np.int32, "float32": np.float32, "float64": np.float64, "string": np.str_}
)
_NEEDED_IDCTAB = ("DETCHIP", "FILTER", "XREF", "YREF", "SCALE", "CX10", "CX11", "CY10", "CY11")
_TEXTS = frozenset({"FILTER", "OBSDATE"})
_NEEDED_OFFTAB = ("DETCHIP", "OBSDATE", "THETA", "V2REF", "V3REF")


@dataclass(frozen=True, eq=False)
class DistortionTables:
    """The three tables a WFPC2 geometry is made of, as plain columns.

    Parameters
    ----------
    idctab : mapping
        Columns of the distortion table: ``DETCHIP FILTER XREF YREF SCALE CX10...``.
    offtab : mapping
        Columns of the chip positions: ``DETCHIP OBSDATE THETA [deg] V2REF V3REF [arcsec]``. Empty where the
        IDCTAB itself
        holds ``V2REF V3REF THETA``.
    row_shift : mapping
        Shift in y [pixel] at the center of each row of a full chip, ``(800,)``, by chip number.
    idctab_name, offtab_name, dgeofile_name : str
        Names of the sources.

    Raises
    ------
    InputError
        A needed column is missing, or numbers are not finite.
    """

    idctab: Columns
    offtab: Columns
    row_shift: Mapping[int, FloatArray]
    idctab_name: str
    offtab_name: str
    dgeofile_name: str

    def __post_init__(self) -> None:
        orders = [n for n in range(1, 10) if f"CX{n}0" in self.idctab]
        terms = tuple(
            f"C{axis}{n}{m}" for axis in "XY" for n in range(1, max(orders, default=1) + 1) for m in range(n + 1)
        )
        _check("IDCTAB", self.idctab_name, self.idctab, needed=tuple(dict.fromkeys((*_NEEDED_IDCTAB, *terms))))
        if "V2REF" not in self.idctab:
            _check("OFFTAB", self.offtab_name, self.offtab, needed=_NEEDED_OFFTAB)
        for chip, profile in self.row_shift.items():
            if profile.shape != (PROFILE_LENGTH,) or not np.all(np.isfinite(profile)):
                raise InputError(
                    f"{self.dgeofile_name}: row profile of chip {chip} has shape {profile.shape},"
                    f" {PROFILE_LENGTH} finite"
                    " numbers are needed; take another DGEOFILE (geometry.dgeofile)",
                    chip=chip,
                    shape=profile.shape,
                )

    @cached_property
    def filters(self) -> tuple[str, ...]:
        """All filters of the IDCTAB, sorted."""
        return tuple(sorted({str(name).strip() for name in self.idctab["FILTER"]}))

    @cached_property
    def rows(self) -> Mapping[tuple[str, int], int]:
        """Row of the IDCTAB by filter and chip number; the first one wins."""
        index: dict[tuple[str, int], int] = {}
        for row, (name, chip) in enumerate(zip(self.idctab["FILTER"], self.idctab["DETCHIP"], strict=True)):
            index.setdefault((str(name).strip(), int(chip)), row)
        return index

    @cached_property
    def order(self) -> int:
        """Order of the polynomials."""
        return max(n for n in range(1, 10) if f"CX{n}0" in self.idctab)


def _check(kind: str, name: str, columns: Columns, *, needed: tuple[str, ...]) -> None:
    """Raise `InputError` unless `columns` can serve as the table of this `kind`."""
    missing = [column for column in needed if column not in columns]
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(missing)}; it is no WFPC2 {kind}; give another file"
            f" (geometry.{kind.lower()}), or none to take the embedded table",
            file=name,
            missing=tuple(missing),
        )
    for label, column in columns.items():
        if label in needed and label not in _TEXTS and column.dtype.kind not in "iuf":
            raise InputError(f"{name}: column {label} holds no numbers; it is no WFPC2 {kind}", file=name)
        if column.dtype.kind == "f" and not np.all(np.isfinite(column)):
            raise InputError(f"{name}: not all numbers are finite; the {kind} is damaged", file=name)


def parse_ecsv(text: str) -> dict[str, NDArray[Any]]:
    """Return the columns of an ECSV table as `tools/make_tables.py` writes it: blanks between, no quotes.

    Parameters
    ----------
    text : str
        The table.

    Returns
    -------
    columns : dict
        One array by name, of the type that the header states.

    Examples
    --------
    >>> parse_ecsv('''# %ECSV 1.0
    ... # datatype:
    ... # - {name: Y, unit: pix, datatype: int16}
    ... Y
    ... 7
    ... ''')["Y"].tolist()
    [7]
    """
    lines = text.splitlines()
    types = [
        _TYPES[line.rsplit("datatype: ", 1)[1].rstrip("}")]
        for line in lines
        if line.startswith("#") and "datatype: " in line
    ]
    names, *rows = (line.split() for line in lines if not line.startswith("#"))
    values = list(zip(*rows, strict=True))
    return {
        name: np.array(column if kind is np.str_ else [float(word) for word in column], dtype=kind)
        for name, kind, column in zip(names, types, values, strict=True)
    }


def _embedded(name: str) -> dict[str, NDArray[Any]]:
    """Read one embedded table."""
    return parse_ecsv((files("mizzle.instrument") / "data" / name).read_text(encoding="ascii"))


@lru_cache(maxsize=1)
def embedded_tables() -> DistortionTables:
    """Return the embedded tables: IDCTAB sad1946fu, OFFTAB s9518396u, DGEOFILE s8f1222cu.

    They are read once and kept; all arrays are shared, so do not change them.
    """
    profile = _embedded("wfpc2_dgeofile.ecsv")["DY"].astype(np.float64)
    return DistortionTables(
        idctab=_embedded("wfpc2_idctab.ecsv"),
        offtab=_embedded("wfpc2_offtab.ecsv"),
        row_shift=dict.fromkeys((1, 2, 3, 4), profile),
        idctab_name="sad1946fu_idc.fits",
        offtab_name="s9518396u_off.fits",
        dgeofile_name="s8f1222cu_dxy.fits",
    )
