"""What a file is, by its name where that is one of the archive's, else by its headers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mizzle.errors import InputError
from mizzle.instrument.cameras import camera_of, known_cameras
from mizzle.io.fitsfile import FitsFile

#: The archive's names: c0m and c1m (extensions), c0f and c1f (waivered), flt and flc (data quality inside). What is
#: packed in a way that is not read counts too: left out of a folder it would be missed by nobody.
_NAME = re.compile(
    r"^(?P<root>.+)_(?P<kind>c0m|c1m|c0f|c1f|flt|flc)\.fits(?P<zip>\.(?:gz|fz|bz2|xz|zst|zip|Z))?$", re.IGNORECASE
)


def match_name(name: str) -> re.Match[str] | None:
    """Match a file's name against those of the archive: groups ``root``, ``kind`` and ``zip``."""
    return _NAME.match(name)


@dataclass(frozen=True)
class Content:
    """What a file is to a run: an exposure, data-quality flags, or both.

    Parameters
    ----------
    is_quality : bool
        Data quality alone: a ``c1m`` or ``c1f``.
    own_quality : bool
        An exposure with its data quality inside.
    root : str
        ROOTNAME, lower case; empty where the headers were not looked at, or have none.
    """

    is_quality: bool
    own_quality: bool = False
    root: str = ""


def look_into(path: Path, *, headers: bool = False) -> Content:
    """Say what a file is, opening it only where its name does not tell.

    Parameters
    ----------
    path : Path
        Any file.
    headers : bool
        Look at the headers in any case.

    Raises
    ------
    InputError
        Not a FITS file, or one without an exposure of a supported camera; the message says what was found.
    """
    match = match_name(path.name)
    if match is not None and not headers:
        kind = match["kind"].lower()
        return Content(is_quality=kind in {"c1m", "c1f"}, own_quality=kind in {"flt", "flc"})
    file = FitsFile(path)
    primary = file.headers[0]
    root = re.sub(r"[^a-z0-9_-]", "", str(primary.get("ROOTNAME", "")).lower())
    names = {str(unit.header.get("EXTNAME", "")).strip().upper() for unit in file.units[1:] if len(unit.shape) == 2}
    numbered = any("DETECTOR" in unit.header for unit in file.units[1:])
    camera = camera_of(primary)
    if camera is not None and camera.detector and "SCI" in names:  # calibrated files of the later cameras
        return Content(is_quality=False, own_quality=True, root=root)
    if match is None and not (("SCI" in names and numbered) or {"SDQ", "DQ"} & names):
        raise InputError(
            f"{path}: {_found(file)}; needed an exposure of {known_cameras()}: *_c0m.fits (with its *_c1m.fits),"
            " *_c0f.fits (with its *_c1f.fits), *_flt.fits, *_flc.fits, or a file of any name that holds the same"
            " (.gz and .fz allowed)",
            file=str(path),
        )
    quality = str(primary.get("FILETYPE", "")).strip().upper() in {"SDQ", "DQ"} or "SCI" not in names
    return Content(is_quality=quality, own_quality=not quality and "DQ" in names, root=root)


def _found(file: FitsFile) -> str:
    """Say in a few words what a FITS file is that is no exposure."""
    header = file.headers[0]
    instrument = str(header.get("INSTRUME", "")).strip()[:20]
    names = [str(unit.header.get("EXTNAME", "")).strip()[:20] for unit in file.units[1:6]]
    what = f"a FITS file of {instrument}" if instrument else "a FITS file without INSTRUME"
    if str(header.get("NDRIZIM", "")).strip():
        what = "a drizzled product, not an exposure"
    return f"{what}, extensions {', '.join(name or '-' for name in names)}" if names else f"{what}, without extensions"
