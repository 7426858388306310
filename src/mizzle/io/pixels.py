"""Pixels on disk: read when asked for, kept while memory is granted, read again otherwise."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import ChipPlanes
from mizzle.errors import InputError
from mizzle.io.structure import data_sum
from mizzle.kernel.pixels import all_finite, to_native
from mizzle.model.exposure import PixelRows


@dataclass(frozen=True)
class StoredPlane:
    """One image on disk.

    Parameters
    ----------
    path : Path
        Its file.
    offset : int
        Byte where the pixels begin (of the uncompressed file).
    bitpix : int
        FITS BITPIX: -64, -32, 8, 16, 32 or 64.
    shape : (int, int)
        ``(ny, nx)``.
    bscale, bzero : float
        ``value = stored * bscale + bzero``.
    data_sum : int or None
        DATASUM of the header, where it has one.
    blank : int or None
        What integers stand for no value (BLANK).
    """

    path: Path
    offset: int
    bitpix: int
    shape: tuple[int, int]
    bscale: float = 1.0
    bzero: float = 0.0
    data_sum: int | None = None
    blank: int | None = None

    def rows(self, first: int, last: int) -> StoredPlane:
        """Return rows ``first .. last - 1`` as a plane of its own; nothing tells what their sum should be.

        Parameters
        ----------
        first, last : int
            Within the plane.
        """
        row = self.shape[1] * abs(self.bitpix) // 8
        return replace(self, offset=self.offset + first * row, shape=(last - first, self.shape[1]), data_sum=None)

    @property
    def n_bytes(self) -> int:
        """Length on disk."""
        return self.shape[0] * self.shape[1] * abs(self.bitpix) // 8

    @property
    def stored(self) -> np.dtype[Any]:
        """Kind of number on disk."""
        return np.dtype({8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}[self.bitpix])

    def decode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn numbers as stored into those meant, in native order.

        Parameters
        ----------
        values : array of `stored` kind
            Given away: turned around in place, for a copy costs more than the rest of reading.
        """
        values = to_native(values.reshape(self.shape))
        if self.blank is not None and self.bitpix > 0 and np.any(lost := values == self.blank):
            return np.where(lost, np.nan, values * self.bscale + self.bzero).astype(np.float32)
        if (self.bscale, self.bzero) != (1.0, 0.0):
            return np.asarray((values * self.bscale + self.bzero).astype(np.float32))
        return values.astype(np.float32, copy=False) if self.bitpix < 0 else values


#: Pixels that may stay in memory where those of so many exposures are wanted again and again, and at least [byte].
FEW_KEPT, FEW, LEAST_KEPT = 130_000_000, 8, 30_000_000


def bytes_to_keep(exposures: int) -> int:
    """Return how many bytes of pixels are worth keeping: a few exposures of many save little reading.

    Parameters
    ----------
    exposures : int
        Of a run; each pass reads all of them.
    """
    return max(LEAST_KEPT, FEW_KEPT * FEW // max(FEW, exposures))


class PixelCache:
    """How many pixels may stay in memory, and, for each thread, those it read last: a step asks for them several times.

    Passes over the exposures are cyclic, so the first ones stay and later ones are read again: least-recently-used
    would throw out each one just before it is wanted.

    Parameters
    ----------
    limit : int
        Bytes to keep.
    """

    def __init__(self, limit: int = FEW_KEPT) -> None:
        self._limit = limit
        self._used = 0
        self._kept: dict[object, ChipPlanes] = {}
        self._lock = threading.Lock()
        self._last = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._limit,)  # empty: what it kept can be read again

    def get(self, key: object) -> ChipPlanes | None:
        """Return what is kept under `key`."""
        kept = self._kept.get(key)
        if kept is None and getattr(self._last, "key", None) == key:
            kept = self._last.pair
        return kept

    def has_room(self, size: int) -> bool:
        """Return whether so many bytes more may stay.

        Parameters
        ----------
        size : int
            Bytes.
        """
        return self._used + size <= self._limit

    def put(self, key: object, pair: ChipPlanes) -> None:
        """Keep `pair` if there is room; else until this thread reads another."""
        size = pair[0].nbytes + pair[1].nbytes
        self._last.key, self._last.pair = None, None
        with self._lock:
            if key not in self._kept and self._used + size <= self._limit:
                self._kept[key] = pair
                self._used += size
            elif key not in self._kept:
                self._last.key, self._last.pair = key, pair


class FilePixels:
    """Pixels of one chip, in an uncompressed file; a `mizzle.model.Pixels`.

    Pixels that are not finite get DQ bit 16 (missing data). Where they are is known from the file's headers: once it
    was changed or replaced, pixels that are not in memory are refused, not read from wrong places.

    Parameters
    ----------
    sci, dq, err : StoredPlane
        Where they are; `dq` and `err` may be None.
    cache : PixelCache
        Where they may stay.
    scale : float
        Counts of one stored unit.
    missing : int
        Bit that marks pixels that are not finite.
    """

    def __init__(
        self,
        sci: StoredPlane,
        dq: StoredPlane | None,
        err: StoredPlane | None,
        *,
        cache: PixelCache,
        scale: float = 1.0,
        missing: int,
    ) -> None:
        self._planes = (sci, dq, err)
        self._cache = cache
        self._meaning = (scale, missing)
        self._stamp = _stamp_of(self._planes)

    def __reduce__(self) -> tuple[Any, ...]:
        scale, missing = self._meaning
        return partial(type(self), cache=self._cache, scale=scale, missing=missing), self._planes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FilePixels):
            return NotImplemented
        return (self._planes, self._meaning) == (other._planes, other._meaning)

    def __hash__(self) -> int:
        return hash((self._planes, self._meaning))

    def _pair(self) -> ChipPlanes:
        kept = self._cache.get(self)
        if kept is None:
            kept = self._read(*self._planes[:2])
            self._cache.put(self, kept)
        return kept

    def _read(self, sci: StoredPlane, dq: StoredPlane | None) -> ChipPlanes:
        self._check_unchanged()
        scale, missing = self._meaning
        signal = load_plane(sci)
        if scale != 1.0:
            signal = signal * np.float32(scale)
        return clean_pair(signal, None if dq is None else load_plane(dq), missing)

    def rows(self, first: int, last: int) -> PixelRows:
        """Return rows ``first .. last - 1`` of `sci` and `dq`; all are read where they may stay in memory."""
        sci, dq, _ = self._planes
        if self._cache.get(self) is None and not self._cache.has_room(6 * sci.shape[0] * sci.shape[1]):
            return PixelRows(*self._read(sci.rows(first, last), None if dq is None else dq.rows(first, last)))
        signal, bits = self._pair()
        return PixelRows(signal[first:last], bits[first:last])

    @property
    def sci(self) -> NDArray[np.float32]:
        """Signal [DN]."""
        return self._pair()[0]

    @property
    def dq(self) -> NDArray[np.uint16]:
        """Data-quality bits."""
        return self._pair()[1]

    @property
    def err(self) -> NDArray[np.float32] | None:
        """1 sigma [DN], or None."""
        if self._planes[2] is None:
            return None
        self._check_unchanged()
        err = load_plane(self._planes[2]).astype(np.float32, copy=False)
        if self._meaning[0] != 1.0:
            err = err * np.float32(self._meaning[0])
        err.flags.writeable = False
        return err

    def _check_unchanged(self) -> None:
        if _stamp_of(self._planes) != self._stamp:
            path = self._planes[0].path
            raise InputError(f"{path}: was changed or moved after its headers were read; read it again", file=str(path))


def _stamp_of(planes: Iterable[StoredPlane | None]) -> tuple[tuple[int, int], ...]:
    """Return size and time of change of the files; nothing for one that is gone."""
    stamps = []
    for plane in planes:
        if plane is not None:
            with contextlib.suppress(OSError):
                status = plane.path.stat()
                stamps.append((status.st_size, status.st_mtime_ns))
    return tuple(stamps)


#: No pixel holds more counts, electrons, or these per second: such numbers are damage, as infinite ones are, and their
#: squares overflow.
MOST = 1e12


def clean_pair(sci: NDArray[Any], dq: NDArray[Any] | None, missing: int) -> ChipPlanes:
    """Return locked `sci` and `dq`, given away; what is no count of light becomes NaN, with the bit `missing`.

    Flags that are no numbers (NaN) say that nothing is known of their pixels: these get the same bit.
    """
    signal = sci.astype(np.float32, copy=False)
    if dq is None:
        bits = np.zeros(signal.shape, dtype=np.uint16)
    elif dq.dtype == np.int16:
        bits = dq.view(np.uint16)
    else:
        # Some archive files store -1 or other negative junk; the low 16 bits are the flags.
        if dq.dtype.kind == "f":
            dq = np.where(np.abs(dq) < 2.0**31, dq, np.float32(missing))
        bits = (dq.astype(np.int32, copy=False) & 0xFFFF).astype(np.uint16)
    if not all_finite(signal) or (signal.size and max(signal.max(), -signal.min()) > MOST):
        lost = ~(np.abs(signal) <= MOST)
        np.bitwise_or(bits, np.uint16(missing), out=bits, where=lost)
        signal = np.where(lost, np.float32(np.nan), signal)  # arithmetic with infinity warns, with NaN it does not
    signal.flags.writeable = False
    bits.flags.writeable = False
    return ChipPlanes(signal, bits)


def load_plane(plane: StoredPlane, content: bytes | None = None) -> NDArray[Any]:
    """Read one plane from its file.

    Parameters
    ----------
    plane : StoredPlane
        Where it is.
    content : bytes, optional
        The unpacked file, where the file itself is packed.

    Raises
    ------
    InputError
        It cannot be read, ends too early, or is not what the header's DATASUM says.
    """
    raw = load_stored(plane, content)
    if plane.data_sum is not None:
        _check_sum(plane, raw)
    return plane.decode(raw)


def load_stored(plane: StoredPlane, content: bytes | None = None) -> NDArray[Any]:
    """Read the numbers of one plane as they are stored, in the file's byte order.

    Parameters
    ----------
    plane, content
        As for `load_plane`.

    Raises
    ------
    InputError
        They cannot be read, or end too early.
    """
    count = plane.shape[0] * plane.shape[1]
    try:
        if content is not None:
            raw = np.frombuffer(content[plane.offset : plane.offset + plane.n_bytes], plane.stored).copy()
        else:
            raw = np.fromfile(plane.path, dtype=plane.stored, count=count, offset=plane.offset)
    except OSError as problem:
        raise InputError(f"{plane.path}: cannot be read: {problem.strerror}", file=str(plane.path)) from problem
    if raw.size != count:
        raise InputError(
            f"{plane.path}: truncated: {raw.nbytes} bytes at {plane.offset}, needed {plane.n_bytes}",
            file=str(plane.path),
        )
    return raw


def _check_sum(plane: StoredPlane, raw: NDArray[Any]) -> None:
    """Hold pixels as stored against DATASUM; the padding behind them is zero and adds nothing."""
    stored = raw.tobytes()
    total = data_sum(stored + bytes(-len(stored) % 4))
    if total != plane.data_sum:
        raise InputError(
            f"{plane.path}: the pixels at byte {plane.offset} are not those that were written: their sum is {total},"
            f" DATASUM says {plane.data_sum}; fetch the file again, or, if you changed them, write a new DATASUM",
            file=str(plane.path),
        )
