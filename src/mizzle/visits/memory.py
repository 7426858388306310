"""How much memory a visit will take, from its headers alone."""

from __future__ import annotations

from functools import cache

import numpy as np

from mizzle.errors import MizzleError
from mizzle.geometry.grid import MAX_PIXELS  # larger products are refused
from mizzle.instrument.cameras import CAMERAS, camera_labelled, settings_for
from mizzle.io.grid_image import read_grid
from mizzle.settings import Settings
from mizzle.visits.grouping import GroupedVisit

#: Measured on WFPC2 runs on one thread (docs/batch.md), rounded up: 2 exposures at the default scale 309 MB, 3 at
#: 0.03 arcsec 1736 MB. Of the process itself, with its libraries [byte].
BASE = 180e6
#: Bytes for each science pixel of an exposure: signal, data quality, masks, and what steps keep of it.
PER_INPUT_PIXEL = 6.0
#: Bytes for each pixel of a product while it is made, and of each finished one that waits for the others.
PER_OUTPUT_PIXEL, PER_FINISHED_PIXEL = 48.0, 16.0


def expected_memory(visit: GroupedVisit, settings: Settings) -> float:
    """Return the resident memory that a run of a visit will take at most [byte].

    Parameters
    ----------
    visit : GroupedVisit
        Its headers give pixels and pointings.
    settings : Settings
        ``combine.scale``, or the image of ``combine.like``, decides how many pixels the product has.
    """
    camera = camera_labelled(visit.exposures[0].camera) or max(CAMERAS, key=lambda known: known.footprint)
    pixel = settings_for(camera, settings).combine.scale
    ra = np.array([exposure.ra for exposure in visit.exposures])
    dec = np.array([exposure.dec for exposure in visit.exposures])
    turned = np.mod(ra - ra[0] + 180.0, 360.0) - 180.0
    spread = [3600 * float(np.ptp(turned) * np.cos(np.deg2rad(dec[0]))), 3600 * float(np.ptp(dec))]
    sides = [(camera.footprint + (extent if np.isfinite(extent) else 0.0)) / pixel for extent in spread]
    inputs = sum(exposure.pixels for exposure in visit.exposures)
    per_output = PER_OUTPUT_PIXEL + PER_FINISHED_PIXEL * (len(visit.filters) - 1)
    pixels = _pixels_of(settings.combine.like) if settings.combine.like else sides[0] * sides[1]
    return BASE + PER_INPUT_PIXEL * inputs + per_output * min(pixels, MAX_PIXELS)


@cache
def _pixels_of(image: str) -> float:
    """Return the number of pixels of the image that all products are to be like; what is wrong with it, a run says."""
    try:
        ny, nx = read_grid(image).shape
    except MizzleError:
        return 0.0
    return float(ny * nx)
