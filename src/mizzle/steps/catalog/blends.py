"""Which stars are blended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.stars.neighbors import close_pairs


def blended(
    x: FloatArray, y: FloatArray, flux: FloatArray, *, radii: tuple[float, float, float], share: float
) -> NDArray[np.bool_]:
    """Return the stars whose aperture holds a neighbor's light.

    Parameters
    ----------
    x, y : (n,) array
        Positions [pixel].
    flux : (n,) array
        Of the sources, by any one measure.
    radii : (float, float, float)
        Of the aperture, of a star's core, and how far neighbors matter [pixel].
    share : float
        Least ratio of the neighbors' light inside the aperture to the star's.

    Notes
    -----
    A neighbor's share inside goes linearly from 1, when its core is well inside, to 4 % when its core is outside,
    and on to 0 at the limit: coarse, but enough to tell a clean star from a blend.
    """
    aperture, core, reach = radii
    first, second, distance = close_pairs(x, y, max(reach, aperture + core))
    inside = np.interp(distance, [aperture - core, aperture + core, max(reach, aperture + core)], [1.0, 0.04, 0.0])
    light = np.zeros(x.size)
    np.add.at(light, first, inside * np.maximum(flux[second], 0.0))
    np.add.at(light, second, inside * np.maximum(flux[first], 0.0))
    result: NDArray[np.bool_] = light > share * np.maximum(flux, 0.0)
    return result
