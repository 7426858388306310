"""Rows of a detector that are narrower than the others: shifts at row centers become shifts at row edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray

#: Steps between neighboring rows that differ from the common slope by more than this are jumps [pixel].
JUMP = 5e-3

#: The narrow rows of WFPC2: first (1-based), and their distance [pixel] (Cox 2008, after Anderson & King 1999, PASP
#: 111, 1095).
ROW_PHASE = 30.68
ROW_PERIOD = 34.1333


class RowTerm(NamedTuple):
    """Shifts in y [pixel]: at the edges of rows ``(ny + 1,)``; of columns ``(nx,)``, or ``(0,)`` for none."""

    edges: FloatArray
    columns: FloatArray


def row_edges(centers: FloatArray) -> FloatArray:
    """Turn shifts at row centers into shifts at row edges.

    Every 34.1333 rows one row of the detector is narrower, and the shift jumps *inside* that row. At the edges of all
    other rows the profile is smooth, so an edge takes the mean of its two rows; the edges of a jump row continue the
    slope of the rows on its far sides. A shift that is linear between edges then gives the narrow row its smaller area.

    Parameters
    ----------
    centers : (ny,) array
        Shift in y [pixel] at the center of each row.

    Returns
    -------
    edges : (ny + 1,) array
        Shift at edge ``j``, which lies at ``y = j - 0.5`` (0-based).
    """
    steps = np.diff(centers)
    slope = float(np.median(steps))
    edges = np.concatenate(([centers[0] - slope / 2], (centers[1:] + centers[:-1]) / 2, [centers[-1] + slope / 2]))
    jumps = np.flatnonzero(np.abs(steps - slope) > JUMP)
    for row in _jump_rows(jumps):
        if row > 0:
            edges[row] = centers[row - 1] + slope / 2
        if row < centers.size - 1:
            edges[row + 1] = centers[row + 1] - slope / 2
    return edges


def _jump_rows(jumps: NDArray[np.intp]) -> list[int]:
    """Return the 0-based rows that jump; large step j leads from row j to row j + 1.

    Two large steps in sequence frame their row. A single one leaves two candidates; the known phase of the detector
    (``y = 30.68 + 34.1333 k``, 1-based; Anderson & King 1999) decides, and the later row where the phase is
    another.
    """
    rows: list[int] = []
    pending = [int(j) for j in jumps]
    while pending:
        step = pending.pop(0)
        if pending and pending[0] == step + 1:
            pending.pop(0)
            rows.append(step + 1)
            continue
        cycle = np.rint((step + 1.5 - ROW_PHASE) / ROW_PERIOD)
        known = int(np.rint(ROW_PHASE + ROW_PERIOD * cycle)) - 1
        rows.append(known if known in (step, step + 1) else step + 1)
    return rows
