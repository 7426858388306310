"""The alignment step: find, match, solve, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.model import Alignment, Exposure, ExposureAlignment, Runner, Verdict, worst
from mizzle.model.frame import FloatArray
from mizzle.model.references import AlignReferences
from mizzle.settings import Settings
from mizzle.settings.align import AlignSettings
from mizzle.steps.align import absolute
from mizzle.steps.align.fallback import place_unmatched, tell_reference
from mizzle.steps.align.frame import Gauge, choose_gauge
from mizzle.steps.align.link import Detections
from mizzle.steps.align.match import Vote, rotation
from mizzle.steps.align.motions import epoch_note, motion_verdict, star_scatter
from mizzle.steps.align.network import Group, best_chance, build_groups, cast_votes, trusted
from mizzle.steps.align.solve import AlignmentFit, Problem, State, adjust, counted
from mizzle.steps.align.sources import MovingStars, SourceList, common_pivot, find_all
from mizzle.steps.align.verdicts import explain_failure, judge_alignment
from mizzle.steps.align.without_stars import alone, from_table, on_target

#: Detections in one solution; of many exposures only the brightest of each take part.
MAX_DETECTIONS = 24_000


def align(
    exposures: Sequence[Exposure],
    settings: Settings,
    runner: Runner,
    *,
    references: AlignReferences | None = None,
    lists: Sequence[SourceList] | None = None,
) -> Alignment:
    """Bring all exposures onto one frame.

    Parameters
    ----------
    exposures : sequence of Exposure
        In any order; the answer does not depend on it.
    settings : Settings
        `settings.align` and what the noise and data quality need.
    runner : Runner
        Where sources are found and pairs matched.
    references : AlignReferences, optional
        What was read from files: catalog, image, regions, sources, shifts.
    lists : sequence of SourceList, optional
        What `find_all` finds in these exposures, sorted by root, by somebody who has it already.

    Returns
    -------
    alignment : Alignment
        One entry per exposure, in input order. An exposure that could not be aligned carries ``FAIL`` and a note
        that says why, and keeps its header's frame. One exposure alone, without a reference, carries ``NONE``.

    Raises
    ------
    SettingsError
        `align.reference` names no exposure; method ``shifts`` without a table.
    DataError
        Method ``shifts``, and an exposure is not in the table.
    """
    references = references or AlignReferences()
    choice = settings.align
    if choice.method == "header":
        return Alignment.identity(exposures)
    if choice.method == "shifts":
        return from_table(exposures, references)
    moving = [e for e in exposures if e.follows_target] if choice.moving == "target" else []
    if moving:
        return _with_moving(exposures, moving, settings, runner=runner, references=references)
    roots = {exposure.root for exposure in exposures}
    if choice.reference not in ("mean", "first") and choice.reference.lower() not in roots:
        raise SettingsError(
            f"align.reference: no exposure is called {choice.reference!r}; found {', '.join(sorted(roots))};"
            " or use 'mean' or 'first'",
            reference=choice.reference,
        )
    catalog = absolute.reference_catalog(references, choice)
    if len(exposures) < 2 and catalog is None:
        return alone(exposures)
    ordered = sorted(exposures, key=lambda e: e.root)
    pivot = common_pivot(ordered)
    if lists is None:
        lists = find_all(ordered, settings, runner, references=references, pivot=pivot)
    order = [e.root for e in exposures]
    alignment = align_lists(lists, choice, runner, pivot=pivot, order=order, catalog=catalog)
    return tell_reference(place_unmatched(exposures, alignment, settings), choice)


def _with_moving(
    exposures: Sequence[Exposure],
    moving: Sequence[Exposure],
    settings: Settings,
    *,
    runner: Runner,
    references: AlignReferences,
) -> Alignment:
    """Hold the target of some exposures still; align the others on stars."""
    on_targets = on_target(moving, references)
    fixed = [e for e in exposures if not e.follows_target]
    if not fixed:
        return on_targets
    others = align(fixed, settings, runner, references=references)
    entries = {**others.exposures, **on_targets.exposures}
    return replace(others, exposures={e.root: entries[e.root] for e in exposures})


@dataclass(frozen=True, eq=False)
class _Part:
    """Exposures solved together, and their detections."""

    group: Group
    problem: Problem
    solution: AlignmentFit
    gauge: Gauge
    vote: Vote | None


def align_lists(
    lists: Sequence[SourceList],
    settings: AlignSettings,
    runner: Runner,
    *,
    pivot: tuple[float, float],
    order: Sequence[str],
    catalog: Any = None,
) -> Alignment:
    """Align lists of sources: everything but finding them.

    Parameters
    ----------
    lists : sequence of SourceList
        Sorted by root.
    settings : AlignSettings
        Geometry, tolerances, limits.
    runner : Runner
        Where pairs are matched.
    pivot : (float, float)
        Tangent point of the common plane [deg].
    order : sequence of str
        Roots in input order.
    catalog : SkyCatalog, optional
        Absolute reference.
    """
    votes = cast_votes(lists, settings, runner)
    groups = build_groups(lists, votes, settings)
    if catalog is not None:
        return _on_catalog(lists, settings, votes, groups=groups, pivot=pivot, order=order, catalog=catalog)
    main = groups[0]
    entries: dict[str, ExposureAlignment] = {}
    tables: dict[str, dict[str, NDArray[Any]]] = {}
    if len(main.members) > 1:
        part = _solve_group(lists, main, settings)
        entries, tables = _entries(lists, part, settings, votes=votes, pivot=pivot)
    aligned = main.members if len(main.members) > 1 else ()
    for index, entry in enumerate(lists):
        if entry.root not in entries:
            others = [o for o in (aligned or range(len(lists))) if o != index]
            note = explain_failure(index, lists, others, votes=votes, settings=settings)
            entries[entry.root] = _failed(entry, pivot, note, chance=best_chance(index, range(len(lists)), votes))
    _add_histograms(lists, votes, tables)
    reference = _kept(lists, main.members, settings)
    return Alignment(
        reference=reference, exposures={root: entries[root] for root in order}, method="stars", tables=tables
    )


def _kept(lists: Sequence[SourceList], members: Sequence[int], settings: AlignSettings) -> str:
    """Return what keeps its place: the root asked for, or the earliest; the mean where that is not among `members`."""
    if settings.reference == "first":
        return min((lists[m] for m in members), key=lambda entry: (entry.epoch, entry.root)).root
    root = settings.reference.lower()
    return root if root in [lists[m].root for m in members] else "mean"


def _failed(entry: SourceList, pivot: tuple[float, float], note: str, *, chance: float) -> ExposureAlignment:
    """Return the entry of an exposure that found no place."""
    return ExposureAlignment(
        entry.root,
        pivot,
        np.eye(2),
        np.zeros(2),
        n_detected=len(entry),
        false_match=chance,
        verdict=Verdict.FAIL,
        note=f"not aligned: {note}",
    )


def _detections(
    lists: Sequence[SourceList],
    members: Sequence[int],
    epoch: float,
    *,
    catalog: MovingStars | None,
) -> Detections:
    """Put the sources of the exposures, then of the catalog, into one table."""
    keep = max(100, MAX_DETECTIONS // len(members))
    parts = [lists[m] for m in members]
    bands = sorted({entry.band for entry in parts})
    sizes = [min(len(entry), keep) for entry in parts]
    if catalog is not None:
        parts, sizes = [*parts, catalog[0]], [*sizes, len(catalog[0])]

    def join(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(entry, name)[:size] for entry, size in zip(parts, sizes, strict=True)])

    number = [bands.index(entry.band) if entry.band in bands else -1 - k for k, entry in enumerate(parts)]
    return Detections(
        position=join("position"),
        exposure=np.repeat(np.arange(len(parts)), sizes),
        error=join("error"),
        pixel=join("pixel"),
        mag=join("mag"),
        band=np.repeat(np.array(number), sizes),
        chip=join("chip"),
        motion=np.zeros((sum(sizes), 2)),
        index=np.concatenate([np.arange(size) for size in sizes]),
    )


def _turns(lists: Sequence[SourceList], members: Sequence[int]) -> FloatArray:
    """Return the rotations from camera axes to the sky, one per exposure."""
    return np.array([rotation(lists[m].orientation) for m in members])


def _chip_count(lists: Sequence[SourceList], members: Sequence[int]) -> int:
    """Return how many chips the exposures' camera has."""
    return max((max(len(lists[m].chips), int(lists[m].chip.max(initial=0))) for m in members), default=0)


def _solve_group(lists: Sequence[SourceList], group: Group, settings: AlignSettings) -> _Part:
    """Solve one group of exposures in a frame of its own, then choose the frame."""
    members = tuple(sorted(group.members))
    start = State(
        np.array([group.matrices[m] for m in members]),
        np.array([group.shifts[m] for m in members]),
        np.zeros((_chip_count(lists, members), 2)),
    )
    detections = _detections(lists, members, 0.0, catalog=None)
    problem = Problem(detections, len(members), _turns(lists, members), settings)
    solution = adjust(problem, start)
    keep, roots = _kept(lists, members, settings), [lists[m].root for m in members]
    gauge = choose_gauge(problem, solution, roots.index(keep) if keep != "mean" else None)
    return _Part(Group(members, group.matrices, group.shifts), problem, solution, gauge, None)


def _entries(
    lists: Sequence[SourceList],
    part: _Part,
    settings: AlignSettings,
    *,
    votes: dict[tuple[int, int], Vote],
    pivot: tuple[float, float],
) -> tuple[dict[str, ExposureAlignment], dict[str, dict[str, NDArray[Any]]]]:
    """Turn a solution into entries and tables."""
    entries: dict[str, ExposureAlignment] = {}
    tables: dict[str, dict[str, NDArray[Any]]] = {}
    members, solution, gauge = part.group.members, part.solution, part.gauge
    used = counted(solution.weight)
    epochs = [lists[m].epoch for m in members]
    unknown = "" if part.vote is not None else epoch_note(epochs)
    for k, m in enumerate(members):
        of_exposure = part.problem.detections.exposure == k
        rows = of_exposure & used
        rms = float(np.sqrt(np.mean(solution.residual[rows] ** 2)) * 1000.0) if rows.any() else float("nan")
        # Few stars know their own scatter badly: their errors are stated a little larger.
        covariance = gauge.covariance[k] * (1.0 + 2.0 / max(int(rows.sum()), 1))
        error = float(1000.0 * np.sqrt(max(covariance[0, 0], covariance[1, 1])))
        chance = part.vote.chance if part.vote is not None else best_chance(m, members, votes)
        verdict, note = judge_alignment(int(rows.sum()), rms, error, chance=chance, settings=settings)
        scatter = star_scatter(part.problem, solution, rows)
        moved, motion = motion_verdict(scatter, epochs)
        verdict, note = worst((verdict, moved)), "; ".join(filter(None, (note, motion, unknown)))
        entries[lists[m].root] = ExposureAlignment(
            lists[m].root,
            pivot,
            gauge.state.matrices[k],
            gauge.state.shifts[k],
            n_detected=len(lists[m]),
            n_matched=int(rows.sum()),
            rms_mas=rms,
            covariance=covariance,
            false_match=chance,
            verdict=verdict,
            note=note,
            chip_shifts=_chip_shifts(part, k, lists[m].chips),
            scatter_mas=scatter,
        )
        tables[lists[m].root] = _table(lists[m], part.problem.detections, solution, rows=rows)
    return entries, tables


def _chip_shifts(part: _Part, k: int, chips: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the chips' own shifts in one exposure, on the sky [arcsec]."""
    if not part.problem.settings.chip_shifts:
        return {}
    on_sky = part.gauge.state.chips @ part.problem.turns[k].T
    return {name: (float(s[0]), float(s[1])) for name, s in zip(chips, on_sky, strict=False)}


def _table(
    entry: SourceList, detections: Detections, solution: AlignmentFit, *, rows: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """Return the residuals of one exposure: pixel x, y (0-based), dx, dy [mas], magnitude, chip."""
    index = detections.index[rows]
    return {
        "x": entry.x[index],
        "y": entry.y[index],
        "dx": 1000.0 * solution.residual[rows, 0],
        "dy": 1000.0 * solution.residual[rows, 1],
        "mag": entry.mag[index],
        "chip": entry.chip[index],
    }


def _add_histograms(
    lists: Sequence[SourceList],
    votes: dict[tuple[int, int], Vote],
    tables: dict[str, dict[str, NDArray[Any]]],
) -> None:
    """Add to each exposure's table the offset histogram of its best pair, for the report."""
    for index, entry in enumerate(lists):
        own_votes = [votes[p] for p in sorted(votes) if index in p and votes[p].histogram.size]
        if own_votes:
            best = min(own_votes, key=lambda v: (v.chance, -v.n))
            table = tables.setdefault(entry.root, {})
            table["histogram"] = best.histogram
            table["histogram_extent"] = np.array([best.extent])


def _on_catalog(
    lists: Sequence[SourceList],
    settings: AlignSettings,
    votes: dict[tuple[int, int], Vote],
    *,
    groups: Sequence[Group],
    pivot: tuple[float, float],
    order: Sequence[str],
    catalog: Any,
) -> Alignment:
    """Align every group of exposures to a catalog; a group that does not match it fails."""
    entries: dict[str, ExposureAlignment] = {}
    tables: dict[str, dict[str, NDArray[Any]]] = {}
    reach = absolute.group_reach(lists, settings)
    for group in groups:
        epoch = float(np.mean([lists[m].epoch for m in sorted(group.members)]))
        moving = absolute.catalog_list(catalog, pivot, epoch, reach=reach)
        vote = absolute.vote_on_catalog(lists, group, moving.sources, settings=settings)
        if not trusted(vote, settings):
            agree = "none" if vote is None else f"{vote.n} agree (chance of an accident {vote.chance:.1e})"
            note = f"no match with {catalog.name}: {len(moving.sources)} entries near the field, {agree}"
            for m in group.members:
                entries[lists[m].root] = _failed(lists[m], pivot, note, chance=1.0 if vote is None else vote.chance)
            continue
        assert vote is not None
        part = _solve_on(lists, group, settings, catalog=moving, vote=vote, epoch=epoch)
        new_entries, new_tables = _entries(lists, part, settings, votes=votes, pivot=pivot)
        entries.update(new_entries)
        tables.update(new_tables)
    _add_histograms(lists, votes, tables)
    return Alignment(
        reference=catalog.name,
        exposures={root: entries[root] for root in order},
        method="stars",
        tables=tables,
    )


def _solve_on(
    lists: Sequence[SourceList],
    group: Group,
    settings: AlignSettings,
    *,
    catalog: MovingStars,
    vote: Vote,
    epoch: float,
) -> _Part:
    """Solve one group together with the catalog, which stays where it is."""
    members = tuple(sorted(group.members))
    matrix, shift = vote.transform()
    state = State(
        np.array([matrix @ group.matrices[m] for m in members]),
        np.array([matrix @ group.shifts[m] + shift for m in members]),
        np.zeros((_chip_count(lists, members), 2)),
    )
    detections = _detections(lists, members, epoch, catalog=catalog)
    problem = Problem(detections, len(members), _turns(lists, members), settings)
    problem = absolute.with_motions(problem, state, lists, members=members, catalog=catalog, epoch=epoch)
    solution = adjust(problem, state)
    return _Part(
        Group(members, group.matrices, group.shifts),
        problem,
        solution,
        choose_gauge(problem, solution, None),
        vote,
    )
