"""Finding stars on undersampled images: background, peaks, and pixel-integrated profile fits.

Arrays in, arrays out. The profile is the sum of two round Gaussians integrated over square pixels: a core and a
halo of the same center. It follows the measured WFPC2 profile, whose brightest pixel may hold 45 % of the light,
closely enough for centroids without a noticeable pixel-phase bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Columns of a list of sources: positions 0-based [pixel], fluxes [DN], 1-sigma errors, shape measures.
SOURCE_DTYPE = np.dtype(
    [
        ("x", np.float64),
        ("y", np.float64),
        ("x_err", np.float64),
        ("y_err", np.float64),
        ("flux", np.float64),
        ("flux_err", np.float64),
        ("peak", np.float64),
        ("snr", np.float64),
        ("sky", np.float64),
        ("chi2", np.float64),
        ("sharpness", np.float64),
        ("roundness", np.float64),
        ("saturated", np.bool_),
    ]
)


@dataclass(frozen=True)
class Profile:
    """A star's profile before it is integrated over pixels.

    Parameters
    ----------
    sigma : float
        Width of the core [pixel].
    halo_sigma : float
        Width of the halo [pixel].
    halo : float
        Share of the flux in the halo.
    radius : int
        Half-side of the fit window [pixel].
    """

    sigma: float
    halo_sigma: float
    halo: float
    radius: int = 2


@dataclass(frozen=True)
class Detection:
    """How sources are found on one chip.

    Parameters
    ----------
    profile : Profile
        Expected shape of a star.
    gain : float
        Electrons per DN, for the sources' own noise.
    floor : float
        Smallest credible noise of a sky pixel [DN]: read noise over gain.
    threshold : float
        Least signal-to-noise ratio of the matched filter.
    max_chi2 : float
        Largest reduced chi-square of the profile fit.
    sharpness : (float, float)
        Allowed ratio of the brightest pixel to the fitted profile there.
    max_roundness : float
        Largest difference between the widths along x and y, relative to their mean.
    max_sources : int
        Keep the brightest.
    cell : int
        Side of the background cells [pixel].
    edge : int
        Peaks closer than this to a border are ignored [pixel].
    mismatch : float
        Relative error of the profile, part of the noise of the fit.
    """

    profile: Profile
    gain: float = 7.0
    floor: float = 0.0
    threshold: float = 6.0
    max_chi2: float = 4.0
    sharpness: tuple[float, float] = (0.6, 1.35)
    max_roundness: float = 0.8
    max_sources: int = 500
    cell: int = 50
    edge: int = 5
    mismatch: float = 0.05


def background(
    sci: NDArray[Any], mask: NDArray[Any], cell: int = 50, floor: float = 0.0
) -> tuple[FloatArray, FloatArray]:
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
    ny, nx = sci.shape
    my, mx = max(1, round(ny / cell)), max(1, round(nx / cell))
    y_edges, x_edges = np.linspace(0, ny, my + 1).astype(int), np.linspace(0, nx, mx + 1).astype(int)
    values = np.where(mask[::2, ::2] != 0, np.inf, sci[::2, ::2])
    values[~np.isfinite(values)] = np.inf
    y_half, x_half = (y_edges + 1) // 2, (x_edges + 1) // 2
    level, noise = np.full((my, mx), np.nan), np.full((my, mx), np.nan)
    for j in range(my):
        for i in range(mx):
            cut = values[y_half[j] : y_half[j + 1], x_half[i] : x_half[i + 1]].ravel()
            ordered = np.sort(cut)
            good = int(np.searchsorted(ordered, np.inf))
            if good < max(8, cut.size // 5):
                continue
            level[j, i] = 0.5 * (float(ordered[(good - 1) // 2]) + float(ordered[good // 2]))
            noise[j, i] = level[j, i] - float(ordered[round(0.15866 * (good - 1))])
    usable = np.isfinite(level)
    if not usable.any():
        return np.zeros((my, mx)), np.full((my, mx), max(floor, 1.0))
    level[~usable], noise[~usable] = np.median(level[usable]), np.median(noise[usable])
    return level, np.maximum(noise, max(floor, 1e-6))


def _interpolation(size: int, cells: int) -> FloatArray:
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


def spread(mesh: FloatArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate a mesh of cells linearly to all pixels of an image of `shape`."""
    rows = _interpolation(shape[0], mesh.shape[0]).astype(np.float32)
    columns = _interpolation(shape[1], mesh.shape[1]).astype(np.float32)
    image: NDArray[np.float32] = rows @ mesh.astype(np.float32) @ columns.T
    return image


def _peaks(excess: NDArray[np.float32], limit: NDArray[np.float32], edge: int) -> NDArray[np.int64]:
    """Return flat indices of local maxima of `excess` (3 x 3) above `limit`, `edge` pixels inside the border."""
    nx = excess.shape[1]
    above = excess > limit
    above[:edge], above[-edge:], above[:, :edge], above[:, -edge:] = False, False, False, False
    index = np.flatnonzero(above)
    flat = excess.ravel()
    value = flat[index]
    keep = np.ones(index.size, dtype=np.bool_)
    for step in (-nx - 1, -nx, -nx + 1, -1):
        keep &= value >= flat[index + step]
    for step in (1, nx - 1, nx, nx + 1):
        keep &= value > flat[index + step]
    chosen: NDArray[np.int64] = index[keep].astype(np.int64)
    return chosen


def _erf(z: FloatArray, gauss: FloatArray) -> FloatArray:
    """Error function to 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26), given ``gauss = exp(-z**2)``."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(z))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.copysign(1.0 - poly * gauss, z)


def _axis(offset: FloatArray, center: FloatArray, sigma: float) -> tuple[FloatArray, FloatArray]:
    """Integrate a Gaussian over pixels along one axis.

    Parameters
    ----------
    offset : (k,) array
        Pixel centers.
    center : (n,) array
        Centers of the Gaussians.
    sigma : float
        Their width.

    Returns
    -------
    integral, slope : (n, k) array
        Share of the flux in each pixel, and its derivative by the center.
    """
    edges = np.concatenate([offset - 0.5, offset[-1:] + 0.5])
    z = (edges[None, :] - center[:, None]) / (np.sqrt(2.0) * sigma)
    gauss = np.exp(-z * z)
    cumulative = 0.5 * _erf(z, gauss)
    density = gauss / (np.sqrt(2.0 * np.pi) * sigma)
    return np.diff(cumulative, axis=1), -np.diff(density, axis=1)


def profile_stamps(profile: Profile, dx: FloatArray, dy: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the pixel-integrated profile of unit flux and its derivatives by the center.

    Parameters
    ----------
    profile : Profile
        The shape.
    dx, dy : (n,) array
        Center relative to the window's middle pixel.

    Returns
    -------
    value, by_x, by_y : (n, k, k) array
        ``k = 2 * profile.radius + 1``, indexed ``[star, y, x]``.
    """
    offset = np.arange(-profile.radius, profile.radius + 1, dtype=np.float64)
    value, by_x, by_y = 0.0, 0.0, 0.0
    for sigma, share in ((profile.sigma, 1.0 - profile.halo), (profile.halo_sigma, profile.halo)):
        ix, sx = _axis(offset, dx, sigma)
        iy, sy = _axis(offset, dy, sigma)
        value = value + share * iy[:, :, None] * ix[:, None, :]
        by_x = by_x + share * iy[:, :, None] * sx[:, None, :]
        by_y = by_y + share * sy[:, :, None] * ix[:, None, :]
    return np.asarray(value), np.asarray(by_x), np.asarray(by_y)


def _solve(design: FloatArray, weight: FloatArray, data: FloatArray) -> tuple[FloatArray, FloatArray]:
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
    return (inverse @ right[:, :, None])[:, :, 0], inverse


@dataclass(frozen=True)
class _Windows:
    """Square cut-outs around peaks: data less the mesh background, use (0 or 1), sky noise."""

    data: FloatArray
    use: FloatArray
    noise: FloatArray


def _fit(windows: _Windows, detection: Detection, iterations: int = 6) -> dict[str, FloatArray]:
    """Fit position, flux and local background of each window by Gauss-Newton steps."""
    profile = detection.profile
    n = windows.data.shape[0]
    dx, dy, sky = np.zeros(n), np.zeros(n), np.zeros(n)
    stamp0 = profile_stamps(profile, np.zeros(1), np.zeros(1))[0][0].ravel()
    flux = np.maximum(windows.data[:, stamp0.size // 2], 0.0) / stamp0.max()
    for step in range(iterations + 1):
        value, by_x, by_y = (p.reshape(n, -1) for p in profile_stamps(profile, dx, dy))
        model = flux[:, None] * value
        variance = (
            windows.noise[:, None] ** 2 + np.maximum(model, 0.0) / detection.gain + (detection.mismatch * model) ** 2
        )
        weight = windows.use / variance
        residual = windows.data - model - sky[:, None]
        design = np.stack([flux[:, None] * by_x, flux[:, None] * by_y, value, np.ones_like(value)], axis=1)
        change, covariance = _solve(design, weight, residual)
        if step == iterations:
            break
        dx = np.clip(dx + np.clip(change[:, 0], -0.4, 0.4), -1.2, 1.2)
        dy = np.clip(dy + np.clip(change[:, 1], -0.4, 0.4), -1.2, 1.2)
        flux = np.maximum(flux + change[:, 2], 0.1 * flux)
        sky = sky + change[:, 3]
    freedom = np.maximum(windows.use.sum(axis=1) - 4.0, 1.0)
    middle = stamp0.size // 2
    return {
        "dx": dx,
        "dy": dy,
        "flux": flux,
        "sky": sky,
        "chi2": (weight * residual**2).sum(axis=1) / freedom,
        "x_err": np.sqrt(covariance[:, 0, 0]),
        "y_err": np.sqrt(covariance[:, 1, 1]),
        "flux_err": np.sqrt(covariance[:, 2, 2]),
        "sharpness": (windows.data[:, middle] - sky) / np.maximum(model[:, middle], 1e-9),
        "roundness": _roundness(windows.data - sky[:, None], windows.use, profile.radius),
    }


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


def _cut(excess: NDArray[Any], index: NDArray[np.int64], radius: int) -> FloatArray:
    """Return ``(n, k * k)`` cut-outs of half-side `radius` around flat indices."""
    nx = excess.shape[1]
    step = np.arange(-radius, radius + 1)
    offsets = (step[:, None] * nx + step[None, :]).ravel()
    return excess.ravel()[index[:, None] + offsets[None, :]].astype(np.float64)


def _quick(windows: _Windows, detection: Detection) -> NDArray[np.bool_]:
    """Return the windows whose matched-filter signal could reach the threshold: a cheap first look."""
    stamp = profile_stamps(detection.profile, np.zeros(1), np.zeros(1))[0][0].ravel()
    tilt = stamp - stamp.mean()  # blind to a constant background
    power = float((tilt * tilt).sum())
    signal = (windows.data * windows.use) @ tilt / power
    return np.asarray(signal * np.sqrt(power) > 0.5 * detection.threshold * windows.noise)


def _isolated(x: FloatArray, y: FloatArray, separation: float) -> NDArray[np.bool_]:
    """Return True for sources, sorted by importance, that no earlier one precedes within `separation`."""
    keep = np.ones(x.size, dtype=np.bool_)
    order = np.argsort(x, kind="stable")
    reach = np.searchsorted(x[order], x[order] + separation, side="right")
    for first, last in enumerate(reach):
        for second in range(first + 1, last):
            a, b = order[first], order[second]
            if np.hypot(x[a] - x[b], y[a] - y[b]) < separation:
                keep[max(a, b)] = False
    return keep


def detect(
    sci: NDArray[Any],
    mask: NDArray[Any],
    detection: Detection,
    *,
    saturated: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Find stars and fit their positions.

    Local maxima above three times the local noise are fitted with the pixel-integrated profile, a flux and a
    background of their own. Signal-to-noise, chi-square, sharpness and roundness then decide: a cosmic ray's
    single pixel is too sharp, its track fits badly.

    Parameters
    ----------
    sci : (ny, nx) array
        Image [DN].
    mask : (ny, nx) array
        Nonzero where a pixel is bad. A source needs its 3 x 3 center good.
    detection : Detection
        What a star looks like, and the limits.
    saturated : (ny, nx) array, optional
        Nonzero where a pixel is saturated. Such pixels do not enter the fit; a source that holds some is
        centered on its wings and marked.

    Returns
    -------
    sources : (n,) structured array
        `SOURCE_DTYPE`, brightest first.
    """
    image = np.asarray(sci, dtype=np.float32)
    bad = (np.asarray(mask) != 0) | ~np.isfinite(image)
    full = np.zeros(image.shape, dtype=np.bool_) if saturated is None else np.asarray(saturated) != 0
    radius = detection.profile.radius
    if min(image.shape) <= 2 * max(radius, detection.edge) + 1:
        return np.zeros(0, dtype=SOURCE_DTYPE)
    level, noise = background(image, bad | full, detection.cell, detection.floor)
    noise_image = spread(noise, image.shape)
    excess = np.where(bad, np.float32(0.0), image - spread(level, image.shape))
    index = _peaks(excess, np.float32(3.0) * noise_image, max(detection.edge, radius))
    unusable = bad | full
    use = 1.0 - _cut(unusable, index, radius)
    windows = _Windows(_cut(excess, index, radius), use, noise_image.ravel()[index].astype(np.float64))
    bad_core = _cut(bad, index, 1).sum(axis=1)
    keep = (bad_core == 0) & (use.sum(axis=1) >= 0.6 * use.shape[1]) & _quick(windows, detection)
    index = index[keep]
    windows = _Windows(windows.data[keep], windows.use[keep], windows.noise[keep])
    return _select(_fit(windows, detection), windows, index, image.shape[1], detection)


def _select(
    fit: dict[str, FloatArray],
    windows: _Windows,
    index: NDArray[np.int64],
    nx: int,
    detection: Detection,
) -> NDArray[Any]:
    """Apply the limits and build the list, brightest first."""
    middle = windows.use.shape[1] // 2
    sources = np.zeros(index.size, dtype=SOURCE_DTYPE)
    inflate = np.sqrt(np.maximum(fit["chi2"], 1.0))
    sources["x"], sources["y"] = index % nx + fit["dx"], index // nx + fit["dy"]
    sources["x_err"], sources["y_err"] = fit["x_err"] * inflate, fit["y_err"] * inflate
    for name in ("flux", "sky", "chi2", "sharpness", "roundness"):
        sources[name] = fit[name]
    sources["flux_err"] = fit["flux_err"] * inflate
    sources["peak"] = windows.data[:, middle]
    sources["snr"] = fit["flux"] / np.maximum(fit["flux_err"], 1e-12)
    core = windows.use.reshape(-1, 2 * detection.profile.radius + 1, 2 * detection.profile.radius + 1)
    r = detection.profile.radius
    sources["saturated"] = (core[:, r - 1 : r + 2, r - 1 : r + 2] == 0).any(axis=(1, 2))
    low, high = detection.sharpness
    unsaturated_ok = (
        (sources["sharpness"] >= low)
        & (sources["sharpness"] <= high)
        & (np.abs(sources["roundness"]) <= detection.max_roundness)
    )
    good = (
        (sources["snr"] >= detection.threshold)
        & (fit["chi2"] <= detection.max_chi2)
        & (np.abs(fit["dx"]) < 1.0)
        & (np.abs(fit["dy"]) < 1.0)
        & (unsaturated_ok | sources["saturated"])
    )
    sources = sources[good]
    sources = sources[np.lexsort((sources["x"], sources["y"], -sources["flux"]))]
    sources = sources[_isolated(sources["x"], sources["y"], 1.5)]
    return sources[: detection.max_sources]
