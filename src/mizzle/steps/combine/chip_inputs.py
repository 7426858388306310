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
from mizzle.model import Alignment, Chip, Exposure, FluxReference, FluxScales, Grid, InputChip, Runner, SkyLevels
from mizzle.model.camera import Camera
from mizzle.settings import CombineSettings, Settings
from mizzle.steps.chip_view import ChipView, view_chips


@dataclass(frozen=True, eq=False)
class ChipInput:
    """One chip on its way to the product.

    Parameters
    ----------
    view : ChipView
        The chip, and what is known of it.
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
    entry : InputChip
        For the product's table.
    """

    view: ChipView
    bit: int
    where: kernel.ChipMap
    ratio: float
    multiply: float
    subtract: float
    weight: float
    entry: InputChip

    @property
    def exposure(self) -> Exposure:
        """The exposure as read."""
        return self.view.exposure

    @property
    def chip(self) -> Chip:
        """The chip as read."""
        return self.view.chip

    @property
    def area(self) -> float:
        """Reference pixels of the chip in one of the product: ``s**2``."""
        return self.ratio * self.ratio

    @cached_property
    def variance(self) -> tuple[float, float]:
        """``(v0, v1)``: the variance of a dropped value is ``v0 + v1 * max(DN, 0)``, the mean over the chip.

        Flat-fielded DN were divided by the pixel's relative area a: Poisson noise goes as 1/a, read noise as 1/a**2.
        """
        v0, v1 = self.view.noise.coefficients(self.multiply)
        area = _relative_area(self.where, self.ratio)
        return v0 * float(np.mean(area**-2)), v1 * float(np.mean(area**-1))


def chip_inputs(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    *,
    sky: SkyLevels,
    grid: Grid,
    settings: Settings,
    runner: Runner,
) -> list[ChipInput]:
    """Return all chips as inputs of the product, in the order of the context bits: by exposure, then chip."""
    views = view_chips(exposures, alignment, scales, settings=settings, sky=sky)
    last_gain = views[-1].chip.gain if views else 1.0

    def made(bit: int) -> ChipInput:
        view = views[bit]
        reference = scales.references.get(view.exposure.filter, scales.reference)
        return _chip_input(view, bit, grid, reference=reference, last_gain=last_gain, options=settings.combine)

    return runner.map(made, range(len(views)))


def _chip_input(
    view: ChipView, bit: int, grid: Grid, *, reference: FluxReference, last_gain: float, options: CombineSettings
) -> ChipInput:
    exptime, gain = view.exposure.exptime, view.chip.gain
    ratio = grid.scale / view.side
    fault = gain / last_gain if options.incumbent_gain_fault else 1.0
    # Drizzling averages surface brightness per chip pixel; s**2 makes it a rate per product pixel.
    unit = fault * ratio * ratio / exptime
    multiply = view.factor * unit
    if options.weight == "EXP":
        weight = exptime * gain / (reference.gain * view.factor)
    else:
        weight = ratio * ratio / view.noise.background(view.sky, multiply)
    return ChipInput(
        view=view,
        bit=bit,
        where=chip_map(view.frame, grid),
        ratio=ratio,
        multiply=multiply,
        subtract=view.level * unit,
        weight=weight,
        entry=InputChip(view.root, view.name, exptime, view.factor, view.level, weight, view.frame.scale),
    )


def even_bands(inputs: Sequence[ChipInput], ny: int, count: int) -> list[tuple[int, int]]:
    """Return `count` bands of the product's `ny` rows that about as many chip pixels fall into: the PC's are dense."""
    places: list[NDArray[np.float64]] = []
    for source in inputs:
        height, width = source.where.shape
        x, y = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9))
        places.append(source.where.at(x.ravel(), y.ravel())[1])
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
    source: ChipInput, sci: NDArray[np.float32], bad: NDArray[np.bool_], *, settings: Settings
) -> NDArray[np.float32] | None:
    """Return factors on the weight of a chip's pixels, or None where all are 1.

    The pyramid's soft edge counts where the data-quality bits left any of it; with weight ERR the input's own errors
    take the place of the noise model, and so do inverse variances that the user brought with weight IVM.
    """
    lit, shaded = _shadow(source.view.camera, source.chip.name, source.chip.shape, binning=source.chip.binning)
    relative = lit if lit is not None and not bad.ravel().take(shaded).all() else None
    if source.chip.weights is not None and settings.combine.weight == "IVM":
        return _as_brought(source, relative)
    errors = source.chip.err if settings.combine.weight == "ERR" else None
    if errors is None:
        return relative
    noise, sky = source.view.noise, source.entry.sky / source.entry.factor
    model = noise.background(sky)
    starlight = np.maximum(sci - np.float32(sky), 0) / np.float32(noise.gain)
    # A weight that knew its own source's counts would destroy the source.
    variance = np.maximum(errors * errors - starlight, np.float32(noise.floor / noise.gain**2))
    ratio = np.where(np.isfinite(variance) & (variance > 0), np.float32(model) / variance, np.float32(0))
    return np.ascontiguousarray(ratio if relative is None else ratio * relative, dtype=np.float32)


def _as_brought(source: ChipInput, relative: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return the user's inverse variances over that of the noise model, which `ChipInput.weight` stands for."""
    view = source.view
    assert source.chip.weights is not None
    model = view.noise.background(view.sky) * view.noise.gain**2
    weights = source.chip.weights * np.float32(model)
    return np.ascontiguousarray(weights if relative is None else weights * relative, dtype=np.float32)


@lru_cache(maxsize=16)
def _shadow(
    camera: Camera, chip: str, shape: tuple[int, int], *, binning: int
) -> tuple[NDArray[np.float32] | None, NDArray[np.intp]]:
    """Return the lit share of a whole chip, and the flat indices of the pixels not fully lit."""
    # Part of a chip: the shadow's place in it is not known here, and the DQ covers it.
    if camera.lit_share is None or not camera.is_whole(shape, binning):
        return None, np.zeros(0, np.intp)
    lit = camera.lit_share(chip, shape, binning)
    lit.flags.writeable = False
    return lit, np.flatnonzero(lit < 1)
