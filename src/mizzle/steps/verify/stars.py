"""Stars on single exposures: where they lie, and the pixels around them, cut out of flat-fielded chips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Mask, Places
from mizzle.instrument.star_optics import chip_star
from mizzle.model import ChipFrame, CosmicRays
from mizzle.settings import Settings
from mizzle.stars.apertures import circle_overlap
from mizzle.steps.chip_view import ChipView
from mizzle.steps.verify.rings import ring_levels

#: Radius of the apertures [arcsec]: wide enough that centering and focus matter little.
APERTURE_ARCSEC = 0.5
#: Width of the Gaussian that weighs a star's core [arcsec]: what blurs a star takes light out of it.
CORE_ARCSEC = 0.12


class PlacedStars(NamedTuple):
    """Stars on one chip.

    Parameters
    ----------
    star : (n,) int array
        Indices into the list of stars.
    x, y : (n,) array
        Positions [0-based pixel].
    """

    star: NDArray[np.int64]
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, eq=False)
class Stamps:
    """Pixels around the stars of one chip of one exposure.

    Parameters
    ----------
    root, chip : str
        Which.
    star : (n,) int array
        Indices into the list of stars.
    x, y : (n,) array
        Positions [0-based pixel].
    light : (n, k) array
        Signal times relative pixel area, less sky [DN].
    variance : (n, k) array
        Its noise [DN**2], sky's own error aside.
    usable : (n, k) bool array
        Good pixels.
    overlap : (n, k) array
        With the aperture.
    distance : (n, k) array
        Of the pixel's center from the star [arcsec].
    pixel : float
        Area of a pixel [arcsec**2].
    sky, sky_error : (n,) array
        In the ring [DN per pixel].
    model : (n,) array
        The core's share of a star that is as the camera's model has it, see `core_share`.
    """

    root: str
    chip: str
    star: NDArray[np.int64]
    x: FloatArray
    y: FloatArray
    light: FloatArray
    variance: FloatArray
    usable: NDArray[np.bool_]
    overlap: FloatArray
    distance: FloatArray
    pixel: float
    sky: FloatArray
    sky_error: FloatArray
    model: FloatArray


class LitPlaces(NamedTuple):
    """Places of stars on a chip [0-based pixel], and which of them lie in the light."""

    x: FloatArray
    y: FloatArray
    lit: Mask


def lit_positions(view: ChipView, ra: FloatArray, dec: FloatArray, *, margin_arcsec: float) -> LitPlaces:
    """Place stars on a chip, and tell which apertures lie in the light, clear of the shadow of the optics.

    Parameters
    ----------
    view : ChipView
        The chip; its camera may have a shadow.
    ra, dec : (n,) array
        Stars [deg].
    margin_arcsec : float
        Beyond the aperture.

    Returns
    -------
    x, y : (n,) array
        0-based pixels.
    lit : (n,) bool array
        Whole aperture on the chip and in the light.
    """
    frame = view.frame
    x, y = frame.sky_to_pixel(ra, dec, iterations=5)
    ny, nx = frame.shape
    reach = APERTURE_ARCSEC / frame.scale
    lit = (x > reach) & (y > reach) & (x < nx - 1 - reach) & (y < ny - 1 - reach)
    camera, binning = view.camera, view.chip.binning
    if camera.lit_distance is not None and camera.is_whole((ny, nx), binning):  # subarrays have the DQ alone
        clear = (reach + margin_arcsec / frame.scale) * binning
        lit &= camera.lit_distance(view.name, (x + 0.5) * binning - 0.5, (y + 0.5) * binning - 0.5) > clear
    return LitPlaces(x, y, lit)


def cut_stamps(
    view: ChipView,
    stars: PlacedStars,
    covered: NDArray[np.bool_],
    *,
    cosmic_rays: CosmicRays,
    settings: Settings,
) -> Stamps:
    """Cut stars out of one chip.

    Parameters
    ----------
    view : ChipView
        The chip.
    stars : PlacedStars
        Which, and where.
    covered : (ny, nx) bool array
        Pixels that known stars cover: no part of the rings.
    cosmic_rays : CosmicRays
        Masked.
    settings : Settings
        ``verify``.
    """
    chip, options = view.chip, settings.verify
    index, x, y = stars
    sci, dq = chip.sci, chip.dq
    bad = view.bad() | view.hit(cosmic_rays)
    scale = chip.frame.scale
    radius = APERTURE_ARCSEC / scale
    half = int(np.ceil(radius + 0.5))
    ring = (options.sky_inner / scale, (options.sky_inner + options.sky_width) / scale)
    sky = ring_levels(sci, bad | covered, Places(x, y), ring=ring, scale=scale)
    column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    step = np.arange(-half, half + 1)
    columns, rows = np.broadcast_arrays(
        column[:, None, None] + step[None, None, :], row[:, None, None] + step[None, :, None]
    )
    ny, nx = chip.shape
    inside = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
    columns, rows = np.clip(columns, 0, nx - 1), np.clip(rows, 0, ny - 1)
    values = sci[rows, columns].astype(np.float64)
    sizes = smooth_area(chip.frame, x, y)[:, None, None] * (1.0 + np.diff(chip.frame.row_edges))[rows]
    usable = inside & ~bad[rows, columns]
    # What a full pixel has lost is a brighter neighbor's, which a shorter exposure counts: the star's own profile does
    # not tell how much.
    lost = (dq[rows, columns] & np.uint16(view.camera.shaded | view.camera.saturated)) != 0
    overlap = circle_overlap(x - column, y - row, radius, half=half)
    keep = np.isfinite(sky.level) & ~(lost & (overlap > 0)).any(axis=(1, 2))
    n = int(keep.sum())

    def flat(cube: NDArray[Any]) -> NDArray[Any]:
        rows_of_stars: NDArray[Any] = cube[keep].reshape(n, step.size**2)  # n may be 0, which fits any length
        return rows_of_stars

    light = np.where(usable, (values - sky.level[:, None, None]) * sizes, 0.0)
    variance = np.where(usable, view.noise.variance(np.where(usable, values, 0.0)) * sizes**2, 0.0)
    distance = np.hypot(columns - x[:, None, None], rows - y[:, None, None]) * scale
    return Stamps(
        view.root,
        view.name,
        index[keep],
        x[keep],
        y[keep],
        flat(light),
        flat(variance),
        flat(usable),
        flat(overlap),
        flat(distance),
        scale**2,
        sky.level[keep],
        (sky.sigma / np.sqrt(np.maximum(sky.n_pixels, 1)))[keep],
        core_share(view, (x - column)[keep], (y - row)[keep]),
    )


def core_share(view: ChipView, dx: FloatArray, dy: FloatArray) -> FloatArray:
    """Return the core's share of the light in the aperture, as the camera's model has it.

    The core is the light times a Gaussian of `CORE_ARCSEC`, so that it changes little with the pixel's place.

    Parameters
    ----------
    view : ChipView
        Whose camera gives the star's image.
    dx, dy : (n,) array
        Centers relative to the nearest pixel's [pixel].

    Returns
    -------
    share : (n,) array
        NaN where no image of a star is known for such pixels.
    """
    scale = view.chip.frame.scale
    star = chip_star(view.camera, view.chip, defocus=view.camera.defocus)
    radius = min(math.ceil(3.0 * CORE_ARCSEC / scale), star.reach)
    if radius < 2 or not dx.size:
        return np.full(dx.size, np.nan)
    steps = np.arange(-radius, radius + 1)
    apart = np.hypot(steps[None, None, :] - dx[:, None, None], steps[None, :, None] - dy[:, None, None])
    weight = np.exp(-0.5 * (apart * scale / CORE_ARCSEC) ** 2)
    core = (star.pixels(dx, dy, radius) * weight).sum(axis=(1, 2))
    return np.asarray(core * view.camera.to_infinity(view.exposure.filter))


def smooth_area(frame: ChipFrame, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the pixel area at positions, relative to the one that the flat field refers to, narrow rows aside.

    The Jacobian of the SIP polynomial (as `mizzle.geometry.mapping.pixel_area` has it for whole chips); inside an
    aperture it changes by less than 1e-4.

    Parameters
    ----------
    frame : ChipFrame
        Of the chip.
    x, y : (n,) array
        0-based pixels.
    """
    u, v = x + 1.0 - frame.crpix[0], y + 1.0 - frame.crpix[1]

    def slope(c: FloatArray, axis: int) -> FloatArray:
        return np.asarray(polynomial.polyval2d(u, v, polynomial.polyder(c, axis=axis)))

    a, b = frame.sip_a, frame.sip_b
    jacobian = (1.0 + slope(a, 0)) * (1.0 + slope(b, 1)) - slope(a, 1) * slope(b, 0)
    return np.asarray(jacobian * (frame.reference_side / frame.side) ** 2)
