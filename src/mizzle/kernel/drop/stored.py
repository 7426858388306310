"""Drizzling with a stored pixel map, as every other pipeline does: on threads, by bands of the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mizzle.arrays import FloatArray
from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.arguments import MOST_IMAGES, sides, whole
from mizzle.kernel.bands import busy_edges, even_edges, in_bands, thread_count
from mizzle.kernel.drop import numpy_twin
from mizzle.kernel.drop.accumulator import Accumulator, zeros
from mizzle.kernel.drop.finish import means_and_weights, split
from mizzle.kernel.drop.front import drop_natively, native_job
from mizzle.kernel.drop.types import ChipPixels, DropShape, check_shape, floats
from mizzle.kernel.maps.types import StoredMap, stored_map

#: Bytes of sums that are kept at a time, and the fewest rows: drops at the edge of such a band are worked out twice.
SCRATCH, FEWEST_ROWS = 16 << 20, 32


class Drizzled(NamedTuple):
    """An image drizzled, and how much fell where.

    Parameters
    ----------
    mean : (ny, nx) float64 array
        Weighted mean signal, per input pixel; NaN where nothing fell.
    weight : (ny, nx) float64 array
        Summed weight.
    """

    mean: FloatArray
    weight: FloatArray


def drizzle(
    sci: ArrayLike,
    weight: ArrayLike,
    pixmap: ArrayLike,
    shape: tuple[int, int],
    *,
    pixfrac: float = 1.0,
    kernel: str = "square",
    pixel_scale_ratio: float = 1.0,
    variance: ArrayLike | None = None,
    context: int | None = None,
    into: Accumulator | None = None,
    threads: int | None = None,
) -> Drizzled:
    """Drizzle one image with a stored pixel map.

    Parameters
    ----------
    sci, weight : (ny, nx) array
        Signal [any surface-brightness unit] and its statistical weight. Where the weight is 0, or either is not
        finite, a pixel is invisible.
    pixmap : (ny, nx, 2) array
        Output ``(x, y)`` [pixel, 0-based] of each input pixel's center. Between centers it is read bilinearly, to find
        the corners of the drops.
    shape : (int, int)
        Output ``(ny, nx)``.
    pixfrac : float
        Side of the drop over the side of the pixel, 0 to 1; below 0.001 drops are points.
    kernel : str
        ``square`` (exact overlap), ``point``, ``turbo``, ``gaussian``, ``lanczos2``, ``lanczos3`` or
        ``lanczos5``.
    pixel_scale_ratio : float
        Output over input pixel side; sizes turbo, gaussian and Lanczos drops only.
    variance : (ny, nx) array, optional
        Variance of the signal [its unit squared]; `into` adds it up, for ``into.error()``.
    context : int, optional
        Number of this image, 0 for the first; `into` remembers which images fell where, in ``into.context``.
    into : Accumulator, optional
        Added to, so that several images make one: ``Accumulator(shape, variance=True, context=True)``. The answer is
        then that of all images so far.
    threads : int, optional
        As many as the processor has by default. The answer is the same, bit for bit, for any number.

    Returns
    -------
    mean, total : (ny, nx) float64 array
        Weighted mean signal, per input pixel, NaN where nothing fell; summed weight.

    Raises
    ------
    SettingsError
        Shapes that do not match, an unknown kernel, a number out of range, or an accumulator that does not keep what is
        given.

    References
    ----------
    Fruchter & Hook 2002, PASP 114, 144 (equations 4 and 5).

    Examples
    --------
    A drop astride two pixels shares its weight and keeps its value.

    >>> one = np.ones((1, 1))
    >>> mean, total = drizzle(7 * one, one, np.array([[[0.5, 0.0]]]), (1, 3))
    >>> mean.tolist(), total.tolist()
    ([[7.0, 7.0, nan]], [[0.5, 0.5, 0.0]])

    Two images of one pixel, the second twice as good, with their errors.

    >>> both = Accumulator((1, 1), variance=True, context=True)
    >>> here = np.zeros((1, 1, 2))
    >>> _ = drizzle(3 * one, one, here, (1, 1), variance=2 * one, context=0, into=both)
    >>> mean, _ = drizzle(6 * one, 2 * one, here, (1, 1), variance=one, context=1, into=both)
    >>> mean.item(), round(both.error().item() ** 2, 6), both.context.item()
    (5.0, 0.666667, 3)
    """
    drop = check_shape(kernel, pixfrac, pixel_scale_ratio)
    where = stored_map(pixmap, drop.ratio)
    pixels = ChipPixels(
        floats(sci, where.shape, "sci"),
        relative=floats(weight, where.shape, "weight"),
        variance=None if variance is None else floats(variance, where.shape, "variance"),
    )
    shape = sides(shape)
    result = Drizzled(np.empty(shape), np.empty(shape))
    if into is None and variance is None and context is None and native.library() is not None:
        drop_alone(pixels, where, drop, shape, threads=threads, take=partial(split, result))
        return result
    acc = Accumulator(shape) if into is None else into
    _check_room(acc, shape, variance=variance is not None, context=context)
    drop_image(acc, pixels, where, drop, bit=context, threads=threads, result=result)
    return result


def _check_room(acc: Accumulator, shape: tuple[int, int], *, variance: bool, context: int | None) -> None:
    """Refuse an accumulator that cannot take what is given; make room for the context."""
    if not isinstance(acc, Accumulator):
        raise SettingsError(f"into is a {type(acc).__name__}; needed an Accumulator", kind=type(acc).__name__)
    if acc.shape != shape:
        raise SettingsError(f"into has shape {acc.shape}; needed {shape}", shape=acc.shape)
    if variance and acc.variance_sum is None:
        raise SettingsError("a variance needs an accumulator that keeps it: into=Accumulator(shape, variance=True)")
    if context is None:
        return
    if whole(context, "context", -1, MOST_IMAGES) < 0 or not acc.planes:
        raise SettingsError(
            f"context is {context}; needed is a number from 0 on, and into=Accumulator(shape, context=True)",
            context=context,
        )
    acc.reserve_context(context + 1)


def drop_alone(
    pixels: ChipPixels, where: StoredMap, drop: DropShape, shape: tuple[int, int], *,
    take: Callable[[FloatArray, slice], None], word: int | None = None, ranges: FloatArray | None = None,
    threads: int | None = None,
) -> None:  # fmt: skip
    """Drop the pixels, by C, on a frame that holds nothing else: sums are kept of a few rows at a time, and no longer.

    Fresh memory for all of them can cost more than the drops do.

    Parameters
    ----------
    pixels, where, drop, shape
        Pixels, map, form of the drops, and (ny, nx) of the frame.
    take : callable
        Called with the cells of some rows and the rows, from several threads.
    word : int, optional
        First word of context, int32: cells have four lanes, with variance and context; without it two.
    ranges : (ny, chunks, 4) array, optional
        `center_ranges` of the map, where they are known already.
    threads : int, optional
        As many as the processor has by default.
    """
    library = native.library()
    if library is None:
        raise ValueError("the C twin is needed")
    threads = thread_count(where.shape[0] * where.shape[1], threads)
    centers = center_ranges(library, where, threads) if ranges is None else ranges
    wide = _with_corners(library, centers, where, threads)
    lanes = 2 if word is None else 4
    line = shape[1] * lanes
    height = max(FEWEST_ROWS, SCRATCH // (8 * line))

    def part(first: int, stop: int) -> None:
        cells = zeros((min(height, stop - first), shape[1], lanes), np.float64)
        job = native_job(pixels, where, drop)
        job.ranges, job.lanes, job.bits[0] = native.pointer(wide), lanes, word or 0
        job.out_ny, job.out_nx = shape
        for low in range(first, stop, height):
            job.row0, job.row1 = low, min(low + height, stop)
            # C counts cells from the frame's first.
            job.cells = (native.pointer(cells) or 0) - 8 * line * low
            native.raise_on_status(library.mz_accumulate(native.by_reference(job), -1))
            take(cells[: job.row1 - low], slice(low, job.row1))
            cells[...] = 0.0

    in_bands(_edges(wide, shape[0], threads), threads, part)


def _edges(ranges: FloatArray, size: int, threads: int) -> list[int]:
    """Return the edges of bands of the output that hold like numbers of pixels; every fourth row of the map tells."""
    with np.errstate(invalid="ignore"):
        return busy_edges(ranges[::4].mean(axis=2).ravel(), size, threads)


def drop_image(
    acc: Accumulator, pixels: ChipPixels, where: StoredMap, drop: DropShape, *, bit: int | None = None,
    threads: int | None = None, result: Drizzled | None = None, ranges: FloatArray | None = None,
) -> None:  # fmt: skip
    """Drop the pixels, on some threads, and write what the cells then hold to `result`, band by band.

    `ranges` are those of `center_ranges`, where they are known already.
    """
    threads = thread_count(where.shape[0] * where.shape[1], threads)
    library = native.library()
    if library is None:
        numpy_twin.accumulate(acc, pixels, where, drop, (0, acc.shape[0]), bit)
        _means(acc, (0, acc.shape[0]), result)
        return
    wide = None
    if threads > 1:
        centers = center_ranges(library, where, threads) if ranges is None else ranges
        wide = _with_corners(library, centers, where, threads)

    def band(first: int, stop: int) -> None:
        job = native_job(pixels, where, drop)
        job.ranges = native.pointer(wide)
        drop_natively(library, acc, job, (first, stop), bit)
        _means(acc, (first, stop), result)

    in_bands([0, acc.shape[0]] if wide is None else _edges(wide, acc.shape[0], threads), threads, band)


def _means(acc: Accumulator, rows: tuple[int, int], result: Drizzled | None) -> None:
    if result is not None:
        means_and_weights(acc, rows, *result)


def center_ranges(library: native.Library, where: StoredMap, threads: int) -> FloatArray:
    """Return least and greatest y, then x, of the centers of each row's chunks of pixels ``(ny, chunks, 4)``.

    Bands of the output read only their own. What is no number is left out, but x then goes from minus to plus infinity.
    """
    ny, nx = where.shape
    ranges = np.empty((ny, -(-nx // native.CHUNK), 4))
    struct = native.map_struct(where)

    def part(first: int, stop: int) -> None:
        native.raise_on_status(library.mz_map_ranges(native.by_reference(struct), first, stop, native.pointer(ranges)))

    in_bands(even_edges(ny, threads), threads, part)
    return ranges


def _with_corners(library: native.Library, ranges: FloatArray, where: StoredMap, threads: int) -> FloatArray:
    """Return least and greatest y of the corners of each chunk's drops ``(ny, chunks, 2)``, from those of centers."""
    ny, chunks = ranges.shape[:2]
    wide = np.empty((ny, chunks, 2))

    def part(first: int, stop: int) -> None:
        status = library.mz_corner_ranges(
            native.pointer(ranges), ny, chunks, where.step, first, stop, native.pointer(wide)
        )
        native.raise_on_status(status)

    in_bands(even_edges(ny, threads), threads, part)
    return wide
