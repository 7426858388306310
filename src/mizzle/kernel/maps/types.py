"""Where the pixels of a chip fall on the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.errors import DataError, SettingsError
from mizzle.kernel.arguments import reals

MAX_DEGREE = 15
"""Highest polynomial degree the native kernel takes."""


def _locked(values: ArrayLike) -> FloatArray:
    array = np.array(values, dtype=np.float64, order="C")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class OffsetGrid:
    """Offsets from a smooth map on a regular grid of pixels: bilinear between nodes, going on beyond the outermost.

    Parameters
    ----------
    values : (my, mx, 2) array
        Offset ``(x, y)`` at each node [output pixel]; two nodes at least along each axis.
    first : (float, float)
        0-based pixel ``(x, y)`` of the first node.
    step : (float, float)
        Pixels between nodes along x and y, more than 0.

    Raises
    ------
    DataError
        Too few nodes, no step, or values that are not finite.
    """

    values: FloatArray
    first: tuple[float, float]
    step: tuple[float, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _locked(self.values))
        shape = self.values.shape
        known = np.isfinite([*self.first, *self.step]).all() and np.isfinite(self.values).all()
        if len(shape) != 3 or shape[2] != 2 or min(shape) < 2 or not known or min(self.step) <= 0:
            raise DataError(
                f"chip map: offsets of shape {shape}, {self.step} pixels apart from {self.first}; needed are finite"
                " ones of shape (my, mx, 2), two nodes at least along each axis"
            )

    @property
    def largest(self) -> float:
        """Largest offset along an axis [output pixel]."""
        return float(np.abs(self.values).max())

    def at(self, x: Any, y: Any) -> Places:
        """Return the offsets [output pixel] at 0-based pixels."""
        (i, f), (j, g) = (self._cell(np.asarray(p, dtype=np.float64), axis) for axis, p in enumerate((x, y)))
        offsets = []
        for k in range(2):
            values = self.values[..., k]
            left = values[j, i] + g * (values[j + 1, i] - values[j, i])
            right = values[j, i + 1] + g * (values[j + 1, i + 1] - values[j, i + 1])
            offsets.append(np.asarray(left + f * (right - left), dtype=np.float64))
        return Places(offsets[0], offsets[1])

    def _cell(self, pixel: FloatArray, axis: int) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the node before each pixel, and the way from it to the pixel [step]."""
        steps = (pixel - self.first[axis]) / self.step[axis]
        node = np.clip(np.floor(np.nan_to_num(steps)), 0, self.values.shape[1 - axis] - 2).astype(np.intp)
        return node, steps - node


@dataclass(frozen=True, eq=False)
class ChipMap:
    """A chip's pixels on the output, as a separable Chebyshev polynomial with a row term, and offsets from it.

    With ``u = (2 x - (nx - 1)) / nx`` and ``v = (2 y' - (ny - 1)) / ny``, where ``y' = y + row term``, the output
    position is ``x_out = sum cx[i, j] T_i(u) T_j(v)``, and ``y_out`` likewise; all positions 0-based. The chip's
    outer edges are ``u, v = -1, 1``.

    Parameters
    ----------
    cx, cy : (d + 1, d + 1) array
        Coefficients [output pixel], indexed ``[i of u, j of v]``.
    row_edges : (ny + 1,) array
        Shift in y [input pixel] of each row edge; edge ``j`` lies at ``y = j - 0.5``. Linear inside a row.
    shape : (int, int)
        ``(ny, nx)`` of the chip.
    offsets : OffsetGrid, optional
        Added to the output position, read at ``(x, y')``: what lookup tables do, which no polynomial follows.

    Raises
    ------
    DataError
        Coefficients of unequal shape, too high a degree, or values that are not finite.
    """

    cx: FloatArray
    cy: FloatArray
    row_edges: FloatArray
    shape: tuple[int, int]
    offsets: OffsetGrid | None = None

    def __post_init__(self) -> None:
        for key in ("cx", "cy", "row_edges"):
            object.__setattr__(self, key, _locked(getattr(self, key)))
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        n = self.cx.shape[0]
        square = self.cx.shape == self.cy.shape == (n, n) and 1 <= n <= MAX_DEGREE + 1
        if not square or self.row_edges.shape != (self.shape[0] + 1,) or min(self.shape) < 1:
            raise DataError(
                f"chip map: coefficients {self.cx.shape} and {self.cy.shape}, row edges {self.row_edges.shape} for a"
                f" chip of shape {self.shape}; needed two equal square sets up to degree {MAX_DEGREE} and ny + 1 edges",
                shape=self.shape,
            )
        if not all(np.isfinite(a).all() for a in (self.cx, self.cy, self.row_edges)):
            raise DataError("chip map: a coefficient is not finite; check the frame it was fitted to")

    @classmethod
    def affine(
        cls, shape: tuple[int, int], matrix: ArrayLike, shift: ArrayLike, row_edges: ArrayLike | None = None
    ) -> ChipMap:
        """Return the map ``(x, y) -> matrix @ (x, y) + shift``."""
        ny, nx = shape
        m, s = np.asarray(matrix, dtype=np.float64), np.asarray(shift, dtype=np.float64)
        # x = (u nx + nx - 1) / 2, and y likewise.
        middle = m @ np.array([(nx - 1) / 2, (ny - 1) / 2]) + s
        coefficients = [np.array([[middle[k], m[k, 1] * ny / 2], [m[k, 0] * nx / 2, 0.0]]) for k in range(2)]
        edges = np.zeros(ny + 1) if row_edges is None else row_edges
        return cls(coefficients[0], coefficients[1], np.asarray(edges, dtype=np.float64), (ny, nx))

    def row_position(self, j: Any, fraction: Any) -> FloatArray:
        """Return ``y'`` at the fraction of row `j`: 0 its lower edge, 1 its upper edge."""
        j = np.asarray(j)
        low, high = self.row_edges[j], self.row_edges[j + 1]
        return np.asarray(j - 0.5 + fraction + low + fraction * (high - low), dtype=np.float64)

    def at(self, x: Any, y_corrected: Any) -> Places:
        """Map points given by column `x` and row-term-corrected row `y_corrected`."""
        ny, nx = self.shape
        u = (2.0 * np.asarray(x, dtype=np.float64) - (nx - 1)) / nx
        v = (2.0 * np.asarray(y_corrected, dtype=np.float64) - (ny - 1)) / ny
        u, v = np.broadcast_arrays(u, v)
        x_out, y_out = (np.polynomial.chebyshev.chebval2d(u, v, c) for c in (self.cx, self.cy))
        if self.offsets is not None:
            dx, dy = self.offsets.at(x, y_corrected)
            x_out, y_out = x_out + dx, y_out + dy
        return Places(np.asarray(x_out, dtype=np.float64), np.asarray(y_out, dtype=np.float64))

    def __call__(self, x: Any, y: Any) -> Places:
        """Map 0-based pixel positions of the chip to 0-based positions of the output."""
        y = np.asarray(y, dtype=np.float64)
        edges = np.arange(self.row_edges.size) - 0.5
        return self.at(x, y + np.interp(y, edges, self.row_edges))

    def lines(self, rows: Any, fraction: float, columns: FloatArray) -> Places:
        """Map the points `columns` of the lines at `fraction` of each of `rows`: two (rows, columns) arrays."""
        ny, nx = self.shape
        y = self.row_position(rows, fraction)
        v = (2.0 * y - (ny - 1)) / ny
        u = (2.0 * columns - (nx - 1)) / nx
        across = np.polynomial.chebyshev.chebvander(u, self.cx.shape[0] - 1)
        along = np.polynomial.chebyshev.chebvander(v, self.cx.shape[0] - 1)
        x_out, y_out = along @ self.cx.T @ across.T, along @ self.cy.T @ across.T
        if self.offsets is not None:
            dx, dy = self.offsets.at(columns, y[:, None])
            x_out, y_out = x_out + dx, y_out + dy
        return Places(x_out, y_out)

    def moved_down(self, rows: int) -> ChipMap:
        """Return the map onto an output that begins `rows` rows later: the constant term of y carries it."""
        cy = self.cy.copy()
        cy[0, 0] -= rows
        return replace(self, cy=cy)

    def rows_reached(self) -> tuple[float, float]:
        """Return rows of the output between which all pixels' centers lie: the constant term, all others at most."""
        middle = float(self.cy[0, 0])
        reach = float(np.abs(self.cy).sum()) - abs(middle) + (0.0 if self.offsets is None else self.offsets.largest)
        return middle - reach, middle + reach


@dataclass(frozen=True, eq=False)
class StoredMap:
    """A stored pixel map.

    Parameters
    ----------
    values : (ny, nx, 2) float64 array
        Output ``(x, y)`` of each pixel's center.
    step : float
        Output pixels per input pixel, used along an axis with a single pixel.
    """

    values: NDArray[np.float64]
    step: float

    @property
    def shape(self) -> tuple[int, int]:
        """``(ny, nx)`` of the chip."""
        return self.values.shape[0], self.values.shape[1]


AnyMap = ChipMap | StoredMap
"""Where the pixels of a chip fall, known either way."""


def stored_map(pixmap: Any, ratio: float) -> StoredMap:
    """Return a pixel map checked for its shape; `ratio` is output over input pixel side."""
    values = np.ascontiguousarray(reals(pixmap, "pixmap"), dtype=np.float64)
    if values.ndim != 3 or values.shape[2] != 2 or 0 in values.shape:
        raise SettingsError(f"pixmap has shape {values.shape}; needed (ny, nx, 2)", shape=values.shape)
    return StoredMap(values, 1.0 / ratio)
