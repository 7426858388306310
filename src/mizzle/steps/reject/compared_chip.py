"""One chip of one exposure, with everything needed to judge its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mizzle.arrays import UsablePixels
from mizzle.instrument.dq import bad_pixels
from mizzle.instrument.star_optics import chip_star
from mizzle.model import Alignment, Exposure, FluxScales, SkyLevels
from mizzle.psf import sharpening
from mizzle.settings import Settings
from mizzle.steps.chip_view import ChipView, view_chips
from mizzle.steps.reject.trails import Trail

#: Places are good to this in any case, and thresholds allow for it [pixel].
KNOWN_PLACE = 0.03


@dataclass(frozen=True, eq=False)
class ComparedChip:
    """One chip of one exposure, to be compared with the others.

    Parameters
    ----------
    view : ChipView
        The chip.
    index : int
        Number of the exposure in the visit.
    sky : float
        What leaves the same sky on all chips of all exposures [count per pixel].
    level : float
        What this chip measured [count per pixel]: more, where a nebula fills it.
    misplaced, moved : float
        How far, 1 sigma per axis, the exposure may lie from its place; and its stars, beyond what centroids explain
        [pixel].
    sharper : float
        How much sharper its stars are than those of all chips compared (`psf.sharpening`) [pixel**2]; 0 where their
        focus is not known.
    trails : tuple of Trail
        Straight trails that cross the chip; none before they were searched for.
    """

    view: ChipView
    index: int
    sky: float
    level: float
    misplaced: float = 0.0
    moved: float = 0.0
    sharper: float = 0.0
    trails: tuple[Trail, ...] = ()

    @property
    def slack(self) -> float:
        """How far places may be wrong beyond what the thresholds allow for anyway [pixel]."""
        return max(0.0, float(np.hypot(self.misplaced, self.moved)) - KNOWN_PLACE)

    @property
    def full_rate(self) -> float:
        """Equalized counts per second of a pixel that may be full."""
        return self.view.camera.full_well * self.view.rate

    def pixels(self, allow: int = 0) -> UsablePixels:
        """Return signal [count] and bad pixels (bits `allow` pass); read from the file again where memory is short."""
        return UsablePixels(self.view.chip.sci, self.view.bad(allow))

    def rows(self, first: int, last: int, allow: int = 0) -> UsablePixels:
        """Return signal [count] and bad pixels of rows ``first .. last - 1`` (bits `allow` pass)."""
        sci, dq = self.view.chip.pixels.rows(first, last)
        return UsablePixels(sci, bad_pixels(sci, dq, self.view.good | allow))


def compared_chips(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    *,
    sky: SkyLevels,
    settings: Settings,
) -> list[ComparedChip]:
    """Return the chips of a visit, by exposure, then chip."""
    index = {exposure.root: number for number, exposure in enumerate(exposures)}

    def compared(view: ChipView) -> ComparedChip:
        # Not what the chip measured: a nebula that fills it is on the sky, and all exposures see it.
        alike, level = sky.comparable(view.root, view.name), sky.measured(view.root, view.name)
        alike, level = (value / view.factor if np.isfinite(value) else 0.0 for value in (alike, level))
        placed, pixel = alignment.exposures[view.root], 1000.0 * view.frame.scale
        return ComparedChip(
            view,
            index[view.root],
            alike,
            max(level, alike),
            misplaced=placed.shift_error_mas / pixel,
            moved=placed.scatter_mas / pixel,
        )

    return [compared(view) for view in view_chips(exposures, alignment, scales, settings=settings, sky=sky)]


def with_focus_changes(chips: Sequence[ComparedChip]) -> list[ComparedChip]:
    """Return chips that know how much sharper than all of them together they are; as measured on their stars."""
    if any(compared.view.chip.focus is None for compared in chips):
        return list(chips)
    images = [chip_star(compared.view.camera, compared.view.chip) for compared in chips]
    if len(set(map(id, images))) < 2 or min(image.reach for image in images) < 2:
        return list(chips)
    changes = sharpening(images).tolist()
    return [replace(compared, sharper=change) for compared, change in zip(chips, changes, strict=True)]
