"""The sky's own units: dates, years, magnitudes, directions."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from mizzle.arrays import FloatArray, Mask

MJD_EPOCH = date(1858, 11, 17)
"""Day 0 of modified Julian dates."""

ST_ZEROPOINT = -21.1
"""ST magnitude of 1 erg/s/cm2/A."""

KNOWN_SKY = 10.0
"""Skies in which a DN makes so many times the light of the best tell nothing beside it: a tenth of a DN that
calibration leaves, or rounding, is a hundred times the sky in half a second. A PC beside WF chips makes five times."""


def known_skies(levels: ArrayLike, units: ArrayLike) -> Mask:
    """Return which sky levels are known about as well as the best.

    Parameters
    ----------
    levels : (n,) array
        Surface brightness; NaN where nothing was measured.
    units : (n,) array
        Surface brightness of one DN per pixel, in the unit of `levels`.
    """
    unit, measured = np.asarray(units, dtype=np.float64), np.isfinite(np.asarray(levels, dtype=np.float64))
    return np.asarray(measured & (unit <= KNOWN_SKY * np.min(unit[measured], initial=np.inf)))


def faintest_sky(levels: ArrayLike, units: ArrayLike) -> float:
    """Return the least of sky levels, among those that are known about as well as the best.

    Parameters
    ----------
    levels, units : (n,) array
        As for `known_skies`.

    Returns
    -------
    least : float
        NaN where nothing was measured.

    Examples
    --------
    >>> faintest_sky([0.9, 0.8, -14.0], [1.0, 0.2, 1000.0])
    0.8
    """
    known = known_skies(levels, units)
    return float(np.asarray(levels, dtype=np.float64)[known].min()) if known.any() else float("nan")


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
