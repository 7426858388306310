"""How a single exposure is judged."""

from __future__ import annotations

from dataclasses import dataclass

#: The eight neighbors of a peak: (dy, dx).
NEIGHBORS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class SingleRule:
    """What is a peak, and how it is judged.

    Parameters
    ----------
    floor : float
        Variance without light [electron**2].
    structure : float
        How well smooth structure is known, relative to itself.
    sigma, neighbor_sigma : float
        Peaks, and bright pixels, stand above their surroundings by this many times the noise.
    deficit : float
        A peak is a star's unless its neighbors fall this far short of every template [sigma].
    doubt : float
        How well the templates are known, relative to themselves.
    track : int
        How far a track is followed from its peak [pixel].
    grow : int
        How far from a track bright pixels belong to it [pixel].
    """

    floor: float
    structure: float
    sigma: float
    neighbor_sigma: float
    deficit: float
    doubt: float
    track: int
    grow: int
