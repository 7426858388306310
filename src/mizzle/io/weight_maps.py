"""Weight maps that users bring for exposures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mizzle.errors import SettingsError
from mizzle.io.masks import chip_images, named_files
from mizzle.io.regular import local_path
from mizzle.model import Exposure
from mizzle.settings import CombineSettings


def with_weight_maps(exposures: Sequence[Exposure], settings: CombineSettings) -> list[Exposure]:
    """Return the exposures with the maps that ``combine.weights`` names.

    Parameters
    ----------
    exposures : sequence of Exposure
        As read.
    settings : CombineSettings
        ``weights``: ``ROOT=FILE`` each; ``weight`` must be IVM then.

    Raises
    ------
    SettingsError
        A map for an exposure that is not there, or weights of another kind.
    InputError
        A file is no FITS file with an image of the chips' size.
    """
    if not settings.weights:
        return list(exposures)
    if settings.weight != "IVM":
        raise SettingsError(
            f"combine.weights are inverse variances, and combine.weight is {settings.weight!r}; set it to 'IVM'",
            weight=settings.weight,
        )
    named = dict(named_files(settings.weights, "combine.weights"))
    strange = sorted(set(named) - {exposure.root for exposure in exposures})
    if strange:
        raise SettingsError(
            f"combine.weights: {strange[0]} is not among the exposures: {', '.join(e.root for e in exposures)[:400]}",
            root=strange[0],
        )
    return [
        with_weight_map(exposure, named[exposure.root]) if exposure.root in named else exposure
        for exposure in exposures
    ]


def with_weight_map(exposure: Exposure, name: str) -> Exposure:
    """Return one exposure with the map of a file; see `with_weight_maps`."""
    chips = dict(exposure.chips)
    for chip, image in chip_images(local_path(name), exposure, what="weight map"):
        chips[chip] = replace(chips[chip], weights=np.where(image > 0, image, 0).astype(np.float32))
    return replace(exposure, chips=chips)
