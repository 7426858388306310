"""What a star looks like on an undersampled chip, and what a list of stars holds.

A profile is a sampled image, as computed from the optics, or the sum of two round Gaussians integrated over square
pixels: a core and a halo of the same center. The brightest pixel of an undersampled star may hold 45 % of the light: a
profile of another shape moves centroids with the pixel phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image
from mizzle.kernel.splines import cubic_slopes, cubic_weights

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


#: Farthest that a fit moves from its peak, as in the C twin [pixel].
FARTHEST = 1.2


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


@dataclass(frozen=True, eq=False)
class SampledProfile:
    """A star's image as pixels record it, sampled finely.

    Parameters
    ----------
    coefficients : (m, m) array
        Of a cubic B-spline, ``[y, x]``: share of the light in a pixel, by its distance from the star, whose center is
        sample ``[m // 2, m // 2]``.
    oversampling : int
        Samples per pixel.
    radius : int
        Half-side of the fit window [pixel].

    Raises
    ------
    ValueError
        The image is narrower than the window, or than how far a fit may move.
    """

    coefficients: FloatArray
    oversampling: int
    radius: int = 2

    def __post_init__(self) -> None:
        side = self.coefficients.shape[0]
        if (
            self.coefficients.shape != (side, side)
            or side // 2 - 2 < (self.radius + math.ceil(FARTHEST)) * self.oversampling
        ):
            raise ValueError(f"image of {self.coefficients.shape} samples for a window of {self.radius} pixels")


class CellEdges(NamedTuple):
    """Edges of the cells of a mesh [pixel]."""

    y: NDArray[np.int64]
    x: NDArray[np.int64]


class Background(NamedTuple):
    """Level and noise of the sky in the cells of a mesh."""

    level: FloatArray
    noise: FloatArray


class SkyMesh(NamedTuple):
    """The background of an image, and which coarse cells it was made finer in, ``(my, mx)``: they have structure."""

    background: Background
    structured: NDArray[np.bool_]

    def near_structure(self, x: FloatArray, y: FloatArray, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return which places, 0-based [pixel], are in cells with structure or beside them, of an image of `shape`."""
        wide = np.pad(self.structured, 1)
        my, mx = self.structured.shape
        near = np.any([wide[j : j + my, i : i + mx] for j in range(3) for i in range(3)], axis=0)
        row = np.clip(np.asarray(y) * my / shape[0], 0, my - 1).astype(np.intp)
        column = np.clip(np.asarray(x) * mx / shape[1], 0, mx - 1).astype(np.intp)
        return np.asarray(near[row, column])


class Excess(NamedTuple):
    """An image less its background, and the noise of every pixel."""

    above: Image
    noise: Image


class StarPeaks(NamedTuple):
    """Flat indices of peaks, and their matched-filter signal [DN]."""

    pixel: NDArray[np.int64]
    signal: FloatArray


class PeakFits(NamedTuple):
    """Fits of peaks, ``(n, columns)``, and their heights [DN]."""

    columns: FloatArray
    height: FloatArray


@dataclass(frozen=True)
class Detection:
    """How sources are found on one chip.

    Parameters
    ----------
    profile : Profile or SampledProfile
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
    step : float
        Of the digitization [DN]; 0 for an image that is no longer in whole numbers.
    """

    profile: Profile | SampledProfile
    gain: float = 7.0
    floor: float = 0.0
    threshold: float = 6.0
    max_chi2: float = 4.0
    sharpness: tuple[float, float] = (0.6, 1.25)
    max_roundness: float = 0.8
    max_sources: int = 500
    cell: int = 50
    edge: int = 5
    mismatch: float = 0.05
    step: float = 0.0


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


class ProfileStamps(NamedTuple):
    """A profile of unit flux in pixels, and its derivatives by the center's x and y."""

    value: FloatArray
    by_x: FloatArray
    by_y: FloatArray


def _sampled_stamps(profile: SampledProfile, dx: FloatArray, dy: FloatArray) -> ProfileStamps:
    """Return what `profile_stamps` does, of a sampled image."""
    middle, scale = profile.coefficients.shape[0] // 2, profile.oversampling
    steps = np.arange(-profile.radius, profile.radius + 1) * scale
    taps, weights, slopes = [], [], []
    for offset in (dy, dx):
        at = middle - offset * scale
        low = np.floor(at)
        taps.append((low[:, None].astype(np.intp) + steps)[:, :, None] + np.arange(-1, 3))
        weights.append(cubic_weights(at - low))
        slopes.append(cubic_slopes(at - low))
    near = profile.coefficients[taps[0][:, :, :, None, None], taps[1][:, None, None, :, :]]

    def weighted(along_y: FloatArray, along_x: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("njaib,na,nb->nji", near, along_y, along_x))

    return ProfileStamps(
        weighted(weights[0], weights[1]),
        -scale * weighted(weights[0], slopes[1]),
        -scale * weighted(slopes[0], weights[1]),
    )


def profile_stamps(profile: Profile | SampledProfile, dx: FloatArray, dy: FloatArray) -> ProfileStamps:
    """Return the pixel-integrated profile of unit flux and its derivatives by the center.

    Parameters
    ----------
    profile : Profile or SampledProfile
        The shape.
    dx, dy : (n,) array
        Center relative to the window's middle pixel.

    Returns
    -------
    value, by_x, by_y : (n, k, k) array
        ``k = 2 * profile.radius + 1``, indexed ``[star, y, x]``.
    """
    if isinstance(profile, SampledProfile):
        return _sampled_stamps(profile, dx, dy)
    offset = np.arange(-profile.radius, profile.radius + 1, dtype=np.float64)
    shape = (dx.size, offset.size, offset.size)
    value, by_x, by_y = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for sigma, share in ((profile.sigma, 1.0 - profile.halo), (profile.halo_sigma, profile.halo)):
        ix, sx = _axis(offset, dx, sigma)
        iy, sy = _axis(offset, dy, sigma)
        value += share * iy[:, :, None] * ix[:, None, :]
        by_x += share * iy[:, :, None] * sx[:, None, :]
        by_y += share * sy[:, :, None] * ix[:, None, :]
    return ProfileStamps(value, by_x, by_y)
