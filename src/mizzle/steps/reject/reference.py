"""The reference: what the sky looks like to one class of chips, cosmic rays left out.

Every exposure is brought by itself to a grid of the class's own pixel scale (the PC is never judged at the WF's), sky
subtracted, as a rate, and the stack is reduced to one image. The work goes band by band, so that the memory does
not depend on the number of exposures; the bands depend on the settings only, so the result does not depend on the
number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mizzle import kernel
from mizzle.arrays import Indices, UsablePixels
from mizzle.geometry.grid import common_grid
from mizzle.geometry.mapping import back_map, chip_map
from mizzle.kernel.compare import ReferenceImage, reading_bounds
from mizzle.kernel.drop import take_means
from mizzle.kernel.maps import InverseMap
from mizzle.kernel.resample import ChipSource, padded, read_means
from mizzle.kernel.stack import StackRule, fill_holes, reduce_stack
from mizzle.model import Grid, Runner
from mizzle.settings.combine import CombineSettings
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.brighter_stars import may_vary
from mizzle.steps.reject.compared_chip import ComparedChip

#: Rows are handed to the workers in pieces of this height when a stack is reduced.
PIECE = 64
#: Coverage is counted in tiles of this side [pixel]; at most so many exposures are few.
TILE, FEW = 16, 2
#: Rows of a chip kept beyond those that the sampled places of a band need.
SPARE_ROWS = 5
#: Cells read a chip whose pixels differ from them by less than this, in size and, per pixel, in direction.
ALIKE_SIZE, ALIKE_TURN = 0.05, 0.09


#: Saturated pixels enter the reference where their rate is at least this share of that of the second shortest of two
#: exposures that know a star together: the longer one by less than so many times (`StackRule.ratio`, of variances).
MUCH_LONGER, TOGETHER = 0.5, 2.5


@dataclass(frozen=True, eq=False)
class Reference:
    """The sky without cosmic rays, as one class of chips should see it: what its exposures are held against.

    Parameters
    ----------
    grid : Grid
        Its pixels.
    picture : ReferenceImage
        Equalized DN/s per reference pixel, sky subtracted; NaN where fewer than two exposures know.
    exposures : int
        Exposures of the class.
    maps : tuple of ChipMap
        Chip map of each chip, by position in the list of chips.
    trust : float
        Above this value some exposure may be saturated, and the image too low.
    counts : array
        How many exposures cover each tile of the grid (`TILE`).
    stars_vary : bool
        Stars may have changed from one exposure to another.
    """

    grid: Grid
    picture: ReferenceImage
    exposures: int
    maps: tuple[kernel.ChipMap, ...]
    trust: float
    counts: NDArray[np.intp]
    stars_vary: bool = True

    def unit(self, compared: ComparedChip) -> float:
        """Return what an electron on a chip is on this grid."""
        return compared.view.rate * (self.grid.scale / compared.view.side) ** 2 / compared.view.noise.gain

    def thin_coverage(self, number: int) -> NDArray[np.bool_]:
        """Return where at most `FEW` exposures cover a chip's pixels, tile by tile."""
        own = self.maps[number]
        ny, nx = own.shape
        rows, columns = (np.arange(TILE // 2, size + TILE // 2, TILE) for size in (ny, nx))
        x, y = own.lines(np.minimum(rows, ny - 1), 0.5, columns.astype(np.float64))
        i, j = (np.rint(place / TILE - 0.5).astype(np.intp) for place in (x, y))
        tall, wide = self.counts.shape
        tiles = self.counts[np.clip(j, 0, tall - 1), np.clip(i, 0, wide - 1)] <= FEW
        return np.asarray(np.repeat(np.repeat(tiles, TILE, axis=0), TILE, axis=1)[:ny, :nx])


def class_grid(chips: Sequence[ComparedChip]) -> Grid:
    """Return the grid of a class: scale and orientation of its first chip, covering all of them."""
    first = chips[0].view.frame
    settings = CombineSettings(scale=first.scale, rotation=first.orientation())
    return common_grid([compared.view.frame for compared in chips], settings)


def build_reference(chips: Sequence[ComparedChip], settings: RejectSettings, runner: Runner) -> Reference:
    """Bring each exposure to the grid by itself, and reduce the stack.

    Parameters
    ----------
    chips : sequence of ComparedChip
        All of one class, by exposure.
    settings : RejectSettings
        How to drop, and how to reduce.
    runner : Runner
        Threads: by exposure, then by rows of the stack.
    """
    grid = class_grid(chips)
    least_full = least_full_rate(chips)
    placed = runner.map(lambda c: _placed(c, grid, settings, full_counts=c.full_rate >= least_full), chips)
    groups = _by_exposure(placed)
    ny, nx = grid.shape
    image = np.empty((ny, nx), np.float32)
    rule = _rule(groups, settings)
    height = band_height(len(groups), grid.shape, settings.memory_mb)
    hidden: list[Indices] = []
    for top in range(0, ny, height):
        rows = min(height, ny - top)
        stack = np.empty((len(groups), rows, nx), np.float32)

        def drop(number: int, stack: NDArray[np.float32] = stack, top: int = top) -> Indices:
            _separate(groups[number], grid, top, out=stack[number], settings=settings)
            return top * nx + _hidden(groups[number], stack[number])

        def reduce(start: int, stack: NDArray[np.float32] = stack, top: int = top) -> None:
            stop = min(start + PIECE, stack.shape[1])
            reduce_stack(stack, slice(start, stop), rule, image[top + start : top + stop])

        hidden += runner.map(drop, range(len(groups)))
        runner.map(reduce, range(0, rows, PIECE))
    # A star that full pixels hide is no hole: what lies around it is fainter.
    cells = np.concatenate(hidden)
    cells = cells[np.isnan(image.ravel()[cells])]
    # Twice: a column that is bad in most exposures leaves a slit two pixels wide where they touch.
    fill_holes(fill_holes(image, image), image)
    image.reshape(-1)[cells] = np.nan
    trust = settings.trust * min(compared.full_rate * (grid.scale / compared.view.side) ** 2 for compared in chips)
    # Where few know a place, all its light is asked for.
    picture = _picture(image, settings, runner, bounded=len(groups) > FEW and not settings.negative)
    maps = tuple(chip.map for chip in placed)
    return Reference(grid, picture, len(groups), maps, trust, _counts(groups, grid.shape), may_vary(chips))


def _picture(image: NDArray[np.float32], settings: RejectSettings, runner: Runner, *, bounded: bool) -> ReferenceImage:
    """Return the reference as chips are compared with it; with bounds, where not every pixel is looked at anyway."""
    if not bounded:
        return ReferenceImage(image, settings.interpolation)
    ny, nx = image.shape
    edges = np.empty((ny, nx), np.uint32)

    def some(start: int) -> None:
        reading_bounds(image, settings.interpolation, slice(start, min(start + PIECE, ny)), edges)

    runner.map(some, range(0, ny, PIECE))
    return ReferenceImage(image, settings.interpolation, edges)


def _counts(groups: Sequence[Group], shape: tuple[int, int]) -> NDArray[np.intp]:
    """Return the number of exposures at the middle of each tile of the grid."""
    y, x = (TILE * np.arange(-(-n // TILE)) + (TILE - 1) / 2 for n in shape)
    gx, gy = np.meshgrid(x, y)
    total = np.zeros(gx.shape, np.intp)
    for group in groups:
        total += np.any([InverseMap(chip.map).covers(gx, gy) for chip in group], axis=0)
    return total


def band_height(count: int, shape: tuple[int, int], memory_mb: int) -> int:
    """Return the rows of a band whose stack of float32 images fits into `memory_mb`: a multiple of `PIECE`."""
    rows = memory_mb * 2**20 // (4 * count * shape[1])
    pieces = max(1, rows // PIECE)
    bands = -(-shape[0] // (pieces * PIECE))
    even = -(-shape[0] // bands)
    return -(-even // PIECE) * PIECE


Back = tuple[kernel.ChipMap, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Placed:
    """A chip, its map to the grid, the map backward where cells can read it, and whether its full pixels count."""

    compared: ComparedChip
    map: kernel.ChipMap
    back: Back | None
    full_counts: bool


Group = list[Placed]


def _by_exposure(placed: Sequence[Placed]) -> list[Group]:
    groups: dict[int, Group] = {}
    for chip in placed:
        groups.setdefault(chip.compared.index, []).append(chip)
    return list(groups.values())


def least_full_rate(chips: Sequence[ComparedChip]) -> float:
    """Return the least rate of a full pixel that may enter the reference of these chips.

    A full pixel (saturated) says that the rate is its own or more. Without those of a dithered visit a bright star's
    reference would be made of its faint phases only; but those of exposures far longer than two others hide a star that
    these two know. So they count in exposures whose full pixels are about as bright as those of the second shortest.
    A second far shorter still knows nothing beside that one: half a second beside 50, of a star that is full in 200 s.
    Without full pixels the reference had a hole there, and its rim passed for the star.
    """
    by_exposure: dict[int, float] = {}
    for chip in chips:
        by_exposure[chip.index] = max(by_exposure.get(chip.index, 0.0), chip.full_rate)
    rates = sorted(by_exposure.values(), reverse=True)
    together = (longer for shorter, longer in pairwise(rates) if shorter < TOGETHER * longer)
    return MUCH_LONGER * next(together, rates[-1])


def _placed(compared: ComparedChip, grid: Grid, settings: RejectSettings, *, full_counts: bool) -> Placed:
    """Fit a chip's maps to the grid and back."""
    own = chip_map(compared.view.frame, grid)
    return Placed(compared, own, _back(compared, own, grid, settings=settings), full_counts)


def _back(compared: ComparedChip, own: kernel.ChipMap, grid: Grid, *, settings: RejectSettings) -> Back | None:
    """Return the map from the cells to a chip; None where the chip has to be dropped onto them."""
    if settings.kernel != "linear" or settings.pixfrac < 1.0:
        return None
    matrix = np.abs(InverseMap(own).matrix)
    along, across = (np.diag(m) for m in (matrix, matrix[::-1]))
    straight, turned = (along, across) if along.sum() > across.sum() else (across, along)
    if turned.max() > ALIKE_TURN or np.abs(straight - 1.0).max() > ALIKE_SIZE:
        return None
    return back_map(compared.view.frame, grid, own)


def _rule(groups: Sequence[Group], settings: RejectSettings) -> StackRule:
    """Return how to reduce the stack, with each exposure's noise: the mean over its chips, sky in the floor."""
    floor, slope = [], []
    for group in groups:
        chips = [placed.compared for placed in group]
        floor.append(np.mean([s.view.noise.background(s.sky, s.view.rate) for s in chips]))
        # v1 is per DN, the images hold multiply * DN.
        slope.append(np.mean([s.view.noise.coefficients(s.view.rate)[1] / s.view.rate for s in chips]))
    return StackRule(
        method=settings.combine,
        floor=np.array(floor, np.float32),
        slope=np.array(slope, np.float32),
        sigma=settings.combine_sigma,
        structure=settings.combine_structure,
        nlow=settings.nlow,
        nhigh=settings.nhigh,
    )


def _separate(group: Group, grid: Grid, top: int, *, out: NDArray[np.float32], settings: RejectSettings) -> None:
    """Bring one exposure to rows ``top ...`` of the grid: its rate to `out`, or NaN where it covers too little."""
    near = [chip for chip in group if _touches(chip.map, top, top + out.shape[0])]
    least = max(settings.min_coverage, 1e-6)
    if all(chip.back is not None for chip in near):
        sources = [_source(chip, grid, top, rows=out.shape[0], settings=settings) for chip in near]
        read_means([source for source in sources if source is not None], top, least, out)
    else:
        _dropped(near, grid, top, out=out, settings=settings, least=least)


def _hidden(group: Group, image: NDArray[np.float32]) -> Indices:
    """Make the cells unknown that full pixels touch where these do not count, and return them."""
    if all(chip.full_counts for chip in group):
        return np.zeros(0, np.intp)
    cells = np.flatnonzero(np.isinf(image))
    image.reshape(-1)[cells] = np.nan
    return cells


def _scaled(compared: ComparedChip, grid: Grid) -> tuple[float, float]:
    """Return DN to the grid's unit, and the sky in it."""
    ratio = grid.scale / compared.view.side
    multiply = compared.view.rate * ratio * ratio
    return multiply, compared.sky * multiply


def _usable(chip: Placed, settings: RejectSettings, rows: slice | None = None) -> UsablePixels:
    """Return signal [DN] and the pixels that must not enter the reference, of all rows or some.

    Saturated pixels may where they are as bright as any that two exposures record; see `least_full_rate`. Else they are
    infinite, and with them the cells that they touch: without its brightest pixel a star's flank would pass for its
    core.
    """
    compared = chip.compared
    allow = compared.view.camera.saturated
    sci, bad = compared.pixels(allow) if rows is None else compared.rows(rows.start, rows.stop, allow)
    if not chip.full_counts:
        usable = compared.pixels() if rows is None else compared.rows(rows.start, rows.stop)
        sci = np.where(usable.bad & ~bad, np.float32(np.inf), sci)
    low, high = settings.combine_low, settings.combine_high
    if low is not None:
        bad = bad | (sci < low + compared.sky)
    if high is not None:
        bad = bad | (sci > high + compared.sky)
    return UsablePixels(sci, bad)


def _source(chip: Placed, grid: Grid, top: int, *, rows: int, settings: RejectSettings) -> ChipSource | None:
    """Return a chip as the cells of so many rows read it: of its pixels, those they need; None where they need none."""
    assert chip.back is not None
    needed = rows_needed(*chip.back, top, rows=rows, ny=chip.compared.view.chip.shape[0])
    if needed.start >= needed.stop:
        return None
    sci, bad = _usable(chip, settings, needed)
    edges = chip.map.row_edges
    shift = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    return ChipSource(*chip.back, shift, padded(sci, bad, *_scaled(chip.compared, grid)), needed.start)


def rows_needed(back: kernel.ChipMap, corner: tuple[int, int], top: int, *, rows: int, ny: int) -> slice:
    """Return the rows of a chip of `ny` that cells of the frame's rows ``top .. top + rows - 1`` read.

    Parameters
    ----------
    back : ChipMap
        From cells of a box to pixels.
    corner : (int, int)
        Row and column of the box on the frame.
    top, rows, ny : int
        Rows of the frame, and of the chip.
    """
    low, high = max(top - corner[0], 0), min(top + rows - corner[0], back.shape[0])
    if low >= high:
        return slice(0, 0)
    columns = np.linspace(0.0, back.shape[1] - 1.0, 17)
    _, y = back.lines(np.array([low, high - 1]), 0.5, columns)
    return slice(max(int(y.min()) - SPARE_ROWS, 0), min(int(y.max()) + 1 + SPARE_ROWS, ny))


def _dropped(
    group: Group, grid: Grid, top: int, *, out: NDArray[np.float32], settings: RejectSettings, least: float
) -> None:
    """Drizzle the chips of one exposure."""
    accumulator = kernel.Accumulator(out.shape)
    for chip in group:
        compared, ratio = chip.compared, grid.scale / chip.compared.view.side
        sci, bad = _usable(chip, settings)
        multiply, subtract = _scaled(compared, grid)
        kernel.accumulate(
            accumulator,
            sci,
            _moved(chip.map, top),
            mask=bad.view(np.uint8),
            multiply=multiply,
            subtract=subtract,
            weight=1.0 / ratio**2,
            pixfrac=settings.pixfrac,
            kernel="square" if settings.kernel == "linear" else settings.kernel,
            pixel_scale_ratio=ratio,
        )
    take_means(accumulator, least, out)


def _moved(own: kernel.ChipMap, top: int) -> kernel.ChipMap:
    """Return the map onto a frame whose row 0 is row `top`: the constant term of y carries it."""
    cy = own.cy.copy()
    cy[0, 0] -= top
    return replace(own, cy=cy)


def _touches(own: kernel.ChipMap, low: int, high: int) -> bool:
    """Return whether the chip can reach rows ``low .. high - 1``."""
    first, last = own.rows_reached()
    return first <= high + 2.0 and last >= low - 2.0
