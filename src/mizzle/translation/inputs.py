"""Which files a call means: one name, a list, a wildcard, names joined by commas, or ``@list`` with weight files."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mizzle.errors import InputError, SettingsError
from mizzle.io.inputs import InputFile, single_input
from mizzle.io.text import read_text


@dataclass(frozen=True)
class Listed:
    """The files of one call.

    Parameters
    ----------
    paths : tuple of Path
        Science files, each once. Wildcards come sorted: the order on disk never matters.
    weights : mapping
        The user's weight file by science file, from the second column of an ``@list``.
    """

    paths: tuple[Path, ...]
    weights: dict[Path, Path]


def list_files(given: Any, task: str) -> Listed:
    """Return the files that the incumbents' ``input`` argument stands for.

    Parameters
    ----------
    given : str, Path or iterable of them
        A name, a wildcard, names joined by commas, ``@file`` (a name per line, and after it a weight file), or several.
    task : str
        The call, for messages.

    Raises
    ------
    SettingsError
        Nothing is named, or no file matches.
    InputError
        A file does not exist, or is an association table.
    """
    entries = [given] if isinstance(given, str | Path) else list(given or [])
    files: dict[Path, None] = {}
    weights: dict[Path, Path] = {}
    for entry in entries:
        for name, weight in _names(str(entry)):
            for path in _matching(name):
                files.setdefault(path)
                if weight:
                    weights[path] = Path(weight)
    paths = [path for path in files if not _is_quality(path)]
    if not paths:
        raise SettingsError(f"{task}: no file matches {given!r}; name exposures (*_c0m.fits, *_flt.fits)", input=given)
    return Listed(tuple(paths), weights)


def _names(entry: str) -> Iterable[tuple[str, str]]:
    """Return names, and the weight file beside each where a list has one."""
    if entry.startswith("@"):
        lines = [line.split("#")[0].split() for line in read_text(entry[1:]).splitlines()]
        return [(words[0], words[1] if len(words) > 1 else "") for words in lines if words]
    return [(name.strip(), "") for name in entry.split(",") if name.strip()]


def _matching(name: str) -> list[Path]:
    path = Path(name)
    if path.exists():
        if path.is_dir():
            raise SettingsError(f"{name}: a folder; name its files, as '{name}/*_c0m.fits'", input=name)
        if path.name.lower().removesuffix(".gz").endswith("_asn.fits"):
            raise InputError(f"{name}: an association table; name its exposures instead", file=name)
        return [path]
    if any(sign in name for sign in "*?["):
        return [Path(match) for match in sorted(glob.glob(name))]
    raise InputError(f"{name}: no such file", file=name)


def _is_quality(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith("_c1m.fits")


def with_quality(path: Path) -> InputFile:
    """Return a science file and its data quality.

    Beside the names of the archive (``ROOT_c0m.fits`` and ``ROOT_c1m.fits``) stand those that scripts made for files
    called otherwise: ``_c1`` in place of the three letters before the last, ``simula_c1n.fits`` for
    ``simulation.fits``.
    """
    other = path.with_name(f"{path.name[:-9]}_c1{path.name[-6:]}")
    if len(path.name) > 10 and not path.name.endswith(("_c0m.fits", ".gz")) and other.is_file():
        return InputFile(path, other)
    return single_input(path)


def list_quality(given: Any, task: str) -> list[Path]:
    """Return the data-quality files that files mean: an ``flt`` or a ``c1m`` itself, else the ``c1m`` of a ``c0m``."""
    entries = [given] if isinstance(given, str | Path) else list(given)
    paths = [path for entry in entries for name, _ in _names(str(entry)) for path in _matching(name)]
    if not paths:
        raise SettingsError(f"{task}: no file matches {given!r}", input=given)
    own = [path if _is_quality(path) else with_quality(path).quality or path for path in paths]
    return list(dict.fromkeys(own))
