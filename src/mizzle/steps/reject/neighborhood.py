"""Pixels of an image by flat index, and the 3 x 3 pixels around them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Indices

Number = TypeVar("Number", bound=np.generic)

#: The 3 x 3 pixels, row by row: the middle is number 4.
AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
#: The four nearest among them.
CROSS = [1, 3, 5, 7]


def offsets(nx: int) -> Indices:
    """Return the steps to the 3 x 3 pixels around one, where a row has `nx`."""
    return np.array([dy * nx + dx for dy, dx in AROUND])


def pixels_around(where: Indices, image: NDArray[Number]) -> NDArray[Number]:
    """Return the 3 x 3 pixels around each of some pixels (flat indices, none on the edge): (k, 9)."""
    return np.asarray(image.ravel()[where[:, None] + offsets(image.shape[1])])


def inside(where: Indices, shape: tuple[int, ...], margin: int = 1) -> Indices:
    """Return those of some pixels that are not among the `margin` outermost of an image."""
    y, x = np.divmod(where, shape[1])
    within = (y >= margin) & (y < shape[0] - margin) & (x >= margin) & (x < shape[1] - margin)
    return np.asarray(where[within])
