"""The archive's older form: one cube of groups, and a table with a row of keywords for each (``c0f``, ``c1f``)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.errors import InputError
from mizzle.io.headers import FrozenHeader
from mizzle.io.image_unit import UNREADABLE, ImageUnit
from mizzle.io.regular import reason
from mizzle.io.structure import FitsUnit

#: Keywords of a cube's third axis, which no group has.
_THIRD_AXIS = re.compile(r"C(TYPE|RPIX|RVAL|DELT)3|CD(3_\d|\d_3)|NAXIS3")
_MOST_GROUPS = 16


def split_groups(
    path: Path, images: Sequence[ImageUnit], units: Sequence[FitsUnit], *, content: bytes | None
) -> tuple[ImageUnit, ...]:
    """Turn a cube with its table into a primary header and an image for each group.

    Parameters
    ----------
    path : Path
        The file.
    images, units : sequence
        The cube first, then its table.
    content : bytes or None
        The unpacked file, where it was packed.

    Returns
    -------
    images : tuple of ImageUnit
        As the multi-extension file of the same exposure has them: EXTNAME ``SCI``, EXTVER the group's number.

    Raises
    ------
    InputError
        The table is missing, or has not one row for each group.
    """
    cube = images[0]
    groups, ny, nx = cube.shape
    rows = _table(path, units, content)
    if len(rows) != groups or groups > _MOST_GROUPS:
        raise InputError(
            f"{path}: a cube of {groups} groups, and a table with {len(rows)} rows of keywords; a waivered WFPC2 file"
            " has a row for each of up to 4 groups",
            file=str(path),
        )
    common = {key: value for key, value in cube.header.items() if not _THIRD_AXIS.fullmatch(key)}
    named = set(rows[0])
    primary = {key: value for key, value in common.items() if key not in named and not key.startswith("NAXIS")}
    parts = [ImageUnit(FrozenHeader.of({**primary, "NAXIS": 0}, f"{path}[0]"), f"{path}[0]")]
    for number, row in enumerate(rows):
        where = f"{path}[group {number + 1}]"
        own = {"NAXIS": 2, "NAXIS1": nx, "NAXIS2": ny, "BITPIX": common["BITPIX"], "EXTNAME": "SCI"}
        header = FrozenHeader.of({**own, "EXTVER": number + 1, "ROOTNAME": common.get("ROOTNAME", ""), **row}, where)
        packed = None if cube.packed is None else cube.packed[number]
        plane = cube.plane
        if plane is not None:
            plane = replace(plane, offset=plane.offset + number * plane.n_bytes)
        parts.append(ImageUnit(header, where, plane, content, packed))
    return tuple(parts)


def _table(path: Path, units: Sequence[FitsUnit], content: bytes | None) -> list[dict[str, Any]]:
    """Return the keywords of each group."""
    from astropy.io import fits

    tables = [
        unit for unit in units if unit.cards.get("XTENSION") in {"TABLE", "BINTABLE"} and not unit.cards.get("ZIMAGE")
    ]
    if len(tables) != 1:
        raise InputError(
            f"{path}: a cube of images and {len(tables)} tables; a waivered WFPC2 file has one table of group keywords",
            file=str(path),
        )
    unit = tables[0]
    data = content[unit.start : unit.start + unit.padded] if content is not None else _bytes(path, unit)
    kind = fits.TableHDU if unit.cards["XTENSION"] == "TABLE" else fits.BinTableHDU
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = kind.fromstring(unit.header + data).data
            return [{name.upper(): _plain(row[name]) for name in table.names} for row in table]
    except (*UNREADABLE, fits.VerifyError) as problem:
        raise InputError(
            f"{path}: its table of group keywords cannot be read: {reason(problem)}", file=str(path)
        ) from problem


def _bytes(path: Path, unit: FitsUnit) -> bytes:
    return np.fromfile(path, dtype=np.uint8, count=unit.padded, offset=unit.start).tobytes()


def _plain(value: Any) -> Any:
    """Return a cell as a card's value: a lone T or F is a truth value, as in the headers."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return {"T": True, "F": False}.get(value.strip(), value.strip()) if isinstance(value, str) else value
