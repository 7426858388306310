"""How a stack of images becomes one."""

from __future__ import annotations

from dataclasses import dataclass

from mizzle.arrays import Image


@dataclass(frozen=True, eq=False)
class StackRule:
    """How a stack becomes one image.

    Parameters
    ----------
    method : str
        ``median`` and ``mean`` leave out the `nlow` lowest and `nhigh` highest values, where others remain.
        ``minmed`` is the median without the highest of three or more values, or the minimum where that lies more than
        `sigma` below it. ``clipped`` is the noise-weighted mean of the values within `sigma` of minmed, whose
        minimum is the second lowest of seven values or more, the third of thirteen, and so on.
    floor, slope : (n,) float32 array
        Noise of each image: variance ``floor + slope * max(value, 0)``.
    sigma : float
        For clipped and minmed.
    structure : float
        Their noise also holds this share of the light itself: what a star scatters between dithers.
    nlow, nhigh : int
        For median and mean.
    ratio : float
        A pixel's value does not count beside one whose `floor` is this many times lower; where one alone is known with
        so low a floor it is unknown, or, where its light makes more noise than any floor, that of all of them.
    """

    method: str
    floor: Image
    slope: Image
    sigma: float = 3.0
    structure: float = 0.0
    nlow: int = 0
    nhigh: int = 0
    ratio: float = 9.0
