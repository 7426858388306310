"""How a single exposure is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mizzle.arrays import FloatArray, Indices

#: The eight neighbors of a peak: (dy, dx).
NEIGHBORS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
#: Fits of light: most templates chosen, most sweeps over them after each, the gain of chi-square that ends both.
ROUNDS, SWEEPS, ENOUGH = 30, 60, 0.001
#: Sums of products are made in so many lanes, and so many templates side by side.
LANES, TILE = 4, 16


class Peaks(NamedTuple):
    """Peaks of a chip, row by row.

    Parameters
    ----------
    y, x : (n,) int arrays
        Where.
    sky : (n,) array
        Sky of each: the eleventh-darkest of the 7 x 7 pixels around [electron].
    """

    y: Indices
    x: Indices
    sky: FloatArray


@dataclass(frozen=True)
class SingleRule:
    """What is a peak, and what belongs to a ray.

    Parameters
    ----------
    floor : float
        Variance without light [electron**2].
    structure : float
        How well smooth structure is known, relative to itself.
    sigma, neighbor_sigma : float
        Peaks, and bright pixels, stand above their surroundings by this many times the noise.
    track : int
        How far a track is followed from its peak [pixel].
    grow : int
        How far from a track bright pixels belong to it [pixel].
    """

    floor: float
    structure: float
    sigma: float
    neighbor_sigma: float
    track: int
    grow: int


@dataclass(frozen=True)
class SharpRule:
    """What is too sharp for the optics.

    Parameters
    ----------
    floor : float
        Variance without light [electron**2].
    sigma, neighbor_sigma : float
        A sharp pixel's Laplacian, and that of one next to it, stand above the noise by this many sigma.
    contrast : float
        And above the fine structure by this factor.
    """

    floor: float
    sigma: float
    neighbor_sigma: float
    contrast: float
