"""Sums to images: rate, error and weight in one pass over the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image
from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.drop.accumulator import IN_CELL, Accumulator

Context = NDArray[np.int32]


class FinishedImages(NamedTuple):
    """Images that sums are turned into: mean, error and weight."""

    sci: Image
    err: Image
    wht: Image


def finish(acc: Accumulator, rows: tuple[int, int], images: FinishedImages, context: Context) -> None:
    """Write the mean, its error, the weight and the context of some rows.

    Where the weight is not above 0 (a kernel with negative lobes can leave such), mean and error are NaN, weight and
    context 0.

    Parameters
    ----------
    acc : Accumulator
        With variance and context.
    rows : (int, int)
        First, and one past the last; workers may share the accumulator row by row.
    images : three (ny, nx) float32 arrays
        Mean, error and weight; written.
    context : (planes, ny, nx) int32 array
        Written.
    """
    _check(acc)
    part = slice(*rows)
    library = native.library()
    if library is None:
        _finish(acc, part, images, context)
        return
    cells, planes, stride = acc.cells[part], context.shape[0], acc.shape[0] * acc.shape[1]
    more = native.pointer(acc.more[0, part]) if acc.more.size else None
    status = library.mz_finish(
        native.pointer(cells), more, planes, stride, cells.shape[0] * cells.shape[1], float("nan"),
        *(native.pointer(image[part]) for image in images), native.pointer(context[0, part]),
    )  # fmt: skip
    native.raise_on_status(status)


def _check(acc: Accumulator) -> None:
    if acc.variance_sum is None or not acc.planes:
        raise SettingsError("this accumulator lacks variance or context; make it with both")


def _finish(acc: Accumulator, part: slice, images: FinishedImages, context: Context) -> None:
    total, weight, variance = (acc.cells[part, :, lane] for lane in range(3))
    covered = weight > 0
    scale = 1.0 / np.where(covered, weight, 1.0)
    images[0][part] = np.where(covered, total * scale, np.nan)
    images[1][part] = np.where(covered, np.sqrt(variance) * scale, np.nan)
    images[2][part] = np.where(covered, weight, 0.0)
    for number in range(context.shape[0]):
        context[number, part] = np.where(covered, acc.plane(number)[part], 0)


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
    _check(acc)
    _check(spare)
    part = slice(*rows)
    library = native.library()
    if library is None:
        lacking = (spare.weight[part] > 0) & (acc.weight[part] < enough)
        acc.cells[part, :, :3][lacking] += spare.cells[part, :, :3][lacking]
        for number in range(spare.planes):
            acc.plane(number)[part][lacking] |= spare.plane(number)[part][lacking]
        return
    arrays = (acc.cells, acc.more, spare.cells, spare.more, spare.touched)
    ny, nx = acc.shape
    status = library.mz_fill_in(
        *(native.pointer(array) for array in arrays), spare.more.shape[0], ny * nx, rows[0] * nx, rows[1] * nx, enough
    )
    native.raise_on_status(status)


def lacking_cells(acc: Accumulator, spare: Accumulator, enough: float) -> NDArray[np.int64]:
    """Return the flat indices of the cells that `fill_in` adds to; ask before it does.

    Parameters
    ----------
    acc, spare, enough
        As in `fill_in`.
    """
    own, other = (sums.cells.reshape(-1, sums.cells.shape[2])[:, 1] for sums in (acc, spare))
    some = spare.written_cells((0, spare.shape[0]))
    lacking = (other[some] > 0) & (own[some] < enough)
    return np.flatnonzero(lacking) if isinstance(some, slice) else np.asarray(some[lacking])


def take_context(acc: Accumulator, rows: tuple[int, int]) -> NDArray[np.int32]:
    """Return the planes of context that are in the cells of some rows, and empty them: more inputs have room then.

    Parameters
    ----------
    acc : Accumulator
        With context; none beyond the cells.
    rows : (int, int)
        First, and one past the last; workers may share the accumulator row by row.

    Returns
    -------
    context : (planes, rows, nx) int32 array
    """
    if not acc.planes or acc.more.size:
        raise ValueError("context is taken of an accumulator that has all of it in its cells")
    library = native.library()
    context = np.zeros((acc.planes, rows[1] - rows[0], acc.shape[1]), np.int32)
    cells, size = acc.cells[slice(*rows)], context[0].size
    if library is None or acc.touched is not None:
        some = acc.written_cells(rows)
        for number, plane in enumerate(context.reshape(acc.planes, size)):
            plane[some] = cells.view(np.int32).reshape(size, -1)[some, 6 + number]
        cells.reshape(size, -1)[some, 3] = 0.0
        return context
    planes = [native.pointer(plane) for plane in context] + [None] * (IN_CELL - acc.planes)
    status = library.mz_images(native.pointer(cells), None, cells.shape[2], size, None, None, None, *planes)
    native.raise_on_status(status)
    cells[..., 3] = 0.0
    return context


def take_means(acc: Accumulator, least: float, out: Image) -> None:
    """Write the mean of each cell to `out`, NaN where its weight is below `least` (more than 0), and empty the cells.

    Parameters
    ----------
    acc : Accumulator
        Of plain sums; good for the next image afterwards, at no price: fresh memory has one.
    least : float
        Least weight.
    out : (ny, nx) float32 array
        Written.
    """
    library = native.library()
    if library is None:
        out[...] = np.nan
        np.divide(acc.sums[..., 0], acc.weight, out=out, where=acc.weight >= least, casting="same_kind")
        acc.cells[...] = 0.0
        return
    if acc.cells.shape[2] != 2:
        raise ValueError("means are taken of plain sums, without variance and context")
    native.raise_on_status(library.mz_means(native.pointer(acc.cells), out.size, least, native.pointer(out)))


def means_and_weights(acc: Accumulator, rows: tuple[int, int], mean: FloatArray, weight: FloatArray) -> None:
    """Write mean (NaN where nothing fell) and weight of some rows.

    Parameters
    ----------
    acc : Accumulator
        The sums.
    rows : (int, int)
        First, and one past the last; workers may share the accumulator row by row.
    mean, weight : (ny, nx) array
        Written.
    """
    part = slice(*rows)
    library = native.library()
    if library is None:
        weight[part] = acc.weight[part]
        mean[part] = np.nan
        np.divide(acc.sums[part][..., 0], weight[part], out=mean[part], where=weight[part] != 0)
        return
    _split(library, acc.cells[part], mean[part], weight[part])


def split(images: Sequence[FloatArray], cells: FloatArray, rows: slice) -> None:
    """Write mean (NaN where nothing fell) and weight of some rows of cells to the rows of two images (ny, nx), by C."""
    library = native.library()
    if library is None:
        raise ValueError("the C twin is needed")
    mean, weight = images
    _split(library, cells, mean[rows], weight[rows])


def _split(library: native.Library, cells: FloatArray, mean: FloatArray, weight: FloatArray) -> None:
    point = native.pointer
    status = library.mz_split(point(cells), cells.shape[2], mean.size, float("nan"), point(mean), point(weight))
    native.raise_on_status(status)
