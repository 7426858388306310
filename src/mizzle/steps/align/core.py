"""The alignment step: find, match, solve, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.model import Alignment, Exposure, ExposureAlignment, Runner
from mizzle.model.references import AlignReferences
from mizzle.settings import Settings
from mizzle.settings.align import AlignSettings
from mizzle.steps.align import absolute
from mizzle.steps.align.entries import add_histograms, failed_entry, solved_entries
from mizzle.steps.align.fallback import place_unmatched, tell_reference
from mizzle.steps.align.match import Vote
from mizzle.steps.align.network import Group, best_chance, build_groups, cast_votes, trusted
from mizzle.steps.align.solved_group import kept_place, solve_group, solve_on_catalog
from mizzle.steps.align.sources import SourceList, common_pivot, find_all
from mizzle.steps.align.verdicts import explain_failure
from mizzle.steps.align.without_stars import alone, from_table, on_target


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
    return tell_reference(place_unmatched(exposures, alignment, settings, lists=lists), choice)


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
        part = solve_group(lists, main, settings)
        entries, tables = solved_entries(lists, part, settings, votes=votes, pivot=pivot)
    aligned = main.members if len(main.members) > 1 else ()
    for index, entry in enumerate(lists):
        if entry.root not in entries:
            others = [o for o in (aligned or range(len(lists))) if o != index]
            note = explain_failure(index, lists, others, votes=votes, settings=settings)
            entries[entry.root] = failed_entry(entry, pivot, note, chance=best_chance(index, range(len(lists)), votes))
    add_histograms(lists, votes, tables)
    reference = kept_place(lists, main.members, settings)
    return Alignment(
        reference=reference, exposures={root: entries[root] for root in order}, method="stars", tables=tables
    )


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
                entries[lists[m].root] = failed_entry(
                    lists[m], pivot, note, chance=1.0 if vote is None else vote.chance
                )
            continue
        assert vote is not None
        part = solve_on_catalog(lists, group, settings, catalog=moving, vote=vote, epoch=epoch)
        new_entries, new_tables = solved_entries(lists, part, settings, votes=votes, pivot=pivot)
        entries.update(new_entries)
        tables.update(new_tables)
    add_histograms(lists, votes, tables)
    return Alignment(
        reference=catalog.name,
        exposures={root: entries[root] for root in order},
        method="stars",
        tables=tables,
    )
