"""Cosmic rays of one chip, while they are searched for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Indices
from mizzle.steps.reject.packed import with_pixels
from mizzle.steps.reject.star_cores import CoreCandidates
from mizzle.steps.reject.trails import Trail

NO_PIXELS: Indices = np.zeros(0, np.intp)


@dataclass(frozen=True, eq=False)
class ChipRays:
    """Cosmic rays of one chip.

    Parameters
    ----------
    packed : (n,) uint8 array
        Flagged pixels, as `numpy.packbits` packs them.
    hits : int
        How many.
    fraction : float
        The same over the good pixels.
    single_coverage : float
        Share of the good pixels that no second exposure covers.
    too_low : bytes, optional
        Pixels far below the sky, packed and deflated: there are hardly any.
    candidates : CoreCandidates, optional
        In star cores: not flagged yet.
    prediction_error : float
        Of star cores, from `RecheckedCores`.
    trails : tuple of Trail
        Of satellites: among the flagged pixels.
    alone_too : int array, optional
        Pixels that the single-exposure method flags beyond these, where no more than two exposures know: flat indices.
    brighter : int array
        Peaks of stars that are brighter than in the other exposures, kept; without ``reject.keep_brighter`` of those
        that may be: flat indices.
    """

    packed: NDArray[np.uint8]
    hits: int
    fraction: float
    single_coverage: float
    too_low: bytes | None = None
    candidates: CoreCandidates | None = None
    prediction_error: float = float("nan")
    trails: tuple[Trail, ...] = ()
    alone_too: NDArray[np.intp] | None = None
    brighter: Indices = field(default_factory=lambda: NO_PIXELS)

    def with_more(self, pixels: Indices) -> ChipRays:
        """Return these with more pixels (flat indices) in the mask."""
        packed, added = with_pixels(self.packed, pixels)
        hits = self.hits + added
        return replace(self, packed=packed, hits=hits, fraction=self.fraction * hits / max(self.hits, 1))
