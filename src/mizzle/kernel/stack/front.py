"""Stacks of images to one, cosmic rays left out: src/rays.c, or its NumPy twin, which is the definition."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import Image
from mizzle.kernel import native
from mizzle.kernel.stack import numpy_twin
from mizzle.kernel.stack.types import StackRule

METHODS = {"clipped": 0, "minmed": 1, "median": 2, "mean": 3}
"""Codes of rays.c."""


def reduce_stack(stack: Image, rows: slice, rule: StackRule, out: Image) -> None:
    """Reduce some rows of a stack to an image; NaN where fewer than two exposures have a value.

    Parameters
    ----------
    stack : (n, ny, nx) float32 array
        Images, NaN where unknown.
    rows : slice
        The rows.
    rule : StackRule
        How, with the noise of each image.
    out : (rows, nx) float32 array
        Written.
    """
    library = native.library()
    if library is None:
        out[...] = numpy_twin.reduce_stack(stack[:, rows], rule)
        return
    first = stack[0, rows]
    job = native.StackStruct(
        images=native.pointer(first), n=stack.shape[0], stride=stack.strides[0] // stack.itemsize,
        floor=native.pointer(rule.floor), slope=native.pointer(rule.slope), method=METHODS[rule.method],
        nlow=rule.nlow, nhigh=rule.nhigh, sigma=rule.sigma, structure=rule.structure,
        ratio=rule.ratio, worst_slope=float(rule.slope.max()),
    )  # fmt: skip
    native.raise_on_status(library.mz_reduce_stack(native.by_reference(job), first.size, native.pointer(out)))


def fill_holes(image: Image, out: Image | None = None) -> Image:
    """Fill each unknown pixel (NaN) that has five known neighbors at least with the greatest of them.

    The greatest, for a star may stand there: what is expected must not be too low.

    Parameters
    ----------
    image : (ny, nx) float32 array
        With holes.
    out : (ny, nx) float32 array, optional
        Written and returned; it may be `image` itself. Without it a new one is.
    """
    out = np.empty_like(image) if out is None else out
    library = native.library()
    if library is None:
        out[...] = numpy_twin.fill_holes(image)
        return out
    ny, nx = image.shape
    native.raise_on_status(library.mz_fill_holes(native.pointer(image), ny, nx, 0, ny, native.pointer(out)))
    return out
