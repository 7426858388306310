"""``output_wcs``: the frame without distortion that holds some chips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import SkyPlaces
from mizzle.errors import SettingsError
from mizzle.stwcs.wcsutil.hstwcs import HSTWCS
from mizzle.translation.grid import centered, grid_around, square_cd

__all__ = ["output_wcs"]


def output_wcs(list_of_wcsobj: Sequence[Any], ref_wcs: Any = None, owcs: Any = None, undistort: bool = True) -> HSTWCS:
    """Return a frame around the corners of all chips, of the first one's pixel side and direction.

    Parameters
    ----------
    list_of_wcsobj : sequence of WCS
        Of the chips; each knows its size (``pixel_shape``).
    ref_wcs : WCS, optional
        Side and direction are its own, in place of the first chip's.
    owcs : WCS, optional
        A frame whose tangent point, side and direction are kept.
    undistort : bool
        Pixels are square, of the side of the distortion table; without it, the CD matrix is the chip's.

    Returns
    -------
    wcs : HSTWCS
        With ``pscale``, ``orientat``, ``pixel_shape``; its tangent point is the middle of the chips.

    Raises
    ------
    SettingsError
        No WCS, or one without size.
    """
    chips = list(list_of_wcsobj)
    if not chips or any(wcs.pixel_shape is None for wcs in chips):
        raise SettingsError("output_wcs: needed are WCSs of images, each with its size (pixel_shape)")
    model = ref_wcs if ref_wcs is not None else chips[0]
    frame = str(model.wcs.radesys).strip() or "FK5"
    if owcs is not None:
        center = (float(owcs.wcs.crval[0]), float(owcs.wcs.crval[1]))
        return HSTWCS.of_grid(grid_around(_corners(chips), owcs.pixel_scale_matrix, frame, center=center))
    cd = undistorted_cd(model) if undistort else model.pixel_scale_matrix
    return HSTWCS.of_grid(centered(grid_around(_corners(chips), cd, frame)))


def undistorted_cd(wcs: Any) -> NDArray[np.float64]:
    """Return the CD matrix [deg] of a WCS's square pixels: as its distortion table has them, where it knows one."""
    cd = wcs.pixel_scale_matrix
    side = getattr(wcs, "idcscale", None) or 3600.0 * float(np.hypot(cd[0, 0], cd[1, 0]))
    return square_cd(cd, getattr(wcs, "linear_terms", {}), side)


def _corners(chips: Sequence[Any]) -> SkyPlaces:
    """Return the sky [deg] of the centers of the corner pixels of all chips."""
    corners = []
    for wcs in chips:
        nx, ny = wcs.pixel_shape
        corners.append(wcs.all_pix2world([0.0, 0.0, nx - 1.0, nx - 1.0], [0.0, ny - 1.0, 0.0, ny - 1.0], 0))
    ra, dec = np.concatenate(corners, axis=1)
    return SkyPlaces(ra, dec)
