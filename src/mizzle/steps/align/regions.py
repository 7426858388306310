"""Which positions on a chip the user's regions let through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.geometry.regions import in_polygon
from mizzle.model import Chip, project
from mizzle.model.user_tables import SkyRegion


def in_region(region: SkyRegion, chip: Chip, *, x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
    """Return which 0-based pixels of `chip` lie inside `region`."""
    px, py = np.asarray(region.x, dtype=np.float64), np.asarray(region.y, dtype=np.float64)
    if region.frame == "sky":
        # On a plane tangent at the region, so that right ascension may pass through zero.
        center = (float(px[0]), float(py[0]))
        u, v = (3600.0 * plane for plane in project(*chip.frame.pixel_to_sky(x, y), center))
        px, py = (3600.0 * plane for plane in project(px, py, center))
    else:
        u, v = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if region.radius > 0:
        return np.asarray(np.hypot(u - px[0], v - py[0]) <= region.radius)
    return in_polygon(u, v, corners=Places(px, py))


def inside_regions(
    regions: Sequence[SkyRegion], root: str, chip: Chip, *, x: FloatArray, y: FloatArray
) -> NDArray[np.bool_]:
    """Return which positions to keep: inside some included region, inside no excluded one.

    Only regions that apply to this exposure and chip count; where none of them includes, all is included.
    """
    chip_regions = [r for r in regions if r.root in ("", root) and r.chip in ("", chip.name)]
    included = [in_region(r, chip, x=x, y=y) for r in chip_regions if r.include]
    keep = np.logical_or.reduce(included) if included else np.ones(np.shape(x), dtype=np.bool_)
    for region in chip_regions:
        if not region.include:
            keep = keep & ~in_region(region, chip, x=x, y=y)
    return np.asarray(keep, dtype=np.bool_)
