"""Cosmic rays of a single exposure."""

from mizzle.kernel.single.front import find_peaks, fit_light, follow_rays
from mizzle.kernel.single.laplacian import find_sharp
from mizzle.kernel.single.types import Peaks, SharpRule, SingleRule

__all__ = [
    "Peaks",
    "SharpRule",
    "SingleRule",
    "find_peaks",
    "find_sharp",
    "fit_light",
    "follow_rays",
]
