"""Headerlets: the WCS of an exposure in a file of its own, written and put back."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from mizzle.errors import InputError, SettingsError
from mizzle.io import incumbent_files
from mizzle.io.exposures import read_exposure
from mizzle.io.rewriting import opened, rewriting
from mizzle.io.wcs_in_place import write_frames
from mizzle.model import Exposure
from mizzle.settings import Settings
from mizzle.translation.exposures import with_values
from mizzle.translation.inputs import list_files, with_quality
from mizzle.translation.parameters import Task, TranslationWarning

__all__ = ["apply_headerlet_as_primary", "get_headerlet_kw_names", "write_headerlet"]

_NAMES = "the names of the tables are in the file's own header"
_SAID = "nothing is logged"
WRITE_TASK = Task(
    "write_headerlet",
    {
        **{"output": None, "sciext": "SCI", "wcsname": None, "wcskey": None, "destim": None},
        **{"author": None, "descrip": None, "history": None, "attach": True, "clobber": False},
    },
    {
        **dict.fromkeys(("sipname", "npolfile", "d2imfile"), (None, _NAMES)),
        "nmatch": (None, "the header's own number is written"),
        "catalog": (None, "headerlets name no catalog"),
        "logging": (False, _SAID),
        "logmode": ("w", _SAID),
    },
)
APPLY_TASK = Task(
    "apply_headerlet_as_primary",
    {"archive": True},
    {
        "force": (False, "the distortion model comes with the headerlet, whatever the exposure had"),
        "attach": (True, "headerlets stay files of their own"),
        "logging": (False, _SAID),
        "logmode": ("a", _SAID),
    },
)


def write_headerlet(filename: Any, hdrname: str, **parameters: Any) -> list[str]:
    """Write the WCS of exposures as headerlets.

    Parameters
    ----------
    filename : str, Path or iterable of them
        Exposures: files, wildcards, names joined by commas.
    hdrname : str
        HDRNAME.
    **parameters
        ``output`` (name of the file; ``NAME_hlet.fits`` without one), ``wcskey`` or ``wcsname`` (which WCS; the primary
        one by default), ``author``, ``descrip``, ``history``, ``clobber``. ``attach`` writes the file too, beside
        the exposure: no exposure holds headerlets here.

    Returns
    -------
    files : list of str
        As written.

    Raises
    ------
    SettingsError
        An unknown parameter, or the file is there and ``clobber`` is not set.
    InputError
        An exposure has no such WCS.
    """
    values = WRITE_TASK.values(parameters)
    paths = list_files(filename, "write_headerlet").paths
    if values.flag("attach"):
        warnings.warn(
            "write_headerlet: attach: headerlets are written as files, beside the exposure",
            TranslationWarning,
            stacklevel=2,
        )
    key = values.text("wcskey").upper().replace("PRIMARY", "") or values.text("wcsname")
    written = []
    for path in paths:
        name = _name_of(values.text("output"), path, alone=len(paths) == 1)
        if name.exists() and not values.flag("clobber"):
            raise SettingsError(f"{name}: is there already; clobber=True replaces it", file=str(name))
        exposure = _read(path, wcs="header", wcsname=key)
        frames = {chip: exposure.chips[chip].frame for chip in exposure.chips}
        facts = {word: values.text(word.lower()) for word in ("AUTHOR", "DESCRIP", "HISTORY")}
        facts |= {"HDRNAME": hdrname, "WCSNAME": next(iter(frames.values())).name}
        if values.text("destim"):
            facts["DESTIM"] = values.text("destim")
        written.append(str(incumbent_files.write_headerlet(name, exposure, frames, facts=facts)))
    return written


def apply_headerlet_as_primary(filename: Any, hdrlet: Any, **parameters: Any) -> None:
    """Give exposures the WCS of a headerlet, in place; the old one is kept as an alternate.

    Parameters
    ----------
    filename : str, Path or list of them
        Exposures.
    hdrlet : str, Path or list of them
        The headerlet of each.
    **parameters
        ``archive``: keep the old WCS. ``attach`` and ``force`` are without effect.

    Raises
    ------
    SettingsError
        An unknown parameter, or lists of different lengths.
    InputError
        It is no headerlet, or one of another exposure; nothing is changed then.
    """
    values = APPLY_TASK.values(parameters)
    paths = list_files(filename, "apply_headerlet_as_primary").paths
    headerlets = [hdrlet] if isinstance(hdrlet, str | Path) else list(hdrlet)
    if len(headerlets) != len(paths):
        raise SettingsError(f"apply_headerlet_as_primary: {len(headerlets)} headerlets for {len(paths)} exposures")
    exposures = []
    for path, name in zip(paths, headerlets, strict=True):
        _refuse_another(path, Path(name))
        exposures.append((path, _read(path, wcs="header", headerlet=str(name))))
    for path, exposure in exposures:
        frames = {chip: exposure.chips[chip].frame for chip in exposure.chips}
        with rewriting(path) as hdus:
            write_frames(hdus, frames, archive=values.flag("archive"))


def get_headerlet_kw_names(fobj: Any, kw: str = "HDRNAME") -> list[str]:
    """Return a keyword of each headerlet that the archive put into a file; an empty list where there is none.

    Parameters
    ----------
    fobj : str, Path or HDUList
        A file, or an open one.
    kw : str
        Keyword, as ``HDRNAME`` or ``WCSNAME``.
    """
    if isinstance(fobj, str | Path):
        with opened(fobj) as hdus:
            return get_headerlet_kw_names(hdus, kw)
    return [str(hdu.header.get(kw, "")).strip() for hdu in fobj if str(hdu.header.get("EXTNAME", "")) == "HDRLET"]


def _name_of(output: str, path: Path, *, alone: bool) -> Path:
    """Return where a headerlet goes: as asked, or beside the exposure; a suffix alone (``flt``) is no name."""
    if output and alone and output.endswith(".fits"):
        return Path(output)
    stem = path.name.removesuffix(".gz").removesuffix(".fits")
    return path.with_name(f"{output if output and alone and len(output) > 3 else stem}_hlet.fits")


def _read(path: Path, **geometry: str) -> Exposure:
    """Read an exposure with the WCS that is meant."""
    chosen = {key: value for key, value in geometry.items() if value}
    return read_exposure(with_quality(path), with_values(Settings(), geometry=chosen), headers_only=True)


def _refuse_another(path: Path, name: Path) -> None:
    """Refuse the headerlet of another exposure."""
    with opened(path) as hdus, opened(name) as headerlet:
        own, other = (str(h[0].header.get(key, "")).strip() for h, key in ((hdus, "ROOTNAME"), (headerlet, "DESTIM")))
    if other and not other.lower().startswith(own.lower()):
        raise InputError(f"{name}: is the headerlet of {other}, not of {own}", file=str(name))
