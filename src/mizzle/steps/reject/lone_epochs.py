"""Exposures judged by themselves though other epochs saw the same sky: what these tell in spite of stars that moved.

Where stars moved far between epochs, an epoch of one exposure is searched by itself, and a single exposure does not
tell faint rays from faint stars. But where all others saw blank sky, as far around as stars move, there is no star to
be wronged: what stands above their reference there is a ray.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mizzle.arrays import FloatArray, Indices, Mask
from mizzle.model import Runner
from mizzle.steps.reject.compared_chip import ComparedChip
from mizzle.steps.reject.packed import Packed, unpack

#: Sky is blank where no pixel stands out by more than this [sigma]; as far around as this many sigma of the stars'
#: motion, and half a pixel.
BLANK_SIGMA, MOTION_SIGMA = 3.0, 3.0


def rays_on_blank_sky(
    chips: Sequence[ComparedChip],
    own: Mapping[int, Packed],
    together: Mapping[int, Packed],
    *,
    lone: frozenset[int],
    runner: Runner,
) -> dict[int, Indices]:
    """Return, for each lone chip, the rays that a comparison with all finds where the others saw blank sky.

    Parameters
    ----------
    chips : sequence of ComparedChip
        All of one class.
    own : mapping
        By number of the chip: packed masks of each epoch by itself. What they flag is no star.
    together : mapping
        Those of the comparison of all epochs.
    lone : frozenset of int
        Chips whose epoch has no other exposure.
    runner : Runner
        Threads; by chip.

    Returns
    -------
    rays : dict
        Flat indices, by number of the chip.
    """
    numbers = sorted(lone)

    def search(number: int) -> Indices:
        compared = chips[number]
        shape = compared.view.chip.shape
        y, x = np.nonzero(unpack(together[number], shape) & ~unpack(own[number], shape))
        ra, dec = compared.view.frame.pixel_to_sky(x.astype(np.float64), y.astype(np.float64))
        seen, blank = np.zeros(x.size, np.bool_), np.ones(x.size, np.bool_)
        for k, other in enumerate(chips):
            if other.index == compared.index or not x.size:
                continue
            where, dark = _looked_at(other, unpack(own[k], other.view.chip.shape), ra, dec=dec, reach=_reach(compared))
            seen[where] = True
            blank[where] &= dark
        kept = seen & blank
        return np.asarray(y[kept] * shape[1] + x[kept])

    return dict(zip(numbers, runner.map(search, numbers), strict=True))


def _reach(compared: ComparedChip) -> int:
    """Return how far around a star may be seen at another epoch [pixel]."""
    return math.ceil(0.5 + MOTION_SIGMA * math.hypot(compared.moved, compared.misplaced))


def _looked_at(other: ComparedChip, rays: Mask, ra: FloatArray, *, dec: FloatArray, reach: int) -> tuple[Indices, Mask]:
    """Return which places another chip saw, well inside, and whether it is blank there: no pixel around stands out."""
    ny, nx = rays.shape
    x, y = other.view.frame.sky_to_pixel(ra, dec)
    i, j = (np.rint(np.nan_to_num(axis, nan=-1e6, posinf=-1e6, neginf=-1e6)).astype(np.intp) for axis in (x, y))
    where = np.flatnonzero((i >= reach) & (i < nx - reach) & (j >= reach) & (j < ny - reach))
    if not where.size:
        return where, np.zeros(0, np.bool_)
    sci, bad = other.pixels()
    sigma = math.sqrt(other.view.noise.background(other.level))
    bright = (sci > other.sky + BLANK_SIGMA * sigma) & ~(bad | rays)
    # A place whose pixels are all bad or hit is not known to be blank.
    known = ~(bad | rays)
    steps = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    lit, usable = np.zeros(where.size, np.bool_), np.zeros(where.size, np.intp)
    for dy, dx in steps:
        lit |= bright[j[where] + dy, i[where] + dx]
        usable += known[j[where] + dy, i[where] + dx]
    return where, ~lit & (2 * usable > len(steps))
