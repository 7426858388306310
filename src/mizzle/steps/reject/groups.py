"""Which exposures are compared with which: those whose stars lie at the same places.

Stars that move between epochs are in no other epoch's pixels where they were, and a reference of all epochs knows them
at half their light: every epoch is judged by itself. An exposure whose place is not known would spoil the reference of
the others; it is held against theirs. Who is left alone is held against all, with thresholds raised by how far its
stars may lie from their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mizzle.steps.reject.compared_chip import ComparedChip

#: Epochs are apart by this at least [day].
EPOCH_GAP = 180.0
#: Stars that lie farther from their mean places divide the epochs; exposures placed worse than this are kept out of the
#: reference [pixel].
DIVIDES, SPOILS = 0.08, 0.3
#: An epoch of one exposure is judged alone only where stars moved farther: nothing to compare with costs faint rays.
ALONE = 0.15


@dataclass(frozen=True)
class ComparisonGroup:
    """Chips compared with each other, and those of them that are judged by it: positions in a list of chips."""

    members: tuple[int, ...]
    judged: frozenset[int]


def comparisons(chips: Sequence[ComparedChip]) -> list[ComparisonGroup]:
    """Divide the chips of one class into groups, each held against a reference image of its own.

    Parameters
    ----------
    chips : sequence of ComparedChip
        Of one class, by exposure.

    Returns
    -------
    comparisons : list of ComparisonGroup
        Each chip belongs to one of them.
    """
    every = tuple(range(len(chips)))
    epochs = _epochs(chips)
    left = set(every)
    groups: list[ComparisonGroup] = []
    for epoch in epochs:
        placed = tuple(n for n in epoch if chips[n].misplaced <= SPOILS)
        # Of two exposures of which one is misplaced neither is better off alone; of two epochs both are.
        far = len(epochs) > 1 and len(placed) == len(epoch) and max(chips[n].moved for n in epoch) > ALONE
        if len({chips[n].index for n in placed}) > 1 or far:
            groups.append(ComparisonGroup(placed, frozenset(placed)))
            left -= set(placed)
    if left:
        groups.append(ComparisonGroup(every, frozenset(left)))
    return groups


def _epochs(chips: Sequence[ComparedChip]) -> list[tuple[int, ...]]:
    """Return the chips by epoch, where stars moved between epochs; else all together."""
    if max(chip.moved for chip in chips) <= DIVIDES:
        return [tuple(range(len(chips)))]
    order = sorted(range(len(chips)), key=lambda n: chips[n].view.exposure.mjd_start)
    epochs: list[list[int]] = []
    last = float("-inf")
    for n in order:
        start = chips[n].view.exposure.mjd_start
        if start - last > EPOCH_GAP:
            epochs.append([])
        epochs[-1].append(n)
        last = start
    return [tuple(sorted(epoch)) for epoch in epochs]
