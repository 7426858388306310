"""``updatewcs_with_shift``: a shift, roll and scale that somebody measured, written into the WCS of a file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import DataError, InputError, SettingsError
from mizzle.geometry.header import frame_from_header
from mizzle.geometry.keywords import Card
from mizzle.io.headers import FrozenHeader
from mizzle.io.rewriting import opened, rewriting
from mizzle.io.text import read_text
from mizzle.io.wcs_in_place import write_frames, write_image_frame
from mizzle.settings import Settings
from mizzle.stwcs.wcsutil import HSTWCS
from mizzle.translation.exposures import is_exposure, read_exposures, with_values
from mizzle.translation.parameters import Task, Values

__all__ = ["interpret_wcsname_type", "update_from_shiftfile", "updatewcs_with_shift"]

SHIFT_TASK = Task(
    "updatewcs_with_shift",
    {
        **{"wcsname": "TWEAK", "reusename": False, "force": False, "fit": None},
        **{"rot": 0.0, "scale": 1.0, "xsh": 0.0, "ysh": 0.0, "xrms": None, "yrms": None},
    },
    {
        "fitgeom": ("rscale", "what is given is applied: rot, scale and shifts, or fit and shifts"),
        "verbose": (False, "nothing is printed"),
        "sciext": ("SCI", "chips are found by what they are"),
    },
)

#: How exposures were aligned, by the archive's word for it.
_ALIGNED = {"REL": "relatively aligned", "IMG": "aligned image-by-image", "SVM": "aligned by visit"}


@dataclass(frozen=True, eq=False)
class Correction:
    """An affine correction on the plane tangent at `pivot` [deg].

    Parameters
    ----------
    pivot : (float, float)
        Tangent point.
    matrix : (2, 2) array
        Linear part.
    shift : (2,) array
        [arcsec].
    """

    pivot: tuple[float, float]
    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]


def updatewcs_with_shift(image: Any, reference: Any, **parameters: Any) -> None:
    """Correct the WCS of an exposure or of a drizzled image, in place; the old one is kept as an alternate.

    Parameters
    ----------
    image : str or Path
        The file.
    reference : str, Path or WCS
        Frame in whose pixels the correction was measured: an image's name, ``shifts_wcs.fits[wcs]``, or a WCS.
    **parameters
        ``xsh``, ``ysh`` [pixel of the reference], ``rot`` [deg], ``scale``: what takes the reference's place to that of
        the image, about the reference pixel; the WCS is moved by the inverse. ``fit``, a 2 x 2 matrix, in place of
        rot and scale. ``wcsname``; ``reusename`` or ``force`` where a WCS of that name is there; ``xrms``, ``yrms``
        [deg] for RMS_RA, RMS_DEC and CRDER.

    Raises
    ------
    SettingsError
        An unknown parameter, no finite correction, or a name that is taken; nothing is changed then.
    InputError
        A file has no WCS.
    """
    values = SHIFT_TASK.values(parameters)
    correction = _correction(values, _reference(reference))
    path, name = Path(str(image).split("[")[0]), values.text("wcsname") or "TWEAK"
    with opened(path) as hdus:
        unit = next((hdu for hdu in hdus if "CRVAL1" in hdu.header), None)
        if unit is None:
            raise InputError(f"{path}: no WCS to correct", file=str(path))
        header, place = FrozenHeader(unit.header, str(path)), hdus.index(unit)
    again = str(header.get("WCSNAME", "")).strip() == name
    if not (values.flag("reusename") or values.flag("force")) and name in _names(header):
        raise SettingsError(f"{path}: has a WCS called {name!r}; give another wcsname, or reusename=True", wcsname=name)
    if is_exposure(path):
        _move_exposure(path, name, correction, _fit_cards(values, name), archive=not again)
        return
    shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
    frame = frame_from_header(header, shape, chip="image")
    moved = frame.moved(correction.pivot, correction.matrix, correction.shift, name=name)
    with rewriting(path) as hdus:
        write_image_frame(hdus[place], moved, _fit_cards(values, name), archive=not again)


def update_from_shiftfile(shiftfile: str, wcsname: str | None = None, force: bool = False) -> None:
    """Correct the WCSs of all files that a shifts file names, as TweakReg writes it.

    Parameters
    ----------
    shiftfile : str
        ``# refimage: NAME`` and lines of file, dx, dy, roll, scale.
    wcsname : str, optional
        Name of the WCSs; TWEAK by default.
    force : bool
        Whether or not a WCS of that name is there.

    Raises
    ------
    InputError
        The file names no reference, or a line has no four numbers.
    DataError
        An exposure's shift is ``nan``: it was not aligned; nothing is changed then.
    """
    reference, rows = "", dict[str, list[float]]()
    for line in read_text(shiftfile).splitlines():
        if line.startswith("#"):
            reference = line.partition("refimage:")[2].strip() or reference
            continue
        words = line.split()
        if not words:
            continue
        try:
            rows[words[0]] = [float(word) for word in words[1:5]]
        except ValueError:
            raise InputError(f"{shiftfile}: {line[:60]!r}; needed a file and four numbers", file=shiftfile) from None
    if not reference or any(len(row) != 4 for row in rows.values()):
        raise InputError(f"{shiftfile}: needed '# refimage: NAME', and a file and four numbers in each line")
    failed = [name for name, row in rows.items() if not all(math.isfinite(number) for number in row)]
    if failed:
        raise DataError(f"{shiftfile}: nan for {', '.join(failed)}: not aligned; no header was changed", failed=failed)
    for name, (dx, dy, roll, scale) in rows.items():
        updatewcs_with_shift(
            name, reference, xsh=dx, ysh=dy, rot=roll, scale=scale, wcsname=wcsname or "TWEAK", force=force
        )


def interpret_wcsname_type(wcsname: str) -> str:
    """Return the WCSTYPE that the archive gives to the WCS of a name.

    Parameters
    ----------
    wcsname : str
        As ``IDC_0461802ej-FIT_REL_GAIADR2``.

    Examples
    --------
    >>> interpret_wcsname_type("IDC_x-FIT_REL_GAIADR2"), interpret_wcsname_type("A")
    ('undistorted a posteriori solution relatively aligned to GAIADR2', 'user-defined')
    """
    base, _, solution = wcsname.strip().partition("-")
    if not base.startswith("IDC_"):
        return "pipeline default not aligned" if base == "OPUS" else "user-defined"
    if not solution:
        return "undistorted not aligned"
    words = solution.split("_", 2)
    if words[0] != "FIT" or len(words) < 3:
        return f"undistorted a priori solution based on {solution}"
    return f"undistorted a posteriori solution {_ALIGNED.get(words[1], 'aligned')} to {words[2].upper()}"


def _correction(values: Values, reference: Any) -> Correction:
    """Return what moves a WCS: the inverse of what was measured, about the reference pixel, in the sky's plane."""
    fit = values["fit"]
    if fit is None:
        angle, scale = np.deg2rad(values.number("rot") or 0.0), values.number("scale") or 1.0
        measured = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    else:
        measured = np.array(fit, np.float64).T
    shift = np.array([values.number("xsh") or 0.0, values.number("ysh") or 0.0])
    if measured.shape != (2, 2) or not np.isfinite([*measured.ravel(), *shift]).all():
        raise SettingsError("updatewcs_with_shift: needed are finite shifts, and a fit of 2 x 2 numbers")
    inverse = np.linalg.inv(measured)
    cd = reference.pixel_scale_matrix
    pivot = (float(reference.wcs.crval[0]), float(reference.wcs.crval[1]))
    return Correction(pivot, cd @ inverse @ np.linalg.inv(cd), -3600.0 * (cd @ inverse @ shift))


def _reference(reference: Any) -> Any:
    """Return the WCS in whose pixels a correction is given."""
    wcs = HSTWCS(str(reference)) if isinstance(reference, str | Path) else reference
    if not wcs.has_celestial:
        raise InputError(f"{reference}: no celestial WCS there; name the extension, as name.fits[sci,1]")
    return wcs


def _names(header: Any) -> set[str]:
    """Return the names of the WCSs of a header."""
    return {str(value).strip() for key, value in header.items() if key.startswith("WCSNAME")}


def _move_exposure(path: Path, name: str, correction: Correction, cards: list[Card], *, archive: bool) -> None:
    """Move all chips of an exposure as one."""
    (exposure,) = read_exposures([path], with_values(Settings(), geometry={"wcs": "header"}), in_place=True)
    frames = {}
    for chip, unit in exposure.chips.items():
        moved = unit.frame.moved(correction.pivot, correction.matrix, correction.shift)
        frames[chip] = replace(moved, name=name)
    with rewriting(path) as hdus:
        write_frames(hdus, frames, dict.fromkeys(frames, cards), archive=archive)


def _fit_cards(values: Values, name: str) -> list[Card]:
    """Return how the WCS was found, as far as the caller says."""
    cards: list[Card] = [("WCSTYPE", "user-defined", "how the WCS was made"), ("FITNAME", name, "fit")]
    for axis, (word, parameter) in enumerate((("RMS_RA", "xrms"), ("RMS_DEC", "yrms")), 1):
        rms = values.number(parameter)
        if rms is not None:
            cards += [(word, rms, "[deg] residual rms"), (f"CRDER{axis}", rms, "[deg] random error")]
    return cards
