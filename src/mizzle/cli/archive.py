"""The commands that touch the network: ``fetch`` and ``references``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mizzle.cli.console import out, say
from mizzle.cli.options import Assignments, Config, Quiet, read_settings

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from mizzle.archive.references import ReferenceFolder
    from mizzle.settings import Settings


def fetch_command(
    query: Annotated[
        list[str],
        typer.Argument(help="Rootnames (ua060502m, 'ua0605*'), proposal numbers or target names, as MAST has them."),
    ],
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="NAME", help="Only this filter (F814W); repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")] = Path("."),
    instrument: Annotated[
        str, typer.Option(metavar="NAME", help="Of proposals and targets: exposures of WFPC2, ACS or WFC3.")
    ] = "WFPC2",
    cloud: Annotated[bool, typer.Option("--cloud", help="Take the files from the public cloud copy.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Only list what would be fetched.")] = False,
    config: Config = None,
    assignments: Assignments = None,
    quiet: Quiet = False,
) -> None:
    """Fetch exposures from MAST (c0m and c1m; flc or flt of ACS and WFC3), and WFPC2's reference files from CRDS."""
    from mizzle.archive.mast import fetch_exposures, find_products
    from mizzle.archive.references import best_references, cache_folder
    from mizzle.cli.console import out as show
    from mizzle.io.structure import primary_header

    settings = read_settings(config, assignments).archive
    if cloud:
        settings = type(settings).model_validate({**settings.model_dump(), "cloud": True})
    products = find_products(query, filters or [], settings, instrument=instrument)
    if listing:
        for product in products:
            show(f"{product.name}\t{product.size or ''}\t{product.filters}")
        return
    with _Transfers(quiet) as talk:
        fetched = fetch_exposures(products, out, settings, progress=talk.progress, say=_warn)
    for item in fetched:
        show(str(item.path))
    science = ("_c0m.", "_c0f.")
    headers = [primary_header(item.path) for item in fetched if any(word in item.path.name.lower() for word in science)]
    if not headers:  # the WCS of the other cameras is in their files
        return
    with _Transfers(quiet) as talk:
        folder = cache_folder(settings, out)
        references = best_references(headers, folder, settings, progress=talk.progress, say=_warn)
    for path in references.values():
        show(str(path))


def references_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of reference files.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(help="With --fetch: exposures to fetch for. With --delete: names; all without."),
    ] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch the best reference files for these exposures.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the files (as without any option).")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check size, checksum and structure of every file.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the files named, or all that were fetched.")] = False,
    config: Config = None,
    assignments: Assignments = None,
    quiet: Quiet = False,
) -> None:
    """Fetch, list, verify or delete reference files (IDCTAB, OFFTAB, DGEOFILE) in a folder."""
    from mizzle.archive.references import ReferenceFolder
    from mizzle.errors import SettingsError

    names = files or []
    chosen = [
        word
        for word, given in (
            ("--fetch", fetch),
            ("--list", listing),
            ("--verify", verify),
            ("--delete", delete),
        )
        if given
    ]
    if len(chosen) > 1:
        raise SettingsError(f"references: {' and '.join(chosen)} exclude each other; give one", options=chosen)
    action = chosen[0] if chosen else ("--fetch" if names else "--list")
    if names and action in {"--list", "--verify"}:
        raise SettingsError(f"references {action} takes no files, found {', '.join(names)[:100]}", files=names)
    settings = read_settings(config, assignments)
    if action == "--fetch":
        _fetch_references(folder, names, settings, quiet)
    elif action == "--delete":
        for name in ReferenceFolder(folder).delete(names):
            out(f"deleted\t{name}")
    else:
        _list(ReferenceFolder(folder), thorough=action == "--verify")


def _fetch_references(folder: Path, names: list[str], settings: Settings, quiet: bool) -> None:
    from mizzle.archive.references import fetch_references
    from mizzle.io.inputs import find_inputs
    from mizzle.io.structure import primary_header

    headers = [primary_header(item.science) for item in find_inputs(names)]
    with _Transfers(quiet) as talk:
        chosen = fetch_references(headers, folder, settings.archive, progress=talk.progress)
    for header, files in zip(headers, chosen, strict=True):
        for kind, path in files.items():
            out(f"{header.get('ROOTNAME', '?')}\t{kind}\t{path}")


def _list(here: ReferenceFolder, *, thorough: bool) -> None:
    """Write one line per file; raise where a check fails."""
    from mizzle.errors import InputError

    states = here.states() if thorough else dict.fromkeys(sorted(here.entries), "")
    for name, state in states.items():
        entry = here.entries[name]
        there = state or ("here" if (here.path / name).is_file() else "missing")
        out(f"{there}\t{name}\t{entry.size}\t{entry.sha1}\t{entry.url}")
    if not states:
        _warn(f"no reference files in {here.path}; the embedded tables serve")
    bad = [f"{name} ({state})" for name, state in states.items() if state in {"missing", "damaged"}]
    if bad:
        raise InputError(
            f"{here.path}: {', '.join(bad)[:300]}; fetch them again with --fetch, or --delete them", files=bad
        )


def _warn(text: str) -> None:
    say(f"mizzle: {text}")


class _Transfers:
    """Shows transfers on stderr: a bar on a terminal, a line per file elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Bars | None = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Transfers:
        if not self._quiet and sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=Console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    @property
    def progress(self) -> Callable[[str, int, int | None], None]:
        """Return the listener of the transfers."""
        return self._hear

    def _hear(self, name: str, done: int, total: int | None) -> None:
        if self._quiet:
            return
        if self._bars is not None:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total)
            self._bars.update(self._tasks[name], completed=done, total=total)
        elif name not in self._tasks:
            self._tasks[name] = True
            say(f"  {name}{f' ({total / 1e6:.1f} MB)' if total else ''}")
