"""The stars of a product, as the rooms of the catalog pass them on."""

from __future__ import annotations

from dataclasses import dataclass

from mizzle.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class DetectedStars:
    """Stars of a product, measured on it.

    Parameters
    ----------
    ra, dec : (n,) array
        Positions [deg].
    x, y : (n,) array
        The same on the product [0-based pixel].
    flux, snr : (n,) array
        Within the aperture [count/s at the reference zeropoint], and over its noise.
    sky : (n,) array
        Left on the product, per product pixel [count/s].
    """

    ra: FloatArray
    dec: FloatArray
    x: FloatArray
    y: FloatArray
    flux: FloatArray
    snr: FloatArray
    sky: FloatArray
