"""``skymatch``: the sky of exposures measured, and matched where they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from mizzle.execution import make_runner
from mizzle.io.rewriting import chip_units, rewriting
from mizzle.model import Alignment, SkyLevels
from mizzle.settings import Settings
from mizzle.steps.equalize import equalize
from mizzle.steps.sky import measure_sky
from mizzle.translation.bits import parse_bits
from mizzle.translation.clipping import clipping
from mizzle.translation.exposures import read_exposures, with_values
from mizzle.translation.inputs import list_files
from mizzle.translation.journal import Journal
from mizzle.translation.parameters import Task

__all__ = ["skymatch"]

_UNITS = "counts, made rates at one PHOTFLAM"
SKYMATCH_TASK = Task(
    "skymatch",
    {
        **{"skymethod": "globalmin+match", "skystat": "mode", "skyuser_kwd": "SKYUSER", "readonly": True},
        **{"subtractsky": False, "dq_bits": None, "flog": "skymatch.log", "invsens_kwd": None},
        **{"lower": None, "upper": None, "nclip": 5, "lsigma": 4.0, "usigma": 4.0},
    },
    {
        "match_down": (True, "the faintest sky of a group that overlaps stays"),
        "binwidth": (0.1, "the mode needs no bin width"),
        "units_kwd": ("BUNIT", _UNITS),
        "optimize": ("balanced", "memory looks after itself"),
        "clobber": (False, "files of other forms are not converted"),
        "clean": (True, "no temporary file is written"),
        "verbose": (True, "nothing is printed"),
    },
)


def skymatch(input: Any, **input_dict: Any) -> SkyLevels:
    """Measure the sky of each chip; with ``readonly=False``, write it into the files.

    Parameters
    ----------
    input : str, Path or iterable of them
        Files, wildcards, names joined by commas, ``@list``.
    **input_dict
        The incumbent's parameters, by name.

    Returns
    -------
    sky : SkyLevels
        What is to be subtracted, and what each chip measured.

    Raises
    ------
    SettingsError
        An unknown parameter.
    """
    values = SKYMATCH_TASK.values(input_dict)
    paths = list_files(input, "skymatch").paths
    part: dict[str, Any] = {"method": values.text("skymethod"), "statistic": values.text("skystat")}
    part |= {name: values.number(name) for name in ("lower", "upper") if values.number(name) is not None}
    part |= clipping(values, ("nclip", "lsigma", "usigma"))
    settings = with_values(Settings(), geometry={"wcs": "header"}, sky=part)
    if not values.text("invsens_kwd"):
        settings = with_values(settings, equalize={"enabled": False})
    if values.text("dq_bits"):
        settings = with_values(settings, dq={"good": (parse_bits(values["dq_bits"], "dq_bits"),)})
    with Journal("skymatch", values.text("flog")) as log:
        exposures = read_exposures(paths, settings)
        scales = equalize(exposures, settings)
        sky = measure_sky(exposures, Alignment.identity(exposures), scales, settings=settings, runner=make_runner())
        for exposure in exposures:
            factors = scales.factors[exposure.root]
            levels = {name: level / factors[name] for name, level in sky.levels[exposure.root].items()}
            log.say(*(f"   {exposure.path}[{name}]: sky {level:.6g}" for name, level in levels.items()))
            if values.flag("readonly"):
                continue
            with rewriting(exposure.path) as hdus:
                for name, unit in chip_units(hdus).items():
                    unit.header[values.text("skyuser_kwd") or "SKYUSER"] = (levels[name], "sky of the chip")
                    if values.flag("subtractsky"):
                        unit.data = unit.data - np.float32(levels[name])
    return sky
