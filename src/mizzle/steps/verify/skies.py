"""Blank sky, chip against chip: a second opinion on uniform fields, never the judge.

A left-over bias of 0.1 DN is 12 % of a PC sky of 0.8 DN; cluster light differs from chip to chip by far more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.instrument.dq import bad_pixels
from mizzle.model import Runner, SkyLevels
from mizzle.settings import Settings
from mizzle.stars.sky_statistics import sky_statistic
from mizzle.steps.chip_view import ChipView

_UNIFORM = 0.03  # quadrants of a chip agree to this, noise aside
_STEP = 4


def sky_ratios(
    views: Sequence[ChipView],
    sky: SkyLevels,
    reference: str,
    *,
    settings: Settings,
    runner: Runner,
) -> tuple[dict[str, tuple[float, float]], str]:
    """Compare the chips' sky brightness with the reference chip's.

    Parameters
    ----------
    views : sequence of ChipView
        The chips of one filter's exposures.
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
    exposures: dict[str, dict[str, ChipView]] = {}
    for view in views:
        exposures.setdefault(view.root, {})[view.name] = view
    names = list(dict.fromkeys(view.name for view in views))
    longest = max(views, key=lambda view: view.exposure.exptime).root
    chips = list(exposures[longest].values())
    spreads = runner.map(_unevenness, chips)
    uneven = [view.name for view, spread in zip(chips, spreads, strict=True) if not spread <= _UNIFORM]
    if uneven:
        return {}, f"sky is not uniform on {', '.join(uneven)} of {longest}: its ratios say nothing"
    ratios = {}
    for name in names:
        values, errors = [], []
        for root, own in exposures.items():
            levels = sky.brightness[root]
            if name in levels and reference in levels and levels[reference] > 0 and np.isfinite(levels[name]):
                ratio = levels[name] / levels[reference]
                pair = [abs(ratio) * _relative(own[chip], levels[chip], settings) for chip in (name, reference)]
                values.append(ratio)
                errors.append(float(np.hypot(pair[0], pair[1])))
        if values and name != reference:
            # The pedestal is a property of the chip: more exposures do not take it away.
            ratios[name] = (float(np.mean(values)), float(np.mean(errors)))
    return ratios, ""


def _relative(view: ChipView, level: float, settings: Settings) -> float:
    """Return the relative error of a chip's sky that its pedestal makes."""
    return settings.verify.pedestal * view.brightness / max(abs(level), 1e-12)


def _unevenness(view: ChipView) -> float:
    """Return the spread of the sky over the quadrants of a chip, over its level, noise aside."""
    chip, noise = view.chip, view.noise
    ny, nx = chip.shape
    levels, errors = [], []
    for rows in (slice(0, ny // 2), slice(ny // 2, ny)):
        for columns in (slice(0, nx // 2), slice(nx // 2, nx)):
            sci, dq = chip.sci[rows, columns][::_STEP], chip.dq[rows, columns][::_STEP]
            good = sci[~bad_pixels(sci, dq, view.good)]
            sky = sky_statistic(good, skewness_of=(noise.gain, noise.floor))
            levels.append(sky.level)
            errors.append(3.0 * sky.sigma / np.sqrt(max(sky.n_pixels, 1)))
    if not np.all(np.isfinite(levels)):
        return float("inf")
    # What whole DN leave in the statistic counts as noise too.
    allowed = 3.0 * float(np.mean(errors)) + 0.05
    return max(float(np.ptp(levels)) - allowed, 0.0) / max(abs(float(np.mean(levels))), 1e-12)
