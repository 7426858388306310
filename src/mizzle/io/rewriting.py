"""Changing a FITS file in place, as the incumbents do: whole or not at all, after keeping the original bytes."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import stat
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from mizzle.errors import InputError
from mizzle.instrument.wfpc2 import CHIP_NAMES, chip_name
from mizzle.io.atomic import prepare_folder, whole_file
from mizzle.io.editable import EditableFile

if TYPE_CHECKING:
    from astropy.io import fits

#: Folder of the original files, beside those that were changed; the incumbents' own name for it.
ORIGINALS = "OrIg_files"


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[fits.HDUList]:
    """Open a FITS file, all of it in memory, for reading.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    InputError
        It is not there, or not FITS.
    """
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd cards warn; what matters is read where it is needed
            hdus = fits.open(path, memmap=False, lazy_load_hdus=False)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise InputError(f"{path}: cannot be read as FITS: {reason}", file=str(path)) from problem
    with hdus:
        yield hdus


@contextlib.contextmanager
def rewriting(path: str | Path, *, to: str | Path | None = None) -> Iterator[EditableFile]:
    """Open a FITS file, let the caller change it in memory, and write it whole; the first bytes are kept.

    The original goes to `ORIGINALS` beside the file before the first change, and stays what it was: a second change
    finds it there. Nothing is written where the block raises. Who may read and write the file stays what it was.

    Parameters
    ----------
    path : str or Path
        The file.
    to : str or Path, optional
        Write there, and leave `path` as it is.

    Yields
    ------
    hdus : EditableFile
        In memory.

    Raises
    ------
    InputError
        The file is not a whole FITS file.
    SettingsError
        The folder cannot be written.
    """
    path = Path(path)
    hdus = EditableFile.read(path)
    yield hdus
    if to is None:
        keep_original(path)
    with whole_file(path if to is None else to) as stream:
        if to is None and hasattr(os, "fchmod"):
            os.fchmod(stream.fileno(), stat.S_IMODE(path.stat().st_mode))
        if path.suffix.lower() == ".gz":
            with gzip.GzipFile(fileobj=stream, mode="wb", filename="", mtime=0) as packed:
                hdus.write(cast("BinaryIO", packed))
        else:
            hdus.write(stream)


def keep_original(path: str | Path) -> Path:
    """Keep a file's bytes in `ORIGINALS` beside it, unless they are there already; return where.

    The new file takes its name by a rename, so a second name for the same bytes is as good as a copy, and free.
    """
    path = Path(path)
    kept = prepare_folder(path.parent / ORIGINALS) / path.name
    if kept.exists():
        return kept
    try:
        os.link(path, kept)
    except OSError:  # a file system without links
        partial = kept.with_name(f".{kept.name}.{os.getpid()}.part")
        shutil.copyfile(path, partial)
        os.replace(partial, kept)
    return kept


def restore_original(path: str | Path) -> bool:
    """Bring back the original bytes of a file, where they were kept; return whether they were."""
    path = Path(path)
    kept = path.parent / ORIGINALS / path.name
    if not kept.is_file():
        return False
    with whole_file(path) as stream:
        stream.write(kept.read_bytes())
    return True


def chip_units(hdus: Iterable[Any], names: tuple[str, ...] = ("SCI",)) -> dict[str, Any]:
    """Return the image extensions called one of `names`, by chip, in the order PC, WF2, WF3, WF4."""
    units: dict[str, Any] = {}
    for hdu in list(hdus)[1:]:
        if str(hdu.header.get("EXTNAME", "")).strip().upper() in names:
            name = chip_name(str(hdu.header.get("DETECTOR", hdu.header.get("EXTVER", ""))))
            if name is not None:
                units.setdefault(name, hdu)
    return {name: units[name] for name in CHIP_NAMES if name in units}
