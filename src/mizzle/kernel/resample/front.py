"""Reading chips at the places of a frame's cells: square drops without their edges.

Where a chip's pixels have the size of the frame's cells and stand straight on them, a drop of a whole pixel overlaps
four cells, by as much as a line between four pixels weighs them: the cells may as well read the chip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.arrays import Image, Mask
from mizzle.kernel import native
from mizzle.kernel.resample import numpy_twin
from mizzle.kernel.resample.types import ChipSource


def padded(sci: Image, bad: Mask, multiply: float, subtract: float) -> Image:
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
    library = native.library()
    if library is None:
        return numpy_twin.padded(sci, bad, multiply, subtract)
    ny, nx = sci.shape
    out = np.empty((ny + 2, nx + 2), np.float32)
    arrays = np.ascontiguousarray(sci), np.ascontiguousarray(bad)
    library.mz_pad(*(native.pointer(a) for a in arrays), ny, nx, multiply, subtract, native.pointer(out))
    return out


def read_means(sources: Sequence[ChipSource], top: int, least: float, out: Image) -> None:
    """Write to `out` what chips show at the centers of a frame's cells, between their four nearest pixels each.

    Unknown pixels lend their weight to the known ones. Where several chips show a cell, the mean over all their
    pixels counts.

    Parameters
    ----------
    sources : sequence of ChipSource
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
    library = native.library()
    if library is None:
        numpy_twin.read_means(sources, top, least, out)
        return
    table = native.table_of(native.SourceStruct, [_source_struct(source) for source in sources])
    status = library.mz_read_means(table, len(sources), top, rows, nx, least, native.pointer(out))
    native.raise_on_status(status)


def _source_struct(source: ChipSource) -> native.SourceStruct:
    back = native.map_struct(source.back)
    back.row_edges = None
    held, nx = (side - 2 for side in source.padded.shape)
    return native.SourceStruct(
        back=back, i0=source.corner[1], j0=source.corner[0], ny=source.shift.size, nx=nx,
        shift=native.pointer(source.shift), padded=native.pointer(source.padded), first=source.first, held=held,
    )  # fmt: skip
