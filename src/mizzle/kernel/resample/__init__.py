"""Chips read at the places of a frame's cells: square drops without their edges."""

from mizzle.kernel.resample.front import padded, read_means
from mizzle.kernel.resample.types import ChipSource

__all__ = [
    "ChipSource",
    "padded",
    "read_means",
]
