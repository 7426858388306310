"""What smooth light is at a place, from samples around it. Arrays in, arrays out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Samples(NamedTuple):
    """Samples around each of k places, m at most.

    Parameters
    ----------
    dx, dy : (k, m) array
        From the place to the sample [pixel].
    value, variance : (k, m) array
        What was seen there, and its noise; an infinite variance: no sample.
    """

    dx: FloatArray
    dy: FloatArray
    value: FloatArray
    variance: FloatArray


def predict(samples: Samples, amplitude: FloatArray, length: float) -> tuple[FloatArray, FloatArray]:
    """Predict a smooth light's value at each place.

    The light is a Gaussian process of mean zero and covariance ``amplitude**2 exp(-d**2 / (2 length**2))``.

    Parameters
    ----------
    samples : Samples
        What is known.
    amplitude : (k,) array
        How bright the light is around each place, more than 0; in the unit of the values.
    length : float
        Of the covariance [pixel].

    Returns
    -------
    mean, variance : (k,) array
        The prediction; without samples 0 and ``amplitude**2``.

    References
    ----------
    Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, equations 2.25 and 2.26.

    Examples
    --------
    A good sample at the place itself is believed.

    >>> here = np.zeros((1, 1))
    >>> mean, variance = predict(Samples(here, here, here + 7.0, here + 1e-6), np.ones(1), 1.0)
    >>> mean.round(3).tolist(), variance.round(3).tolist()
    ([7.0], [0.0])
    """
    dx, dy, value, variance = samples
    power = amplitude[:, None] ** 2
    known = np.isfinite(variance)
    scale = -0.5 / length**2
    share = np.where(known, np.exp(scale * (dx**2 + dy**2)), 0.0)
    matrix = (dx[:, :, None] - dx[:, None]) ** 2
    matrix += (dy[:, :, None] - dy[:, None]) ** 2
    matrix *= scale
    np.exp(matrix, out=matrix)
    # Without a sample: a row of the unit matrix, and a share of nothing.
    matrix *= known[:, :, None] & known[:, None]
    diagonal = np.arange(dx.shape[1])
    matrix[:, diagonal, diagonal] = np.where(known, 1.0 + variance / power, 1.0)
    solved = np.linalg.solve(matrix, np.stack([np.where(known, value, 0.0), share], axis=2))
    mean = (share * solved[:, :, 0]).sum(axis=1)
    left = 1.0 - (share * solved[:, :, 1]).sum(axis=1)
    return mean, np.maximum(left, 0.0) * power[:, 0]
