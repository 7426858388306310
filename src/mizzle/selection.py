"""Which exposures take part: read, kept or dropped, and said so."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from mizzle.arrays import Mask
from mizzle.errors import DataError, InputError, MizzleError, SettingsError
from mizzle.instrument.dq import ALL_BITS
from mizzle.io.examine import examine
from mizzle.io.exposures import read_exposure
from mizzle.io.hashes import FileHashes, hashes_of
from mizzle.io.inputs import InputFile, find_inputs
from mizzle.io.masks import read_masks
from mizzle.io.pixels import PixelCache, bytes_to_keep
from mizzle.io.twins import with_twins_named
from mizzle.io.weight_maps import with_weight_maps
from mizzle.model import Alignment, Exposure, ExposureAlignment, Runner, Verdict
from mizzle.model.sky import unit_vectors
from mizzle.progress import Progress
from mizzle.settings import Settings

#: Exposures whose centers lie farther apart than this cannot be one mosaic [arcmin].
LARGEST_FIELD_ARCMIN = 20.0
#: A message names so many exposures, and reasons, at most.
MOST_REASONS = 4
#: So large a share of flagged pixels (the pyramid's shadow takes a tenth) may be why stars fit nowhere.
MUCH_FLAGGED = 0.3


@dataclass
class Exclusions:
    """What was left out, and why.

    Parameters
    ----------
    keep_going : bool
        Drop and go on; otherwise the first problem is raised.
    """

    keep_going: bool = False
    reasons: dict[str, str] = field(default_factory=dict)

    def exclude(self, what: str, problem: MizzleError) -> None:
        """Leave `what` out, or raise `problem` where the run must stop."""
        if not self.keep_going:
            raise problem
        self.reasons[what] = str(problem)


def read_all(
    files: Sequence[str | Path],
    out: str | Path | None,
    settings: Settings,
    *,
    runner: Runner,
    exclusions: Exclusions,
    progress: Progress,
    pixels: bool = True,
) -> list[Exposure]:
    """Find and read all exposures, sorted by start, then root; without `pixels`, their headers alone.

    Raises
    ------
    SettingsError, InputError
        Nothing to read, or (without ``keep_going``) a wrong file.
    DataError
        Every file was dropped.
    """
    with progress.step("read"):
        inputs = find_inputs(files, on_problem=exclusions.exclude, quality=settings.dq.files)
        cache = PixelCache(bytes_to_keep(len(inputs)))
        settings_for = _prepared(inputs, out, settings, exclusions=exclusions, progress=progress)
        inputs = [entry for entry in inputs if str(entry.science) not in exclusions.reasons]
        hashes = {entry: hashes_of(entry) for entry in inputs}
        if pixels:
            for file_hashes in hashes.values():  # wanted by the report only: now, while one core imports and parses
                runner.begin(_work_out, file_hashes)
        read: list[Exposure] = []
        for entry in inputs:  # headers one after the other: their warnings are caught, which threads cannot do
            try:
                read.append(
                    read_exposure(entry, settings_for(entry), cache=cache, hashes=hashes[entry], headers_only=True)
                )
            except MizzleError as problem:
                exclusions.exclude(str(entry.science), problem)
        exposures = _unique(_chosen(read, settings), exclusions)
        if pixels:
            exposures = _with_pixels(exposures, settings, runner, exclusions=exclusions)
            exposures = with_weight_maps(exposures, settings.combine)
    for what, reason in exclusions.reasons.items():
        progress.warns(f"dropped {what}: {reason}")
    if not exposures:
        raise DataError("no exposure is left: every file was dropped", dropped=dict(exclusions.reasons))
    return sorted(exposures, key=lambda e: (e.mjd_start, e.root))


def _with_pixels(
    exposures: Sequence[Exposure], settings: Settings, runner: Runner, *, exclusions: Exclusions
) -> list[Exposure]:
    """Look at the pixels of all exposures, each on a thread of its own."""
    masks = read_masks(settings.dq.masks, exposures) if settings.dq.masks else {}
    answers = [runner.begin(partial(_examined, settings=settings, masks=masks.get(e.root)), e) for e in exposures]
    kept: list[Exposure] = []
    for exposure, answer in zip(exposures, answers, strict=True):
        outcome = answer()
        if isinstance(outcome, MizzleError):
            exclusions.exclude(exposure.path, outcome)
        else:
            kept.append(outcome)
    return with_twins_named(kept)


def _examined(exposure: Exposure, settings: Settings, masks: Mapping[str, Mask] | None) -> Exposure | MizzleError:
    """Look at an exposure's pixels."""
    try:
        return examine(exposure, settings.dq, masks)
    except MizzleError as problem:
        return problem


def _chosen(exposures: Sequence[Exposure], settings: Settings) -> list[Exposure]:
    """Leave out what the settings drop, and chips that are not to be used.

    Raises
    ------
    SettingsError
        A rootname that no exposure has, or no chip that any has.
    """
    dropped = {re.split(r"[_.]", Path(name).name.lower())[0] for name in settings.input.drop}
    strange = sorted(dropped - {exposure.root for exposure in exposures})
    if strange:
        raise SettingsError(
            f"input.drop: {strange[0]} is not among the exposures: {', '.join(e.root for e in exposures)[:400]}",
            root=strange[0],
        )
    kept = [exposure for exposure in exposures if exposure.root not in dropped]
    if not settings.input.chips:
        return kept
    wanted = {e.camera.chip_named(text) or text for e in kept for text in settings.input.chips}
    parts = [replace(e, chips={name: chip for name, chip in e.chips.items() if name in wanted}) for e in kept]
    parts = [exposure for exposure in parts if exposure.chips]
    if kept and not parts:
        have = sorted({name for e in kept for name in e.chips})
        raise SettingsError(
            f"input.chips: no exposure has {', '.join(settings.input.chips)}; they have {', '.join(have)}", chips=have
        )
    return parts


def _work_out(hashes: FileHashes) -> None:
    """Ask for each hash; a file that cannot be read is told of where it is read."""
    with contextlib.suppress(MizzleError):
        for name in hashes:
            hashes[name]


def _prepared(
    inputs: Sequence[InputFile],
    out: str | Path | None,
    settings: Settings,
    *,
    exclusions: Exclusions,
    progress: Progress,
) -> Callable[[InputFile], Settings]:
    """Ask the archive for reference files and headerlets where the settings want them; say how to read each file."""
    if settings.archive.references == "embedded" and not settings.archive.astrometry:
        return lambda entry: settings
    from mizzle.archive.prepare import prepare_run

    paths = [entry.science for entry in inputs]
    prepared = prepare_run(paths, settings, out or ".", say=progress.warns, on_problem=exclusions.exclude)
    return lambda entry: prepared.settings_for(entry.science)


def _unique(exposures: list[Exposure], exclusions: Exclusions) -> list[Exposure]:
    """Let each rootname stand once: it names chips in every solution and product."""
    known: dict[str, Exposure] = {}
    for exposure in exposures:
        if exposure.root in known:
            exclusions.exclude(
                exposure.path,
                InputError(
                    f"{exposure.path}: ROOTNAME {exposure.root!r} is that of {known[exposure.root].path} too;"
                    " needed one file for each exposure",
                    root=exposure.root,
                ),
            )
        else:
            known[exposure.root] = exposure
    return list(known.values())


def same_camera(exposures: Sequence[Exposure], exclusions: Exclusions) -> list[Exposure]:
    """Keep exposures of one camera: the one that took most of them, or the first of several.

    Raises
    ------
    SettingsError
        Another camera took an exposure, and it is not to be dropped.
    """
    names = [exposure.camera.name for exposure in exposures]
    kept_name = max(dict.fromkeys(names), key=names.count)
    kept = []
    for exposure, name in zip(exposures, names, strict=True):
        if name == kept_name:
            kept.append(exposure)
            continue
        problem = SettingsError(
            f"{exposure.root} is of {name}, other exposures are of {kept_name}; one run takes one camera: run each by"
            " itself",
            root=exposure.root,
            cameras=tuple(dict.fromkeys(names)),
        )
        exclusions.exclude(exposure.root, problem)
    return kept


def same_field(exposures: Sequence[Exposure], exclusions: Exclusions) -> list[Exposure]:
    """Keep exposures of one place on the sky: the place most of them look at.

    Parameters
    ----------
    exposures : sequence of Exposure
        At least one.
    exclusions : Exclusions
        Where exposures of other places go.

    Returns
    -------
    kept : list of Exposure
        In the same order.

    Raises
    ------
    DataError
        An exposure looks elsewhere, and is not to be dropped.
    """
    centers = np.array([next(iter(e.chips.values())).frame.crval for e in exposures])
    vectors = unit_vectors(*centers.T)
    apart = 60 * np.rad2deg(np.arccos(np.clip(vectors.T @ vectors, -1, 1)))
    middle = int(np.argmax((apart <= LARGEST_FIELD_ARCMIN).sum(axis=1)))
    kept = []
    for exposure, distance in zip(exposures, apart[middle], strict=True):
        if distance <= LARGEST_FIELD_ARCMIN:
            kept.append(exposure)
            continue
        problem = DataError(
            f"{exposure.root} lies {distance:.0f} arcmin from {exposures[middle].root} on the sky (more than"
            f" {LARGEST_FIELD_ARCMIN:.0f}); run each field by itself",
            roots=(exposure.root, exposures[middle].root),
            separation_arcmin=float(distance),
        )
        exclusions.exclude(exposure.root, problem)
    return kept


def usable_reference(
    settings: Settings, exposures: Sequence[Exposure], exclusions: Exclusions, *, progress: Progress
) -> Settings:
    """Let the mean be the reference where ``align.reference`` names an exposure that was dropped, and say so."""
    root = settings.align.reference.lower()
    if root in ("mean", "first") or root in {exposure.root for exposure in exposures}:
        return settings
    names = [Path(what).name.lower() for what in exclusions.reasons]
    if not any(re.split(r"[_.]", name)[0] == root for name in names):
        return settings
    progress.warns(f"align.reference: {root} was dropped; the mean of the others is the reference")
    return settings.model_copy(update={"align": settings.align.model_copy(update={"reference": "mean"})})


def exclude_unaligned(
    exposures: Sequence[Exposure], alignment: Alignment, exclusions: Exclusions
) -> tuple[list[Exposure], Alignment]:
    """Drop, or stop at, exposures that could not be aligned.

    Raises
    ------
    DataError
        An exposure failed (without ``keep_going``), or none is left.
    """
    failed = [entry for entry in alignment.exposures.values() if entry.verdict is Verdict.FAIL]
    if failed and not exclusions.keep_going:
        raise DataError(
            f"cannot align {len(failed)} of {len(exposures)} exposures: {_each_once(failed, exposures)}; use"
            ' --keep-going to drop them, align.search_radius to search farther, or --set align.method="header" to trust'
            " the headers",
            roots=tuple(entry.root for entry in failed),
        )
    for entry in failed:
        exclusions.reasons[entry.root] = f"cannot be aligned: {entry.note.removeprefix('not aligned: ')}"
    bad = {entry.root for entry in failed}
    kept = [exposure for exposure in exposures if exposure.root not in bad]
    if not kept:
        raise DataError("no exposure is left: none could be aligned", roots=tuple(bad))
    entries = {root: entry for root, entry in alignment.exposures.items() if root not in bad}
    return kept, replace(alignment, exposures=entries)


def _flagged_share(exposure: Exposure) -> float:
    """Return the share of an exposure's pixels that a flag forbids to use."""
    bad = sum(
        int(np.count_nonzero(chip.dq & np.uint16(ALL_BITS & ~exposure.camera.good))) for chip in exposure.chips.values()
    )
    return bad / max(1, sum(chip.dq.size for chip in exposure.chips.values()))


def _each_once(failed: Sequence[ExposureAlignment], exposures: Sequence[Exposure]) -> str:
    """Say why exposures failed: each reason once, with the exposures it is true of.

    What an exposure's header or pixels have against themselves may be why its stars fit nowhere, and is said here: the
    run ends before its verdicts are told.
    """
    against = {
        exposure.root: finding.sentence
        for exposure in exposures
        for finding in reversed(exposure.findings)
        if finding.verdict in (Verdict.WARN, Verdict.FAIL)
    }
    for exposure in exposures:
        share = _flagged_share(exposure)
        if share > MUCH_FLAGGED:
            against.setdefault(exposure.root, f"{100 * share:.0f} % of its pixels are flagged bad: few stars are whole")
    reasons: dict[str, list[str]] = {}
    for entry in failed:
        reason = entry.note.removeprefix("not aligned: ")
        if entry.root in against:
            reason = f"{reason} ({against[entry.root][:120]})"
        reasons.setdefault(reason, []).append(entry.root)
    sentences = []
    for reason, roots in list(reasons.items())[:MOST_REASONS]:
        more = f" and {len(roots) - MOST_REASONS} more" if len(roots) > MOST_REASONS else ""
        sentences.append(f"{', '.join(roots[:MOST_REASONS])}{more}: {reason}")
    if len(reasons) > MOST_REASONS:
        sentences.append(f"and {len(reasons) - MOST_REASONS} more reasons")
    return "; ".join(sentences)


def default_name(exposures: Iterable[Exposure]) -> str:
    """Return ``<target>_<camera>_<filter>``, lower case; without the filter where there are several."""
    exposures = list(exposures)
    target = re.sub(r"[^a-z0-9+.-]+", "-", exposures[0].target.lower()).strip("-.") or exposures[0].root
    filters = {exposure.filter for exposure in exposures}
    ending = f"_{filters.pop().lower()}" if len(filters) == 1 else ""
    return f"{target[:60]}_{exposures[0].camera.label}{ending}"
