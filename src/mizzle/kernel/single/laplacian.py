"""Pixels sharper than the optics allow: L.A.Cosmic. Arrays in, arrays out.

The work is done by src/laplacian.c, or by `_find_sharp` here, which is the definition.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mizzle.arrays import Image, Mask
from mizzle.kernel import native
from mizzle.kernel.pixels.numpy_twin import grow
from mizzle.kernel.single.types import SharpRule

#: Nothing is darker [electron], and no fine structure less, than this.
_DARKEST, _LEAST_STRUCTURE = np.float32(1e-5), np.float32(0.01)


def find_sharp(electrons: Image, bad: Mask, rule: SharpRule) -> Mask:
    """Find the pixels of a chip that are sharper than their surroundings allow.

    One round of L.A.Cosmic (van Dokkum 2001, PASP 113, 1420, section 3): the Laplacian of the image at twice its
    pixels over the noise, less what large bright things have of it, stands above `sigma` and above `contrast` times the
    fine structure; neighbors follow above `sigma`, then above `neighbor_sigma`. Medians along rows, then along columns,
    of 7, 5 and 9 pixels stand for those of 5 x 5, 3 x 3 and 7 x 7, as in `astroscrappy` (McCully et al. 2018).
    Nothing is found on bad pixels, next to them, or along the edge.

    Parameters
    ----------
    electrons : (ny, nx) float32 array
        Signal, sky included [electron].
    bad : (ny, nx) bool array
        Pixels of which nothing is known: they count as dark.
    rule : SharpRule
        Noise and limits.

    Returns
    -------
    mask : (ny, nx) bool array

    Raises
    ------
    ValueError
        The arrays differ in shape.
    """
    if electrons.ndim != 2 or electrons.shape != bad.shape:
        raise ValueError(f"pixels {electrons.shape}, bad ones {bad.shape}: one shape is needed")
    hidden = np.pad(bad, 1, constant_values=True)
    image = np.zeros(hidden.shape, np.float32)
    np.copyto(image[1:-1, 1:-1], electrons, where=~bad)
    library = native.library()
    if library is None:
        return _find_sharp(image, hidden, rule)[1:-1, 1:-1]
    mask = np.empty(hidden.shape, np.bool_)
    limits = (rule.floor, rule.sigma, rule.neighbor_sigma, rule.contrast)
    arrays = (native.pointer(image), native.pointer(hidden), *image.shape)
    native.raise_on_status(library.mz_find_sharp(*arrays, *limits, native.pointer(mask), -1))
    return mask[1:-1, 1:-1]


def _find_sharp(image: Image, bad: Mask, rule: SharpRule) -> Mask:
    """Do it in NumPy, on an image framed by bad pixels."""
    noise = np.sqrt(np.maximum(_medians(image, 3), _DARKEST) + np.float32(rule.floor))
    sharp = _quarters(image) / (2 * noise)
    sharp = sharp - _medians(sharp, 3)
    small = _medians(image, 2)
    fine = np.maximum((small - _medians(small, 4)) / noise, _LEAST_STRUCTURE)
    free = ~grow(bad, 1)
    mask = free & (sharp > np.float32(rule.sigma)) & (sharp / fine > np.float32(rule.contrast))
    for limit in (rule.sigma, rule.neighbor_sigma):
        mask = grow(mask, 1) & free & (sharp > np.float32(limit))
    return np.asarray(mask, np.bool_)


def _quarters(image: Image) -> Image:
    """Return the mean Laplacian of each pixel's four quarters, negative ones left out; beyond the image is 0."""
    wide = np.pad(image, 1)
    middle = 2 * image
    left, right, down, up = wide[1:-1, :-2], wide[1:-1, 2:], wide[:-2, 1:-1], wide[2:, 1:-1]
    below, above = middle - down, middle - up
    zero = np.float32(0)
    lower = np.maximum(below - left, zero) + np.maximum(below - right, zero)
    return np.asarray(np.float32(0.25) * (lower + (np.maximum(above - left, zero) + np.maximum(above - right, zero))))


def _medians(image: Image, reach: int) -> Image:
    """Return medians of ``2 * reach + 1`` pixels along rows, then columns; near its ends a line keeps what it holds."""
    result = image
    for axis in (1, 0):
        before, result = result, result.copy()
        if before.shape[axis] > 2 * reach:
            inner = np.moveaxis(result, axis, 0)[reach:-reach]
            windows = sliding_window_view(before, 2 * reach + 1, axis=axis)
            inner[...] = np.moveaxis(np.sort(windows, axis=-1)[..., reach], axis, 0)
    return result
