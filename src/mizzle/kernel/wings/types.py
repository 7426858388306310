"""What surrounds a peak."""

from __future__ import annotations

from typing import NamedTuple

from mizzle.arrays import FloatArray, Indices

#: Fewer known pixels around a peak, or in its wings, tell nothing.
LEAST_AROUND, LEAST_WINGS = 10, 5
#: Sides of a peak, in quarters.
SIDES = 4


class Neighborhood(NamedTuple):
    """Steps from a peak to the pixels that are looked at.

    Parameters
    ----------
    around : (n, 2) int array
        Rows and columns to those of its surroundings.
    wings : (m, 3) int array
        Rows and columns to those of its wings, and the side each lies on, 0 to 3.
    """

    around: Indices
    wings: Indices


class WingFigures(NamedTuple):
    """What surrounds some peaks.

    Parameters
    ----------
    peak : (n,) array
        Of each, above its surroundings [count].
    least, mean : (n,) arrays
        Light of the wings on the faintest side, and over all sides, per pixel [count]; 0 where too little is seen.
    noise : (n,) array
        Of the side with the fewest pixels; as of one pixel, where a side has none [count].
    level : (n,) array
        Of the surroundings [count]; 0 where too little is seen.
    """

    peak: FloatArray
    least: FloatArray
    mean: FloatArray
    noise: FloatArray
    level: FloatArray
