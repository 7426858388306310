"""THE MAIN PATH: exposures in, one drizzled image with one zeropoint out. Read this first.

`run` reads files, calls `process`, and delivers the products. `process` is the science: each step measures and answers
with a small solution; a step cannot be forgotten, because its solution is an argument of the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mizzle.execution import make_runner
from mizzle.geometry.grid import common_grid
from mizzle.instrument.cameras import settings_for
from mizzle.instrument.detectors import calibration_versions, find_detector
from mizzle.instrument.wcs_states import wcs_states
from mizzle.model import (
    Alignment,
    Catalog,
    CosmicRays,
    ErrorProof,
    Exposure,
    Finding,
    FluxScales,
    Grid,
    Mosaic,
    Result,
    Runner,
    Serial,
    SkyLevels,
    Verdict,
    Zeropoint,
    overall,
)
from mizzle.progress import Progress
from mizzle.selection import (
    Exclusions,
    default_name,
    exclude_unaligned,
    read_all,
    same_camera,
    same_field,
    usable_reference,
)
from mizzle.settings import Settings
from mizzle.steps.align import align
from mizzle.steps.amplifiers import level_amplifiers
from mizzle.steps.catalog import measure_catalog
from mizzle.steps.combine import combine
from mizzle.steps.equalize import equalize, photflam_findings
from mizzle.steps.focus import measure_focus
from mizzle.steps.reject import find_cosmic_rays, ray_findings
from mizzle.steps.sky import measure_sky, sky_findings
from mizzle.steps.verify import verify, verify_errors
from mizzle.user_inputs import UserInputs, read_user_inputs

if TYPE_CHECKING:
    from mizzle.products import Command


def run(
    files: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    name: str | None = None,
    settings: Settings | None = None,
    workers: int | None = None,
    keep_going: bool = False,
    progress: Progress | None = None,
    command: Command | str = "",
) -> Result:
    """Turn exposures into one drizzled image per filter, on one grid, with one proven zeropoint each.

    Parameters
    ----------
    files : sequence of str or Path
        ``*_c0m.fits`` or ``*_flt.fits`` files, folders or wildcards, in any order; opened read-only.
    out : str or Path, optional
        Folder for the products; nothing is written without it.
    name : str, optional
        Start of the products' names; ``<target>_<camera>_<filter>`` by default.
    settings : Settings, optional
        Every parameter; the defaults otherwise.
    workers : int, optional
        Threads; one per core by default. The pixels do not depend on it. With one, everything happens in this process.
    keep_going : bool
        Drop wrong files and unusable exposures, and name them in the result, instead of stopping.
    progress : Progress, optional
        Told of each step, and of each image when it is drizzled.
    command : Command or str
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

    settings, progress = settings or Settings(), progress or Progress()
    runner, exclusions = make_runner(workers), Exclusions(keep_going)
    with Delivery(out, settings, progress, command=command, workers=runner.workers) as delivery:
        exposures = read_all(files, out, settings, runner=runner, exclusions=exclusions, progress=progress)
        label = default_name(exposures) if name is None else name
        delivery.check(label, exposures, [*map(str, files), *exclusions.reasons])
        inputs = read_user_inputs(exposures, settings, progress)
        result = process(
            exposures, settings, inputs, runner=runner, exclusions=exclusions, progress=progress, name=label
        )
        return delivery.deliver(result, runner)


def rehearse(
    files: Sequence[str | Path],
    *,
    settings: Settings | None = None,
    keep_going: bool = False,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Say what equalizing would do to each chip, and write nothing.

    Parameters
    ----------
    files, settings, keep_going, progress
        As in `run`.

    Returns
    -------
    lines : tuple of str
        Reference, then a line for each chip, then notes.
    """
    settings, progress, exclusions = settings or Settings(), progress or Progress(), Exclusions(keep_going)
    exposures = read_all(files, None, settings, runner=Serial(), exclusions=exclusions, progress=progress)
    inputs = read_user_inputs(exposures, settings, progress)
    return equalize(exposures, settings, corrections=inputs.corrections).lines(exposures)


def process(
    exposures: Iterable[Exposure],
    settings: Settings | None = None,
    inputs: UserInputs | None = None,
    *,
    runner: Runner | None = None,
    exclusions: Exclusions | None = None,
    progress: Progress | None = None,
    name: str = "mizzle",
) -> Result:
    """Do the science on exposures already read: no file is touched.

    Parameters
    ----------
    exposures : iterable of Exposure
        In any order; they are sorted by start, then root.
    inputs : UserInputs, optional
        Catalogs, regions and tables already read.
    settings, runner, exclusions, progress, name
        As in `run`.

    Returns
    -------
    result : Result
        Without the report's numbers.

    Raises
    ------
    DataError
        The exposures cannot be aligned, or do not belong together.
    """
    settings, inputs, runner = settings or Settings(), inputs or UserInputs(), runner or Serial()
    exclusions, progress = exclusions or Exclusions(), progress or Progress()
    exposures = same_camera(sorted(exposures, key=lambda e: (e.mjd_start, e.root)), exclusions)
    settings = settings_for(exposures[0].camera, settings) if exposures else settings
    exposures = same_field(exposures, exclusions)
    settings = usable_reference(settings, exposures, exclusions, progress=progress)
    with progress.step("align"):
        exposures = level_amplifiers(exposures, settings, runner)
        exposures = measure_focus(exposures, settings, runner)
        alignment = align(exposures, settings, runner, references=inputs.alignment)
        exposures, alignment = exclude_unaligned(exposures, alignment, exclusions)
    until = settings.output.until
    with progress.step("equalize"):
        scales = equalize(exposures, settings, corrections=inputs.corrections)
        scales = scales.unscaled() if until == "align" else scales
    frames = [alignment.frame(exposure, chip) for exposure in exposures for chip in exposure.chips]
    grid = inputs.grid or common_grid(frames, settings.combine, lead=scales.reference.chip)
    progress.gridded(grid)
    shared = Shared(tuple(exposures), alignment, scales, grid, name)
    parts: dict[str, FilterResult] = {}
    bands = () if until in ("align", "equalize") else dict.fromkeys(exposure.filter for exposure in exposures)
    for band in bands:
        group = [exposure for exposure in exposures if exposure.filter == band]
        parts[band] = process_filter(group, shared, settings, inputs=inputs, runner=runner, progress=progress)
    verdicts = _parts(exposures, alignment, tuple(parts.values()), exclusions=exclusions)
    return Result(
        name=name,
        exposures=tuple(exposures),
        mosaics={band: part.mosaic for band, part in parts.items() if part.mosaic is not None},
        catalogs={band: part.catalog for band, part in parts.items() if part.catalog is not None},
        alignment=alignment,
        flux_scales=scales,
        sky=SkyLevels.merged([part.sky for part in parts.values()]) if parts else SkyLevels.unknown(exposures),
        cosmic_rays=CosmicRays.merged([part.cosmic_rays for part in parts.values()]),
        zeropoints={band: part.zeropoint for band, part in parts.items() if part.zeropoint is not None},
        errors={band: part.errors for band, part in parts.items() if part.errors is not None},
        findings=tuple(finding for part in parts.values() for finding in part.findings),
        parts=verdicts,
        verdict=overall(verdicts.values()),
        dropped=dict(exclusions.reasons),
    )


@dataclass(frozen=True, eq=False)
class Shared:
    """What all filters of a run share.

    Parameters
    ----------
    exposures : tuple of Exposure
        Of all filters.
    alignment, scales, grid
        The solutions, and the product's pixels.
    name : str
        Start of the products' names.
    """

    exposures: tuple[Exposure, ...]
    alignment: Alignment
    scales: FluxScales
    grid: Grid
    name: str


@dataclass(frozen=True, eq=False)
class FilterResult:
    """What one filter's exposures gave; None is what a run that stopped before (``output.until``) does not know."""

    sky: SkyLevels
    cosmic_rays: CosmicRays
    mosaic: Mosaic | None = None
    catalog: Catalog | None = None
    zeropoint: Zeropoint | None = None
    errors: ErrorProof | None = None
    findings: tuple[Finding, ...] = ()


def process_filter(
    group: Sequence[Exposure],
    shared: Shared,
    settings: Settings,
    *,
    inputs: UserInputs,
    runner: Runner,
    progress: Progress,
) -> FilterResult:
    """Do what each filter needs by itself: sky, cosmic rays, the image, its stars, and the proof of its zeropoint.

    Parameters
    ----------
    group : sequence of Exposure
        Of one filter.
    shared : Shared
        Alignment, flux scales and grid of all filters.
    settings, inputs, runner, progress
        As in `process`.
    """
    alignment, scales = shared.alignment, shared.scales
    with progress.step("sky"):
        values, regions = inputs.sky_values, inputs.sky_regions
        sky = measure_sky(group, alignment, scales, settings=settings, runner=runner, values=values, regions=regions)
    # Who wants a step only stops there (`output.until`).
    until = settings.output.until
    if until == "sky":
        return FilterResult(sky, CosmicRays({}, {}, {}), findings=sky_findings(group, scales, sky))
    with progress.step("reject"):
        rays = find_cosmic_rays(group, alignment, scales, sky=sky, settings=settings, runner=runner)
    if until == "reject":
        return FilterResult(
            sky, rays, findings=_findings(group, scales, sky, rays=rays, alignment=alignment, runner=runner)
        )
    with progress.step("combine"):
        mosaic = combine(
            group, alignment, scales, sky=sky, cosmic_rays=rays, grid=shared.grid, settings=settings, runner=runner
        )
    if until == "combine":
        return FilterResult(
            sky, rays, mosaic, findings=_findings(group, scales, sky, rays=rays, alignment=alignment, runner=runner)
        )
    # Beside the catalog, which has little for a second thread; in one piece, for a thread may not wait for its pool.
    said = runner.begin(
        lambda searched: _findings(group, scales, sky, rays=searched, alignment=alignment, runner=Serial()), rays
    )
    progress.drizzled(mosaic, shared.exposures, shared.name)
    with progress.step("catalog"):
        catalog = measure_catalog(
            mosaic, group, alignment, scales=scales, sky=sky, cosmic_rays=rays, settings=settings, runner=runner
        )
    with progress.step("verify"):
        proof = verify(
            group, catalog, alignment, scales=scales, sky=sky, cosmic_rays=rays, settings=settings, runner=runner
        )
        errors = verify_errors(
            group, catalog, alignment, scales=scales, sky=sky, cosmic_rays=rays, settings=settings, runner=runner
        )
        findings = (*said(), *catalog.findings, *proof.findings, *errors.findings)
    return FilterResult(sky, rays, mosaic, catalog, proof, errors, findings)


def _findings(
    group: Sequence[Exposure],
    scales: FluxScales,
    sky: SkyLevels,
    *,
    rays: CosmicRays,
    alignment: Alignment,
    runner: Runner,
) -> tuple[Finding, ...]:
    """Return what the numbers of one filter say that a person should hear."""
    # WFPC2's calibration has no table of zeropoints to mix (`equalize` judges its PHOTFLAM), and its WCS is built anew.
    archived = [exposure for exposure in group if find_detector(exposure.header)]
    mixed = (*calibration_versions({exposure.root: exposure.header for exposure in archived}), *wcs_states(archived))
    units = photflam_findings(group, scales)
    return (*mixed, *units, *sky_findings(group, scales, sky), *ray_findings(group, rays, runner, alignment=alignment))


def _parts(
    exposures: Sequence[Exposure], alignment: Alignment, parts: Sequence[FilterResult], *, exclusions: Exclusions
) -> dict[str, Verdict]:
    """Return the verdict of each part of a run that is judged."""
    by_part: dict[str, list[Verdict]] = {
        "inputs": [Verdict.WARN if exclusions.reasons else Verdict.PASS, *(e.verdict for e in exposures)],
        "alignment": [alignment.verdict],
        "sky": [Verdict.PASS for _ in parts],
        "cosmic rays": [_searched(part.cosmic_rays) for part in parts if part.cosmic_rays.methods],
        "errors": [part.errors.verdict for part in parts if part.errors is not None],
        "zeropoint": [part.zeropoint.verdict for part in parts if part.zeropoint is not None],
    }
    if len(exposures) == 1 and alignment.verdict is Verdict.NONE:
        del by_part["alignment"]  # there is nothing to prove
    for part in parts:
        for finding in part.findings:
            by_part.setdefault(finding.part, []).append(finding.verdict)
    return {name: overall(verdicts) for name, verdicts in by_part.items() if verdicts}


def _searched(rays: CosmicRays) -> Verdict:
    """Return whether there was a search for cosmic rays."""
    return Verdict.NONE if "none" in rays.methods.values() else Verdict.PASS
