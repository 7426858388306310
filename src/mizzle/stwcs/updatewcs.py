"""``updatewcs``: the distortion of the reference tables into the headers of the exposures, in place."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mizzle._version import __version__
from mizzle.errors import MizzleError
from mizzle.execution import make_runner
from mizzle.geometry.keywords import Card
from mizzle.io.rewriting import rewriting
from mizzle.io.wcs_in_place import write_frames
from mizzle.model import Exposure
from mizzle.settings import Settings
from mizzle.translation.exposures import read_as_it_says, with_values
from mizzle.translation.inputs import list_files
from mizzle.translation.parameters import Task, TranslationWarning

_NOTHING_TO_CORRECT = "WFPC2 has no such distortion"
UPDATEWCS_TASK = Task(
    "updatewcs",
    {"vacorr": True, "d2imcorr": True, "use_db": True},
    {
        "tddcorr": (True, _NOTHING_TO_CORRECT),
        "npolcorr": (True, _NOTHING_TO_CORRECT),
        "checkfiles": (True, "files are always checked"),
        "verbose": (False, "nothing is printed"),
        "all_wcs": (False, "the solution that becomes the WCS is the only one fetched"),
        "remove_duplicates": (True, "no headerlet is attached, so none doubles"),
    },
)


def updatewcs(
    input: Any,
    vacorr: bool = True,
    tddcorr: bool = True,
    npolcorr: bool = True,
    d2imcorr: bool = True,
    checkfiles: bool = True,
    verbose: bool = False,
    use_db: bool = True,
    all_wcs: bool = False,
    remove_duplicates: bool = True,
) -> list[str]:
    """Write the WCS with SIP polynomial and row term into exposures, in place.

    The first WCS is kept as ``O`` (OPUS), later ones under A, B...; the file's first bytes in ``OrIg_files``. Called
    again, it starts from the first pointing again.

    Parameters
    ----------
    input : str, Path or iterable of them
        Files, wildcards, names joined by commas, ``@list``.
    vacorr : bool
        Apply the velocity aberration (VAFACTOR).
    d2imcorr : bool
        Apply the 34th-row term: along y, on all four chips.
    use_db : bool
        Ask the HST astrometry database for a better pointing; offline, the model's is taken after 5 s, and a warning
        says so.
    tddcorr, npolcorr, checkfiles, verbose, all_wcs, remove_duplicates : bool
        Accepted; without effect.

    Returns
    -------
    files : list of str
        What was updated.

    Raises
    ------
    InputError
        A file is not what it should be; nothing is changed then.
    """
    given = {"vacorr": vacorr, "tddcorr": tddcorr, "npolcorr": npolcorr, "d2imcorr": d2imcorr, "use_db": use_db}
    given |= {"checkfiles": checkfiles, "verbose": verbose, "all_wcs": all_wcs, "remove_duplicates": remove_duplicates}
    values = UPDATEWCS_TASK.values(given)
    paths = list_files(input, "updatewcs").paths
    geometry = {
        "velocity_aberration": "on" if values.flag("vacorr") else "off",
        "row_term": "on" if values.flag("d2imcorr") else "off",
    }
    settings = with_values(Settings(), geometry=geometry)
    exposures = _read(paths, settings, database=values.flag("use_db"))
    make_runner().map(_update, exposures)
    return [str(path) for path in paths]


def _read(paths: Sequence[Path], settings: Settings, *, database: bool) -> list[tuple[Path, Exposure]]:
    """Read all files, with the pointing of the database where it has one."""
    headerlets = _ask_database(paths, settings) if database else {}
    geometry = {path: {"headerlet": str(headerlet)} for path, headerlet in headerlets.items()}
    return [(path, read_as_it_says(path, settings, geometry=geometry.get(path), in_place=True)) for path in paths]


def _ask_database(paths: Sequence[Path], settings: Settings) -> dict[Path, Path]:
    """Return the headerlets the astrometry database has; a service that does not answer is a warning."""
    if os.environ.get("ASTROMETRY_STEP_CONTROL", "on").strip().lower() == "off":
        return {}
    from mizzle.archive.prepare import prepare_run

    archive: dict[str, Any] = {"astrometry": True}
    address = os.environ.get("ASTROMETRY_SERVICE_URL", "").strip().rstrip("/")
    if address:
        archive["astrometry_url"] = address
    said: list[str] = []
    try:
        prepared = prepare_run(paths, with_values(settings, archive=archive), paths[0].parent, say=said.append)
    except MizzleError as problem:
        said, headerlets = [str(problem)], {}
    else:
        headerlets = dict(prepared.headerlets)
    if said and not headerlets:
        warnings.warn(f"updatewcs: {said[0]}; the headers' own pointing is kept", TranslationWarning, stacklevel=4)
    return headerlets


def _update(entry: tuple[Path, Exposure]) -> None:
    """Write the frames of one exposure into its file."""
    path, exposure = entry
    frames = {name: chip.frame for name, chip in exposure.chips.items()}
    again = all(chip.header.get("WCSNAME") == chip.frame.name for chip in exposure.chips.values())
    with rewriting(path) as hdus:
        primary = hdus[0].header
        table = str(primary.get("IDCTAB", "")).rpartition("$")[2].removesuffix("_idc.fits") or "embedded"
        primary["UPWCSVER"] = (f"mizzle {__version__}", "updated the WCS")
        primary["PYWCSVER"] = (f"mizzle {__version__}", "wrote the WCS")
        primary["SIPNAME"] = (f"{exposure.root}_{table}", "distortion polynomial")
        primary["NPOLFILE"] = ("N/A", "no such correction")
        primary["D2IMFILE"] = ("D2IMARR extensions", "row term")
        primary["DISTNAME"] = (f"{exposure.root}_{table}-NOMODEL-rowterm", "whole distortion model")
        write_frames(hdus, frames, {name: _model_cards(exposure, name) for name in frames}, archive=not again)


def _model_cards(exposure: Exposure, chip: str) -> list[Card]:
    """Return what else the incumbent says about the model."""
    return [
        ("WCSTYPE", "undistorted tables and pointing of the telescope", "how the WCS was made"),
        ("CCDCHIP", exposure.chips[chip].number, "chip"),
    ]
