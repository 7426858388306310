"""One image of a FITS file: its header, and where its pixels are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.io.headers import FrozenHeader
from mizzle.io.pixels import StoredPlane, load_plane

#: Whatever astropy raises for content that it cannot make sense of.
UNREADABLE = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, EOFError, OverflowError,
    MemoryError, ArithmeticError,
)  # fmt: skip


@dataclass(frozen=True)
class ImageUnit:
    """A header with, where there is one, its image.

    Parameters
    ----------
    header : FrozenHeader
        Its keywords.
    where : str
        File and extension, for messages.
    plane : StoredPlane or None
        Where the pixels are, in a file or in the content of an unpacked one.
    content : bytes or None
        The unpacked file that `plane` points into.
    packed : array or None
        Pixels that were unpacked from tiles.
    """

    header: FrozenHeader
    where: str
    plane: StoredPlane | None = None
    content: bytes | None = None
    packed: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """NAXISn, slowest first; empty where there is no image."""
        count = int(self.header.get("NAXIS", 0))
        return tuple(int(self.header.get(f"NAXIS{i}", 0)) for i in range(count, 0, -1))

    @property
    def in_memory(self) -> bool:
        """Whether the pixels are there already: the file was packed."""
        return self.content is not None or self.packed is not None

    @property
    def data(self) -> NDArray[Any] | None:
        """The pixels in native byte order, scaled; None where there are none."""
        return None if self.packed is None and self.plane is None else self.pixels()

    def pixels(self) -> NDArray[Any]:
        """Return the pixels, in native byte order, scaled; the array is the caller's.

        Raises
        ------
        InputError
            There are none, they cannot be read, or they do not fit the header's DATASUM.
        """
        if self.packed is not None:
            return self.packed.copy()
        if self.plane is None:
            raise InputError(f"{self.where}: no image", file=self.where)
        return load_plane(self.plane, self.content)

    def scaled(self, factor: float) -> ImageUnit:
        """Return the same image with its values multiplied."""
        if factor == 1.0:
            return self
        packed = None if self.packed is None else (self.packed * np.float32(factor)).astype(np.float32)
        plane = self.plane
        if plane is not None:
            plane = replace(plane, bscale=plane.bscale * factor, bzero=plane.bzero * factor)
        return replace(self, plane=plane, packed=packed)
