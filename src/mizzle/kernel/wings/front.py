"""Bright peaks, and the light on the four sides of each: src/wings.c, or its NumPy twin, which is the definition."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import Image, Mask, PixelIndices
from mizzle.kernel import native
from mizzle.kernel.wings import numpy_twin
from mizzle.kernel.wings.types import Neighborhood, WingFigures


def list_bright_peaks(image: Image, bad: Mask, *, edge: int, limit: float) -> PixelIndices:
    """List the pixels above a limit that none of their good neighbors outshines, row by row.

    Parameters
    ----------
    image : (ny, nx) float32 array
        Counts.
    bad : (ny, nx) bool array
        Pixels that say nothing; what is no number must be among them.
    edge : int
        So many pixels along the border are left out, 1 at least.
    limit : float
        They are brighter [count].
    """
    if edge < 1:
        raise ValueError(f"edge {edge}: 1 at least, for a peak has neighbors")
    _check(image, bad)
    library = native.library()
    if library is None:
        return numpy_twin.list_bright_peaks(image, bad, edge=edge, limit=limit)
    ny, nx = image.shape
    pixels, hidden = np.ascontiguousarray(image, np.float32), np.ascontiguousarray(bad, np.bool_)
    index = np.empty(max(0, ny - 2 * edge) * max(0, nx - 2 * edge), np.int64)
    count = int(
        library.mz_bright_peaks(native.pointer(pixels), native.pointer(hidden), ny, nx, edge, limit,
                                native.pointer(index))
    )  # fmt: skip
    return PixelIndices(*np.divmod(index[:count], nx))


def measure_sides(
    image: Image, off: Mask, where: PixelIndices, *, neighborhood: Neighborhood, sigma: float
) -> WingFigures:
    """Measure the light around peaks, side by side.

    Parameters
    ----------
    image : (ny, nx) float32 array
        Counts.
    off : (ny, nx) bool array
        Pixels that say nothing; nor do those that are no number.
    where : PixelIndices
        The peaks, on the image; what of their surroundings lies outside is not known.
    neighborhood : Neighborhood
        Which pixels belong to surroundings and wings.
    sigma : float
        Least noise of a pixel that is believed [count].

    Notes
    -----
    The width of the surroundings is what lies between their median and their 16th percentile; the level is the mean of
    those within three widths of the median: a median of whole counts jumps, a mean of what is near it does not.
    """
    _check(image, off)
    row, column = where
    if row.size and not (
        0 <= row.min() <= row.max() < image.shape[0] and 0 <= column.min() <= column.max() < image.shape[1]
    ):
        raise ValueError("peaks must lie on the image")
    library = native.library()
    if library is None:
        return numpy_twin.measure_sides(image, off, where, neighborhood=neighborhood, sigma=sigma)
    pixels, hidden = np.ascontiguousarray(image, np.float32), np.ascontiguousarray(off, np.bool_)
    peaks = np.stack([row, column], axis=1).astype(np.int64)
    around, wings = (np.ascontiguousarray(steps, np.int64) for steps in neighborhood)
    figures = np.empty((row.size, len(WingFigures._fields)))
    status = library.mz_wings(
        native.pointer(pixels), native.pointer(hidden), *image.shape, native.pointer(peaks), len(peaks),
        native.pointer(around), len(around), native.pointer(wings), len(wings), sigma, native.pointer(figures),
    )  # fmt: skip
    native.raise_on_status(status)
    return WingFigures(*figures.T)


def _check(image: Image, mask: Mask) -> None:
    if image.ndim != 2 or image.shape != mask.shape:
        raise ValueError(f"an image and its mask have one shape, these have {image.shape} and {mask.shape}")
