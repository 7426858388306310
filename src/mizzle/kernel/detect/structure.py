"""Skies with structure: where light that is no star varies within a cell of the background, it is followed closely.

The scatter of a cell's pixels holds a nebula's slopes besides noise; that of pixels about their neighbors does not.
Where the two disagree the mesh becomes finer, the noise is what a star-shaped filter sees, and what looks like a star
has to stand out from a curved background as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image
from mizzle.arrays import Marks as FlagArray
from mizzle.kernel.detect import numpy_twin
from mizzle.kernel.detect.numpy_twin import cut_out, interpolation, matched_filter
from mizzle.kernel.detect.types import Background, CellEdges, Detection, SkyMesh, profile_stamps

#: A cell has structure where its scatter is so many times that of pixels about their neighbors, and one beside it too,
#: or so many times alone. Of even skies one cell of a thousand reaches 1.6, deep crowds have some more; in nebulae
#: most have 4 to 100.
STRUCTURE, ALONE = 2.0, 4.0
#: Scatter of a pixel less the mean of four others, over that of a pixel.
DIFFERENCE = float(np.sqrt(1.25))
#: Cells of the finer mesh along a side of one of the coarse mesh.
FINER = 4
#: Half-side of the window in which a star has to stand out from a curved background [pixel].
WINDOW = 3
#: Least significance there, in units of the threshold.
STANDS_OUT = 0.7


def follow(image: Image, flags: FlagArray, mesh: Background, *, fine: FloatArray, detection: Detection) -> SkyMesh:
    """Return the background of an image, finer where the sky has structure.

    Parameters
    ----------
    image, flags : (ny, nx) array
        The image, and its bad (1) and saturated (2) pixels.
    mesh : Background
        Level and noise of coarse cells.
    fine : (my, mx) array
        Scatter of pixels about their neighbors in the same cells, NaN where unknown.
    detection : Detection
        ``profile``, ``gain``, ``floor`` and ``step``.
    """
    own = np.maximum(fine / DIFFERENCE, detection.floor)
    beyond = np.where(np.isfinite(own), (mesh.noise - detection.step) / np.maximum(own, 1e-30), 0.0)
    uneven = beyond > STRUCTURE
    structured = uneven & ((beside(uneven) > 1) | (beyond > ALONE))
    if not structured.any():
        return SkyMesh(mesh, structured)
    noise = mesh.noise.copy()
    edges = [
        np.linspace(0, n, FINER * cells + 1).astype(np.int64) for n, cells in zip(image.shape, noise.shape, strict=True)
    ]
    coarse = CellEdges(*(e[::FINER] for e in edges))
    for j, i in np.argwhere(structured):
        seen = _filtered(image, flags, CellEdges(coarse.y[j : j + 2], coarse.x[i : i + 2]), detection)
        noise[j, i] = max(own[j, i], seen, 1e-6)
    rows, columns = (interpolation(FINER * cells, cells) for cells in noise.shape)
    smooth, finer_noise = rows @ mesh.level @ columns.T, rows @ noise @ columns.T
    level = smooth.copy()
    for j, i in np.argwhere(np.kron(structured, np.ones((FINER, FINER), np.bool_))):
        cell = np.s_[edges[0][j] : edges[0][j + 1], edges[1][i] : edges[1][i + 1]]
        values = np.sort(image[cell][flags[cell] == 0])
        if 3 * values.size > image[cell].size:
            level[j, i] = values[values.size // 2]
            # More light makes more noise than the cell as a whole has.
            brighter = max(level[j, i] - mesh.level[j // FINER, i // FINER], 0.0)
            finer_noise[j, i] = np.sqrt(finer_noise[j, i] ** 2 + brighter / detection.gain)
    return SkyMesh(Background(level, finer_noise), structured)


def beside(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many of each cell and the eight beside it are set."""
    wide = np.pad(cells.astype(np.int64), 1)
    my, mx = cells.shape
    total: NDArray[np.int64] = np.sum([wide[j : j + my, i : i + mx] for j in range(3) for i in range(3)], axis=0)
    return total


def _filtered(image: Image, flags: FlagArray, cell: CellEdges, detection: Detection) -> float:
    """Return the noise of pixels of which independent ones would scatter a star-shaped filter as much as it does.

    Of the two sides the larger: ridges make only the upper one.
    """
    radius = detection.profile.radius
    (top, bottom), (left, right) = cell
    ny, nx = image.shape
    y = np.arange(max(top, radius), min(bottom, ny - radius), 3)
    x = np.arange(max(left, radius), min(right, nx - radius), 2)
    index = (y[:, None] * nx + x).ravel()
    index = index[(cut_out(flags, index, radius) == 0).all(axis=1)]
    if index.size < 30:
        return 0.0
    tilt, power, _ = matched_filter(detection)
    low, middle, high = np.percentile(cut_out(image, index, radius) @ tilt, (15.866, 50.0, 84.134)) / np.sqrt(power)
    return float(max(middle - low, high - middle))


def stand_out(
    image: Image,
    flags: FlagArray,
    index: NDArray[np.int64],
    *,
    fit: dict[str, FloatArray],
    sky: SkyMesh,
    detection: Detection,
) -> NDArray[np.bool_]:
    """Tell stars from bumps and ridges of a nebula: stars stand out from a background with slopes and curvature.

    Parameters
    ----------
    image, flags : (ny, nx) array
        As for `follow`.
    index : (n,) array
        Flat index of each peak.
    fit : mapping
        Its fit: ``dx``, ``dy``, ``flux``.
    sky : SkyMesh
        The background.
    detection : Detection
        ``profile``, ``gain``, ``threshold``.
    """
    ny, nx = image.shape
    keep = np.ones(index.size, np.bool_)
    y, x = index // nx, index % nx
    some = sky.near_structure(x, y, image.shape)
    some &= (x >= WINDOW) & (y >= WINDOW) & (x < nx - WINDOW) & (y < ny - WINDOW)
    if not some.any():
        return keep
    star = replace(detection.profile, radius=WINDOW)
    profile = profile_stamps(star, fit["dx"][some], fit["dy"][some]).value.reshape(-1, (2 * WINDOW + 1) ** 2)
    noise = numpy_twin.at_places(sky.background.noise, x[some], y[some], image.shape)
    flux = fit["flux"][some]
    step = np.arange(-WINDOW, WINDOW + 1.0) / WINDOW
    v, u = (a.ravel() for a in np.meshgrid(step, step, indexing="ij"))
    curved = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    design = np.concatenate([profile[:, None, :], np.broadcast_to(curved, (len(profile), *curved.shape))], axis=1)
    good = cut_out(flags == 0, index[some], WINDOW)
    weight = good / (noise[:, None] ** 2 + np.maximum(flux, 0.0)[:, None] * profile / detection.gain)
    solution, inverse = numpy_twin.solve(design, weight, cut_out(image, index[some], WINDOW))
    keep[some] = solution[:, 0] >= STANDS_OUT * detection.threshold * np.sqrt(inverse[:, 0, 0])
    return keep
