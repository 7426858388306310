"""The C twin: found, loaded and called through ctypes; no Python or NumPy ABI is involved."""

from __future__ import annotations

import ctypes
import logging
import os
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel.accumulator import IN_CELL, Accumulator
from mizzle.kernel.maps import ChipMap, StoredMap

ABI = 3
"""Must equal MZ_ABI in src/mizzle.h."""

KERNELS = {"square": 0, "point": 1, "turbo": 2, "gaussian": 3, "lanczos3": 4}
"""Codes of mizzle.h."""

INTERPOLATIONS = {"nearest": 0, "linear": 1, "poly3": 2, "poly5": 3, "lanczos3": 4}
"""Codes of mizzle.h."""

_LOG = logging.getLogger("mizzle.kernel")
_I64 = ctypes.c_int64
_F64 = ctypes.c_double
_PTR = ctypes.c_void_p


class MapStruct(ctypes.Structure):
    """`mz_map` of mizzle.h."""

    _fields_ = (
        ("ny", _I64), ("nx", _I64), ("degree", _I64), ("cx", _PTR), ("cy", _PTR), ("row_edges", _PTR),
        ("pixmap", _PTR), ("step", _F64),
    )  # fmt: skip


class JobStruct(ctypes.Structure):
    """`mz_job` of mizzle.h."""

    _fields_ = (
        ("map", MapStruct), ("sci", _PTR), ("sci64", _PTR), ("mask", _PTR), ("relative", _PTR), ("relative64", _PTR),
        ("kernel", _I64), ("pixfrac", _F64), ("ratio", _F64), ("multiply", _F64), ("subtract", _F64),
        ("weight", _F64), ("v0", _F64), ("v1", _F64), ("out_ny", _I64), ("out_nx", _I64), ("cells", _PTR),
        ("lanes", _I64), ("context", _PTR), ("touched", _PTR), ("bits", ctypes.c_int32 * 2), ("bit", ctypes.c_int32),
        ("row0", _I64), ("row1", _I64),
    )  # fmt: skip


def pointer(array: NDArray[Any] | None) -> int | None:
    """Address of a C-contiguous array, or None. The caller keeps the array alive during the call."""
    if array is None:
        return None
    if not array.flags.c_contiguous:
        raise ValueError("the native kernel takes C-contiguous arrays only")
    return int(array.ctypes.data)


def check(status: int) -> None:
    """Raise what a status other than 0 means: 2 no memory, anything else a job that should have been refused before."""
    if status == 2:
        raise MemoryError("no memory for the native kernel")
    if status:
        raise RuntimeError("the native kernel refused a job that was checked before")


def _declare(library: ctypes.CDLL) -> None:
    library.mz_job_size.restype = _I64
    library.mz_level.argtypes = (ctypes.c_int,)
    library.mz_accumulate.argtypes = (ctypes.POINTER(JobStruct), ctypes.c_int)
    library.mz_blot.argtypes = (ctypes.POINTER(MapStruct), _PTR, _I64, _I64, _I64, _I64, _I64, _PTR, _PTR)


def _open() -> tuple[ctypes.CDLL | None, str]:
    """Return the library, or None and why."""
    # An editable install keeps the library elsewhere than this file: iterdir() of the package finds both places.
    reason = "it was not built"
    for entry in resources.files(__package__).iterdir():
        if entry.name.startswith(("mizzle_kernel.", "libmizzle_kernel.")):
            try:
                library = ctypes.CDLL(str(entry))
                if library.mz_abi() != ABI:
                    reason = f"{entry.name} belongs to another version"
                    continue
                _declare(library)
            except (OSError, AttributeError) as error:
                reason = f"{entry.name} cannot be loaded ({error})"
                continue
            if library.mz_job_size() == ctypes.sizeof(JobStruct):
                return library, ""
            reason = f"{entry.name} was built for another layout"
    return None, reason


@cache
def library() -> ctypes.CDLL | None:
    """Return the C library, or None where NumPy serves: the reason is logged once."""
    if os.environ.get("MIZZLE_KERNEL", "").strip().lower() == "reference":
        return None
    found, reason = _open()
    if found is None:
        _LOG.warning("the compiled kernel is not in use: %s; the NumPy kernel serves, several times slower", reason)
    return found


def map_struct(where: ChipMap | StoredMap) -> MapStruct:
    """Describe where a chip's pixels fall; the struct borrows the arrays of `where`."""
    ny, nx = where.shape
    if isinstance(where, StoredMap):
        return MapStruct(ny=ny, nx=nx, pixmap=pointer(where.values), step=where.step)
    return MapStruct(
        ny=ny,
        nx=nx,
        degree=where.cx.shape[0] - 1,
        cx=pointer(where.cx),
        cy=pointer(where.cy),
        row_edges=pointer(where.row_edges),
        step=1.0,
    )


def accumulate(library: ctypes.CDLL, acc: Accumulator, job: JobStruct, rows: tuple[int, int], bit: int | None) -> None:
    """Complete `job` with its output and run it."""
    job.out_ny, job.out_nx = acc.shape
    job.cells, job.lanes = pointer(acc.cells), acc.cells.shape[2]
    job.touched = pointer(acc.touched)
    if acc.planes and bit is not None:
        plane, flag = divmod(bit, 32)
        word = int(np.array([1 << flag], dtype=np.uint32).view(np.int32)[0])
        if plane < IN_CELL:
            job.bits[plane] = word
        else:
            job.context, job.bit = pointer(acc.plane(plane)), word
    job.row0, job.row1 = rows
    check(library.mz_accumulate(ctypes.byref(job), -1))
