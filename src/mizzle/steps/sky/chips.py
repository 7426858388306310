"""The sky of one chip: which pixels count, and their level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.geometry.regions import region_mask
from mizzle.model.user_tables import SkyRegion
from mizzle.settings import Settings
from mizzle.stars.sky_statistics import SkyStatistic, sky_statistic
from mizzle.steps.chip_view import ChipView

#: More pixels of a chip tell its level no better: a thousandth of their scatter.
MOST_PIXELS = 1_000_000


@dataclass(frozen=True)
class ChipSky:
    """What one chip measured.

    Parameters
    ----------
    root, chip : str
        Whose sky.
    dn : SkyStatistic
        Level and scatter [DN as recorded].
    unit : float
        Equalized DN/s per square arcsec that one recorded DN per pixel makes.
    """

    root: str
    chip: str
    dn: SkyStatistic
    unit: float

    @property
    def brightness(self) -> float:
        """Surface brightness [equalized DN/s per square arcsec]; NaN where there were too few pixels."""
        return self.dn.level * self.unit


def chip_sky(view: ChipView, settings: Settings, regions: Sequence[SkyRegion] = ()) -> ChipSky:
    """Measure the sky of one chip on its good pixels.

    Parameters
    ----------
    view : ChipView
        The chip; its aligned frame places the regions.
    settings : Settings
        ``sky``.
    regions : sequence of SkyRegion
        Kept out.

    Returns
    -------
    sky : ChipSky
        Its level is NaN with fewer than ``sky.min_pixels`` pixels.
    """
    options, chip, noise = settings.sky, view.chip, view.noise
    # A short subarray has few rows: all of them are used when a step would leave too few pixels.
    size = chip.shape[0] * chip.shape[1]
    step = max(options.step, size // MOST_PIXELS) if size >= 4 * options.step * options.min_pixels else 1
    sci = chip.sci[::step]
    bad = view.bad()[::step]
    if regions:
        bad = bad | region_mask(regions, view.root, view.name, frame=view.frame)[::step]
    sky = sky_statistic(
        _within(sci[~bad], options.lower, options.upper),
        statistic=options.statistic,
        clip=options.clip,
        iterations=options.iterations,
        skewness_of=(noise.gain, noise.floor),
    )
    if sky.n_pixels * step < options.min_pixels:
        sky = SkyStatistic(float("nan"), float("nan"), sky.n_pixels)
    return ChipSky(view.root, view.name, sky, view.brightness)


def _within(values: NDArray[np.floating], lower: float | None, upper: float | None) -> NDArray[np.floating]:
    """Return the values between limits of the user; the array itself where there are none."""
    if lower is not None:
        values = values[values >= lower]
    return values if upper is None else values[values <= upper]
