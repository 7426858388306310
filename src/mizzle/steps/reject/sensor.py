"""One chip of one exposure, with everything needed to judge its pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.dq import bad_pixels, good_bits
from mizzle.instrument.noise import NoiseModel, noise_model
from mizzle.model import Alignment, Chip, ChipFrame, Exposure, FluxScales, SkyLevels
from mizzle.model.camera import ChipClass
from mizzle.settings import Settings


@dataclass(frozen=True, eq=False)
class Sensor:
    """One chip of one exposure.

    Parameters
    ----------
    exposure, chip : Exposure, Chip
        What was read.
    index : int
        Number of the exposure in the visit.
    frame : ChipFrame
        Aligned.
    multiply : float
        DN to equalized DN/s: flux factor over exposure time.
    sky : float
        What leaves the same sky on all chips of all exposures [DN per pixel].
    level : float
        What this chip measured [DN per pixel]: more, where a nebula fills it.
    noise : NoiseModel
        In electrons.
    good : int
        Data-quality bits that do no harm.
    """

    exposure: Exposure
    chip: Chip
    index: int
    frame: ChipFrame
    multiply: float
    sky: float
    level: float
    noise: NoiseModel
    good: int

    @property
    def kind(self) -> ChipClass:
        """Class of the chip."""
        return self.exposure.camera.class_of(self.chip.name)

    @property
    def full_rate(self) -> float:
        """Equalized counts per second of a pixel that may be full."""
        return self.exposure.camera.full_well * self.multiply

    def pixels(self, allow: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return signal [DN] and bad pixels (bits `allow` pass); read from the file again where memory is short."""
        sci = self.chip.sci
        return sci, bad_pixels(sci, self.chip.dq, self.good | allow)


def sensors(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    sky: SkyLevels,
    settings: Settings,
) -> list[Sensor]:
    """Return the sensors of a visit, by exposure, then chip."""
    return list(_sensors(exposures, alignment, scales, sky, settings))


def _sensors(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    sky: SkyLevels,
    settings: Settings,
) -> Iterable[Sensor]:
    good = good_bits(settings.dq.good)
    for index, exposure in enumerate(exposures):
        for name, chip in exposure.chips.items():
            factor = scales.factors[exposure.root][name]
            # Not what the chip measured: a nebula that fills it is on the sky, and all exposures see it.
            alike, level = sky.comparable(exposure.root, name), sky.measured(exposure.root, name)
            alike, level = (value / factor if np.isfinite(value) else 0.0 for value in (alike, level))
            yield Sensor(
                exposure=exposure,
                chip=chip,
                index=index,
                frame=alignment.frame(exposure, name),
                multiply=factor / exposure.exptime,
                sky=alike,
                level=max(level, alike),
                noise=noise_model(exposure, chip, settings.noise),
                good=good,
            )
