"""The sums behind `Drizzle`: kept in 64 bits, made images when somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.kernel import native
from mizzle.kernel.bands import even_edges, in_bands, thread_count
from mizzle.kernel.drop.accumulator import IN_CELL, Accumulator
from mizzle.kernel.drop.stored import center_ranges, drop_alone, drop_image
from mizzle.kernel.drop.types import ChipPixels, DropShape
from mizzle.kernel.maps.types import StoredMap

Image32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Planes:
    """Images of one grid: weighted mean, summed weight, variances, context."""

    mean: Image32
    weight: Image32
    variances: tuple[Image32, ...]
    context: NDArray[np.int32] | None


def _is_plain(image: NDArray[Any]) -> bool:
    """Return whether C may write into an array."""
    return bool(image.flags.c_contiguous and image.flags.writeable)


def chunk_ranges(where: StoredMap) -> FloatArray | None:
    """Return where the chunks of a map lie (`center_ranges`); None where NumPy serves."""
    library = native.library()
    threads = thread_count(where.shape[0] * where.shape[1], None)
    return None if library is None else center_ranges(library, where, threads)


def drop_first(
    planes: Planes, pixels: ChipPixels, where: StoredMap, drop: DropShape, *, bit: int | None, ranges: FloatArray
) -> None:
    """Drop one image on planes that nothing fell on, by C: mean, weight, variance and context where it falls.

    Parameters
    ----------
    planes : Planes
        C-contiguous, with a plane of variances at most; written.
    pixels, where, drop
        Pixels, map and form of the drops.
    bit : int or None
        Of the image in the context.
    ranges : (ny, chunks, 4) array
        `chunk_ranges` of the map.
    """
    library, point = native.library(), native.pointer
    assert library is not None
    context = planes.context[bit // 32] if planes.context is not None and bit is not None else None
    variance = planes.variances[0] if planes.variances else None

    def take(cells: FloatArray, rows: slice) -> None:
        images = (plane if plane is None else plane[rows] for plane in (planes.mean, planes.weight, variance, context))
        squares = None if variance is None else point(cells)
        count = cells.shape[0] * cells.shape[1]
        status = library.mz_images(point(cells), squares, 4, count, *(point(plane) for plane in images), None)
        native.raise_on_status(status)

    word = int(np.array([1 << bit % 32], np.uint32).view(np.int32)[0]) if bit is not None else 0
    shape = (planes.mean.shape[0], planes.mean.shape[1])
    drop_alone(pixels, where, drop, shape, take=take, word=word, ranges=ranges)


class Sums:
    """Sums of the images so far, a plane of variances each.

    Parameters
    ----------
    before : Planes
        Result of earlier images; where its weight is 0 there are none.
    """

    def __init__(self, before: Planes) -> None:
        shape = (before.mean.shape[0], before.mean.shape[1])
        keeps = before.context is not None
        self._first = Accumulator(shape, variance=bool(before.variances), context=keeps)
        self._others = [Accumulator(shape, variance=True) for _ in before.variances[1:]]
        library, context = native.library(), [] if before.context is None else list(before.context)
        self._first.reserve_context(32 * len(context))
        taken = 0 if library is None else IN_CELL
        for number, plane in enumerate(context[taken:], taken):
            self._first.plane(number)[...] = plane

        def band(first: int, stop: int) -> None:
            rows = slice(first, stop)
            if not before.weight[rows].any():
                return
            if library is None:
                self._resume_rows(before, rows)
            else:
                self._resume_natively(library, before, rows)

        threads = thread_count(shape[0] * shape[1], None)
        in_bands(even_edges(shape[0], threads), threads, band)

    def _resume_rows(self, before: Planes, rows: slice) -> None:
        """Begin some rows with the sums that earlier images stand for: what `mz_resume` does."""
        weight = before.weight[rows].astype(np.float64)
        seen = weight != 0
        sums = self._first.sums[rows]
        np.multiply(before.mean[rows], weight, out=sums[..., 0], where=seen)
        sums[..., 1] = weight
        for acc, variance in zip(self.accumulators, before.variances, strict=False):
            np.multiply(variance[rows], weight**2, out=acc.cells[rows][..., 2], where=seen)

    def _resume_natively(self, library: native.Library, before: Planes, rows: slice) -> None:
        """The same by C: in NumPy it took as long as an image does."""
        point = native.pointer
        context = [] if before.context is None else list(before.context[:IN_CELL])
        words = [np.ascontiguousarray(plane[rows]) for plane in context]
        mean, weight = (np.ascontiguousarray(plane[rows]) for plane in (before.mean, before.weight))
        for number, acc in enumerate(self.accumulators):
            cells = acc.cells[rows]
            variance = np.ascontiguousarray(before.variances[number][rows]) if before.variances else None
            planes = [*(words if number == 0 else []), None, None][:2]
            status = library.mz_resume(
                *(point(plane) for plane in (mean, weight, variance, *planes)), cells.shape[2], mean.size, point(cells)
            )
            native.raise_on_status(status)

    @property
    def accumulators(self) -> list[Accumulator]:
        """Sums of values, weights and the first variances, then one more for each other variance."""
        return [self._first, *self._others]

    def add(
        self,
        pixels: ChipPixels,
        variances: Sequence[NDArray[np.float64] | NDArray[np.float32] | None],
        where: StoredMap,
        drop: DropShape,
        bit: int | None,
        ranges: FloatArray | None = None,
    ) -> None:
        """Drop one image; a variance that is None adds nothing to its sum. `ranges` are `chunk_ranges` of the map."""
        if bit is not None:
            self._first.reserve_context(bit + 1)
        given = list(variances) or [None]
        for number, (acc, variance) in enumerate(zip(self.accumulators, given, strict=True)):
            if number == 0 or variance is not None:
                varied = ChipPixels(
                    pixels.sci, pixels.mask, pixels.relative, pixels.multiply, weight=pixels.weight, variance=variance
                )
                drop_image(acc, varied, where, drop, bit=bit if number == 0 else None, ranges=ranges)

    def write(self, planes: Planes) -> None:
        """Write mean, weight, variances and context wherever anything fell; elsewhere images stay as they are."""
        library = native.library()
        taken = 0 if library is None else IN_CELL
        for number in range(taken, 0 if planes.context is None else self._first.planes):
            assert planes.context is not None
            planes.context[number] |= self._first.plane(number)

        def band(first: int, stop: int) -> None:
            rows = slice(first, stop)
            if library is None:
                self._write_rows(planes, rows)
            else:
                self._write_natively(library, planes, rows)

        ny, nx = self._first.shape
        threads = thread_count(ny * nx, None)
        in_bands(even_edges(ny, threads), threads, band)

    def _write_rows(self, planes: Planes, rows: slice) -> None:
        """Write some rows: what `mz_images` does."""
        cells = self._first.cells[rows]
        total = cells[..., 1]
        seen = total != 0
        with np.errstate(over="ignore"):  # beyond 32 bits is infinite
            np.divide(cells[..., 0], total, out=planes.mean[rows], where=seen, casting="same_kind")
            np.copyto(planes.weight[rows], total, where=seen, casting="same_kind")
            for acc, image in zip(self.accumulators, planes.variances, strict=False):
                squares = acc.cells[rows][..., 2]
                np.divide(squares, total * total, out=image[rows], where=seen, casting="same_kind")

    def _write_natively(self, library: native.Library, planes: Planes, rows: slice) -> None:
        """Write some rows of arrays that lie as C has them; others through a copy."""
        cells, point = self._first.cells[rows], native.pointer
        kept = 0 if planes.context is None else min(IN_CELL, self._first.planes)
        context = [] if planes.context is None else [planes.context[number][rows] for number in range(kept)]
        for number in range(max(1, len(planes.variances))):
            images = [planes.mean[rows], planes.weight[rows], *context] if number == 0 else []
            if planes.variances:
                images.append(planes.variances[number][rows])
            plain = [image if _is_plain(image) else image.copy() for image in images]
            mean, weight = (plain[0], plain[1]) if number == 0 else (None, None)
            words = [*plain[2 : 2 + kept], None, None] if number == 0 else [None, None]
            variance = plain[-1] if planes.variances else None
            squares = self.accumulators[number].cells[rows] if planes.variances else None
            status = library.mz_images(
                point(cells), point(squares), cells.shape[2], cells.shape[0] * cells.shape[1],
                *(point(plane) for plane in (mean, weight, variance, words[0], words[1])),
            )  # fmt: skip
            native.raise_on_status(status)
            for image, written in zip(images, plain, strict=True):
                if written is not image:
                    image[...] = written
