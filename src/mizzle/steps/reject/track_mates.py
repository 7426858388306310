"""Peaks beside a cosmic ray of a single exposure: pieces of its track, most of them, and asked more strictly.

A track has several peaks. Each by itself may look like a faint star, all the more once the ray beside it is hidden. But
few stars lie so near a ray: what does must be light to within the noise, or have a star's wings.
"""

from __future__ import annotations

import math

import numpy as np

from mizzle.arrays import Mask
from mizzle.kernel.pixels import grow
from mizzle.kernel.single import Peaks
from mizzle.psf.light import LightFit, PeakPixels, explain_peaks
from mizzle.stars.wings import measure_wings

#: A peak is beside a ray when its 3 x 3 pixels touch it.
REACH = 2
#: A peak has wings where its faintest side stands out by this [sigma]: few rays do, and most stars above 700 electrons.
WINGS_SIGMA = 1.0


def find_track_mates(pixels: PeakPixels, rays: Mask, peaks: Peaks, *, scale: float, fit: LightFit) -> Mask:
    """Find the peaks beside cosmic rays that are no light.

    Parameters
    ----------
    pixels : PeakPixels
        The chip.
    rays : (ny, nx) bool array
        Pixels of the rays that were found.
    peaks : Peaks
        All of the chip; those of the rays are not asked again.
    scale : float
        Side of a pixel [arcsec].
    fit : LightFit
        What light may be.

    Returns
    -------
    is_ray : (n,) bool array
        For each peak.
    """
    is_ray = np.zeros(peaks.y.size, np.bool_)
    beside = np.flatnonzero((grow(rays, REACH) & ~rays)[peaks.y, peaks.x])
    if not beside.size:
        return is_ray
    some, hidden = Peaks(peaks.y[beside], peaks.x[beside], peaks.sky[beside]), rays | pixels.bad
    answer = explain_peaks(pixels, hidden, some, fit=fit)
    wings = measure_wings(
        pixels.electrons, hidden, row=some.y, column=some.x, scale=scale, sigma=math.sqrt(pixels.floor)
    )
    is_ray[beside] = (answer.misfit > fit.limit) & (wings.least < WINGS_SIGMA * wings.noise)
    return is_ray
