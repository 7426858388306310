"""Reading chips at the places of a frame's cells: square drops without their edges.

Where a chip's pixels have the size of the frame's cells and stand straight on them, a drop of a whole pixel overlaps
four cells, by as much as a line between four pixels weighs them: the cells may as well read the chip.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import native, reference_reading
from mizzle.kernel.maps import ChipMap

Image = NDArray[np.float32]

_I64, _F64, _PTR = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


@dataclass(frozen=True, eq=False)
class Source:
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
    padded : (ny + 2, nx + 2) float32 array
        The pixels (`padded`).
    """

    back: ChipMap
    corner: tuple[int, int]
    shift: Image
    padded: Image


class SourceStruct(ctypes.Structure):
    """`mz_source` of read.c."""

    _fields_ = (
        ("back", native.MapStruct), ("i0", _I64), ("j0", _I64), ("ny", _I64), ("nx", _I64), ("shift", _PTR),
        ("padded", _PTR),
    )  # fmt: skip


def _library() -> ctypes.CDLL | None:
    """Return the C library if it can read."""
    library = native.library()
    if library is None or not hasattr(library, "mz_read_means"):
        return None
    library.mz_pad.argtypes = (_PTR, _PTR, _I64, _I64, _F64, _F64, _PTR)
    library.mz_read_means.argtypes = (_PTR, _I64, _I64, _I64, _I64, _F64, _PTR)
    return library


def padded(sci: Image, bad: NDArray[np.bool_], multiply: float, subtract: float) -> Image:
    """Return ``multiply * sci - subtract`` with a frame of NaN, and NaN where `bad`.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Pixels.
    bad : (ny, nx) bool array
        Unknown ones.
    multiply, subtract : float
        Factor, then what is taken off.
    """
    library = _library()
    if library is None:
        return reference_reading.padded(sci, bad, multiply, subtract)
    ny, nx = sci.shape
    out = np.empty((ny + 2, nx + 2), np.float32)
    arrays = np.ascontiguousarray(sci), np.ascontiguousarray(bad)
    library.mz_pad(*(native.pointer(a) for a in arrays), ny, nx, multiply, subtract, native.pointer(out))
    return out


def read_means(sources: Sequence[Source], top: int, least: float, out: Image) -> None:
    """Write to `out` what chips show at the centers of a frame's cells, between their four nearest pixels each.

    Unknown pixels lend their weight to the known ones. Where several chips show a cell, the mean over all their
    pixels counts.

    Parameters
    ----------
    sources : sequence of Source
        The chips.
    top : int
        Row of the frame that `out` begins with.
    least : float
        Less weight of known pixels than this, more than 0, is not enough: NaN.
    out : (rows, nx) float32 array
        Written.

    Raises
    ------
    ValueError
        A box leaves the frame to the left or right.
    """
    rows, nx = out.shape
    if any(s.corner[1] < 0 or s.corner[1] + s.back.shape[1] > nx for s in sources):
        raise ValueError(f"a box leaves the frame of {nx} columns")
    library = _library()
    if library is None:
        reference_reading.read_means(sources, top, least, out)
        return
    table = (SourceStruct * len(sources))()
    for entry, source in zip(table, sources, strict=True):
        entry.back = native.map_struct(source.back)
        entry.back.row_edges = None
        entry.j0, entry.i0 = source.corner
        entry.ny, entry.nx = (side - 2 for side in source.padded.shape)
        entry.shift, entry.padded = native.pointer(source.shift), native.pointer(source.padded)
    status = library.mz_read_means(ctypes.addressof(table), len(sources), top, rows, nx, least, native.pointer(out))
    native.check(status)
