"""Diffraction spikes: what the four vanes that hold the secondary mirror make of a bright star.

A vane is a slit that blocks light. A slit of width w spreads light along one line, as sinc squared with its first zero
at wavelength / w, and hardly across it: the pupil is long in that direction. Two pairs of vanes make two lines, at 45
degrees to the axes of the chips. They hold as much light as the vanes block, about 2 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mizzle.arrays import FloatArray, Places
from mizzle.model import ChipFrame

#: Share of a star's light in its spikes: 4 vanes of .022 of the pupil's radius, between .33 and 1 of it (Tiny Tim).
SPIKE_SHARE = 0.02
#: Width of a vane [m]: .022 of the radius of 1.2 m.
VANE_WIDTH = 0.0264
#: Spikes are drawn where their brightest pixel gets at least this [electron].
LEAST = 0.2
#: Half the width that a line is drawn with [pixel]: seven times that of the diffused core.
BAND = 6

_ARCSEC = 206264.806
#: Integral of sinc squared between its first zeros.
_MAIN_LOBE = 0.9028233


@dataclass(frozen=True)
class Spikes:
    """Two lines of light through a star.

    Parameters
    ----------
    reach : float
        Where they end, at the first zero: distance from the star along x, and along y [pixel].
    """

    reach: float

    @property
    def half_size(self) -> int:
        """Pixels from a stamp's center to its edge."""
        return int(np.ceil(self.reach)) + BAND

    def density(self, offset: FloatArray) -> FloatArray:
        """Return the share of the spikes' light that one line has per pixel of x, `offset` pixels from the star."""
        inside = np.abs(offset) < self.reach
        lobe = np.sinc(np.where(inside, offset, 0.0) / self.reach) ** 2
        return np.where(inside, lobe, 0.0) * (0.5 / (_MAIN_LOBE * self.reach))

    def within(self, radius: float, scale: float) -> float:
        """Return the share of the spikes' light within `radius` [arcsec], the width of the lines aside."""
        edge = radius / scale / np.sqrt(2.0)
        middles = edge * (np.arange(-50, 50) + 0.5) / 50
        return float(2.0 * np.sum(self.density(middles)) * edge / 50)


def make_spikes(scale: float, wavelength: float) -> Spikes:
    """Return the spikes of a chip with pixels of `scale` [arcsec] at `wavelength` [A]."""
    zero = wavelength * 1e-10 / VANE_WIDTH * _ARCSEC
    return Spikes(zero / scale / np.sqrt(2.0))


def line_across(distance: FloatArray, sigma: float) -> FloatArray:
    """Return what square pixels collect of a diagonal line that holds 1 per pixel of x.

    Parameters
    ----------
    distance : (n,) array
        From the pixels' centers to the line, along x [pixel].
    sigma : float
        Quadratic sum of the line's Gaussian widths along x and y [pixel].

    Returns
    -------
    light : (n,) array
        A triangle (two sides of a pixel, slid over each other) convolved with the Gaussian.

    Examples
    --------
    >>> line_across(np.arange(-3.0, 4.0), 0.5).sum().round(6)
    np.float64(1.0)
    """
    from scipy.special import ndtr

    u = (distance[:, None] + np.array([-1.0, 0.0, 1.0])) / sigma
    ramp = sigma * (u * ndtr(u) + np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi))
    return np.asarray(ramp[:, 0] - 2.0 * ramp[:, 1] + ramp[:, 2])


def add_spikes(
    image: FloatArray,
    spikes: Spikes,
    frame: ChipFrame,
    *,
    where: Places,
    sigma: FloatArray,
    charge: FloatArray,
) -> None:
    """Add the spikes of stars to `image`, in place.

    Parameters
    ----------
    image : (ny, nx) array
        Mean charge [electron].
    spikes : Spikes
        From `make_spikes`.
    frame : ChipFrame
        The chip's true frame: narrow rows collect less of the spikes, too.
    where : (n,) arrays
        0-based x and y of the stars, y with the 34th-row term [pixel].
    sigma : (n, 2) array
        Width of the core along x and y [pixel].
    charge : (n,) array
        Charge in each star's spikes [electron].
    """
    ny, nx = image.shape
    heights = 1.0 + np.diff(frame.row_edges)
    steps = np.arange(-BAND, BAND + 1)
    for x, y, width, light in zip(*where, np.hypot(sigma[:, 0], sigma[:, 1]), charge, strict=True):
        half = spikes.half_size
        rows = np.arange(max(0, round(y) - half), min(ny, round(y) + half + 1))
        for side in (1, -1):
            # Row by row the line moves by one column, so that pixels lie at the same distances from it in every row.
            start = round(x - side * y)
            columns = start + side * rows[:, None] + steps
            across = line_across(start + steps - (x - side * y), width)
            along = 0.5 * ((columns - x) + side * (rows[:, None] - y))
            piece = light * across * spikes.density(along) * heights[rows, None]
            on = (columns >= 0) & (columns < nx)
            image[np.broadcast_to(rows[:, None], on.shape)[on], columns[on]] += piece[on]
