"""Drizzling: pixels dropped onto an output, sums to images, and the noise that drops share."""

from mizzle.kernel.drop.accumulator import Accumulator
from mizzle.kernel.drop.finish import fill_in, finish, lacking_cells, take_context, take_means
from mizzle.kernel.drop.front import accumulate
from mizzle.kernel.drop.stored import Drizzled, drizzle
from mizzle.kernel.drop.types import ChipPixels, DropShape

__all__ = [
    "Accumulator",
    "ChipPixels",
    "Drizzled",
    "DropShape",
    "accumulate",
    "drizzle",
    "fill_in",
    "finish",
    "lacking_cells",
    "take_context",
    "take_means",
]
