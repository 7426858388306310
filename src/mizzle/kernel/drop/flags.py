"""Data quality on the grid of an image: each cell has the flags of all pixels that fell into it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.kernel.drop.accumulator import Accumulator
from mizzle.kernel.drop.stored import drizzle


def spread_flags(
    flags: NDArray[np.uint32],
    sci: ArrayLike,
    weight: ArrayLike,
    pixmap: ArrayLike,
    shape: tuple[int, int],
    **drop: Any,
) -> NDArray[np.uint32]:
    """Return the bitwise OR of the flags of the pixels that share each cell.

    A bit of the flags is dropped as an image's bit of the context is: by the same kernel, onto the same cells.

    Parameters
    ----------
    flags : (ny, nx) uint32 array
        Data quality of the pixels.
    sci, weight, pixmap, shape
        As `drizzle` takes them; a pixel that is invisible there has no flags here.
    **drop
        ``pixfrac``, ``kernel``, ``pixel_scale_ratio``, ``threads`` of `drizzle`.

    Returns
    -------
    out : (ny, nx) uint32 array
        Of the output's shape.
    """
    seen = np.where(np.isfinite(sci), weight, 0.0)
    words = Accumulator(shape, context=True)
    present = int(np.bitwise_or.reduce(flags, axis=None))
    for bit in range(32):
        if present >> bit & 1:
            marked = np.where(flags >> np.uint32(bit) & np.uint32(1), seen, 0.0)
            drizzle(np.zeros(flags.shape), marked, pixmap, shape, context=bit, into=words, **drop)
    return np.ascontiguousarray(words.plane(0)).view(np.uint32)
