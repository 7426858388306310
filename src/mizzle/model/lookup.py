"""Lookup tables: what a camera's distortion polynomial cannot tell, measured on a coarse grid of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.model.arrays import locked
from mizzle.model.values import Value


@dataclass(frozen=True, eq=False)
class LookupTable(Value):
    """Shifts on a regular grid of pixels: bilinear between nodes, constant beyond the outermost.

    Parameters
    ----------
    data : (ny, nx) float32 array
        Shift at each node [pixel].
    crpix, crval, cdelt : (float, float)
        Node `crpix` (1-based) lies at pixel `crval` (1-based), nodes are `cdelt` pixels apart; x, then y.

    References
    ----------
    Calabretta et al. 2004, "Representations of distortions in FITS world coordinate systems" (the Distortion Paper),
    section 3.4; `astropy.wcs.DistortionLookupTable` takes the same four.
    """

    data: NDArray[np.float32]
    crpix: tuple[float, float]
    crval: tuple[float, float]
    cdelt: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", locked(self.data, np.float32))

    def nodes(self, axis: int) -> FloatArray:
        """Return the 0-based pixels of the nodes along one axis (0: x, 1: y)."""
        steps = np.arange(self.data.shape[1 - axis], dtype=np.float64) + (1.0 - self.crpix[axis])
        return steps * self.cdelt[axis] + (self.crval[axis] - 1.0)

    def samples(self, axis: int) -> TableSamples:
        """Return 0-based pixels and shifts along one axis of a table of one row (0) or one column (1)."""
        values = np.asarray(self.data, dtype=np.float64).ravel()
        steps = np.arange(values.size, dtype=np.float64) + (1.0 - self.crpix[axis])
        return TableSamples(steps * self.cdelt[axis] + (self.crval[axis] - 1.0), values)

    def at(self, x: Any, y: Any) -> FloatArray:
        """Return the shift [pixel] at 0-based pixels."""
        i, f = self._cell(np.asarray(x, dtype=np.float64), 0)
        j, g = self._cell(np.asarray(y, dtype=np.float64), 1)
        right, above = min(1, self.data.shape[1] - 1), min(1, self.data.shape[0] - 1)
        data = self.data
        low = data[j, i] * (1.0 - f) + data[j, i + right] * f
        high = data[j + above, i] * (1.0 - f) + data[j + above, i + right] * f
        return np.asarray(low * (1.0 - g) + high * g, dtype=np.float64)

    def on_grid(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the shifts [pixel] at 0-based columns `x` and rows `y`: ``(y.size, x.size)``; faster than `at`."""
        weights = []
        for pixels, axis in ((y, 1), (x, 0)):
            node, part = self._cell(np.asarray(pixels, dtype=np.float64), axis)
            share = np.zeros((pixels.size, self.data.shape[1 - axis]))
            lines = np.arange(pixels.size)
            share[lines, node] = 1.0 - part
            share[lines, np.minimum(node + 1, share.shape[1] - 1)] += part
            weights.append(share)
        return np.asarray(weights[0] @ self.data.astype(np.float64) @ weights[1].T)

    def _cell(self, pixel: FloatArray, axis: int) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the node before each pixel, and how far the pixel lies on the way to the next one, 0 to 1."""
        last = self.data.shape[1 - axis] - 1
        steps = (pixel + (1.0 - self.crval[axis])) / self.cdelt[axis] + (self.crpix[axis] - 1.0)
        steps = np.clip(np.nan_to_num(steps), 0.0, last)
        node = np.minimum(steps.astype(np.intp), max(last - 1, 0))
        return node, steps - node


class TableSamples(NamedTuple):
    """Samples of a table along one axis: 0-based pixels, and the shift at each [pixel]."""

    pixel: FloatArray
    shift: FloatArray


@dataclass(frozen=True, eq=False)
class LookupTables(Value):
    """The lookup tables of a chip.

    Parameters
    ----------
    d2im_x, d2im_y : LookupTable, optional
        Detector to image: added to a pixel before anything else.
    npol_x, npol_y : LookupTable, optional
        Not in the polynomial: read where D2IM puts a pixel, and added to it side by side with the SIP polynomial.
    """

    d2im_x: LookupTable | None = None
    d2im_y: LookupTable | None = None
    npol_x: LookupTable | None = None
    npol_y: LookupTable | None = None

    def __bool__(self) -> bool:
        return any(table is not None for table in (self.d2im_x, self.d2im_y, self.npol_x, self.npol_y))

    def to_image(self, x: FloatArray, y: FloatArray) -> Places:
        """Return 0-based pixels after D2IM."""
        return Places(x + _shift(self.d2im_x, x, y), y + _shift(self.d2im_y, x, y))

    def to_detector(self, x: FloatArray, y: FloatArray, *, rounds: int = 4) -> Places:
        """Invert `to_image`: the tables' slopes are 1e-3, and each round gains as much."""
        raw_x, raw_y = x, y
        if self.d2im_x is not None or self.d2im_y is not None:
            for _ in range(rounds):
                dx, dy = _shift(self.d2im_x, raw_x, raw_y), _shift(self.d2im_y, raw_x, raw_y)
                raw_x, raw_y = x - dx, y - dy
        return Places(raw_x, raw_y)

    def npol(self, x: FloatArray, y: FloatArray) -> Places:
        """Return the shifts that NPOL adds at image pixels (those that `to_image` returns)."""
        return Places(np.asarray(_shift(self.npol_x, x, y)), np.asarray(_shift(self.npol_y, x, y)))


def _shift(table: LookupTable | None, x: FloatArray, y: FloatArray) -> FloatArray | float:
    return 0.0 if table is None else table.at(x, y)
