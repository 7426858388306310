"""What an alignment says of each exposure: its entry, with a verdict, and its table for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model import ExposureAlignment, Verdict, worst
from mizzle.settings.align import AlignSettings
from mizzle.steps.align.link import Detections
from mizzle.steps.align.match import Vote
from mizzle.steps.align.motions import epoch_note, motion_verdict, star_scatter
from mizzle.steps.align.network import best_chance
from mizzle.steps.align.solve import AlignmentFit, counted
from mizzle.steps.align.solved_group import SolvedGroup
from mizzle.steps.align.sources import SourceList
from mizzle.steps.align.verdicts import judge_alignment


def failed_entry(entry: SourceList, pivot: tuple[float, float], note: str, *, chance: float) -> ExposureAlignment:
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


def solved_entries(
    lists: Sequence[SourceList],
    part: SolvedGroup,
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


def _chip_shifts(part: SolvedGroup, k: int, chips: Sequence[str]) -> dict[str, tuple[float, float]]:
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


def add_histograms(
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
