"""Sky rings that mean the same on the PC and on the WF chips.

A faint star or a halo stands out of the PC's noise otherwise than out of the WF's, where four times the light falls on
a pixel: clipping takes it off one chip's ring and leaves it in the other's. In a cluster that alone made the PC look
2 % too faint. So known stars are left out on every chip alike, and the PC's rings are measured on blocks of 2 x 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.model import Chip
from mizzle.stars.apertures import RingSky, SkyRule, ring_sky
from mizzle.stars.covers import cover_stars

_RING_PIXELS = 700
_GRAIN = 0.0996  # arcsec: side of the blocks in which rings are measured
#: What stars cover, by their rate over the faintest tenth's: radius [arcsec] above each.
_COVER = ((0.0, 0.4), (30.0, 0.8), (300.0, 1.2))


def covered(where: Places, rate: FloatArray, chip: Chip) -> NDArray[np.bool_]:
    """Return the pixels that known stars cover.

    Parameters
    ----------
    where : (x, y)
        Stars on the chip [0-based pixel]; those a little off it count as well.
    rate : (n,) array
        Their fluxes.
    chip : Chip
        Its shape and scale.

    Returns
    -------
    mask : (ny, nx) bool array
    """
    faintest = max(float(np.percentile(rate, 10)), 1e-300) if rate.size else 1.0
    radii = tuple((least * faintest, arcsec) for least, arcsec in _COVER)
    return cover_stars(chip.shape, where, rate, radii=radii, scale=chip.frame.scale)


def ring_levels(
    sci: NDArray[np.float32],
    off: NDArray[np.bool_],
    where: Places,
    *,
    ring: tuple[float, float],
    scale: float,
) -> RingSky:
    """Measure rings at the grain of a WF pixel.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    off : (ny, nx) bool array
        Pixels to leave out; a block that has one of them is left out.
    where : (x, y)
        Centers [0-based pixel].
    ring : (float, float)
        Radii [pixel].
    scale : float
        Pixel side [arcsec].

    Returns
    -------
    sky : RingSky
        Levels per pixel; sigma and number are those of the blocks.
    """
    rule = SkyRule("mean", clip=3.0)
    x, y = where
    side = max(1, round(_GRAIN / scale))
    if side == 1:
        return ring_sky(sci, x, y, radii=ring, mask=off, rule=rule._replace(quantum=1.0), max_pixels=_RING_PIXELS)
    ny, nx = (n // side * side for n in sci.shape)
    parts = [np.s_[i:ny:side, j:nx:side] for i in range(side) for j in range(side)]
    image = np.mean([sci[part] for part in parts], axis=0)
    hidden = np.logical_or.reduce([off[part] for part in parts])
    shift = 0.5 * (side - 1)
    radii = (ring[0] / side, ring[1] / side)
    rule = rule._replace(quantum=1.0 / len(parts))
    x, y = (x - shift) / side, (y - shift) / side
    return ring_sky(image, x, y, radii=radii, mask=hidden, rule=rule, max_pixels=_RING_PIXELS)
