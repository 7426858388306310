"""Frames as `astropy.wcs.WCS` objects, for people, plots and other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.model.lookup import LookupTables

if TYPE_CHECKING:
    from astropy.wcs import WCS


def tan_wcs(
    crval: FloatArray, crpix: FloatArray, cd: FloatArray, *, shape: tuple[int, int], radesys: str, suffix: str = ""
) -> WCS:
    """Return a linear frame and its projection; `suffix` follows ``TAN`` in CTYPE."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---TAN{suffix}", f"DEC--TAN{suffix}"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = list(crval)
    wcs.wcs.crpix = list(crpix)
    wcs.wcs.cd = np.array(cd)
    wcs.wcs.radesys = radesys
    if radesys == "FK5":
        wcs.wcs.equinox = 2000.0
    wcs.pixel_shape = (shape[1], shape[0])
    wcs.wcs.set()
    return wcs


def add_row_term(wcs: WCS, row_edges: FloatArray, columns: FloatArray) -> None:
    """Add a chip's row term to a frame, as a lookup table of its shifts in y.

    The table is sampled at the row *edges* and interpolated linearly between them, as the model is, so the
    two agree everywhere, jump rows included, to the table's float32 (1e-9 pixel).
    """
    from astropy.wcs import DistortionLookupTable

    if columns.size:
        table = columns.astype(np.float32)[None, :]
        wcs.det2im2 = DistortionLookupTable(table, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    elif np.any(row_edges):
        table = row_edges.astype(np.float32)[:, None]
        wcs.det2im2 = DistortionLookupTable(table, (1.0, 1.0), (1.0, 0.5), (1.0, 1.0))


def add_tables(wcs: WCS, tables: LookupTables) -> None:
    """Add a chip's lookup tables to a frame."""
    from astropy.wcs import DistortionLookupTable

    places = {"det2im1": tables.d2im_x, "det2im2": tables.d2im_y, "cpdis1": tables.npol_x, "cpdis2": tables.npol_y}
    for place, table in places.items():
        if table is not None:
            setattr(wcs, place, DistortionLookupTable(np.array(table.data), table.crpix, table.crval, table.cdelt))


class WcsPixelToSky:
    """``(x, y)``, 0-based, to right ascension and declination [deg] by an `astropy.wcs.WCS`; pickles and compares.

    Parameters
    ----------
    wcs : WCS
        With a celestial frame.
    """

    def __init__(self, wcs: WCS) -> None:
        self._wcs = wcs

    def __call__(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return right ascension and declination [deg] of 0-based pixels."""
        ra, dec = self._wcs.all_pix2world(x, y, 0)
        return np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WcsPixelToSky):
            return NotImplemented
        return bool(self._wcs.to_header_string(relax=True) == other._wcs.to_header_string(relax=True))

    def __hash__(self) -> int:
        return hash(self._wcs.to_header_string(relax=True))
