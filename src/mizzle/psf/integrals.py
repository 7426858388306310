"""The optical image of a star, integrated over any rectangle: light is conserved, whatever the pixels' sizes.

The image is a cubic B-spline through its samples. The integral of such a spline from minus infinity is a quartic one,
whose coefficients are the running sums (Unser 1999, IEEE Signal Processing Magazine 16, 22). So a table of running
sums, read at the corners of a pixel, gives what falls on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.kernel.splines import cubic_transform
from mizzle.psf.image import OVERSAMPLING, REACH
from mizzle.psf.optics import Optics, optical_transfer, pixel_transfer

#: Between these radii, over `REACH`, the image is faded out.
_FADE = (0.75, 0.95)
#: Rows of the table added at each end, where sums are 0 or all.
_FRAME = 4


@dataclass(frozen=True, eq=False)
class IntegratedImage:
    """Running sums of a star's image before pixels and their diffusion.

    Parameters
    ----------
    sums : (m, m) array
        Coefficients of the integral, framed by `_FRAME` rows of zeros or of the last sums.
    samples : (k, k) array
        The image itself; its center is sample ``k // 2``. It sums to 1.
    oversampling : int
        Samples per pixel.
    stretch : float
        Size of the image over that of the samples.
    """

    sums: FloatArray
    samples: FloatArray
    oversampling: int = OVERSAMPLING
    stretch: float = 1.0

    def stretched(self, factor: float) -> IntegratedImage:
        """Return the image larger by `factor`."""
        return replace(self, stretch=self.stretch * factor)

    def over(self, x_edges: FloatArray, y_edges: FloatArray) -> FloatArray:
        """Return the share of light on each pixel, ``(n, my, mx)``.

        Parameters
        ----------
        x_edges, y_edges : (n, mx + 1) and (n, my + 1) arrays
            Edges of the pixels around each star, from its center [nominal pixel].
        """
        rows, row_weights = self._taps(y_edges)
        columns, column_weights = self._taps(x_edges)
        total = np.zeros((*y_edges.shape, x_edges.shape[1]))
        for a in range(5):
            line = np.zeros_like(total)
            for b in range(5):
                line += self.sums[rows[:, :, None] + a, columns[:, None, :] + b] * column_weights[b][:, None, :]
            total += line * row_weights[a][:, :, None]
        return np.diff(np.diff(total, axis=1), axis=2)

    def _taps(self, edges: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the first of the five sums around each edge, and their weights, ``(5, n, m)``."""
        middle = self.samples.shape[0] // 2
        at = edges * (self.oversampling / self.stretch) + middle - 0.5
        at = np.clip(at, -2.0, self.samples.shape[0] + 1.0)
        near = np.rint(at)
        return (near - 2.0 + _FRAME).astype(np.intp), quartic(at - near)

    def encircled(self, radius: float, *, diffusion: tuple[float, float, float], pixel: bool) -> float:
        """Return the share of light within `radius` [pixel] of the star, as pixels of it or without their size."""
        k = self.samples.shape[0]
        f = np.asarray(np.fft.fftfreq(k, 1.0 / self.oversampling), np.float64) / self.stretch
        factor = pixel_transfer(diffusion, f, f, area=pixel)
        seen = np.fft.ifft2(np.fft.fft2(np.fft.ifftshift(self.samples)) * factor).real
        offset = np.fft.ifftshift(np.arange(k) - k // 2) * (self.stretch / self.oversampling)
        within = np.hypot(offset[:, None], offset[None, :])
        soft = np.clip((radius - within) * self.oversampling / self.stretch + 0.5, 0.0, 1.0)
        return float((seen * soft).sum())


def quartic(offset: FloatArray) -> FloatArray:
    """Return the five weights of a quartic B-spline around its nearest knot, ``(5, ...)``; `offset` within 0.5."""

    def inner(x: FloatArray) -> FloatArray:
        return np.asarray(55 / 96 + x * (5 / 24 + x * (-5 / 4 + x * (5 / 6 - x / 6))))

    d2 = offset * offset
    return np.stack(
        [
            (0.5 - offset) ** 4 / 24.0,
            inner(1.0 + offset),
            115 / 192 - d2 * (5 / 8 - d2 / 4),
            inner(1.0 - offset),
            (0.5 + offset) ** 4 / 24.0,
        ]
    )


def integrated(samples: FloatArray, oversampling: int = OVERSAMPLING) -> IntegratedImage:
    """Return the integrals of a sampled image; it is scaled to a sum of 1.

    Parameters
    ----------
    samples : (k, k) array
        Even `k`; the star's center is sample ``k // 2``; it should fade out before its border.
    """
    shape = samples.shape
    f = np.asarray(np.fft.fftfreq(shape[0]), np.float64)
    spline = cubic_transform(f)
    samples = samples / samples.sum()
    coefficients = np.fft.ifft2(np.fft.fft2(samples) / (spline[:, None] * spline[None, :])).real
    sums = np.cumsum(np.cumsum(coefficients, axis=0), axis=1)
    sums = np.pad(np.pad(sums, ((0, _FRAME + 2),) * 2, mode="edge"), ((_FRAME, 0),) * 2)
    return IntegratedImage(sums, samples, oversampling)


@lru_cache(maxsize=32)
def optical_integrals(optics: Optics) -> IntegratedImage:
    """Return the integrals of what telescope, jitter and spread make; pixels and their kernel are the caller's.

    It fades out at `REACH`: farther light is a matter of scattering, not of diffraction.
    """
    half = OVERSAMPLING * math.ceil(REACH / optics.pixel)
    f = np.asarray(np.fft.fftfreq(2 * half, 1.0 / OVERSAMPLING), np.float64)
    samples = np.fft.fftshift(np.fft.ifft2(optical_transfer(optics, f, f)).real)
    offset = (np.arange(2 * half) - half) / OVERSAMPLING * optics.pixel / REACH
    reach = np.hypot(offset[:, None], offset[None, :])
    fade = np.clip((_FADE[1] - reach) / (_FADE[1] - _FADE[0]), 0.0, 1.0)
    return integrated(samples * fade * fade * (3.0 - 2.0 * fade))
