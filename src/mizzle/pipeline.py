"""THE MAIN PATH: exposures in, one drizzled image with one zeropoint out. Read this first.

`run` reads files, calls `process`, and delivers the products. `process` is the science: each step measures and answers
with a small solution; a step cannot be forgotten, because its solution is an argument of the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mizzle.clock import Clock
from mizzle.execution import make_runner
from mizzle.geometry.grid import common_grid
from mizzle.model import (
    Catalog,
    CosmicRays,
    Exposure,
    Mosaic,
    Result,
    Runner,
    Serial,
    SkyLevels,
    Verdict,
    Zeropoint,
    worst,
)
from mizzle.selection import Drops, default_name, read_all, same_field, settle
from mizzle.settings import Settings
from mizzle.steps.align import align
from mizzle.steps.catalog import measure_catalog
from mizzle.steps.combine import combine
from mizzle.steps.equalize import equalize, explain
from mizzle.steps.reject import find_cosmic_rays
from mizzle.steps.sky import measure_sky
from mizzle.steps.verify import verify
from mizzle.user_inputs import UserInputs, read_user_inputs


def run(
    files: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    name: str | None = None,
    settings: Settings | None = None,
    workers: int | None = None,
    keep_going: bool = False,
    clock: Clock | None = None,
    command: str = "",
) -> Result:
    """Turn exposures into one drizzled image per filter, on one grid, with one proven zeropoint each.

    Parameters
    ----------
    files : sequence of str or Path
        ``*_c0m.fits`` or ``*_flt.fits`` files, folders or wildcards, in any order; opened read-only.
    out : str or Path, optional
        Folder for the products; nothing is written without it.
    name : str, optional
        Start of the products' names; ``<target>_wfpc2_<filter>`` by default.
    settings : Settings, optional
        Every parameter; the defaults otherwise.
    workers : int, optional
        Threads; one per core by default. The pixels do not depend on it. With one, everything happens in this process.
    keep_going : bool
        Drop wrong files and unusable exposures, and name them in the result, instead of stopping.
    clock : Clock, optional
        Told of each step.
    command : str
        What the user typed, for the provenance.

    Returns
    -------
    result : Result
        Mosaics, catalogs, solutions, verdicts, and the report's numbers.

    Raises
    ------
    SettingsError, InputError, DataError
        The request, a file, or the data is wrong.
    """
    from mizzle.products import Delivery

    settings, clock = settings or Settings(), clock or Clock()
    runner, drops = make_runner(workers), Drops(keep_going)
    with Delivery(out, settings, clock, helper=runner.workers > 1) as delivery:
        exposures = read_all(files, out, settings, runner, drops, clock)
        label = default_name(exposures) if name is None else name
        delivery.check_name(label)
        inputs = read_user_inputs(exposures, settings, clock)
        result = process(
            exposures, settings, inputs, runner=runner, drops=drops, clock=clock, name=label, preview=delivery.preview
        )
        return delivery.deliver(result, runner, command)


def rehearse(
    files: Sequence[str | Path],
    *,
    settings: Settings | None = None,
    keep_going: bool = False,
    clock: Clock | None = None,
) -> tuple[str, ...]:
    """Say what equalizing would do to each chip, and write nothing.

    Parameters
    ----------
    files, settings, keep_going, clock
        As in `run`.

    Returns
    -------
    lines : tuple of str
        Reference, then a line for each chip, then notes.
    """
    settings, clock, drops = settings or Settings(), clock or Clock(), Drops(keep_going)
    exposures = read_all(files, None, settings, Serial(), drops, clock)
    inputs = read_user_inputs(exposures, settings, clock)
    return explain(exposures, equalize(exposures, settings, corrections=inputs.corrections))


def process(
    exposures: Iterable[Exposure],
    settings: Settings | None = None,
    inputs: UserInputs | None = None,
    *,
    runner: Runner | None = None,
    drops: Drops | None = None,
    clock: Clock | None = None,
    name: str = "mizzle",
    preview: Callable[[Mosaic, Sequence[Exposure], str], None] | None = None,
) -> Result:
    """Do the science on exposures already read: no file is touched.

    Parameters
    ----------
    exposures : iterable of Exposure
        In any order; they are sorted by start, then root.
    inputs : UserInputs, optional
        Catalogs, regions and tables already read.
    settings, runner, drops, clock, name
        As in `run`.

    Returns
    -------
    result : Result
        Without the report's numbers.
    """
    settings, inputs, runner = settings or Settings(), inputs or UserInputs(), runner or Serial()
    drops, clock = drops or Drops(), clock or Clock()
    exposures = same_field(sorted(exposures, key=lambda e: (e.mjd_start, e.root)), drops)
    with clock("align"):
        alignment = align(exposures, settings, runner, references=inputs.alignment)
        exposures, alignment = settle(exposures, alignment, drops)
    with clock("equalize"):
        scales = equalize(exposures, settings, corrections=inputs.corrections)
    frames = [alignment.frame(exposure, chip) for exposure in exposures for chip in exposure.chips]
    grid = common_grid(frames, settings.combine)

    def one_filter(group: list[Exposure]) -> Part:
        with clock("sky"):
            values, regions = inputs.sky_values, inputs.sky_regions
            sky = measure_sky(group, alignment, scales, settings, runner, values=values, regions=regions)
        with clock("reject"):
            rays = find_cosmic_rays(group, alignment, scales, sky, settings, runner)
        with clock("combine"):
            mosaic = combine(group, alignment, scales, sky, rays, grid, settings, runner)
        if preview is not None:
            preview(mosaic, exposures, name)
        with clock("catalog"):
            catalog = measure_catalog(mosaic, group, alignment, scales, sky, rays, settings, runner)
        with clock("verify"):
            proof = verify(group, catalog, alignment, scales, sky, rays, settings, runner)
        return Part(sky, rays, mosaic, catalog, proof)

    filters = dict.fromkeys(exposure.filter for exposure in exposures)
    parts = {band: one_filter([e for e in exposures if e.filter == band]) for band in filters}
    verdicts = [alignment.verdict, *(part.zeropoint.verdict for part in parts.values())]
    return Result(
        name=name,
        exposures=tuple(exposures),
        mosaics={band: part.mosaic for band, part in parts.items()},
        catalogs={band: part.catalog for band, part in parts.items()},
        alignment=alignment,
        flux_scales=scales,
        sky=SkyLevels.merged([part.sky for part in parts.values()]),
        cosmic_rays=CosmicRays.merged([part.cosmic_rays for part in parts.values()]),
        zeropoints={band: part.zeropoint for band, part in parts.items()},
        verdict=_top([*verdicts, Verdict.WARN] if drops.reasons else verdicts),
        dropped=dict(drops.reasons),
    )


@dataclass(frozen=True, eq=False)
class Part:
    """What one filter's exposures gave."""

    sky: SkyLevels
    cosmic_rays: CosmicRays
    mosaic: Mosaic
    catalog: Catalog
    zeropoint: Zeropoint


def _top(verdicts: list[Verdict]) -> Verdict:
    """Return the worst part; at the top, nothing to judge counts as passed."""
    verdict = worst(verdicts)
    return Verdict.PASS if verdict is Verdict.NONE else verdict
