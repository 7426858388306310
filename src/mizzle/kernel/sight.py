"""What one chip saw around places on a grid. Arrays in, arrays out.

The work is done by src/second.c, or by its NumPy twin in `reference_smooth`, which is the definition.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import native, reference_smooth
from mizzle.kernel.inverse import BEND, Inverse
from mizzle.kernel.reference_smooth import Seen

__all__ = ["Pixels", "Places", "Sight", "marked", "seen"]

FloatArray = NDArray[np.float64]

_I64, _F64, _PTR = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class Pixels(NamedTuple):
    """What a chip recorded.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    dq : (ny, nx) uint16 array
        Data-quality bits.
    hit : uint8 array
        Packed mask of pixels that do not count.
    """

    sci: NDArray[np.float32]
    dq: NDArray[np.uint16]
    hit: NDArray[np.uint8]


class Places(NamedTuple):
    """Places on a grid: their numbers, which rise, and ``x, y`` [pixel]; one dimension each."""

    number: NDArray[np.int64]
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, eq=False)
class Sight:
    """How a chip sees a grid.

    Parameters
    ----------
    inverse : Inverse
        Its map, backward.
    gain : float
        Electrons per DN.
    sky : float
        [DN].
    floor : float
        Variance without light [electron**2].
    unit : float
        Grid's unit of an electron.
    reach : float
        Pixels farther from a place than this are not looked at [pixel of the grid].
    bits : int
        Data-quality bits of pixels that do not count.
    """

    inverse: Inverse
    gain: float
    sky: float
    floor: float
    unit: float
    reach: float
    bits: int


class SightStruct(ctypes.Structure):
    """`mz_sight` of second.h."""

    _fields_ = (
        ("map", native.MapStruct), ("middle", _F64 * 2), ("place", _F64 * 2), ("back", _F64 * 4), ("matrix", _F64 * 4),
        ("bend", _F64), ("gain", _F64), ("sky", _F64), ("floor", _F64), ("unit", _F64), ("reach", _F64), ("bits", _I64),
    )  # fmt: skip


def _library() -> ctypes.CDLL | None:
    """Return the C library if it knows how to look twice."""
    library = native.library()
    if library is None or not hasattr(library, "mz_look"):
        return None
    library.mz_look.argtypes = (_PTR, _PTR, _PTR, _PTR, _I64, _PTR, _PTR, _PTR, _PTR, _PTR)
    library.mz_look.restype = _I64
    library.mz_marked.argtypes = (_PTR, _I64, ctypes.c_uint8, _I64, _PTR)
    library.mz_marked.restype = _I64
    return library


def seen(pixels: Pixels, places: Places, sight: Sight) -> Seen:
    """Return what a chip saw around some places: for each the good ones of the 3 x 3 pixels nearest to it.

    Parameters
    ----------
    pixels : Pixels
        What it recorded.
    places : Places
        Where to look; those that it does not cover have no samples.
    sight : Sight
        How it sees them.

    Returns
    -------
    seen : Seen
        By place, then row, then column.
    """
    library = _library()
    if library is None:
        return reference_smooth.seen(pixels, places, sight)
    inverse, count, shape = sight.inverse, places.number.size, sight.inverse.own.shape
    if not pixels.sci.shape == pixels.dq.shape == shape or 8 * pixels.hit.size < pixels.sci.size:
        raise ValueError(f"pixels {pixels.sci.shape}, {pixels.dq.shape}, {pixels.hit.size} bytes of bits for {shape}")
    if not places.x.shape == places.y.shape == (count,):
        raise ValueError(f"{count} places with x {places.x.shape} and y {places.y.shape}")
    job = SightStruct(
        map=native.map_struct(inverse.own), middle=tuple(inverse.middle), place=tuple(inverse.place),
        back=tuple(inverse.back.ravel()), matrix=tuple(inverse.matrix.ravel()), bend=BEND, gain=sight.gain,
        sky=sight.sky, floor=sight.floor, unit=sight.unit, reach=sight.reach, bits=sight.bits,
    )  # fmt: skip
    given: tuple[NDArray[Any], ...] = (
        np.ascontiguousarray(pixels.sci, np.float32), np.ascontiguousarray(pixels.dq, np.uint16),
        np.ascontiguousarray(pixels.hit), np.ascontiguousarray(places.number, np.int64),
        np.ascontiguousarray(places.x), np.ascontiguousarray(places.y),
    )  # fmt: skip
    sci, dq, hit, *where = map(native.pointer, given)
    owner, samples = np.empty(9 * count, np.int64), np.empty((9 * count, 4))
    out = native.pointer(owner), native.pointer(samples)
    found = library.mz_look(ctypes.addressof(job), sci, dq, hit, count, *where, *out)
    if found < 0:
        raise RuntimeError("the kernel refused a checked job")
    return Seen(owner[:found].copy(), samples[:found].copy())


def marked(marks: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """Return the flat indices of the pixels that have one of `bits`.

    Parameters
    ----------
    marks : uint8 array
        Of any shape; few have the bits.
    bits : int
        Sum of bits.
    """
    library = _library()
    if library is None or not marks.flags.c_contiguous:
        return np.flatnonzero(marks & np.uint8(bits)).astype(np.int64, copy=False)
    where = np.empty(4096, np.int64)
    found = library.mz_marked(native.pointer(marks), marks.size, bits, where.size, native.pointer(where))
    if found > where.size:
        where = np.empty(found, np.int64)
        library.mz_marked(native.pointer(marks), marks.size, bits, where.size, native.pointer(where))
    return where[:found].copy()
