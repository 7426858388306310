"""Writing simulated exposures and their truth: plain cards and arrays in, whole files out."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.io.atomic import whole_file, write_bytes, write_text
from mizzle.io.opened import read_table
from mizzle.model import HeaderValue

if TYPE_CHECKING:
    from astropy.io import fits

#: Keyword (empty for a comment line), value, comment.
Cards = Sequence[tuple[str, HeaderValue, str]]


class Extension(NamedTuple):
    """Cards and pixels of an image extension."""

    cards: list[tuple[str, HeaderValue, str]]
    pixels: NDArray[Any]


def write_image_file(path: str | Path, primary: Cards, images: Sequence[Extension]) -> Path:
    """Write a FITS file: empty primary, one image extension per chip; it appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file.
    primary : sequence of (keyword, value, comment)
        Cards of the primary header; structural keywords are added.
    images : sequence of Extension
        EXTNAME and EXTVER stand in their cards.

    Returns
    -------
    path : Path
        As given.
    """
    from astropy.io import fits

    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(_big_endian(array)) for _, array in images)]
    for hdu, cards in zip(hdus, (primary, *(cards for cards, _ in images)), strict=True):
        _fill(hdu.header, cards)
    with whole_file(path) as stream:
        fits.HDUList(hdus).writeto(stream, output_verify="exception")
    return Path(path)


def _big_endian(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as FITS stores it: float32, or int16 for data-quality bits."""
    return array.astype(">f4" if array.dtype.kind == "f" else ">i2")


def _fill(header: fits.Header, cards: Cards) -> None:
    """Append `cards`; long comments are cut rather than warned about."""
    from astropy.io import fits

    for keyword, value, comment in cards:
        if not keyword:
            header.append(("", value), end=True, bottom=True)
            continue
        room = 80 - len(fits.Card(keyword, value).image.rstrip()) - 3
        header.append((keyword, value, comment[: max(room, 0)]), end=True, bottom=True)


def write_table(path: str | Path, columns: Mapping[str, NDArray[Any]], units: Mapping[str, str]) -> Path:
    """Write columns as an ECSV table; it appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        ``.ecsv``.
    columns : mapping
        Equally long arrays by name.
    units : mapping
        Unit by column name, in astropy's spelling; absent where there is none.
    """
    lines = ["# %ECSV 1.0", "# ---", "# datatype:"]
    for name, values in columns.items():
        kind = "string" if values.dtype.kind == "U" else values.dtype.name
        unit = f", unit: {units[name]}" if name in units else ""
        lines.append(f"# - {{name: {name}{unit}, datatype: {kind}}}")
    lines.append(" ".join(columns))
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    lines += [" ".join(repr(v) if isinstance(v, float) else str(v) for v in row) for row in rows]
    return write_text(path, "\n".join(lines) + "\n")


def write_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write named arrays as a compressed ``.npz``; it appears whole or not at all."""
    buffer = io.BytesIO()
    save: Any = np.savez_compressed  # its stub takes array names for its own options
    save(buffer, **arrays)
    return write_bytes(path, buffer.getvalue())


def read_stars(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Read a list of stars: a table with ``ra``, ``dec`` [deg], and ``flux`` or ``mag_st``.

    Parameters
    ----------
    path : str or Path
        ECSV, CSV, FITS or VOTable; column names in any case.

    Returns
    -------
    columns : dict
        ``ra``, ``dec``, and ``flux`` [erg cm-2 s-1 A-1] or ``mag_st`` [mag].

    Raises
    ------
    InputError
        Not a table, or without these columns as finite numbers.
    """
    table = read_table(path)
    names = {name.lower(): name for name in table.colnames}
    brightness = next((name for name in ("flux", "mag_st") if name in names), None)
    if brightness is None or not {"ra", "dec"} <= set(names):
        present = ", ".join(table.colnames)[:200]
        raise InputError(
            f"{path}: columns are {present}; needed ra, dec [deg], and flux or mag_st", file=str(path), columns=present
        )
    try:
        columns = {name: np.array(table[names[name]], dtype=np.float64) for name in ("ra", "dec", brightness)}
    except (TypeError, ValueError) as problem:
        raise InputError(f"{path}: ra, dec and {brightness} must be numbers", file=str(path)) from problem
    if not all(np.isfinite(values).all() for values in columns.values()):
        raise InputError(f"{path}: ra, dec and {brightness} must be finite numbers", file=str(path))
    return columns
