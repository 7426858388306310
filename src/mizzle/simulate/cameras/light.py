"""The light of stars on a chip, by the plain geometry of astropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.io.camera_headers import CameraHeaders
from mizzle.psf import StarImage

if TYPE_CHECKING:
    from astropy.wcs import WCS


#: Scale of the halo of stars [arcsec], and the radius within which a star has the share of its light it should have.
HALO_SCALE, APERTURE = 0.9, 0.5
#: Where areas are worked out [pixel]: between, they are as good as straight.
_STEP = 64


@dataclass(frozen=True, eq=False)
class StarField:
    """Stars.

    Parameters
    ----------
    ra, dec : (n,) array
        Places [deg].
    rate : (n,) array
        Light in all [electron / s].
    share : float
        Part of it within .5 arcsec.
    """

    ra: FloatArray
    dec: FloatArray
    rate: FloatArray
    share: float


def halo_share(image: StarImage, pixel: float, share: float) -> float:
    """Return the part of a star's light that has to lie in the halo for `share` of all to lie within .5 arcsec.

    Parameters
    ----------
    image : StarImage
        Image of the core.
    pixel : float
        Side of a pixel [arcsec].
    share : float
        As measured, by STScI's tables of encircled energy.
    """
    grid = np.arange(-image.reach, image.reach + 1)
    near = np.hypot(grid[:, None], grid[None, :]) * pixel < APERTURE
    # Over places within a pixel the edge of the circle evens out.
    offsets = (np.arange(5) - 2.0) / 5.0
    dx, dy = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
    core = float(image.pixels(dx, dy, image.reach)[:, near].sum(axis=1).mean())
    halo = 1.0 - 1.0 / np.sqrt(1.0 + (APERTURE / HALO_SCALE) ** 2)
    return float(np.clip((core - share) / (core - halo), 0.0, 1.0))


def starlight(
    headers: CameraHeaders, version: int, sky: Mapping[str, float], *, scene: StarField, image: StarImage
) -> FloatArray:
    """Return what each pixel of a chip collects of the stars [electron / s].

    Parameters
    ----------
    headers : CameraHeaders
        The camera's.
    version : int
        EXTVER of the chip.
    sky : mapping
        True CRVAL and CD.
    scene : StarField
        The stars.
    image : StarImage
        Image of a star, its halo aside.
    """
    wcs = headers.wcs(version, sky)
    x, y = _pixels(wcs, scene.ra, scene.dec)
    ny, nx = headers.shape
    radius = image.reach
    near = np.flatnonzero((x > -radius) & (x < nx + radius) & (y > -radius) & (y < ny + radius))
    light = np.zeros((ny, nx))
    side = np.sqrt(_areas(wcs, x[near], y[near]))
    halo = halo_share(image, float(3600.0 * np.sqrt(abs(np.linalg.det(wcs.wcs.cd)))), scene.share)
    rate = scene.rate[near]
    for block in np.array_split(np.arange(near.size), max(1, near.size // 256)):
        which = near[block]
        cx, cy = np.rint(x[which]).astype(int), np.rint(y[which]).astype(int)
        stamps = (1.0 - halo) * rate[block, None, None] * image.pixels(x[which] - cx, y[which] - cy, radius)
        _add(light, stamps, cx=cx, cy=cy)
    _add_halos(light, Places(x[near], y[near]), halo * rate, side=side)
    return light


def relative_areas(headers: CameraHeaders, version: int, sky: Mapping[str, float]) -> FloatArray:
    """Return the sky area of each pixel over the square of IDCSCALE, ``(ny, nx)``: the pixel area map.

    Parameters
    ----------
    headers, version, sky
        As for `starlight`.
    """
    ny, nx = headers.shape
    rows, columns = (np.linspace(0.0, n - 1.0, n // _STEP + 2) for n in (ny, nx))
    x, y = np.meshgrid(columns, rows)
    coarse = _areas(headers.wcs(version, sky), x.ravel(), y.ravel()).reshape(x.shape)
    across = np.stack([np.interp(np.arange(nx), columns, line) for line in coarse])
    place = np.arange(ny) * ((rows.size - 1.0) / (ny - 1.0))
    low = np.minimum(place.astype(np.intp), rows.size - 2)
    part = (place - low)[:, None]
    scale = float(headers.science_header(version)["IDCSCALE"])
    return np.asarray((across[low] * (1.0 - part) + across[low + 1] * part) / scale**2)


def _add(light: FloatArray, stamps: FloatArray, *, cx: NDArray[np.intp], cy: NDArray[np.intp]) -> None:
    """Add stamps around their middle pixels, what lies outside left away."""
    ny, nx = light.shape
    radius = stamps.shape[1] // 2
    for stamp, i, j in zip(stamps, cx, cy, strict=True):
        x0, x1, y0, y1 = max(0, i - radius), min(nx, i + radius + 1), max(0, j - radius), min(ny, j + radius + 1)
        if x0 < x1 and y0 < y1:
            part = stamp[y0 - j + radius : y1 - j + radius, x0 - i + radius : x1 - i + radius]
            light[y0:y1, x0:x1] += part


def _add_halos(light: FloatArray, where: Places, rate: FloatArray, *, side: FloatArray) -> None:
    """Add the wide halo, to three times its scale: (1 + r^2 / s^2)^-3/2 / (2 pi s^2)."""
    for x, y, star, pixel in zip(*where, rate, side, strict=True):
        i, j, scale = round(x), round(y), HALO_SCALE / pixel
        grid = np.arange(-int(3.0 * scale), int(3.0 * scale) + 1)
        far = ((grid[:, None] - (y - j)) ** 2 + (grid[None, :] - (x - i)) ** 2) / scale**2
        stamp = star * (1.0 + far) ** -1.5 / (2.0 * np.pi * scale**2)
        _add(light, stamp[None], cx=np.array([i]), cy=np.array([j]))


def _pixels(wcs: WCS, ra: FloatArray, dec: FloatArray) -> Places:
    """Return 0-based pixels of places on the sky; far outside the chip the distortion is not followed."""
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    ny, nx = wcs.pixel_shape[::-1] if wcs.pixel_shape else (2100, 4200)
    near = (x > -300) & (x < nx + 300) & (y > -300) & (y < ny + 300)
    if near.any():
        x[near], y[near] = wcs.all_world2pix(ra[near], dec[near], 0, tolerance=1e-7, maxiter=60)
    return Places(x, y)


def _areas(wcs: WCS, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the sky area of the pixels at places of a chip [arcsec2], from the sky of points half a pixel away."""

    def sky(dx: float, dy: float) -> tuple[FloatArray, FloatArray]:
        ra, dec = wcs.all_pix2world(x + dx, y + dy, 0)
        return 3600.0 * ra * np.cos(np.deg2rad(dec)), 3600.0 * dec

    right, left, up, down = sky(0.5, 0.0), sky(-0.5, 0.0), sky(0.0, 0.5), sky(0.0, -0.5)
    ax, ay = right[0] - left[0], right[1] - left[1]
    bx, by = up[0] - down[0], up[1] - down[1]
    return np.asarray(np.abs(ax * by - ay * bx))
