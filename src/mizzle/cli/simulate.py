"""``mizzle simulate``: c0m and c1m pairs with known truth, and the blank-sky demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def simulate_command(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the exposures and their truth.")],
    field: Annotated[
        str | None, typer.Option(help="Sky: random, king (a cluster) or blank; random by default.")
    ] = None,
    stars: Annotated[
        Path | None, typer.Option(help="A table of stars: ra, dec [deg], and flux [erg/s/cm2/A] or mag_st.")
    ] = None,
    blank_sky: Annotated[bool, typer.Option("--blank-sky", help="A constant sky, no star.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Drizzle the blank sky as it is and equalized, and draw both.")
    ] = False,
    gain_fault: Annotated[
        bool, typer.Option("--gain-fault", help="With --compare: also what one gain for all chips does.")
    ] = False,
    exposures: Annotated[int | None, typer.Option(help="Number of exposures.")] = None,
    filter_: Annotated[str | None, typer.Option("--filter", help="Filter, as F814W.")] = None,
    gain: Annotated[int | None, typer.Option(help="ATODGAIN: 7 or 15.")] = None,
    exptime: Annotated[float | None, typer.Option(help="Exposure time [s].")] = None,
    sky: Annotated[float | None, typer.Option(help="Sky [DN/s on a WF3 pixel at gain 7].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Anything else, in TOML: density=50, effects.cosmic_rays=0.03; repeatable.",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Threads; one per core by default.")] = None,
) -> int:
    """Simulate exposures of a star field or a blank sky, with the truth beside them."""
    from mizzle.cli.console import out as show
    from mizzle.errors import SettingsError
    from mizzle.execution import make_runner
    from mizzle.io.targets import refuse_targets
    from mizzle.simulate import visit, write_visit
    from mizzle.simulate.files import TRUTH_FILES

    if (compare or gain_fault) and not blank_sky:
        raise SettingsError("--compare and --gain-fault show a blank sky; add --blank-sky")
    if sum((field is not None, stars is not None, blank_sky)) > 1:
        raise SettingsError("--field, --stars and --blank-sky exclude each other; give one")
    plain = {
        "field": "blank" if blank_sky else "list" if stars is not None else field,
        "n": 1 if exposures is None and compare else exposures,
        "filter": filter_,
        "gain": gain,
        "exptime": exptime,
        "sky": sky,
        "seed": seed,
    }
    changes: dict[str, Any] = {key: value for key, value in plain.items() if value is not None}
    changes = merged(changes, assignments or [])
    runner = make_runner(workers)
    if stars is not None:
        refuse_targets([out / name for name in TRUTH_FILES], [stars])
    if compare:
        return _compare(out, changes, gain_fault, runner)
    made = visit(stars=None if stars is None else _stars(stars), runner=runner, **changes)
    for path in write_visit(made, out):
        show(str(path))
    show(f"truth: {out / 'truth.json'}")
    return 0


def merged(changes: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Return `changes` with ``key=value`` and ``effects.key=value`` assignments, values in TOML or bare words.

    Raises
    ------
    SettingsError
        Not a TOML assignment.
    """
    import re
    import tomllib

    from mizzle.errors import SettingsError

    result = dict(changes)
    effects: dict[str, Any] = {}
    for text in assignments:
        key, _, word = text.partition("=")
        bare = re.fullmatch(r"\s*(?!(true|false|inf|nan)\s*$)[A-Za-z][\w.+-]*\s*", word)
        try:
            document = tomllib.loads(f'{key} = "{word.strip()}"' if bare else text)
        except tomllib.TOMLDecodeError as problem:
            message = f"--set {text}: not a TOML assignment ({problem}); write key=value, text in quotes"
            raise SettingsError(message, assignment=text) from problem
        for key, value in document.items():
            if key == "effects" and isinstance(value, dict):
                effects.update({name: _frozen(entry) for name, entry in value.items()})
            else:
                result[key] = _frozen(value)
    if effects:
        result["effects"] = effects
    return result


def _frozen(value: Any) -> Any:
    """Return lists as tuples, all the way down."""
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list) else value


def _stars(path: Path) -> Any:
    """Read a star list."""
    from mizzle.io.simulated import read_stars
    from mizzle.simulate import StarList

    columns = read_stars(path)
    if "flux" in columns:
        return StarList(columns["ra"], columns["dec"], columns["flux"])
    return StarList.from_magnitudes(columns["ra"], columns["dec"], columns["mag_st"])


def _compare(out: Path, changes: dict[str, Any], gain_fault: bool, runner: Any) -> int:
    """Run the blank-sky demonstration, and say the chips' levels."""
    from mizzle.cli.console import out as show
    from mizzle.simulate.blank_sky import compare, level_table
    from mizzle.simulate.blank_sky_files import write_comparison

    result = compare(gain_fault=gain_fault, runner=runner, **changes)
    paths = write_comparison(result, out)
    show(level_table(result))
    for path in paths:
        show(str(path))
    return 0
