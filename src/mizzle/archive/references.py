"""The folder of reference files: choose, fetch, list, verify, delete.

The folder is flat and plain to see: the files under CRDS's own names (so ``uref`` may point to it), and
``references.json`` with the size, SHA-1 and origin of each, and with what the server answered for which header. Where
the server cannot be asked, a kept answer to the same question serves.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mizzle.archive.crds import TYPES, CrdsServer, is_reference, matching_header
from mizzle.archive.download import Progress, Wanted, download, silent, verify
from mizzle.archive.locks import held
from mizzle.archive.names import shown
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


@dataclass(frozen=True)
class KeptAnswer:
    """What the server chose for a header.

    Parameters
    ----------
    context : str
        The CRDS context that chose.
    header : mapping
        The keywords that were sent.
    files : mapping
        File name by type.
    """

    context: str
    header: Mapping[str, str]
    files: Mapping[str, str]


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
        self.entries: dict[str, Entry] = {}
        self.answers: list[KeptAnswer] = []
        self._read()

    def _read(self) -> None:
        index = self.path / INDEX
        if not index.is_file():
            return
        try:
            content = json.loads(index.read_text("utf-8"))
            entries = [
                Entry(str(item["name"]), int(item["size"]), str(item["sha1"]), str(item["url"]))
                for item in content["files"]
            ]
            answers = [_kept(item) for item in content.get("answers", [])]
            names = [entry.name for entry in entries] + [name for kept in answers for name in kept.files.values()]
            wrong = [name for name in names if not is_reference(name)]
            if wrong:
                raise ValueError(f"'{shown(wrong[0])}' is no name of a reference file")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise InputError(
                f"{index}: damaged: {shown(problem)}; delete this file and fetch again", file=str(index)
            ) from None
        self.entries = {entry.name: entry for entry in entries}
        self.answers = answers

    def state(self, name: str) -> State:
        """Hold one file against its entry: size, SHA-1 and FITS structure."""
        path, entry = self.path / name, self.entries[name]
        if not path.is_file():
            return "missing"
        try:
            verify(path, Wanted(entry.url, name, entry.size, entry.sha1))
        except InputError:
            return "damaged"
        return "ok"

    def states(self) -> dict[str, State]:
        """Verify all files, by name."""
        return {name: self.state(name) for name in sorted(self.entries)}

    def fetch(self, wanted: Iterable[Wanted], settings: ArchiveSettings, progress: Progress = silent) -> list[Path]:
        """Fetch files that are not here and whole, and write them into the index, one by one.

        Raises
        ------
        ServiceError, InputError
            See `mizzle.archive.download.download`.
        """
        prepare_folder(self.path)
        paths = []
        for item in wanted:
            paths.append(download(item, self.path, settings, progress=progress).path)
            with self._changing():
                self.entries[item.name] = Entry(item.name, item.size or 0, item.sha1 or "", item.url)
        return paths

    def keep(self, answers: Iterable[KeptAnswer]) -> None:
        """Keep what the server chose, in place of older answers for the same headers."""
        prepare_folder(self.path)
        with self._changing():
            for new in answers:
                self.answers = [old for old in self.answers if old.header != new.header] + [new]

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
        if not chosen:
            return []
        with self._changing():
            for name in chosen:
                (self.path / name).unlink(missing_ok=True)
                self.entries.pop(name, None)
        return chosen

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Change the index as it is now, whoever else has changed it since it was read."""
        with held(self.path / f".{INDEX}.lock"):
            self._read()
            yield
            if not self.entries:
                (self.path / INDEX).unlink(missing_ok=True)
                return
            content = {
                "files": [asdict(self.entries[name]) for name in sorted(self.entries)],
                "answers": [asdict(kept) for kept in self.answers],
            }
            write_text(self.path / INDEX, json.dumps(content, indent=1) + "\n")

    def choose(self, header: Mapping[str, str]) -> dict[str, str]:
        """Return what the server chose for a header when it was last asked.

        CRDS takes the newest file valid at an exposure's start. So where it chose the same files for an earlier and for
        a later exposure that differ in nothing else, it would choose them for one in between.

        Raises
        ------
        InputError
            It was never asked for such a header.
        """
        alike = [kept for kept in self.answers if _setting(kept.header) == _setting(header)]
        for context in dict.fromkeys(kept.context for kept in reversed(alike)):
            same = sorted((kept for kept in alike if kept.context == context), key=lambda kept: _start(kept.header))
            before = [kept.files for kept in same if _start(kept.header) <= _start(header)][-1:]
            after = [kept.files for kept in same if _start(kept.header) >= _start(header)][:1]
            if before and before == after:
                return dict(before[0])
        raise InputError(f"{self.path}: no answer of CRDS for such an exposure is kept here", file=str(self.path))


def _start(header: Mapping[str, str]) -> tuple[str, str]:
    return header.get("DATE-OBS", ""), header.get("TIME-OBS", "")


def _setting(header: Mapping[str, str]) -> dict[str, str]:
    """Return the keywords that choose, but for the start of the exposure."""
    return {key: value for key, value in header.items() if key not in {"DATE-OBS", "TIME-OBS"}}


def _kept(item: Mapping[str, Any]) -> KeptAnswer:
    header, files = item["header"], item["files"]
    return KeptAnswer(
        str(item["context"]),
        {str(key): str(value) for key, value in header.items()},
        {str(kind): str(name) for kind, name in files.items()},
    )


def cache_folder(settings: ArchiveSettings, output: str | Path) -> Path:
    """Return the folder of reference files; a relative ``archive.cache`` lies in `output`."""
    return Path(output) / settings.cache


def fetch_references(
    headers: Sequence[Mapping[str, Any]],
    folder: str | Path,
    settings: ArchiveSettings,
    *,
    progress: Progress = silent,
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
    progress : callable
        Told of bytes.

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
    answers: list[KeptAnswer] = []
    for key in keys:
        if not any(answer.header == key for answer in answers):
            answers.append(KeptAnswer(context, key, server.best(context, key)))
    names = sorted({name for answer in answers for name in answer.files.values()})
    if names:
        here.fetch(server.wanted(names), settings, progress)
        here.keep(answers)
    chosen = {tuple(answer.header.items()): answer.files for answer in answers}
    return [{kind: here.path / name for kind, name in chosen[tuple(key.items())].items()} for key in keys]


def best_references(
    headers: Sequence[Mapping[str, Any]],
    folder: str | Path,
    settings: ArchiveSettings,
    *,
    progress: Progress = silent,
    say: Say = lambda message: None,
) -> Mapping[str, Path]:
    """Return the distortion files to use for a run, by type; empty where the embedded tables are to serve.

    CRDS chooses where it can be reached. Where it cannot, its answers and files kept in `folder` do; where those are
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
        chosen = fetch_references(headers, folder, settings, progress=progress)
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
