"""How well images of a star fit real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mizzle.psf.image import StarImage

FloatArray = NDArray[np.float64]

#: Steps of the first fit, and of those that begin where the image before ended.
_STEPS, _MORE = 6, 2
#: Places within a pixel, along each axis, at which images are compared; only where they bend by more than this share of
#: the strongest bend.
_PLACES, _BENT = 7, 0.15
#: The longest step, and how far a star may be from its brightest pixel [pixel].
_LONGEST, _FARTHEST = 0.3, 0.8


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
    Gauss and Newton's method.
    """
    seen = stamps.reshape(len(stamps), stamps.shape[1] * stamps.shape[2])
    weight = 1.0 / variance.reshape(seen.shape)
    place = np.zeros((2, len(stamps)))
    misfits: list[FloatArray] = []
    for image in images:
        rest = seen
        for _ in range(_MORE if misfits else _STEPS):
            place, rest = _step(seen, weight, image, place=place)
        misfits.append((weight * rest * rest).sum(axis=1))
    return np.stack(misfits)


def _step(seen: FloatArray, weight: FloatArray, star: StarImage, *, place: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return better places, ``(2, n)``, and what the linear fit around the given ones leaves, ``(n, k * k)``."""
    radius = round(seen.shape[1] ** 0.5) // 2
    x, y = place
    design = np.empty((*seen.shape, 4))
    for column, part in enumerate(star.pixels_and_slopes(x, y, radius)):
        design[:, :, column] = part.reshape(seen.shape)
    design[:, :, 3] = 1.0
    weighted = design * weight[:, :, None]
    normal = weighted.transpose(0, 2, 1) @ design
    # Without light a place means nothing: a little of the diagonal keeps the system solvable.
    normal += 1e-9 * np.einsum("nii->ni", normal).max(axis=1)[:, None, None] * np.eye(4)
    solution = np.linalg.solve(normal, weighted.transpose(0, 2, 1) @ seen[:, :, None])[:, :, 0]
    move = solution[:, 1:3].T / np.maximum(solution[:, 0], 1e-9)
    better = np.clip(place + np.clip(move, -_LONGEST, _LONGEST), -_FARTHEST, _FARTHEST)
    return better, seen - (design @ solution[:, :, None])[:, :, 0]


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
