"""The image of a star as pixels record it, at any place within a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.kernel.splines import cubic_transform, cubic_weights
from mizzle.psf.optics import Optics, optical_transfer, pixel_transfer

#: Samples per pixel: twice the highest frequency that a 2.4 m mirror sends to a 0.1 arcsec pixel at 3000 Angstrom.
OVERSAMPLING = 8
#: The image is computed out to this [arcsec]; what light falls farther is folded back, a smooth 2-4 %.
REACH = 0.8


@dataclass(frozen=True, eq=False)
class StarImage:
    """A star's image: the share of its light that a pixel gets, by the pixel's distance from the star.

    Parameters
    ----------
    coefficients : (m, m) array
        Of a cubic B-spline through the samples, ``[y, x]``; the star's center is sample ``[m // 2, m // 2]``.
    oversampling : int
        Samples per pixel.
    """

    coefficients: FloatArray
    oversampling: int = OVERSAMPLING

    @property
    def reach(self) -> int:
        """Greatest whole number of pixels from the star at which the image is known at any sub-pixel place."""
        return int((self.coefficients.shape[0] // 2 - 2) // self.oversampling - 1)

    def pixels(self, dx: FloatArray, dy: FloatArray, radius: int) -> FloatArray:
        """Return what the pixels around stars get of their light.

        Parameters
        ----------
        dx, dy : (n,) array
            Center of each star relative to the middle pixel's, at most 1 [pixel].
        radius : int
            Half-side of the window [pixel], at most `reach`.

        Returns
        -------
        shares : (n, k, k) array
            ``k = 2 * radius + 1``, indexed ``[star, y, x]``.

        Raises
        ------
        ValueError
            The window is wider than the image.
        """
        if radius > self.reach:
            raise ValueError(f"radius {radius} is wider than the image ({self.reach} pixels)")
        rows, down = self._taps(np.atleast_1d(dy), radius)
        columns, across = self._taps(np.atleast_1d(dx), radius)
        n, k, _ = rows.shape
        side = self.coefficients.shape[1]
        flat = (rows * side).reshape(n, 4 * k, 1) + columns.reshape(n, 1, 4 * k)
        near = self.coefficients.ravel()[flat].reshape(n, 4 * k * k, 4)
        narrow = (near @ cubic_weights(across)[:, :, None]).reshape(n, k, 4, k)
        return np.asarray((cubic_weights(down)[:, None, None, :] @ narrow)[:, :, 0, :])

    def _taps(self, offset: FloatArray, radius: int) -> tuple[NDArray[np.intp], FloatArray]:
        """Return samples, ``(n, k, 4)``, and how far the star's is from the second of them, ``(n,)``."""
        at = self.coefficients.shape[0] // 2 - np.asarray(offset, np.float64) * self.oversampling
        low = np.floor(at)
        steps = np.arange(-radius, radius + 1) * self.oversampling
        taps = (low[:, None].astype(np.intp) + steps[None, :])[:, :, None] + np.arange(-1, 3)
        return taps, at - low

    @cached_property
    def peak_share(self) -> float:
        """Share of the light in the brightest pixel of a star centered on it."""
        return float(self._centered[1, 1])

    @cached_property
    def neighbor_ratio(self) -> float:
        """Peak of such a star over the mean of its four neighbors."""
        return float(4.0 * self._centered[1, 1] / self._centered[[0, 1, 1, 2], [1, 0, 2, 1]].sum())

    @cached_property
    def fwhm(self) -> float:
        """Full width at half maximum, the pixel included, mean of the two axes [pixel]."""
        grid = np.linspace(0.0, 3.0, 301)
        along = [self.pixels(dx, dy, 0)[:, 0, 0] for dx, dy in ((grid, 0 * grid), (0 * grid, grid))]
        halves = [float(np.interp(-0.5 * profile[0], -profile, grid)) for profile in along]
        return halves[0] + halves[1]

    @cached_property
    def correlation_length(self) -> float:
        """Length `l` of the Gaussian ``exp(-d**2 / 2 l**2)`` that the image's autocorrelation is near its middle.

        Starlight at two pixels of a field of stars at random places is correlated as the image itself is [pixel]. They
        are matched where both have fallen to .8: farther out the image has wings, which say nothing of a core.
        """
        spline = cubic_transform(np.asarray(np.fft.fftfreq(self.coefficients.shape[0]), np.float64))
        power = np.abs(np.fft.fft2(self.coefficients) * spline[:, None] * spline[None, :]) ** 2
        both = np.fft.ifft2(power).real
        steps = np.arange(3 * self.oversampling)
        along = 0.5 * (both[0, steps] + both[steps, 0]) / both[0, 0]
        fallen = np.interp(0.2, 1.0 - along, (steps / self.oversampling) ** 2)
        return math.sqrt(float(fallen) / (2.0 * math.log(1.0 / 0.8)))

    @cached_property
    def _centered(self) -> FloatArray:
        zero = np.zeros(1)
        return np.asarray(self.pixels(zero, zero, 1)[0])


@lru_cache(maxsize=64)
def star_image(optics: Optics) -> StarImage:
    """Return the image of a star; computed once for each `optics`.

    Parameters
    ----------
    optics : Optics
        Telescope, band, pixel, charge diffusion.

    Examples
    --------
    A pixel far smaller than the image takes a small share of the light, whatever lies around.

    >>> blue, red = (star_image(Optics(0.0455, pivot)) for pivot in (3000.0, 9000.0))
    >>> blue.peak_share > 3 * red.peak_share > 0
    True
    """
    half = OVERSAMPLING * math.ceil(REACH / optics.pixel)
    f = np.asarray(np.fft.rfftfreq(2 * half, 1.0 / OVERSAMPLING), np.float64)
    spline = cubic_transform(f / OVERSAMPLING)
    spectrum = optical_transfer(optics, f, f) * pixel_transfer(optics.diffusion, f, f)
    spectrum /= spline[:, None] * spline[None, :]
    # An image symmetric along both axes: negative frequencies mirror the others.
    mirrored = spectrum[np.abs(np.arange(2 * half) - 2 * half * (np.arange(2 * half) > half))]
    coefficients = np.fft.fftshift(np.fft.irfft2(mirrored, (2 * half, 2 * half))) * OVERSAMPLING**2
    coefficients.flags.writeable = False
    return StarImage(coefficients)
