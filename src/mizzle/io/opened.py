"""Tables and images that users name, opened through astropy: regular local files only, whole, and within limits."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.parsers.expat import ExpatError

from mizzle.errors import InputError
from mizzle.io.image_unit import UNREADABLE
from mizzle.io.regular import IMAGE_LIMIT, TABLE_LIMIT, is_gzip, local_path, packed_as, read_limited, reason, unpack
from mizzle.io.structure import find_units

#: Most pixels of an image that is read whole.
_MOST_PIXELS = 600_000_000


@contextmanager
def opened_fits(
    path: str | os.PathLike[str], what: str, limit: int = TABLE_LIMIT, *, advice: str = ""
) -> Iterator[Any]:
    """Open a FITS file whose structure is whole; anything wrong with it is an `InputError` that names it.

    Parameters
    ----------
    path : str or path
        Plain or gzip.
    what : str
        What it should be, for messages.
    limit : int
        Most bytes, unpacked.
    advice : str
        What else to do.

    Yields
    ------
    hdus : astropy.io.fits.HDUList
        Read-only.
    """
    from astropy.io import fits

    local = local_path(path)
    _, content = find_units(local, limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd but readable cards warn; what matters is the value
            source: Any = local if content is None else io.BytesIO(content)
            with fits.open(source, mode="readonly", memmap=False) as hdus:
                yield hdus
    except (*UNREADABLE, fits.VerifyError) as problem:
        raise InputError(
            f"{path}: cannot be read as a {what}: {reason(problem)}{advice}", file=str(path), kind=what
        ) from problem


@contextmanager
def opened_image(path: str | os.PathLike[str], what: str) -> Iterator[Any]:
    """Open a FITS file of images, of any size that a mosaic may have."""
    with opened_fits(path, what, IMAGE_LIMIT) as hdus:
        for hdu in hdus:
            sides = getattr(hdu, "shape", ()) if getattr(hdu, "is_image", False) else ()
            count = 1
            for side in sides:
                count *= int(side)
            if sides and count > _MOST_PIXELS:
                raise InputError(
                    f"{path}: an image of {' x '.join(map(str, sides[::-1]))} pixels; at most {_MOST_PIXELS} are read",
                    file=str(path),
                )
        yield hdus


def read_table(path: str | os.PathLike[str]) -> Any:
    """Read a table by what the file is: FITS, VOTable, ECSV, or text with commas or blanks; gzip of each.

    Returns
    -------
    table : astropy.table.Table

    Raises
    ------
    InputError
        The file is missing, too large, no regular file, or none of these.
    """
    local = local_path(path)
    content = read_limited(local, TABLE_LIMIT)
    if is_gzip(content[:2]):
        content = unpack(content, TABLE_LIMIT, str(path))
    if other := packed_as(content[:512]):
        raise InputError(f"{path}: {other}", path=str(path))
    kind = _kind_of(content[:512])
    options: dict[str, Any] = {"fits": {"hdu": 1}, "votable": {"table_id": 0}}.get(kind, {})
    if kind == "fits":
        find_units(local, TABLE_LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units and dates of other people's files are not our news
            return _read(content, kind, options)
    except (*UNREADABLE, SyntaxError, ExpatError, csv.Error) as problem:
        raise InputError(
            f"{path}: not a readable table (taken for {kind}): {reason(problem)}; ECSV, CSV, FITS or VOTable is needed",
            path=str(path),
        ) from problem


def _kind_of(head: bytes) -> str:
    """Return astropy's name of a table's format, from its first bytes."""
    if head.startswith(b"SIMPLE"):
        return "fits"
    if b"<VOTABLE" in head.upper() or head.lstrip().startswith(b"<?xml"):
        return "votable"
    text = head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    if text.startswith("# %ECSV"):
        return "ascii.ecsv"
    first = next((line for line in text.splitlines() if line.strip()), "")
    return "ascii.csv" if "," in first else "ascii.basic"


def _read(content: bytes, kind: str, options: dict[str, Any]) -> Any:
    from astropy.io.fits import VerifyError
    from astropy.table import Table

    if not kind.startswith("ascii"):
        try:
            return Table.read(io.BytesIO(content), format=kind, **options)
        except VerifyError as problem:
            raise ValueError(str(problem)) from problem
    lines = content.decode("utf-8-sig").splitlines()
    if not any(line.strip() for line in lines):
        raise ValueError("it is empty")
    return Table.read(lines, format=kind)
