"""Chip to product: one separable polynomial per chip, fast, and checked against the frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from numpy.typing import NDArray

from mizzle.errors import DataError
from mizzle.model.frame import ChipFrame, Grid

if TYPE_CHECKING:
    from mizzle.kernel import ChipMap

FloatArray = NDArray[np.float64]

#: Largest difference from the exact frames [product pixel].
TOLERANCE = 1e-4

_DEGREES = (4, 5, 6, 8, 10, 13)


def exact_map(frame: ChipFrame, grid: Grid, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Map 0-based chip pixels to 0-based product pixels through the sky, without approximation."""
    return grid.sky_to_pixel(*frame.pixel_to_sky(*np.broadcast_arrays(x, y)))


def _fit(frame: ChipFrame, grid: Grid, degree: int) -> tuple[FloatArray, FloatArray]:
    """Interpolate the map of a frame without row term at Chebyshev nodes; coefficients ``[i (x), j (y)]``."""
    ny, nx = frame.shape
    nodes = chebyshev.chebpts1(degree + 1)
    x, y = ((nodes * n + (n - 1)) / 2 for n in (nx, ny))
    gx, gy = exact_map(frame, grid, x[:, None], y[None, :])
    inverse = np.linalg.inv(chebyshev.chebvander(nodes, degree))
    return inverse @ gx @ inverse.T, inverse @ gy @ inverse.T


class _Check:
    """Points of the exact map that are no nodes, edges included, to hold a fit against."""

    def __init__(self, frame: ChipFrame, grid: Grid) -> None:
        ny, nx = frame.shape
        self.u = np.linspace(-1.0, 1.0, 18)
        x, y = ((self.u * n + (n - 1)) / 2 for n in (nx, ny))
        self.gx, self.gy = exact_map(frame, grid, x[:, None], y[None, :])

    def error(self, cx: FloatArray, cy: FloatArray) -> float:
        """Return the largest distance [product pixel] of a fit; infinite where the map has no answer."""
        dx = chebyshev.chebgrid2d(self.u, self.u, cx) - self.gx
        dy = chebyshev.chebgrid2d(self.u, self.u, cy) - self.gy
        distance = np.hypot(dx, dy)
        return float(distance.max()) if np.all(np.isfinite(distance)) else float("inf")

    def folds(self) -> bool:
        """Return whether the map turns over somewhere: its cells do not all have the same sense."""
        ax, ay = np.diff(self.gx, axis=0)[:, 1:], np.diff(self.gy, axis=0)[:, 1:]
        bx, by = np.diff(self.gx, axis=1)[1:], np.diff(self.gy, axis=1)[1:]
        turn = np.sign(ax * by - ay * bx)
        return bool(turn[0, 0] == 0 or np.any(turn != turn[0, 0]))


def chip_map(frame: ChipFrame, grid: Grid, *, tolerance: float = TOLERANCE) -> ChipMap:
    """Fit the map from a chip's pixels to the product's.

    The row term is not part of the polynomial: it is kept at the row edges, exactly, and added to y before.
    The incumbent's
    column term (``row_term='incumbent'``) is left out, as its own coarse mapping loses it.

    Parameters
    ----------
    frame : ChipFrame
        The chip, aligned.
    grid : Grid
        The product.
    tolerance : float
        Largest error allowed [product pixel].

    Returns
    -------
    map : kernel.ChipMap
        Chebyshev coefficients over ``u = (2 x - (nx - 1)) / nx`` and ``v`` alike.

    Raises
    ------
    DataError
        No degree reaches the tolerance: the frame folds, or lies on another part of the sky.
    """
    from mizzle.kernel import ChipMap

    smooth = replace(frame, row_edges=np.zeros(frame.shape[0] + 1), columns=np.zeros(0))
    check = _Check(smooth, grid)
    error = float("inf")
    for degree in () if check.folds() else _DEGREES:
        cx, cy = _fit(smooth, grid, degree)
        error = check.error(cx, cy)
        if error < tolerance:
            return ChipMap(cx, cy, frame.row_edges, frame.shape)
    found = f"is off by {error:.2g} pixel at best" if np.isfinite(error) else "folds or has no answer"
    raise DataError(
        f"{frame.facts.get('CHIP', 'chip')}: its map to the product {found}, {tolerance:g} pixel is needed; its WCS"
        " is not smooth or points elsewhere; check the header, or set geometry.wcs='model'",
        error=error,
        tolerance=tolerance,
    )


def pixel_area(frame: ChipFrame) -> NDArray[np.float32]:
    """Return the area of each pixel relative to the reference pixel's, ``(ny, nx)``; the row term counts.

    A flat-fielded image shows surface brightness, so a star's counts times this map are its flux.
    """
    ny, nx = frame.shape
    u = np.arange(nx) + 1.0 - frame.crpix[0]
    shift = (frame.row_edges[1:] + frame.row_edges[:-1]) / 2
    v = np.arange(ny) + shift + 1.0 - frame.crpix[1]
    a, b = frame.sip_a, frame.sip_b

    def slope(c: FloatArray, axis: int) -> FloatArray:
        values: FloatArray = polynomial.polygrid2d(v, u, polynomial.polyder(c, axis=axis).T)
        return values

    jacobian = (1.0 + slope(a, 0)) * (1.0 + slope(b, 1)) - slope(a, 1) * slope(b, 0)
    heights = 1.0 + np.diff(frame.row_edges)
    area: NDArray[np.float32] = (jacobian * heights[:, None]).astype(np.float32)
    return area
