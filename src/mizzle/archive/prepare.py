"""What the network adds to a run, where the settings ask for it: reference files, and a better WCS per exposure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mizzle.archive.astrometry import fetch_headerlets
from mizzle.archive.crds import matching_header
from mizzle.archive.download import Progress, silent
from mizzle.archive.references import best_references, cache_folder
from mizzle.errors import MizzleError
from mizzle.io.structure import primary_header
from mizzle.settings import Settings, build_settings

Say = Callable[[str], None]

_SETTING = {"IDCTAB": "idctab", "OFFTAB": "offtab", "DGEOFILE": "dgeofile"}


@dataclass(frozen=True)
class Prepared:
    """Settings of a run after the archive was asked.

    Parameters
    ----------
    settings : Settings
        For all exposures; paths of fetched reference files are in section ``geometry``.
    headerlets : mapping
        Headerlet by science file, where one was fetched.
    """

    settings: Settings
    headerlets: Mapping[Path, Path] = field(default_factory=dict)

    def settings_for(self, science: Path) -> Settings:
        """Return the settings to read one exposure with: its headerlet is in ``geometry.headerlet``."""
        if science not in self.headerlets:
            return self.settings
        return _with_geometry(self.settings, {"headerlet": str(self.headerlets[science])})


def _raise(_: str, problem: MizzleError) -> None:
    raise problem


def prepare_run(
    files: Sequence[Path],
    settings: Settings,
    output: str | Path,
    *,
    progress: Progress = silent,
    say: Say = lambda message: None,
    on_problem: Callable[[str, MizzleError], None] = _raise,
) -> Prepared:
    """Ask the archive what the settings want to know; touch no network, and no file, where they want nothing.

    A table or headerlet that the user named is never replaced.

    Parameters
    ----------
    files : sequence of Path
        Science files of the run.
    settings : Settings
        All settings; ``archive.references`` and ``archive.astrometry`` decide.
    output : path
        Output folder; a relative ``archive.cache`` lies in it.
    progress, say : callable
        Told of bytes, and of what serves and why.
    on_problem : callable
        Called with a file that nothing can be asked about, and why; raises by default, may note it and go on.

    Raises
    ------
    MizzleError
        A file is not a WFPC2 exposure with a date. See also `best_references` and `fetch_headerlets`.
    """
    archive = settings.archive
    wants_tables = archive.references == "best"
    if not files or not (wants_tables or archive.astrometry):
        return Prepared(settings)
    headers: dict[Path, Mapping[str, str | int | float | bool]] = {}
    for path in files:
        try:
            header = primary_header(path)
            matching_header(header, str(path))
        except MizzleError as problem:
            on_problem(str(path), problem)
        else:
            headers[path] = header
    if not headers:
        return Prepared(settings)
    folder = cache_folder(archive, output)
    if wants_tables:
        best = best_references(list(headers.values()), folder, archive, progress=progress, say=say)
        settings = _with_geometry(settings, {_SETTING[kind]: str(path) for kind, path in best.items()}, keep=True)
    headerlets: dict[Path, Path] = {}
    if archive.astrometry and not settings.geometry.headerlet:
        table = re.split(r"[/$\\]", settings.geometry.idctab)[-1].partition("_")[0]
        roots = {path: str(header.get("ROOTNAME", "")).strip() for path, header in headers.items()}
        by_root = fetch_headerlets(sorted(set(roots.values())), table, folder, settings=archive, say=say)
        headerlets = {path: by_root[root] for path, root in roots.items() if root in by_root}
    return Prepared(settings, headerlets)


def _with_geometry(settings: Settings, values: Mapping[str, str], *, keep: bool = False) -> Settings:
    """Return the settings with other values in section ``geometry``; with `keep`, what is set already stays."""
    everything = settings.model_dump(exclude_unset=True)
    geometry = dict(everything.get("geometry", {}))
    for name, value in values.items():
        if not (keep and geometry.get(name)):
            geometry[name] = value
    return build_settings({**everything, "geometry": geometry})
