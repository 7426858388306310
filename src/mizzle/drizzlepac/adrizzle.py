"""``do_driz``: an image with a WCS dropped on another WCS, as scripts call it for images that are in no file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle._version import __version__
from mizzle.errors import SettingsError
from mizzle.kernel import Drizzle

__all__ = ["do_driz"]

#: Bits of a plane of the context.
_BITS = 32
_KEEP = frozenset({"", "INDEF", "NONE"})


def do_driz(
    insci: NDArray[Any],
    input_wcs: Any,
    inwht: NDArray[Any],
    output_wcs: Any,
    outsci: NDArray[np.float32],
    outwht: NDArray[np.float32],
    outcon: NDArray[np.int32],
    expin: float,
    in_units: str,
    wt_scl: float,
    wcslin_pscale: float = 1.0,
    uniqid: int = 1,
    pixfrac: float = 1.0,
    kernel: str = "square",
    fillval: Any = "INDEF",
    stepsize: int = 10,
    wcsmap: Any = None,
) -> str:
    """Drop an image on a grid; the three outputs are changed in place.

    Parameters
    ----------
    insci, inwht : (ny, nx) array
        Image, and its weights.
    input_wcs, output_wcs : WCS
        Of the image, distortion included, and of the outputs. Their ``pscale`` [arcsec] counts where they have one.
    outsci, outwht : (my, mx) float32 array
        Result of earlier calls; zeros before the first. The image is per output pixel: where pixels of the output are
        half as wide as ``wcslin_pscale``, a sky is a quarter.
    outcon : (my, mx) or (planes, my, mx) array of integers
        Which image fell where: a bit each.
    expin : float
        Exposure time [s].
    in_units : str
        ``cps`` or ``counts``.
    wt_scl : float
        Factor on the weights.
    wcslin_pscale : float
        Side of the input's undistorted pixels [arcsec]; 1 where the caller scales by itself.
    uniqid : int
        Number of the image, from 1.
    pixfrac : float
        Side of a drop over that of a pixel.
    kernel : str
        ``square gaussian point turbo lanczos2 lanczos3 lanczos5``.
    fillval : float or str
        For pixels where nothing ever fell; ``INDEF`` leaves them as they are.
    stepsize, wcsmap
        Accepted; without effect: the mapping is exact.

    Returns
    -------
    version : str
        Who did it.

    Raises
    ------
    SettingsError
        Arrays that do not fit, or an unknown kernel.
    """
    if any(not isinstance(array, np.ndarray) for array in (outsci, outwht, outcon)):
        raise SettingsError("do_driz: outsci, outwht and outcon are changed in place; needed arrays")
    if uniqid < 1 or (outcon.ndim == 3 and uniqid > _BITS * len(outcon)) or (outcon.ndim == 2 and uniqid > _BITS):
        raise SettingsError(
            f"do_driz: uniqid = {uniqid}; outcon has room for 1 to {_BITS} in each plane", uniqid=uniqid
        )
    ratio = _side(output_wcs) / wcslin_pscale
    # A context of its own: earlier images have one bit, this one the other, whatever the caller's says.
    seen = np.where(outwht > 0, 2, 0).astype(np.int32)
    before, image = outsci.copy(), Drizzle(kernel, out_img=outsci, out_wht=outwht, out_ctx=seen, exptime=1.0)
    image.add_image(
        insci,
        expin,
        _places(input_wcs, output_wcs, np.shape(insci)),
        weight_map=inwht,
        iscale=ratio**2,
        pixel_scale_ratio=ratio,
        wht_scale=wt_scl,
        pixfrac=pixfrac,
        in_units=in_units,
    )
    total, weight, reached = image.out_img, image.out_wht, image.out_ctx
    assert total is not None  # outputs were given
    assert weight is not None
    assert reached is not None
    outwht[...] = weight
    filled = before if str(fillval).strip().upper() in _KEEP else float(fillval)
    outsci[...] = np.where(weight > 0, total, filled)
    plane = outcon if outcon.ndim == 2 else outcon[(uniqid - 1) // _BITS]
    plane |= np.where(reached[0] & 1, _bit(uniqid), 0).astype(plane.dtype)
    return f"mizzle {__version__}"


def _places(source: Any, target: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return where the pixels of an image lie on another: 0-based ``(x, y)``, ``(ny, nx, 2)``."""
    y, x = np.indices(shape, dtype=np.float64)
    places = target.all_world2pix(*source.all_pix2world(x.ravel(), y.ravel(), 0), 0)
    return np.stack(places, axis=-1).reshape(*shape, 2)


def _side(wcs: Any) -> float:
    """Return the side of a pixel [arcsec]: what the WCS says, else its CD matrix."""
    said = getattr(wcs, "pscale", None)
    return float(said) if said else float(np.hypot(*wcs.pixel_scale_matrix[:, 0]) * 3600.0)


def _bit(number: int) -> int:
    """Return the bit of an image in its plane, as signed integers of 32 bits have it."""
    place = (number - 1) % _BITS
    return -(1 << place) if place == _BITS - 1 else 1 << place
