"""A chip and what is expected of it: thresholds, verdicts, and the image it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Image, Marks, Mask

#: Bits of `RayMarks.marks`.
SEED, NEAR, SUSPECT = 1, 2, 4


@dataclass(frozen=True)
class RayThresholds:
    """Units, noise and thresholds by which a chip is held against what is expected of it.

    Parameters
    ----------
    gain : float
        Electrons per DN.
    rate : float
        Electrons per unit of the expectation.
    sky : float
        Sky [electron]; it is not part of the expectation.
    floor : float
        Variance without light [electron**2].
    quiet : float
        So much of a step is noise [electron].
    peak, wing : float
        Sharpening: this times (4 times a pixel less its four neighbors) is added, where that raises or lowers it.
    seed_sigma, seed_slope, neighbor_sigma, neighbor_slope : float
        Thresholds: sigma times the noise plus slope times the steepest step to one of the four neighbors.
    doubt : float
        Both thresholds rise by this share of what sharpening added.
    negative : bool
        Flag what lies as far below, too.
    suspect_slope : float
        In place of `seed_slope`, and without `doubt`: what stands above that but is no seed is suspect.
    trust : float
        No seeds, but suspects, where the expectation or one of its four neighbors is above this [electron].
    """

    gain: float
    rate: float
    sky: float
    floor: float
    quiet: float
    peak: float
    wing: float
    seed_sigma: float
    seed_slope: float
    neighbor_sigma: float
    neighbor_slope: float
    doubt: float = 0.0
    negative: bool = False
    suspect_slope: float = float("inf")
    trust: float = float("inf")


class RayMarks(NamedTuple):
    """Which pixels of a chip stand above what is expected of them.

    Parameters
    ----------
    mask : (ny, nx) bool array
        Seeds and their neighbors.
    marks : (ny, nx) uint8 array
        Sum of `SEED`, `NEAR` (in the 3 x 3 pixels around a seed or suspect: a neighbor) and `SUSPECT`.
    light : (ny, nx) float32 array
        The expectation, sharpened [electron].
    """

    mask: Mask
    marks: Marks
    light: Image


class ReferenceMarks(NamedTuple):
    """What a reference image lets flag, and the pixels of which it knows what to expect."""

    marks: RayMarks
    known: Mask


@dataclass(frozen=True, eq=False)
class ReferenceImage:
    """An image to compare chips with.

    Parameters
    ----------
    image : (ny, nx) float32 array
        NaN where unknown.
    interp : str
        How it is read, as in `kernel.blot_chip`.
    bounds : (ny, nx) uint32 array or None
        Least and greatest reading from each pixel's center to the next one's, by `reading_bounds`; without them
        everything is read.
    """

    image: Image
    interp: str = "poly5"
    bounds: NDArray[np.uint32] | None = None


@dataclass(frozen=True, eq=False)
class CompareOptions:
    """How the reference's edge counts, and whose expected light must be known exactly.

    Parameters
    ----------
    edge : int
        Pixels this near to where the reference ends are judged by `edge_rule`.
    edge_rule : int
        1: not judged there; 2: no seeds there, but suspects.
    probe_level : float
        Expected light above this is returned exactly [electron].
    extra_pixels : (ny, nx) bool array, optional
        So is light below what was observed in these pixels.
    """

    edge: int = 0
    edge_rule: int = 1
    probe_level: float = float("inf")
    extra_pixels: Mask | None = None
