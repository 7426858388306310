"""How many stars an exposure should show, by what the exposures that are aligned show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Mask
from mizzle.instrument.noise import noise_model
from mizzle.instrument.star_optics import chip_star
from mizzle.model import Alignment, Chip, Exposure
from mizzle.model.sky import ST_ZEROPOINT
from mizzle.settings import Settings

#: A star is expected where it would stand this many times above the threshold, and not above so much of a full pixel.
CLEAR, FULL = 2.0, 0.7
#: Farther from a chip's border than this, so that shadow and edge take none [pixel].
MARGIN = 70
#: Detections nearer to each other than this are one star [arcsec].
SAME = 0.15
#: ST magnitudes of the star whose signal-to-noise ratio is worked out, and its step.
FAINTEST, BRIGHTEST, STEP = 32.0, 5.0, 0.1


@dataclass(frozen=True, eq=False)
class SeenStars:
    """Stars that aligned exposures of one filter see.

    Parameters
    ----------
    ra, dec : (n,) array
        On the aligned frame [deg].
    mag : (n,) array
        As alignment compares them (ST).
    """

    ra: FloatArray
    dec: FloatArray
    mag: FloatArray

    def __len__(self) -> int:
        return self.ra.size


def seen_stars(
    exposures: Sequence[Exposure], alignment: Alignment, tables: Mapping[str, Mapping[str, NDArray[np.float64]]]
) -> SeenStars:
    """Gather the stars that took part in the alignment of `exposures`, each once.

    Parameters
    ----------
    exposures : sequence of Exposure
        Aligned, of one filter.
    alignment : Alignment
        Where their chips lie.
    tables : mapping
        Matched detections by root, as `Alignment.tables` has them.
    """
    parts: list[FloatArray] = []
    for exposure in exposures:
        table = tables.get(exposure.root, {})
        number = np.asarray(table.get("chip", np.zeros(0)))
        for name in exposure.chips:
            on_chip = number == exposure.camera.number(name)
            if on_chip.any():
                ra, dec = alignment.frame(exposure, name).pixel_to_sky(table["x"][on_chip], table["y"][on_chip])
                parts.append(np.stack([ra, dec, table["mag"][on_chip]], axis=1))
    every = np.concatenate(parts) if parts else np.zeros((0, 3))
    scale = np.array([np.cos(np.deg2rad(every[:1, 1].sum())), 1.0]) * 3600.0 / SAME
    cells = np.rint(every[:, :2] * scale).astype(np.int64)
    once = np.unique(cells, axis=0, return_index=True)[1] if len(every) else np.zeros(0, np.intp)
    return SeenStars(*every[np.sort(once)].T)


def magnitude_range(exposure: Exposure, chip: Chip, settings: Settings) -> tuple[float, float]:
    """Return the brightest and the faintest star that `chip` shows clearly, as alignment counts magnitudes.

    A star's signal-to-noise ratio is that of its pixels, each weighed by its share of the light.
    """
    noise = noise_model(exposure, chip, settings.noise)
    finite = chip.sci[::8, ::8]
    finite = finite[np.isfinite(finite)]
    sky = max(float(np.median(finite)) * noise.gain, 0.0) if finite.size else 0.0
    shares = chip_star(exposure.camera, chip, defocus=exposure.camera.defocus).pixels(np.zeros(1), np.zeros(1), 2)[0]
    mag = np.arange(FAINTEST, BRIGHTEST, -STEP)
    rate = 10.0 ** (-0.4 * (mag - ST_ZEROPOINT)) / chip.photflam
    light = (rate * exposure.exptime * noise.gain)[:, None, None] * shares
    ratio = np.sqrt((light**2 / np.maximum(light + sky + noise.floor, 1e-9)).sum(axis=(1, 2)))
    clear = ratio >= CLEAR * settings.align.threshold
    full = light.max(axis=(1, 2)) + sky > FULL * exposure.camera.full_well * noise.gain
    use = mag[clear & ~full]
    return (float(use.min()), float(use.max())) if use.size else (float("inf"), float("-inf"))


def expected_count(exposure: Exposure, alignment: Alignment, stars: SeenStars, *, settings: Settings) -> int:
    """Return how many of `stars` an exposure should show clearly, where `alignment` puts it."""
    total = 0
    for name, chip in exposure.chips.items():
        bright, faint = magnitude_range(exposure, chip, settings)
        in_range = (stars.mag >= bright) & (stars.mag <= faint)
        total += int(np.count_nonzero(in_range & _well_inside(exposure, name, alignment, stars=stars)))
    return total


def count_inside(exposure: Exposure, alignment: Alignment, stars: SeenStars) -> int:
    """Return how many of `stars`, bright or faint, lie on an exposure's chips, where `alignment` puts it."""
    return sum(int(np.count_nonzero(_well_inside(exposure, name, alignment, stars=stars))) for name in exposure.chips)


def _well_inside(exposure: Exposure, name: str, alignment: Alignment, *, stars: SeenStars) -> Mask:
    """Return which of `stars` lie on a chip, and not near its border."""
    x, y = alignment.frame(exposure, name).sky_to_pixel(stars.ra, stars.dec)
    ny, nx = exposure.chips[name].shape
    margin = min(MARGIN, nx // 8, ny // 8)
    return (x > margin) & (x < nx - margin) & (y > margin) & (y < ny - margin)
