"""``AstroDrizzle``: one drizzled image of many exposures, cosmic rays left out, under the names its callers open."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mizzle.drizzlepac import drizzle_files, separate_files
from mizzle.drizzlepac.drizzle_parameters import TASK, TOTALS
from mizzle.drizzlepac.drizzle_settings import grid_of, settings_of
from mizzle.errors import SettingsError
from mizzle.execution import make_runner
from mizzle.io.header_cards import grid_cards
from mizzle.io.incumbent_files import write_image
from mizzle.io.rewriting import restore_original
from mizzle.model import Alignment, Exposure, Result, Runner
from mizzle.pipeline import process
from mizzle.progress import Progress
from mizzle.settings import Settings
from mizzle.translation.bits import parse_bits
from mizzle.translation.exposures import read_exposures, refuse_several_filters, with_values
from mizzle.translation.grid import frames_of
from mizzle.translation.inputs import Listed, list_files
from mizzle.translation.journal import Journal
from mizzle.translation.parameters import TranslationWarning, Values
from mizzle.user_inputs import read_user_inputs

__all__ = ["AstroDrizzle"]


def __getattr__(name: str) -> Any:
    """Find what scripts reach through this module, as ``astrodrizzle.adrizzle.do_driz``, when they do."""
    if name in ("ablot", "adrizzle"):
        return importlib.import_module(f"mizzle.drizzlepac.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class DrizzleRequest:
    """One call, understood."""

    values: Values
    listed: Listed
    settings: Settings
    names: drizzle_files.Names


def AstroDrizzle(  # noqa: N802  (the incumbent's name)
    input: Any = None,
    mdriztab: bool = False,
    editpars: bool = False,
    configobj: Any = None,
    wcsmap: Any = None,
    **input_dict: Any,
) -> Result:
    """Combine exposures whose WCSs are aligned, and whose pixels ``photeq`` equalized.

    Parameters
    ----------
    input : str, Path or iterable of them
        Files, wildcards, names joined by commas, ``@list``.
    mdriztab, wcsmap
        Accepted; without effect.
    editpars : bool
        Not interactive: True is refused.
    configobj : str or mapping, optional
        A ``.cfg`` file, or a (nested) dictionary.
    **input_dict
        The incumbent's parameters, by name; what is not given takes mizzle's default.

    Returns
    -------
    result : Result
        Mosaic, sky, cosmic rays, catalog and the proof of the zeropoint, as `mizzle.process` returns them.

    Raises
    ------
    SettingsError
        An unknown parameter, or exposures of several filters.
    InputError
        A file is not what it should be.
    """
    if editpars:
        raise SettingsError("AstroDrizzle: editpars: nothing here is interactive; give the parameters in the call")
    values = TASK.values({**input_dict, **({"mdriztab": True} if mdriztab else {})}, configobj)
    listed = list_files(input if input is not None else values["input"], "AstroDrizzle")
    settings = settings_of(values)
    if listed.weights and settings.combine.weight != "IVM":
        warnings.warn(
            "AstroDrizzle: the weight files of the list are used with final_wht_type='IVM' only",
            TranslationWarning,
            stacklevel=2,
        )
    names = drizzle_files.names_of(values.text("output"), listed.paths, build=values.flag("build"))
    request = DrizzleRequest(values, listed, settings, names)
    with Journal("AstroDrizzle", values.text("runfile")) as log:
        return _drizzle(request, log)


def _drizzle(request: DrizzleRequest, log: Journal) -> Result:
    values, runner = request.values, make_runner()
    log.say(*(f"   {name} :\t{value}" for name, value in sorted(values.all.items())))
    if values.flag("restore"):
        for path in request.listed.paths:
            restore_original(path)
    with _step(log, "Initialize"):
        weights = request.listed.weights if request.settings.combine.weight == "IVM" else None
        exposures = _chosen(read_exposures(request.listed.paths, request.settings, weights), values)
        alignment = Alignment.identity(exposures)
        frames = frames_of(exposures, alignment)
        grid = grid_of(values, "final", frames)
    settings = _with_user_sky(request.settings, values, exposures)
    with _step(log, "Subtract Sky, Reject, Final Drizzle"):
        inputs = read_user_inputs(exposures, settings, Progress())
        result = process(exposures, settings, replace(inputs, grid=grid), runner=runner, name=request.names.prefix)
    with _step(log, "Write"):
        # The product is written while the single images are drizzled.
        written = runner.begin(lambda wanted: wanted and _write_product(request, result), values.flag("driz_combine"))
        _write_others(request, result, settings, runner, log)
        written()
        bit, rejects = int(values.number("crbit") or 0), settings.reject.method != "none"
        drizzle_files.mark_inputs(result, bit, rays=rejects, runner=runner)
        if rejects and values.flag("driz_cr_corr"):  # copies of the inputs with their marks
            drizzle_files.write_cleaned(result, runner)
    for exposure in result.exposures:
        for chip, level in result.sky.levels[exposure.root].items():
            log.say(f"   {exposure.root} {chip}: delta(MDRIZSKY) = {level:.6g} NEW MDRIZSKY = {level:.6g}")
    return result


def _write_product(request: DrizzleRequest, result: Result) -> bool:
    """Write the mosaic."""
    drizzle_files.write_product(result, request.names, request.values)
    return True


def _write_others(request: DrizzleRequest, result: Result, settings: Settings, runner: Runner, log: Journal) -> None:
    """Write single images and masks."""
    values = request.values
    keep = not values.flag("clean")
    rejects = settings.reject.method != "none"
    if keep:
        _write_separate(request, result, settings, runner, log)
    if rejects and keep:
        drizzle_files.write_ray_masks(result, runner)


def _write_separate(request: DrizzleRequest, result: Result, settings: Settings, runner: Runner, log: Journal) -> None:
    """Write what is made of each exposure by itself; the exposures are drizzled once for all of it."""
    values = request.values
    alone = values.flag("driz_separate")
    asked = {name for name in ("median", "blot") if name in values.asked and values.flag(name)}
    if settings.reject.method == "none":
        asked = set()
    if not alone and not asked:
        return
    own = _separate(settings, values)
    with _step(log, "Separate Drizzle"):
        grid = grid_of(values, "driz_sep", frames_of(result.exposures, result.alignment))
        singles = separate_files.drizzle_singles(result, grid, own, runner=runner, write=alone, keep=bool(asked))
    if singles is None:
        return
    with _step(log, "Create Median, Blot"):
        image = separate_files.combined(singles, own)
        if "median" in asked:
            times = singles.number if values.text("combine_type") in TOTALS else np.float32(1.0)
            write_image(request.names.of("med"), image * times, grid_cards(grid))
        if "blot" in asked:
            separate_files.write_blots(result, image, grid)


def _separate(settings: Settings, values: Values) -> Settings:
    """Return the settings of the single images."""
    good = parse_bits(values["driz_sep_bits"], "driz_sep_bits")
    good |= parse_bits(values["resetbits"], "resetbits") if values.text("resetbits") else 0
    part: dict[str, Any] = {"kernel": values.text("driz_sep_kernel"), "pixfrac": values.number("driz_sep_pixfrac")}
    if values.number("driz_sep_fillval") is not None:
        part["fill"] = values.number("driz_sep_fillval")
    return with_values(settings, combine=part, dq={"good": (good,), "saturated": not good & 8})


def _chosen(exposures: Sequence[Exposure], values: Values) -> list[Exposure]:
    """Return the exposures with the chips that ``group`` names; exposures of one filter only."""
    refuse_several_filters(exposures, "AstroDrizzle", "call it for each filter, with final_refimage for one grid")
    group = values.text("group")
    numbers = {int(word) for word in re.findall(r"\d+", group)}
    if group and (not numbers or re.sub(r"sci|[\d,;\s\[\]()'\"]", "", group, flags=re.IGNORECASE)):
        raise SettingsError(f"AstroDrizzle: group = {group!r}; needed numbers of chips, as '1,3' or 'sci,1;sci,3'")
    if not numbers:
        return list(exposures)
    return [
        replace(e, chips={name: chip for name, chip in e.chips.items() if chip.number in numbers}) for e in exposures
    ]


def _with_user_sky(settings: Settings, values: Values, exposures: Iterable[Exposure]) -> Settings:
    """Return the settings with the sky of the keyword that ``skyuser`` names."""
    keyword = values.text("skyuser").upper()
    if not keyword or not values.flag("skysub"):
        return settings
    rows = []
    for exposure in exposures:
        for name, chip in exposure.chips.items():
            level = chip.header.get(keyword, exposure.header.get(keyword))
            if not isinstance(level, int | float):
                raise SettingsError(f"{exposure.path}[{name}]: no number in {keyword} (skyuser)", keyword=keyword)
            rows.append(f"{exposure.root}:{name}={float(level)}")
    return with_values(settings, sky={"method": "user", "values": tuple(rows)})


def _step(log: Journal, name: str) -> Any:
    """Time a step into the log, in the incumbent's words."""
    import contextlib
    import datetime

    @contextlib.contextmanager
    def timed() -> Any:
        for word in ("started", "finished"):
            now = datetime.datetime.now(datetime.UTC).strftime("%H:%M:%S.%f (%d/%m/%Y)")
            log.say(f"==== Processing Step '{name}' {word} at {now}")
            if word == "started":
                yield

    return timed()
