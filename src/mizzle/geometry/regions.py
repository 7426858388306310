"""Which pixels of a chip lie in regions of the sky, or of the chip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Places
from mizzle.model import ChipFrame
from mizzle.model.user_tables import SkyRegion


def region_mask(regions: Sequence[SkyRegion], root: str, chip: str, *, frame: ChipFrame) -> NDArray[np.bool_]:
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
    chip_regions = [r for r in regions if r.root in ("", root) and r.chip in ("", chip)]
    out = np.zeros(frame.shape, dtype=np.bool_)
    if any(r.include for r in chip_regions):
        out = ~np.any([_inside(r, frame) for r in chip_regions if r.include], axis=0)
    for region in chip_regions:
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
        radius = radius / frame.reference_side
    if not (np.isfinite(corners_x).all() and np.isfinite(corners_y).all()):
        return np.zeros(frame.shape, dtype=np.bool_)  # on the other side of the sky
    if region.radius > 0:
        circle: NDArray[np.bool_] = np.hypot(x - corners_x[0], y - corners_y[0]) <= radius
        return circle
    return in_polygon(x, y, corners=Places(corners_x, corners_y))


def in_polygon(x: NDArray[Any], y: NDArray[Any], *, corners: Places) -> NDArray[np.bool_]:
    """Return which places lie in a polygon, by the even-odd rule: an odd number of its edges lies to their left.

    Parameters
    ----------
    x, y : array
        Places, of shapes that go together.
    corners : (x, y)
        ``(n,)`` each, in order around the polygon.
    """
    inside = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)), dtype=np.bool_)
    after = (np.roll(axis, -1) for axis in corners)
    for x0, y0, x1, y1 in zip(*corners, *after, strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x > x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside
