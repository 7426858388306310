"""Reading the exposures of a call as its files say: the WCS they carry where one was written, else the model's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mizzle.errors import InputError, SettingsError
from mizzle.io.exposures import read_exposure
from mizzle.io.fitsfile import FitsFile
from mizzle.io.pixels import PixelCache
from mizzle.io.rewriting import chip_units, opened
from mizzle.io.weight_maps import with_weight_map
from mizzle.model import Exposure
from mizzle.settings import Settings, build_settings
from mizzle.translation.inputs import with_quality

_EXPOSURES = ("_c0m.fits", "_flt.fits", "_flc.fits", "_c0m.fits.gz", "_flt.fits.gz", "_flc.fits.gz")
_TABLES = {"IDCTAB": "idctab", "OFFTAB": "offtab", "DGEOFILE": "dgeofile"}


def read_exposures(
    paths: Iterable[Path], settings: Settings, weights: Mapping[Path, Path] | None = None, *, in_place: bool = False
) -> list[Exposure]:
    """Read files, sorted by start of exposure, then root.

    Parameters
    ----------
    paths : iterable of Path
        Science files.
    settings : Settings
        ``geometry.wcs="header"`` trusts the WCS of files that have a distorted one; others get the model's.
    weights : mapping, optional
        The user's weight map by science file.
    in_place : bool
        The files will be changed.

    Raises
    ------
    InputError
        A file is not a WFPC2 exposure, or one that is read only.
    """
    cache = PixelCache()
    exposures = [read_as_it_says(path, settings, cache=cache, in_place=in_place) for path in paths]
    if weights:
        named = {str(path): str(weight) for path, weight in weights.items()}
        exposures = [with_weight_map(e, named[e.path]) if e.path in named else e for e in exposures]
    return sorted(exposures, key=lambda e: (e.mjd_start, e.root))


def read_as_it_says(
    path: Path,
    settings: Settings,
    *,
    cache: PixelCache | None = None,
    geometry: Mapping[str, Any] | None = None,
    in_place: bool = False,
) -> Exposure:
    """Read one file with the settings that `settings_for` finds, and those of `geometry`, which go before them.

    Raises
    ------
    InputError
        It is not a WFPC2 exposure; or it is to be changed `in_place`, and its chips are planes of one image.
    """
    science = FitsFile(path)
    if in_place and science.groups:
        raise InputError(
            f"{path}: its chips are planes of one image (waivered FITS): such a file is read, by AstroDrizzle and by"
            " mizzle run, but not changed; fetch its c0m",
            file=str(path),
        )
    chosen = settings_for(science, settings)
    chosen = with_values(chosen, geometry=geometry) if geometry else chosen
    return read_exposure(with_quality(path), chosen, cache=cache, headers_only=True, science=science)


def refuse_several_filters(exposures: Iterable[Exposure], task: str, advice: str) -> None:
    """Refuse exposures of several filters, where a call can serve one only.

    Raises
    ------
    SettingsError
        With `advice` on what to do.
    """
    bands = sorted({exposure.filter for exposure in exposures})
    if len(bands) > 1:
        raise SettingsError(f"{task}: exposures of {len(bands)} filters ({', '.join(bands)}); {advice}", filters=bands)


def is_exposure(path: str | Path) -> bool:
    """Tell an exposure, whatever it is called, from a drizzled image.

    Raises
    ------
    InputError
        It is no FITS file.
    """
    if str(path).lower().endswith(_EXPOSURES):
        return True
    with opened(path) as hdus:
        headers = [hdu.header for hdu in hdus]
        chips = [str(unit.header.get("DETECTOR", "")).strip() for unit in chip_units(hdus).values()]
    drizzled = any("NDRIZIM" in header or "D001DATA" in header for header in headers)
    return not drizzled and any(chip.isdigit() for chip in chips)


def settings_for(science: FitsFile, settings: Settings) -> Settings:
    """Return the settings to read one file with: its own WCS where it is distorted, its own tables where they are here.

    Tables count where the header names them as ``uref$name`` and the environment variable names a folder that holds
    the file, as the incumbents look for them; mizzle's own serve otherwise.
    """
    units = science.units
    kinds = [str(unit.header.get("CTYPE1", "")) for unit in chip_units(units).values()]
    tables = {key: str(units[0].header.get(name, "")) for name, key in _TABLES.items()}
    changes: dict[str, Any] = {key: text for key, text in tables.items() if _is_here(text)}
    if settings.geometry.wcs == "header" and not all(kind.strip().endswith("-SIP") for kind in kinds):
        changes["wcs"] = "model"
    return with_values(settings, geometry=changes) if changes else settings


def _is_here(text: str) -> bool:
    """Return whether a reference file named ``variable$name`` is in the folder the variable names."""
    variable, dollar, name = text.strip().rpartition("$")
    folder = os.environ.get(variable, "") if dollar else ""
    return bool(folder) and (Path(folder) / Path(name).name).is_file()


def with_values(settings: Settings, **sections: Mapping[str, Any]) -> Settings:
    """Return settings with other values in some sections, checked."""
    values = settings.model_dump(exclude_unset=True)
    for section, changes in sections.items():
        values[section] = {**values.get(section, {}), **changes}
    return build_settings(values)
