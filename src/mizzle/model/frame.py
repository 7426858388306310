"""Frames: where a pixel of a chip, or of the product, lies on the sky.

Pixel positions in mizzle's Python code are **0-based** (the center of the first pixel is ``(0, 0)``);
``crpix`` alone is stored as FITS writes it, 1-based.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places, SkyPlaces, TangentPlaces
from mizzle.model.arrays import locked
from mizzle.model.lookup import LookupTables
from mizzle.model.values import Value

if TYPE_CHECKING:
    from astropy.wcs import WCS


def project(ra: FloatArray, dec: FloatArray, center: tuple[float, float]) -> TangentPlaces:
    """Project the sky onto the plane tangent at `center` (gnomonic, TAN).

    Parameters
    ----------
    ra, dec : array
        Positions [deg].
    center : (float, float)
        Right ascension and declination of the tangent point [deg].

    Returns
    -------
    xi, eta : array
        Plane coordinates, east and north [deg]; NaN for points 90 degrees or more away.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3.
    """
    alpha = np.deg2rad(np.asarray(ra, dtype=np.float64) - center[0])
    delta = np.deg2rad(np.asarray(dec, dtype=np.float64))
    sin0, cos0 = np.sin(np.deg2rad(center[1])), np.cos(np.deg2rad(center[1]))
    along = sin0 * np.sin(delta) + cos0 * np.cos(delta) * np.cos(alpha)
    along = np.where(along > 0, along, np.nan)
    xi = np.cos(delta) * np.sin(alpha) / along
    eta = (cos0 * np.sin(delta) - sin0 * np.cos(delta) * np.cos(alpha)) / along
    return TangentPlaces(np.rad2deg(xi), np.rad2deg(eta))


def deproject(xi: FloatArray, eta: FloatArray, center: tuple[float, float]) -> SkyPlaces:
    """Invert `project`: plane coordinates [deg] to sky positions [deg], ``0 <= ra < 360``."""
    x, y = np.deg2rad(xi), np.deg2rad(eta)
    sin0, cos0 = np.sin(np.deg2rad(center[1])), np.cos(np.deg2rad(center[1]))
    denominator = cos0 - y * sin0
    ra = center[0] + np.rad2deg(np.arctan2(x, denominator))
    dec = np.rad2deg(np.arctan2(sin0 + y * cos0, np.hypot(x, denominator)))
    return SkyPlaces(np.mod(ra, 360.0), dec)


def _polynomial(coefficients: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Sum ``coefficients[p, q] * u**p * v**q``."""
    return np.asarray(np.polynomial.polynomial.polyval2d(u, v, coefficients), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ChipFrame(Value):
    """Pixel to sky for one chip: row term, SIP polynomial, CD matrix, TAN projection.

    Parameters
    ----------
    crval : (2,) array
        Sky of the reference pixel, right ascension and declination [deg].
    crpix : (2,) array
        Reference pixel, 1-based as in FITS.
    cd : (2, 2) array
        Degrees on the tangent plane per distortion-corrected pixel.
    sip_a, sip_b : (n + 1, n + 1) array
        SIP coefficients: ``u += sum a[p, q] u**p v**q`` (and ``b`` for ``v``), ``u = x - crpix[0]``.
    shape : (int, int)
        ``(ny, nx)`` of the chip.
    row_edges : (ny + 1,) array
        Shift in y [pixel] of each row *edge* (edge ``j`` lies at ``y = j - 0.5``): the 34th-row term. Inside
        a
        row the shift is linear between its edges, as the physics has it: a narrow row is narrow.
    scale : float
        Nominal pixel side [arcsec], the IDCTAB's SCALE.
    name : str
        WCSNAME: where this frame comes from.
    facts : mapping
        Where it comes from, as keywords: CHIP, IDCSCALE, IDCTHETA, OCX10, VAFACTOR...
    columns : (nx,) or (0,) array
        Shift in y [pixel] at the center of each *column*: what the incumbent has in place of the row term;
        empty as a rule.
    tables : LookupTables
        D2IM and NPOL tables; none as a rule. They and the row term never meet on one chip.
    flat_side : float
        Side of the pixel that the flat field makes all others alike to [arcsec], where it is not the reference pixel
        of this chip: IDCSCALE of ACS and WFC3, the same for all chips of a camera. 0: the reference pixel.

    Notes
    -----
    With tables, a pixel goes the way that `astropy.wcs` defines: D2IM is added to it; SIP and NPOL are both read there
    and added side by side; then come the CD matrix and the projection.
    """

    crval: FloatArray
    crpix: FloatArray
    cd: FloatArray
    sip_a: FloatArray
    sip_b: FloatArray
    shape: tuple[int, int]
    row_edges: FloatArray
    scale: float
    name: str = "MODEL"
    facts: Mapping[str, float | str] = field(default_factory=dict)
    columns: FloatArray = field(default_factory=lambda: np.zeros(0))
    tables: LookupTables = field(default_factory=LookupTables)
    flat_side: float = 0.0

    def __post_init__(self) -> None:
        for key in ("crval", "crpix", "cd", "sip_a", "sip_b", "row_edges", "columns"):
            object.__setattr__(self, key, locked(getattr(self, key), np.float64))
        super().__post_init__()

    def pixel_to_plane(self, x: Any, y: Any) -> TangentPlaces:
        """Map 0-based pixels to this frame's own tangent plane, ``xi`` east and ``eta`` north [deg]."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        edges = np.arange(self.row_edges.size) - 0.5
        if self.tables:
            x, y = self.tables.to_image(*np.broadcast_arrays(x, y))
        u = x + (1.0 - self.crpix[0])
        v = y + np.interp(y, edges, self.row_edges) + self._column_shift(x) + (1.0 - self.crpix[1])
        p = u + _polynomial(self.sip_a, u, v)
        q = v + _polynomial(self.sip_b, u, v)
        if self.tables:
            dx, dy = self.tables.npol(x, y)
            p, q = p + dx, q + dy
        return TangentPlaces(self.cd[0, 0] * p + self.cd[0, 1] * q, self.cd[1, 0] * p + self.cd[1, 1] * q)

    def _column_shift(self, x: FloatArray) -> FloatArray | float:
        """Return the shift in y [pixel] of columns; 0 as a rule."""
        return np.interp(x, np.arange(self.columns.size), self.columns) if self.columns.size else 0.0

    def pixel_to_sky(self, x: Any, y: Any) -> SkyPlaces:
        """Map 0-based pixels to right ascension and declination [deg]."""
        xi, eta = self.pixel_to_plane(x, y)
        return deproject(xi, eta, (float(self.crval[0]), float(self.crval[1])))

    def sky_to_pixel(self, ra: Any, dec: Any, *, iterations: int = 12) -> Places:
        """Invert `pixel_to_sky` by fixed-point iteration (the distortion is a few per cent at most)."""
        xi, eta = project(ra, dec, (float(self.crval[0]), float(self.crval[1])))
        inverse = np.linalg.inv(self.cd)
        p = inverse[0, 0] * xi + inverse[0, 1] * eta
        q = inverse[1, 0] * xi + inverse[1, 1] * eta
        u, v = p.copy(), q.copy()
        # Far off the chip the cubic runs away; a bound keeps the answer finite and clearly outside.
        limit = 4.0 * max(self.shape)
        with np.errstate(invalid="ignore"):
            for _ in range(iterations):
                uc, vc = np.clip(u, -limit, limit), np.clip(v, -limit, limit)
                u, v = p - _polynomial(self.sip_a, uc, vc), q - _polynomial(self.sip_b, uc, vc)
                if self.tables:
                    dx, dy = self.tables.npol(uc - 1.0 + self.crpix[0], vc - 1.0 + self.crpix[1])
                    u, v = u - dx, v - dy
        x = u - 1.0 + self.crpix[0]
        y = v - 1.0 + self.crpix[1] - self._column_shift(x)
        if self.tables:
            x, y = self.tables.to_detector(x, y)
        edges = np.arange(self.row_edges.size) - 0.5
        return Places(
            x,
            np.interp(y, edges + self.row_edges, edges)
            + np.where(
                y < edges[0] + self.row_edges[0],
                y - edges[0] - self.row_edges[0],
                np.where(y > edges[-1] + self.row_edges[-1], y - edges[-1] - self.row_edges[-1], 0.0),
            ),
        )

    def moved(
        self, pivot: tuple[float, float], matrix: FloatArray, shift: FloatArray, *, name: str | None = None
    ) -> ChipFrame:
        """Return this frame after an affine correction on the plane tangent at `pivot`.

        Parameters
        ----------
        pivot : (float, float)
            Tangent point of the correction [deg]; the same for all chips of an exposure, so they move
            rigidly.
        matrix : (2, 2) array
            Linear part acting on ``(xi, eta)``.
        shift : (2,) array
            Shift of ``(xi, eta)`` [arcsec].
        name : str, optional
            New WCSNAME.
        """
        step = 1.0 / 60.0  # deg on the frame's own plane: about the half-side of a WF chip
        offsets = np.array([[0, step, -step, 0, 0], [0, 0, 0, step, -step]], dtype=np.float64)
        own = (float(self.crval[0]), float(self.crval[1]))
        plane = np.array(project(*deproject(offsets[0], offsets[1], own), pivot))
        moved_plane = np.asarray(matrix) @ plane + np.asarray(shift, dtype=np.float64)[:, None] / 3600.0
        ra, dec = deproject(moved_plane[0], moved_plane[1], pivot)
        center = (float(ra[0]), float(dec[0]))
        x, y = project(ra, dec, center)
        jacobian = np.array([[x[1] - x[2], x[3] - x[4]], [y[1] - y[2], y[3] - y[4]]]) / (2 * step)
        return replace(self, crval=np.array(center), cd=jacobian @ self.cd, name=name or self.name)

    @property
    def side(self) -> float:
        """Side of the pixel that flat field and PHOTFLAM refer to [arcsec].

        That is `flat_side`, or the reference pixel of the chip: the root of its sky area, distortion's linear part
        included. `scale` is nominal: its square differs from the area of WFPC2's by up to 2 parts in 10,000,
        differently on each chip.
        """
        return self.flat_side or self.reference_side

    @property
    def reference_side(self) -> float:
        """Side of the reference pixel on the sky [arcsec]."""
        return float(3600.0 * np.sqrt(abs(np.linalg.det(self.cd))))

    def orientation(self) -> float:
        """Position angle of the y axis, east of north [deg] (ORIENTAT)."""
        return float(np.rad2deg(np.arctan2(self.cd[0, 1], self.cd[1, 1])))

    @cached_property
    def wcs(self) -> WCS:
        """The same frame as an `astropy.wcs.WCS`: SIP, lookup tables, and the row term as a D2IM lookup."""
        from astropy.wcs import Sip

        from mizzle.model.astropy_frame import add_row_term, add_tables, tan_wcs

        has_sip = bool(np.any(self.sip_a) or np.any(self.sip_b))
        radesys, suffix = str(self.facts.get("RADESYS", "FK5")), "-SIP" if has_sip else ""
        wcs = tan_wcs(self.crval, self.crpix, self.cd, shape=self.shape, radesys=radesys, suffix=suffix)
        if has_sip:
            wcs.sip = Sip(np.array(self.sip_a), np.array(self.sip_b), None, None, self.crpix)
        add_row_term(wcs, self.row_edges, self.columns)
        add_tables(wcs, self.tables)
        wcs.wcs.name = self.name
        wcs.wcs.set()
        return wcs


@dataclass(frozen=True, eq=False)
class Grid(Value):
    """The product's pixels: a plain TAN frame.

    Parameters
    ----------
    crval : (2,) array
        Tangent point [deg].
    crpix : (2,) array
        Its pixel, 1-based as in FITS.
    cd : (2, 2) array
        Degrees per pixel.
    shape : (int, int)
        ``(ny, nx)``.
    radesys : str
        Frame of the coordinates: ``FK5`` (old guide stars) or ``ICRS``.
    header : str
        Cards of 80 characters that say the same, where the grid is another image's: the product repeats them.
    """

    crval: FloatArray
    crpix: FloatArray
    cd: FloatArray
    shape: tuple[int, int]
    radesys: str = "FK5"
    header: str = ""

    def __post_init__(self) -> None:
        for key in ("crval", "crpix", "cd"):
            object.__setattr__(self, key, locked(getattr(self, key), np.float64))
        super().__post_init__()

    @property
    def scale(self) -> float:
        """Pixel side [arcsec]."""
        return float(3600.0 * np.sqrt(abs(np.linalg.det(self.cd))))

    @property
    def center(self) -> tuple[float, float]:
        """The tangent point [deg]."""
        return float(self.crval[0]), float(self.crval[1])

    def sky_to_pixel(self, ra: Any, dec: Any) -> Places:
        """Map sky positions [deg] to 0-based pixels."""
        xi, eta = project(ra, dec, self.center)
        inverse = np.linalg.inv(self.cd)
        x = inverse[0, 0] * xi + inverse[0, 1] * eta + self.crpix[0] - 1.0
        y = inverse[1, 0] * xi + inverse[1, 1] * eta + self.crpix[1] - 1.0
        return Places(x, y)

    def pixel_to_sky(self, x: Any, y: Any) -> SkyPlaces:
        """Map 0-based pixels to right ascension and declination [deg]."""
        u = np.asarray(x, dtype=np.float64) + (1.0 - self.crpix[0])
        v = np.asarray(y, dtype=np.float64) + (1.0 - self.crpix[1])
        xi = self.cd[0, 0] * u + self.cd[0, 1] * v
        eta = self.cd[1, 0] * u + self.cd[1, 1] * v
        return deproject(xi, eta, self.center)

    def orientation(self) -> float:
        """Position angle of the y axis, east of north [deg]."""
        return float(np.rad2deg(np.arctan2(self.cd[0, 1], self.cd[1, 1])))

    def relative_area(self) -> NDArray[np.float32] | None:
        """Return the sky area of each pixel over that of the middle one; None as all are equal."""
        return None

    @cached_property
    def wcs(self) -> WCS:
        """The same frame as an `astropy.wcs.WCS`."""
        from mizzle.model.astropy_frame import tan_wcs

        return tan_wcs(self.crval, self.crpix, self.cd, shape=self.shape, radesys=self.radesys)
