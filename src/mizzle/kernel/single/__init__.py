"""Cosmic rays of a single exposure."""

from mizzle.kernel.single.front import find_rays
from mizzle.kernel.single.types import NEIGHBORS, SingleRule

__all__ = [
    "NEIGHBORS",
    "SingleRule",
    "find_rays",
]
