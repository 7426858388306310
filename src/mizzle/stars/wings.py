"""Stars told from cosmic rays by their wings: no model of the core is needed, so nothing is assumed of its shape."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from mizzle.arrays import Image, Indices, Mask, PixelIndices
from mizzle.kernel.wings import Neighborhood, WingFigures, list_bright_peaks, measure_sides

#: Where a star's wings are looked for, and its surroundings [arcsec].
WINGS, AROUND = (0.22, 0.5), (0.8, 1.2)
#: On each side wings should stand out by so many sigma, and do lie between these times the usual share of the peak:
#: rays are narrower, or lie on other light.
WING_SIGMA, USUAL = 4.0, (0.4, 1.6)
#: Around a star that is too faint for that, all sides together should stand out so, and each by this.
FAINTEST_SIGMA = 1.0
#: The faintest of a star's four nearest pixels holds more than this share of its peak.
DARK = 0.05


def bright_peaks(image: Image, bad: Mask, scale: float, *, least: float, most: int) -> PixelIndices:
    """Return rows and columns of the brightest pixels that none of their good neighbors outshines, far from the edge.

    Parameters
    ----------
    image : (ny, nx) array
        Counts.
    bad : (ny, nx) bool array
        Pixels that say nothing.
    scale : float
        Side of a pixel [arcsec].
    least : float
        How far they stand above the image's median [count].
    most : int
        The brightest so many.
    """
    edge = math.ceil(AROUND[1] / scale)
    if min(image.shape) < 2 * edge + 3:
        return PixelIndices(np.zeros(0, np.intp), np.zeros(0, np.intp))
    inner = image[edge : image.shape[0] - edge : 8, edge : image.shape[1] - edge : 4]
    peaks = list_bright_peaks(image, bad, edge=edge, limit=float(np.median(inner)) + least)
    order = np.argsort(-image[peaks], kind="stable")[:most]
    return PixelIndices(peaks.row[order], peaks.column[order])


class Wings(WingFigures):
    """What surrounds some peaks, as `WingFigures` says."""

    @property
    def clear(self) -> Mask:
        """Where light stands out, and on each side by itself does not look like none."""
        return np.asarray((self.least > FAINTEST_SIGMA * self.noise) & (self.mean > 0.5 * WING_SIGMA * self.noise))


def measure_wings(image: Image, off: Mask, *, row: Indices, column: Indices, scale: float, sigma: float = 0.5) -> Wings:
    """Measure the light around peaks, side by side: a star's wings lie on all sides, a neighbor's on one.

    Parameters
    ----------
    image : (ny, nx) array
        Counts.
    off : (ny, nx) bool array
        Pixels that say nothing: bad, or hit.
    row, column : (n,) int arrays
        The peaks, anywhere on the image.
    scale : float
        Side of a pixel [arcsec].
    sigma : float
        Least noise of a pixel that is believed, whatever pixels of whole counts show [count].
    """
    where = PixelIndices(row, column)
    return Wings(*measure_sides(image, off, where, neighborhood=_neighborhood(scale), sigma=sigma))


@lru_cache(maxsize=16)
def _neighborhood(scale: float) -> Neighborhood:
    """Return the pixels around a peak, and those of its wings by their side: two diagonals part the sides."""
    half = math.ceil(AROUND[1] / scale)
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(u, v) * scale
    around, wings = ((distance >= low) & (distance < high) for low, high in (AROUND, WINGS))
    side = 2 * (u + v > 0) + (u - v > 0)
    return Neighborhood(np.stack([v[around], u[around]], axis=1), np.stack([v[wings], u[wings], side[wings]], axis=1))


def have_wings(image: Image, off: Mask, *, row: Indices, column: Indices, scale: float) -> Mask:
    """Return which peaks have the wings of stars, on all sides: rays have none, and a star nearby gives one side.

    Parameters
    ----------
    image, off, row, column, scale
        As in `measure_wings`; peaks not at the image's border.
    """
    if not row.size:
        return np.zeros(0, np.bool_)
    peak, least, _, noise, level = measure_wings(image, off, row=row, column=column, scale=scale)
    share = least / np.maximum(peak, 1e-9)
    seen = least > WING_SIGMA * noise
    usual = float(np.median(share[seen])) if seen.any() else 0.0
    # Faint peaks say nothing: their wings would not be seen if they were stars.
    telling = usual * peak > WING_SIGMA * noise
    # The optics and the charge's diffusion leave none of the four neighbors dark; a ray does.
    beside = np.min([image[row + dy, column + dx] for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))], axis=0) - level
    telling &= beside > DARK * peak
    return np.asarray(telling & (share > USUAL[0] * usual) & (share < USUAL[1] * usual))
