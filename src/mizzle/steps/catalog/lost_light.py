"""Pixels a star lost: to cosmic rays, defects, the edge of a chip.

Where one exposure lost a pixel the product holds the mean of the others, which saw the star at other pixel phases. On
an undersampled star that is no small matter: a lost central pixel of the WF takes 1 to 3 % of the flux away, or adds
it. What the lost pixel would have held is known from the same field's bright stars, as a function of its distance
from the center; so the loss can be restored, and the error of that is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model import InputChip, Mosaic
from mizzle.model.camera import ChipClass
from mizzle.stars.radial import RadialProfile, radial_profile
from mizzle.steps.catalog.star_list import DetectedStars

CORE_ARCSEC = 0.2  # farther out neighboring pixels hold nearly the same
#: Where a chip ends, or a track passes, pixels are lost in a body, and those outside the core do not average out: they
#: hold less than the product, whose cells spread the star, as those inside hold more.
WIDE_ARCSEC = 0.4
_POINTS = 3  # points along each side of a dropped pixel
_RING = 0.2  # pixels of the chip; at least a hundredth of an arcsecond


@dataclass(frozen=True, eq=False)
class LostPixels:
    """Pixels of one chip of one exposure that stars lost.

    Parameters
    ----------
    chip : str
        The chip.
    weight : float
        Of a product pixel covered by this chip alone.
    jacobian : (2, 2) array
        Product pixels per chip pixel.
    star : (m,) int array
        The star each pixel belongs to.
    u, v : (m,) array
        The pixel's center from the star's [pixel of the chip].
    distance : (m,) array
        The same [arcsec].
    """

    chip: str
    weight: float
    jacobian: FloatArray
    star: NDArray[np.intp]
    u: FloatArray
    v: FloatArray
    distance: FloatArray


@dataclass(frozen=True, eq=False)
class ProfileSamples:
    """Pixels of bright stars of one chip: distance [arcsec], light and its noise over the star's flux."""

    chip: str
    distance: FloatArray
    value: FloatArray
    variance: FloatArray


@dataclass(frozen=True, eq=False)
class Window:
    """Pixels around stars on a chip.

    Parameters
    ----------
    columns, rows : (n, k, k) int array
        The pixels, moved to the border where there are none.
    inside : (n, k, k) bool array
        Where there are.
    u, v : (n, k, k) array
        Of the pixel from the star.
    """

    columns: NDArray[np.int64]
    rows: NDArray[np.int64]
    inside: NDArray[np.bool_]
    u: FloatArray
    v: FloatArray

    @classmethod
    def around(cls, x: FloatArray, y: FloatArray, reach: int, *, shape: tuple[int, int]) -> Window:
        """Take the pixels within `reach` of each star's own."""
        step = np.arange(-reach, reach + 1)
        columns = np.rint(x).astype(np.int64)[:, None, None] + np.broadcast_to(step, (step.size, step.size))
        rows = np.rint(y).astype(np.int64)[:, None, None] + np.broadcast_to(step[:, None], (step.size, step.size))
        ny, nx = shape
        inside = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
        u, v = columns - x[:, None, None], rows - y[:, None, None]
        return cls(np.clip(columns, 0, nx - 1), np.clip(rows, 0, ny - 1), inside, u, v)

    def of(self, chosen: NDArray[np.intp]) -> Window:
        """Return the windows of some of the stars."""
        return Window(*(getattr(self, key)[chosen] for key in ("columns", "rows", "inside", "u", "v")))

    def cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of an image."""
        pixels: NDArray[Any] = image[self.rows, self.columns]
        return pixels

    @property
    def distance(self) -> FloatArray:
        """Of the pixels from their stars [pixel]."""
        return np.hypot(self.u, self.v)


def lost_pixels(
    input_chip: InputChip,
    index: NDArray[np.intp],
    around: Window,
    *,
    bad: NDArray[np.bool_],
    jacobian: FloatArray,
    scale: float,
) -> LostPixels | None:
    """List the bad pixels near the centers of stars `index`; None where there is none."""
    star, row, column = np.nonzero(bad)
    if star.size == 0:
        return None
    u, v = around.u[star, row, column], around.v[star, row, column]
    return LostPixels(input_chip.chip, input_chip.weight, jacobian, index[star], u, v, np.hypot(u, v) * scale)


def sees_core(around: Window, bad: NDArray[np.bool_], scale: float) -> NDArray[np.bool_]:
    """Tell of which stars a chip has any good pixel within the core: of the others it has lost nothing."""
    seen = np.ones(len(bad), dtype=np.bool_)
    poor = np.flatnonzero(3 * bad.sum(axis=(1, 2)) > bad[:1].size)  # the core is half of the window
    seen[poor] = (~bad[poor] & (around.of(poor).distance * scale < CORE_ARCSEC)).any(axis=(1, 2))
    return seen


def measure_profiles(samples: Sequence[ProfileSamples], classes: Sequence[ChipClass]) -> dict[str, RadialProfile]:
    """Measure what share of a star's flux a pixel holds, per product pixel's area, for each class of chips by itself.

    Returns
    -------
    profiles : dict
        By chip name; chips of a class share one.
    """
    profiles = {}
    for kind in classes:
        of_class = [sample for sample in samples if sample.chip in kind.chips]
        if of_class:
            columns = (
                np.concatenate([getattr(sample, key) for sample in of_class])
                for key in ("distance", "value", "variance")
            )
            profile = radial_profile(*columns, step=max(0.01, round(_RING * kind.pixel, 2)))
            if profile is not None:
                profiles.update(dict.fromkeys(kind.chips, profile))
    return profiles


class LostLight(NamedTuple):
    """Light that lost pixels took from the apertures of stars.

    Parameters
    ----------
    flux : (n,) array
        To add [rate at the reference zeropoint].
    variance : (n,) array
        Of that.
    share : (n,) array
        Of the aperture's weight, 0 to 0.9.
    """

    flux: FloatArray
    variance: FloatArray
    share: FloatArray


def restore_lost_light(
    mosaic: Mosaic,
    lost: Sequence[LostPixels],
    profiles: Mapping[str, RadialProfile],
    *,
    stars: DetectedStars,
    weight: FloatArray,
    radius: float,
    relative: float,
) -> LostLight:
    """Return the light that lost pixels took from each star's aperture.

    A cell j holds the mean SCI_j of what fell on it. Had the lost pixels p, of weight w and overlap a_pj, fallen there
    too, its weight would be W, that of all exposures, and the mean larger by ``sum_p a_pj w (v_p - SCI_j) / W``: a sum
    with shares m over the cells lacks ``sum_pj m_j a_pj w (v_p - SCI_j) / W``, with v from the profile.

    Parameters
    ----------
    mosaic : Mosaic
        Its SCI.
    lost : sequence of LostPixels
        What was lost.
    profiles : mapping
        From `measure_profiles`; where a class has none nothing is added, and the error is the star's own light there.
    stars : DetectedStars
        Measured on the product.
    weight : (n,) array
        Summed weight of all inputs that touch a star's core.
    radius : float
        Of the aperture [product pixel].
    relative : float
        Error of what one pixel took, relative to that; where pixels gave and took their errors remain.
    """
    flux, sky = stars.flux, stars.sky
    restored, variance, lost_share = (np.zeros(flux.size) for _ in range(3))
    for pixels in lost:
        profile = profiles.get(pixels.chip)
        value, scatter = _expected(profile, pixels.distance)
        cell_value, share = _on_cells(mosaic, pixels, stars, weight=weight, radius=radius)
        star = pixels.star
        present = np.where(share > 0, cell_value - sky[star] * share, 0.0)
        missing = share * value * flux[star] - present
        if profile is None:
            scatter, missing = present / np.maximum(share * np.abs(flux[star]), 1e-300), np.zeros(star.size)
        np.add.at(restored, star, missing)
        np.add.at(variance, star, (share * scatter * flux[star]) ** 2 + (relative * missing) ** 2)
        np.add.at(lost_share, star, share)
    return LostLight(restored, variance, np.clip(lost_share / (np.pi * radius**2), 0.0, 0.9))


def _expected(profile: RadialProfile | None, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
    if profile is None:
        return np.zeros(distance.size), np.zeros(distance.size)
    return profile.at(distance)


def _on_cells(
    mosaic: Mosaic, lost: LostPixels, stars: DetectedStars, *, weight: FloatArray, radius: float
) -> tuple[FloatArray, FloatArray]:
    """Return, for each lost pixel, the sum of its shares in the aperture times SCI, and the sum of the shares."""
    step = ((np.arange(_POINTS) + 0.5) / _POINTS - 0.5) * max(mosaic.pixfrac, 0.1)
    du, dv = (grid.ravel() for grid in np.meshgrid(step, step))
    u, v = lost.u[:, None] + du, lost.v[:, None] + dv
    j = lost.jacobian
    x0, y0 = stars.x[lost.star][:, None], stars.y[lost.star][:, None]
    column = np.rint(x0 + j[0, 0] * u + j[0, 1] * v).astype(np.int64)
    row = np.rint(y0 + j[1, 0] * u + j[1, 1] * v).astype(np.int64)
    ny, nx = mosaic.sci.shape
    inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
    column, row = np.clip(column, 0, nx - 1), np.clip(row, 0, ny - 1)
    sci = mosaic.sci[row, column].astype(np.float64)
    usable = inside & (mosaic.wht[row, column] > 0)
    # A cell cut by the circle counts about as far as the circle reaches across it.
    within = np.clip(radius + 0.5 - np.hypot(column - x0, row - y0), 0.0, 1.0)
    area = abs(np.linalg.det(j)) / du.size * lost.weight / weight[lost.star]
    share = np.where(usable, within * area[:, None], 0.0)
    return (share * np.where(usable, sci, 0.0)).sum(axis=1), share.sum(axis=1)
