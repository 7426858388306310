"""The product: rate, error, weight and context, from one fused pass over the pixels of each chip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mizzle import kernel
from mizzle.kernel.drop import fill_in, finish
from mizzle.kernel.drop.correlation import drop_correlation, large_area_factor
from mizzle.model import (
    Alignment,
    CosmicRays,
    Exposure,
    FluxScales,
    Grid,
    Mosaic,
    Runner,
    SkyLevels,
)
from mizzle.settings import Settings
from mizzle.steps.combine.chip_inputs import ChipInput, chip_inputs, even_bands, relative_weight

#: Least height of a band of rows handed to a worker.
LEAST_BAND = 64

#: Chips dropped at a time: workers wait for each other once a group.
TOGETHER = 12

#: Share of a full exposure's weight that counts as cover: drops and distortion leave no cell at exactly 1.
ALMOST = 0.9


def combine(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    sky: SkyLevels,
    cosmic_rays: CosmicRays,
    grid: Grid,
    settings: Settings,
    runner: Runner,
) -> Mosaic:
    """Drizzle all chips of all exposures of one filter.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter, one at least.
    alignment, scales, sky, cosmic_rays
        Solutions of the steps before.
    grid : Grid
        The product's pixels.
    settings : Settings
        ``combine``, ``noise``, ``dq``.
    runner : Runner
        Threads: by bands of rows. The sums are the same for any number of them, to the last bit.

    Returns
    -------
    mosaic : Mosaic
        SCI and ERR [DN/s at the reference's PHOTFLAM, per product pixel], WHT, CTX.

    Notes
    -----
    A pixel's value is ``DN * factor * s**2 / t - sky``, its weight ``w / s**2`` (Fruchter & Hook 2002, PASP 114, 144):
    `factor` is PHOTFLAM over the reference's, s the product's pixel side over the chip's. The gain is in the noise and
    in the weights, never in a value.
    """
    inputs = chip_inputs(exposures, alignment, scales, sky, grid=grid, settings=settings, runner=runner)
    sums = kernel.Accumulator(grid.shape, variance=True, context=True)
    spare = kernel.Accumulator(grid.shape, variance=True, context=True, sparse=True)
    for one in (sums, spare):
        one.reserve_context(len(inputs))
    # One band for each worker: what lies across a border is worked out twice.
    ny = grid.shape[0]
    bands = even_bands(inputs, ny, max(1, min(runner.workers, ny // LEAST_BAND)))
    most = max((source.multiply / source.area for source in inputs), default=1.0)
    for first in range(0, len(inputs), TOGETHER):
        _accumulate(inputs[first : first + TOGETHER], (sums, spare), bands, cosmic_rays, most, settings, runner)
    # Saturated pixels serve where the others weigh less than one exposure that covers a cell: a cell that unsaturated
    # pixels reach with a corner only would else show a bright star's rim in place of its core.
    enough = ALMOST * min(source.weight for source in inputs)
    runner.map(lambda rows: fill_in(sums, spare, enough, rows), bands)
    sci, err, wht, ctx = _finish(sums, bands, runner)
    area = grid.relative_area()
    if area is not None:
        sci, err, wht = _per_pixel((sci, err, wht), area, settings.combine.weight)
    filter_name = exposures[0].filter
    correlation = neighbor_correlation(inputs, settings)
    return Mosaic(
        filter=filter_name,
        sci=sci,
        err=err,
        wht=wht,
        ctx=ctx,
        grid=grid,
        reference=scales.references.get(filter_name, scales.reference),
        inputs=tuple(source.entry for source in inputs),
        pixfrac=settings.combine.pixfrac,
        kernel=settings.combine.kernel,
        exptime=float(sum(exposure.exptime for exposure in exposures)),
        weight_type=settings.combine.weight,
        noise_correlation={name: large_area_factor(table) for name, table in correlation.items()},
        neighbor_correlation=correlation,
        fill=float("nan") if settings.combine.fill is None else settings.combine.fill,
    )


class _Load:
    """Pixels of one chip, held while it is dropped."""

    def __init__(self, source: ChipInput, rays: CosmicRays, settings: Settings) -> None:
        self.source = source
        self.sci = source.chip.sci
        view = source.view
        bad, hit = view.bad(), view.hit(rays)
        self.relative = relative_weight(source, self.sci, bad, settings)
        self.saturated: NDArray[np.uint8] | None = None
        near = view.near_saturated(settings.dq.saturated_reach)
        if settings.dq.saturated and near.any():
            # Part of a core that lost the rest is worse than nothing: it waits with the saturated pixels.
            self.saturated = (~(near & (view.saturated() | ~(bad | hit)))).view(np.uint8)
        self.mask = (bad | hit | near).view(np.uint8)

    def fall(
        self,
        accumulator: kernel.Accumulator,
        mask: NDArray[np.uint8],
        rows: tuple[int, int],
        settings: Settings,
        share: float = 1.0,
    ) -> None:
        """Drop the pixels `mask` spares into `rows`, with a `share` of their weight."""
        source = self.source
        kernel.accumulate(
            accumulator,
            self.sci,
            source.where,
            mask=mask,
            multiply=source.multiply,
            subtract=source.subtract,
            weight=share * source.weight / source.area,
            relative_weight=self.relative,
            variance=source.variance,
            pixfrac=settings.combine.pixfrac,
            kernel=settings.combine.kernel,
            pixel_scale_ratio=source.ratio,
            context_bit=source.bit,
            rows=rows,
        )


def _accumulate(
    inputs: Sequence[ChipInput],
    into: tuple[kernel.Accumulator, kernel.Accumulator],
    bands: Sequence[tuple[int, int]],
    rays: CosmicRays,
    most: float,
    settings: Settings,
    runner: Runner,
) -> None:
    """Drop some chips: what is saturated, or next to it, into the spare sums, the rest into the first.

    There those count most that can record most: `most` is the greatest rate of a DN per pixel.

    These chips only are in memory; each worker owns bands of rows, so no sum depends on the others.
    """
    loads = runner.map(lambda source: _Load(source, rays, settings), inputs)

    def band(rows: tuple[int, int]) -> None:
        for load in loads:
            load.fall(into[0], load.mask, rows, settings)
            if load.saturated is not None:
                share = (load.source.multiply / load.source.area / most) ** 2
                load.fall(into[1], load.saturated, rows, settings, share)

    runner.map(band, bands)


Planes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def _finish(sums: kernel.Accumulator, bands: Sequence[tuple[int, int]], runner: Runner) -> Planes:
    """Turn sums into SCI, ERR, WHT and CTX."""
    sci, err, wht = (np.empty(sums.shape, np.float32) for _ in range(3))
    context = np.empty(sums.shape if sums.planes == 1 else (sums.planes, *sums.shape), np.int32)
    planes = context.reshape(sums.planes, *sums.shape)
    runner.map(lambda rows: finish(sums, rows, (sci, err, wht), planes), bands)
    for image in (sci, err, wht, context):
        image.flags.writeable = False  # locked here, so that the mosaic need not copy them
    return sci, err, wht, context


def _per_pixel(
    planes: tuple[NDArray[np.float32], ...], area: NDArray[np.float32], weight: str
) -> tuple[NDArray[np.float32], ...]:
    """Turn rates per middle pixel into rates per pixel, where pixels differ: the sum over a star is its flux."""
    sci, err, wht = planes
    made = (sci * area, err * area, wht if weight == "EXP" else wht / (area * area))
    for image in made:
        image.flags.writeable = False
    return made


def neighbor_correlation(inputs: Sequence[ChipInput], settings: Settings) -> dict[str, NDArray[np.float64]]:
    """Return the correlation of neighboring pixels for each chip, the mean over its exposures."""
    tables: dict[str, list[NDArray[np.float64]]] = {}
    for source in inputs:
        correlation = drop_correlation(
            _jacobian(source.where),
            pixfrac=settings.combine.pixfrac,
            kernel=settings.combine.kernel,
            pixel_scale_ratio=source.ratio,
        )
        tables.setdefault(source.chip.name, []).append(correlation)
    return {name: _mean_table(some) for name, some in tables.items()}


def _mean_table(tables: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Average centered tables; smaller ones are 0 outside."""
    side = max(len(table) for table in tables)
    wide = [np.pad(table, (side - len(table)) // 2) for table in tables]
    mean: NDArray[np.float64] = np.mean(wide, axis=0)
    return mean


def _jacobian(where: kernel.ChipMap) -> NDArray[np.float64]:
    """Return product pixels per chip pixel in the middle of a chip."""
    ny, nx = where.shape
    x, y = (nx - 1) / 2, (ny - 1) / 2
    xs, ys = where.at(np.array([x - 0.5, x + 0.5, x, x]), np.array([y, y, y - 0.5, y + 0.5]))
    return np.array([[xs[1] - xs[0], xs[3] - xs[2]], [ys[1] - ys[0], ys[3] - ys[2]]])
