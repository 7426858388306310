"""Exposures solved together: their detections in one table, and a frame chosen for the solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.settings.align import AlignSettings
from mizzle.steps.align import absolute
from mizzle.steps.align.frame import Gauge, choose_gauge
from mizzle.steps.align.link import Detections
from mizzle.steps.align.match import Vote, rotation
from mizzle.steps.align.network import Group
from mizzle.steps.align.solve import AlignmentFit, Problem, State, adjust
from mizzle.steps.align.sources import MovingStars, SourceList

#: Detections in one solution; of many exposures only the brightest of each take part.
MAX_DETECTIONS = 24_000


@dataclass(frozen=True, eq=False)
class SolvedGroup:
    """Exposures solved together, and their detections."""

    group: Group
    problem: Problem
    solution: AlignmentFit
    gauge: Gauge
    vote: Vote | None


def kept_place(lists: Sequence[SourceList], members: Sequence[int], settings: AlignSettings) -> str:
    """Return what keeps its place: the root asked for, or the earliest; the mean where that is not among `members`."""
    if settings.reference == "first":
        return min((lists[m] for m in members), key=lambda entry: (entry.epoch, entry.root)).root
    root = settings.reference.lower()
    return root if root in [lists[m].root for m in members] else "mean"


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


def solve_group(lists: Sequence[SourceList], group: Group, settings: AlignSettings) -> SolvedGroup:
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
    keep, roots = kept_place(lists, members, settings), [lists[m].root for m in members]
    gauge = choose_gauge(problem, solution, roots.index(keep) if keep != "mean" else None)
    return SolvedGroup(Group(members, group.matrices, group.shifts), problem, solution, gauge, None)


def solve_on_catalog(
    lists: Sequence[SourceList],
    group: Group,
    settings: AlignSettings,
    *,
    catalog: MovingStars,
    vote: Vote,
    epoch: float,
) -> SolvedGroup:
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
    return SolvedGroup(
        Group(members, group.matrices, group.shifts),
        problem,
        solution,
        choose_gauge(problem, solution, None),
        vote,
    )
