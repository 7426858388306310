"""The folder of reference files: choose, fetch, list, verify, delete.

The folder is flat and plain to see: the files under CRDS's own names (so ``uref`` may point to it), the few small
mappings that chose them, and ``references.json`` with the size, SHA-1 and origin of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mizzle.archive.crds import TYPES, CrdsServer, is_reference, matching_header
from mizzle.archive.download import Progress, Wanted, download, silent, verify
from mizzle.archive.names import safe_name, shown
from mizzle.archive.rules import choose, next_mapping
from mizzle.archive.web import ServiceError, UnreachableError
from mizzle.errors import DataError, InputError, SettingsError
from mizzle.io.atomic import prepare_folder, write_text
from mizzle.settings import ArchiveSettings

Say = Callable[[str], None]
State = Literal["ok", "missing", "damaged"]

INDEX = "references.json"


@dataclass(frozen=True)
class Entry:
    """A file of the folder, as it was when it was fetched."""

    name: str
    size: int
    sha1: str
    url: str


class ReferenceFolder:
    """A folder of reference files.

    Parameters
    ----------
    path : path
        It need not exist yet.

    Raises
    ------
    InputError
        ``references.json`` is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.context = ""
        self.entries: dict[str, Entry] = {}
        index = self.path / INDEX
        if not index.is_file():
            return
        try:
            content = json.loads(index.read_text("utf-8"))
            self.context = str(content["context"])
            for item in content["files"]:
                entry = Entry(str(item["name"]), int(item["size"]), str(item["sha1"]), str(item["url"]))
                if not is_reference(entry.name):
                    raise ValueError(f"'{shown(entry.name)}' is no name of a reference file")
                self.entries[entry.name] = entry
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
            raise InputError(
                f"{index}: damaged: {shown(problem)}; delete this file and fetch again", file=str(index)
            ) from None

    def state(self, name: str) -> State:
        """Hold one file against its entry: size, SHA-1 and FITS structure."""
        path, entry = self.path / name, self.entries[name]
        if not path.is_file():
            return "missing"
        try:
            verify(path, Wanted(entry.url, name, entry.size, entry.sha1, fits=not name.endswith("map")))
        except InputError:
            return "damaged"
        return "ok"

    def states(self) -> dict[str, State]:
        """Verify all files, by name."""
        return {name: self.state(name) for name in sorted(self.entries)}

    def fetch(
        self, wanted: Iterable[Wanted], settings: ArchiveSettings, context: str, progress: Progress = silent
    ) -> list[Path]:
        """Fetch files that are not here and whole, and write them into the index, one by one.

        Raises
        ------
        ServiceError, InputError
            See `mizzle.archive.download.download`.
        """
        prepare_folder(self.path)
        paths = []
        for item in wanted:
            paths.append(download(item, self.path, settings, progress).path)
            self.entries[item.name] = Entry(item.name, item.size or 0, item.sha1 or "", item.url)
            self._write()
        self.context = context or self.context
        self._write()
        return paths

    def delete(self, names: Iterable[str] = ()) -> list[str]:
        """Delete files of the index (all by default), never another; return their names.

        Raises
        ------
        SettingsError
            A name that the index does not hold.
        """
        chosen = sorted(names) or sorted(self.entries)
        unknown = [name for name in chosen if name not in self.entries]
        if unknown:
            raise SettingsError(
                f"{self.path}: not among the files of {INDEX}: {shown(', '.join(unknown))}", names=unknown
            )
        for name in chosen:
            (self.path / name).unlink(missing_ok=True)
            del self.entries[name]
            if self.entries:
                self._write()
        if not self.entries:
            (self.path / INDEX).unlink(missing_ok=True)
        return chosen

    def _write(self) -> None:
        files = [asdict(self.entries[name]) for name in sorted(self.entries)]
        write_text(self.path / INDEX, json.dumps({"context": self.context, "files": files}, indent=1) + "\n")

    def _read_mapping(self, name: str) -> str:
        if name not in self.entries or self.state(name) != "ok":
            raise InputError(f"{self.path}: the mapping {shown(name)} is not here", file=name)
        return (self.path / name).read_text("utf-8", errors="replace")

    def choose(self, header: Mapping[str, str]) -> dict[str, str]:
        """Choose reference files by the mappings kept here, without a server.

        Raises
        ------
        InputError
            The mappings are not here, or cannot decide.
        """
        instruments = next_mapping(self._read_mapping(self.context), "WFPC2", self.context)
        types = self._read_mapping(instruments)
        chosen = {}
        for kind in TYPES:
            rules = next_mapping(types, kind, instruments)
            name = choose(self._read_mapping(rules), header, rules)
            if name.upper() != "N/A":
                chosen[kind] = safe_name(name, rules)
        return chosen


def cache_folder(settings: ArchiveSettings, output: str | Path) -> Path:
    """Return the folder of reference files; a relative ``archive.cache`` lies in `output`."""
    return Path(output) / settings.cache


def fetch_references(
    headers: Sequence[Mapping[str, Any]],
    folder: str | Path,
    settings: ArchiveSettings,
    *,
    progress: Progress = silent,
    say: Say = lambda message: None,
) -> list[dict[str, Path]]:
    """Ask CRDS for the best distortion files of each exposure and bring them here, checked.

    Parameters
    ----------
    headers : sequence of mapping
        Primary header of each exposure.
    folder : path
        The folder of reference files.
    settings : ArchiveSettings
        Address, context and limits.
    progress, say : callable
        Told of bytes, and of remarkable events.

    Returns
    -------
    chosen : list of dict
        For each exposure, the file by type (``IDCTAB``, ``OFFTAB``, ``DGEOFILE``).

    Raises
    ------
    UnreachableError
        Offline.
    ServiceError, InputError
        The server fails, or a file is not what the server lists.
    """
    keys = [matching_header(header, str(header.get("ROOTNAME", "header"))) for header in headers]
    here = ReferenceFolder(folder)
    server = CrdsServer(settings)
    context = settings.crds_context or server.context()
    answers: dict[tuple[str, ...], dict[str, str]] = {}
    for key in keys:
        if tuple(key.values()) not in answers:
            answers[tuple(key.values())] = server.best(context, key)
    names = sorted({name for answer in answers.values() for name in answer.values()})
    if names:
        here.fetch(server.wanted(names), settings, "", progress)
    try:
        _keep_rules(here, server, context, settings)
    except InputError as problem:
        say(f"the CRDS mappings are not kept, so nothing can be chosen offline: {problem}")
    return [{kind: here.path / name for kind, name in answers[tuple(key.values())].items()} for key in keys]


def _keep_rules(here: ReferenceFolder, server: CrdsServer, context: str, settings: ArchiveSettings) -> None:
    """Keep the five small mappings that choose WFPC2's distortion files."""
    here.fetch(server.wanted([context]), settings, "")
    instruments = next_mapping(here._read_mapping(context), "WFPC2", context)
    here.fetch(server.wanted([safe_name(instruments, context)]), settings, "")
    types = here._read_mapping(instruments)
    rules = [safe_name(next_mapping(types, kind, instruments), instruments) for kind in TYPES]
    here.fetch(server.wanted(rules), settings, context)


def best_references(
    headers: Sequence[Mapping[str, Any]],
    folder: str | Path,
    settings: ArchiveSettings,
    *,
    progress: Progress = silent,
    say: Say = lambda message: None,
) -> Mapping[str, Path]:
    """Return the distortion files to use for a run, by type; empty where the embedded tables are to serve.

    CRDS chooses where it can be reached. Where it cannot, the mappings and files kept in `folder` do; where those are
    not enough, the embedded tables serve. Either is said in one line.

    Parameters
    ----------
    headers : sequence of mapping
        Primary header of each exposure of the run.
    folder : path
        The folder of reference files; see `cache_folder`.
    settings : ArchiveSettings
        Address, context and limits.
    progress, say : callable
        Told of bytes, and of what serves and why.

    Returns
    -------
    files : mapping
        Path by type: ``IDCTAB``, ``OFFTAB``, ``DGEOFILE`` or fewer.

    Raises
    ------
    DataError
        The exposures need different files.
    InputError
        A header without date or of another instrument, or a file with a wrong checksum.
    """
    try:
        chosen = fetch_references(headers, folder, settings, progress=progress, say=say)
    except ServiceError as problem:
        if not isinstance(problem, UnreachableError) and problem.status < 500:
            raise
        try:
            chosen = _kept_references(headers, folder)
            say(f"CRDS: {problem}; the files kept in {folder} serve")
        except InputError:
            say(f"CRDS: {problem}; the embedded tables serve")
            return {}
    return _agreed(headers, chosen)


def _kept_references(headers: Sequence[Mapping[str, Any]], folder: str | Path) -> list[dict[str, Path]]:
    """Choose among what is in the folder.

    Raises
    ------
    InputError
        Something needed is not here, or damaged.
    """
    here = ReferenceFolder(folder)
    answers = []
    for header in headers:
        answer = here.choose(matching_header(header))
        for name in answer.values():
            if name not in here.entries or here.state(name) != "ok":
                raise InputError(f"{here.path}: {name} is not here", file=name)
        answers.append({kind: here.path / name for kind, name in answer.items()})
    return answers


def _agreed(headers: Sequence[Mapping[str, Any]], chosen: Sequence[Mapping[str, Path]]) -> Mapping[str, Path]:
    """Return what all exposures agree on.

    Raises
    ------
    DataError
        They do not.
    """
    agreed: dict[str, Path] = {}
    for kind in TYPES:
        groups: dict[str, list[str]] = {}
        for header, answer in zip(headers, chosen, strict=True):
            name = answer[kind].name if kind in answer else "none"
            groups.setdefault(name, []).append(str(header.get("ROOTNAME", "?")))
        if len(groups) > 1:
            parts = [f"{name} for {shown(', '.join(roots), 80)}" for name, roots in sorted(groups.items())]
            raise DataError(
                f"the exposures need different {kind} files ({'; '.join(parts)}); run each group by itself, or leave"
                ' archive.references at "embedded"',
                type=kind,
                groups=groups,
            )
        if chosen and kind in chosen[0]:
            agreed[kind] = chosen[0][kind]
    return agreed
