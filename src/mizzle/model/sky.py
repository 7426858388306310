"""The sky's own units: dates, years, magnitudes, directions."""

from __future__ import annotations

from datetime import date

import numpy as np

from mizzle.arrays import FloatArray

MJD_EPOCH = date(1858, 11, 17)
"""Day 0 of modified Julian dates."""

ST_ZEROPOINT = -21.1
"""ST magnitude of 1 erg/s/cm2/A."""


def julian_year(mjd: float) -> float:
    """Return the Julian year of a modified Julian date.

    Examples
    --------
    >>> julian_year(51544.5)
    2000.0
    """
    return 2000.0 + (mjd - 51544.5) / 365.25


def unit_vectors(ra: FloatArray, dec: FloatArray) -> FloatArray:
    """Return the unit vectors of positions [deg], ``(3, n)``.

    Parameters
    ----------
    ra, dec : (n,) array
        Right ascension and declination [deg].
    """
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


def direction(vector: FloatArray) -> tuple[float, float]:
    """Return right ascension, 0 to 360, and declination [deg] of a vector ``(3,)`` of any length.

    Examples
    --------
    >>> direction(unit_vectors(np.array([359.0]), np.array([0.0]))[:, 0])
    (359.0, 0.0)
    """
    x, y, z = vector
    return float(np.rad2deg(np.arctan2(y, x)) % 360.0), float(np.rad2deg(np.arctan2(z, np.hypot(x, y))))
