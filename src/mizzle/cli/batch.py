"""``mizzle batch``: many visits, unattended."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from mizzle import stopping
from mizzle.cli.console import say
from mizzle.cli.options import Assignments, Config, Drop, Like, Masks, QualityFiles, Quiet, chosen, read_settings

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from mizzle.settings import Settings
    from mizzle.visits.grouping import Grouped, GroupedVisit
    from mizzle.visits.records import Record

#: Characters of a visit's message on its line.
_BEGINNING = 160


def batch_command(
    where: Annotated[
        list[str] | None,
        typer.Argument(help="Folders and all below, wildcards, files, tables of files (.csv .ecsv .parquet)."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path("batch"),
    by: Annotated[str, typer.Option(help="What makes a visit: visit, target, proposal or folder.")] = "visit",
    filters: Annotated[
        list[str] | None, typer.Option("--filter", metavar="NAME", help="Only this filter (F814W); repeatable.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Only list the visits; headers only.")] = False,
    table: Annotated[
        Path | None, typer.Option(help="With --list: also write files and visits to this table (.csv .ecsv .parquet).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler (tcp://host:8786); local processes without.")
    ] = None,
    fetch: Annotated[
        list[str] | None,
        typer.Option("--fetch", metavar="QUERY", help="Bring exposures from MAST, as `mizzle fetch` does; repeatable."),
    ] = None,
    drop_inputs: Annotated[
        bool, typer.Option("--drop-inputs/--keep-inputs", help="Delete fetched exposures when their visit has ended.")
    ] = False,
    disk: Annotated[float, typer.Option(min=0.001, help="GB of fetched exposures that may wait for their run.")] = 20.0,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Local processes; default: one per core.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed visits again.")] = False,
    time_limit: Annotated[
        float, typer.Option(min=0, help="Seconds a visit may take; it is then stopped. 0: no limit.")
    ] = 3600.0,
    config: Config = None,
    assignments: Assignments = None,
    like: Like = None,
    drop: Drop = None,
    quality: QualityFiles = None,
    masks: Masks = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="In each visit, drop what cannot be used.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 5 when a visit failed.")] = False,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """Run many visits, each as `mizzle run` would; the same command again continues."""
    from mizzle.cli.console import out as show
    from mizzle.visits.batching import batch
    from mizzle.visits.plan import BatchOptions

    kind = cast("Literal['visit', 'target', 'proposal', 'folder']", by)
    settings = read_settings(config, assignments, chosen(like=like, drop=drop, quality=quality, masks=masks))
    if listing or table is not None:
        return _list(where or [], out, kind, filters or [], settings, table)
    options = BatchOptions(
        keep_going, retry_failed, time_limit, tuple(filters or ()), tuple(fetch or ()), drop_inputs, 1e9 * disk
    )
    stopping.tell("stopped; finished visits are kept, and the same command goes on from there")
    with stopping.interruptible(), BatchTalk(quiet) as talk:
        result = batch(
            where or [], out, settings=settings, by=kind, scheduler=scheduler, workers=workers, options=options,
            listener=talk,
        )  # fmt: skip
    failed = result.named("failed")
    for outcome in failed:
        show(f"failed: {outcome.visit.name}: {outcome.record.message}")
    show(f"{len(result.named('done'))} done, {len(failed)} failed; {result.out / 'index.html'}")
    return 5 if strict and failed else 0


def _list(
    where: list[str], out: Path, by: Literal["visit", "target", "proposal", "folder"], filters: list[str],
    settings: Settings, table: Path | None,
) -> int:  # fmt: skip
    """Print the visits, and write the table of files where one is wanted."""
    from mizzle.cli.console import out as show
    from mizzle.visits.batching import list_visits

    grouped = list_visits(where, out if out.is_dir() else None, by, filters=filters, settings=settings)
    show(visits_text(grouped))
    for name, problem in sorted(grouped.problems.items()):
        say(f"mizzle: left out: {problem if name in problem else f'{name}: {problem}'}")
    if table is not None:
        from mizzle.io.file_tables import write_file_table

        show(f"wrote {write_file_table(table, file_columns(grouped))}")
    return 0


def visits_text(grouped: Grouped) -> str:
    """Return the visits as a table, and their number."""
    from mizzle.cli.inspection import table

    rows = [
        (visit.name, visit.exposures[0].camera, len(visit.exposures), f"{_seconds(visit):.0f}", " ".join(visit.filters))
        for visit in grouped.visits
    ]
    n = sum(len(visit.exposures) for visit in grouped.visits)
    total = f"{len(rows)} visits, {n} exposures"
    return f"{table(rows, ('visit', 'camera', 'exposures', 'seconds', 'filters'))}\n\n{total}" if rows else total


def _seconds(visit: GroupedVisit) -> float:
    return sum(entry.exptime for entry in visit.exposures if entry.exptime == entry.exptime)


def file_columns(grouped: Grouped) -> dict[str, Any]:
    """Return the columns of a table of files."""
    pairs = [(visit, exposure) for visit in grouped.visits for exposure in visit.exposures]
    return {
        "file": [str(exposure.input.science) for _, exposure in pairs],
        "visit": [visit.name for visit, _ in pairs],
        "root": [exposure.root for _, exposure in pairs],
        "camera": [exposure.camera for _, exposure in pairs],
        "proposal": [exposure.proposal for _, exposure in pairs],
        "target": [exposure.target for _, exposure in pairs],
        "filter": [exposure.filter for _, exposure in pairs],
        "exptime": [exposure.exptime for _, exposure in pairs],
    }


class BatchTalk:
    """Says how a batch goes, on stderr: a bar on a terminal, a line per visit elsewhere, nothing when quiet.

    Parameters
    ----------
    quiet : bool
        Say nothing but what must be seen.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Bars | None = None
        self._task: Any = None
        self._total = self._done = self._here = self._failed = 0
        self._begin = time.monotonic()

    def __enter__(self) -> BatchTalk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, total: int, current: int, dashboard: str) -> None:
        """Say what there is to do."""
        self._total, self._done, self._begin = total, current, time.monotonic()
        if self._quiet:
            return
        say(f"{total} visits" + (f", {current} of them whole and current" if current else ""))
        if dashboard:
            say(f"dashboard: {dashboard}")
        if sys.stderr is not None and sys.stderr.isatty() and current < total:
            self._bars = _bars()
            self._bars.start()
            self._task = self._bars.add_task("", total=total, completed=current, last="")

    def finished(self, record: Record) -> None:
        """Say how a visit ended."""
        self._done += 1
        self._here += 1
        self._failed += record.state == "failed"
        if self._quiet:
            return
        verdict = "failed" if record.state == "failed" else record.verdict
        if self._bars is not None:
            last = f"{self._rate()}  {record.name} {verdict}" + (f"  ({self._failed} failed)" if self._failed else "")
            self._bars.update(self._task, completed=self._done, last=last)
            return
        detail = f": {record.message}" if record.state == "failed" else _first(record.message)
        say(
            f"{self._done}/{self._total}  {record.seconds:6.1f} s  {record.name}  {verdict}{detail}  ({self._rate()},"
            f" {self._left()} left)"
        )

    def say(self, text: str) -> None:
        """Say something that must be seen."""
        if self._bars is not None:
            self._bars.console.print(f"mizzle: {text}", markup=False, highlight=False)
        else:
            say(f"mizzle: {text}")

    def _rate(self) -> str:
        """Return visits per second, minute or hour, whichever reads well."""
        rate = self._here / max(time.monotonic() - self._begin, 1e-3)
        for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
            if rate * factor >= 1:
                return f"{rate * factor:.1f} visits/{unit}"
        return f"{rate * 3600:.2f} visits/h"

    def _left(self) -> str:
        """Return the time left as hours, minutes, seconds."""
        rate = self._here / max(time.monotonic() - self._begin, 1e-3)
        seconds = round((self._total - self._done) / rate)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _first(message: str) -> str:
    """Return the beginning of what a visit's message says; nothing of an empty one."""
    return f": {message[:_BEGINNING]}{'...' if len(message) > _BEGINNING else ''}" if message else ""


def _bars() -> Bars:
    """Return a bar with count, time and time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        TextColumn("{task.fields[last]}", markup=False), console=Console(stderr=True),
    )  # fmt: skip
