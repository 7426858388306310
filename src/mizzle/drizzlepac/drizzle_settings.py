"""AstroDrizzle's parameters as mizzle's settings."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.drizzlepac.drizzle_parameters import COMBINE, INTERPOLATION, RECOMMENDED_SCALE, RECOMMENDED_SNR
from mizzle.errors import SettingsError
from mizzle.io.saved_grid import read_grid
from mizzle.model import ChipFrame, Grid
from mizzle.settings import Settings
from mizzle.translation.bits import parse_bits
from mizzle.translation.clipping import clipping
from mizzle.translation.exposures import with_values
from mizzle.translation.grid import incumbent_grid
from mizzle.translation.parameters import TranslationWarning, Values

#: The bit of cosmic rays.
_RAYS = 4096


def settings_of(values: Values) -> Settings:
    """Return the settings of a call, its grid apart: what the caller does not give takes mizzle's default.

    Pixels were equalized by ``photeq``, or were not, on purpose: nothing is equalized here.
    """
    good = parse_bits(values["final_bits"], "final_bits")
    reset = parse_bits(values["resetbits"], "resetbits") if values.text("resetbits") else 0
    return with_values(
        Settings(),
        geometry={"wcs": "header", **({"wcsname": values.text("wcskey")} if values.text("wcskey") else {})},
        align={"method": "header"},
        equalize={"enabled": False},
        dq={"good": (good | reset,), "saturated": not good & 8, "rays": "clear" if reset & _RAYS else "keep"},
        sky=_sky(values),
        reject=_reject(values),
        combine=_combine(values),
        report={"page": False},
    )


def _combine(values: Values) -> dict[str, Any]:
    part: dict[str, Any] = {
        "kernel": values.text("final_kernel"),
        "pixfrac": values.number("final_pixfrac"),
        "weight": values.text("final_wht_type").upper(),
    }
    if values.number("final_fillval") is not None:
        part["fill"] = values.number("final_fillval")
    return part


def _sky(values: Values) -> dict[str, Any]:
    if not values.flag("skysub"):
        return {"method": "none"}
    part: dict[str, Any] = {}
    if "skymethod" in values.asked:
        part["method"] = values.text("skymethod")
    if "skystat" in values.asked:
        part["statistic"] = values.text("skystat")
    for theirs, ours in (("skylower", "lower"), ("skyupper", "upper")):
        if values.number(theirs) is not None:
            part[ours] = values.number(theirs)
    part |= clipping(values, ("skyclip", "skylsigma", "skyusigma"))
    if values.text("skymask_cat"):
        part["exclude"] = values.text("skymask_cat")
    if values.text("skyfile"):
        part |= {"method": "user", "file": values.text("skyfile")}
    return part


def _reject(values: Values) -> dict[str, Any]:
    part: dict[str, Any] = {"static": values.flag("static")}
    if not all(values.flag(step) for step in ("median", "blot", "driz_cr")):
        return {**part, "method": "none"}
    if "static_sig" in values.asked:
        part["static_sigma"] = values.number("static_sig")
    if "combine_type" in values.asked:
        word = values.text("combine_type")
        if word not in COMBINE:
            raise SettingsError(f"AstroDrizzle: combine_type = {word!r}; needed one of {', '.join(COMBINE)}")
        part["combine"] = COMBINE[word]
    for theirs, ours in (("combine_nlow", "nlow"), ("combine_nhigh", "nhigh"), ("driz_cr_ctegrow", "cte_grow")):
        if theirs in values.asked:
            part[ours] = values.whole(theirs)
    if "driz_cr_grow" in values.asked:
        part["grow"] = max(0, (values.whole("driz_cr_grow") or 1) // 2)
    if "blot_interp" in values.asked:
        part["interpolation"] = _interpolation(values.text("blot_interp"))
    return {**part, **_stack(values), **_thresholds(values)}


def _interpolation(word: str) -> str:
    """Return how the reference is read; what is not offered is read as poly5, and that is said."""
    if word not in INTERPOLATION:
        warnings.warn(
            f"AstroDrizzle: blot_interp = {word!r} is not offered; poly5 is taken ({', '.join(INTERPOLATION)} are)",
            TranslationWarning,
            stacklevel=5,
        )
    return INTERPOLATION.get(word, "poly5")


def _stack(values: Values) -> dict[str, Any]:
    """Return how the exposures become a reference."""
    part: dict[str, Any] = {}
    if "combine_maskpt" in values.asked:
        part["min_coverage"] = values.number("combine_maskpt")
    if "combine_nsigma" in values.asked:
        part["combine_sigma"] = values.pair("combine_nsigma")[0]
    for theirs, ours in (("combine_lthresh", "combine_low"), ("combine_hthresh", "combine_high")):
        if values.number(theirs) is not None:
            part[ours] = values.number(theirs)
    return part


def _thresholds(values: Values) -> dict[str, Any]:
    """Return the thresholds: the recommended ones for WFPC2 are mizzle's own; others are in proportion."""
    defaults = Settings().reject
    part: dict[str, Any] = {}
    if "driz_cr_snr" in values.asked:
        seed, neighbor = (a / b for a, b in zip(values.pair("driz_cr_snr"), RECOMMENDED_SNR, strict=True))
        part["seed_sigma"] = min(50.0, max(1.0, defaults.seed_sigma * seed))
        part["neighbor_sigma"] = min(50.0, defaults.neighbor_sigma * neighbor)
    if "driz_cr_scale" in values.asked:
        seed, neighbor = (a / b for a, b in zip(values.pair("driz_cr_scale"), RECOMMENDED_SCALE, strict=True))
        part["seed_slope"] = min(10.0, defaults.seed_slope * seed)
        part["neighbor_slope"] = min(10.0, defaults.neighbor_slope * neighbor)
    return part


def grid_of(values: Values, stage: str, frames: list[ChipFrame]) -> Grid:
    """Return the grid that ``final_*`` or ``driz_sep_*`` parameters describe.

    Parameters
    ----------
    values : Values
        Of the call.
    stage : str
        ``final`` or ``driz_sep``.
    frames : list of ChipFrame
        Aligned frames of all chips, the first exposure's first.
    """
    if not values.flag(f"{stage}_wcs"):
        return incumbent_grid(frames)
    image = values.text(f"{stage}_refimage")
    if image:
        return read_grid(Path(image.split("[")[0]))
    grid = incumbent_grid(frames, scale=values.number(f"{stage}_scale"), rotation=values.number(f"{stage}_rot"))
    ra, dec = values.number(f"{stage}_ra"), values.number(f"{stage}_dec")
    nx, ny = values.whole(f"{stage}_outnx"), values.whole(f"{stage}_outny")
    crpix = [values.number(f"{stage}_crpix{i}") for i in (1, 2)]
    return _changed(grid, (ra, dec), (nx, ny), crpix)


def _changed(grid: Grid, sky: tuple[Any, Any], size: tuple[Any, Any], crpix: list[Any]) -> Grid:
    """Return the grid with another tangent point, size, reference pixel, each where it is given whole."""
    shape, place = grid.shape, grid.crpix
    if None not in size:  # the tangent point is in the middle of a size of one's own
        shape = (size[1], size[0])
        place = np.array([(shape[1] + 1) / 2, (shape[0] + 1) / 2])
    if None not in crpix:
        place = np.array([float(v) for v in crpix])
    crval = np.array([float(v) for v in sky]) if None not in sky else grid.crval
    return Grid(crval, place, grid.cd, shape, grid.radesys)
