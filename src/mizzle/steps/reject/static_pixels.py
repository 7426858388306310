"""Pixels that are too low in every exposure of a chip, which nothing flags: dark columns, dust on the detector."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Mask
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.compared_chip import ComparedChip
from mizzle.steps.reject.packed import Packed
from mizzle.steps.reject.patches import PATCH, patch_medians

#: Exposures of a chip that must agree, at least.
LEAST = 3


def pack_too_low(compared: ComparedChip, sci: NDArray[np.float32], bad: Mask, *, settings: RejectSettings) -> bytes:
    """Return, packed and deflated, the pixels far below the sky, or below what is around them where that is fainter."""
    sigma = float(np.sqrt(compared.view.noise.background(compared.sky)))
    ny, nx = sci.shape
    around = np.minimum(patch_medians(sci, bad, compared.sky), np.float32(compared.sky))
    around -= np.float32(settings.static_sigma * sigma)
    limit = np.repeat(np.repeat(around, PATCH, axis=0), PATCH, axis=1)[:ny, :nx]
    return zlib.compress(np.packbits((sci < limit) & ~bad).tobytes(), 1)


def too_low_in_all(chips: Sequence[ComparedChip], too_low: Sequence[bytes | None]) -> list[Packed | None]:
    """Return for each chip the pixels that are too low in all its exposures, packed; None where there are none.

    Parameters
    ----------
    chips : sequence of ComparedChip
        Of one class.
    too_low : sequence of bytes or None
        What `pack_too_low` said of each, if it was asked.
    """
    result: list[Packed | None] = [None] * len(chips)
    for name in dict.fromkeys(compared.view.name for compared in chips):
        members = [n for n, compared in enumerate(chips) if compared.view.name == name]
        maps = [low for n in members if (low := too_low[n]) is not None]
        if len(maps) < LEAST or len({chips[n].view.chip.shape for n in members}) > 1:
            continue
        static = reduce(np.bitwise_and, (np.frombuffer(zlib.decompress(low), np.uint8) for low in maps))
        for n in members if static.any() else []:
            result[n] = static
    return result
