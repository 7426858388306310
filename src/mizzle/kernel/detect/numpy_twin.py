"""The NumPy twin of src/detect.c and src/star_fit.c: background, peaks, and profile fits. This is the definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image
from mizzle.arrays import Marks as FlagArray
from mizzle.kernel.detect.types import (
    FARTHEST,
    Background,
    CellEdges,
    Detection,
    Excess,
    SampledProfile,
    StarPeaks,
    profile_stamps,
)

#: Bits of the flags: a pixel that is bad, or saturated.
BAD, FULL = 1, 2

#: Columns of a fit.
FIT_COLUMNS = (
    "dx", "dy", "flux", "sky", "chi2", "x_err", "y_err", "flux_err", "sharpness", "roundness", "used",
)  # fmt: skip

#: Gauss-Newton steps of a fit, and the step that ends it [pixel].
ITERATIONS, SETTLED = 8, 1e-3

#: Of fits of several images in turn: steps of the first, and of those that begin where the one before ended; the
#: longest step, and how far a star may be from its brightest pixel [pixel].
FIRST_STEPS, MORE_STEPS, LONGEST_STEP, FARTHEST_FIT = 6, 2, 0.3, 0.8


def background(sci: Image, flags: FlagArray, edges: CellEdges) -> Background:
    """Return level and noise of each cell, NaN where too few pixels are good; see `front.background`."""
    y_edges, x_edges = edges
    my, mx = y_edges.size - 1, x_edges.size - 1
    values = np.where(flags[::2, ::2] != 0, np.float32(np.inf), sci[::2, ::2])
    y_half, x_half = (y_edges + 1) // 2, (x_edges + 1) // 2
    level, noise = np.full((my, mx), np.nan), np.full((my, mx), np.nan)
    for j in range(my):
        for i in range(mx):
            cut = values[y_half[j] : y_half[j + 1], x_half[i] : x_half[i + 1]].ravel()
            ordered = np.sort(cut)
            good = int(np.searchsorted(ordered, np.inf))
            if good < max(8, cut.size // 5):
                continue
            level[j, i], noise[j, i] = _lower_scatter(ordered[:good])
    return Background(level, noise)


def _lower_scatter(ordered: Image) -> tuple[float, float]:
    """Return the median of sorted values, and how far below it their 15.9th percentile lies."""
    n = ordered.size
    median = 0.5 * (float(ordered[(n - 1) // 2]) + float(ordered[n // 2]))
    return median, median - float(ordered[round(0.15866 * (n - 1))])


def fine_scatter(sci: Image, flags: FlagArray, edges: CellEdges) -> FloatArray:
    """Return the scatter of pixels about the mean of four around them, cell by cell, NaN where too few are good.

    The four are two pixels away: the difference is blind to what is smooth over five pixels. Every second pixel of
    every fourth row is asked.
    """
    rows, columns = (np.arange(0, size, step) for size, step in zip(sci.shape, (4, 2), strict=True))
    rows, columns = (a[(a >= 2) & (a < size - 2)] for a, size in zip((rows, columns), sci.shape, strict=True))
    steps = ((0, 0), (0, -2), (0, 2), (-2, 0), (2, 0))
    pixel, left, right, below, above = (sci[np.ix_(rows + j, columns + i)] for j, i in steps)
    bad = np.any([flags[np.ix_(rows + j, columns + i)] != 0 for j, i in steps], axis=0)
    with np.errstate(invalid="ignore"):
        unlike = pixel - np.float32(0.25) * (left + right + below + above)
    y_at, x_at = np.searchsorted(rows, edges.y), np.searchsorted(columns, edges.x)
    scatter = np.full((edges.y.size - 1, edges.x.size - 1), np.nan)
    for j, i in np.ndindex(*scatter.shape):
        cell = np.s_[y_at[j] : y_at[j + 1], x_at[i] : x_at[i + 1]]
        values = unlike[cell][~bad[cell]]
        if values.size >= 100:
            scatter[j, i] = _lower_scatter(np.sort(values))[1]
    return scatter


def interpolation(size: int, cells: int) -> FloatArray:
    """Return the ``(size, cells)`` weights of linear interpolation between cell centers, flat at the ends."""
    if cells == 1:
        return np.ones((size, 1))
    at = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0.0, cells - 1.0)
    low = np.minimum(at.astype(int), cells - 2)
    weights = np.zeros((size, cells))
    rows = np.arange(size)
    weights[rows, low] = 1.0 - (at - low)
    weights[rows, low + 1] = at - low
    return weights


def spread(mesh: FloatArray, shape: tuple[int, int]) -> Image:
    """Interpolate a mesh of cells linearly to all pixels of an image of `shape`."""
    rows = interpolation(shape[0], mesh.shape[0]).astype(np.float32)
    columns = interpolation(shape[1], mesh.shape[1]).astype(np.float32)
    image: Image = rows @ mesh.astype(np.float32) @ columns.T
    return image


def at_places(mesh: FloatArray, x: FloatArray, y: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Interpolate a mesh of cells, as `spread` does, at some pixels of an image of `shape`."""
    rows, columns = (interpolation(size, cells) for size, cells in zip(shape, mesh.shape, strict=True))
    return np.asarray(np.einsum("nj,ji,ni->n", rows[y], mesh, columns[x]))


def excess(sci: Image, flags: FlagArray, mesh: Background, rows: slice) -> Excess:
    """Return some rows of the image less its background, 0 where bad, and the noise of their pixels."""
    above = np.where((flags[rows] & BAD) != 0, np.float32(0.0), sci[rows] - spread(mesh.level, sci.shape)[rows])
    return Excess(above, spread(mesh.noise, sci.shape)[rows])


def cut_out(image: NDArray[Any], index: NDArray[np.int64], radius: int) -> FloatArray:
    """Return ``(n, k * k)`` cut-outs of half-side `radius` around flat indices."""
    nx = image.shape[1]
    step = np.arange(-radius, radius + 1)
    offsets = (step[:, None] * nx + step[None, :]).ravel()
    windows: FloatArray = image.ravel()[index[:, None] + offsets[None, :]].astype(np.float64)
    return windows


def _local_maxima(above: Image, limit: Image, edge: int) -> NDArray[np.int64]:
    """Return flat indices of local maxima (3 x 3) above `limit`, `edge` pixels inside the border."""
    nx = above.shape[1]
    high = above > limit
    high[:edge], high[-edge:], high[:, :edge], high[:, -edge:] = False, False, False, False
    index = np.flatnonzero(high)
    flat = above.ravel()
    value = flat[index]
    keep = np.ones(index.size, dtype=np.bool_)
    for step in (-nx - 1, -nx, -nx + 1, -1):
        keep &= value >= flat[index + step]
    for step in (1, nx - 1, nx, nx + 1):
        keep &= value > flat[index + step]
    return index[keep].astype(np.int64)


def peaks(above: Image, noise: Image, flags: FlagArray, detection: Detection) -> StarPeaks:
    """Return flat indices of peaks that could be stars, and their matched-filter signal [DN].

    A peak stands three times the noise above the background, its 3 x 3 center has no bad pixel, the filter sees at
    least half the threshold, and its four neighbors hold some light: a cosmic ray's single pixel stands alone.
    """
    radius = detection.profile.radius
    index = _local_maxima(above, np.float32(3.0) * noise, max(detection.edge, radius))
    tilt, power, cross = matched_filter(detection)
    use = cut_out(flags == 0, index, radius)
    signal = (cut_out(above, index, radius) * use) @ tilt / power
    core = flags.ravel()[index[:, None] + core_offsets(above.shape[1])[None, :]]
    sigma = noise.ravel()[index].astype(np.float64)
    flat, nx = above.ravel(), above.shape[1]
    four = sum(flat[index + step].astype(np.float64) for step in (-1, 1, -nx, nx))
    keep = ((core & BAD) == 0).all(axis=1) & (use.sum(axis=1) >= 0.6 * use.shape[1])
    full = ((core & FULL) != 0).any(axis=1)
    signal = np.where(full, flat[index], signal)  # a filter without its center says nothing
    keep &= full | (signal * np.sqrt(power) > 0.5 * detection.threshold * sigma)
    keep &= full | (four > cross * flat[index] - 6.0 * sigma)
    return StarPeaks(index[keep], signal[keep])


class MatchedFilter(NamedTuple):
    """The tilted profile, the sum of its square, and the least light of neighbors over the peak."""

    profile: FloatArray
    power: float
    neighbors: float


def matched_filter(detection: Detection) -> MatchedFilter:
    """Return the profile less its mean (blind to a constant), its square summed, and the least light of neighbors.

    The last is 0.6 of what the four neighbors of a centered star hold, over its brightest pixel; a star between
    pixels has more.
    """
    stamp = profile_stamps(detection.profile, np.zeros(1), np.zeros(1))[0][0]
    radius = detection.profile.radius
    tilt = (stamp - stamp.mean()).ravel()
    neighbors = float(0.6 * 4.0 * stamp[radius, radius + 1] / stamp[radius, radius])
    return MatchedFilter(tilt, float((tilt * tilt).sum()), neighbors)


def core_offsets(nx: int) -> NDArray[np.int64]:
    """Return the steps to the nine pixels of a 3 x 3 center."""
    step = np.arange(-1, 2)
    return (step[:, None] * nx + step[None, :]).ravel().astype(np.int64)


class SolvedFits(NamedTuple):
    """What solves many small problems, ``(n, p)``, and their covariances, ``(n, p, p)``."""

    step: FloatArray
    inverse: FloatArray


def solve(design: FloatArray, weight: FloatArray, data: FloatArray) -> SolvedFits:
    """Solve many small weighted least-squares problems.

    Parameters
    ----------
    design : (n, p, k) array
        Derivatives by the parameters.
    weight, data : (n, k) array
        Inverse variance and residual.

    Returns
    -------
    step : (n, p) array
        Solutions.
    inverse : (n, p, p) array
        Covariance matrices.
    """
    weighted = design * weight[:, None, :]
    normal = weighted @ design.transpose(0, 2, 1)
    # A diagonal scaled to one keeps tiny windows solvable without touching the solution.
    scale = 1.0 / np.sqrt(np.maximum(np.einsum("npp->np", normal), 1e-300))
    normal = normal * scale[:, :, None] * scale[:, None, :] + 1e-9 * np.eye(normal.shape[1])
    inverse = np.linalg.inv(normal) * scale[:, :, None] * scale[:, None, :]
    right = (weighted @ data[:, :, None])[:, :, 0]
    return SolvedFits((inverse @ right[:, :, None])[:, :, 0], inverse)


def fit(
    above: Image,
    noise: Image,
    flags: FlagArray,
    index: NDArray[np.int64],
    detection: Detection,
) -> FloatArray:
    """Fit position, flux and local background of each peak by Gauss-Newton steps.

    The weights hold photon noise and the profile's misfit; the errors returned hold photon noise only (what the misfit
    does to positions is measured later, on stars seen twice).

    Returns
    -------
    table : (n, 11) array
        `FIT_COLUMNS`.
    """
    profile, n = detection.profile, index.size
    data = cut_out(above, index, profile.radius)
    use = cut_out(flags == 0, index, profile.radius)
    sigma2 = noise.ravel()[index].astype(np.float64)[:, None] ** 2
    middle = data.shape[1] // 2
    peak = profile_stamps(profile, np.zeros(1), np.zeros(1))[0][0].ravel()[middle]
    dx, dy, sky = np.zeros(n), np.zeros(n), np.zeros(n)
    flux, moving = np.maximum(data[:, middle], 0.0) / peak, np.ones(n, dtype=np.bool_)
    for step in range(ITERATIONS + 1):
        value, by_x, by_y = (p.reshape(n, data.shape[1]) for p in profile_stamps(profile, dx, dy))
        model = flux[:, None] * value
        photon = sigma2 + np.maximum(model, 0.0) / detection.gain
        weight = use / (photon + (detection.mismatch * model) ** 2)
        residual = data - model - sky[:, None]
        design = np.stack([flux[:, None] * by_x, flux[:, None] * by_y, value, np.ones_like(value)], axis=1)
        change, inverse = solve(design, weight, residual)
        if step == ITERATIONS:
            break
        change = np.where(moving[:, None], change, 0.0)
        moving &= (np.abs(change[:, 0]) >= SETTLED) | (np.abs(change[:, 1]) >= SETTLED)
        dx = np.clip(dx + np.clip(change[:, 0], -0.4, 0.4), -FARTHEST, FARTHEST)
        dy = np.clip(dy + np.clip(change[:, 1], -0.4, 0.4), -FARTHEST, FARTHEST)
        flux = np.maximum(flux + change[:, 2], 0.1 * flux)
        sky = sky + change[:, 3]
    meat = (design * (weight * weight * photon)[:, None, :]) @ design.transpose(0, 2, 1)
    error = np.sqrt(np.einsum("npp->np", inverse @ meat @ inverse))
    chi2 = (weight * residual**2).sum(axis=1) / np.maximum(use.sum(axis=1) - 4.0, 1.0)
    sharpness = (data[:, middle] - sky) / np.maximum(model[:, middle], 1e-9)
    shape = _roundness(data - sky[:, None], use, profile.radius)
    columns = (dx, dy, flux, sky, chi2, *error.T[:3], sharpness, shape, use.sum(axis=1))
    return np.column_stack(columns)


def _roundness(data: FloatArray, use: FloatArray, radius: int) -> FloatArray:
    """Compare the light one pixel left and right of the middle with that above and below.

    Twice the difference over the sum, after DAOFIND's idea (Stetson 1987, PASP 99, 191): near 0 for stars, near
    2 for bad columns, near -2 for bad rows.
    """
    side = 2 * radius + 1
    cube = (data * use).reshape(-1, side, side)
    core = cube[:, radius - 1 : radius + 2, radius - 1 : radius + 2]
    along_x = core[:, :, 0].sum(axis=1) + core[:, :, 2].sum(axis=1)
    along_y = core[:, 0, :].sum(axis=1) + core[:, 2, :].sum(axis=1)
    total = np.maximum(np.abs(along_x) + np.abs(along_y), 1e-9)
    return np.asarray(2.0 * (along_y - along_x) / total)


def image_misfits(seen: FloatArray, weight: FloatArray, images: Sequence[SampledProfile]) -> FloatArray:
    """Return how badly images fit stars; see `front.image_misfits`."""
    pixels, weights = (array.reshape(len(array), array.shape[1] * array.shape[2]) for array in (seen, weight))
    place = np.zeros((len(seen), 2))
    misfits = np.zeros((len(images), len(seen)))
    for number, image in enumerate(images):
        rest = pixels
        for _ in range(MORE_STEPS if number else FIRST_STEPS):
            design = np.empty((*pixels.shape, 4))
            design[:, :, 3] = 1.0
            for column, part in enumerate(profile_stamps(image, place[:, 0], place[:, 1])):
                design[:, :, column] = part.reshape(pixels.shape)
            weighted = (design * weights[:, :, None]).transpose(0, 2, 1)
            normal = weighted @ design
            # Without light a place means nothing: a little of the diagonal keeps the equations solvable.
            normal += 1e-9 * np.einsum("nii->ni", normal).max(axis=1, initial=0.0)[:, None, None] * np.eye(4)
            solution = np.linalg.solve(normal, weighted @ pixels[:, :, None])[:, :, 0]
            move = solution[:, 1:3] / np.maximum(solution[:, :1], 1e-9)
            place = np.clip(place + np.clip(move, -LONGEST_STEP, LONGEST_STEP), -FARTHEST_FIT, FARTHEST_FIT)
            rest = pixels - (design @ solution[:, :, None])[:, :, 0]
        misfits[number] = (weights * rest * rest).sum(axis=1)
    return misfits
