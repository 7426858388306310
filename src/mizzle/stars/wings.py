"""Stars told from cosmic rays by their wings: no model of the core is needed, so nothing is assumed of its shape."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import PixelIndices
from mizzle.kernel.single.types import NEIGHBORS

Image = NDArray[np.float32]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

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
    inner = np.s_[edge : image.shape[0] - edge, edge : image.shape[1] - edge]
    if min(image.shape) < 2 * edge + 3:
        return PixelIndices(np.zeros(0, np.intp), np.zeros(0, np.intp))
    level = float(np.median(image[inner][::8]))
    row, column = np.nonzero((image[inner] > level + least) & ~bad[inner])
    row, column = row + edge, column + edge
    value = image[row, column]
    top = np.ones(value.size, np.bool_)
    for dy, dx in NEIGHBORS:
        # A neighbor without a number outshines nothing, a pixel without one is no peak.
        top &= bad[row + dy, column + dx] | (value >= image[row + dy, column + dx])
    order = np.argsort(-value[top], kind="stable")[:most]
    return PixelIndices(row[top][order], column[top][order])


class Wings(NamedTuple):
    """What surrounds some peaks.

    Parameters
    ----------
    peak : (n,) array
        Of each, above its surroundings [count].
    least, mean : (n,) arrays
        Light of the wings on the faintest side, and over all sides, per pixel [count]; 0 where too little is seen.
    noise : (n,) array
        Of a side [count].
    level : (n,) array
        Of the surroundings [count].
    """

    peak: NDArray[np.float64]
    least: NDArray[np.float64]
    mean: NDArray[np.float64]
    noise: NDArray[np.float64]
    level: NDArray[np.float64]

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
    half = math.ceil(AROUND[1] / scale)
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(u, v) * scale
    ring, wing = ((distance >= low) & (distance < high) for low, high in (AROUND, WINGS))
    sides = (2 * (u + v > 0) + (u - v > 0))[wing]

    def around(where: Mask) -> tuple[Image, Mask]:
        y, x = row[:, None] + v[where], column[:, None] + u[where]
        inside = (y >= 0) & (y < image.shape[0]) & (x >= 0) & (x < image.shape[1])
        flat = np.where(inside, y * image.shape[1] + x, 0)
        return image.ravel()[flat], inside & ~off.ravel()[flat]

    (far, far_good), (near, near_good) = around(ring), around(wing)
    enough = (far_good.sum(axis=1) >= 10) & (near_good.sum(axis=1) >= 5)
    low, middle = _percentiles(far, far_good | ~enough[:, None], (16.0, 50.0))
    width = np.maximum(middle - low, sigma)
    # A median of whole DN jumps; the mean of what is near it does not.
    sky = far_good & (np.abs(far - middle[:, None]) <= 3.0 * width[:, None])
    level = np.where(sky, far, 0.0).sum(axis=1) / np.maximum(sky.sum(axis=1), 1)
    least, light = np.full(row.size, np.inf), near - level[:, None]
    noise, total, sides_seen = np.zeros((3, row.size))
    for side in range(4):
        here = near_good & (sides == side)
        count = here.sum(axis=1)
        mean = np.where(here, light, 0.0).sum(axis=1) / np.maximum(count, 1)
        least = np.where(count > 0, np.minimum(least, mean), least)
        noise = np.maximum(noise, width / np.sqrt(np.maximum(count, 1)))
        total, sides_seen = total + mean * (count > 0), sides_seen + (count > 0)
    seen = enough & np.isfinite(least)
    mean = np.where(seen, total / np.maximum(sides_seen, 1), 0.0)
    return Wings(image[row, column] - level, np.where(seen, least, 0.0), mean, noise, level)


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


def _percentiles(values: NDArray[np.float32], wanted: Mask, percents: tuple[float, ...]) -> list[NDArray[np.float64]]:
    """Return percentiles of each row's wanted numbers, NaN without any; `np.nanpercentile` takes a row at a time."""
    wanted = wanted & ~np.isnan(values)
    # As they are, in 32 bits: sorted in half of the time.
    ordered = np.sort(np.where(wanted, values, np.float32(np.inf)), axis=1)
    last = wanted.sum(axis=1) - 1
    percentiles = []
    for percent in percents:
        place = np.maximum(last, 0) * (percent / 100.0)
        before = np.floor(place).astype(np.intp)
        low, high = (
            np.take_along_axis(ordered, np.minimum(index, np.maximum(last, 0))[:, None], axis=1)[:, 0].astype(
                np.float64
            )
            for index in (before, before + 1)
        )
        between = np.where(last > 0, high, 0.0) - np.where(last > 0, low, 0.0)
        percentiles.append(np.where(last >= 0, low + between * (place - before), np.nan))
    return percentiles
