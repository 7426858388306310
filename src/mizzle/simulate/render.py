"""Light on a chip: pixel areas, and stars integrated over true pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.model import ChipFrame
from mizzle.simulate.psf import PointSpread, stamps
from mizzle.simulate.spikes import LEAST, SPIKE_SHARE, add_spikes

#: Stars integrated at once.
_BLOCK = 128
#: Width that charge diffusion adds to a line [pixel]: second moment of its kernel.
_DIFFUSED = 0.39


def reference_area(frame: ChipFrame) -> float:
    """Return the sky area of the reference pixel, row term aside [arcsec2]."""
    return float(abs(np.linalg.det(frame.cd)) * 3600.0**2)


def pixel_areas(frame: ChipFrame) -> NDArray[np.float32]:
    """Return the sky area of each pixel over the reference pixel's, narrow rows included.

    The area of the quadrilateral between the mapped corners, ``(ny, nx)``. Rows are narrow through their
    edges, so it suffices to multiply the smooth area by the height of each row.
    """
    ny, nx = frame.shape
    smooth = replace(frame, row_edges=np.zeros_like(frame.row_edges))
    # The smooth area is a polynomial of low degree: a coarse mesh of corners gives it to 1e-6.
    coarse = 16
    xs, ys = np.linspace(-0.5, nx - 0.5, coarse + 1), np.linspace(-0.5, ny - 0.5, coarse + 1)
    nodes_x, nodes_y = 0.5 * (xs[1:] + xs[:-1]), 0.5 * (ys[1:] + ys[:-1])
    gx, gy = np.meshgrid(nodes_x, nodes_y)
    density = _density(smooth, gx, gy)
    fit = _fit(density, nodes_x / nx, nodes_y / ny)
    y = np.arange(ny) + 0.5 * (frame.row_edges[1:] + frame.row_edges[:-1])
    area = np.polynomial.polynomial.polygrid2d(y / ny, np.arange(nx) / nx, fit)
    height = 1.0 + np.diff(frame.row_edges)
    return np.asarray(area * height[:, None], dtype=np.float32)


def _density(smooth: ChipFrame, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the area of unit squares centered at (x, y) over the reference pixel's, by their corners."""
    corner = [smooth.pixel_to_plane(x + dx, y + dy) for dx, dy in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]
    ax, ay = corner[2][0] - corner[0][0], corner[2][1] - corner[0][1]
    bx, by = corner[3][0] - corner[1][0], corner[3][1] - corner[1][1]
    return np.asarray(0.5 * np.abs(ax * by - ay * bx) / abs(np.linalg.det(smooth.cd)))


def _fit(values: FloatArray, x: FloatArray, y: FloatArray, *, degree: int = 5) -> FloatArray:
    """Fit ``values[y, x]`` with a product polynomial, coefficients ``[power of y, power of x]``."""
    along_x = np.linalg.pinv(np.vander(x, degree + 1, increasing=True))
    along_y = np.linalg.pinv(np.vander(y, degree + 1, increasing=True))
    return np.asarray(along_y @ values @ along_x.T)


def row_shift(frame: ChipFrame, y: FloatArray) -> FloatArray:
    """Return y in the space where the distortion acts: the 34th-row term added [pixel]."""
    edges = np.arange(frame.row_edges.size) - 0.5
    return np.asarray(y + np.interp(y, edges, frame.row_edges))


def local_scales(frame: ChipFrame, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the sky length of a pixel along x and y, ``(k, 2)`` [arcsec]; narrow rows aside."""
    smooth = replace(frame, row_edges=np.zeros_like(frame.row_edges))
    lengths = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        xi1, eta1 = smooth.pixel_to_plane(x + dx, y + dy)
        xi0, eta0 = smooth.pixel_to_plane(x - dx, y - dy)
        lengths.append(3600.0 * np.hypot(xi1 - xi0, eta1 - eta0))
    return np.stack(lengths, axis=-1)


def add_stars(
    image: FloatArray,
    psf: PointSpread,
    frame: ChipFrame,
    *,
    where: Places,
    scales: FloatArray,
    charge: FloatArray,
) -> None:
    """Add stars to `image`, in place: each pixel collects what falls on its own piece of sky.

    Parameters
    ----------
    image : (ny, nx) array
        Mean charge [electron].
    psf : PointSpread
        The star image.
    frame : ChipFrame
        The chip's true frame; its row edges make narrow rows collect less.
    where : (k,) arrays
        0-based x and y [pixel].
    scales : (k, 2) array
        From `local_scales`.
    charge : (k,) array
        Charge of each star, all of its light [electron].
    """
    ny, nx = image.shape
    half = psf.half_size
    size = 2 * half + 1
    # Margins on all sides, so that stamps over the border need no special case.
    padded = np.zeros((ny + 2 * size, nx + 2 * size))
    edges_y = np.arange(-size, ny + size + 1) - 0.5
    edges_y[size : size + ny + 1] += frame.row_edges
    edges_y[:size] += frame.row_edges[0]
    edges_y[size + ny + 1 :] += frame.row_edges[-1]
    x, y = where
    shifted = row_shift(frame, y)
    first_x = np.clip(np.rint(x).astype(np.int64) - half + size, 0, nx + size - 1)
    first_y = np.clip(np.rint(y).astype(np.int64) - half + size, 0, ny + size - 1)
    steps = np.arange(size + 1)
    for start in range(0, x.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        around_x = np.asarray(first_x[part, None] - size + steps - 0.5, dtype=np.float64)
        around_y = edges_y[first_y[part, None] + steps]
        pieces = stamps(
            psf,
            Places(x[part], shifted[part]),
            Places(scales[part, 0], scales[part, 1]),
            edges=Places(around_x, around_y),
        )
        pieces *= charge[part, None, None]
        for piece, x0, y0 in zip(pieces, first_x[part], first_y[part], strict=True):
            padded[y0 : y0 + size, x0 : x0 + size] += piece
    image += padded[size : size + ny, size : size + nx]


def add_starlight(
    image: FloatArray,
    psf: PointSpread,
    frame: ChipFrame,
    *,
    where: Places,
    scales: FloatArray,
    charge: FloatArray,
) -> None:
    """Add stars with their spikes, if they have any, to `image`, in place; arguments as for `add_stars`."""
    if psf.spikes is None:
        add_stars(image, psf, frame, where=where, scales=scales, charge=charge)
        return
    bright = charge * SPIKE_SHARE * psf.spikes.density(np.zeros(1))[0] > LEAST
    for part, spread in ((bright, psf), (~bright, psf.without_spikes())):
        add_stars(
            image, spread, frame, where=Places(where.x[part], where.y[part]), scales=scales[part], charge=charge[part]
        )
    widths = np.hypot(psf.core_sigma / scales[bright], _DIFFUSED)
    center = Places(where.x[bright], row_shift(frame, where.y[bright]))
    add_spikes(image, psf.spikes, frame, where=center, sigma=widths, charge=SPIKE_SHARE * charge[bright])
