"""Encircled energies and Vega's magnitudes of ACS and WFC3, by camera and filter.

The tables are plain text beside this file; ``tools/make_photometry_tables.py`` names their sources. Encircled energies
are good to about .01 between neighboring filters; AB minus Vega to about .01 mag, whatever the epoch.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

import numpy as np

from mizzle.model.sky import ST_ZEROPOINT

#: Share of a star's light within .5 arcsec where no table has a camera or a filter.
TYPICAL_SHARE = 0.91


def _rows(name: str) -> Iterator[list[str]]:
    text = (files("mizzle.instrument.data") / name).read_text("utf-8")
    return csv.reader(text.splitlines())


@lru_cache(maxsize=1)
def _encircled() -> tuple[tuple[float, ...], dict[tuple[str, str], tuple[float, ...]]]:
    rows = _rows("encircled_energy.csv")
    radii = tuple(float(word) for word in next(rows)[2:])
    return radii, {(camera, band): tuple(map(float, shares)) for camera, band, *shares in rows}


@lru_cache(maxsize=1)
def _vega() -> dict[tuple[str, str], float]:
    rows = _rows("ab_minus_vega.csv")
    next(rows)
    return {(camera, band): float(value) for camera, band, value in rows}


def encircled_energy(camera: str, band: str, radius: float) -> float | None:
    """Return the share of a star's light within a circle.

    Parameters
    ----------
    camera : str
        ``ACS/WFC``, ``WFC3/UVIS`` or ``WFC3/IR``.
    band : str
        Filter, as ``F814W``.
    radius : float
        Of the circle [arcsec].

    Returns
    -------
    share : float or None
        Linear between the radii of the table; None where the table has no such filter or radius.

    Examples
    --------
    >>> encircled_energy("ACS/WFC", "F814W", 0.5)
    0.9067
    """
    radii, shares = _encircled()
    known = shares.get((camera, band))
    if known is None or not radii[0] <= radius <= radii[-1]:
        return None
    return round(float(np.interp(radius, radii, known)), 4)


def ab_minus_vega(camera: str, band: str) -> float | None:
    """Return what to subtract from an AB magnitude to get a Vega magnitude; None where it is not known.

    Examples
    --------
    >>> ab_minus_vega("WFC3/IR", "F160W"), ab_minus_vega("WFC3/IR", "F999W")
    (1.274, None)
    """
    return _vega().get((camera, band))


def vega_zeropoint(camera: str, band: str, photflam: float, *, photplam: float) -> float | None:
    """Return the Vega magnitude of one unit per second; None where Vega's magnitude in the band is not known.

    Parameters
    ----------
    camera, band : str
        As for `ab_minus_vega`.
    photflam, photplam : float
        Inverse sensitivity [erg cm-2 s-1 A-1] and pivot wavelength [Angstrom].
    """
    offset = ab_minus_vega(camera, band)
    if offset is None or not photplam > 0:
        return None
    return ST_ZEROPOINT - 2.5 * math.log10(photflam) - 5.0 * math.log10(photplam) + 18.692 - offset
