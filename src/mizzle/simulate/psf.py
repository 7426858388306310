"""The simulated point-spread function: undersampled as WFPC2's, and exact to integrate.

A sum of Gaussians that are round on the sky: diffraction core, two halos, and a wing. Charge diffusion (a
property of the chip, in pixels) is added in quadrature. A Gaussian over a rectangle is a product of error
functions, so a stamp costs two small tables per star, at any sub-pixel phase, and its sum is the star's flux.

The wing's weight makes 1/1.096 of the light fall within 0.5 arcsec of the star (Holtzman et al. 1995, PASP
107, 1065), the chip's own pixel included, so that PHOTFLAM refers to all the light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.wfpc2 import INFINITE_APERTURE, STANDARD_APERTURE_ARCSEC
from mizzle.simulate.spikes import SPIKE_SHARE, Spikes, make_spikes

FloatArray = NDArray[np.float64]

#: Width of the core at 7996 A [arcsec]: 2.4 m with a 0.33 obscuration have a FWHM of 0.067 arcsec there.
CORE_SIGMA = 0.0284
CORE_WAVELENGTH = 7996.0
#: Width over the core's, and share of the light inside the wing's, of core and halos.
HALO_WIDTHS = (1.0, 2.9, 6.5)
HALO_SHARES = (0.735, 0.175, 0.09)
#: Width of the wing [arcsec]; stamps reach four times that.
WING_SIGMA = 0.6
STAMP_RADIUS = 2.4
#: Charge diffusion [pixel]: second moment of the kernel with .75 in the center, .05 and .0125 around
#: it (Tiny Tim manual).
DIFFUSION_SIGMA = 0.387


@dataclass(frozen=True, eq=False)
class PointSpread:
    """A sum of round Gaussians on one chip.

    Parameters
    ----------
    sigmas : (k,) array
        Widths on the sky, without diffusion [arcsec].
    weights : (k,) array
        Shares of the light; they sum to 1, or to 1 less the spikes' share.
    diffusion : float
        Width of the charge diffusion [pixel].
    scale : float
        Nominal pixel side [arcsec].
    spikes : Spikes or None
        Diffraction spikes; they hold what the weights leave of 1.
    """

    sigmas: FloatArray
    weights: FloatArray
    diffusion: float
    scale: float
    spikes: Spikes | None = None

    @property
    def half_size(self) -> int:
        """Pixels from a stamp's center to its edge."""
        return int(np.ceil(STAMP_RADIUS / self.scale))

    def breathed(self, change: float) -> PointSpread:
        """Return this function with its core wider by the relative `change`."""
        sigmas = self.sigmas.copy()
        sigmas[0] *= 1.0 + change
        return replace(self, sigmas=sigmas)

    def without_spikes(self) -> PointSpread:
        """Return this function with all light in its round part, the standard aperture's share as before."""
        variance = _total_variance(self.sigmas, self.diffusion, self.scale, pixel=True)
        return replace(self, weights=_weights(variance, 0.0, 0.0), spikes=None)

    def encircled(self, radius: float, *, pixel: bool = True) -> float:
        """Return the share of light within `radius` [arcsec], the smoothing by a pixel included on demand."""
        variance = _total_variance(self.sigmas, self.diffusion, self.scale, pixel=pixel)
        lines = SPIKE_SHARE * self.spikes.within(radius, self.scale) if self.spikes is not None else 0.0
        return float(np.sum(self.weights * (1.0 - np.exp(-0.5 * radius**2 / variance)))) + lines


def _total_variance(sigmas: FloatArray, diffusion: float, scale: float, *, pixel: bool) -> FloatArray:
    """Return the variance of each component per axis [arcsec2]; a pixel adds side squared / 12."""
    return np.asarray(sigmas**2 + (diffusion**2 + (1.0 / 12.0 if pixel else 0.0)) * scale**2)


def point_spread(
    scale: float, wavelength: float, *, diffusion: float = DIFFUSION_SIGMA, spikes: bool = False
) -> PointSpread:
    """Return the point-spread function of a chip.

    Parameters
    ----------
    scale : float
        Pixel side [arcsec].
    wavelength : float
        Pivot wavelength [A]; core and halos go with it.
    diffusion : float
        Width of the charge diffusion [pixel].
    spikes : bool
        Whether there are diffraction spikes. Their light comes out of the wing, so that the standard aperture holds
        the same share.
    """
    core = CORE_SIGMA * wavelength / CORE_WAVELENGTH
    sigmas = np.array([*(core * width for width in HALO_WIDTHS), WING_SIGMA])
    variance = _total_variance(sigmas, diffusion, scale, pixel=True)
    lines = make_spikes(scale, wavelength) if spikes else None
    near = lines.within(STANDARD_APERTURE_ARCSEC, scale) if lines is not None else 0.0
    weights = _weights(variance, SPIKE_SHARE if spikes else 0.0, near)
    return PointSpread(sigmas, weights, diffusion, scale, lines)


def _weights(variance: FloatArray, spikes: float, near: float) -> FloatArray:
    """Return the shares of core, halos and wing that put 1/1.096 of all light within 0.5 arcsec.

    Parameters
    ----------
    variance : (k,) array
        Per axis, the pixel included [arcsec2].
    spikes, near : float
        Share of the light in the spikes; the part of it that falls within the aperture.
    """
    inside = 1.0 - np.exp(-0.5 * STANDARD_APERTURE_ARCSEC**2 / variance)
    inner = float(np.dot(HALO_SHARES, inside[:-1]))
    round_share = 1.0 - spikes
    wing = (round_share * inner + spikes * near - 1.0 / INFINITE_APERTURE) / (inner - inside[-1])
    return np.array([*((round_share - wing) * share for share in HALO_SHARES), wing])


def stamps(
    psf: PointSpread,
    center: tuple[FloatArray, FloatArray],
    scales: tuple[FloatArray, FloatArray],
    edges: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Integrate the function over rectangles around stars.

    Parameters
    ----------
    psf : PointSpread
        The function.
    center : (n,) arrays
        x and y of the stars [pixel].
    scales : (n,) arrays
        Sky length of a pixel along x and y at each star [arcsec].
    edges : (n, m + 1) arrays
        Edges of the pixels around each star along x and y [pixel].

    Returns
    -------
    stamps : (n, my, mx) array
        Share of each star's light in each pixel.
    """
    from scipy.special import ndtr

    sides = []
    for where, side, edge in zip(center, scales, edges, strict=True):
        width = np.sqrt((psf.sigmas[None, :] / side[:, None]) ** 2 + psf.diffusion**2)
        below = ndtr((edge[:, None, :] - where[:, None, None]) / width[:, :, None])
        sides.append(np.diff(below, axis=2))
    return np.asarray(np.matmul((sides[1] * psf.weights[None, :, None]).transpose(0, 2, 1), sides[0]))
