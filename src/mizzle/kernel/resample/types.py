"""A chip as the cells of a frame read it."""

from __future__ import annotations

from dataclasses import dataclass

from mizzle.arrays import Image
from mizzle.kernel.maps.types import ChipMap


@dataclass(frozen=True, eq=False)
class ChipSource:
    """A chip to be read.

    Parameters
    ----------
    back : ChipMap
        From the cells of a box of the frame to the chip's pixels, row term left out: both its row edges and the
        chip's own count nothing in it.
    corner : (int, int)
        Row and column of the box's first cell on the frame.
    shift : (ny,) float32 array
        The row term at each row's center [pixel].
    padded : (rows + 2, nx + 2) float32 array
        The pixels (`padded`), of all rows or of those that will be read.
    first : int
        The first of those rows.
    """

    back: ChipMap
    corner: tuple[int, int]
    shift: Image
    padded: Image
    first: int = 0
