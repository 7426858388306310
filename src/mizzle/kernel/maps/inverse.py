"""From a grid back to a chip: which pixel lies at a place, and how many exposures do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, Indices, Mask, Places
from mizzle.kernel.maps.types import ChipMap

#: The linear map's error anywhere on a chip is less than this [pixel].
BEND = 9.0


class NearestPixels(NamedTuple):
    """Column and row of the pixels nearest to places, and the number of each one's place."""

    x: Indices
    y: Indices
    place: Indices


class InverseMap:
    """A chip's map, backward.

    Parameters
    ----------
    chip_map : ChipMap
        The map forward.
    """

    def __init__(self, chip_map: ChipMap) -> None:
        ny, nx = chip_map.shape
        x, y = (nx - 1) / 2, (ny - 1) / 2
        across, along = nx / 4, ny / 4
        gx, gy = chip_map(np.array([x, x - across, x + across, x, x]), np.array([y, y, y, y - along, y + along]))
        self.chip_map = chip_map
        self.middle = np.array([x, y])
        self.place = np.array([gx[0], gy[0]])
        #: Grid pixels per chip pixel, ``[gx or gy, x or y]``, at the middle of the chip.
        self.matrix = np.array([[(g[2] - g[1]) / (2 * across), (g[4] - g[3]) / (2 * along)] for g in (gx, gy)])
        #: Chip pixels per grid pixel, likewise.
        self.back = np.linalg.inv(self.matrix)

    def linear(self, gx: FloatArray, gy: FloatArray) -> Places:
        """Return the chip's position of a place on the grid, but for the bend of its pixels (`BEND`)."""
        dx, dy = self._step(gx - self.place[0], gy - self.place[1])
        return Places(self.middle[0] + dx, self.middle[1] + dy)

    def nearest_pixels(self, gx: FloatArray, gy: FloatArray) -> NearestPixels:
        """Return ``(x, y)`` of the pixels nearest to places on the grid, and which of the places have one.

        Pixels on the edge of the chip do not count.
        """
        ny, nx = self.chip_map.shape
        x, y = self.linear(gx, gy)
        near = np.flatnonzero((x > -BEND) & (x < nx - 1 + BEND) & (y > -BEND) & (y < ny - 1 + BEND))
        x, y, gx, gy = x[near], y[near], gx[near], gy[near]
        for _ in range(2):
            x, y = np.clip(x, -1.0, float(nx)), np.clip(y, -1.0, float(ny))
            hx, hy = self.chip_map(x, y)
            dx, dy = self._step(gx - hx, gy - hy)
            x, y = x + dx, y + dy
        i, j = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
        inside = (i > 0) & (i < nx - 1) & (j > 0) & (j < ny - 1)
        return NearestPixels(i[inside], j[inside], near[inside])

    def covers(self, gx: FloatArray, gy: FloatArray) -> Mask:
        """Return whether the chip covers places on the grid, to within its bend."""
        ny, nx = self.chip_map.shape
        x, y = self.linear(gx, gy)
        return np.asarray((x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5))

    def _step(self, dx: FloatArray, dy: FloatArray) -> tuple[FloatArray, FloatArray]:
        back = self.back
        return back[0, 0] * dx + back[0, 1] * dy, back[1, 0] * dx + back[1, 1] * dy
