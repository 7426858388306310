"""Which inputs made each pixel of a product: a bit for each, packed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.errors import SettingsError
from mizzle.model.arrays import locked
from mizzle.model.values import Value

Words = NDArray[np.int32]

#: Bytes of a run over those of a pixel: with more runs than pixels over this, pixels take less room as they are.
_RUN = 2
#: Pixels looked at together.
_PIECE = 2**20


@dataclass(frozen=True, eq=False)
class PackedPlane(Value):
    """An image of whole numbers as runs of equal pixels, row after row; never larger than the image.

    Chips reach a product in large pieces with some holes: a plane takes a twentieth of its room, and a place is looked
    up without unpacking it. Equal images are packed alike.

    Parameters
    ----------
    shape : (int, int)
        ``(ny, nx)``.
    values : (n,) int32 array
        The number in each run.
    starts : (n,) uint32 array or None
        Flat index of each run's first pixel; None where each pixel stands by itself.
    """

    shape: tuple[int, int]
    values: Words
    starts: NDArray[np.uint32] | None

    @classmethod
    def of(cls, image: Words) -> PackedPlane:
        """Pack an image.

        Parameters
        ----------
        image : (ny, nx) int32 array
            Fewer than 2**32 pixels.
        """
        flat = np.ascontiguousarray(image).reshape(-1)
        changes = [
            np.flatnonzero(flat[first + 1 : first + _PIECE + 1] != flat[first:-1][:_PIECE]) + (first + 1)
            for first in range(0, flat.size, _PIECE)
        ]
        starts = np.concatenate([np.zeros(min(1, flat.size), np.int64), *changes])
        return cls._made(image.shape, flat[starts], starts, flat=flat)

    @classmethod
    def joined(cls, bands: Sequence[PackedPlane]) -> PackedPlane:
        """Put bands of rows, the lowest first, on top of each other.

        Parameters
        ----------
        bands : sequence of PackedPlane
            One at least, of one width.
        """
        if len(bands) == 1:
            return bands[0]
        starts, values, first = [], [], 0
        for band in bands:
            size = band.shape[0] * band.shape[1]
            own = np.arange(size) if band.starts is None else band.starts.astype(np.int64)
            starts.append(own + first)
            values.append(band.values)
            first += size
        every, where = np.concatenate(values), np.concatenate(starts)
        new = np.concatenate([np.ones(min(1, every.size), np.bool_), every[1:] != every[:-1]])
        shape = (sum(band.shape[0] for band in bands), bands[0].shape[1])
        return cls._made(shape, every[new], where[new])

    @classmethod
    def _made(
        cls, shape: tuple[int, ...], values: Words, starts: NDArray[np.int64], *, flat: Words | None = None
    ) -> PackedPlane:
        """Return what takes less room: runs, or the pixels themselves."""
        size = shape[0] * shape[1]
        if _RUN * starts.size < size:
            return cls((shape[0], shape[1]), values, starts.astype(np.uint32))
        pixels = np.repeat(values, np.diff(starts, append=size)) if flat is None else flat
        return cls((shape[0], shape[1]), pixels, None)

    @property
    def image(self) -> Words:
        """The whole image ``(ny, nx)``, made anew."""
        return self.rows(0, self.shape[0])

    def rows(self, first: int, last: int) -> Words:
        """Return rows ``first .. last - 1``, made anew.

        Parameters
        ----------
        first, last : int
            Within the image.
        """
        nx = self.shape[1]
        low, high = first * nx, last * nx
        if self.starts is None or low >= high:
            return self.values[low:high].reshape(last - first, nx).copy()
        # Of the starts' own kind: others would have all of them converted first.
        begin = int(np.searchsorted(self.starts, np.uint32(low), side="right")) - 1
        end = begin + 1 + int(np.searchsorted(self.starts[begin + 1 :], np.uint32(high - 1), side="right"))
        edges = np.concatenate([[low], self.starts[begin + 1 : end].astype(np.int64), [high]])
        return np.repeat(self.values[begin:end], np.diff(edges)).reshape(last - first, nx)

    def at(self, places: NDArray[np.intp]) -> Words:
        """Return the numbers at some flat indices.

        Parameters
        ----------
        places : array of int
            Of any shape, within the image.
        """
        if self.starts is None:
            return np.asarray(self.values[places])
        return np.asarray(self.values[np.searchsorted(self.starts, places.astype(np.uint32), side="right") - 1])

    def sampled(self, step: int, shape: tuple[int, int] | None = None) -> Words:
        """Return every `step`-th pixel along both axes, from the middle of the first step on.

        Parameters
        ----------
        step : int
            1: all of them.
        shape : (int, int), optional
            Of the corner that is looked at; the whole image by default.
        """
        every = list(self.samples(step, shape))
        return every[0] if len(every) == 1 else np.concatenate(every)

    def samples(self, step: int, shape: tuple[int, int] | None = None) -> Iterator[Words]:
        """Yield what `sampled` returns, some rows at a time; once at least."""
        ny, nx = shape or self.shape
        y, x = (np.arange(step // 2, side, step) for side in (ny, nx))
        together = max(1, _PIECE // max(1, x.size))
        for first in range(0, max(1, y.size), together):
            some = y[first : first + together]
            if step == 1:
                yield self.rows(first, first + some.size)[:, :nx]
            else:
                yield self.at(some[:, None] * self.shape[1] + x)


@dataclass(frozen=True, eq=False)
class Context(Value):
    """Which inputs made each pixel: bit ``k % 32`` of plane ``k // 32`` belongs to input ``k``.

    Parameters
    ----------
    planes : tuple of PackedPlane
        One at least, of one shape.
    """

    planes: tuple[PackedPlane, ...]

    @classmethod
    def of(cls, ctx: ArrayLike) -> Context:
        """Pack the planes of a product's CTX.

        Parameters
        ----------
        ctx : (ny, nx) or (planes, ny, nx) int32 array
            As `Mosaic.ctx` gives it.

        Raises
        ------
        SettingsError
            It has other dimensions.
        """
        image = np.asarray(ctx, np.int32)
        if image.ndim not in (2, 3) or not image.shape[0]:
            raise SettingsError(f"context of shape {image.shape}; needed (ny, nx) or (planes, ny, nx)")
        return cls(tuple(PackedPlane.of(plane) for plane in (image if image.ndim == 3 else image[None])))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `array`."""
        own = self.planes[0].shape
        return own if len(self.planes) == 1 else (len(self.planes), *own)

    @property
    def array(self) -> Words:
        """All planes, locked, made anew: ``(ny, nx)`` where there is one, ``(planes, ny, nx)`` otherwise."""
        if len(self.planes) == 1:
            return locked(self.planes[0].image)
        every = np.empty(self.shape, np.int32)
        for plane, packed in zip(every, self.planes, strict=True):
            plane[...] = packed.image
        every.flags.writeable = False
        return every

    def at(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Words:
        """Return the words of some pixels: (planes, n).

        Parameters
        ----------
        rows, columns : (n,) int array
            Within the image.
        """
        places = rows * self.planes[0].shape[1] + columns
        return np.stack([plane.at(places) for plane in self.planes])

    def sampled(self, step: int, shape: tuple[int, int] | None = None) -> Words:
        """Return what `PackedPlane.sampled` returns, of all planes: (planes, rows, columns)."""
        return np.stack([plane.sampled(step, shape) for plane in self.planes])
