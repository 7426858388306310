"""Drizzling with a chip's map: the front of both twins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.drop import numpy_twin
from mizzle.kernel.drop.accumulator import IN_CELL, Accumulator
from mizzle.kernel.drop.types import ChipPixels, DropShape, check_shape, flags, floats
from mizzle.kernel.maps.types import AnyMap, ChipMap


def native_job(pixels: ChipPixels, where: AnyMap, drop: DropShape) -> native.JobStruct:
    """Return pixels, map and form of the drops as C wants them; the struct borrows their arrays."""
    job = native.JobStruct(
        map=native.map_struct(where),
        mask=native.pointer(pixels.mask),
        kernel=native.KERNELS[drop.kernel],
        pixfrac=drop.pixfrac,
        ratio=drop.ratio,
        multiply=pixels.multiply,
        subtract=pixels.subtract,
        weight=pixels.weight,
        v0=pixels.v0,
        v1=pixels.v1,
    )
    for name, array in (("sci", pixels.sci), ("relative", pixels.relative), ("variance", pixels.variance)):
        if array is not None:
            setattr(job, name if array.dtype == np.float32 else f"{name}64", native.pointer(array))
    return job


def drop_natively(
    library: native.Library, acc: Accumulator, job: native.JobStruct, rows: tuple[int, int], bit: int | None
) -> None:
    """Let C drop a chip's pixels: the job of pixels and map is completed with the sums they fall into, and run."""
    job.out_ny, job.out_nx = acc.shape
    job.cells, job.lanes = native.pointer(acc.cells), acc.cells.shape[2]
    job.touched = native.pointer(acc.touched)
    if acc.planes and bit is not None:
        plane, flag = divmod(bit, 32)
        word = int(np.array([1 << flag], dtype=np.uint32).view(np.int32)[0])
        if plane < IN_CELL:
            job.bits[plane] = word
        else:
            job.context, job.bit = native.pointer(acc.plane(plane)), word
    job.row0, job.row1 = rows
    native.raise_on_status(library.mz_accumulate(native.by_reference(job), -1))


def _drop(
    acc: Accumulator, pixels: ChipPixels, where: AnyMap, drop: DropShape, rows: tuple[int, int], bit: int | None
) -> None:
    library = native.library()
    if library is None:
        numpy_twin.accumulate(acc, pixels, where, drop, rows, bit)
    else:
        drop_natively(library, acc, native_job(pixels, where, drop), rows, bit)


def _finite(**numbers: float) -> None:
    for name, number in numbers.items():
        if not np.isfinite(number):
            raise SettingsError(f"{name} is {number}; it must be finite", name=name)


def accumulate(
    acc: Accumulator,
    sci: ArrayLike,
    chip_map: ChipMap,
    *,
    mask: ArrayLike | None = None,
    multiply: float = 1.0,
    subtract: float = 0.0,
    weight: float = 1.0,
    relative_weight: ArrayLike | None = None,
    variance: tuple[float, float] = (0.0, 0.0),
    pixfrac: float = 1.0,
    kernel: str = "square",
    pixel_scale_ratio: float = 1.0,
    context_bit: int | None = None,
    rows: tuple[int, int] | None = None,
) -> None:
    """Drop one chip onto the output: map, mask, weigh and add in one pass.

    A pixel's weight is shared over the output by the part of its drop that falls into each cell, so that all weight is
    kept; the value rides along.

    Parameters
    ----------
    acc : Accumulator
        Added to.
    sci : (ny, nx) array
        The pixels as measured; float32 is read as it is.
    chip_map : ChipMap
        Where they fall.
    mask : (ny, nx) array, optional
        Nonzero = skip.
    multiply, subtract : float
        A pixel's value is ``sci * multiply - subtract``.
    weight : float
        Weight of a pixel.
    relative_weight : (ny, nx) array, optional
        Factors on `weight`.
    variance : (float, float)
        ``(v0, v1)``: a pixel's variance is ``v0 + v1 * max(sci, 0)``, in the unit of its value squared; used where
        `acc` keeps a variance.
    pixfrac : float
        Side of the drop over the side of the pixel, 0 to 1.
    kernel : str
        ``square`` (exact overlap), ``point``, ``turbo``, ``gaussian``, ``lanczos2``, ``lanczos3`` or
        ``lanczos5``.
    pixel_scale_ratio : float
        Output over input pixel side; sizes turbo, gaussian and Lanczos drops only.
    context_bit : int, optional
        Number of this input, where `acc` keeps a context. With several threads, call ``acc.reserve_context`` first.
    rows : (int, int), optional
        Only this band of output rows is written; bands may run on threads. The sums are the same, bit for bit, for any
        division into bands.

    Raises
    ------
    SettingsError
        Shapes that do not match, an unknown kernel, or a number out of range.

    References
    ----------
    Fruchter & Hook 2002, PASP 114, 144.
    """
    drop = check_shape(kernel, pixfrac, pixel_scale_ratio)
    v0, v1 = variance
    _finite(multiply=multiply, subtract=subtract, weight=weight, v0=v0, v1=v1)
    shape = chip_map.shape
    pixels = ChipPixels(
        floats(sci, shape, "sci"),
        None if mask is None else flags(mask, shape),
        None if relative_weight is None else floats(relative_weight, shape, "relative_weight"),
        multiply,
        subtract,
        weight,
        v0,
        v1,
    )
    low, high = (0, acc.shape[0]) if rows is None else (int(rows[0]), int(rows[1]))
    if not 0 <= low <= high <= acc.shape[0]:
        raise SettingsError(f"rows {(low, high)} do not lie within the output's {acc.shape[0]} rows", rows=(low, high))
    if context_bit is not None:
        if context_bit < 0:
            raise SettingsError(f"context bit is {context_bit}; it must not be negative", bit=context_bit)
        acc.reserve_context(context_bit + 1)
    _drop(acc, pixels, chip_map, drop, (low, high), context_bit)
