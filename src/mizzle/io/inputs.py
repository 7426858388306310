"""Which files a request means: names, folders, wildcards, lists; and the data-quality file of each exposure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mizzle.errors import InputError, MizzleError, SettingsError
from mizzle.io.exposure_kinds import Content, look_into, match_name
from mizzle.io.names import expand

#: What the data quality of a science file of each kind is called, best first.
_QUALITY_KINDS = {"c0m": ("c1m", "c1f"), "c0f": ("c1f", "c1m")}
_ENDINGS = (".fits", ".fits.gz", ".fits.fz")


@dataclass(frozen=True)
class InputFile:
    """A science file and where its data quality is.

    Parameters
    ----------
    science : Path
        The ``c0m``, ``c0f`` or ``flt`` file, or one of any name that holds the same.
    quality : Path or None
        The ``c1m`` or ``c1f`` of it; None for a file that holds its own, or has none.
    """

    science: Path
    quality: Path | None

    @property
    def stem(self) -> str:
        """Rootname as the file is called, lower case."""
        match = match_name(self.science.name)
        return (match["root"] if match else self.science.name.split(".")[0]).lower()


def _raise(_: str, problem: MizzleError) -> None:
    raise problem


def find_inputs(
    files: str | Path | Iterable[str | Path],
    on_problem: Callable[[str, MizzleError], None] = _raise,
    *,
    quality: Sequence[str] = (),
    all_used: bool = True,
) -> list[InputFile]:
    """Turn names, folders, wildcards and lists into science files, sorted by name, each once.

    Parameters
    ----------
    files : str, Path, or iterable of them
        ``*_c0m.fits``, ``*_c0f.fits``, ``*_flt.fits`` (``.gz``, ``.fz`` too), any other file that holds a WFPC2
        exposure, folders, wildcards (``**`` too), ``@list`` (a text file with a name on each line), or names joined by
        commas. A ``c1m`` is no exposure: it serves the ``c0m`` of its name or rootname, whatever folder it is in.
    on_problem : callable
        Called with a file and what is wrong with it; raises by default, may note it and go on.
    quality : sequence of str
        Data-quality files (setting ``dq.files``), each for the exposure of its ROOTNAME; ``ROOT=FILE`` says which.
    all_used : bool
        Each of those must be some exposure's.

    Returns
    -------
    inputs : list of InputFile
        Files of the usual names unopened; of the others, the headers were read.

    Raises
    ------
    SettingsError
        Nothing was named, or a folder or wildcard holds no exposure.
    InputError
        A named file does not exist, holds no exposure, or its ``c1m`` is missing.
    """
    names = [os.fspath(name) for name in ([files] if isinstance(files, str | Path) else files)]
    if not names:
        raise SettingsError("no input files; name *_c0m.fits or *_flt.fits files, folders or quoted wildcards")
    paths = _expand_all(names, on_problem)
    contents: dict[Path, Content] = {}
    for path in paths:
        try:
            contents[path] = look_into(path)
        except InputError as problem:
            on_problem(str(path), problem)
    science = [path for path, content in contents.items() if not content.is_quality]
    if contents and not science:
        raise SettingsError(
            f"no exposure among {', '.join(names)[:200]}: only data-quality files (c1m); name their c0m files",
            files=names,
        )
    flags = QualityFiles(quality, [path for path, content in contents.items() if content.is_quality])
    inputs: list[InputFile] = []
    for path in sorted(science, key=lambda p: (p.name, str(p))):
        try:
            inputs.append(InputFile(path, flags.quality_of(path, contents[path], alone=len(science) == 1)))
        except InputError as problem:
            on_problem(str(path), problem)
    if all_used:
        flags.check_used()
    return inputs


def single_input(path: str | Path) -> InputFile:
    """Return one science file with its data quality, found beside it.

    Raises
    ------
    InputError
        It is missing, holds no exposure, or its ``c1m`` is missing; the message lists what was sought.
    """
    path = Path(path)
    content = look_into(path)
    return InputFile(path, QualityFiles((), ()).quality_of(path, content, alone=True))


def _expand_all(names: Sequence[str], on_problem: Callable[[str, MizzleError], None]) -> list[Path]:
    """Return the files that all names stand for, each once, however it is reached."""
    files: dict[str, Path] = {}
    for name in names:
        try:
            paths = expand(name)
        except InputError as problem:
            on_problem(name, problem)
            continue
        for path in paths:
            files.setdefault(os.path.realpath(path), path)
    return list(files.values())


class QualityFiles:
    """The data-quality files that a request brings, and how exposures find theirs.

    Parameters
    ----------
    named : sequence of str
        ``FILE`` or ``ROOT=FILE``, as the setting ``dq.files`` has them.
    seen : sequence of Path
        Data-quality files among the inputs, in whatever folder.

    Attributes
    ----------
    named : dict
        File by rootname, of those named by hand.
    """

    def __init__(self, named: Sequence[str], seen: Sequence[Path]) -> None:
        self._named: dict[str, Path] = {}
        for text in named:
            root, equals, name = text.partition("=")
            whole = not equals or "/" in root or os.path.isfile(text)  # names of files and folders may have a "="
            path = Path(text if whole else name.strip())
            self._named[_root_in(path) if whole else root.strip().lower()] = path
        self._seen = tuple(seen)
        self.named = dict(self._named)
        self._unused = set(self._named)

    def quality_of(self, science: Path, content: Content, *, alone: bool) -> Path | None:
        """Return the data-quality file of an exposure; None where it holds its own, or none is to be had.

        Parameters
        ----------
        science : Path
            The exposure.
        content : Content
            What it is.
        alone : bool
            It is the only exposure: the one file named by hand is for it, whatever it is called.

        Raises
        ------
        InputError
            A ``c0m`` or ``c0f`` without its ``c1m`` or ``c1f``; the message lists what was sought.
        """
        match = match_name(science.name)
        roots = [name for name in (content.root, match["root"].lower() if match else "") if name]
        if alone and len(self._named) == 1:
            roots = list(self._named)
        elif self._named and not content.root and not set(roots) & set(self._named) and science.is_file():
            roots.append(look_into(science, headers=True).root)  # the file may be called otherwise than its exposure
        for root in roots:
            if root in self._named:
                self._unused.discard(root)
                return self._named[root]
        if content.own_quality:
            return None
        quality = self._beside(science, roots)
        if (
            quality is None and not content.root and science.is_file()
        ):  # the file may be called otherwise than its exposure
            quality = self._beside(science, [look_into(science, headers=True).root])
        if quality is not None:
            return quality
        if match is None or match["kind"].lower() not in _QUALITY_KINDS:
            return None
        raise _no_quality(science, match["kind"])

    def _beside(self, science: Path, roots: Sequence[str]) -> Path | None:
        """Return the data quality of one of `roots` that lies beside the exposure, or that was seen elsewhere."""
        for candidate in _candidates(science, roots[::-1]):
            if candidate.is_file():
                return candidate
        for path in self._seen:
            named = match_name(path.name)
            if (named["root"].lower() if named else _root_in(path)) in roots:
                return path
        return None

    def check_used(self) -> None:
        """Refuse a file named by hand that no exposure took.

        Raises
        ------
        SettingsError
            Which one.
        """
        if self._unused:
            root = sorted(self._unused)[0]
            raise SettingsError(
                f"dq.files: {self._named[root]} is for the exposure {root!r}, which is not among the inputs; say whose"
                " it is with ROOT=FILE",
                root=root,
            )


def _no_quality(science: Path, kind: str) -> InputError:
    """Build the error for a ``c0m`` without its ``c1m``."""
    match = match_name(science.name)
    root, zipped = (match["root"], match["zip"] or "") if match else (science.stem, "")
    name = _QUALITY_KINDS[kind.lower()][0]
    name = name.upper() if kind.isupper() else name
    sought = " or ".join(f"{root}_{name}.fits{ending}" for ending in (zipped, "" if zipped else ".gz"))
    return InputError(
        f"{science}: its data-quality file is missing; sought {sought} in {science.parent};"
        f" put it beside the {kind} (MAST product group {name.upper()}), or name it with --dq FILE",
        file=str(science),
        sought=sought,
    )


def _candidates(science: Path, roots: Sequence[str]) -> list[Path]:
    """Return the names that the data quality of an exposure may have beside it, best first."""
    match = match_name(science.name)
    kinds: tuple[str, ...] = _QUALITY_KINDS.get(match["kind"].lower() if match else "", ("c1m", "c1f"))
    endings: tuple[str, ...] = _ENDINGS
    stems = [root for root in dict.fromkeys(roots) if root]
    if match:
        stems = list(dict.fromkeys([match["root"], *stems]))
        endings = tuple(sorted(_ENDINGS, key=lambda ending: ending != f".fits{match['zip'] or ''}"))
        if match["kind"].isupper():
            kinds = (*(kind.upper() for kind in kinds), *kinds)
    return [science.with_name(f"{stem}_{kind}{ending}") for stem in stems for kind in kinds for ending in endings]


def _root_in(path: Path) -> str:
    """Return the rootname of a data-quality file, by its header; by its name where that says nothing."""
    content = look_into(path, headers=True)
    match = match_name(path.name)
    return content.root or (match["root"].lower() if match else path.name.split(".")[0].lower())
