"""Medians of small patches of a chip: the sky around pixels that may be too low."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Side of the patches, and every which of their rows is used [pixel].
PATCH, PATCH_STEP = 50, 4


def patch_medians(sci: NDArray[np.float32], bad: NDArray[np.bool_], nothing: float) -> NDArray[np.float32]:
    """Return the median of the good pixels of each patch of `PATCH` pixels, every `PATCH_STEP` of its rows.

    Parameters
    ----------
    sci, bad : (ny, nx) array
        Pixels, finite where they are not bad; patches at the upper and right edge may be smaller.
    nothing : float
        What stands for patches without a good pixel.

    Returns
    -------
    medians : (rows, columns) float32 array
    """
    ny, nx = sci.shape
    tall, wide = -(-ny // PATCH), -(-nx // PATCH)
    used = np.flatnonzero(np.arange(ny) % PATCH % PATCH_STEP == 0)
    each = -(-PATCH // PATCH_STEP)
    values = np.full((tall * each, wide * PATCH), np.inf, np.float32)
    values[used // PATCH * each + used % PATCH // PATCH_STEP, :nx] = np.where(bad[used], np.float32(np.inf), sci[used])
    ordered = np.sort(values.reshape(tall, each, wide, PATCH).swapaxes(1, 2).reshape(tall, wide, -1), axis=2)
    count = np.isfinite(ordered).sum(axis=2)
    low, high = (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, ordered.shape[2] - 1))
    lower, upper = (np.take_along_axis(ordered, k[..., None], 2)[..., 0] for k in (low, high))
    return np.where(count == 0, np.float32(nothing), np.where(count % 2 == 1, upper, (lower + upper) / np.float32(2)))
