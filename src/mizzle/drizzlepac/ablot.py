"""``do_blot``: an image read at the pixels of a distorted one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.kernel import blot

__all__ = ["do_blot"]

_INTERPOLATION = {
    "nearest": "nearest",
    "linear": "linear",
    "poly3": "poly3",
    "poly5": "poly5",
    "lan3": "lanczos3",
    "lan5": "lanczos5",
}


def do_blot(
    source: NDArray[Any],
    source_wcs: Any,
    blot_wcs: Any,
    exptime: float,
    coeffs: bool = True,
    interp: str = "poly5",
    sinscl: float = 1.0,
    stepsize: int = 10,
    wcsmap: Any = None,
) -> NDArray[np.float32]:
    """Return what the pixels of `blot_wcs` see of a drizzled image.

    Parameters
    ----------
    source : (ny, nx) array
        Drizzled image, per second.
    source_wcs, blot_wcs : WCS
        Of the image, and of the pixels wanted; `blot_wcs` knows its size (``pixel_shape``).
    exptime : float
        Multiplies the answer [s].
    coeffs, sinscl, stepsize, wcsmap
        Accepted; without effect: the mapping is exact.
    interp : str
        ``nearest linear poly3 poly5 lan3 lan5``; ``spline3`` and ``sinc`` are not offered.

    Returns
    -------
    image : (ny, nx) float32 array
        Counts per pixel of `blot_wcs`.

    Raises
    ------
    SettingsError
        An interpolation that is not offered.
    """
    if interp not in _INTERPOLATION:
        raise SettingsError(f"do_blot: interp = {interp!r}; needed one of {', '.join(_INTERPOLATION)}", interp=interp)
    nx, ny = (int(n) for n in blot_wcs.pixel_shape)
    x, y = np.meshgrid(np.arange(nx, dtype=np.float64), np.arange(ny, dtype=np.float64))
    places = source_wcs.all_world2pix(*blot_wcs.all_pix2world(x.ravel(), y.ravel(), 0), 0)
    pixmap = np.stack(places, axis=-1).reshape(ny, nx, 2)
    sides = [np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) for wcs in (blot_wcs, source_wcs)]
    image = blot(np.asarray(source, np.float32), pixmap, interp=_INTERPOLATION[interp])
    return (image * np.float32((sides[0] / sides[1]) ** 2 * exptime)).astype(np.float32)
