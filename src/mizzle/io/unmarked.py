"""What a quality file should have marked, and has not: the shadow of the optics, rows that were written twice."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mizzle.arrays import Mask
from mizzle.model import Chip
from mizzle.model.camera import Camera, LitShare

#: Rows with fewer values than this say nothing: fill, or sky without noise.
_LEAST_VALUES = 3
#: One of so many columns is held against those of other rows, before whole rows are.
_STEP = 16
#: Where a larger share of the rows is alike, the image has no noise: of a simulation.
_MOST_ROWS = 0.5


def unmarked_shadow(camera: Camera, chip: Chip) -> Mask | None:
    """Return the shadow of the optics, ``(ny, nx)``, where not one pixel of it is flagged; else None.

    Parameters
    ----------
    camera : Camera
        Knows where the shadow falls on a whole chip; None where it has none.
    chip : Chip
        As read.

    Notes
    -----
    What the flat field leaves of dark pixels is noise of hundreds of DN: unmarked, tens of thousands of pixels look
    like cosmic rays, and the search for these takes minutes.
    """
    if camera.lit_share is None or not camera.is_whole(chip.shape, chip.binning):
        return None
    dark = _dark(camera.lit_share, chip.name, chip.shape, binning=chip.binning)
    return None if not dark.any() or chip.dq[dark].any() else dark


@lru_cache(maxsize=16)
def _dark(lit_share: LitShare, name: str, shape: tuple[int, int], *, binning: int) -> Mask:
    """Return the pixels that see less than half of the sky."""
    return np.asarray(lit_share(name, shape, binning) < 0.5)


def repeated_rows(chip: Chip, known: Mask) -> Mask:
    """Return the rows that hold the very pixels of another row, ``(ny,)``: both, for nothing tells which is right.

    Parameters
    ----------
    chip : Chip
        As read.
    known : (ny, nx) bool array
        Fill; its rows are no news.

    Notes
    -----
    Read noise makes no two rows alike. Rows of few values, and images most of whose rows are alike, have none.
    """
    sci = chip.sci
    thinned = np.ascontiguousarray(sci[:, ::_STEP])
    keys: list[bytes] = thinned.view(f"V{thinned.strides[0]}").ravel().tolist()
    twice = np.zeros(sci.shape[0], np.bool_)
    if len(set(keys)) == len(keys):
        return twice
    first: dict[bytes, int] = {}
    for row in np.flatnonzero(~known.all(axis=1)):
        earlier = first.setdefault(keys[row], int(row))
        same = earlier != row and np.array_equal(sci[row], sci[earlier], equal_nan=True)
        if same and np.unique(sci[row]).size >= _LEAST_VALUES:
            twice[earlier] = twice[row] = True
    return twice if np.count_nonzero(twice) <= _MOST_ROWS * sci.shape[0] else np.zeros_like(twice)
