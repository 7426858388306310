"""What both twins are asked to do: checked once, here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.kernel.maps import ChipMap, StoredMap
from mizzle.kernel.native import INTERPOLATIONS, KERNELS

SMALLEST_PIXFRAC = 0.001
"""Drops smaller than this fall as points."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels of a chip, as they were measured, and what to make of them.

    A pixel's value is ``sci * multiply - subtract``, its weight ``weight * relative``, its variance
    ``v0 + v1 * max(sci, 0)``. Masked pixels, zero weights and values that are not finite are invisible.
    """

    sci: NDArray[Any]
    mask: NDArray[np.uint8] | None = None
    relative: NDArray[Any] | None = None
    multiply: float = 1.0
    subtract: float = 0.0
    weight: float = 1.0
    v0: float = 0.0
    v1: float = 0.0


@dataclass(frozen=True)
class Shape:
    """Form of a drop.

    Parameters
    ----------
    kernel : str
        ``square``, ``point``, ``turbo``, ``gaussian`` or ``lanczos3``.
    pixfrac : float
        Side of a drop over the side of its pixel.
    ratio : float
        Output over input pixel side; sizes turbo, gaussian and lanczos3 drops.
    """

    kernel: str
    pixfrac: float
    ratio: float


def check_shape(kernel: str, pixfrac: float, ratio: float) -> Shape:
    """Return the form of a drop, or raise `SettingsError`."""
    if kernel not in KERNELS:
        raise SettingsError(f"kernel {kernel!r} is unknown; choose from {', '.join(KERNELS)}", kernel=kernel)
    if not 0 <= pixfrac <= 1:
        raise SettingsError(f"pixfrac is {pixfrac}; it must lie between 0 and 1", pixfrac=pixfrac)
    if not 0 < ratio < np.inf:
        raise SettingsError(f"pixel scale ratio is {ratio}; it must be positive", ratio=ratio)
    if pixfrac < SMALLEST_PIXFRAC:
        kernel, pixfrac = "point", 1.0
    return Shape(kernel, float(pixfrac), float(ratio))


def check_interp(interp: str) -> str:
    """Return the name of an interpolation, or raise `SettingsError`."""
    if interp not in INTERPOLATIONS:
        raise SettingsError(f"interp {interp!r} is unknown; choose from {', '.join(INTERPOLATIONS)}", interp=interp)
    return interp


def floats(values: Any, shape: tuple[int, int], name: str) -> NDArray[Any]:
    """Return `values` as a C-ordered float32 or float64 array of `shape`; a copy only where needed."""
    array = np.asarray(values)
    if array.shape != shape:
        raise SettingsError(f"{name} has shape {array.shape}; needed {shape}, that of the chip", name=name, shape=shape)
    if array.dtype.kind not in "fiub":
        raise SettingsError(f"{name} has type {array.dtype}; needed real numbers", name=name)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    # Byte order too: arrays read from FITS are big-endian.
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def flags(mask: Any, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a mask as C-ordered uint8, nonzero = skip."""
    array = np.asarray(mask)
    if array.shape != shape:
        raise SettingsError(f"mask has shape {array.shape}; needed {shape}, that of the chip", shape=shape)
    if array.dtype == np.bool_:
        return np.ascontiguousarray(array).view(np.uint8)
    return np.ascontiguousarray(array if array.dtype == np.uint8 else array != 0).view(np.uint8)


def stored_map(pixmap: Any, ratio: float) -> StoredMap:
    """Return a pixel map checked for its shape."""
    values = np.ascontiguousarray(pixmap, dtype=np.float64)
    if values.ndim != 3 or values.shape[2] != 2 or 0 in values.shape:
        raise SettingsError(f"pixmap has shape {values.shape}; needed (ny, nx, 2)", shape=values.shape)
    return StoredMap(values, 1.0 / ratio)


AnyMap = ChipMap | StoredMap
