"""A mean star as a function of distance, measured on many stars at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray

_FEWEST = 6  # values that make a ring's median


class ProfileValues(NamedTuple):
    """A profile at some distances, and its scatter there."""

    value: FloatArray
    scatter: FloatArray


@dataclass(frozen=True, eq=False)
class RadialProfile:
    """Median and scatter in rings, read by linear interpolation.

    Parameters
    ----------
    radius : (k,) array
        Middle of the rings that hold enough values, rising.
    value : (k,) array
        Their median.
    scatter : (k,) array
        Robust standard deviation about it, told noise taken out.
    """

    radius: FloatArray
    value: FloatArray
    scatter: FloatArray

    def at(self, distance: FloatArray) -> ProfileValues:
        """Return value and scatter at `distance`; the ends go on level."""
        return ProfileValues(
            np.interp(distance, self.radius, self.value), np.interp(distance, self.radius, self.scatter)
        )


def radial_profile(
    distance: FloatArray, value: FloatArray, variance: FloatArray, *, step: float
) -> RadialProfile | None:
    """Measure a profile.

    Parameters
    ----------
    distance, value, variance : (n,) array
        Of pixels of many stars: distance from the center, light over the star's flux, and the noise of that.
    step : float
        Width of the rings, in the unit of `distance`.

    Returns
    -------
    profile : RadialProfile or None
        None where fewer than two rings hold enough values.
    """
    ring = np.floor(distance / step).astype(np.int64)
    order = np.argsort(ring, kind="stable")
    ring, distance, value, variance = ring[order], distance[order], value[order], variance[order]
    edges = np.searchsorted(ring, np.arange(int(ring.max(initial=-1)) + 2))
    parts = [slice(edges[k], edges[k + 1]) for k in np.flatnonzero(np.diff(edges) >= _FEWEST).tolist()]
    if len(parts) < 2:
        return None
    radius = np.array([float(distance[part].mean()) for part in parts])
    middle = np.array([float(np.median(value[part])) for part in parts])
    # The slope inside a ring is no scatter.
    off = np.abs(value - np.interp(distance, radius, middle))
    spread = [(1.4826 * float(np.median(off[part]))) ** 2 - float(np.median(variance[part])) for part in parts]
    return RadialProfile(radius, middle, np.sqrt(np.maximum(spread, 0.0)))
