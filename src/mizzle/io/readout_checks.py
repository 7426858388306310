"""Whether the bias stayed what it was while a chip was read: jumps between rows, columns that alternate.

The bias of WFPC2 jumps now and then by a DN or so during a readout (ISR WFPC2 97-04, TIR WFPC2 97-11), and calibration
until May 1994 took one level for odd and even columns (WFPC2 Data Handbook, 4.1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.model import Chip, Exposure

#: The sky is measured in cells of so many rows, and in so many groups of columns, of every so many columns.
_ROWS, _GROUPS, _EVERY = 16, 8, 8
#: Cells on each side of a jump; so many pixels of sky are in a cell at least.
_SIDE, _FEWEST = 3, 60
#: A jump is so many times its error, and so many electrons and counts at least; before it the sky moves by less
#: than this share of it, and so after it; so many of the groups see it as large as this share at least.
JUMP_SIGMAS, JUMP_ELECTRONS, JUMP_COUNTS, FLAT, AGREEING, SHARE = 6.0, 3.0, 0.5, 0.3, 7, 0.5
#: Odd columns less even ones: so many times the error, and so many electrons, at least; every so many rows are asked.
STRIPE_SIGMAS, STRIPE_ELECTRONS, _SAMPLED = 8.0, 1.0, 16
#: Pixels within so many sigma of the sky are sky.
_CLIP = 2.5


class BiasJump(NamedTuple):
    """A jump of the bias.

    Parameters
    ----------
    row : int
        Where, to `_ROWS` rows [0-based].
    counts : float
        By how much the rows after it are higher.
    """

    row: int
    counts: float


def sky_cells(chip: Chip) -> FloatArray:
    """Return the clipped mean of the sky in cells of rows and groups of columns.

    Parameters
    ----------
    chip : Chip
        Its pixels and flags.

    Returns
    -------
    cells : (n_cells, n_groups) array
        From the first row on [counts]; NaN where too few pixels are good.
    """
    ny, nx = chip.shape
    count, width = ny // _ROWS, (nx // _EVERY) // _GROUPS
    kept = np.s_[: count * _ROWS, : width * _GROUPS * _EVERY : _EVERY]
    good = (chip.dq[kept] == 0) & np.isfinite(chip.sci[kept])
    values = np.where(good, chip.sci[kept], np.float32(np.nan))
    cells = values.reshape(count, _ROWS, _GROUPS, width).transpose(0, 2, 1, 3).reshape(count, _GROUPS, -1)
    ordered = np.sort(cells, axis=2)  # NaN last
    number = np.isfinite(ordered).sum(axis=2)

    def quantile(share: float) -> FloatArray:
        place = (share * np.maximum(number - 1, 0)).astype(np.int64)
        return np.take_along_axis(ordered, place[..., None], axis=2)[..., 0].astype(np.float64)

    # Stars only add light: the scatter of the darker half is the sky's. Half a count more keeps whole counts in pairs.
    level, scatter = quantile(0.5), quantile(0.5) - quantile(0.16)
    measured = scatter[number > 0]
    limit = _CLIP * max(float(np.median(measured)) if len(measured) else 0.0, 0.5) + 0.5
    sky = np.abs(cells - level[..., None]) < limit
    used = sky.sum(axis=2)
    mean = np.where(sky, cells, 0.0).sum(axis=2) / np.maximum(used, 1)
    return np.where(used >= _FEWEST, mean, np.nan)


def bias_jump(chip: Chip) -> BiasJump | None:
    """Find the row at which the whole sky of a chip jumps, as the bias does and the sky does not.

    Parameters
    ----------
    chip : Chip
        Its pixels and flags.
    """
    cells = sky_cells(chip) if min(chip.shape) >= 2 * _ROWS * _GROUPS else np.empty((0, _GROUPS))
    if len(cells) < 4 * _SIDE:
        return None
    before, after = (np.lib.stride_tricks.sliding_window_view(part, _SIDE, axis=0) for part in (cells[:-1], cells[1:]))
    # A jump lies inside a cell, which is left out: `_SIDE` cells end before it, and as many begin after it.
    first, second = before[:-_SIDE], after[_SIDE:]
    step = second.mean(axis=2) - first.mean(axis=2)
    drifts = [np.abs(np.median(side[..., -1] - side[..., 0], axis=1)) for side in (first, second)]
    known = np.isfinite(step).all(axis=1)  # the shadow of the pyramid lies along the first rows and columns
    if np.count_nonzero(known) < 2 * _SIDE:
        return None
    middle, drift = np.median(step, axis=1), np.maximum(*drifts)
    error = 1.4826 * np.median(np.abs(step - middle[:, None]), axis=1) / np.sqrt(_GROUPS)
    error = np.fmax(error, np.median(error[known]))  # eight groups tell their scatter badly
    size = np.abs(middle)
    agreeing = (step * np.sign(middle)[:, None] > SHARE * size[:, None]).sum(axis=1)
    least = np.maximum(JUMP_SIGMAS * error, max(JUMP_COUNTS, JUMP_ELECTRONS / chip.gain))
    jumps = (size > least) & (drift < FLAT * size) & (agreeing >= AGREEING)
    if not jumps.any():
        return None
    place = int(np.argmax(np.where(jumps, size, 0.0)))
    return BiasJump((place + _SIDE) * _ROWS + _ROWS // 2, float(middle[place]))


def stripes(chip: Chip) -> float:
    """Return how much odd columns are above even ones [counts]; 0 where noise explains it.

    Parameters
    ----------
    chip : Chip
        Its pixels and flags.
    """
    values = np.where(chip.dq[::_SAMPLED] == 0, chip.sci[::_SAMPLED], np.float32(np.nan)).astype(np.float64)
    off = values[:, 1:-1] - 0.5 * (values[:, :-2] + values[:, 2:])
    known = np.isfinite(off)
    if np.count_nonzero(known) < _FEWEST:
        return 0.0
    sigma = max(1.4826 * float(np.median(np.abs(off[known] - np.median(off[known])))), 0.5)
    # Between stars a pixel is below its neighbors more often than above, in odd and even columns alike.
    sides = [side[np.abs(side) < _CLIP * sigma + 0.5] for side in (off[:, 0::2], off[:, 1::2])]
    if min(side.size for side in sides) < _FEWEST:
        return 0.0
    height = 0.5 * float(sides[0].mean() - sides[1].mean())
    error = 0.5 * float(np.hypot(*(side.std() / np.sqrt(side.size) for side in sides)))
    return height if abs(height) > max(STRIPE_SIGMAS * error, STRIPE_ELECTRONS / chip.gain) else 0.0


def jump_words(exposure: Exposure, name: str) -> str:
    """Say where the bias of a chip jumps, and by how much."""
    jump = bias_jump(exposure.chips[name])
    return "" if jump is None else f"{jump.counts:+.2g} {exposure.camera.counts} from about row {jump.row + 1} on"


def stripe_words(exposure: Exposure, name: str) -> str:
    """Say how much the columns of a chip alternate."""
    height = stripes(exposure.chips[name])
    return f"{abs(height):.2g} {exposure.camera.counts}" if height else ""
