"""The sky of one chip: which pixels count, and their level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.dq import bad_pixels, good_bits
from mizzle.instrument.noise import noise_model
from mizzle.model import ChipFrame, Exposure
from mizzle.model.user_tables import SkyRegion
from mizzle.settings import Settings
from mizzle.stars.sky_statistics import SkyStatistic, sky_statistic


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


def chip_sky(
    exposure: Exposure,
    name: str,
    factor: float,
    frame: ChipFrame,
    settings: Settings,
    regions: Sequence[SkyRegion] = (),
) -> ChipSky:
    """Measure the sky of one chip on its good pixels.

    Parameters
    ----------
    exposure : Exposure
        The exposure.
    name : str
        The chip.
    factor : float
        From equalizing.
    frame : ChipFrame
        Aligned; places the regions.
    settings : Settings
        ``sky``, ``dq`` and ``noise``.
    regions : sequence of SkyRegion
        Kept out.

    Returns
    -------
    sky : ChipSky
        Its level is NaN with fewer than ``sky.min_pixels`` pixels.
    """
    options, chip = settings.sky, exposure.chips[name]
    # A short subarray has few rows: all of them are used when a step would leave too few pixels.
    step = options.step if chip.shape[0] * chip.shape[1] >= 4 * options.step * options.min_pixels else 1
    sci = chip.sci[::step]
    bad = bad_pixels(chip.sci, chip.dq, good_bits(settings.dq.good))[::step]
    if regions:
        bad = bad | region_mask(regions, exposure.root, name, frame)[::step]
    noise = noise_model(exposure, chip, settings.noise)
    found = sky_statistic(
        sci[~bad],
        statistic=options.statistic,
        clip=options.clip,
        iterations=options.iterations,
        skewness_of=(noise.gain, noise.floor),
    )
    if found.n_pixels * step < options.min_pixels:
        found = SkyStatistic(float("nan"), float("nan"), found.n_pixels)
    return ChipSky(exposure.root, name, found, factor / (exposure.exptime * frame.scale**2))


def region_mask(regions: Sequence[SkyRegion], root: str, chip: str, frame: ChipFrame) -> NDArray[np.bool_]:
    """Return the pixels that regions keep out: ``(ny, nx)``, True where out.

    Parameters
    ----------
    regions : sequence of SkyRegion
        Excluding ones; when some include, what lies in none of those is out too.
    root, chip : str
        Which chip this is.
    frame : ChipFrame
        Its frame.
    """
    mine = [r for r in regions if r.root in ("", root) and r.chip in ("", chip)]
    out = np.zeros(frame.shape, dtype=np.bool_)
    if any(r.include for r in mine):
        out = ~np.any([_inside(r, frame) for r in mine if r.include], axis=0)
    for region in mine:
        if not region.include:
            out |= _inside(region, frame)
    return out


def _inside(region: SkyRegion, frame: ChipFrame) -> NDArray[np.bool_]:
    """Return the pixels of a chip whose centers lie in `region`."""
    ny, nx = frame.shape
    x, y = np.arange(nx)[None, :], np.arange(ny)[:, None]
    corners_x, corners_y = np.array(region.x), np.array(region.y)
    radius = region.radius
    if region.frame == "sky":
        corners_x, corners_y = frame.sky_to_pixel(corners_x, corners_y)
        radius = radius / frame.scale
    if not (np.isfinite(corners_x).all() and np.isfinite(corners_y).all()):
        return np.zeros(frame.shape, dtype=np.bool_)  # on the other side of the sky
    if region.radius > 0:
        circle: NDArray[np.bool_] = np.hypot(x - corners_x[0], y - corners_y[0]) <= radius
        return circle
    inside = np.zeros(frame.shape, dtype=np.bool_)
    # Even-odd rule: count the edges to the left of each pixel.
    for x0, y0, x1, y1 in zip(corners_x, corners_y, np.roll(corners_x, -1), np.roll(corners_y, -1), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x > x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside
