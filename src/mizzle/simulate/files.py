"""A visit on disk: c0m and c1m pairs as the archive has them, and the truth beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mizzle import stopping
from mizzle.arrays import ChipPlanes
from mizzle.errors import SettingsError
from mizzle.instrument.wfpc2 import CHIP_NAMES, DARK_RATE, INFINITE_APERTURE, STANDARD_APERTURE_ARCSEC
from mizzle.io.atomic import prepare_folder, write_text
from mizzle.io.simulated import Extension, write_arrays, write_image_file, write_table
from mizzle.model import Exposure
from mizzle.simulate.headers import Card, changed, chip_cards, primary_cards, quality_chip, quality_primary
from mizzle.simulate.truth import Truth, Visit

#: Plan, pointings and levels; and which exposures of the folder are simulated.
TRUTH = "truth.json"

#: Names of all files of the truth.
TRUTH_FILES = (TRUTH, "truth_stars.ecsv", "truth_positions.ecsv", "truth_cosmic_rays.npz")

#: Units of the truth's tables.
STAR_UNITS = {"ra": "deg", "dec": "deg", "flux": "erg / (Angstrom s cm2)", "mag_st": "mag"}
POSITION_UNITS = {"x": "pix", "y": "pix", "dn": "DN", "dn_recorded": "DN"}


def write_visit(visit: Visit, folder: str | Path, *, form: Literal["c0m", "flt"] = "c0m") -> list[Path]:
    """Write a visit: ``ROOT_c0m.fits`` and ``ROOT_c1m.fits`` for each exposure, and its truth.

    Parameters
    ----------
    visit : Visit
        From `mizzle.simulate.visit`.
    folder : str or Path
        Made if need be; files of the same names are replaced where its ``truth.json`` says that they were simulated.
    form : str
        ``c0m``, or ``flt``: one file with SCI, DQ and ERR of each chip, as the modern pipeline gives.

    Returns
    -------
    paths : list of Path
        The science files, in order. Beside them stand ``truth.json`` (plan, pointings, levels),
        ``truth_stars.ecsv`` (stars on the sky), ``truth_positions.ecsv`` (stars on chips, 1-based pixels) and
        ``truth_cosmic_rays.npz`` (``ROOT_CHIP_index``, ``ROOT_CHIP_charge``: flat pixel index, electrons).

    Raises
    ------
    SettingsError
        The folder cannot be written, or holds exposures of these names that no simulation made.
    """
    folder = prepare_folder(folder)
    claims = _refuse_real_files(folder, visit.truth.exposures)
    stopping.tell(f"stopped; {folder} holds some files of the simulation, each whole: simulate again")
    write_text(folder / TRUTH, json.dumps({"claims": sorted({*claims, *visit.truth.exposures})}) + "\n")
    write = _write_flt if form == "flt" else _write_pair
    paths = [write(exposure, visit.truth, i, folder=folder) for i, exposure in enumerate(visit.exposures)]
    _write_truth(visit.truth, folder, claims)
    stopping.tell(f"stopped; the exposures and their truth in {folder} are complete")
    return paths


def _refuse_real_files(folder: Path, roots: Iterable[str]) -> list[str]:
    """Refuse to write over exposures that no simulation here made; return the roots that earlier ones made.

    Raises
    ------
    SettingsError
        A file of such a name stands in the folder, and its ``truth.json`` does not claim it.
    """
    there = {entry.name.lower(): entry for entry in folder.iterdir()}
    claims = claimed(folder)
    for root in roots:
        files = [there[name] for name in (f"{root}_{kind}.fits" for kind in ("c0m", "c1m", "flt")) if name in there]
        if files and root not in claims:
            raise SettingsError(
                f"{files[0]}: an exposure stands here that no simulation made ({TRUTH} does not name it), and would be"
                " written over; choose another folder with -o, or another root with --set root=...",
                file=str(files[0]),
            )
    return claims


def claimed(folder: Path) -> list[str]:
    """Return the roots of simulated exposures that the folder's ``truth.json`` names; none where there is none."""
    try:
        truth = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(truth, dict):
        return []
    known = [truth.get(key) for key in ("claims", "exposures")]
    return [str(root) for roots in known if isinstance(roots, list | dict) for root in roots]


def _science(exposure: Exposure, truth: Truth, index: int) -> tuple[list[Card], list[Extension]]:
    """Return the primary cards, and cards and pixels of each chip."""
    pointing = truth.exposures[exposure.root].pointing
    images: list[Extension] = []
    for name, chip in exposure.chips.items():
        pixels = ChipPlanes(chip.sci, chip.dq)
        cards = chip_cards(name, truth.plan, pointing, index=index, photflam=chip.photflam, pixels=pixels)
        images.append(Extension(cards, pixels.sci))
    return primary_cards(truth.plan, pointing, index), images


def _write_pair(exposure: Exposure, truth: Truth, index: int, *, folder: Path) -> Path:
    """Write a c0m and its c1m; the science file last, so that it never stands without its quality file."""
    primary, science = _science(exposure, truth, index)
    pairs = zip(science, exposure.chips.values(), strict=True)
    quality: list[Extension] = [Extension(quality_chip(cards, chip.dq), chip.dq) for (cards, _), chip in pairs]
    write_image_file(folder / f"{exposure.root}_c1m.fits", quality_primary(primary), quality)
    return write_image_file(folder / f"{exposure.root}_c0m.fits", primary, science)


def _write_flt(exposure: Exposure, truth: Truth, index: int, *, folder: Path) -> Path:
    """Write an flt: the four SCI first, then DQ and ERR of each chip."""
    primary, science = _science(exposure, truth, index)
    name = f"{exposure.root}_flt.fits"
    images = list(science)
    for (cards, _), (chip_name, chip) in zip(science, exposure.chips.items(), strict=True):
        images.append(Extension(changed(cards, EXTNAME="DQ"), chip.dq))
        images.append(Extension(changed(cards, EXTNAME="ERR"), _error(exposure, chip_name, truth)))
    return write_image_file(folder / name, changed(primary, FILENAME=name, NEXTEND=len(images)), images)


def _error(exposure: Exposure, name: str, truth: Truth) -> NDArray[np.float32]:
    """Return 1 sigma [DN]: light, dark, and read noise, which includes rounding; before the flat, and divided by it."""
    chip = exposure.chips[name]
    flat = truth.areas[name] if truth.plan.effects.flat_field == "sky" else np.float32(1.0)
    light = np.maximum(chip.sci * flat * np.float32(chip.gain), np.float32(0.0))
    dark = DARK_RATE * exposure.darktime if truth.plan.effects.dark else 0.0
    variance = light + np.float32(dark + chip.read_noise**2)
    return np.asarray(np.sqrt(variance) / (flat * np.float32(chip.gain)), dtype=np.float32)


def _write_truth(truth: Truth, folder: Path, claims: Iterable[str]) -> None:
    """Write what is true of the visit."""
    write_table(folder / "truth_stars.ecsv", truth.star_table(), STAR_UNITS)
    write_table(folder / "truth_positions.ecsv", position_table(truth), POSITION_UNITS)
    arrays: dict[str, NDArray[Any]] = {}
    for root, exposure in truth.exposures.items():
        for name, chip in exposure.chips.items():
            arrays[f"{root}_{name}_index"] = chip.cosmic_rays.index
            arrays[f"{root}_{name}_charge"] = chip.cosmic_rays.charge
    write_arrays(folder / "truth_cosmic_rays.npz", arrays)
    known = sorted({*claims, *truth.exposures})  # of earlier simulations in this folder, too
    write_text(folder / TRUTH, json.dumps({**summary(truth), "claims": known}, indent=1) + "\n")


def position_table(truth: Truth) -> dict[str, NDArray[Any]]:
    """Return the stars on chips as columns: root, chip, id, x, y (1-based), dn, dn_recorded."""
    rows: dict[str, list[NDArray[Any]]] = {key: [] for key in ("root", "chip", "id", "x", "y", "dn", "dn_recorded")}
    for root, exposure in truth.exposures.items():
        for name, chip in exposure.chips.items():
            inside = (chip.x > -0.5) & (chip.y > -0.5) & (chip.x < 799.5) & (chip.y < 799.5)
            count = int(inside.sum())
            rows["root"].append(np.full(count, root))
            rows["chip"].append(np.full(count, name))
            rows["id"].append(chip.star[inside] + 1)
            rows["x"].append(chip.x[inside] + 1.0)
            rows["y"].append(chip.y[inside] + 1.0)
            rows["dn"].append(chip.electrons[inside] / chip.gain)
            rows["dn_recorded"].append(chip.recorded[inside] / chip.gain)
    return {key: np.concatenate(parts) for key, parts in rows.items()}


def summary(truth: Truth) -> dict[str, Any]:
    """Return plan, conventions, pointings and levels as plain values."""
    exposures: dict[str, Any] = {}
    for root, exposure in truth.exposures.items():
        pointing = exposure.pointing
        exposures[root] = {
            "exptime": exposure.exptime,
            "mjd_start": pointing.mjd,
            "commanded": {"ra": pointing.ra, "dec": pointing.dec, "pa_v3": pointing.pa_v3},
            "shift_arcsec": list(pointing.shift),
            "roll_deg": pointing.roll,
            "vafactor": pointing.vafactor,
            "chips": {
                name: {
                    "photflam": chip.photflam,
                    "gain": chip.gain,
                    "sky_dn": chip.sky_dn,
                    "cosmic_ray_fraction": chip.cosmic_rays.fraction,
                    "true_crval": [float(v) for v in pointing.true[name].crval],
                    "true_cd": [[float(v) for v in row] for row in pointing.true[name].cd],
                }
                for name, chip in exposure.chips.items()
            },
        }
    return {
        "plan": truth.plan.model_dump(mode="json"),
        "stars": len(truth.stars),
        "flux": "infinite aperture; PHOTFLAM refers to it",
        "aperture": {"radius_arcsec": STANDARD_APERTURE_ARCSEC, "share": 1.0 / INFINITE_APERTURE},
        "shift": "true minus commanded pointing, east and north",
        "chips": list(CHIP_NAMES),
        "exposures": exposures,
    }
