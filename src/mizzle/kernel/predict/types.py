"""Samples of light around places on a grid, and the chips that they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image, Marks
from mizzle.kernel.maps.inverse import InverseMap


class RecordedPixels(NamedTuple):
    """What a chip recorded.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    dq : (ny, nx) uint16 array
        Data-quality bits.
    hit : uint8 array
        Packed mask of pixels that do not count.
    """

    sci: Image
    dq: NDArray[np.uint16]
    hit: Marks


class GridPlaces(NamedTuple):
    """GridPlaces on a grid: their numbers, which rise, and ``x, y`` [pixel]; one dimension each."""

    number: NDArray[np.int64]
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, eq=False)
class ChipSampler:
    """A chip whose pixels sample the light around places on a grid.

    Parameters
    ----------
    inverse : InverseMap
        Its map, backward.
    gain : float
        Electrons per DN.
    sky : float
        [DN].
    floor : float
        Variance without light [electron**2].
    unit : float
        Grid's unit of an electron.
    reach : float
        RecordedPixels farther from a place than this are not looked at [pixel of the grid].
    bits : int
        Data-quality bits of pixels that do not count.
    """

    inverse: InverseMap
    gain: float
    sky: float
    floor: float
    unit: float
    reach: float
    bits: int


class Samples(NamedTuple):
    """Samples around each of k places, m at most.

    Parameters
    ----------
    dx, dy : (k, m) array
        From the place to the sample [pixel].
    value, variance : (k, m) array
        What was seen there, and its noise; an infinite variance: no sample.
    """

    dx: FloatArray
    dy: FloatArray
    value: FloatArray
    variance: FloatArray


class NeighborSamples(NamedTuple):
    """Samples of one chip, around each place.

    Parameters
    ----------
    owner : (n,) int64 array
        Number of the place, rising.
    samples : (n, 4) array
        ``dx, dy, value, variance``, as in `Samples`.
    """

    owner: NDArray[np.int64]
    samples: FloatArray


class PredictedLight(NamedTuple):
    """A smooth light's value at places, and the variance of that; ``(n,)`` each."""

    mean: FloatArray
    variance: FloatArray
