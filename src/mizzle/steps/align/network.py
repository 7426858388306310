"""Which exposures see the same stars, and roughly how they lie: votes between pairs, joined into groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.model import Runner
from mizzle.settings.align import AlignSettings
from mizzle.steps.align.match import Magnitudes, Vote, vote
from mizzle.steps.align.sources import SourceList

#: Up to this many exposures, every pair is tried; beyond, each with a few well-populated ones first.
ALL_PAIRS = 8
HUBS = 3

#: Two pointings further apart than this do not overlap [arcsec]: twice the reach of the farthest chip corner.
REACH = 280.0

#: Centers nearer than this see much the same sky [arcsec]; a pair of such exposures is tied by this share at least of
#: the stars that tie each of them to others. Long and short exposures and different filters share more.
NEAR, FEW_OF_ALL = 40.0, 0.05

Votes = Mapping[tuple[int, int], Vote]


@dataclass(frozen=True, eq=False)
class Group:
    """Exposures joined by votes.

    Parameters
    ----------
    members : tuple of int
        Indices of the exposures, the root of the tree first.
    matrices, shifts : mapping from index to (2, 2) and (2,) array
        From each exposure's own plane to the root's [arcsec].
    """

    members: tuple[int, ...]
    matrices: dict[int, FloatArray]
    shifts: dict[int, FloatArray]


def vote_between(a: SourceList, b: SourceList, settings: AlignSettings, *, radius: float | None = None) -> Vote | None:
    """Search the offset of two lists; magnitudes count within one filter."""
    reach = settings.search_radius if radius is None else radius
    if np.hypot(*(a.center - b.center)) > REACH + reach:
        return None
    same_band = a.band == b.band and a.band != ""
    mags = Magnitudes(a.mag, b.mag, settings.magnitude_tolerance) if same_band else None
    return vote(
        a.position,
        b.position,
        radius=reach,
        window=settings.tolerance,
        max_roll=float(np.deg2rad(settings.search_roll)),
        mags=mags,
    )


def _first_pairs(lists: Sequence[SourceList]) -> list[tuple[int, int]]:
    """Return the pairs worth trying first."""
    n = len(lists)
    if n <= ALL_PAIRS:
        return [(i, j) for i in range(n) for j in range(i + 1, n)]
    hubs = sorted(range(n), key=lambda i: (-len(lists[i]), lists[i].root))[:HUBS]
    pairs = {(min(i, h), max(i, h)) for i in range(n) for h in hubs if i != h}
    pairs |= {(i, i + 1) for i in range(n - 1)}
    return sorted(pairs)


def trusted(vote: Vote | None, settings: AlignSettings) -> bool:
    """Return whether a vote is a match: enough stars, and no accident."""
    return vote is not None and vote.n >= settings.min_matches and vote.chance <= settings.max_false_match


def cast_votes(lists: Sequence[SourceList], settings: AlignSettings, runner: Runner) -> dict[tuple[int, int], Vote]:
    """Search the offsets of pairs of exposures.

    Returns
    -------
    votes : mapping from (i, j), i < j, to Vote
        Trusted or not; pairs without any candidate are absent.
    """
    votes: dict[tuple[int, int], Vote] = {}

    def cast(pairs: list[tuple[int, int]]) -> None:
        answers = runner.map(lambda p: vote_between(lists[p[0]], lists[p[1]], settings), pairs)
        votes.update({pair: answer for pair, answer in zip(pairs, answers, strict=True) if answer is not None})

    tried = _first_pairs(lists)
    cast(tried)
    label = _labels(len(lists), votes, settings)
    rest = sorted(
        {(i, j) for i in range(len(lists)) for j in range(i + 1, len(lists)) if label[i] != label[j]} - set(tried)
    )
    if rest:
        cast(rest)
    return votes


def _labels(n: int, votes: dict[tuple[int, int], Vote], settings: AlignSettings) -> list[int]:
    """Label the groups that trusted votes make, by their smallest member."""
    label = list(range(n))
    for (i, j), pair_vote in votes.items():
        if trusted(pair_vote, settings) and label[i] != label[j]:
            low, high = sorted((label[i], label[j]))
            label = [low if other == high else other for other in label]
    return label


def _strength(vote: Vote) -> tuple[float, float]:
    """Order votes: the least likely accident first, then the most stars."""
    return (vote.chance, -float(vote.n))


def _by_few(pair: tuple[int, int], owner: Sequence[int], votes: Votes, *, lists: Sequence[SourceList]) -> bool:
    """Tell whether far fewer stars tie two exposures than tie each to others where it looks.

    Hot pixels and columns that no flag marks stay where they are on a chip, and make two pointings of the same header
    agree though their stars do not.
    """
    i, j = pair
    if float(np.hypot(*(lists[i].center - lists[j].center))) > NEAR:
        return False
    inside = [
        max((vote.n for (a, b), vote in votes.items() if k in (a, b) and owner[a] == owner[b] == owner[k]), default=0)
        for k in pair
    ]
    return votes[pair].n < FEW_OF_ALL * min(inside)


class _Branch(NamedTuple):
    """An exposure tied to another, and what takes its positions there: ``matrix @ position + shift``."""

    exposure: int
    matrix: FloatArray
    shift: FloatArray


def build_groups(
    lists: Sequence[SourceList], votes: dict[tuple[int, int], Vote], settings: AlignSettings
) -> list[Group]:
    """Join exposures along the strongest votes; the largest group comes first."""
    good = sorted(
        (pair for pair, vote in votes.items() if trusted(vote, settings)),
        key=lambda pair: (_strength(votes[pair]), pair),
    )
    owner = list(range(len(lists)))
    branches: dict[int, list[_Branch]] = {i: [] for i in range(len(lists))}
    for i, j in good:
        if owner[i] == owner[j] or _by_few((i, j), owner, votes, lists=lists):
            continue
        low, high = sorted((owner[i], owner[j]))
        owner = [low if o == high else o for o in owner]
        matrix, shift = votes[i, j].transform()  # from i to j
        inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        branches[j].append(_Branch(i, matrix, shift))
        branches[i].append(_Branch(j, inverse, -inverse @ shift))
    groups = [_climb(root, branches) for root in sorted(set(owner))]
    size = {group.members[0]: sum(len(lists[m]) for m in group.members) for group in groups}
    return sorted(groups, key=lambda g: (-len(g.members), -size[g.members[0]], g.members[0]))


def _climb(root: int, branches: dict[int, list[_Branch]]) -> Group:
    """Walk the tree from `root` and compose the transformations."""
    matrices, shifts = {root: np.eye(2)}, {root: np.zeros(2)}
    queue = [root]
    for parent in queue:
        for child, matrix, shift in branches[parent]:
            if child not in matrices:
                matrices[child] = matrices[parent] @ matrix
                shifts[child] = matrices[parent] @ shift + shifts[parent]
                queue.append(child)
    return Group(tuple(queue), matrices, shifts)


def best_chance(index: int, members: Sequence[int], votes: dict[tuple[int, int], Vote]) -> float:
    """Return the chance that an exposure's tie to the others of its group is an accident: that of its best vote."""
    chances = [votes[p].chance for o in members if (p := (min(index, o), max(index, o))) in votes and o != index]
    return min(chances, default=float("nan"))
