"""Cubic B-splines: how images that were sampled finely are read between their samples.

References
----------
Unser 1999, IEEE Signal Processing Magazine 16, 22.
"""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray


def cubic_weights(fraction: FloatArray) -> FloatArray:
    """Return the weights of the four samples around a place, ``(n, 4)``.

    Parameters
    ----------
    fraction : (n,) array
        Distance of the place from the second of them, 0 to 1.
    """
    t = np.asarray(fraction, np.float64)
    rest = 1.0 - t
    return np.stack(
        [rest**3 / 6.0, 2.0 / 3.0 - t * t * (1.0 - 0.5 * t), 2.0 / 3.0 - rest * rest * (1.0 - 0.5 * rest), t**3 / 6.0],
        axis=-1,
    )


def cubic_slopes(fraction: FloatArray) -> FloatArray:
    """Return the derivatives of `cubic_weights` by `fraction`, ``(n, 4)``."""
    t = np.asarray(fraction, np.float64)
    rest = 1.0 - t
    return np.stack([-0.5 * rest * rest, t * (1.5 * t - 2.0), rest * (2.0 - 1.5 * rest), 0.5 * t * t], axis=-1)


def cubic_transform(frequency: FloatArray) -> FloatArray:
    """Return the Fourier transform of what the spline of one sample is at the samples.

    A spectrum divided by it is that of the coefficients of the spline through the samples.

    Parameters
    ----------
    frequency : (n,) array
        In cycles per sample.
    """
    return np.asarray((2.0 + np.cos(2.0 * np.pi * frequency)) / 3.0)
