"""Optics: from the pupil of a telescope and a pixel to the transfer function of a star's image.

The light's field over the pupil is one inside the annulus between mirror and obscuration, zero behind the vanes, with a
phase where the focus is off. The autocorrelation of the field is the optical transfer function (Goodman 2005,
Introduction to Fourier Optics, section 6.3). Jitter, the pixel's area, and the diffusion of charge between pixels each
multiply it, so the image of a star *as pixels record it* needs one inverse Fourier transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray

ARCSEC = math.radians(1.0 / 3600.0)
#: Samples across the pupil, each the mean of `_FINE` squared points; wavelengths across a band.
_SAMPLES, _FINE, _WAVELENGTHS = 64, 8, 5


@dataclass(frozen=True)
class Optics:
    """What decides the image of a star in the middle of the field.

    Parameters
    ----------
    pixel : float
        Side of a pixel [arcsec].
    pivot : float
        Pivot wavelength of the band [Angstrom] (PHOTPLAM).
    bandwidth : float
        Its rms width [Angstrom] (PHOTBW); the band is taken for a rectangle of that rms.
    diameter : float
        Of the primary mirror [m].
    obscuration : float
        Diameter of what blocks the middle, over that of the mirror; the relay optics of a camera may block more than
        the telescope.
    vane : float
        Width of the vanes that hold the secondary mirror, over the mirror's diameter; 45 degrees to the axes.
    jitter : float
        Of the pointing during an exposure, 1 sigma per axis [arcsec].
    diffusion : (float, float, float)
        Charge that a pixel keeps, and that each of its four neighbors and four corners gets, wherever in it light fell.
    spread : float
        Charge diffusion that depends on where in a pixel light fell: sigma of a Gaussian per axis [pixel].
    defocus : float
        Error of the wavefront by focus, rms [micrometer].
    """

    pixel: float
    pivot: float
    bandwidth: float = 0.0
    diameter: float = 2.4
    obscuration: float = 0.33
    vane: float = 0.011
    jitter: float = 0.005
    diffusion: tuple[float, float, float] = (1.0, 0.0, 0.0)
    spread: float = 0.0
    defocus: float = 0.0


class Wavelengths(NamedTuple):
    """Wavelengths [m] and the weight of each."""

    value: FloatArray
    weight: FloatArray


class Pupil(NamedTuple):
    """Transmission and defocus over the pupil, ``(n, n)`` each."""

    transmission: FloatArray
    defocus: FloatArray


def wavelengths(optics: Optics) -> Wavelengths:
    """Return wavelengths over the band [m], and their weights: Gauss and Legendre's over a rectangle."""
    if optics.bandwidth <= 0.0:
        return Wavelengths(np.array([1e-10 * optics.pivot]), np.ones(1))
    nodes, weights = np.polynomial.legendre.leggauss(_WAVELENGTHS)
    # No more than to half the pivot, whatever a header says.
    half = min(math.sqrt(3.0) * optics.bandwidth, 0.5 * optics.pivot)
    return Wavelengths(1e-10 * (optics.pivot + half * nodes), 0.5 * weights)


@lru_cache(maxsize=16)
def pupil(obscuration: float, vane: float) -> Pupil:
    """Return transmission and defocus over the pupil, ``(n, n)``: the latter with mean 0 and rms 1 over the light.

    Parameters
    ----------
    obscuration, vane : float
        Of `Optics`. All focuses and bands of a camera look through one pupil: it is worked out once, and locked.
    """
    side = _SAMPLES * _FINE
    fine = (2.0 * np.arange(side) + 1.0) / side - 1.0
    x, y = fine[None, :], fine[:, None]
    radius2 = x * x + y * y
    lit = (radius2 < 1.0) & (radius2 > obscuration**2)
    half = vane * math.sqrt(2.0)  # of a vane, along an axis, in radii of the mirror
    lit &= (np.abs(x + y) > half) & (np.abs(x - y) > half)
    blocks = (_SAMPLES, _FINE, _SAMPLES, _FINE)
    light = lit.reshape(blocks).mean(axis=(1, 3))
    focus = radius2.reshape(blocks).mean(axis=(1, 3))
    focus -= np.average(focus, weights=light)
    focus /= math.sqrt(np.average(focus**2, weights=light))
    for plane in (light, focus):
        plane.flags.writeable = False
    return Pupil(light, focus)


def autocorrelation(light: FloatArray, phase: FloatArray) -> FloatArray:
    """Return the optical transfer function, 1 at the middle ``[n, n]`` of its ``(2 n, 2 n)`` samples.

    The image of an even pupil is symmetric and the function real; an odd phase would make it complex.
    """
    n = light.shape[0]
    # Along the rows first, of which half are empty; of the power, even along both axes, half says all.
    rows = np.fft.fft(light * np.exp(1j * phase), 2 * n, axis=1)[:, : n + 1]
    power = np.square(np.abs(np.fft.fft(rows, 2 * n, axis=0)))
    result = np.fft.fftshift(np.fft.irfft2(power, (2 * n, 2 * n)))
    return np.asarray(result / result[n, n])


def _read(table: FloatArray, y: FloatArray, x: FloatArray) -> FloatArray:
    """Read a table between its samples, linearly; 0 outside.

    Parameters
    ----------
    table : (m, m) array
        Samples.
    y, x : (ny,) and (nx,) arrays
        Rows and columns to read.
    """

    def along_rows(values: FloatArray, at: FloatArray) -> FloatArray:
        low = np.clip(np.floor(at).astype(np.intp), 0, len(values) - 2)
        share = (at - low)[:, None]
        inside = ((at >= 0) & (at <= len(values) - 1))[:, None]
        return np.asarray(inside * ((1.0 - share) * values[low] + share * values[low + 1]))

    return along_rows(along_rows(table, y).T, x).T


@lru_cache(maxsize=64)
def _transfer_table(obscuration: float, vane: float, waves: float) -> FloatArray:
    """Return `autocorrelation` of a pupil whose defocus is `waves` rms [radian], to its other end: chips share it."""
    light, focus = pupil(obscuration, vane)
    # Points of the pupil as far apart as the mirror is wide do not both hold light: 0 at either end.
    table = np.pad(autocorrelation(light, waves * focus), (0, 1))
    table.flags.writeable = False
    return table


def optical_transfer(optics: Optics, fy: FloatArray, fx: FloatArray) -> FloatArray:
    """Return the transfer function of telescope, jitter and spread, ``(ny, nx)``; 1 at frequency 0.

    Parameters
    ----------
    optics : Optics
        Telescope and band.
    fy, fx : (ny,) and (nx,) arrays
        Frequencies [1 / pixel].
    """
    total = np.zeros((fy.size, fx.size))
    for wavelength, weight in zip(*wavelengths(optics), strict=True):
        table = _transfer_table(optics.obscuration, optics.vane, 2e-6 * math.pi * optics.defocus / float(wavelength))
        # Frequency of one sample: that of two points of the mirror so far apart [1 / pixel].
        step = optics.diameter / _SAMPLES / wavelength * ARCSEC * optics.pixel
        total += weight * _read(table, fy / step + _SAMPLES, fx / step + _SAMPLES)
    blur = 2.0 * math.pi**2 * ((optics.jitter / optics.pixel) ** 2 + optics.spread**2)
    return np.asarray(total * np.exp(-blur * fy * fy)[:, None] * np.exp(-blur * fx * fx)[None, :])


def pixel_transfer(
    diffusion: tuple[float, float, float], fy: FloatArray, fx: FloatArray, *, area: bool = True
) -> FloatArray:
    """Return the transfer function of charge diffusion and, on demand, of a pixel's area: ``(ny, nx)``, as above."""
    keep, edge, corner = diffusion
    cy, cx = 2.0 * np.cos(2.0 * math.pi * fy)[:, None], 2.0 * np.cos(2.0 * math.pi * fx)[None, :]
    spread = keep + edge * (cy + cx) + corner * cy * cx
    return np.asarray(spread * np.sinc(fy)[:, None] * np.sinc(fx)[None, :] if area else spread)
