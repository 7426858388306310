"""Rectangles around what a mask marks."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import Mask

Box = tuple[slice, slice]


def boxes(mask: Mask) -> list[Box]:
    """Return rectangles that cover `mask`: all of it, or its four borders where the middle is empty.

    A chip that is alone along its edges only is not worth judging as a whole.
    """
    whole = _span(mask, (slice(0, mask.shape[0]), slice(0, mask.shape[1])))
    if not whole:
        return []
    ny, nx = mask.shape
    low, high = ny // 4, ny - ny // 4
    left, right = nx // 4, nx - nx // 4
    if mask[low:high, left:right].any():
        return whole
    strips = (
        (slice(0, low), slice(0, nx)),
        (slice(high, ny), slice(0, nx)),
        (slice(low, high), slice(0, left)),
        (slice(low, high), slice(right, nx)),
    )
    return [box for strip in strips for box in _span(mask, strip)]


def _span(mask: Mask, part: Box) -> list[Box]:
    """Return the rectangle that `mask` spans within a part of it, if any."""
    inside = mask[part]
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return []
    y, x = (slice(p.start + int(n[0]), p.start + int(n[-1]) + 1) for p, n in zip(part, (rows, columns), strict=True))
    return [(y, x)]
