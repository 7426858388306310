"""What the names of a request stand for: files, folders, wildcards, lists of names."""

from __future__ import annotations

import glob
import os
import stat
from pathlib import Path

from mizzle.errors import InputError, SettingsError
from mizzle.io.exposure_kinds import look_into, match_name
from mizzle.io.regular import local_path, read_limited, reason, refusal

#: Folders below a named one that are looked through: the archive's layout is mastDownload/HST/ROOT/.
_DEEPEST = 6
_MOST_FILES = 100_000
_FITS = (".fits", ".fits.gz", ".fits.fz", ".fit", ".fts", ".fz")


def expand(name: str) -> list[Path]:
    """Return the files that one name stands for.

    Parameters
    ----------
    name : str
        A file, a folder, a wildcard (``**`` too), ``@list``, or several joined by commas.

    Raises
    ------
    SettingsError
        A folder, wildcard or list without an exposure.
    InputError
        No such file, or one that may not be looked at.
    """
    local_path(name)
    path = Path(name)
    kind = _kind(path)
    if kind == "folder":
        return _folder(path)
    if kind:
        return [path]
    if name.startswith("@"):
        return _listed(Path(name[1:]))
    if any(sign in name for sign in "*?["):
        return _matches(name)
    parts = [part.strip() for part in name.split(",") if part.strip()]
    if len(parts) > 1:
        return [path for part in parts for path in expand(part)]
    raise refusal(name, "no such file or folder")


def _kind(path: Path) -> str:
    """Return ``folder``, ``file`` (whatever is no folder), or nothing."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as problem:  # a link to itself, a folder that may not be entered, a zero byte
        raise refusal(path, f"cannot be read: {reason(problem)}") from problem
    return "folder" if stat.S_ISDIR(status.st_mode) else "file"


def _matches(pattern: str) -> list[Path]:
    """Return what a wildcard matches; folders stand for their exposures."""
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
    if not matches:
        raise SettingsError(f"{pattern}: no file matches this wildcard", pattern=pattern)
    files = [path for path in matches if not path.is_dir()]
    # data/** means what is below a folder, and matches the folders on the way as well; *.fits means these files.
    if files and Path(pattern).name in {"*", "**"}:
        named = _chosen([path for path in files if match_name(path.name)])
        return named or [path for path in files if path.name.lower().endswith(_FITS)]
    return files or [path for folder in matches for path in _folder(folder)]


def _listed(path: Path) -> list[Path]:
    """Return the files named in a text file, a name on each line; ``#`` begins a comment."""
    text = read_limited(path).decode("utf-8", errors="surrogateescape").lstrip("\ufeff")
    files: list[Path] = []
    for line in text.splitlines():
        name = line.partition("#")[0].strip() if not Path(line.strip()).exists() else line.strip()
        if not name:
            continue
        if name.startswith("@"):
            raise InputError(f"{path}: {name}: a list within a list is not read", file=str(path))
        beside = path.parent / name
        files += expand(str(beside) if not Path(name).exists() and beside.exists() else name)
    if not files:
        raise SettingsError(f"{path}: no file is named in this list", file=str(path))
    return files


def _folder(path: Path) -> list[Path]:
    """Return a folder's exposures; where it has none, those of the folders below it.

    An ``flt`` is left out where the ``c0m`` it was made from is there, and so is a ``c0f`` beside a ``c0m``, and an
    ``flt`` beside an ``flc``. Files of other names count only in a folder without any of the archive's names.
    """
    levels = [path]
    for _ in range(_DEEPEST):
        entries = [entry for folder in levels for entry in _entries(folder)]
        named = [entry for entry in entries if match_name(entry.name)]
        if named and (chosen := _chosen(named)):
            return chosen
        others = [entry for entry in entries if entry.name.lower().endswith(_FITS) and _is_exposure(entry)]
        if others and not named:
            return others
        levels = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
        if not levels:
            break
    raise SettingsError(f"{path}: no *_c0m.fits, *_c0f.fits, *_flc.fits or *_flt.fits in this folder", folder=str(path))


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds, sorted."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as problem:
        raise refusal(folder, f"folder cannot be read: {reason(problem)}") from problem
    if len(names) > _MOST_FILES:
        raise refusal(folder, f"{len(names)} files; name the exposures")
    return [folder / name for name in names]


def _chosen(named: list[Path]) -> list[Path]:
    """Return the best form of each exposure, and the data quality beside it."""
    kinds = {path: match for path in named if (match := match_name(path.name))}
    best: dict[str, int] = {}
    order = {"c0m": 0, "c0f": 1, "flc": 2, "flt": 3}
    for match in kinds.values():
        rank = order.get(match["kind"].lower())
        if rank is not None:
            root = match["root"].lower()
            best[root] = min(rank, best.get(root, rank))
    chosen = [p for p, m in kinds.items() if order.get(m["kind"].lower(), -1) == best.get(m["root"].lower(), -2)]
    if not chosen:
        return []
    return [*chosen, *(path for path, match in kinds.items() if match["kind"].lower() in {"c1m", "c1f"})]


def _is_exposure(path: Path) -> bool:
    """Tell whether a file of another name holds an exposure."""
    try:
        return not path.is_dir() and not look_into(path).is_quality
    except InputError:
        return False
