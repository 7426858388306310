"""The arrays that come again and again, named once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
"""Numbers in double precision, of any shape."""

Floats = NDArray[np.floating[Any]]
"""Numbers in single or double precision, of any shape."""

IntArray = NDArray[np.int64]
"""Whole numbers, of any shape."""

Indices = NDArray[np.intp]
"""Positions in an array."""

Image = NDArray[np.float32]
"""Pixels ``(ny, nx)``, or a stack of images ``(n, ny, nx)``."""

Mask = NDArray[np.bool_]
"""True where something holds."""

Marks = NDArray[np.uint8]
"""Bits of each pixel."""


class Places(NamedTuple):
    """Places on an image, 0-based pixels, or what is by axis of an image; both of one shape."""

    x: FloatArray
    y: FloatArray


class SkyPlaces(NamedTuple):
    """Right ascension and declination [deg], of one shape."""

    ra: FloatArray
    dec: FloatArray


class TangentPlaces(NamedTuple):
    """Places on a tangent plane, `xi` to the east, `eta` to the north [deg if nothing else is said]; of one shape."""

    xi: FloatArray
    eta: FloatArray


class PixelIndices(NamedTuple):
    """Row and column of pixels, ``(n,)`` each."""

    row: Indices
    column: Indices


class IndexPairs(NamedTuple):
    """Pairs of entries of two tables: the number of each in its own, ``(n,)`` each."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]


class ChipPlanes(NamedTuple):
    """Signal and data-quality bits of a chip's pixels, ``(ny, nx)`` each."""

    sci: Image
    dq: NDArray[np.uint16]


class UsablePixels(NamedTuple):
    """Signal of a chip's pixels, and where it is not to be used; ``(ny, nx)`` each."""

    sci: Image
    bad: Mask
