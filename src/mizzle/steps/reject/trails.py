"""Trails of satellites and aircraft: straight lines of light across a whole chip.

Where three exposures or more see a place, a trail differs from the others and is found as cosmic rays are. One or two
exposures know of its bright ridge at most. A line is found here by summing along lines of all directions, as the Radon
transform does, over pixels that are averaged in blocks and clipped, so that stars count little; it is a trail where
light lies all along it, from one end of the chip to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Floats, Indices, Mask
from mizzle.steps.reject.line_sums import LineSums, sum_along_lines
from mizzle.steps.reject.patches import PATCH, patch_medians

#: Side of the blocks that are averaged, at least [pixel], and so many of them along a chip's shorter side at most.
BLOCK, BLOCKS = 4, 256
#: Blocks count up to this [sigma].
CLIP = 2.0
#: Directions nearer than this to a row or column are the detector's own [deg].
DETECTOR_OWN = 2.0
#: A line's mean light; what a block holds at least, in this share of those of each of so many parts of it [sigma].
MEAN, LIT, SHARE, PARTS = 0.8, 0.3, 0.7, 8
#: Lines beside it, on both sides [block], and what each part stands above theirs at least [sigma].
BESIDE, STANDS = np.array([5, 6, 7, 8]), 0.4
#: A line whose mean light is less than this share of `MEAN` does not stand above those beside it.
NEARLY = 0.75
#: Shortest line [block], and trails of a chip at most; a line found is turned by these, and kept where it holds most
#: light [deg].
SHORTEST, MOST = 75, 4
TURNS = np.arange(-0.5, 0.51, 0.1)
#: Its edge is where its profile falls below this [sigma of a pixel]; farthest from the ridge [pixel].
EDGE, WIDEST = 0.25, 30
#: Values count so far from their median [sigma].
HUBER = 1.5
#: The level of all patches together is told by every so many rows and columns.
SAMPLE = 3
#: Added on both sides: lines on the sky are bent by less than this on a chip [pixel].
BEND = 3


@dataclass(frozen=True)
class Trail:
    """A straight trail: ``x cos(angle) + y sin(angle) = distance`` is its ridge.

    Parameters
    ----------
    angle : float
        Direction of its normal, from x to y [rad].
    distance : float
        Of the ridge from the first pixel's center [pixel].
    half_width : float
        Of what it spoils [pixel].
    """

    angle: float
    distance: float
    half_width: float

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Return the ``(ny, nx)`` mask of the pixels it spoils."""
        y, x = np.ogrid[: shape[0], : shape[1]]
        across = x * np.cos(self.angle) + y * np.sin(self.angle) - self.distance
        return np.asarray(np.abs(across) <= self.half_width)


def clipped_mean(values: Floats, sigma: float = 1.0) -> float:
    """Return the mean of values that count up to `HUBER` times `sigma` beside their median: 0 of none.

    A median would do against stars, but the median of whole counts is a whole count itself: where read noise is less
    than one, a ridge of a tenth of it would be none, or stand as high as one of a whole.

    Parameters
    ----------
    values : array
        Of any shape.
    sigma : float
        Their noise.

    References
    ----------
    Huber 1964, Ann. Math. Statist. 35, 73: one step from the median.

    Examples
    --------
    >>> clipped_mean(np.array([4.0, 4.0, 5.0, 4.0, 900.0]))
    4.5
    """
    if not values.size:
        return 0.0
    middle = float(np.median(values))
    return middle + float(np.clip(values - middle, -HUBER * sigma, HUBER * sigma).mean(dtype=np.float64))


def find_trails(sci: NDArray[np.float32], bad: Mask, sigma: float) -> list[Trail]:
    """Return the trails of one chip, the brightest first.

    Parameters
    ----------
    sci : (ny, nx) array
        Signal.
    bad : (ny, nx) bool array
        Pixels to leave out.
    sigma : float
        Noise of a pixel of sky, in the unit of `sci`.
    """
    side = max(BLOCK, min(sci.shape) // BLOCKS)
    ny, nx = (size // side * side for size in sci.shape)
    if min(ny, nx) < side * SHORTEST or sigma <= 0:
        return []
    light = np.where(bad, np.nan, (sci - _sky(sci, bad)) / np.float32(sigma))
    # The median of whole counts is a whole count, up to half of one off everywhere.
    some = light[::SAMPLE, ::SAMPLE]
    light -= np.float32(clipped_mean(some[np.isfinite(some)]))
    blocks, known = _averaged(light[:ny, :nx], side)
    trails: list[Trail] = []
    while len(trails) < MOST:
        line = _brightest(blocks, known, side)
        if line is None:
            break
        trail = _measured(light, *line)
        trails.append(trail)
        covered = trail.mask(light.shape)[:ny, :nx].reshape(ny // side, side, nx // side, side).any(axis=(1, 3))
        known = known & ~covered
    return trails


def _sky(sci: NDArray[np.float32], bad: Mask) -> NDArray[np.float32]:
    """Return the median of each patch, spread over its pixels."""
    ny, nx = sci.shape
    level = patch_medians(sci, bad, np.nan)
    # A trail fills a good part of a patch: the middle of the patches around knows the sky.
    padded = np.pad(level, 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).reshape(*level.shape, 25)
    order = np.sort(windows, axis=2)  # NaN last
    count = np.count_nonzero(np.isfinite(windows), axis=2)
    around = np.take_along_axis(order, (count // 2)[:, :, None].clip(0, 24), axis=2)[:, :, 0]
    level = np.where(np.isfinite(level), np.minimum(level, around), around)
    return np.repeat(np.repeat(level, PATCH, axis=0), PATCH, axis=1)[:ny, :nx]


def _averaged(light: NDArray[np.floating], side: int) -> tuple[FloatArray, Mask]:
    """Return clipped significances of blocks, and which hold enough good pixels."""
    ny, nx = light.shape
    parts = light.reshape(ny // side, side, nx // side, side).transpose(0, 2, 1, 3).reshape(ny // side, -1, side**2)
    good = np.isfinite(parts)
    count = np.count_nonzero(good, axis=2)
    # One bright pixel is a ray or a star's core: it counts as three sigma.
    total = np.where(good, np.clip(parts, -3.0, 3.0), 0.0).sum(axis=2)
    known = count >= side**2 // 2
    value = total / np.sqrt(np.maximum(count, 1))
    # In a crowd blocks scatter by their stars, far more than by the noise of pixels.
    scatter = 1.4826 * float(np.median(np.abs(value[known] - np.median(value[known])))) if known.any() else 1.0
    return np.clip(value / max(scatter, 1.0), -CLIP, CLIP), known


def _brightest(blocks: FloatArray, known: Mask, side: int) -> tuple[float, float] | None:
    """Return angle [rad] and distance [pixel] of the line with the most light, if light lies all along it."""
    y, x = np.nonzero(known)
    pixels = KnownBlocks(x, y, blocks[y, x])
    candidates = [line for sums in sum_along_lines(blocks, known) for line in _standing(sums)]
    for _, angle, distance in sorted(candidates, reverse=True):
        if _all_along(pixels, angle, distance):
            middle = 0.5 * (side - 1) * (np.cos(angle) + np.sin(angle))
            return angle, side * distance + float(middle)
    return None


def _standing(sums: LineSums) -> list[tuple[float, float, float]]:
    """Return rank, angle [rad] and distance [block] of the line of each direction that stands out most, if one does."""
    stretch = np.hypot(1.0, sums.slopes)
    mean = np.where(sums.count * stretch[:, None] >= SHORTEST, sums.total / np.maximum(sums.count, 1), np.nan)
    mean[sums.slopes < np.tan(np.deg2rad(DETECTOR_OWN))] = np.nan
    # Beside most lines of a chip is dark sky: what does not come near the mean needs no look at what is beside it.
    direction, start = np.nonzero(mean >= NEARLY * MEAN)
    value = mean[direction, start]
    above = value - np.maximum(*(_beside(mean, direction, start, stretch=stretch, sign=sign) for sign in (-1, 1)))
    bright = above >= MEAN
    direction, start, above = direction[bright], start[bright], above[bright]
    rank = above * np.sqrt(sums.count[direction, start] * stretch[direction])
    order = np.lexsort((-rank, direction))
    _, first = np.unique(direction[order], return_index=True)
    return [(float(rank[k]), *sums.line(int(direction[k]), int(start[k]))) for k in order[first]]


def _beside(mean: FloatArray, direction: Indices, start: Indices, *, stretch: FloatArray, sign: int) -> FloatArray:
    """Return the mean light of the lines on one side of each given one, NaN where it is unknown."""
    across = np.rint(sign * BESIDE[:, None] * stretch[direction]).astype(np.intp) + start
    inside = (across >= 0) & (across < mean.shape[1])
    values = np.where(inside, mean[direction, np.where(inside, across, 0)], np.nan)
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.asarray(np.where(count >= 2, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan))


class KnownBlocks(NamedTuple):
    """Blocks of good pixels: columns, rows and values, ``(n,)`` each."""

    x: Indices
    y: Indices
    value: FloatArray


def _all_along(blocks: KnownBlocks, angle: float, distance: float) -> bool:
    """Return whether light lies in every part of a line, above that beside it."""
    x, y, value = blocks
    across = np.abs(np.rint(x * np.cos(angle) + y * np.sin(angle) - distance))
    on, beside = across == 0, (across >= BESIDE[0]) & (across <= BESIDE[-1])
    if not on.any():
        return False
    along = y * np.cos(angle) - x * np.sin(angle)
    first, span = float(along[on].min()), float(np.ptp(along[on]))
    if span <= 0:
        return False
    part = np.clip((PARTS * (along - first) / span).astype(np.intp), 0, PARTS - 1)
    sums, counts = (
        [np.bincount(part[line], weights=weight[line], minlength=PARTS) for line in (on, beside)]
        for weight in (value, np.ones_like(value))
    )
    lit = np.bincount(part[on], weights=value[on] > LIT, minlength=PARTS)
    on_line, beside_line = (total / np.maximum(count, 1) for total, count in zip(sums, counts, strict=True))
    known = counts[0] >= 3
    stands = (lit >= SHARE * counts[0]) & (on_line - beside_line > STANDS)
    return bool(stands[known].all() and known.sum() >= PARTS - 1)


def _turned(light: NDArray[np.floating], angle: float, distance: float) -> tuple[float, float]:
    """Return the direction and place nearby along which the median light is greatest."""
    y, x = np.nonzero(np.isfinite(light[::2, ::2]))
    value = np.minimum(light[::2, ::2][y, x], 10.0)
    x, y = 2 * x, 2 * y
    best = (-np.inf, angle, distance)
    near = np.abs(x * np.cos(angle) + y * np.sin(angle) - distance) < WIDEST
    x, y, value = x[near], y[near], value[near]
    # The line turns about its own middle.
    middle = float(x.mean()), float(y.mean())
    for turn in np.deg2rad(TURNS):
        turned = angle + turn
        across = (x - middle[0]) * np.cos(turned) + (y - middle[1]) * np.sin(turned)
        number = np.rint(across).astype(np.intp) + WIDEST
        inside = (number >= 0) & (number <= 2 * WIDEST)
        count = np.bincount(number[inside], minlength=2 * WIDEST + 1)
        total = np.bincount(number[inside], weights=value[inside], minlength=2 * WIDEST + 1)
        mean = np.where(count > SHORTEST, total / np.maximum(count, 1), -np.inf)
        top = int(mean.argmax())
        if mean[top] > best[0]:
            place = middle[0] * np.cos(turned) + middle[1] * np.sin(turned) + top - WIDEST
            best = (float(mean[top]), float(turned), float(place))
    return best[1], best[2]


def _measured(light: NDArray[np.floating], angle: float, distance: float) -> Trail:
    """Return a trail with its ridge and width, from its profile."""
    angle, distance = _turned(light, angle, distance)
    y, x = np.ogrid[: light.shape[0], : light.shape[1]]
    across = x * np.cos(angle) + y * np.sin(angle) - distance
    steps = np.arange(-WIDEST, WIDEST + 1)
    near = np.abs(across) < WIDEST + 0.5
    number, value = np.rint(across[near]).astype(np.intp) + WIDEST, light[near]
    good = np.isfinite(value)
    profile = np.array([clipped_mean(value[good & (number == k)]) for k in range(steps.size)])
    bright = profile > max(EDGE, 0.03 * float(profile.max()))
    ridge = int(WIDEST - 4 + np.argmax(profile[WIDEST - 4 : WIDEST + 5]))
    low = ridge
    while low > 0 and bright[low - 1]:
        low -= 1
    high = ridge
    while high < steps.size - 1 and bright[high + 1]:
        high += 1
    return Trail(angle, distance + 0.5 * (steps[low] + steps[high]), 0.5 * (high - low) + BEND)
