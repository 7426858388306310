"""What a drop is made of: pixels and the form of their drops, checked once, here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Marks
from mizzle.errors import SettingsError
from mizzle.kernel.arguments import real, reals, word
from mizzle.kernel.native import KERNELS

SMALLEST_PIXFRAC = 0.001
"""Drops smaller than this fall as points."""

LANCZOS = {"lanczos2": 2, "lanczos3": 3, "lanczos5": 5}
"""Zeros of a windowed sinc to one side of its middle."""


@dataclass(frozen=True, eq=False)
class ChipPixels:
    """The pixels of a chip, as they were measured, and what to make of them.

    A pixel's value is ``sci * multiply - subtract``, its weight ``weight * relative``, its variance `variance`, or
    ``v0 + v1 * max(sci, 0)`` without it. Masked pixels, zero weights and values that are not finite are invisible.
    """

    sci: NDArray[Any]
    mask: Marks | None = None
    relative: NDArray[Any] | None = None
    multiply: float = 1.0
    subtract: float = 0.0
    weight: float = 1.0
    v0: float = 0.0
    v1: float = 0.0
    variance: NDArray[Any] | None = None


@dataclass(frozen=True)
class DropShape:
    """Form of a drop.

    Parameters
    ----------
    kernel : str
        ``square``, ``point``, ``turbo``, ``gaussian``, ``lanczos2``, ``lanczos3`` or ``lanczos5``.
    pixfrac : float
        Side of a drop over the side of its pixel.
    ratio : float
        Output over input pixel side; sizes turbo, gaussian and Lanczos drops.
    """

    kernel: str
    pixfrac: float
    ratio: float


def check_shape(kernel: str, pixfrac: float, ratio: float) -> DropShape:
    """Return the form of a drop, or raise `SettingsError`."""
    kernel, pixfrac, ratio = word(kernel, "kernel", KERNELS), real(pixfrac, "pixfrac"), real(ratio, "pixel scale ratio")
    if not 0 <= pixfrac <= 1:
        raise SettingsError(f"pixfrac is {pixfrac}; it must lie between 0 and 1", pixfrac=pixfrac)
    if not ratio > 0:
        raise SettingsError(f"pixel scale ratio is {ratio}; it must be positive", ratio=ratio)
    if pixfrac < SMALLEST_PIXFRAC:
        kernel, pixfrac = "point", 1.0
    return DropShape(kernel, float(pixfrac), float(ratio))


def floats(values: Any, shape: tuple[int, int], name: str) -> NDArray[Any]:
    """Return `values` as a C-ordered float32 or float64 array of `shape`; a copy only where needed."""
    array = reals(values, name)
    if array.shape != shape:
        raise SettingsError(f"{name} has shape {array.shape}; needed {shape}, that of the chip", name=name, shape=shape)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    # Byte order too: arrays read from FITS are big-endian.
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def flags(mask: Any, shape: tuple[int, int]) -> Marks:
    """Return a mask as C-ordered uint8, nonzero = skip."""
    array = reals(mask, "mask")
    if array.shape != shape:
        raise SettingsError(f"mask has shape {array.shape}; needed {shape}, that of the chip", shape=shape)
    if array.dtype == np.bool_:
        return np.ascontiguousarray(array).view(np.uint8)
    return np.ascontiguousarray(array if array.dtype == np.uint8 else array != 0).view(np.uint8)
