"""Blank sky, chip against chip: a second opinion on uniform fields, never the judge.

A left-over bias of 0.1 DN is 12 % of a PC sky of 0.8 DN; cluster light differs from chip to chip by far more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.instrument.dq import bad_pixels, good_bits
from mizzle.instrument.noise import noise_model
from mizzle.model import Exposure, FluxScales, Runner, SkyLevels
from mizzle.settings import Settings
from mizzle.stars.sky_statistics import sky_statistic

_UNIFORM = 0.03  # quadrants of a chip agree to this, noise aside
_STEP = 4


def sky_ratios(
    exposures: Sequence[Exposure],
    scales: FluxScales,
    sky: SkyLevels,
    reference: str,
    settings: Settings,
    runner: Runner,
) -> tuple[dict[str, tuple[float, float]], str]:
    """Compare the chips' sky brightness with the reference chip's.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    scales : FluxScales
        For the pedestal's size after equalizing.
    sky : SkyLevels
        What each chip measured.
    reference : str
        The reference chip.
    settings : Settings
        ``verify.pedestal``.
    runner : Runner
        Where quadrants are measured.

    Returns
    -------
    ratios : dict
        Ratio and error by chip; empty where the field is not uniform.
    note : str
        Why it is empty, or an empty text.
    """
    names = list(dict.fromkeys(name for exposure in exposures for name in exposure.chips))
    longest = max(exposures, key=lambda exposure: exposure.exptime)
    spreads = runner.map(lambda name: _unevenness(longest, name, settings), list(longest.chips))
    uneven = [name for name, spread in zip(longest.chips, spreads, strict=True) if not spread <= _UNIFORM]
    if uneven:
        return {}, f"sky is not uniform on {', '.join(uneven)} of {longest.root}: its ratios say nothing"
    ratios = {}
    for name in names:
        values, errors = [], []
        for exposure in exposures:
            mine = sky.brightness[exposure.root]
            if name in mine and reference in mine and mine[reference] > 0 and np.isfinite(mine[name]):
                values.append(mine[name] / mine[reference])
                errors.append(_relative(exposure, name, scales, sky, settings, values[-1]))
                errors[-1] = float(
                    np.hypot(errors[-1], _relative(exposure, reference, scales, sky, settings, values[-1]))
                )
        if values and name != reference:
            # The pedestal is a property of the chip: more exposures do not take it away.
            ratios[name] = (float(np.mean(values)), float(np.mean(errors)))
    return ratios, ""


def _relative(
    exposure: Exposure, name: str, scales: FluxScales, sky: SkyLevels, settings: Settings, ratio: float
) -> float:
    """Return the error of a ratio that one chip's pedestal makes."""
    area = exposure.chips[name].frame.side ** 2
    unit = scales.factors[exposure.root][name] / (exposure.exptime * area)
    level = sky.brightness[exposure.root][name]
    return abs(ratio) * settings.verify.pedestal * unit / max(abs(level), 1e-12)


def _unevenness(exposure: Exposure, name: str, settings: Settings) -> float:
    """Return the spread of the sky over the quadrants of a chip, over its level, noise aside."""
    chip = exposure.chips[name]
    noise = noise_model(exposure, chip, settings.noise)
    ny, nx = chip.shape
    levels, errors = [], []
    for rows in (slice(0, ny // 2), slice(ny // 2, ny)):
        for columns in (slice(0, nx // 2), slice(nx // 2, nx)):
            sci, dq = chip.sci[rows, columns][::_STEP], chip.dq[rows, columns][::_STEP]
            good = sci[~bad_pixels(sci, dq, good_bits(settings.dq.good))]
            found = sky_statistic(good, skewness_of=(noise.gain, noise.floor))
            levels.append(found.level)
            errors.append(3.0 * found.sigma / np.sqrt(max(found.n_pixels, 1)))
    if not np.all(np.isfinite(levels)):
        return float("inf")
    # What whole DN leave in the statistic counts as noise too.
    allowed = 3.0 * float(np.mean(errors)) + 0.05
    return max(float(np.ptp(levels)) - allowed, 0.0) / max(abs(float(np.mean(levels))), 1e-12)
