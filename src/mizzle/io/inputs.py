"""Which files a request means: names, folders, wildcards; and the data-quality file beside each."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mizzle.errors import InputError, MizzleError, SettingsError

_KIND = re.compile(r"^(?P<root>.+)_(?P<kind>c0m|c1m|flt)\.fits(?P<zip>\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class InputFile:
    """A science file and where its data quality is.

    Parameters
    ----------
    science : Path
        The ``c0m`` or ``flt`` file.
    quality : Path or None
        The ``c1m`` beside a ``c0m``; None for an ``flt``, which holds its own.
    """

    science: Path
    quality: Path | None

    @property
    def stem(self) -> str:
        """Rootname as the file is called, lower case."""
        match = _KIND.match(self.science.name)
        return (match["root"] if match else self.science.name.split(".")[0]).lower()


def _raise(_: str, problem: MizzleError) -> None:
    raise problem


def find_inputs(
    files: Iterable[str | Path], on_problem: Callable[[str, MizzleError], None] = _raise
) -> list[InputFile]:
    """Turn names, folders and wildcards into science files, sorted by name, each once.

    Parameters
    ----------
    files : iterable of str or Path
        ``*_c0m.fits``, ``*_flt.fits`` (``.gz`` too), folders that hold them, or wildcards. A ``c1m`` is skipped: it
        comes with its ``c0m``.
    on_problem : callable
        Called with a file and what is wrong with it; raises by default, may note it and go on.

    Returns
    -------
    inputs : list of InputFile
        Without opening any.

    Raises
    ------
    SettingsError
        Nothing was named, or a folder or wildcard holds no exposure.
    InputError
        A named file does not exist, is of an unknown kind, or its ``c1m`` is missing.
    """
    names = [str(name) for name in files]
    if not names:
        raise SettingsError("no input files; name *_c0m.fits or *_flt.fits files, folders or quoted wildcards")
    found: dict[Path, Path] = {}
    for name in names:
        try:
            paths = _expand(name)
        except InputError as problem:
            on_problem(name, problem)
            continue
        for path in paths:
            found.setdefault(path.resolve(), path)
    science = [path for path in found.values() if not _is_quality(path)]
    if found and not science:
        raise SettingsError(
            f"no exposure among {', '.join(names)[:200]}: only data-quality files (c1m); name their c0m files",
            files=names,
        )
    inputs: list[InputFile] = []
    for path in sorted(science, key=lambda p: (p.name, str(p))):
        try:
            inputs.append(InputFile(path, quality_beside(path)))
        except InputError as problem:
            on_problem(str(path), problem)
    return inputs


def quality_beside(science: Path) -> Path | None:
    """Return the ``c1m`` that belongs to a ``c0m`` (None for an ``flt``).

    Raises
    ------
    InputError
        It is not there; the message lists what was sought.
    """
    match = _KIND.match(science.name)
    if match is None:
        raise InputError(
            f"{science}: unknown kind of file; needed *_c0m.fits (with its *_c1m.fits) or *_flt.fits, .gz allowed",
            file=str(science),
        )
    if match["kind"].lower() == "flt":
        return None
    root, zipped = match["root"], match["zip"] or ""
    upper = match["kind"].isupper()
    kind = "C1M" if upper else "c1m"
    suffixes = (zipped, "" if zipped else ".gz")
    candidates = [science.with_name(f"{root}_{kind}.fits{suffix}") for suffix in suffixes]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    sought = " or ".join(candidate.name for candidate in candidates)
    raise InputError(
        f"{science}: its data-quality file is missing; sought {sought} in {science.parent};"
        " put it beside the c0m (MAST product group C1M)",
        file=str(science),
        sought=sought,
    )


def _is_quality(path: Path) -> bool:
    match = _KIND.match(path.name)
    return match is not None and match["kind"].lower() == "c1m"


def _expand(name: str) -> list[Path]:
    """Return the files one name stands for."""
    path = Path(name)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        return [path]
    if any(sign in name for sign in "*?["):
        matches = [Path(match) for match in sorted(glob.glob(name))]
        if not matches:
            raise SettingsError(f"{name}: no file matches this wildcard", pattern=name)
        return [entry for match in matches for entry in (_folder(match) if match.is_dir() else [match])]
    raise InputError(f"{name}: no such file or folder", file=name)


def _folder(path: Path) -> list[Path]:
    """Return a folder's exposures; an ``flt`` is left out where the ``c0m`` it was made from is there."""
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except PermissionError as problem:
        raise InputError(f"{path}: folder cannot be read: {problem.strerror}", file=str(path)) from problem
    kinds = {name: match for name in names if (match := _KIND.match(name))}
    roots = {match["root"].lower() for match in kinds.values() if match["kind"].lower() == "c0m"}
    chosen = [
        path / name
        for name, match in kinds.items()
        if match["kind"].lower() == "c0m" or (match["kind"].lower() == "flt" and match["root"].lower() not in roots)
    ]
    if not chosen:
        raise SettingsError(f"{path}: no *_c0m.fits or *_flt.fits in this folder", folder=str(path))
    return chosen
