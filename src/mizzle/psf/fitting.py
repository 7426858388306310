"""How well images of a star fit real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.kernel.detect import SampledProfile, image_misfits
from mizzle.psf.image import StarImage

#: Places within a pixel, along each axis, at which images are compared; only where they bend by more than this share of
#: the strongest bend.
_PLACES, _BENT = 7, 0.15


def star_misfits(stamps: FloatArray, variance: FloatArray, images: Sequence[StarImage]) -> FloatArray:
    """Fit images to stars, at free places, fluxes and skies, and return each chi-square: ``(len(images), n)``.

    Parameters
    ----------
    stamps : (n, k, k) array
        Odd `k`; each star's brightest pixel in the middle.
    variance : (n, k, k) array
        Of the pixels.
    images : sequence of StarImage
        Each much like the one before; their `reach` is ``k // 2`` at least.

    Notes
    -----
    Gauss and Newton's method (`mizzle.kernel.detect.image_misfits`).
    """
    radius = stamps.shape[1] // 2
    profiles = [SampledProfile(image.coefficients, image.oversampling, radius) for image in images]
    return image_misfits(stamps, 1.0 / variance, profiles)


def sharpening(images: Sequence[StarImage]) -> FloatArray:
    """Return how much sharper each image is than the mean of all, ``(len(images),)`` [pixel**2].

    So many times (4 times a pixel less its four neighbors), added to the mean image, makes the image, as well as one
    number can: a change of focus moves the second moment before it moves the wings.
    """
    offsets = np.linspace(-0.5, 0.5, _PLACES)
    dx, dy = (grid.ravel() for grid in np.meshgrid(offsets, offsets))
    radius = min(3, min(image.reach for image in images))
    shares = np.stack([image.pixels(dx, dy, radius) for image in images])
    mean = shares.mean(axis=0)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    four = mean[:, :-2, 1:-1] + mean[:, 2:, 1:-1] + mean[:, 1:-1, :-2] + mean[:, 1:-1, 2:]
    bend = 4.0 * mean[inner] - four
    bend = np.where(bend > _BENT * bend.max(axis=(1, 2), keepdims=True), bend, 0.0)
    change = shares[:, :, 1:-1, 1:-1] - mean[inner]
    return np.asarray((change * bend).sum(axis=(1, 2, 3)) / (bend * bend).sum())
