"""Reading products back: what a finished run left in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.io.grid_image import grid_of
from mizzle.io.regular import TABLE_LIMIT
from mizzle.io.text import read_text
from mizzle.model import Context


def read_planes(path: str | Path) -> dict[str, Any]:
    """Read ``SCI``, ``WHT`` and ``CTX`` of a product.

    Parameters
    ----------
    path : str or Path
        ``NAME_drz.fits``.

    Returns
    -------
    planes : dict
        ``sci wht`` float32 ``(ny, nx)``, native byte order; ``context``; and ``grid``, the frame of SCI.

    Raises
    ------
    InputError
        The file is missing, truncated, or no product of mizzle.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            planes: dict[str, Any] = {
                "sci": np.array(hdus["SCI"].data, dtype=np.float32),
                "wht": np.array(hdus["WHT"].data, dtype=np.float32),
                "context": Context.of(hdus["CTX"].data),
            }
            factor = float(hdus["SCI"].header.get("UNITSCAL", 1.0))
            planes["sci"] /= np.float32(factor)  # figures and tables show rates
            shape = planes["sci"].shape
            if len(shape) != 2 or planes["wht"].shape != shape or planes["context"].shape[-2:] != shape:
                raise ValueError(f"planes of shapes {[plane.shape for plane in planes.values()]}")
            return {**planes, "grid": grid_of(hdus["SCI"], path)}
    except (OSError, KeyError, TypeError, ValueError, IndexError, VerifyError) as problem:
        raise InputError(
            f"{path}: not a readable product ({problem}); SCI, WHT and CTX are needed: run mizzle run again",
            file=str(path),
        ) from problem


def read_columns(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read the columns of a star catalog.

    Parameters
    ----------
    path : str or Path
        ``NAME_cat.ecsv``.

    Returns
    -------
    columns : dict
        Array by name; missing numbers are NaN.

    Raises
    ------
    InputError
        The file is no ECSV table.
    """
    from astropy.table import Table

    try:
        table = Table.read(read_text(path, TABLE_LIMIT), format="ascii.ecsv")
    except (ValueError, OSError, LookupError, TypeError, AttributeError) as problem:
        raise InputError(f"{path}: not a readable catalog: {problem}", file=str(path)) from problem
    columns = {}
    for name in table.colnames:
        column = table[name]
        masked = getattr(column, "mask", None)
        if masked is not None and column.dtype.kind == "f":
            column = column.filled(np.nan)
        columns[name] = np.asarray(column)
    return columns


def read_report(path: str | Path) -> dict[str, Any]:
    """Read NAME_report.json.

    Raises
    ------
    InputError
        The file is no JSON object.
    """
    try:
        report = json.loads(read_text(path, TABLE_LIMIT))
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{path}: not a report: {problem}", file=str(path)) from problem
    if not isinstance(report, dict):
        raise InputError(f"{path}: not a report: an object is needed", file=str(path))
    return report
