"""The product: rate, error, weight and context, from one fused pass over the pixels of each chip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mizzle import kernel
from mizzle.kernel.drop import fill_in, finish
from mizzle.kernel.drop.correlation import drop_correlation, large_area_factor
from mizzle.kernel.drop.finish import FinishedImages
from mizzle.model import (
    Alignment,
    Context,
    CosmicRays,
    Exposure,
    FluxScales,
    Grid,
    Mosaic,
    PackedPlane,
    Runner,
    SkyLevels,
)
from mizzle.settings import Settings
from mizzle.steps.combine.chip_inputs import ChipInput, chip_inputs, even_bands, relative_weight
from mizzle.steps.combine.row_context import ROOM, ProductSums, RowContext, pack_bands

#: Least height of a band of rows handed to a worker.
LEAST_BAND = 64

#: Chips dropped at a time: workers wait for each other once a group.
TOGETHER = 12

#: Bytes of a cell of the sums, and of a chip's pixel while it is dropped: float32, two masks.
_CELL, _LOADED = 32, 6
_NO_PIXELS = np.zeros((0, 0), np.float32)

#: Share of a full exposure's weight that counts as cover: drops and distortion leave no cell at exactly 1.
ALMOST = 0.9


def combine(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    *,
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
    inputs = chip_inputs(exposures, alignment, scales, sky=sky, grid=grid, settings=settings, runner=runner)
    images, context = _drizzled(inputs, grid.shape, cosmic_rays, settings=settings, runner=runner)
    area = grid.relative_area()
    if area is not None:
        images = _per_pixel(images, area, settings.combine.weight)
    filter_name = exposures[0].filter
    correlation = neighbor_correlation(inputs, settings)
    return Mosaic(
        filter=filter_name,
        sci=images.sci,
        err=images.err,
        wht=images.wht,
        context=context,
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


def _drizzled(
    inputs: Sequence[ChipInput], shape: tuple[int, int], rays: CosmicRays, *, settings: Settings, runner: Runner
) -> tuple[FinishedImages, Context]:
    """Drop all chips, some rows of the product at a time where their sums would take too much memory."""
    ny, nx = shape
    images = FinishedImages(*(np.empty(shape, np.float32) for _ in range(3)))
    memory = settings.combine.memory_mb * 2**20
    height = max(LEAST_BAND, int(0.45 * memory) // (nx * _CELL))
    windows = -(-ny // height)
    pixels = sum(source.chip.shape[0] * source.chip.shape[1] for source in inputs)
    loads = _Loads(rays, settings, memory // 4, keep=windows > 1 and pixels * 2 < memory // 3)
    planes: list[list[PackedPlane]] = []
    for top, bottom in pairwise(ny * i // windows for i in range(windows + 1)):
        part = slice(top, bottom)
        sums, context = _window(
            inputs, (top, bottom), nx, loads=loads, settings=settings, runner=runner, whole=windows == 1
        )
        made = FinishedImages(*(image[part] for image in images))
        last = _finish(sums, made, bands=_even(bottom - top, runner.workers), runner=runner)
        del sums  # before the next rows have theirs
        planes.append(context.planes(last, made.wht > 0)[: -(-len(inputs) // 32)])
    for image in images:
        image.flags.writeable = False  # locked here, so that the mosaic need not copy them
    return images, Context(tuple(PackedPlane.joined(bands) for bands in zip(*planes, strict=True)))


def _finish(
    sums: kernel.Accumulator, images: FinishedImages, *, bands: Sequence[tuple[int, int]], runner: Runner
) -> list[PackedPlane]:
    """Turn sums into SCI, ERR and WHT; return the context that was in the cells."""
    context = np.empty((sums.planes, *sums.shape), np.int32)

    def finished(rows: tuple[int, int]) -> NDArray[np.int32]:
        finish(sums, rows, images, context)
        return context[:, slice(*rows)]

    return pack_bands(finished, bands, runner)


def _even(rows: int, workers: int) -> list[tuple[int, int]]:
    """Return even bands of rows, one for each worker."""
    count = max(1, min(workers, rows // LEAST_BAND))
    return list(pairwise(rows * i // count for i in range(count + 1)))


def _window(
    inputs: Sequence[ChipInput],
    window: tuple[int, int],
    nx: int,
    *,
    loads: _Loads,
    settings: Settings,
    runner: Runner,
    whole: bool,
) -> tuple[kernel.Accumulator, RowContext]:
    """Return the sums of some rows of the product, saturated pixels filled in, and the context of most inputs."""
    top, ny = window[0], window[1] - window[0]
    sums = ProductSums(
        kernel.Accumulator((ny, nx), variance=True, context=True),
        kernel.Accumulator((ny, nx), variance=True, context=True, sparse=True),
    )
    for accumulator in sums:
        accumulator.reserve_context(min(len(inputs), ROOM))
    # One band for each worker: what lies across a border is worked out twice.
    bands = (
        even_bands(inputs, ny, max(1, min(runner.workers, ny // LEAST_BAND))) if whole else _even(ny, runner.workers)
    )
    context = RowContext(bands, runner)
    most = max((source.multiply / source.area for source in inputs), default=1.0)
    near = [source for source in inputs if whole or _reaches(source, window)]
    for first in range(0, len(inputs), ROOM):
        if first:
            context.take(sums)
        for group in loads.groups([source for source in near if first <= source.bit < first + ROOM]):
            _accumulate(loads.of(group, runner), sums, bands, top=top, most=most, settings=settings, runner=runner)
            loads.drop_pixels(group)
    # Saturated pixels serve where the others weigh less than one exposure that covers a cell: a cell that unsaturated
    # pixels reach with a corner only would else show a bright star's rim in place of its core.
    enough = ALMOST * min(source.weight for source in inputs)
    context.note_lacking(sums, enough)
    runner.map(lambda rows: fill_in(*sums, enough, rows), bands)
    return sums.most, context


def _reaches(source: ChipInput, window: tuple[int, int]) -> bool:
    """Return whether drops of a chip can reach some rows, wide kernels' included."""
    low, high = source.where.rows_reached()
    reach = 4.0 + 4.0 / source.ratio
    return low - reach <= window[1] and high + reach >= window[0]


class _Loads:
    """Pixels and masks of chips: as many at a time as fit into memory; masks stay where all of them do.

    Parameters
    ----------
    rays, settings
        As in `combine`.
    limit : int
        Bytes of chips at a time.
    keep : bool
        Whether masks stay for the next rows.
    """

    def __init__(self, rays: CosmicRays, settings: Settings, limit: int, *, keep: bool) -> None:
        self._rays, self._settings, self._limit, self._keep = rays, settings, limit, keep
        self._made: dict[int, _Load] = {}

    def groups(self, inputs: Sequence[ChipInput]) -> list[list[ChipInput]]:
        """Return chips in order, in groups that fit; a chip alone always does."""
        groups: list[list[ChipInput]] = []
        room = 0
        for source in inputs:
            ny, nx = source.chip.shape
            room -= ny * nx * _LOADED
            if not groups or room < 0 or len(groups[-1]) == TOGETHER:
                groups.append([])
                room = self._limit - ny * nx * _LOADED
            groups[-1].append(source)
        return groups

    def of(self, group: Sequence[ChipInput], runner: Runner) -> list[_Load]:
        """Return what must be known of some chips to drop them."""

        def load(source: ChipInput) -> _Load:
            made = self._made.get(source.bit)
            if made is None:
                return _Load(source, self._rays, self._settings)
            made.sci = source.chip.sci
            return made

        loads = runner.map(load, group)
        self._made.update({load.source.bit: load for load in loads})
        return loads

    def drop_pixels(self, group: Sequence[ChipInput]) -> None:
        """Let go of a group's pixels, and of its masks where they do not stay."""
        for source in group:
            if self._keep:
                self._made[source.bit].sci = _NO_PIXELS
            else:
                del self._made[source.bit]


class _Load:
    """Pixels of one chip, held while it is dropped."""

    def __init__(self, source: ChipInput, rays: CosmicRays, settings: Settings) -> None:
        self.source = source
        self.sci = source.chip.sci
        view = source.view
        bad, hit = view.bad(), view.hit(rays)
        self.relative = relative_weight(source, self.sci, bad, settings=settings)
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
        *,
        settings: Settings,
        top: int,
        share: float = 1.0,
    ) -> None:
        """Drop the pixels `mask` spares into `rows`, counted from `top`, with a `share` of their weight."""
        source = self.source
        kernel.accumulate(
            accumulator,
            self.sci,
            source.where.moved_down(top) if top else source.where,
            mask=mask,
            multiply=source.multiply,
            subtract=source.subtract,
            weight=share * source.weight / source.area,
            relative_weight=self.relative,
            variance=source.variance,
            pixfrac=settings.combine.pixfrac,
            kernel=settings.combine.kernel,
            pixel_scale_ratio=source.ratio,
            context_bit=source.bit % ROOM,
            rows=rows,
        )


def _accumulate(
    loads: Sequence[_Load],
    into: ProductSums,
    bands: Sequence[tuple[int, int]],
    *,
    top: int,
    most: float,
    settings: Settings,
    runner: Runner,
) -> None:
    """Drop some chips: what is saturated, or next to it, into the spare sums, the rest into the first.

    There those count most that can record most: `most` is the greatest rate of a DN per pixel. The sums begin with row
    `top` of the product; each worker owns bands of rows, so no sum depends on the others.
    """

    def band(rows: tuple[int, int]) -> None:
        for load in loads:
            load.fall(into.most, load.mask, rows, settings=settings, top=top)
            if load.saturated is not None:
                share = (load.source.multiply / load.source.area / most) ** 2
                load.fall(into.spare, load.saturated, rows, settings=settings, top=top, share=share)

    runner.map(band, bands)


def _per_pixel(images: FinishedImages, area: NDArray[np.float32], weight: str) -> FinishedImages:
    """Turn rates per middle pixel into rates per pixel, where pixels differ: the sum over a star is its flux."""
    sci, err, wht = images
    made = FinishedImages(sci * area, err * area, wht if weight == "EXP" else wht / (area * area))
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
