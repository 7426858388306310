"""One chip of one exposure, with all that the steps so far know of it.

The same few facts are wanted everywhere: where the chip lies after alignment, what its counts are worth, how noisy they
are, which pixels may be used. They are put together here, once, and a step takes the view in place of the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.dq import bad_pixels, good_bits, saturated_pixels
from mizzle.instrument.noise import NoiseModel, noise_model
from mizzle.kernel.pixels import grow
from mizzle.model import Alignment, Chip, ChipFrame, CosmicRays, Exposure, FluxScales, SkyLevels
from mizzle.model.camera import Camera, ChipClass
from mizzle.settings import Settings

_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class ChipView:
    """One chip of one exposure.

    Parameters
    ----------
    exposure, chip : Exposure, Chip
        What was read.
    frame : ChipFrame
        Aligned; the header's before that.
    factor : float
        Counts to equalized counts: those at the one zeropoint; NaN before it is known.
    noise : NoiseModel
        In electrons.
    good : int
        Data-quality bits that do no harm.
    level : float
        Sky that is subtracted [equalized count per pixel]; NaN before it is known.
    pedestal : float
        What the chip measured beyond `level` [equalized count per pixel].
    """

    exposure: Exposure
    chip: Chip
    frame: ChipFrame
    factor: float
    noise: NoiseModel
    good: int
    level: float = _NAN
    pedestal: float = _NAN

    @property
    def root(self) -> str:
        """Rootname of the exposure."""
        return self.exposure.root

    @property
    def name(self) -> str:
        """Name of the chip."""
        return self.chip.name

    @property
    def camera(self) -> Camera:
        """The camera."""
        return self.exposure.camera

    @property
    def chip_class(self) -> ChipClass:
        """Chips of this one's pixel scale and star image."""
        return self.camera.class_of(self.name)

    @property
    def side(self) -> float:
        """True side of the reference pixel on the sky [arcsec]: PHOTFLAM and the flat field refer to it."""
        return self.frame.side

    @property
    def rate(self) -> float:
        """Counts to equalized counts per second."""
        return self.factor / self.exposure.exptime

    @property
    def brightness(self) -> float:
        """Counts per pixel to equalized counts per second and square arcsec."""
        return self.factor / (self.exposure.exptime * self.side**2)

    @property
    def sky(self) -> float:
        """Sky as the chip measured it, its own pedestal included [count per pixel]; NaN before it is known."""
        return (self.level + self.pedestal) / self.factor

    def bad(self, allow: int = 0) -> NDArray[np.bool_]:
        """Return the pixels that must not be used, bits of `allow` aside: ``(ny, nx)`` bool."""
        return bad_pixels(self.chip.sci, self.chip.dq, self.good | allow)

    def saturated(self) -> NDArray[np.bool_]:
        """Return the pixels that are saturated and else good: ``(ny, nx)`` bool."""
        return saturated_pixels(self.chip.sci, self.chip.dq, self.good, bit=self.camera.saturated)

    def near_saturated(self, reach: float) -> NDArray[np.bool_]:
        """Return the pixels within `reach` [arcsec] of saturated ones, and those: ``(ny, nx)`` bool, a square."""
        if self.good & self.camera.saturated:
            return np.zeros(self.chip.shape, np.bool_)
        saturated = self.saturated()
        return grow(saturated, round(reach / self.frame.reference_side)) if saturated.any() else saturated

    def hit(self, cosmic_rays: CosmicRays) -> NDArray[np.bool_]:
        """Return the pixels that cosmic rays hit: ``(ny, nx)`` bool."""
        return cosmic_rays.mask(self.root, self.name, self.chip.shape)


def view_unaligned(exposures: Sequence[Exposure], settings: Settings) -> list[ChipView]:
    """Return the views of all chips before any step, by exposure, then chip: header frames, and no zeropoint.

    Parameters
    ----------
    exposures : sequence of Exposure
        What was read.
    settings : Settings
        ``dq`` and ``noise``.
    """
    good = good_bits(settings.dq.good)
    return [
        ChipView(exposure, chip, chip.frame, _NAN, noise_model(exposure, chip, settings.noise), good)
        for exposure in exposures
        for chip in exposure.chips.values()
    ]


def view_chips(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    *,
    settings: Settings,
    sky: SkyLevels | None = None,
) -> list[ChipView]:
    """Return the views of all chips, by exposure, then chip: the order of the context bits.

    Parameters
    ----------
    exposures : sequence of Exposure
        What was read.
    alignment, scales, sky
        The solutions so far; the sky where it is known.
    settings : Settings
        ``dq`` and ``noise``.
    """
    good = good_bits(settings.dq.good)
    return [
        ChipView(
            exposure=exposure,
            chip=chip,
            frame=alignment.frame(exposure, name),
            factor=scales.factors[exposure.root][name],
            noise=noise_model(exposure, chip, settings.noise),
            good=good,
            level=_NAN if sky is None else sky.levels[exposure.root][name],
            pedestal=_NAN if sky is None else sky.pedestals[exposure.root][name],
        )
        for exposure in exposures
        for name, chip in exposure.chips.items()
    ]
