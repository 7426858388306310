"""The C twin, declared once: structures, signatures, loading. No Python or NumPy ABI is involved.

This is the only module that knows ctypes. The library is used whole or not at all: it must have the same `ABI`, every
function of `_SIGNATURES`, and every structure of the size it has here. Where it cannot be loaded, or
``MIZZLE_KERNEL=reference`` is set, `library` returns None and the NumPy twins serve.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from numpy.typing import NDArray

from mizzle.kernel.maps.types import AnyMap, StoredMap

ABI = 13
"""Must equal MZ_ABI in src/mizzle.h."""

KERNELS = {"square": 0, "point": 1, "turbo": 2, "gaussian": 3, "lanczos3": 4, "lanczos2": 5, "lanczos5": 6}
"""Codes of mizzle.h."""

INTERPOLATIONS = {"nearest": 0, "linear": 1, "poly3": 2, "poly5": 3, "lanczos3": 4, "lanczos5": 5}
"""Codes of mizzle.h."""

CHUNK = 64
"""Pixels of a row that are mapped together: `MZ_CHUNK`."""

MAX_SAMPLES = 32
"""`MZ_MAX_SAMPLES` of predict.h."""

Library = ctypes.CDLL
"""The loaded library, as `library` returns it."""

_LOG = logging.getLogger("mizzle.kernel")
#: `functools.cache` lets threads that come at once all do the work.
_OPENING = threading.Lock()
_INT = ctypes.c_int
_I32 = ctypes.c_int32
_I64 = ctypes.c_int64
_U8 = ctypes.c_uint8
_U16 = ctypes.c_uint16
_F32 = ctypes.c_float
_F64 = ctypes.c_double
_PTR = ctypes.c_void_p


class MapStruct(ctypes.Structure):
    """`mz_map` of mizzle.h."""

    _fields_ = (
        ("ny", _I64), ("nx", _I64), ("degree", _I64), ("cx", _PTR), ("cy", _PTR), ("row_edges", _PTR),
        ("pixmap", _PTR), ("step", _F64), ("offsets", _PTR), ("rows", _I64), ("columns", _I64), ("first", _F64 * 2),
        ("spacing", _F64 * 2), ("largest", _F64),
    )  # fmt: skip


class JobStruct(ctypes.Structure):
    """`mz_job` of mizzle.h."""

    _fields_ = (
        ("map", MapStruct), ("sci", _PTR), ("sci64", _PTR), ("mask", _PTR), ("relative", _PTR), ("relative64", _PTR),
        ("kernel", _I64), ("pixfrac", _F64), ("ratio", _F64), ("multiply", _F64), ("subtract", _F64),
        ("weight", _F64), ("v0", _F64), ("v1", _F64), ("variance", _PTR), ("variance64", _PTR), ("ranges", _PTR),
        ("out_ny", _I64), ("out_nx", _I64), ("cells", _PTR), ("lanes", _I64), ("context", _PTR), ("touched", _PTR),
        ("bits", _I32 * 2), ("bit", _I32), ("row0", _I64), ("row1", _I64),
    )  # fmt: skip


class SourceStruct(ctypes.Structure):
    """`mz_source` of mizzle.h."""

    _fields_ = (
        ("back", MapStruct), ("i0", _I64), ("j0", _I64), ("ny", _I64), ("nx", _I64), ("shift", _PTR), ("padded", _PTR),
        ("first", _I64), ("held", _I64),
    )  # fmt: skip


class StackStruct(ctypes.Structure):
    """`mz_stack` of stack.h."""

    _fields_ = (
        ("images", _PTR), ("n", _I64), ("stride", _I64), ("floor", _PTR), ("slope", _PTR), ("method", _I64),
        ("nlow", _I64), ("nhigh", _I64), ("sigma", _F32), ("structure", _F32), ("ratio", _F32),
        ("worst_slope", _F32),
    )  # fmt: skip


class ThresholdStruct(ctypes.Structure):
    """`mz_thresholds` of compare.h."""

    _fields_ = (
        ("ny", _I64), ("nx", _I64), ("negative", _I64), ("gain", _F32), ("rate", _F32), ("sky", _F32),
        ("floor", _F32), ("quiet", _F32), ("peak", _F32), ("wing", _F32), ("seed_sigma", _F32),
        ("seed_slope", _F32), ("near_sigma", _F32), ("near_slope", _F32), ("doubt", _F32), ("suspect_slope", _F32),
        ("trust", _F32),
    )  # fmt: skip


class ViewStruct(ctypes.Structure):
    """`mz_view` of compare.h."""

    _fields_ = (
        ("image", _PTR), ("bounds", _PTR), ("ny", _I64), ("nx", _I64), ("sci", _PTR), ("bad", _PTR), ("extra", _PTR),
        ("probe_level", _F32),
    )  # fmt: skip


class SingleStruct(ctypes.Structure):
    """`mz_single` of single.h."""

    _fields_ = (
        ("ny", _I64), ("nx", _I64), ("track", _I64), ("grow", _I64), ("floor", _F32), ("structure", _F32),
        ("sigma", _F32), ("near_sigma", _F32),
    )  # fmt: skip


class SamplerStruct(ctypes.Structure):
    """`mz_sampler` of predict.h."""

    _fields_ = (
        ("map", MapStruct), ("middle", _F64 * 2), ("place", _F64 * 2), ("back", _F64 * 4), ("matrix", _F64 * 4),
        ("bend", _F64), ("gain", _F64), ("sky", _F64), ("floor", _F64), ("unit", _F64), ("reach", _F64), ("bits", _I64),
    )  # fmt: skip


class SamplesStruct(ctypes.Structure):
    """`mz_samples` of predict.h."""

    _fields_ = (("owner", _PTR), ("samples", _PTR), ("count", _I64))


class StarStruct(ctypes.Structure):
    """`mz_star` of detect.h."""

    _fields_ = (
        ("sigma", _F64), ("halo_sigma", _F64), ("halo", _F64), ("gain", _F64), ("mismatch", _F64), ("settled", _F64),
        ("radius", _I64), ("iterations", _I64), ("table_side", _I64), ("oversampling", _I64), ("table", _PTR),
    )  # fmt: skip


STRUCTURES: dict[str, type[ctypes.Structure]] = {
    "mz_map": MapStruct,
    "mz_job": JobStruct,
    "mz_source": SourceStruct,
    "mz_stack": StackStruct,
    "mz_thresholds": ThresholdStruct,
    "mz_view": ViewStruct,
    "mz_single": SingleStruct,
    "mz_sampler": SamplerStruct,
    "mz_samples": SamplesStruct,
    "mz_star": StarStruct,
}
"""Every structure that crosses the border, by its name in C."""

#: Result, then arguments, of every function that is called.
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    # maps, drops and readings
    "mz_level": (_INT, (_INT,)),
    "mz_accumulate": (_INT, (ctypes.POINTER(JobStruct), _INT)),
    "mz_map_ranges": (_INT, (ctypes.POINTER(MapStruct), _I64, _I64, _PTR)),
    "mz_corner_ranges": (_INT, (_PTR, _I64, _I64, _F64, _I64, _I64, _PTR)),
    "mz_blot": (_INT, (ctypes.POINTER(MapStruct), _PTR, _I64, _I64, _I64, _I64, _I64, _PTR, _PTR)),
    "mz_finish": (_INT, (_PTR, _PTR, _I64, _I64, _I64, _F32, *[_PTR] * 4)),
    "mz_fill_in": (_INT, (*[_PTR] * 5, _I64, _I64, _I64, _I64, _F64)),
    "mz_split": (_INT, (_PTR, _I64, _I64, _F64, _PTR, _PTR)),
    "mz_images": (_INT, (_PTR, _PTR, _I64, _I64, *[_PTR] * 5)),
    "mz_resume": (_INT, (*[_PTR] * 5, _I64, _I64, _PTR)),
    "mz_means": (_INT, (_PTR, _I64, _F64, _PTR)),
    "mz_pad": (_INT, (_PTR, _PTR, _I64, _I64, _F64, _F64, _PTR)),
    "mz_read_means": (_INT, (_PTR, _I64, _I64, _I64, _I64, _F64, _PTR)),
    # pixels
    "mz_bad_pixels": (_I64, (_PTR, _PTR, _U16, _I64, _PTR)),
    "mz_has_bits": (_INT, (_PTR, _U16, _I64, _PTR)),
    "mz_all_finite": (_INT, (_PTR, _I64)),
    "mz_swap": (_INT, (_PTR, _I64, _I64)),
    "mz_grown": (_INT, (_PTR, _I64, _I64, _I64, _PTR)),
    "mz_marked": (_I64, (_PTR, _I64, _U8, _I64, _PTR)),
    # cosmic rays
    "mz_reduce_stack": (_INT, (ctypes.POINTER(StackStruct), _I64, _PTR)),
    "mz_fill_holes": (_INT, (_PTR, _I64, _I64, _I64, _I64, _PTR)),
    "mz_flag_rays": (_INT, (ctypes.POINTER(ThresholdStruct), *[_PTR] * 6)),
    "mz_bounds": (_INT, (_PTR, _I64, _I64, _I64, _I64, _I64, _PTR)),
    "mz_plan": (
        _INT,
        (*(ctypes.POINTER(s) for s in (ThresholdStruct, MapStruct, ViewStruct)), _I64, _I64, *[_PTR] * 3),
    ),
    "mz_find_sharp": (_INT, (_PTR, _PTR, _I64, _I64, *[_F32] * 4, _PTR, _INT)),
    "mz_single_peaks": (_I64, (ctypes.POINTER(SingleStruct), *[_PTR] * 4)),
    "mz_single_follow": (_INT, (ctypes.POINTER(SingleStruct), *[_PTR] * 5, _I64, _PTR)),
    "mz_fit_light": (_INT, (_PTR, _I64, _I64, _PTR, _PTR, _I64, _F64)),
    # wings
    "mz_bright_peaks": (_I64, (_PTR, _PTR, _I64, _I64, _I64, _F32, _PTR)),
    "mz_wings": (_INT, (_PTR, _PTR, _I64, _I64, _PTR, _I64, _PTR, _I64, _PTR, _I64, _F64, _PTR)),
    # smooth light
    "mz_sample": (_I64, (ctypes.POINTER(SamplerStruct), _PTR, _PTR, _PTR, _I64, *[_PTR] * 5)),
    "mz_nearest": (_INT, (_PTR, _I64, _I64, _I64, _I64, _PTR)),
    "mz_predict": (_INT, (*[_PTR] * 4, _I64, _I64, _PTR, _F64, _PTR, _PTR, _INT)),
    # stars
    "mz_background": (None, (_PTR, _PTR, _I64, _I64, _I64, *[_PTR] * 5)),
    "mz_fine_scatter": (None, (_PTR, _PTR, *[_I64] * 4, *[_PTR] * 4)),
    "mz_excess": (_INT, (_PTR, _PTR, *[_I64] * 4, _PTR, _PTR, _I64, _I64, _PTR, _PTR)),
    "mz_peaks": (_I64, (*[_PTR] * 3, *[_I64] * 4, _PTR, _F64, _F64, _F64, _I64, _PTR, _PTR)),
    "mz_fit_stars": (None, (*[_PTR] * 3, _I64, _PTR, _I64, ctypes.POINTER(StarStruct), _PTR)),
    "mz_image_misfits": (_INT, (_PTR, _PTR, _I64, ctypes.POINTER(StarStruct), *[_PTR] * 3)),
}


def pointer(array: NDArray[Any] | None) -> int | None:
    """Address of a C-contiguous array, or None. The caller keeps the array alive during the call."""
    if array is None:
        return None
    if not array.flags.c_contiguous:
        raise ValueError("the native kernel takes C-contiguous arrays only")
    return int(array.ctypes.data)


def by_reference(structure: ctypes.Structure) -> Any:
    """Return a structure as C functions take it."""
    return ctypes.byref(structure)


def table_of(kind: type[ctypes.Structure], structures: Sequence[ctypes.Structure]) -> Any:
    """Return structures of one kind side by side, as C functions take them; one at least, never looked at."""
    return (kind * max(1, len(structures)))(*structures)


def raise_on_status(status: int) -> None:
    """Raise what a status other than 0 means: 2 no memory, anything else a job that should have been refused before."""
    if status == 2:
        raise MemoryError("no memory for the native kernel")
    if status:
        raise RuntimeError("the native kernel refused a job that was checked before")


def _declare(library: Library) -> None:
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def _other_layout(library: Library) -> list[str]:
    """Return the structures that C lays out in another way."""
    library.mz_size_of.restype, library.mz_size_of.argtypes = _I64, (ctypes.c_char_p,)
    return [name for name, kind in STRUCTURES.items() if library.mz_size_of(name.encode()) != ctypes.sizeof(kind)]


def _open() -> tuple[Library | None, str]:
    """Return the library, or None and why."""
    # An editable install keeps the library elsewhere than this file: iterdir() of the package finds both places.
    reason = "it was not built"
    for entry in resources.files(__package__).iterdir():
        if not entry.name.startswith(("mizzle_kernel.", "libmizzle_kernel.")):
            continue
        try:
            library = ctypes.CDLL(str(entry))
            if library.mz_abi() != ABI:
                reason = f"{entry.name} belongs to another version"
                continue
            _declare(library)
            other = _other_layout(library)
        except (OSError, AttributeError) as error:
            reason = f"{entry.name} cannot be loaded ({error})"
            continue
        if not other:
            return library, ""
        reason = f"{entry.name} was built for another layout of {', '.join(other)}"
    return None, reason


def library() -> Library | None:
    """Return the C library, or None where NumPy serves: the reason is logged once, whatever threads ask first."""
    with _OPENING:
        return _opened()


@cache
def _opened() -> Library | None:
    if os.environ.get("MIZZLE_KERNEL", "").strip().lower() == "reference":
        return None
    opened, reason = _open()
    if opened is None:
        _LOG.warning("the compiled kernel is not in use: %s; the NumPy kernel serves, several times slower", reason)
    return opened


def map_struct(where: AnyMap) -> MapStruct:
    """Describe where a chip's pixels fall; the struct borrows the arrays of `where`."""
    ny, nx = where.shape
    if isinstance(where, StoredMap):
        return MapStruct(ny=ny, nx=nx, pixmap=pointer(where.values), step=where.step)
    struct = MapStruct(
        ny=ny,
        nx=nx,
        degree=where.cx.shape[0] - 1,
        cx=pointer(where.cx),
        cy=pointer(where.cy),
        row_edges=pointer(where.row_edges),
        step=1.0,
    )
    grid = where.offsets
    if grid is not None:
        struct.offsets, (struct.rows, struct.columns, _) = pointer(grid.values), grid.values.shape
        struct.first[:], struct.spacing[:], struct.largest = grid.first, grid.step, grid.largest
    return struct


def backend() -> str:
    """Return ``"native"`` or ``"reference"``: which twin serves."""
    return "reference" if library() is None else "native"
