"""Tables a user may give: corrections of PHOTFLAM, sky levels, and what is kept out of the sky."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.errors import InputError
from mizzle.instrument.cameras import chip_named
from mizzle.io.opened import read_table
from mizzle.io.regions import read_regions
from mizzle.model.user_tables import FluxCorrection, SkyRegion, SkyValue

_CORRECTION_COLUMNS = (
    "chip", "filter", "root", "atodgain", "gain", "mjd_min", "mjd_max", "factor", "photflam",
)  # fmt: skip
_SKY_COLUMNS = ("root", "chip", "sky")


def read_flux_corrections(path: str | Path) -> tuple[FluxCorrection, ...]:
    """Read corrections of PHOTFLAM for ``equalize.factors``.

    Columns ``factor`` (multiplies) or ``photflam`` (replaces), and any of ``chip filter root atodgain mjd_min
    mjd_max`` as conditions; an empty cell, ``*`` or ``all`` matches everything.

    Parameters
    ----------
    path : str or Path
        ECSV, CSV, FITS or VOTable.

    Returns
    -------
    rows : tuple of FluxCorrection
        In the order of the file.

    Raises
    ------
    InputError
        An unknown column or chip, a number that is none, or neither ``factor`` nor ``photflam``.
    """
    rows = []
    for line, cells in _rows(path, _CORRECTION_COLUMNS):
        where = f"{path}, row {line}"
        if "factor" not in cells and "photflam" not in cells:
            raise InputError(f"{where}: neither factor nor photflam; one is needed", path=str(path), row=line)
        gain = cells.get("atodgain", cells.get("gain", ""))
        if gain not in ("", "7", "15"):
            raise InputError(f"{where}: atodgain is {gain!r}; 7 or 15 is needed", path=str(path), row=line)
        rows.append(
            FluxCorrection(
                factor=_positive(cells["factor"], "factor", where) if "factor" in cells else 1.0,
                photflam=_positive(cells["photflam"], "photflam", where) if "photflam" in cells else None,
                chip=_chip(cells, where),
                filter=cells.get("filter", "").upper(),
                root=_root(cells.get("root", "")),
                commanded_gain=int(gain or 0),
                mjd_min=_number(cells["mjd_min"], "mjd_min", where) if "mjd_min" in cells else -math.inf,
                mjd_max=_number(cells["mjd_max"], "mjd_max", where) if "mjd_max" in cells else math.inf,
            )
        )
    return tuple(rows)


def read_sky_values(path: str | Path) -> tuple[SkyValue, ...]:
    """Read sky levels for ``sky.file``: columns ``sky`` [DN per pixel as recorded], and ``root``, ``chip``.

    Parameters
    ----------
    path : str or Path
        ECSV, CSV, FITS or VOTable.

    Raises
    ------
    InputError
        An unknown column or chip, or a level that is no number.
    """
    rows = []
    for line, cells in _rows(path, _SKY_COLUMNS):
        where = f"{path}, row {line}"
        if "sky" not in cells:
            raise InputError(f"{where}: no sky level; column sky is needed", path=str(path), row=line)
        rows.append(SkyValue(_number(cells["sky"], "sky", where), _root(cells.get("root", "")), _chip(cells, where)))
    return tuple(rows)


def read_sky_exclusions(path: str | Path) -> tuple[SkyRegion, ...]:
    """Read DS9 regions for ``sky.exclude``: all are kept out, with or without a leading ``-``."""
    return tuple(replace(region, include=False) for region in read_regions(path))


def _rows(path: str | Path, known: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Return each row's number and its filled cells as text, by lower-case column name."""
    table = read_table(path)
    names = {str(name): str(name).strip().lower() for name in table.colnames}
    strange = [name for name, lower in names.items() if lower not in known]
    if strange:
        raise InputError(
            f"{path}: unknown column {strange[0]!r}; known here: {', '.join(known)}",
            path=str(path),
            column=strange[0],
        )
    rows = []
    for number, row in enumerate(table, start=1):
        cells = {lower: _text(row[name]) for name, lower in names.items()}
        rows.append((number, {key: text for key, text in cells.items() if text}))
    return rows


def _text(value: Any) -> str:
    """Return a cell as text; masked cells, NaN and wildcards are empty."""
    if np.ma.is_masked(value):
        return ""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    text = text.strip()
    return "" if text.lower() in ("*", "all", "nan", "--") else text


def _number(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {name} is {text!r}; a number is needed", column=name)
    return value


def _positive(text: str, name: str, where: str) -> float:
    value = _number(text, name, where)
    if not value > 0:
        raise InputError(f"{where}: {name} is {text!r}; a positive number is needed", column=name)
    return value


def _chip(cells: dict[str, str], where: str) -> str:
    if "chip" not in cells:
        return ""
    name = chip_named(cells["chip"])
    if name is None:
        raise InputError(f"{where}: chip is {cells['chip']!r}; no camera has a chip of that name")
    return name


def _root(text: str) -> str:
    """Return the rootname in a root or file name."""
    return Path(text).name.lower().split("_")[0].split(".")[0]
