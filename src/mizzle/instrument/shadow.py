"""The shadow of the pyramid mirror: which pixels see the sky, and how much of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.instrument.wfpc2 import SHADOW_X, SHADOW_Y


class ShadowEdges(NamedTuple):
    """In each column the lowest y that is lit, in each row the lowest x [1-based pixel]."""

    lowest_y: FloatArray
    lowest_x: FloatArray


def shadow_edges(chip: str, shape: tuple[int, int], *, binning: int = 1) -> ShadowEdges:
    """Return where the light begins.

    Parameters
    ----------
    chip : str
        Chip name.
    shape : (int, int)
        ``(ny, nx)`` of a whole chip, binned or not.
    binning : int
        1, or 2 for MODE AREA.

    Returns
    -------
    lowest_y : (nx,) array
        In each column, y [1-based pixel] above which it is lit.
    lowest_x : (ny,) array
        In each row, x [1-based pixel] beyond which it is lit.

    References
    ----------
    K-spot fits of 1994, as in IRAF's ``wmosaic``; see `instrument.wfpc2.SHADOW_X`.
    """
    shift = 0.5 * (binning - 1)  # binned pixel X_b is centered on full pixel binning * X_b - shift

    def edge(coefficients: tuple[float, float, float], length: int) -> FloatArray:
        at = binning * np.arange(1.0, length + 1.0) - shift
        value: FloatArray = np.polynomial.polynomial.polyval(at, np.array(coefficients))
        return (value + shift) / binning

    return ShadowEdges(edge(SHADOW_X[chip], shape[1]), edge(SHADOW_Y[chip], shape[0]))


def lit_distance(chip: str, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return how far places lie in the light, along the axes.

    Parameters
    ----------
    chip : str
        Chip name.
    x, y : (n,) array
        Places on a whole, unbinned chip [0-based pixel].

    Returns
    -------
    distance : (n,) array
        From the nearer edge of the shadow [pixel]; negative in the shadow.
    """
    u, v = np.asarray(x) + 1.0, np.asarray(y) + 1.0
    above = v - np.polynomial.polynomial.polyval(u, np.array(SHADOW_X[chip]))
    right = u - np.polynomial.polynomial.polyval(v, np.array(SHADOW_Y[chip]))
    return np.asarray(np.minimum(above, right))


def lit_share(chip: str, shape: tuple[int, int], binning: int = 1) -> NDArray[np.float32]:
    """Return the share of each pixel that sees the sky, soft over one pixel at the edge.

    Parameters
    ----------
    chip : str
        Chip name.
    shape : (int, int)
        ``(ny, nx)`` of a whole chip.
    binning : int
        1, or 2 for MODE AREA.

    Returns
    -------
    lit : (ny, nx) array
        0 in the shadow, 1 in the light: ``clip(x - ay(y) + .5, 0, 1) * clip(y - ax(x) + .5, 0, 1)``. Multiply a weight
        by it.
    """
    lowest_y, lowest_x = shadow_edges(chip, shape, binning=binning)
    x, y = np.arange(1.0, shape[1] + 1.0), np.arange(1.0, shape[0] + 1.0)
    lit = np.clip(x[None, :] - lowest_x[:, None] + 0.5, 0.0, 1.0)
    lit *= np.clip(y[:, None] - lowest_y[None, :] + 0.5, 0.0, 1.0)
    result: NDArray[np.float32] = lit.astype(np.float32)
    return result
