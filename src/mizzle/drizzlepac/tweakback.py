"""``tweakback``: the correction found on a drizzled image, handed to the exposures it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mizzle.errors import InputError, SettingsError
from mizzle.geometry.header import frame_from_header
from mizzle.io.headers import FrozenHeader
from mizzle.io.rewriting import opened, rewriting
from mizzle.io.wcs_in_place import write_frames
from mizzle.model import ChipFrame, project
from mizzle.settings import Settings
from mizzle.translation.exposures import read_exposures, with_values
from mizzle.translation.inputs import list_files

__all__ = ["apply_tweak", "extract_input_filenames", "tweakback"]


def tweakback(
    drzfile: str,
    input: Any = None,
    origwcs: str | None = None,
    newname: str | None = None,
    wcsname: str | None = None,
    extname: str = "SCI",
    force: bool = False,
    verbose: bool = False,
) -> list[str]:
    """Move the WCS of exposures as a drizzled image's was moved after they were drizzled.

    Parameters
    ----------
    drzfile : str
        The image; its header holds the WCS it was drizzled with, and the corrected one.
    input : str, Path or iterable of them
        The exposures; those its ``DnnnDATA`` keywords name by default.
    origwcs : str, optional
        Name or letter of the WCS it was drizzled with; the last alternate by default.
    newname : str, optional
        Name of the exposures' new WCS; that of the image by default.
    wcsname : str, optional
        Name or letter of the corrected WCS; the primary one by default.
    extname, force, verbose
        Extension of the image; accepted without effect.

    Returns
    -------
    files : list of str
        What was changed.

    Raises
    ------
    InputError
        The image has one WCS only, or names no exposure.
    """
    from dataclasses import replace

    with opened(drzfile) as hdus:
        unit = next((hdu for hdu in hdus if "CRVAL1" in hdu.header), None)
        if unit is None:
            raise InputError(f"{drzfile}: no WCS; needed a drizzled image", file=drzfile)
        header = FrozenHeader(unit.header, drzfile)
        sources = [str(v).split("[")[0] for k, v in {**hdus[0].header, **unit.header}.items() if _is_data(k)]
    shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
    letters = [key[-1] for key in header if key.startswith("CRVAL1") and len(key) == 7]
    if not origwcs and not letters:
        raise InputError(f"{drzfile}: has no second WCS, so it was not corrected; name it with origwcs", file=drzfile)
    old = frame_from_header(header, shape, chip="drizzled image", name=origwcs or max(letters, key=_age))
    new = frame_from_header(header, shape, chip="drizzled image", name=wcsname or "")
    if input is None and not sources:
        raise SettingsError(f"{drzfile}: names no exposure (DnnnDATA); give input", file=drzfile)
    paths = list_files(input if input is not None else _files_of(sources, Path(drzfile).parent), "tweakback").paths
    matrix, shift = _correction(old, new)
    pivot = (float(old.crval[0]), float(old.crval[1]))
    settings = with_values(Settings(), geometry={"wcs": "header"})
    for exposure in read_exposures(paths, settings, in_place=True):
        name = newname or new.name
        frames = {
            chip: replace(exposure.chips[chip].frame.moved(pivot, matrix, shift), name=name) for chip in exposure.chips
        }
        with rewriting(exposure.path) as hdus:
            write_frames(hdus, frames)
    return [str(path) for path in paths]


def apply_tweak(
    drz_file: str,
    orig_wcs_name: str,
    output_wcs_name: str | None = None,
    input_files: Any = None,
    default_extname: str = "SCI",
) -> list[str]:
    """Do what `tweakback` does, under the newer names of its parameters.

    Parameters
    ----------
    drz_file, orig_wcs_name, output_wcs_name, input_files, default_extname
        As ``drzfile``, ``origwcs``, ``newname``, ``input``, ``extname``.
    """
    return tweakback(
        drz_file, input=input_files, origwcs=orig_wcs_name, newname=output_wcs_name, extname=default_extname
    )


def extract_input_filenames(drzfile: str) -> list[str]:
    """Return the files of the exposures that a drizzled image's ``DnnnDATA`` keywords name, each once."""
    with opened(drzfile) as hdus:
        cards = [item for hdu in hdus if "CRVAL1" in hdu.header or hdu is hdus[0] for item in hdu.header.items()]
    return list(dict.fromkeys(str(value).split("[")[0] for key, value in cards if _is_data(key)))


def _correction(old: ChipFrame, new: ChipFrame) -> tuple[Any, Any]:
    """Return the affine correction from one WCS of an image to another, on the plane tangent at the old CRVAL.

    Returns
    -------
    matrix : (2, 2) array
    shift : (2,) array
        [arcsec].
    """
    ny, nx = old.shape
    x, y = np.array([0.5, 0.9, 0.1, 0.5, 0.5]) * (nx - 1), np.array([0.5, 0.5, 0.5, 0.9, 0.1]) * (ny - 1)
    pivot = (float(old.crval[0]), float(old.crval[1]))
    before, after = (np.array(project(*frame.pixel_to_sky(x, y), pivot)) for frame in (old, new))
    design = np.vstack([before, np.ones(x.size)]).T
    solution, *_ = np.linalg.lstsq(design, after.T, rcond=None)
    return solution[:2].T, solution[2] * 3600.0


def _age(letter: str) -> tuple[bool, str]:
    """Sort letters of alternates by when they were given: O first, then A to Z."""
    return letter != "O", letter


def _is_data(key: str) -> bool:
    return len(key) == 8 and key.startswith("D") and key.endswith("DATA") and key[1:4].isdigit()


def _files_of(names: list[str], folder: Path) -> list[Path]:
    """Return the files of names: as they are, or of a rootname."""
    files: dict[Path, None] = {}
    for name in names:
        kinds = [name] if name.endswith(".fits") else [f"{name}_{kind}.fits" for kind in ("c0m", "flt", "flc")]
        for kind in kinds:
            if (folder / kind).is_file():
                files.setdefault(folder / kind)
                break
        else:
            raise InputError(f"{name}: no such exposure in {folder}; give input", file=name)
    return list(files)
