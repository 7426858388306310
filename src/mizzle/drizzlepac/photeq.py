"""``photeq``: pixels of every chip brought to one PHOTFLAM, in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.errors import InputError, SettingsError
from mizzle.execution import make_runner
from mizzle.instrument.wfpc2 import chip_name
from mizzle.io.editable import EditableFile
from mizzle.io.rewriting import chip_units, rewriting
from mizzle.model import Exposure, FluxScales
from mizzle.model.user_tables import FluxCorrection
from mizzle.settings import Settings
from mizzle.steps.equalize import equalize
from mizzle.translation.exposures import read_exposures, refuse_several_filters, with_values
from mizzle.translation.inputs import list_files
from mizzle.translation.journal import Journal
from mizzle.translation.parameters import Task

__all__ = ["photeq"]

PHOTEQ_TASK = Task(
    "photeq",
    {
        **{"ref_phot": None, "ref_phot_ext": None, "phot_kwd": "PHOTFLAM", "aux_phot_kwd": "PHOTFNU"},
        **{"sciext": "SCI", "errext": "ERR", "readonly": True, "logfile": "photeq.log"},
    },
    {
        "search_primary": (True, "a value in the primary header serves chips without one"),
        "clobber": (False, "files of other forms are not converted"),
    },
)


def photeq(
    files: Any = "*_flt.fits",
    sciext: str = "SCI",
    errext: str = "ERR",
    ref_phot: float | None = None,
    ref_phot_ext: Any = None,
    phot_kwd: str = "PHOTFLAM",
    aux_phot_kwd: str = "PHOTFNU",
    search_primary: bool = True,
    readonly: bool = True,
    clobber: bool = False,
    logfile: str = "photeq.log",
) -> FluxScales:
    """Multiply each chip's pixels by its PHOTFLAM over the reference's, and give it the reference's.

    Parameters
    ----------
    files : str, Path or iterable of them
        Files, wildcards, names joined by commas, ``@list``; the first gives the reference.
    sciext, errext : str
        EXTNAME of the images to multiply.
    ref_phot : float, optional
        The reference value.
    ref_phot_ext : int, str or (str, int), optional
        Extension of the first file that holds it: its number in the file, its name, or name and version; the first
        chip without it.
    phot_kwd, aux_phot_kwd : str
        Keyword equalized; keywords divided by the same factor, joined by commas.
    search_primary, clobber
        Accepted; without effect.
    readonly : bool
        Only say what would be done: the default, as the incumbent's.
    logfile : str
        Log.

    Returns
    -------
    scales : FluxScales
        Factor of each chip, and the reference.

    Raises
    ------
    InputError
        A file is no exposure, or lacks the keyword; nothing is changed then.
    """
    given = {"sciext": sciext, "errext": errext, "ref_phot": ref_phot, "ref_phot_ext": ref_phot_ext}
    given |= {"phot_kwd": phot_kwd, "aux_phot_kwd": aux_phot_kwd, "search_primary": search_primary}
    values = PHOTEQ_TASK.values({**given, "readonly": readonly, "clobber": clobber, "logfile": logfile})
    paths = list_files(files, "photeq").paths
    request = EqualizeRequest(
        values.text("phot_kwd").upper(),
        tuple(word.strip().upper() for word in values.text("aux_phot_kwd").split(",") if word.strip()),
        values.text("sciext").upper(),
        values.text("errext").upper(),
        values.flag("readonly"),
    )
    with Journal("photeq", values.text("logfile")) as log:
        log.say(f"PRIMARY PHOTOMETRIC KEYWORD: {request.keyword}")
        log.say(f"SECONDARY PHOTOMETRIC KEYWORD(S): {', '.join(request.auxiliary)}")
        exposures = read_exposures(paths, with_values(Settings(), geometry={"wcs": "header"}), in_place=not readonly)
        value, chip = _reference(paths[0], request.keyword, values.number("ref_phot"), ref_phot_ext, log)
        refuse_several_filters(exposures, "photeq", "one PHOTFLAM serves one filter: call it for each")
        settings = with_values(Settings(), equalize={"photflam": value, "reference": chip})
        scales = equalize(exposures, settings, corrections=_corrections(exposures, request.keyword))
        exposures.sort(key=lambda e: [str(p) for p in paths].index(e.path))
        for exposure in exposures:
            _describe(log, exposure, scales.factors[exposure.root], value, request=request)
        make_runner().map(lambda e: _apply(e, scales.factors[e.root], value, request=request), exposures)
    return scales


@dataclass(frozen=True)
class EqualizeRequest:
    """One call, understood: keywords, EXTNAMEs of the planes, and whether only to say what would be done."""

    keyword: str
    auxiliary: tuple[str, ...]
    science: str
    errors: str
    readonly: bool


def _reference(path: Path, keyword: str, given: float | None, ext: Any, log: Journal) -> tuple[float, str]:
    """Return the reference value, and a chip that has it."""
    hdus = EditableFile.read(path)
    units = chip_units(hdus)
    if not units:
        raise InputError(f"{path}: no SCI extension; an exposure has one for each chip", file=str(path))
    first = next(iter(units))
    if given is not None:
        log.say(f"REFERENCE VALUE PROVIDED BY USER: '{keyword}'={given}")
        return given, first
    where = ext if ext is not None else hdus.units.index(units[first])
    where = (where, 1) if isinstance(where, str) else where
    try:
        header = hdus[where].header
    except (KeyError, IndexError):
        raise SettingsError(
            f"{path}: no extension {where!r} (ref_phot_ext); it has {len(hdus) - 1}", file=str(path), ext=where
        ) from None
    value = header.get(keyword, hdus[0].header.get(keyword))
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InputError(f"{path}[{where}]: {keyword} is {value!r}; needed a number", file=str(path))
    log.say(f"REFERENCE VALUE FROM FILE: '{path.name}[{where}]'", f"REFERENCE '{keyword}' VALUE IS: {value}")
    return float(value), chip_name(str(header.get("DETECTOR", header.get("EXTVER", "")))) or first


def _corrections(exposures: Sequence[Exposure], keyword: str) -> list[FluxCorrection]:
    """Let another keyword stand for PHOTFLAM."""
    if keyword == "PHOTFLAM":
        return []
    rows = []
    for exposure in exposures:
        for name, chip in exposure.chips.items():
            value = chip.header.get(keyword, exposure.header.get(keyword))
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InputError(f"{exposure.path}[{name}]: {keyword} is {value!r}; needed a number", keyword=keyword)
            rows.append(FluxCorrection(photflam=float(value), chip=name, root=exposure.root))
    return rows


def _describe(
    log: Journal, exposure: Exposure, factors: Mapping[str, float], value: float, *, request: EqualizeRequest
) -> None:
    """Say what is done to the planes of one file."""
    log.say("", f"Processing file '{Path(exposure.path).name}'")
    for number, (name, factor) in enumerate(factors.items(), 1):
        header = exposure.chips[name].header
        old = header.get(request.keyword, exposure.header.get(request.keyword))
        log.say(f"   * EXT: ('{request.science}', {number})")
        if factor == 1.0 and old == value:
            log.say('          This is the "reference" extension, or has its value. Nothing to do.')
            continue
        log.say(f"     - Setting {request.keyword} to {value} (old value was {old})")
        log.say(f"     - Computed conversion factor for data: {factor!r}")
        done = "     - readonly: not applied" if request.readonly else f"     - Data have been multiplied by {factor!r}"
        log.say(done)


def _apply(exposure: Exposure, factors: Mapping[str, float], value: float, *, request: EqualizeRequest) -> None:
    """Multiply the planes of one file."""
    if request.readonly or all(factor == 1.0 for factor in factors.values()):
        return
    with rewriting(exposure.path) as hdus:
        for name in (request.science, request.errors):
            for chip, unit in chip_units(hdus, (name,)).items():
                image = unit.data
                if image is not None:
                    image = image if image.dtype == np.float32 else image * np.float32(1)
                    unit.data = (image * factors[chip]).astype(np.float32, copy=False)
        for chip, unit in chip_units(hdus, (request.science,)).items():
            unit.header[request.keyword] = value
            for other in request.auxiliary:
                if other in unit.header:
                    unit.header[other] = unit.header[other] / factors[chip]
