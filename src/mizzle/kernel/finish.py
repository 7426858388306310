"""Sums to images: rate, error and weight in one pass over the cells."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.accumulator import Accumulator

Image = NDArray[np.float32]

_I64, _F32, _F64, _PTR = ctypes.c_int64, ctypes.c_float, ctypes.c_double, ctypes.c_void_p


def finish(acc: Accumulator, rows: tuple[int, int], images: tuple[Image, Image, Image]) -> None:
    """Write the mean, its error and the weight of some rows.

    Where the weight is not above 0 (a kernel with negative lobes can leave such), mean and error are NaN, the weight
    is 0, and the accumulator's context is cleared.

    Parameters
    ----------
    acc : Accumulator
        With variance and context.
    rows : (int, int)
        First, and one past the last; workers may share the accumulator row by row.
    images : three (ny, nx) float32 arrays
        Mean, error and weight; written.
    """
    variance, context = _noise_and_context(acc)
    part = slice(*rows)
    library = native.library()
    if library is None or not hasattr(library, "mz_finish"):
        _finish(acc.sums[part], variance[part], context[:, part], [image[part] for image in images])
        return
    library.mz_finish.argtypes = (_PTR, _PTR, _PTR, _I64, _I64, _I64, _F32, _PTR, _PTR, _PTR)
    sums, first = acc.sums[part], context[0, part]
    status = library.mz_finish(
        native.pointer(sums), native.pointer(variance[part]), native.pointer(first), context.shape[0],
        acc.shape[0] * acc.shape[1], first.size, float("nan"), *(native.pointer(image[part]) for image in images),
    )  # fmt: skip
    if status:
        raise RuntimeError("the native kernel refused a job that was checked before")


def _noise_and_context(acc: Accumulator) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return what must be there."""
    if acc.variance_sum is None or acc.context is None:
        raise SettingsError("this accumulator lacks variance or context; make it with both")
    return acc.variance_sum, acc.context


def _finish(
    sums: NDArray[np.float64], variance: NDArray[np.float64], context: NDArray[np.int32], images: list[Image]
) -> None:
    weight = sums[..., 1]
    covered = weight > 0
    scale = 1.0 / np.where(covered, weight, 1.0)
    images[0][...] = np.where(covered, sums[..., 0] * scale, np.nan)
    images[1][...] = np.where(covered, np.sqrt(variance) * scale, np.nan)
    images[2][...] = np.where(covered, weight, 0.0)
    context[:, ~covered] = 0


def fill_in(acc: Accumulator, spare: Accumulator, enough: float, rows: tuple[int, int]) -> None:
    """Add the sums of `spare` to the cells of `acc` that weigh less than `enough`, where the spare weighs anything.

    Parameters
    ----------
    acc, spare : Accumulator
        Of one shape, with variance and as many planes of context; `acc` is changed.
    enough : float
        Weight that needs no help.
    rows : (int, int)
        First, and one past the last; workers may share the accumulators row by row.
    """
    part = slice(*rows)
    (variance, context), (more_variance, more_context) = _noise_and_context(acc), _noise_and_context(spare)
    library = native.library()
    if library is None or not hasattr(library, "mz_fill_in"):
        lacking = (spare.weight[part] > 0) & (acc.weight[part] < enough)
        acc.sums[part][lacking] += spare.sums[part][lacking]
        variance[part][lacking] += more_variance[part][lacking]
        context[:, part][:, lacking] |= more_context[:, part][:, lacking]
        return
    library.mz_fill_in.argtypes = (*[_PTR] * 6, _I64, _I64, _I64, _F64)
    arrays = (acc.sums[part], variance[part], context[0, part])
    spares = (spare.sums[part], more_variance[part], more_context[0, part])
    status = library.mz_fill_in(
        *(native.pointer(array) for array in (*arrays, *spares)), context.shape[0], acc.shape[0] * acc.shape[1],
        arrays[1].size, enough,
    )  # fmt: skip
    if status:
        raise RuntimeError("the native kernel refused a job that was checked before")
