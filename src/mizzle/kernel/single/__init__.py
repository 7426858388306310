"""Cosmic rays of a single exposure."""

from mizzle.kernel.single.front import find_peaks, fit_light, follow_rays
from mizzle.kernel.single.types import Peaks, SingleRule

__all__ = [
    "Peaks",
    "SingleRule",
    "find_peaks",
    "fit_light",
    "follow_rays",
]
