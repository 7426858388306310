"""Reference files and headerlets from disk: FITS tables in, plain arrays out.

Nothing here is needed for a plain run: the embedded tables serve unless a setting names a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.geometry.header import HeaderletChips, number
from mizzle.instrument.tables import PROFILE_LENGTH, DistortionTables, embedded_tables
from mizzle.instrument.wfpc2 import CHIP_NAMES
from mizzle.io.editable import EditableFile
from mizzle.io.image_unit import UNREADABLE
from mizzle.io.regular import TABLE_LIMIT, local_path, reason
from mizzle.model.lookup import LookupTable
from mizzle.settings.geometry import GeometrySettings

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class GeometryInputs:
    """What `instrument.wfpc2.frames.build_frames` needs beside headers."""

    tables: DistortionTables
    lookups: Mapping[str, LookupTable]
    headerlet: HeaderletChips | None
    notes: tuple[str, ...] = ()


@contextmanager
def _opened(path: Path, what: str) -> Iterator[EditableFile]:
    """Open a FITS file; anything wrong with it is an `InputError` that names it."""
    try:
        yield EditableFile.read(local_path(path), TABLE_LIMIT)
    except UNREADABLE as problem:
        raise InputError(
            f"{path}: cannot be read as a {what}: {reason(problem)}; give another file, or none to take the embedded"
            " table",
            file=str(path),
            kind=what,
        ) from problem


def resolve_reference(text: str, folders: Sequence[Path] = ()) -> Path:
    """Find a reference file.

    Parameters
    ----------
    text : str
        A path, or ``uref$name`` (any ``variable$name``): the folder in the environment variable where it is set, then
        `folders`. A variable is never required.
    folders : sequence of Path
        Where else to look: the cache of fetched references, the folder of the exposure.

    Raises
    ------
    InputError
        The file is in none of these places; they are listed.
    """
    variable, dollar, name = text.strip().rpartition("$")
    candidates = [] if dollar else [Path(name).expanduser()]
    if dollar:
        name = Path(name).name  # a reference file lies in the folder, never beside it
        value = os.environ.get(variable, "")
        candidates = [Path(value) / name] if value else []
        candidates += [folder / name for folder in folders]
    elif not candidates[0].is_absolute():
        candidates += [folder / name for folder in folders]
    for path in candidates:
        for candidate in (path, path.parent / f"{path.name}.gz"):
            if candidate.exists() and not candidate.is_dir():  # a pipe or a device is refused by whoever opens it
                return candidate
    raise InputError(
        f"{text}: no such reference file; sought {', '.join(map(str, candidates)) or 'nowhere'}; give a path, or"
        " nothing to take the embedded table",
        file=text,
        sought=tuple(map(str, candidates)),
    )


def _table(path: Path, what: str) -> Columns:
    """Return the columns of the first table of a file, in native byte order, text stripped."""
    with _opened(path, what) as hdus:
        unit = next((hdu for hdu in hdus if hdu.header.get("XTENSION") == "BINTABLE"), None)
        data = None if unit is None else unit.records
        if unit is None or data is None or len(data) == 0:
            raise InputError(f"{path}: holds no table; a {what} is one", file=str(path), kind=what)
        columns: Columns = {}
        for place, name in enumerate(data.dtype.names or (), 1):
            values = np.asarray(data[name])
            if values.dtype.kind == "S":
                columns[name.upper()] = np.array([text.decode("latin-1").strip() for text in values])
            elif values.dtype.kind in "iuf" and values.ndim == 1:
                scale, zero = (unit.header.get(f"{key}{place}", usual) for key, usual in (("TSCAL", 1), ("TZERO", 0)))
                native = values.astype(values.dtype.newbyteorder("="))
                columns[name.upper()] = native if (scale, zero) == (1, 0) else native * scale + zero
        return columns


def read_idctab(path: Path) -> Columns:
    """Return the columns of an IDCTAB; rows that lead from pixels to the sky (``FORWARD``) only."""
    columns = _table(path, "distortion table (IDCTAB)")
    if "DIRECTION" in columns:
        forward = np.char.upper(columns["DIRECTION"].astype(str)) == "FORWARD"
        columns = {name: values[forward] for name, values in columns.items()}
    return columns


def read_offtab(path: Path) -> Columns:
    """Return the columns of an OFFTAB."""
    return _table(path, "chip-offset table (OFFTAB)")


def read_dgeofile(path: Path) -> dict[int, NDArray[np.float64]]:
    """Return the row profile of a DGEOFILE by chip number: DY in pixels at the center of each row, ``(800,)``.

    Raises
    ------
    InputError
        It shifts x, or shifts y by an amount that depends on x: not a row term.
    """
    what = "pixel-shift image (DGEOFILE)"
    profiles: dict[int, NDArray[np.float64]] = {}
    with _opened(path, what) as hdus:
        for hdu in hdus:
            axis, chip = str(hdu.header.get("EXTNAME", "")).strip().upper(), int(hdu.header.get("EXTVER", 0))
            if axis not in {"DX", "DY"} or hdu.data is None:
                continue
            image = np.asarray(hdu.data, dtype=np.float64)
            rows = np.median(image, axis=1) if axis == "DY" else np.zeros(image.shape[0])
            if not np.all(np.abs(image - rows[:, None]) < 1e-6):
                raise InputError(
                    f"{path}: {axis} of chip {chip} is not a function of the row alone; mizzle applies row terms only;"
                    " give another DGEOFILE",
                    file=str(path),
                    chip=chip,
                )
            if axis == "DY":
                profiles[chip] = rows
        if not profiles or any(p.size != PROFILE_LENGTH for p in profiles.values()):
            raise InputError(f"{path}: no DY image of {PROFILE_LENGTH} rows; it is no WFPC2 {what}", file=str(path))
    return profiles


def load_tables(settings: GeometrySettings, folders: Sequence[Path] = ()) -> DistortionTables:
    """Return the distortion tables that the settings ask for; the embedded ones by default.

    Parameters
    ----------
    settings : GeometrySettings
        ``idctab``, ``offtab``, ``dgeofile``.
    folders : sequence of Path
        As for `resolve_reference`.

    Raises
    ------
    InputError
        A file is missing or is not the table it should be.
    """
    named = {kind: getattr(settings, kind) for kind in ("idctab", "offtab", "dgeofile")}
    paths = {kind: resolve_reference(text, folders) for kind, text in named.items() if text}
    if not paths:
        return embedded_tables()
    return _load(tuple((kind, path, path.stat().st_mtime_ns) for kind, path in paths.items()))


@lru_cache(maxsize=8)
def _load(files: tuple[tuple[str, Path, int], ...]) -> DistortionTables:
    """Read the named files, once as long as they do not change; the embedded tables stand in for the others."""
    tables = embedded_tables()
    paths = {kind: path for kind, path, _ in files}
    return DistortionTables(
        idctab=read_idctab(paths["idctab"]) if "idctab" in paths else tables.idctab,
        offtab=read_offtab(paths["offtab"]) if "offtab" in paths else tables.offtab,
        row_shift=read_dgeofile(paths["dgeofile"]) if "dgeofile" in paths else tables.row_shift,
        idctab_name=paths["idctab"].name if "idctab" in paths else tables.idctab_name,
        offtab_name=paths["offtab"].name if "offtab" in paths else tables.offtab_name,
        dgeofile_name=paths["dgeofile"].name if "dgeofile" in paths else tables.dgeofile_name,
    )


def read_lookups(hdus: Any, headers: Mapping[str, Any]) -> dict[str, LookupTable]:
    """Return the detector-to-image tables (y) of a file by chip name.

    Parameters
    ----------
    hdus : HDUList
        The open file, with its ``D2IMARR`` extensions.
    headers : mapping
        SCI headers by chip name.
    """
    arrays = {
        int(hdu.header.get("EXTVER", 1)): hdu
        for hdu in hdus
        if str(hdu.header.get("EXTNAME", "")).strip().upper() == "D2IMARR"
    }
    lookups: dict[str, LookupTable] = {}
    for chip, header in headers.items():
        if str(header.get("D2IMDIS2", "")).strip().upper() != "LOOKUP":
            continue
        hdu = arrays.get(int(number(header, "D2IM2.EXTVER", chip, default=1)))
        if hdu is None or hdu.data is None:
            raise InputError(
                f"{chip}: D2IMDIS2 names a lookup table that the file lacks; set geometry.wcs='model'", chip=chip
            )
        data = np.atleast_2d(np.asarray(hdu.data, dtype=np.float32))
        if data.ndim != 2:
            raise InputError(f"{chip}: lookup table of {data.ndim} dimensions; set geometry.wcs='model'", chip=chip)

        def pair(word: str, default: float, chip: str = chip, *, head: Any = hdu.header) -> tuple[float, float]:
            return number(head, f"{word}1", chip, default=default), number(head, f"{word}2", chip, default=default)

        lookups[chip] = LookupTable(data, pair("CRPIX", 0.0), pair("CRVAL", 0.0), pair("CDELT", 1.0))
    return lookups


def read_headerlet(path: Path, extvers: Mapping[str, int], root: str = "") -> HeaderletChips | None:
    """Read a headerlet: the WCS of an exposure without its pixels.

    Parameters
    ----------
    path : Path
        FITS file with ``SIPWCS`` extensions, one per chip.
    extvers : mapping
        EXTVER of each chip's SCI extension, by chip name: how the headerlet names chips (TG_EVER).
    root : str
        ROOTNAME of the exposure.

    Returns
    -------
    headerlet : HeaderletChips or None
        None where the headerlet says (DESTIM) that it is for another exposure.

    Raises
    ------
    InputError
        It is no headerlet, or holds none of these chips.
    """
    from mizzle.io.headers import FrozenHeader

    with _opened(path, "headerlet") as hdus:
        name = str(hdus[0].header.get("HDRNAME", "")).strip() or path.name
        target = str(hdus[0].header.get("DESTIM", "")).strip().lower()
        if root and target and not target.startswith(root.strip().lower()):
            return None
        by_version: dict[int, Any] = {}
        for index, hdu in enumerate(hdus):
            if str(hdu.header.get("EXTNAME", "")).strip().upper() == "SIPWCS":
                by_version[int(hdu.header.get("TG_EVER", hdu.header.get("EXTVER", 0)))] = FrozenHeader(
                    hdu.header, f"{path}[{index}]"
                )
        headers = {chip: by_version[version] for chip, version in extvers.items() if version in by_version}
        if not headers:
            raise InputError(
                f"{path}: no SIPWCS extension for {', '.join(extvers)}; give this exposure's headerlet"
                " (geometry.headerlet)",
                file=str(path),
                found=tuple(by_version),
            )
        return HeaderletChips(name, headers, read_lookups(hdus, headers))


def geometry_inputs(
    settings: GeometrySettings, headers: Mapping[str, Any], hdus: Any, *, root: str = "", folders: Sequence[Path] = ()
) -> GeometryInputs:
    """Gather what the geometry of one exposure needs beside its headers.

    Parameters
    ----------
    settings : GeometrySettings
        The ``geometry`` section.
    headers : mapping
        SCI headers by chip name.
    hdus : HDUList
        The open file.
    root : str
        ROOTNAME of the exposure.
    folders : sequence of Path
        Where ``uref$name`` may lie.
    """
    headerlet: HeaderletChips | None = None
    notes: tuple[str, ...] = ()
    if settings.headerlet:
        extvers = {
            chip: int(number(header, "EXTVER", chip, default=CHIP_NAMES.index(chip) + 1))
            for chip, header in headers.items()
        }
        path = resolve_reference(settings.headerlet, folders)
        headerlet = read_headerlet(path, extvers, root)
        if headerlet is None:
            notes = (f"headerlet {path.name} is for another exposure; not applied",)
    lookups = read_lookups(hdus, headers) if settings.wcs == "header" else {}
    return GeometryInputs(load_tables(settings, folders), lookups, headerlet, notes)
