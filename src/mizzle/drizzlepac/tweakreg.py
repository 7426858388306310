"""``TweakReg``: exposures brought onto one frame by their stars, and the WCS written into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.drizzlepac import tweak_files
from mizzle.drizzlepac.tweak_references import references_of
from mizzle.errors import DataError, SettingsError
from mizzle.execution import make_runner
from mizzle.geometry.keywords import Card
from mizzle.io.rewriting import chip_units, opened, rewriting
from mizzle.io.wcs_in_place import write_frames
from mizzle.model import Alignment, ChipFrame, Exposure, ExposureAlignment, Verdict
from mizzle.settings import Settings
from mizzle.steps.align import align
from mizzle.translation.config import flatten
from mizzle.translation.exposures import read_exposures, with_values
from mizzle.translation.grid import corners
from mizzle.translation.inputs import list_files
from mizzle.translation.journal import Journal
from mizzle.translation.parameters import Task, Values

__all__ = ["TweakReg"]

_FINDER = "stars are found by their signal-to-noise ratio and the camera's star shape (align.threshold, align.fwhm_*)"
_WEIGHTED = "outliers lose their weight smoothly"
_TOGETHER = "all exposures are solved together, their order never matters"
_PLOTS = "the plots choose their own limits"
_FINDER_PARAMETERS: dict[str, tuple[Any, str]] = {
    "computesig": (True, _FINDER),
    "skysigma": (0.0, _FINDER),
    "conv_width": (3.5, _FINDER),
    "peakmin": (None, _FINDER),
    "peakmax": (None, _FINDER),
    "threshold": (4.0, _FINDER),
    "nsigma": (1.5, _FINDER),
    "ratio": (1.0, _FINDER),
    "theta": (0.0, _FINDER),
    "fluxmin": (None, _FINDER),
    "fluxmax": (None, _FINDER),
    "use_sharp_round": (False, _FINDER),
    "sharplo": (0.2, _FINDER),
    "sharphi": (1.0, _FINDER),
    "roundlo": (-1.0, _FINDER),
    "roundhi": (1.0, _FINDER),
}
FIND_TASK = Task("imagefindcfg", {"dqbits": ""}, _FINDER_PARAMETERS)
TWEAK_TASK = Task(
    "TweakReg",
    {
        **{"input": "*flt.fits", "refimage": "", "writecat": True, "clean": False, "runfile": "tweakreg.log"},
        **{"updatehdr": False, "wcsname": "TWEAK", "reusename": False},
        **{"shiftfile": False, "outshifts": "shifts.txt", "outwcs": "shifts_wcs.fits"},
        **{"catfile": "", "xcol": 1, "ycol": 2, "fluxcol": "", "xyunits": "pixels"},
        **{"refcat": "", "refxcol": 1, "refycol": 2, "refxyunits": "degrees", "rfluxcol": "", "rfluxunits": "mag"},
        **{"minobj": 15, "searchrad": 1.0, "searchunits": "arcseconds", "tolerance": 1.0, "fitgeometry": "rscale"},
        **{"exclusions": "", "see2dplot": True, "residplot": "both", "dqbits": "", "nbright": None},
        **{"headerlet": False, "hdrfile": "", "hdrname": "", "author": "", "descrip": "", "history": ""},
    },
    {
        **_FINDER_PARAMETERS,
        "interactive": (False, "nothing is asked"),
        "verbose": (False, "nothing is printed; tweakreg.log has it"),
        "expand_refcat": (False, _TOGETHER),
        "enforce_user_order": (True, _TOGETHER),
        "separation": (0.5, "a star is matched once, whatever is near it"),
        "use2dhist": (True, "the offset is always searched for"),
        "xoffset": (0.0, "the offset is searched for within searchrad; align.shifts takes known ones"),
        "yoffset": (0.0, "the offset is searched for within searchrad; align.shifts takes known ones"),
        "nclip": (3, _WEIGHTED),
        "sigma": (3.0, _WEIGHTED),
        "ylimit": (None, _PLOTS),
        "labelsize": (8, _PLOTS),
        "attach": (True, "headerlets are written as files"),
        "clobber": (False, "files of an earlier call are replaced"),
        "catalog": ("", "headerlets name no catalog"),
        "maxflux": (None, "all sources of a catalog take part"),
        "minflux": (None, "all sources of a catalog take part"),
        "fluxunits": ("counts", "fluxes only rank sources"),
        "rmaxflux": (None, "all sources of a catalog take part"),
        "rminflux": (None, "all sources of a catalog take part"),
        "refnbright": (None, "all sources of a catalog take part"),
        "updatewcs": (False, "call mizzle.stwcs.updatewcs"),
    },
)
#: Pixel side of the incumbent's reference frame: that of the first chip, the PC [arcsec].
_PC_SIDE = 0.04555
#: A WCS that moves by less is one that was fitted before, and stays [arcsec].
_STAYS = 1e-6


@dataclass(frozen=True)
class AlignmentRequest:
    """One call, understood."""

    values: Values
    paths: tuple[Path, ...]
    settings: Settings
    name: str


def TweakReg(  # noqa: N802  (the incumbent's name)
    files: Any = None,
    editpars: bool = False,
    configobj: Any = None,
    imagefindcfg: Mapping[str, Any] | None = None,
    refimagefindcfg: Mapping[str, Any] | None = None,
    **input_dict: Any,
) -> Alignment:
    """Align exposures on their stars; with ``updatehdr=True``, write the WCS into them.

    Parameters
    ----------
    files : str, Path or iterable of them
        Files, wildcards, names joined by commas, ``@list``.
    editpars : bool
        Not interactive: True is refused.
    configobj : str or mapping, optional
        A ``.cfg`` file, or a dictionary.
    imagefindcfg, refimagefindcfg : mapping, optional
        Parameters of the finder: accepted, without effect but ``dqbits``.
    **input_dict
        The incumbent's parameters, by name; what is not given takes mizzle's default.

    Returns
    -------
    alignment : Alignment
        Mizzle's solution: shift, roll, scale, error and verdict of each exposure.

    Raises
    ------
    SettingsError
        An unknown parameter, or a WCS of that name is there and ``reusename`` is not set.
    DataError
        An exposure could not be aligned. The shifts file, where asked for, says ``nan`` for it; no file is changed.
    """
    if editpars:
        raise SettingsError("TweakReg: editpars: nothing here is interactive; give the parameters in the call")
    finder, _ = (FIND_TASK.values(flatten(config or {})) for config in (imagefindcfg, refimagefindcfg))
    values = TWEAK_TASK.values(input_dict, configobj)
    request = _understand(files, values, finder)
    with Journal("TweakReg", values.text("runfile")) as log:
        exposures = read_exposures(request.paths, request.settings, in_place=values.flag("updatehdr"))
        references, more, settings = references_of(values, exposures, request.settings)
        runner = make_runner()
        catalogs = values.flag("writecat") and not values.flag("clean")
        lists = tweak_files.find_lists([*exposures, *more], settings, runner, references) if catalogs else None
        alignment = align([*exposures, *more], settings, runner, references=references, lists=lists)
        own = {exposure.root: alignment.exposures[exposure.root] for exposure in exposures}
        tweak_files.describe(log, exposures, alignment)
        if values.flag("shiftfile"):
            tweak_files.write_shifts(values.text("outshifts"), values.text("outwcs"), exposures, alignment)
        _refuse_failures(exposures, own)
        if lists is not None:
            tweak_files.write_catalogs(exposures, alignment, lists, runner)
        tweak_files.write_plots(exposures, alignment, values, runner)
        if values.flag("updatehdr"):
            runner.map(lambda exposure: _update(exposure, alignment, request), exposures)
        if values.flag("headerlet"):
            tweak_files.write_headerlets(exposures, alignment, values)
    return alignment


def _understand(files: Any, values: Values, finder: Values) -> AlignmentRequest:
    """Turn a call into files and settings."""
    listed = list_files(files if files is not None else values["input"], "TweakReg")
    name = values.text("wcsname") or "TWEAK"
    if values.flag("updatehdr") and not values.flag("reusename"):
        _refuse_known_name(listed.paths, name)
    part: dict[str, Any] = {"reference": "first"}
    if "minobj" in values.asked:
        part["min_matches"] = max(2, values.whole("minobj") or 2)
        part["warn_matches"] = max(6, part["min_matches"])
    if "searchrad" in values.asked:
        unit = 1.0 if values.text("searchunits").startswith("arcsec") else _PC_SIDE
        part["search_radius"] = min(120.0, max(0.05, (values.number("searchrad") or 1.0) * unit))
    if "tolerance" in values.asked:
        part["tolerance"] = min(2.0, (values.number("tolerance") or 1.0) * _PC_SIDE)
    if "fitgeometry" in values.asked:
        part["geometry"] = values.text("fitgeometry")
    if "nbright" in values.asked and values.whole("nbright"):
        part["max_sources"] = max(3, values.whole("nbright") or 3)
    settings = with_values(Settings(), geometry={"wcs": "header"}, align=part)
    bits = finder.text("dqbits") or values.text("dqbits")
    if bits:
        settings = with_values(settings, dq={"good": (bits,)})
    return AlignmentRequest(values, listed.paths, settings, name)


def _refuse_known_name(paths: Sequence[Path], name: str) -> None:
    """Refuse to write a second WCS of one name."""
    for path in paths:
        with opened(path) as hdus:
            for unit in chip_units(hdus).values():
                if name in {str(v).strip() for k, v in unit.header.items() if k.startswith("WCSNAME")}:
                    raise SettingsError(
                        f"{path}: has a WCS called {name!r}; give another wcsname, or reusename=True",
                        file=str(path),
                        wcsname=name,
                    )


def _refuse_failures(exposures: Sequence[Exposure], entries: Mapping[str, ExposureAlignment]) -> None:
    # TweakReg's WCS says that stars were fitted: an exposure that fell back to something else has none to write.
    failed = [e for e in exposures if entries[e.root].verdict is Verdict.FAIL or entries[e.root].fell_back]
    if failed:
        lines = "; ".join(f"{Path(e.path).name}: {entries[e.root].note}" for e in failed)
        raise DataError(
            f"TweakReg: {len(failed)} of {len(exposures)} exposures could not be aligned, and no header was changed:"
            f" {lines}",
            failed=tuple(e.root for e in failed),
        )


def _update(exposure: Exposure, alignment: Alignment, request: AlignmentRequest) -> None:
    """Write the aligned WCS of one exposure into its file."""
    from dataclasses import replace

    entry = alignment.exposures[exposure.root]
    frames = {name: replace(alignment.frame(exposure, name), name=request.name) for name in exposure.chips}
    again = all(str(chip.header.get("WCSNAME", "")).strip() == request.name for chip in exposure.chips.values())
    if again and _moved(exposure, frames) < _STAYS:
        return
    cards = _fit_cards(entry, request)
    with rewriting(exposure.path) as hdus:
        write_frames(hdus, frames, dict.fromkeys(frames, cards), archive=not again)


def _moved(exposure: Exposure, frames: Mapping[str, ChipFrame]) -> float:
    """Return how far the corners of an exposure's chips move at most [arcsec]."""
    before = corners([chip.frame for chip in exposure.chips.values()])
    after = corners([frames[name] for name in exposure.chips])
    east = ((after.ra - before.ra + 180.0) % 360.0 - 180.0) * np.cos(np.deg2rad(before.dec))
    return 3600.0 * float(np.hypot(east, after.dec - before.dec).max())


def _fit_cards(entry: ExposureAlignment, request: AlignmentRequest) -> list[Card]:
    """Return how the WCS was found, in the incumbent's words."""
    rms = entry.rms_mas / 3.6e6
    return [
        ("WCSTYPE", "relatively aligned", "how the WCS was made"),
        ("FITNAME", request.name, "fit"),
        ("NMATCH", entry.n_matched, "matched stars"),
        ("RMS_RA", rms, "[deg] residual rms"),
        ("RMS_DEC", rms, "[deg] residual rms"),
        ("CRDER1", rms, "[deg] random error"),
        ("CRDER2", rms, "[deg] random error"),
    ]
