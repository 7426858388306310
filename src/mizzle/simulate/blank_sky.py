"""The blank-sky demonstration: a constant sky as the detector records it, drizzled as it is and equalized.

A flat sky has one surface brightness, yet four chips of unequal sensitivity record four levels. Drizzled as they
are, the chips show in the mosaic; brought to one PHOTFLAM they vanish. On demand the incumbent's fault is shown
too: it multiplies each chip by its own gain and divides the mosaic by the gain of WF4, after equalizing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.geometry.grid import common_grid
from mizzle.instrument.wfpc2 import CHIP_NAMES, CHIP_NUMBERS
from mizzle.model import Alignment, CosmicRays, Exposure, FluxScales, Mosaic, Runner, Serial, SkyLevels
from mizzle.settings import Settings
from mizzle.simulate.observe import visit
from mizzle.simulate.plan import Effects, make_plan
from mizzle.simulate.render import reference_area
from mizzle.simulate.truth import Visit
from mizzle.steps.combine import combine
from mizzle.steps.equalize import equalize

Factor = Callable[[Exposure, str], float]

#: Sky of the demonstration: 10 DN in 500 s on a WF3 pixel, as in the original notebook.
DEMO_SKY = 0.02
#: A product pixel counts for a chip's level where it has at least this share of the chip's full weight.
FULL_WEIGHT = 0.98


@dataclass(frozen=True)
class Level:
    """Mean of one chip's part of a mosaic, its error, and the number of pixels [DN/s per product pixel]."""

    mean: float
    error: float
    count: int


@dataclass(frozen=True, eq=False)
class Panel:
    """One way to drizzle the sky.

    Parameters
    ----------
    key : str
        ``raw``, ``equalized`` or ``fault``.
    title : str
        For people.
    mosaic : Mosaic
        The drizzled sky.
    levels : mapping
        `Level` by chip name.
    """

    key: str
    title: str
    mosaic: Mosaic
    levels: Mapping[str, Level]

    @property
    def spread(self) -> float:
        """Largest over smallest chip level, less one."""
        means = [level.mean for level in self.levels.values()]
        return max(means) / min(means) - 1.0


@dataclass(frozen=True, eq=False)
class Comparison:
    """The sky, and each way to drizzle it."""

    visit: Visit
    panels: tuple[Panel, ...]
    expected: float


def _as_recorded(exposure: Exposure, chip: str) -> float:
    """Return 1: the DN as they are."""
    return 1.0


def _own_gain(exposure: Exposure, chip: str) -> float:
    """Return the chip's gain over that of WF4, the last chip: what the incumbent leaves in the mosaic."""
    return exposure.chips[chip].gain / exposure.chips["WF4"].gain


def sky_effects(**changes: Any) -> Effects:
    """Return the effects of the demonstration: the detector's noise and the shadow; no defects, no cosmic rays."""
    quiet = {"photon_noise": True, "read_noise": 1.0, "quantize": True, "dark": True, "shadow": True}
    return Effects.none(**{**quiet, **changes})


def compare(
    *, gain_fault: bool = False, settings: Settings | None = None, runner: Runner | None = None, **changes: Any
) -> Comparison:
    """Simulate a constant sky, drizzle it as it is and equalized, and measure each chip's level.

    Parameters
    ----------
    gain_fault : bool
        Add a panel with the incumbent's gain fault.
    settings : Settings, optional
        How to drizzle; the defaults otherwise.
    runner : Runner, optional
        Where chips are worked on.
    **changes
        Fields of the plan; ``effects`` may be a dict of changes to `sky_effects`.

    Returns
    -------
    comparison : Comparison
        Panels ``raw``, ``equalized`` and, on demand, ``fault``.

    Raises
    ------
    SettingsError
        A wrong plan, or one with stars.
    """
    if changes.get("field", "blank") != "blank":
        raise SettingsError("the blank-sky demonstration needs field = 'blank'", field=changes["field"])
    effects = changes.get("effects", {})
    if isinstance(effects, dict):
        effects = sky_effects(**effects)
    plan = make_plan(**{"n": 1, "sky": DEMO_SKY, **changes, "field": "blank", "effects": effects})
    settings, runner = settings or Settings(), runner or Serial()
    made = visit(plan, runner=runner)
    equalized = equalize(made.exposures, settings)
    ways = [
        ("raw", "as recorded", _scaled(equalized, made.exposures, _as_recorded)),
        ("equalized", "equalized to one PHOTFLAM", equalized),
    ]
    if gain_fault:
        fault = _scaled(equalized, made.exposures, lambda e, chip: _own_gain(e, chip) * equalized.factors[e.root][chip])
        ways.append(("fault", "equalized, then each chip's own gain (the incumbent's fault)", fault))
    panels = tuple(
        _panel(key, title, made.exposures, scales=scales, settings=settings, runner=runner)
        for key, title, scales in ways
    )
    return Comparison(made, panels, _expected(made, panels[0].mosaic))


def _expected(made: Visit, mosaic: Mosaic) -> float:
    """Return the true level of the equalized sky [DN/s per product pixel], mean over the exposures by time."""
    total, seconds = 0.0, 0.0
    for exposure in made.truth.exposures.values():
        chip, frame = exposure.chips["WF3"], exposure.pointing.true["WF3"]
        brightness = chip.sky_dn * chip.photflam / reference_area(frame)
        total += brightness * mosaic.grid.scale**2 / mosaic.reference.photflam
        seconds += exposure.exptime
    return total / seconds


def _scaled(scales: FluxScales, exposures: tuple[Exposure, ...], factor: Factor) -> FluxScales:
    """Return `scales` with ``factor(exposure, chip)`` for each chip."""
    factors = {e.root: {chip: factor(e, chip) for chip in e.chips} for e in exposures}
    return replace(scales, factors=factors)


def _panel(
    key: str,
    title: str,
    exposures: tuple[Exposure, ...],
    *,
    scales: FluxScales,
    settings: Settings,
    runner: Runner,
) -> Panel:
    """Drizzle the sky, nothing subtracted and nothing rejected, and measure each chip."""
    alignment = Alignment.identity(exposures)
    none = {e.root: dict.fromkeys(e.chips, 0.0) for e in exposures}
    sky = SkyLevels(levels=none, brightness=none, noise=none, pedestals=none, method="none")
    rays = CosmicRays(packed={}, fractions=none, methods={e.root: "none" for e in exposures})
    frames = [alignment.frame(e, chip) for e in exposures for chip in e.chips]
    grid = common_grid(frames, settings.combine)
    mosaic = combine(
        list(exposures), alignment, scales, sky=sky, cosmic_rays=rays, grid=grid, settings=settings, runner=runner
    )
    return Panel(key, title, mosaic, chip_levels(mosaic))


def chip_levels(mosaic: Mosaic) -> dict[str, Level]:
    """Return the mean of the pixels that one chip alone made, with its error.

    The error is the pixels' scatter over the root of their number, times the large-area noise correlation.
    """
    owner = owners(mosaic)
    levels = {}
    for number, name in enumerate(CHIP_NAMES):
        alone = owner == 1 << number
        if not alone.any():
            continue
        weight = np.where(alone, mosaic.wht, 0.0)
        whole = alone & (weight >= FULL_WEIGHT * np.quantile(mosaic.wht[alone], 0.9)) & np.isfinite(mosaic.sci)
        values = mosaic.sci[whole].astype(np.float64)
        correlated = float(mosaic.noise_correlation.get(name, 1.0))
        error = correlated * float(values.std()) / max(np.sqrt(values.size), 1.0)
        levels[name] = Level(float(values.mean()), error, int(values.size))
    return levels


def owners(mosaic: Mosaic) -> NDArray[np.uint8]:
    """Return which chips made each product pixel: bit 0 PC, to bit 3 WF4."""
    owner = np.zeros(mosaic.sci.shape, dtype=np.uint8)
    planes = [plane.image for plane in mosaic.context.planes]
    for i, item in enumerate(mosaic.inputs):
        bit = (planes[i // 32] >> (i % 32)) & 1
        owner |= (bit << (CHIP_NUMBERS[item.chip] - 1)).astype(np.uint8)
    return owner


def level_table(comparison: Comparison) -> str:
    """Return the chips' levels over WF3's as text, a line per panel."""
    names = [name for name in CHIP_NAMES if name in comparison.panels[0].levels]
    lines = ["chip level over WF3".ljust(28) + "".join(f"{name:>18}" for name in names) + "    spread"]
    for panel in comparison.panels:
        base = panel.levels["WF3"].mean
        cells = [f"{panel.levels[n].mean / base:.5f} ± {panel.levels[n].error / base:.5f}" for n in names]
        lines.append(panel.key.ljust(28) + "".join(f"{cell:>18}" for cell in cells) + f"{100 * panel.spread:9.3f} %")
    return "\n".join(lines)
