"""Simulated exposures as the archive's files, with the truth beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.io.atomic import prepare_folder, write_text
from mizzle.io.camera_headers import write_exposure_file
from mizzle.simulate.cameras.visit import CameraExposure, CameraVisit, ChipExposure

_SECONDS_PER_DAY = 86400.0
#: Reads of an IR ramp.
_SAMPLES = 14


def write_exposures(visit: CameraVisit, folder: str | Path) -> list[Path]:
    """Write the exposures of a visit as ``ROOT_flt.fits`` or ``ROOT_flc.fits``, and ``truth.json``.

    Parameters
    ----------
    visit : CameraVisit
        From `camera_visit`.
    folder : str or Path
        Made if need be.

    Returns
    -------
    paths : list of Path
        The exposures.
    """
    folder = prepare_folder(folder)
    paths = []
    for exposure in visit.exposures:
        path = folder / f"{exposure.root}_{visit.plan.facts.suffix}.fits"
        cards = _cards(visit, exposure) | {"FILENAME": path.name}
        arrays = [_arrays(visit, chip) for chip in exposure.chips]
        pointings = [chip.sky for chip in exposure.chips]
        paths.append(write_exposure_file(path, visit.headers, cards, pointings=pointings, arrays=arrays))
    truth = {
        "camera": visit.plan.camera,
        "seed": visit.plan.seed,
        "ra": visit.ra.tolist(),
        "dec": visit.dec.tolist(),
        "rate": visit.rate.tolist(),
        "exposures": {exposure.root: {"offset_mas": exposure.offset} for exposure in visit.exposures},
    }
    write_text(folder / "truth.json", json.dumps(truth))
    return paths


def _cards(visit: CameraVisit, exposure: CameraExposure) -> dict[str, Any]:
    """Return the keywords that differ from exposure to exposure, PHOTFLAM's as a factor."""
    from astropy.time import Time

    start = Time(exposure.mjd, format="mjd").isot
    return {
        "ROOTNAME": exposure.root,
        "TARGNAME": "SIMULATED",
        "EXPTIME": visit.plan.exptime,
        "EXPSTART": exposure.mjd,
        "EXPEND": exposure.mjd + visit.plan.exptime / _SECONDS_PER_DAY,
        "DATE-OBS": start.split("T")[0],
        "TIME-OBS": start.split("T")[1][:8],
        "PHOTFLAM": exposure.photflam,
    }


def _arrays(visit: CameraVisit, chip: ChipExposure) -> dict[str, NDArray[Any]]:
    """Return a chip's arrays by EXTNAME, in the archive's order."""
    arrays: dict[str, NDArray[Any]] = {"SCI": chip.sci, "ERR": chip.err, "DQ": chip.dq}
    if visit.plan.facts.rate:
        shape = chip.sci.shape
        arrays |= {"SAMP": np.full(shape, _SAMPLES, np.int16), "TIME": np.full(shape, visit.plan.exptime, np.float32)}
    return arrays
