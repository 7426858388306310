"""Turn the archive's distortion tables into the small text tables that mizzle embeds.

Usage: ``python tools/make_tables.py FOLDER``; FOLDER holds the IDCTAB, the OFFTAB and the DGEOFILE named
below. The tables
are written to ``src/mizzle/instrument/data``. Numbers are the shortest decimals that give back the files'
float32 exactly.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits  # noqa: TID251

IDCTAB = "sad1946fu_idc.fits"
OFFTAB = "s9518396u_off.fits"
DGEOFILE = "s8f1222cu_dxy.fits.gz"
TARGET = Path(__file__).resolve().parents[1] / "src" / "mizzle" / "instrument" / "data"
TYPES = {"i2": "int16", "i4": "int32", "f4": "float32"}
UNITS = {"SCALE": "arcsec", "THETA": "deg", "V2REF": "arcsec", "V3REF": "arcsec", "Y": "pix", "DY": "pix"}


def header_lines(columns: Sequence[tuple[str, str]], comments: Iterable[str]) -> list[str]:
    """Return the ECSV header of `columns` (name, datatype)."""
    lines = ["# %ECSV 1.0", "# ---", "# datatype:"]
    for name, kind in columns:
        unit = f"unit: {UNITS[name]}, " if name in UNITS else ""
        lines.append(f"# - {{name: {name}, {unit}datatype: {kind}}}")
    lines += ["# meta:", "#   comments:", *(f"#   - {text}" for text in comments), "# schema: astropy-2.0"]
    return lines


def text(value: Any) -> str:
    """Return the shortest text that gives `value` back."""
    return (
        value.strip()
        if isinstance(value, str)
        else np.format_float_scientific(value, trim="-")
        if isinstance(value, np.float32) and abs(value) < 1e-3 and value != 0
        else str(value)
    )


def write_table(path: Path, rows: Sequence[Sequence[Any]], names: Sequence[str], comments: Iterable[str]) -> None:
    """Write `rows` as ECSV; the type of a column is that of its first value."""
    kinds = ["string" if isinstance(v, str) else TYPES[v.dtype.str[1:]] for v in rows[0]]
    lines = header_lines(list(zip(names, kinds, strict=True)), comments)
    lines.append(" ".join(names))
    lines += [" ".join(text(value) for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def main(folder: Path) -> None:
    """Write the three tables."""
    with fits.open(folder / IDCTAB) as hdus:
        data = hdus[1].data
        names = [name for name in data.names if name not in ("DIRECTION", "XSIZE", "YSIZE")]
        rows = [[row[name] for name in names] for row in data if row["DIRECTION"].strip() == "FORWARD"]
    write_table(
        TARGET / "wfpc2_idctab.ecsv",
        rows,
        names,
        [
            f"WFPC2 geometric distortion, {IDCTAB} (STScI, public), after Anderson and King 2003, PASP 115, 113.",
            "x' = sum CXnm x^m y^(n-m), in pixels, x = X - XREF (1-based); times SCALE for arcsec.",
        ],
    )
    with fits.open(folder / OFFTAB) as hdus:
        data = hdus[1].data
        names = list(data.names)
        rows = [[row[name] for name in names] for row in data]
    write_table(
        TARGET / "wfpc2_offtab.ecsv",
        rows,
        names,
        [f"WFPC2 chip positions against time, {OFFTAB} (STScI, public; Bedin and Cox 2008)."],
    )
    with fits.open(folder / DGEOFILE) as hdus:
        columns = [hdus["DY", chip].data for chip in (1, 2, 3, 4)]
        if any(np.any(hdus["DX", chip].data) for chip in (1, 2, 3, 4)):
            raise SystemExit("DX is not zero: one column cannot hold this file")
        profile = columns[0][:, 0]
        if not all(np.array_equal(c, np.broadcast_to(profile[:, None], c.shape)) for c in columns):
            raise SystemExit("DY depends on x or on the chip: one column cannot hold this file")
    write_table(
        TARGET / "wfpc2_dgeofile.ecsv",
        [[np.int16(j + 1), value] for j, value in enumerate(profile.astype(np.float32))],
        ["Y", "DY"],
        [
            f"WFPC2 34th-row term, {DGEOFILE.removesuffix('.gz')} (STScI, public; Cox 2008 after Anderson and King",
            "1999, PASP 111, 1095). DY is added to y (1-based rows) on all four chips; DX is zero.",
        ],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
