"""The background of an image: level and noise of the sky on a mesh, by src/detect.c or its NumPy twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image
from mizzle.arrays import Marks as FlagArray
from mizzle.kernel import native
from mizzle.kernel.detect import numpy_twin
from mizzle.kernel.detect.structure import follow
from mizzle.kernel.detect.types import Background, CellEdges, Detection, SkyMesh
from mizzle.kernel.pixels import all_finite


def pixel_flags(image: Image, mask: NDArray[Any], saturated: NDArray[Any] | None) -> FlagArray:
    """Pack bad (1) and saturated (2) pixels."""
    flags: FlagArray = (np.asarray(mask) != 0).view(np.uint8)
    if not all_finite(image):
        flags |= ~np.isfinite(image)
    if saturated is not None:
        full = (np.asarray(saturated) != 0).view(np.uint8)
        flags |= full + full
    return flags


def background(sci: NDArray[Any], mask: NDArray[Any], cell: int = 50, floor: float = 0.0) -> Background:
    """Measure sky level and noise on a mesh, from every second pixel in x and y.

    Parameters
    ----------
    sci : (ny, nx) array
        Image [DN].
    mask : (ny, nx) array
        Nonzero where a pixel is not to be used.
    cell : int
        Side of a cell [pixel].
    floor : float
        Smallest noise returned [DN].

    Returns
    -------
    level, noise : (my, mx) array
        Median, and scatter from the 15.9th percentile upward to the median: the side that stars and cosmic rays
        leave alone. Cells with too few good pixels take the median of the others.
    """
    image = np.ascontiguousarray(sci, dtype=np.float32)
    return _mesh(image, pixel_flags(image, mask, None), cell, floor)


def measure_sky(sci: NDArray[Any], mask: NDArray[Any], detection: Detection) -> SkyMesh:
    """Measure sky level and noise on a mesh, finer where the sky has structure.

    Parameters
    ----------
    sci : (ny, nx) array
        Image [DN].
    mask : (ny, nx) array
        Nonzero where a pixel is not to be used.
    detection : Detection
        ``cell``, and what `mizzle.kernel.detect.structure.follow` asks for.
    """
    image = np.ascontiguousarray(sci, dtype=np.float32)
    return sky_mesh(image, pixel_flags(image, mask, None), detection)


def smooth_level(sci: NDArray[Any], mask: NDArray[Any], cell: int = 12) -> Image:
    """Return the level of the sky at every pixel, from medians of cells: a nebula without its stars.

    Parameters
    ----------
    sci : (ny, nx) array
        Image [DN].
    mask : (ny, nx) array
        Nonzero where a pixel is not to be used.
    cell : int
        Side of a cell [pixel].
    """
    return numpy_twin.spread(background(sci, mask, cell).level, sci.shape)


def sky_mesh(image: Image, flags: FlagArray, detection: Detection) -> SkyMesh:
    """Return what `measure_sky` does, of pixels already flagged: bad ones (1), saturated ones (2)."""
    mesh = _mesh(image, flags, detection.cell, detection.floor)
    fine = _fine_scatter(image, flags, _edges(image.shape, detection.cell))
    return follow(image, flags, mesh, fine=fine, detection=detection)


def _edges(shape: tuple[int, ...], cell: int) -> CellEdges:
    return CellEdges(*(np.linspace(0, n, max(1, round(n / cell)) + 1).astype(np.int64) for n in shape))


def _scratch(edges: CellEdges) -> Image:
    """Return room for the pixels of the largest cell."""
    return np.empty(int(np.diff(edges.y).max() + 1) * int(np.diff(edges.x).max() + 1), dtype=np.float32)


def _fine_scatter(image: Image, flags: FlagArray, edges: CellEdges) -> FloatArray:
    """Return the scatter of pixels about their neighbors in each cell."""
    library = native.library()
    if library is None:
        return numpy_twin.fine_scatter(image, flags, edges)
    scatter = np.empty((edges.y.size - 1, edges.x.size - 1))
    scratch = _scratch(edges)
    library.mz_fine_scatter(
        native.pointer(image), native.pointer(flags), *image.shape, *scatter.shape, native.pointer(edges.y),
        native.pointer(edges.x), native.pointer(scratch), native.pointer(scatter),
    )  # fmt: skip
    return scatter


def _mesh(image: Image, flags: FlagArray, cell: int, floor: float) -> Background:
    """Measure the mesh; flagged pixels do not count."""
    nx = image.shape[1]
    edges = _edges(image.shape, cell)
    library = native.library()
    if library is None:
        level, noise = numpy_twin.background(image, flags, edges)
    else:
        shape = (edges[0].size - 1, edges[1].size - 1)
        level, noise = np.empty(shape), np.empty(shape)
        scratch = _scratch(edges)
        sizes = (nx, shape[0], shape[1])
        arrays: tuple[NDArray[Any], ...] = (edges[0], edges[1], scratch, level, noise)
        library.mz_background(
            native.pointer(image), native.pointer(flags), *sizes, *(native.pointer(a) for a in arrays)
        )
    usable = np.isfinite(level)
    if not usable.any():
        return Background(np.zeros(level.shape), np.full(level.shape, max(floor, 1.0)))
    level[~usable], noise[~usable] = np.median(level[usable]), np.median(noise[usable])
    return Background(level, np.maximum(noise, max(floor, 1e-6)))
