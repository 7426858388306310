"""Facts about WFPC2, and ``wfpc2_to_flt``: a ``c0m`` with its ``c1m`` as one ``flt``."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from mizzle.instrument.noise import noise_model
from mizzle.instrument.wfpc2 import CHIP_NUMBERS, GAINS, READ_NOISES
from mizzle.io.incumbent_files import write_planes
from mizzle.settings import Settings
from mizzle.translation.exposures import read_exposures
from mizzle.translation.parameters import TranslationWarning

__all__ = ["WFPC2_GAINS", "apply_bestrefs", "wfpc2_to_flt"]

#: ``WFPC2_GAINS[chip][ATODGAIN]``: electrons per DN, and read noise in electrons.
WFPC2_GAINS: dict[int, dict[int, list[float]]] = {
    number: {setting: [GAINS[setting][name], READ_NOISES[setting][name]] for setting in (7, 15)}
    for name, number in CHIP_NUMBERS.items()
}


def wfpc2_to_flt(imgname: str) -> str:
    """Write ``ROOT_flt.fits`` beside a ``c0m``: SCI, DQ and ERR of each chip, with the headers of the ``c0m``.

    Parameters
    ----------
    imgname : str
        The ``c0m``; its ``c1m`` is found beside it.

    Returns
    -------
    name : str
        The new file. Its errors follow mizzle's noise model, in electrons; the incumbent's are the root of the DN.
    """
    (exposure,) = read_exposures([Path(imgname)], Settings())
    path = Path(imgname)
    name = path.with_name(path.name.removesuffix(".gz").replace("_c0m.fits", "_flt.fits"))
    errors = {
        chip.name: noise_model(exposure, chip, Settings().noise).sigma(chip.sci) for chip in exposure.chips.values()
    }
    write_planes(name, path, exposure, errors=errors)
    return str(name)


def apply_bestrefs(
    filename: str | None = None,
    dirname: str | None = None,
    uref_path: str | None = None,
    crds_path: str | None = None,
    reftypes: Iterable[str] = ("idctab", "dgeofile", "offtab"),
) -> None:
    """Change nothing: the distortion tables of all dates are mizzle's own.

    Parameters
    ----------
    filename, dirname, uref_path, crds_path, reftypes
        Accepted; without effect. Tables that a header names as ``uref$name`` count where that folder holds them, as
        ever; ``mizzle references`` fetches and compares the newest.

    Warns
    -----
    TranslationWarning
        Always.
    """
    warnings.warn(
        "apply_bestrefs: headers stay as they are: the distortion tables are mizzle's own (mizzle references fetches"
        " the newest)",
        TranslationWarning,
        stacklevel=2,
    )
