"""The arrays that come again and again, named once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
"""Numbers in double precision, of any shape."""

Indices = NDArray[np.intp]
"""Positions in an array."""

Image = NDArray[np.float32]
"""Pixels ``(ny, nx)``, or a stack of images ``(n, ny, nx)``."""

Mask = NDArray[np.bool_]
"""True where something holds."""

Marks = NDArray[np.uint8]
"""Bits of each pixel."""


class Places(NamedTuple):
    """Places on an image: ``(n,)`` each, 0-based pixels."""

    x: FloatArray
    y: FloatArray
