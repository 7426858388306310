"""The commands."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mizzle.cli.archive import fetch_command, references_command
from mizzle.cli.batch import batch_command
from mizzle.cli.migrate import migrate_command
from mizzle.cli.options import Assignments, Config, Drop, Like, Masks, QualityFiles, Quiet, Until, chosen, read_settings
from mizzle.cli.simulate import simulate_command

app = typer.Typer(
    name="mizzle",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Files = Annotated[
    list[str], typer.Argument(help="*_c0m.fits or *_flt.fits files (.gz too), folders, or quoted wildcards.")
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the products.")]
Name = Annotated[str | None, typer.Option(help="Start of the products' names.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more, with times.")]
Workers = Annotated[int | None, typer.Option(min=1, max=256, help="Threads; one per core by default.")]


def version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from mizzle._version import __version__

        typer.echo(f"mizzle {__version__}")
        raise typer.Exit


@app.callback()
def top(
    _version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Hubble exposures (WFPC2, ACS, WFC3) in, one drizzled image with one proven zeropoint out."""


@app.command("run")
def run_command(
    files: Files,
    out: Out = Path("."),
    name: Name = None,
    config: Config = None,
    assignments: Assignments = None,
    like: Like = None,
    drop: Drop = None,
    quality: QualityFiles = None,
    masks: Masks = None,
    until: Until = None,
    workers: Workers = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Drop wrong files and unusable exposures.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 5 when a quality verdict failed.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what equalizing does to each chip; write nothing.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Drizzle exposures into one image per filter, with one zeropoint."""
    from mizzle.cli.console import Console
    from mizzle.cli.console import out as show
    from mizzle.cli.summary import summary
    from mizzle.pipeline import rehearse, run
    from mizzle.progress import MemoryKeeper, Progress

    options = chosen(like=like, drop=drop, quality=quality, masks=masks, until=until)
    settings = read_settings(config, assignments, options)
    if dry_run:
        warn = Progress(Console(quiet=True))
        show("\n".join(rehearse(files, settings=settings, keep_going=keep_going, progress=warn)))
        return 0
    with Console(quiet=quiet, verbose=verbose) as console:
        progress = Progress(console, MemoryKeeper())
        result = run(
            files, out, name=name, settings=settings, workers=workers, keep_going=keep_going, progress=progress,
            command=typed(config),
        )  # fmt: skip
    show(summary(result, progress))
    return exit_code(result, strict, out)


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the simulated files and the products.")] = Path(
        "mizzle-demo"
    ),
    camera: Annotated[
        str, typer.Option(metavar="NAME", help="wfpc2, acs-wfc, acs-hrc, wfc3-uvis or wfc3-ir.")
    ] = "wfpc2",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 1,
    config: Config = None,
    assignments: Assignments = None,
    workers: Workers = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Simulate a visit with known truth, run it, and say how good the result is."""
    from mizzle.cli.console import Console
    from mizzle.cli.console import out as show
    from mizzle.cli.summary import demo_summary
    from mizzle.demo import demo
    from mizzle.progress import MemoryKeeper, Progress

    settings = read_settings(config, assignments)
    with Console(quiet=quiet, verbose=verbose) as console:
        progress = Progress(console, MemoryKeeper())
        result, scores = demo(
            out,
            camera=camera.lower(),
            seed=seed,
            settings=settings,
            workers=workers,
            progress=progress,
            command=typed(config),
        )
    show(demo_summary(result, scores, progress))
    return 0


@app.command("plan")
def plan_command(
    files: Files,
    out: Out = Path("."),
    name: Name = None,
    config: Config = None,
    assignments: Assignments = None,
    like: Like = None,
    drop: Drop = None,
    quality: QualityFiles = None,
    masks: Masks = None,
) -> None:
    """Say what would run: exposures, filters, pairs, grid, settings and where each came from."""
    from mizzle.cli.console import out as show
    from mizzle.cli.inspection import plan_text

    options = chosen(like=like, drop=drop, quality=quality, masks=masks)
    settings = read_settings(config, assignments, options)
    show(plan_text(files, settings, config, [*(assignments or [])], out=out, name=name, options=options))


@app.command("inspect")
def inspect_command(files: Files, quality: QualityFiles = None) -> None:
    """Say what each file is: chips, filter, gain, exposure, PHOTFLAM, WCS, DQ bits in use."""
    from mizzle.cli.console import out as show
    from mizzle.cli.inspection import inspect_text

    show(inspect_text(files, tuple(quality or ())))


@app.command("settings")
def settings_command(
    toml: Annotated[bool, typer.Option("--toml", help="Write a settings file to stdout.")] = False,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """List every setting: default, unit, range, one sentence."""
    from mizzle.cli.console import out as show
    from mizzle.cli.inspection import settings_text
    from mizzle.settings.describe import to_toml

    settings = read_settings(config, assignments)
    show(to_toml(settings).rstrip("\n") if toml else settings_text(settings))


@app.command("report")
def report_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of a finished run.")],
    name: Annotated[str | None, typer.Option(help="Which run, where the folder holds several.")] = None,
) -> None:
    """Rebuild the page from saved results."""
    from mizzle.cli.console import out as show
    from mizzle.report import rebuild

    for path in rebuild(out, name):
        show(f"wrote {path}")


app.command("simulate")(simulate_command)
app.command("batch")(batch_command)
app.command("migrate")(migrate_command)
app.command("fetch")(fetch_command)
app.command("references")(references_command)


def typed(config: Path | None) -> Any:
    """Return what the user typed, and the settings file it names."""
    from mizzle.products import Command

    return Command(shlex.join(["mizzle", *sys.argv[1:]]), () if config is None else (str(config),))


def exit_code(result: Any, strict: bool, out: Path) -> int:
    """Return 5, under ``--strict``, where a verdict failed, anything was dropped, or files are not one set; else 0."""
    from mizzle.io.product_set import of_other_runs

    if not strict:
        return 0
    failed = result.verdict == "FAIL" or result.dropped or of_other_runs(out, result.name, result.run_id)
    return 5 if failed else 0
