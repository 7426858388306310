"""What it takes to drop one chip on the product: its map, factors, weight and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mizzle import kernel
from mizzle.geometry.mapping import chip_map
from mizzle.instrument.noise import NoiseModel, noise_model
from mizzle.instrument.shadow import lit_share
from mizzle.model import Alignment, Chip, Exposure, FluxScales, Grid, InputChip, Runner, SkyLevels
from mizzle.settings import Settings


@dataclass(frozen=True, eq=False)
class Drop:
    """One chip on its way to the product.

    Parameters
    ----------
    exposure, chip : Exposure, Chip
        What was read.
    bit : int
        Its number among the inputs.
    where : ChipMap
        Its pixels on the product.
    ratio : float
        Product pixel side over that of the chip's reference pixel, ``s``.
    multiply, subtract : float
        ``DN * multiply - subtract`` is the rate at the reference's zeropoint, per product pixel.
    weight : float
        Of a product pixel fully covered by this chip alone.
    noise : NoiseModel
        In electrons.
    entry : InputChip
        For the product's table.
    """

    exposure: Exposure
    chip: Chip
    bit: int
    where: kernel.ChipMap
    ratio: float
    multiply: float
    subtract: float
    weight: float
    noise: NoiseModel
    entry: InputChip

    @property
    def area(self) -> float:
        """Reference pixels of the chip in one of the product: ``s**2``."""
        return self.ratio * self.ratio

    @cached_property
    def variance(self) -> tuple[float, float]:
        """``(v0, v1)``: the variance of a dropped value is ``v0 + v1 * max(DN, 0)``, the mean over the chip.

        Flat-fielded DN were divided by the pixel's relative area a: Poisson noise goes as 1/a, read noise as 1/a**2.
        """
        v0, v1 = self.noise.coefficients(self.multiply)
        area = _relative_area(self.where, self.ratio)
        return v0 * float(np.mean(area**-2)), v1 * float(np.mean(area**-1))


@dataclass(frozen=True, eq=False)
class Solutions:
    """What the steps before found out."""

    alignment: Alignment
    scales: FluxScales
    sky: SkyLevels
    grid: Grid


def make_drops(exposures: Sequence[Exposure], known: Solutions, settings: Settings, runner: Runner) -> list[Drop]:
    """Return the drops of all chips, in the order of the context bits: by exposure, then chip."""
    pairs = [(exposure, chip) for exposure in exposures for chip in exposure.chips.values()]
    last = pairs[-1][1].gain if pairs else 1.0

    def one(bit: int) -> Drop:
        exposure, chip = pairs[bit]
        return _drop(exposure, chip, bit, known, settings, last)

    return runner.map(one, range(len(pairs)))


def _drop(exposure: Exposure, chip: Chip, bit: int, known: Solutions, settings: Settings, last_gain: float) -> Drop:
    frame = known.alignment.frame(exposure, chip.name)
    # The true side of the reference pixel, to which PHOTFLAM and flat field refer; nominal SCALE is 1e-4 off.
    ratio = known.grid.scale / (3600.0 * float(np.sqrt(abs(np.linalg.det(frame.cd)))))
    factor = known.scales.factors[exposure.root][chip.name]
    level = known.sky.levels[exposure.root][chip.name]
    fault = chip.gain / last_gain if settings.combine.incumbent_gain_fault else 1.0
    # Drizzling averages surface brightness per chip pixel; s**2 makes it a rate per product pixel.
    unit = fault * ratio * ratio / exposure.exptime
    noise = noise_model(exposure, chip, settings.noise)
    multiply = factor * unit
    if settings.combine.weight == "EXP":
        reference = known.scales.references.get(exposure.filter, known.scales.reference)
        weight = exposure.exptime * chip.gain / (reference.gain * factor)
    else:
        measured = known.sky.pedestals[exposure.root][chip.name] + level
        weight = ratio * ratio / noise.background(measured / factor, multiply)
    entry = InputChip(exposure.root, chip.name, exposure.exptime, factor, level, weight, frame.scale)
    return Drop(
        exposure=exposure,
        chip=chip,
        bit=bit,
        where=chip_map(frame, known.grid),
        ratio=ratio,
        multiply=multiply,
        subtract=level * unit,
        weight=weight,
        noise=noise,
        entry=entry,
    )


def even_bands(drops: Sequence[Drop], ny: int, count: int) -> list[tuple[int, int]]:
    """Return `count` bands of the product's `ny` rows that about as many chip pixels fall into: the PC's are dense."""
    places: list[NDArray[np.float64]] = []
    for drop in drops:
        height, width = drop.where.shape
        x, y = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9))
        places.append(drop.where.at(x.ravel(), y.ravel())[1])
    inner = np.quantile(np.concatenate(places), np.arange(1, count) / count)
    edges = [0, *(int(np.clip(round(float(edge)), 0, ny)) for edge in inner), ny]
    return [(low, high) for low, high in pairwise(edges) if low < high]


def _relative_area(where: kernel.ChipMap, ratio: float) -> NDArray[np.float64]:
    """Return the area of pixels spread over a chip, relative to the reference pixel's."""
    ny, nx = where.shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, 9), np.linspace(0, ny - 1, 9))
    east, west = where.at(x + 0.5, y), where.at(x - 0.5, y)
    up, down = where.at(x, y + 0.5), where.at(x, y - 0.5)
    along = (east[0] - west[0]) * (up[1] - down[1]) - (east[1] - west[1]) * (up[0] - down[0])
    return np.asarray(np.abs(along) * ratio**2)


def relative_weight(
    drop: Drop, sci: NDArray[np.float32], bad: NDArray[np.bool_], settings: Settings
) -> NDArray[np.float32] | None:
    """Return factors on the weight of a chip's pixels, or None where all are 1.

    The pyramid's soft edge counts where the data-quality bits left any of it; with weight ERR the input's own errors
    take the place of the noise model.
    """
    lit, shaded = _shadow(drop.chip.name, drop.chip.shape)
    relative = lit if lit is not None and not bad.ravel().take(shaded).all() else None
    errors = drop.chip.err if settings.combine.weight == "ERR" else None
    if errors is None:
        return relative
    model = drop.noise.background(drop.entry.sky / drop.entry.factor)
    source = np.maximum(sci - np.float32(drop.entry.sky / drop.entry.factor), 0) / np.float32(drop.noise.gain)
    # A weight that knew its own source's counts would destroy the source.
    variance = np.maximum(errors * errors - source, np.float32(drop.noise.floor / drop.noise.gain**2))
    ratio = np.where(np.isfinite(variance) & (variance > 0), np.float32(model) / variance, np.float32(0))
    return np.ascontiguousarray(ratio if relative is None else ratio * relative, dtype=np.float32)


@lru_cache(maxsize=16)
def _shadow(chip: str, shape: tuple[int, int]) -> tuple[NDArray[np.float32] | None, NDArray[np.intp]]:
    """Return the lit share of a whole chip, and the flat indices of the pixels not fully lit."""
    binning = {(800, 800): 1, (400, 400): 2}.get(shape)
    if binning is None:  # part of a chip: the shadow's place in it is not known here, and DQ 2 covers it
        return None, np.zeros(0, np.intp)
    lit = lit_share(chip, shape, binning=binning)
    lit.flags.writeable = False
    return lit, np.flatnonzero(lit < 1)
