"""Data quality on the grid of an image: each cell has the flags of all pixels that fell into it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel.drop.accumulator import Accumulator
from mizzle.kernel.drop.stored import drop_image
from mizzle.kernel.drop.types import ChipPixels, DropShape
from mizzle.kernel.maps.types import StoredMap


def spread_flags(
    flags: NDArray[np.uint32], pixels: ChipPixels, where: StoredMap, drop: DropShape, shape: tuple[int, int]
) -> NDArray[np.uint32]:
    """Return the bitwise OR of the flags of the pixels that share each cell.

    A bit of the flags is dropped as an image's bit of the context is: by the same kernel, onto the same cells.

    Parameters
    ----------
    flags : (ny, nx) uint32 array
        Data quality of the pixels.
    pixels, where, drop
        Pixels, map and form of the drops; an invisible pixel has no flags.
    shape : (int, int)
        Of the output.

    Returns
    -------
    out : (ny, nx) uint32 array
        Of the output's shape.
    """
    words = Accumulator(shape, context=True, sparse=True)
    present = int(np.bitwise_or.reduce(flags, axis=None))
    for bit in (bit for bit in range(32) if present >> bit & 1):
        without = (~flags >> np.uint32(bit) & np.uint32(1)).astype(np.uint8)
        mask = without if pixels.mask is None else without | pixels.mask
        drop_image(words, replace(pixels, mask=mask), where, drop, bit=bit)
    return np.ascontiguousarray(words.plane(0)).view(np.uint32)
