"""The WCSs of a header beside its primary one, by letter and name: listed, kept, brought back, deleted."""

from __future__ import annotations

import contextlib
import enum
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from mizzle.errors import InputError, SettingsError
from mizzle.geometry.keywords import lettered_cards, lettered_keywords, wcs_letters
from mizzle.io.rewriting import opened, rewriting
from mizzle.translation.parameters import TranslationWarning

__all__ = [
    "ArchiveMode",
    "archiveWCS",
    "archive_wcs",
    "available_wcskeys",
    "deleteWCS",
    "getKeyFromName",
    "next_wcskey",
    "pc2cd",
    "restoreWCS",
    "wcskeys",
    "wcsnames",
]

#: The letter of the archive's first WCS: it is not given to others, and not deleted.
_FIRST = "O"
_STAYS = "deleteWCS: O is the archive's first WCS; it stays"


class ArchiveMode(enum.IntFlag):
    """What `archive_wcs` does where a letter or a name is taken."""

    NO_CONFLICT = 0
    AUTO_RENAME = 1
    OVERWRITE_KEY = 2
    QUIET_ABORT = 4


def wcskeys(fobj: Any, ext: Any = None) -> list[str]:
    """Return the letters of the WCSs of an image; ``" "`` is the primary one.

    Parameters
    ----------
    fobj : str, Path, HDUList or Header
        A file, an open one, or a header.
    ext : int or (str, int), optional
        Extension; the first one that has a WCS by default.
    """
    with _reading(fobj, ext) as header:
        return [letter or " " for letter in wcs_letters(header)]


def wcsnames(fobj: Any, ext: Any = None, include_primary: bool = True) -> dict[str, str]:
    """Return the names of the WCSs of an image by letter, as `wcskeys` has them.

    Parameters
    ----------
    fobj, ext
        As for `wcskeys`.
    include_primary : bool
        The primary one too.
    """
    with _reading(fobj, ext) as header:
        names = {letter or " ": str(header.get(f"WCSNAME{letter}", "")).strip() for letter in wcs_letters(header)}
    return {letter: name for letter, name in names.items() if include_primary or letter != " "}


def available_wcskeys(fobj: Any, ext: Any = None) -> list[str]:
    """Return the letters that are free, A to Z without O."""
    taken = wcskeys(fobj, ext)
    return [letter for letter in ascii_uppercase if letter not in taken and letter != _FIRST]


def next_wcskey(fobj: Any, ext: Any = None) -> str | None:
    """Return the next free letter; None where all are taken."""
    return next(iter(available_wcskeys(fobj, ext)), None)


def getKeyFromName(header: Mapping[str, Any], wcsname: str) -> str | None:  # noqa: N802  (the incumbent's name)
    """Return the letter of the WCS of a name; None where there is none."""
    return next((letter for letter, name in wcsnames(header).items() if name == wcsname.strip()), None)


def pc2cd(hdr: Any, key: str = " ") -> Any:
    """Return a header with a CD matrix in place of PC and CDELT."""
    letter = key.strip()
    for i in (1, 2):
        step = hdr.get(f"CDELT{i}{letter}", 1.0)
        for j in (1, 2):
            hdr[f"CD{i}_{j}{letter}"] = step * hdr.get(f"PC{i}_{j}{letter}", float(i == j))
            hdr.remove(f"PC{i}_{j}{letter}", ignore_missing=True)
        hdr.remove(f"CDELT{i}{letter}", ignore_missing=True)
    return hdr


def archive_wcs(
    fname: Any, ext: Any, wcskey: str | None = None, wcsname: str | None = None, mode: int = ArchiveMode.NO_CONFLICT
) -> tuple[str | None, str | None]:
    """Keep a copy of the primary WCS under a letter.

    Parameters
    ----------
    fname : str, Path or HDUList
        A file, changed in place, or an open one.
    ext : int, (str, int) or list of them
        Extensions; one letter serves all.
    wcskey : str, optional
        The letter; the next free one without it.
    wcsname : str, optional
        The name of the copy; the primary one's without it.
    mode : ArchiveMode
        Where the letter is taken: ``OVERWRITE_KEY``, or ``AUTO_RENAME`` takes the next free one, and gives a name that
        is taken a number; ``QUIET_ABORT`` does nothing; else it is an error.

    Returns
    -------
    letter, name : str or None
        As written; None where nothing was.

    Raises
    ------
    SettingsError
        The letter is taken.
    """
    with _changing(fname) as hdus:
        headers = [_header(hdus, place) for place in _places(ext)]
        taken = {letter for header in headers for letter in wcs_letters(header)}
        free = [letter for letter in ascii_uppercase if letter not in taken and letter != _FIRST]
        letter = (wcskey or "").strip().upper() or (free[0] if free else "")
        if letter in taken and not mode & ArchiveMode.OVERWRITE_KEY:
            if mode & ArchiveMode.QUIET_ABORT:
                return None, None
            letter = free[0] if free and mode & ArchiveMode.AUTO_RENAME else ""
        if not letter:
            raise SettingsError(f"archive_wcs: wcskey = {wcskey!r} is taken; free are {', '.join(free) or 'none'}")
        name = (wcsname or "").strip() or str(headers[0].get("WCSNAME", "")).strip()
        if mode & ArchiveMode.AUTO_RENAME:
            name = _unique(name, headers)
        for header in headers:
            _put(header, "", letter)
            header[f"WCSNAME{letter}"] = name
    return letter, name


def archiveWCS(  # noqa: N802  (the incumbent's older name)
    fname: Any, ext: Any, wcskey: str = " ", wcsname: str = " ", reusekey: bool = False
) -> tuple[str | None, str | None]:
    """Keep a copy of the primary WCS, as `archive_wcs` does; `reusekey` writes over one of that letter."""
    return archive_wcs(fname, ext, wcskey, wcsname, ArchiveMode.OVERWRITE_KEY if reusekey else ArchiveMode.NO_CONFLICT)


def restoreWCS(f: Any, ext: Any, wcskey: str = " ", wcsname: str = " ") -> None:  # noqa: N802  (the incumbent's name)
    """Make an alternate the primary WCS; the alternate stays.

    The polynomial of the header stays too: it counts where the alternate's CTYPE says ``-SIP``, as those do that
    mizzle kept.

    Parameters
    ----------
    f : str, Path or HDUList
        A file, changed in place, or an open one.
    ext : int, (str, int) or list of them
        Extensions.
    wcskey, wcsname : str
        Its letter, or its name.

    Raises
    ------
    InputError
        An extension has no such WCS; nothing is changed then.
    """
    with _changing(f) as hdus:
        chosen = [(header, _chosen(header, wcskey, wcsname)) for header in (_header(hdus, e) for e in _places(ext))]
        for header, letter in chosen:
            _put(header, letter, "")


def deleteWCS(fname: Any, ext: Any, wcskey: str = " ", wcsname: str = " ") -> None:  # noqa: N802  (the incumbent's)
    """Delete an alternate WCS.

    Parameters
    ----------
    fname, ext, wcskey, wcsname
        As for `restoreWCS`.

    Warns
    -----
    TranslationWarning
        It is ``O``, the archive's first one, which stays.

    Raises
    ------
    InputError
        An extension has no such WCS; nothing is changed then.
    """
    if wcskey.strip().upper() == _FIRST:
        warnings.warn(_STAYS, TranslationWarning, stacklevel=2)
        return
    with _changing(fname) as hdus:
        chosen = [(header, _chosen(header, wcskey, wcsname)) for header in (_header(hdus, e) for e in _places(ext))]
        if any(letter == _FIRST for _, letter in chosen):
            warnings.warn(_STAYS, TranslationWarning, stacklevel=2)
        for header, letter in chosen:
            for keyword in lettered_keywords(letter) if letter != _FIRST else ():
                header.remove(keyword, ignore_missing=True)


def _chosen(header: Mapping[str, Any], wcskey: str, wcsname: str) -> str:
    """Return the letter that a letter or a name means."""
    # The primary WCS may have the name, too: after restoreWCS it has.
    alternates = wcsnames(header, include_primary=False) if wcsname.strip() else {}
    named = next((letter for letter, name in alternates.items() if name == wcsname.strip()), "")
    letter = wcskey.strip().upper() or named
    if not letter.strip() or letter not in wcs_letters(header):
        known = ", ".join(f"{key}: {name}" for key, name in wcsnames(header, include_primary=False).items()) or "none"
        raise InputError(f"no alternate WCS {wcskey.strip() or wcsname.strip()!r}; there are {known}", wcskey=wcskey)
    return letter


def _put(header: Any, source: str, target: str) -> None:
    """Copy a WCS within a header; nothing of an older one of that letter is left."""
    cards = lettered_cards(header, source, target)
    for keyword in {*lettered_keywords(target)} - {keyword for keyword, _, _ in cards}:
        header.remove(keyword, ignore_missing=True)
    for keyword, value, comment in cards:
        header[keyword] = (value, comment) if target else value


def _unique(name: str, headers: list[Any]) -> str:
    """Return a name that no alternate has, with a number where it is taken."""
    taken = {known for header in headers for known in wcsnames(header, include_primary=False).values()}
    names = [name, *(f"{name}-{number}" for number in range(1, len(taken) + 2))]
    return next(candidate for candidate in names if candidate not in taken)


def _places(ext: Any) -> list[Any]:
    """Return extensions: one, or a list of them."""
    return list(ext) if isinstance(ext, list) else [ext]


def _header(hdus: Any, ext: Any) -> Any:
    """Return the header of an extension; the first that has a WCS without one."""
    if ext is None:
        return next((hdu.header for hdu in hdus if "CRVAL1" in hdu.header), hdus[0].header)
    try:
        return hdus[ext].header
    except (KeyError, IndexError):
        raise InputError(f"no extension {ext!r}; it has {len(hdus) - 1}", ext=ext) from None


@contextlib.contextmanager
def _reading(fobj: Any, ext: Any) -> Iterator[Mapping[str, Any]]:
    """Give the header that is meant: of a file, an open file, or itself."""
    if isinstance(fobj, str | Path):
        with opened(fobj) as hdus:
            yield _header(hdus, ext)
    elif isinstance(fobj, Mapping) or hasattr(fobj, "cards"):
        yield fobj
    else:
        yield _header(fobj, ext)


@contextlib.contextmanager
def _changing(fobj: Any) -> Iterator[Any]:
    """Give a file to change in place, or an open one."""
    if isinstance(fobj, str | Path):
        with rewriting(fobj) as hdus:
            yield hdus
    else:
        yield fobj
