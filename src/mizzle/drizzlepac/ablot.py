"""``blot`` and ``do_blot``: an image read at the pixels of a distorted one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle import kernel
from mizzle.drizzlepac.positions import wcs_of
from mizzle.errors import InputError, SettingsError
from mizzle.io.incumbent_files import write_image
from mizzle.io.rewriting import opened
from mizzle.translation.parameters import Task

__all__ = ["blot", "do_blot"]

_OWN_WCS = "the WCS is that of reference"
BLOT_TASK = Task(
    "blot",
    {
        **{"data": "", "reference": "", "outdata": "", "interpol": "poly5", "addsky": True, "skyval": 0.0},
        **{"in_units": "cps", "out_units": "counts", "expkey": "exptime", "expout": "input"},
    },
    {
        "coeffs": (True, "the full distortion is always applied"),
        "sinscl": (1.0, "sinc is not offered"),
        "stepsize": (10, "the mapping is exact"),
        **dict.fromkeys(("outscale", "orient", "raref", "decref"), (None, _OWN_WCS)),
        **dict.fromkeys(("xrefpix", "yrefpix", "outnx", "outny"), (None, _OWN_WCS)),
        "user_wcs": (False, _OWN_WCS),
    },
)

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
    image = kernel.blot(np.asarray(source, np.float32), pixmap, interp=_INTERPOLATION[interp])
    return (image * np.float32((sides[0] / sides[1]) ** 2 * exptime)).astype(np.float32)


def blot(
    data: str,
    reference: str,
    outdata: str,
    configObj: Any = None,
    wcsmap: Any = None,
    editpars: bool = False,
    **input_dict: Any,
) -> NDArray[np.float32]:
    """Write what the pixels of a chip see of a drizzled image.

    Parameters
    ----------
    data : str
        Drizzled image, ``name.fits`` or ``name.fits[sci,1]``.
    reference : str
        The chip, ``name.fits[sci,3]``; the first of a file without.
    outdata : str
        The file to write: the image in PRIMARY, its linear WCS with it.
    configObj : str or mapping, optional
        A ``.cfg`` file, or a dictionary.
    wcsmap
        Accepted; without effect.
    editpars : bool
        Not interactive: True is refused.
    **input_dict
        The incumbent's parameters: ``interpol``, ``addsky`` (the sky that was subtracted from `reference`, its
        MDRIZSKY; none where it has none), ``skyval``, ``in_units``, ``out_units``, ``expkey``, ``expout``.

    Returns
    -------
    image : (ny, nx) float32 array
        As written.

    Raises
    ------
    SettingsError
        An unknown parameter, or an interpolation that is not offered.
    InputError
        No image or WCS where one is needed.
    """
    if editpars:
        raise SettingsError("blot: editpars: nothing here is interactive; give the parameters in the call")
    values = BLOT_TASK.values(input_dict, configObj)
    source, target = wcs_of(data), wcs_of(reference)
    with opened(data.split("[")[0]) as hdus:
        unit = hdus[source.place]
        image = np.asarray(unit.data, np.float32)
        seconds = _number(values.text("expkey"), unit.header, hdus[0].header, name=data)
    with opened(reference.split("[")[0]) as hdus:
        header = hdus[target.place].header
        own = values.text("expout") == "input"
        key = values.text("expkey")
        exposure = _number(key, header, hdus[0].header, name=reference) if own else values.number("expout") or 1.0
        sky = header.get("MDRIZSKY", 0.0) if values.flag("addsky") else values.number("skyval") or 0.0
    if values.text("in_units") == "counts":
        image = image / np.float32(seconds)
    times = exposure if values.text("out_units") == "counts" else 1.0
    blotted = do_blot(np.nan_to_num(image), source, target, times, interp=values.text("interpol")) + np.float32(sky)
    plain = [(card.keyword, card.value, card.comment) for card in target.wcs2header().cards if card.keyword]
    write_image(outdata, blotted, plain)
    return blotted


def _number(key: str, *headers: Any, name: str) -> float:
    """Return a number of the first header that has it."""
    for header in headers:
        if isinstance(header.get(key), int | float):
            return float(header[key])
    raise InputError(f"{name}: no number in {key.upper()}", file=name, keyword=key)
