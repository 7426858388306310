"""Trails of charge: what traps take from a star on its way down the column, they release behind it.

The amplifier is below row 0, so a trail points to high y.
"""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Places
from mizzle.model import ChipFrame
from mizzle.simulate.psf import PointSpread
from mizzle.simulate.render import add_starlight

#: The trail falls by e in so many rows. Long beside the standard aperture (5 rows on WF, 11 on PC), because Dolphin's
#: loss is what such an aperture misses; not fitted to the camera.
TRAIL_ROWS = 25.0


def trail_of(lost: FloatArray, rows: float = TRAIL_ROWS) -> FloatArray:
    """Return where the charge that was lost comes out again.

    Parameters
    ----------
    lost : (ny, nx) array
        Charge lost from each pixel [electron].
    rows : float
        Length in which the trail falls by e [pixel].

    Returns
    -------
    trail : (ny, nx) array
        Charge released behind it: exponential along y, from the next row on. What would come out beyond the top of the
        chip is not there.

    Examples
    --------
    >>> trail_of(np.array([[8.0], [0.0], [0.0], [0.0]]), rows=1 / np.log(2)).ravel().tolist()
    [0.0, 4.0, 2.0, 1.0]
    """
    stay = np.exp(-1.0 / rows)
    trail = np.zeros_like(lost)
    held = np.zeros(lost.shape[1])
    for y in range(lost.shape[0]):
        trail[y] = (1.0 - stay) * held
        held *= stay
        held += lost[y]
    return trail


def add_trails(
    image: FloatArray,
    psf: PointSpread,
    frame: ChipFrame,
    *,
    where: Places,
    scales: FloatArray,
    lost: FloatArray,
) -> None:
    """Add to `image`, in place, the trails of stars that lost the charge `lost`; the rest as for `add_stars`."""
    taken = np.zeros(frame.shape)
    add_starlight(taken, psf, frame, where=where, scales=scales, charge=lost)
    image += trail_of(taken)
