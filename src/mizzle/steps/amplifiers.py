"""Where two amplifiers read a chip: the step between their halves, measured on the sky at the border and taken out.

Calibration leaves a few tenths of an electron, sometimes a few, between the amplifiers of ACS/WFC and WFC3/UVIS. One
level of sky for each chip then leaves half of it on either side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from mizzle.instrument.detectors import amplifier_border
from mizzle.instrument.dq import bad_mask
from mizzle.instrument.noise import noise_model
from mizzle.model import Chip, Exposure, Finding, Runner, Verdict
from mizzle.model.altered import SteppedPixels
from mizzle.settings import Settings
from mizzle.stars.sky_statistics import sky_statistic

#: Columns of the four strips, two on each side of the border, and blocks of rows in which they are compared.
STRIP, BLOCKS = 128, 16
#: Fewest pixels of sky in a strip of a block, fewest blocks, and a step that is not noise [sigma].
FEWEST, FEWEST_BLOCKS, SIGNIFICANT = 200, 5, 3.0


@dataclass(frozen=True)
class AmplifierStep:
    """What one chip shows.

    Parameters
    ----------
    border : int
        Column at which the second amplifier's half begins.
    step, error : float
        Sky right of it minus sky left of it, at the border [DN as recorded].
    """

    border: int
    step: float
    error: float

    @property
    def significant(self) -> bool:
        """Whether it is more than noise."""
        return abs(self.step) > SIGNIFICANT * self.error


def level_amplifiers(exposures: Sequence[Exposure], settings: Settings, runner: Runner) -> tuple[Exposure, ...]:
    """Return exposures whose amplifiers have one sky at their border, where ``sky.amplifiers`` asks for it.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of any filters.
    settings : Settings
        ``sky``, ``dq``, ``noise``.
    runner : Runner
        Threads; by chip.

    Returns
    -------
    exposures : tuple of Exposure
        In the same order. Half of a step that is not noise is taken from one half of a chip and given to the other, so
        that the chip's mean stays; a finding names it.
    """
    if settings.sky.amplifiers == "as one":
        return tuple(exposures)
    jobs = [(exposure, chip) for exposure in exposures for chip in exposure.chips.values()]
    measured = iter(runner.map(lambda job: amplifier_step(*job, settings), jobs))
    return tuple(_leveled(exposure, {name: next(measured) for name in exposure.chips}) for exposure in exposures)


def amplifier_step(exposure: Exposure, chip: Chip, settings: Settings) -> AmplifierStep | None:
    """Measure the step between the two amplifiers of a chip.

    In blocks of rows, the sky of two strips on each side is continued to the border: a slope is no step, and an object
    on the border spoils its blocks only.

    Returns
    -------
    step : AmplifierStep or None
        None where one amplifier read the chip, or too few blocks have sky on both sides.
    """
    border = amplifier_border(exposure.header, chip.header, chip.name, columns=chip.shape[1])
    if border is None:
        return None
    noise, options = noise_model(exposure, chip, settings.noise), settings.sky
    sci, bad = chip.sci, bad_mask(chip, settings.dq)

    def level(rows: slice, first: int) -> float:
        part = np.s_[rows, first : first + STRIP]
        sky = sky_statistic(
            sci[part][~bad[part]],
            statistic=options.statistic,
            clip=options.clip,
            iterations=options.iterations,
            skewness_of=(noise.gain, noise.floor),
        )
        return sky.level if sky.n_pixels >= FEWEST else float("nan")

    edges = np.linspace(0, chip.shape[0], BLOCKS + 1).astype(int)
    steps = []
    for low, high in pairwise(edges):
        far_left, left, right, far_right = (
            level(slice(low, high), border + offset * STRIP) for offset in (-2, -1, 0, 1)
        )
        steps.append(1.5 * (right - left) - 0.5 * (far_right - far_left))
    known = np.array(steps)[np.isfinite(steps)]
    if known.size < FEWEST_BLOCKS:
        return None
    step = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - step)))
    return AmplifierStep(border, step, max(1.2533 * spread / np.sqrt(known.size), 1e-6))


def _leveled(exposure: Exposure, steps: dict[str, AmplifierStep | None]) -> Exposure:
    """Return an exposure without the steps that are not noise."""
    chips, words = dict(exposure.chips), []
    for name, measured in steps.items():
        if measured is not None and measured.significant:
            pixels: Any = SteppedPixels(chips[name].pixels, measured.border, measured.step)
            chips[name] = replace(chips[name], pixels=pixels)
            words.append(f"{name} {measured.step:+.2f} ± {measured.error:.2f}")
    if not words:
        return exposure
    sentence = f"sky right of the amplifiers' border over left, taken out [{_unit(exposure)}]: {', '.join(words)}"
    return replace(exposure, chips=chips, findings=(*exposure.findings, Finding("sky", Verdict.PASS, sentence)))


def _unit(exposure: Exposure) -> str:
    return exposure.camera.unit.removesuffix("/S").lower()
