"""The 34th-row sawtooth in closed form, which WFPC2's DGEOFILE samples."""

from __future__ import annotations

import numpy as np

from mizzle.geometry.rows import ROW_PERIOD, ROW_PHASE

#: Range of the shift [pixel] (Cox 2008, after Anderson & King 1999, PASP 111, 1095).
ROW_AMPLITUDE = 0.0304


def row_formula(y):
    """Return the shift [pixel] at 1-based `y`: ``ROW_AMPLITUDE * (frac((y - ROW_PHASE) / ROW_PERIOD) - 0.5)``."""
    cycle = (np.asarray(y, dtype=np.float64) - ROW_PHASE) / ROW_PERIOD
    return ROW_AMPLITUDE * (cycle - np.floor(cycle) - 0.5)
