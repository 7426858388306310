"""A product's pixels by any celestial WCS that `astropy.wcs` knows: for products on the grid of another image."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places, SkyPlaces
from mizzle.model.frame import Grid, project

if TYPE_CHECKING:
    from astropy.wcs import WCS


#: `astropy.wcs` writes to its own structure while it transforms: one thread at a time.
_one_at_a_time = threading.Lock()

#: Cells between the places where the area of a pixel is worked out, and the least change that counts.
_AREA_STEP = 32
_LEAST_CHANGE = 1e-5


@dataclass(frozen=True, eq=False)
class WcsGrid(Grid):
    """Pixels by any projection, with a SIP polynomial or without.

    Parameters
    ----------
    crval, crpix, cd
        The plane that touches it in the middle of the image, for what needs a scale and a direction only.
    header : str
        Its WCS, as cards of 80 characters: what counts.
    """

    @classmethod
    def from_header(cls, header: str, shape: tuple[int, int], *, radesys: str = "ICRS") -> WcsGrid:
        """Return the grid of a header.

        Parameters
        ----------
        header : str
            Cards of 80 characters.
        shape : (int, int)
            ``(ny, nx)``.
        radesys : str
            Frame of right ascension and declination: that of the header, ``ICRS`` for one of other coordinates.

        Raises
        ------
        ValueError
            The middle of the image is at no place of the sky.
        """
        middle = np.array([(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0])
        bare = cls(np.zeros(2), middle + 1.0, np.eye(2), shape, radesys, header)
        ra, dec = bare.pixel_to_sky(*(middle[:, None] + np.array([[0, 0.5, -0.5, 0, 0], [0, 0, 0, 0.5, -0.5]])))
        center = (float(ra[0]), float(dec[0]))
        xi, eta = project(ra, dec, center)
        cd = np.array([[xi[1] - xi[2], xi[3] - xi[4]], [eta[1] - eta[2], eta[3] - eta[4]]])
        if not (np.isfinite(center).all() and np.isfinite(cd).all()):
            raise ValueError("the middle of the image is at no place of the sky")
        return cls(np.array(center), middle + 1.0, cd, shape, radesys, header)

    def pixel_to_sky(self, x: Any, y: Any) -> SkyPlaces:
        """Map 0-based pixels to right ascension and declination [deg]; NaN where there is no sky."""
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        with _one_at_a_time:
            world = self.wcs.all_pix2world(np.stack([x.ravel(), y.ravel()], axis=1), 0)
        lng, lat = (world[:, axis].reshape(x.shape) for axis in (self.wcs.wcs.lng, self.wcs.wcs.lat))
        if self._other is not None:
            from astropy.coordinates import SkyCoord

            ours = SkyCoord(lng, lat, unit="deg", frame=self._other).icrs
            return SkyPlaces(np.asarray(ours.ra.deg), np.asarray(ours.dec.deg))
        return SkyPlaces(np.mod(lng, 360.0), lat)

    def sky_to_pixel(self, ra: Any, dec: Any) -> Places:
        """Map sky positions [deg] to 0-based pixels; NaN where the projection, or its distortion, has no answer."""
        lng, lat = np.broadcast_arrays(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64))
        if self._other is not None:
            from astropy.coordinates import ICRS, SkyCoord

            there = SkyCoord(lng, lat, unit="deg", frame=ICRS()).transform_to(self._other)
            lng, lat = there.spherical.lon.deg, there.spherical.lat.deg
        world = np.empty((lng.size, 2))
        world[:, self.wcs.wcs.lng], world[:, self.wcs.wcs.lat] = np.ravel(lng), np.ravel(lat)
        with _one_at_a_time:
            x, y = self._pixels(world).T
        return Places(x.reshape(np.shape(lng)), y.reshape(np.shape(lng)))

    def _pixels(self, world: FloatArray) -> FloatArray:
        """Turn pixels around; what does not converge is NaN."""
        from astropy.wcs import NoConvergence

        known = np.isfinite(world).all(axis=1)
        result = np.full(world.shape, np.nan)
        try:
            result[known] = self.wcs.all_world2pix(world[known], 0, tolerance=1e-7, maxiter=60, adaptive=True)
        except NoConvergence as problem:
            best = np.array(problem.best_solution)
            for lost in (problem.divergent, problem.slow_conv):
                if lost is not None:
                    best[lost] = np.nan
            result[known] = best
        return result

    @cached_property
    def _other(self) -> Any:
        """Frame of the header's coordinates, where they are not right ascension and declination of 2000."""
        from astropy.coordinates import FK5, ICRS
        from astropy.wcs.utils import wcs_to_celestial_frame

        frame = wcs_to_celestial_frame(self.wcs)
        ours = isinstance(frame, ICRS) or (isinstance(frame, FK5) and abs(frame.equinox.jyear - 2000.0) < 1e-6)
        return None if ours else frame

    def relative_area(self) -> NDArray[np.float32] | None:
        """Return the sky area of each pixel over that of the middle one; None where all are equal to 1e-5."""
        ny, nx = self.shape
        x, y = (np.linspace(0.0, n - 1.0, max(2, -(-n // _AREA_STEP) + 1)) for n in (nx, ny))
        coarse = np.abs(self._area(*np.meshgrid(x, y))) / abs(np.linalg.det(self.cd))
        if not np.nanmax(np.abs(coarse - 1.0), initial=0.0) > _LEAST_CHANGE:
            return None
        coarse = np.where(np.isfinite(coarse), coarse, 1.0)
        rows = np.stack([np.interp(np.arange(nx), x, row) for row in coarse])
        at = np.interp(np.arange(ny), y, np.arange(y.size))
        low = np.minimum(at.astype(int), y.size - 2)
        share = (at - low)[:, None]
        return np.asarray((1.0 - share) * rows[low] + share * rows[low + 1], dtype=np.float32)

    def _area(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the area of pixels [deg2], on the plane that touches the sky at each."""
        _, dec = self.pixel_to_sky(x, y)
        sides = []
        for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
            (a, b), (c, d) = self.pixel_to_sky(x + dx, y + dy), self.pixel_to_sky(x - dx, y - dy)
            across = (np.mod(a - c + 180.0, 360.0) - 180.0) * np.cos(np.deg2rad(dec))
            sides.append((across, b - d))
        return np.asarray(sides[0][0] * sides[1][1] - sides[0][1] * sides[1][0])

    @cached_property
    def wcs(self) -> WCS:
        """The header's own WCS."""
        from astropy.wcs import WCS

        wcs = WCS(self.header, naxis=2)
        wcs.pixel_shape = (self.shape[1], self.shape[0])
        wcs.wcs.set()
        return wcs
