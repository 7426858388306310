"""Which exposures a request for many visits means: folders and what is below them, wildcards, tables."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mizzle.errors import InputError, MizzleError, SettingsError
from mizzle.io.file_tables import is_table, read_file_table
from mizzle.io.inputs import InputFile, find_inputs

#: Every folder that `mizzle batch` wrote has this file.
MARK = "batch.json"


@dataclass
class FoundFiles:
    """Exposures found, and what is wrong with others.

    Parameters
    ----------
    inputs : dict
        Exposure by absolute path of its science file.
    labels : dict
        Visit by path, where a table says one.
    problems : dict
        What is wrong, by file.
    quality : tuple of str
        Data-quality files named by hand (setting ``dq.files``).
    """

    inputs: dict[str, InputFile] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    quality: tuple[str, ...] = ()

    def add(self, names: Iterable[str | Path]) -> list[str]:
        """Add files or one folder's exposures; return their paths."""
        try:
            inputs = find_inputs(names, on_problem=self._note, quality=self.quality, all_used=False)
        except SettingsError:  # a folder without exposures, or only data-quality files: those come with theirs
            return []
        paths = []
        for entry in inputs:
            science = Path(os.path.abspath(entry.science))
            quality = None if entry.quality is None else Path(os.path.abspath(entry.quality))
            self.inputs.setdefault(str(science), InputFile(science, quality))
            paths.append(str(science))
        return paths

    def _note(self, name: str, problem: MizzleError) -> None:
        self.problems[os.path.abspath(name)] = str(problem)


def find_files(where: Sequence[str | Path], out: Path | None = None, *, quality: Sequence[str] = ()) -> FoundFiles:
    """Find every exposure that `where` means.

    Parameters
    ----------
    where : sequence of str or Path
        Files, folders (searched to the bottom), wildcards, or tables of files.
    out : Path, optional
        A folder of results: never searched, nor is any other that `mizzle batch` wrote.
    quality : sequence of str
        Data-quality files named by hand.

    Returns
    -------
    found : FoundFiles
        Without opening an exposure.

    Raises
    ------
    SettingsError
        Nothing was named, or a wildcard or folder holds no exposure.
    InputError
        A table cannot be read, or a name is not there.
    """
    if not where:
        raise SettingsError("no input: name folders, wildcards, files, or a table of files (.csv, .ecsv, .parquet)")
    gathered = FoundFiles(quality=tuple(quality))
    for word in map(str, where):
        before = len(gathered.inputs) + len(gathered.problems)
        _add(gathered, word, None if out is None else out.resolve())
        if len(gathered.inputs) + len(gathered.problems) == before and not gathered.inputs:
            raise SettingsError(f"{word}: no exposure here (*_c0m.fits, *_flt.fits)", where=word)
    return gathered


def _add(gathered: FoundFiles, word: str, out: Path | None) -> None:
    """Add what one word means."""
    path = Path(word)
    if path.is_dir():
        _walk(gathered, path, out)
    elif is_table(word):
        for row in read_file_table(word):
            for name in gathered.add([row.file]):
                if row.visit:
                    gathered.labels[name] = row.visit
    elif not path.exists() and any(sign in word for sign in "*?["):
        for match in sorted(glob.glob(word, recursive=True)):
            _add(gathered, match, out)
    elif path.exists():
        gathered.add([word])
    else:
        raise InputError(f"{word}: no such file or folder", file=word)


def _walk(gathered: FoundFiles, top: Path, out: Path | None) -> None:
    """Add the exposures of a folder and of all below it; results of earlier batches are no exposures."""
    for name, folders, files in os.walk(top):
        here = Path(name)
        if MARK in files or (out is not None and here.resolve() == out):
            folders.clear()
            continue
        folders.sort()
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        if any(".fits" in file.lower() for file in files):
            gathered.add([here])
