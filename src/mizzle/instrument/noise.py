"""The noise of a pixel, in electrons: Poisson of what was collected, dark current, read noise.

::

    var_e = max(e, 0) + dark_rate * darktime + read_noise**2 (+ gain**2 / 12 where rounding is not included)

with ``e = DN * gain``, sky included (IHB 2008, section 4.6, Table 4.2). In DN this is linear in the signal,
``var_DN = v0 + v1 * max(DN, 0)``, which is what the kernel wants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model import Chip, Exposure
from mizzle.settings.noise import NoiseSettings

#: Terms of a saw-tooth's Fourier series: what is left out is less than a hundredth of its rms.
SERIES = 200


@dataclass(frozen=True)
class NoiseModel:
    """Noise of one chip in one exposure.

    Parameters
    ----------
    gain : float
        Electrons per DN.
    read_noise : float
        Electrons rms.
    dark : float
        Dark current collected [electron].
    rounding : float
        Variance of rounding to whole DN [electron**2]; 0 where the read noise includes it.
    """

    gain: float
    read_noise: float
    dark: float = 0.0
    rounding: float = 0.0

    @property
    def floor(self) -> float:
        """Variance without any light [electron**2]."""
        return self.dark + self.read_noise**2 + self.rounding

    def electrons(self, electrons: Any) -> Any:
        """Return the variance [electron**2] of a pixel that holds `electrons` (sky included)."""
        return np.maximum(electrons, 0.0) + self.floor

    def variance(self, dn: Any) -> Any:
        """Return the variance [DN**2] of a pixel that holds `dn` (sky included)."""
        v0, v1 = self.coefficients()
        return v0 + v1 * np.maximum(dn, 0.0)

    def sigma(self, dn: NDArray[Any]) -> NDArray[Any]:
        """Return 1 sigma [DN] of a pixel that holds `dn` (sky included)."""
        result: NDArray[Any] = np.sqrt(self.variance(dn))
        return result

    def coefficients(self, multiply: float = 1.0) -> tuple[float, float]:
        """Return ``(v0, v1)``: the variance of ``DN * multiply`` is ``v0 + v1 * max(DN, 0)``.

        Parameters
        ----------
        multiply : float
            What the DN are multiplied by: flux factor over exposure time gives (equalized DN/s)**2.
        """
        square = multiply * multiply
        return square * self.floor / self.gain**2, square / self.gain

    def background(self, sky: float, multiply: float = 1.0) -> float:
        """Return the variance of ``DN * multiply`` for a pixel that holds `sky` [DN] and no source."""
        v0, v1 = self.coefficients(multiply)
        return v0 + v1 * max(sky, 0.0)


def rounding_error(sigma: float, quantum: float) -> float:
    """Return how far rounding to whole counts moves the mean of many pixels: rms over all levels [count].

    The error of one rounded number is a saw-tooth of its value. Over pixels of a Gaussian each term of the saw-tooth's
    Fourier series is damped by the Gaussian's characteristic function; rms means over the levels within a quantum.

    Parameters
    ----------
    sigma : float
        Scatter of the rounded pixels, that of rounding included [count].
    quantum : float
        Step of the converter [count]; 0 for none.

    Examples
    --------
    >>> [round(rounding_error(sigma, 1.0), 4) for sigma in (0.3, 0.4, 0.5, 0.7)]
    [0.2096, 0.0496, 0.0084, 0.0001]
    """
    if quantum <= 0.0 or not math.isfinite(sigma):
        return 0.0
    before = max((sigma / quantum) ** 2 - 1.0 / 12.0, 0.0)
    terms = [math.exp(-2.0 * math.pi**2 * k**2 * before) / (math.pi * k) for k in range(1, SERIES + 1)]
    return quantum * math.sqrt(0.5 * sum(term**2 for term in terms))


def noise_model(exposure: Exposure, chip: Chip, settings: NoiseSettings) -> NoiseModel:
    """Return the noise of `chip` in `exposure`: the handbook's values, or the user's.

    Parameters
    ----------
    exposure : Exposure
        Gives DARKTIME and ATODGAIN.
    chip : Chip
        Gives gain and read noise.
    settings : NoiseSettings
        Values that win over the chip's.
    """
    camera, index = exposure.camera, exposure.camera.number(chip.name) - 1
    low = exposure.commanded_gain == 7
    gains = settings.gain_7 if low else settings.gain_15
    noises = settings.read_noise_7 if low else settings.read_noise_15
    if chip.dark is not None:  # noise of calibrated electrons is the header's
        return NoiseModel(gain=chip.gain, read_noise=chip.read_noise, dark=chip.dark)
    gain = gains[index] if gains else chip.gain
    return NoiseModel(
        gain=gain,
        read_noise=noises[index] if noises else chip.read_noise,
        dark=settings.dark_rate * chip.binning**2 * max(exposure.darktime, 0.0),
        rounding=(camera.quantum * gain) ** 2 / 12.0 if settings.rounding == "add" else 0.0,
    )
