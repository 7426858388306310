"""Blotting: read an image where a chip's pixels fall."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mizzle.arrays import Image, Marks
from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.arguments import reals, word
from mizzle.kernel.bands import even_edges, in_bands, thread_count
from mizzle.kernel.maps.types import AnyMap, ChipMap, stored_map
from mizzle.kernel.read import numpy_twin


def check_interp(interp: str) -> str:
    """Return the name of an interpolation, or raise `SettingsError`."""
    return word(interp, "interp", native.INTERPOLATIONS)


def as_image(image: ArrayLike) -> Image:
    """Return an image as the kernel wants it."""
    with np.errstate(over="ignore"):  # what float32 cannot hold is not finite
        array = np.ascontiguousarray(reals(image, "image"), dtype=np.float32)
    if array.ndim != 2 or 0 in array.shape:
        raise SettingsError(f"image has shape {array.shape}; needed (ny, nx)", shape=array.shape)
    return array


def read_places(image: Image, where: AnyMap, interp: str, wanted: Marks | None = None, *, threads: int = 1) -> Image:
    """Read a contiguous image at all pixels, or at those `wanted` (the others are NaN then, in C), on some threads."""
    library = native.library()
    if library is None:
        return numpy_twin.blot(image, where, interp)
    out = np.empty(where.shape, dtype=np.float32)
    struct = native.map_struct(where)
    code = native.INTERPOLATIONS[interp]
    ny, nx = image.shape
    arrays = native.pointer(wanted), native.pointer(out)
    image_at = native.pointer(image)

    def rows(first: int, stop: int) -> None:
        status = library.mz_blot(native.by_reference(struct), image_at, ny, nx, code, first, stop, *arrays)
        native.raise_on_status(status)

    in_bands(even_edges(where.shape[0], threads), threads, rows)
    return out


def blot_chip(image: ArrayLike, chip_map: ChipMap, *, interp: str = "poly5") -> Image:
    """Read an image at the centers of a chip's pixels.

    Parameters
    ----------
    image : (ny, nx) array
        The image, NaN where unknown.
    chip_map : ChipMap
        Where the chip's pixels fall on it.
    interp : str
        ``nearest``, ``linear``, ``poly3`` (4 x 4 points), ``poly5`` (6 x 6), ``lanczos3`` (6 x 6) or ``lanczos5`` (10 x
        10), both scaled so that a flat image stays flat. Where points are missing (edge, NaN), the next shorter one
        serves, down to the nearest pixel.

    Returns
    -------
    values : (ny, nx) float32 array
        In the unit of `image`; NaN where the nearest pixel is missing.

    Raises
    ------
    SettingsError
        An unknown interpolation, or an image that is not two-dimensional.
    """
    return read_places(as_image(image), chip_map, check_interp(interp))


def blot(image: ArrayLike, pixmap: ArrayLike, *, interp: str = "poly5", threads: int | None = None) -> Image:
    """Read an image at the places of a stored pixel map.

    Parameters
    ----------
    image : (ny, nx) array
        The image, NaN where unknown.
    pixmap : (ny, nx, 2) array
        Places ``(x, y)`` [pixel, 0-based] on `image`.
    interp : str
        As in `blot_chip`.
    threads : int, optional
        As many as the processor has by default; the answer is the same for any number.

    Returns
    -------
    values : (ny, nx) float32 array
        In the unit of `image`; NaN where the nearest pixel is missing.

    Examples
    --------
    >>> blot(np.arange(16.0).reshape(4, 4), np.array([[[1.5, 1.0]]]), interp="linear").tolist()
    [[5.5]]
    """
    where = stored_map(pixmap, 1.0)
    count = thread_count(where.shape[0] * where.shape[1], threads)
    return read_places(as_image(image), where, check_interp(interp), threads=count)
