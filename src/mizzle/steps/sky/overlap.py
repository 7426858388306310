"""Match skies where exposures overlap: blocks of every chip, read on one set of cells on the sky.

A nebula or a galaxy is on the sky: all chips see it, and it drops out of differences. What a chip has too much of is
its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model import ChipFrame, deproject, project
from mizzle.model.sky import known_skies
from mizzle.settings import Settings
from mizzle.steps.chip_view import ChipView
from mizzle.steps.sky.chips import ChipSky

Unit = tuple[str, str]

#: An overlap of fewer cells links nothing.
_FEWEST_CELLS = 4
#: Weight of "all chips of an exposure have one sky", of "that sky is the one its chips measured" [cell]: a cell is good
#: to 0.05 DN or so, pedestals differ by 1 DN.
_ONE_SKY, _MEASURED = 2e-3, 1e-5
#: Rounds of least squares; cells farther off than this count less [sigma].
_ROUNDS, _HUBER = 8, 2.0
#: Every so many pixels of a block find its middle, about which all are clipped.
_SOME = 3
#: Cells whose readings are multiplied at once.
_CELLS_TOGETHER = 1024
#: A structured sky is read between blocks no better than this, relative to what stands above the chip's sky.
_STRUCTURE = 0.02


@dataclass(frozen=True, eq=False)
class BlockSky:
    """Sky in blocks of one chip.

    Parameters
    ----------
    sky : ChipSky
        Whose blocks.
    frame : ChipFrame
        Aligned.
    side : int
        Side of a block [pixel].
    values : (my, mx) array
        Surface brightness; NaN where under half of the block is usable.
    error : (my, mx) array
        Of the values.
    """

    sky: ChipSky
    frame: ChipFrame
    side: int
    values: FloatArray
    error: FloatArray

    @property
    def unit(self) -> Unit:
        """Root and chip."""
        return self.sky.root, self.sky.chip


@dataclass(frozen=True, eq=False)
class Matched:
    """Levels that make overlaps agree.

    Parameters
    ----------
    exposures : mapping
        Surface brightness by root: what all chips of an exposure have in common.
    chips : mapping
        By (root, chip): the same, and what a chip has of its own.
    groups : list of list of (str, str)
        Chips that chains of overlaps connect.
    """

    exposures: Mapping[str, float]
    chips: Mapping[Unit, float]
    groups: list[list[Unit]]


def block_sky(view: ChipView, sky: ChipSky, settings: Settings) -> BlockSky:
    """Average the clipped pixels of a chip in square blocks, each around its own median: a nebula is kept."""
    chip, gain, side = view.chip, view.noise.gain, settings.sky.match_block
    ny, nx = (n // side * side for n in chip.shape)
    tall, wide = ny // side, nx // side

    def blocks(image: NDArray[Any]) -> NDArray[Any]:
        return image[:ny, :nx].reshape(tall, side, wide, side).swapaxes(1, 2).reshape(tall, wide, side * side)

    sci = blocks(chip.sci)
    bad = blocks(view.bad())
    # Bad pixels go to both ends in turn, so that the middle stays that of the good.
    sampled = sci[..., ::_SOME]
    ends = np.where(np.arange(sampled.shape[2]) % 2 == 0, np.float32(np.inf), np.float32(-np.inf))
    half = sampled.shape[2] // 2
    middle = np.partition(np.where(bad[..., ::_SOME], ends, sampled), half, axis=2)[..., half]
    middle = np.where(np.isfinite(middle), middle, sky.dn.level)
    sigma = np.sqrt(sky.dn.sigma**2 + np.maximum(middle - sky.dn.level, 0.0) / gain)
    # The clipped mean of a block; whole DN do not hurt a mean.
    with np.errstate(invalid="ignore"):
        use = ~bad & (np.abs(sci - middle[..., None]) <= (settings.sky.clip * sigma)[..., None])
    count = use.sum(axis=2)
    total = np.where(use, sci, 0).sum(axis=2, dtype=np.float64)
    values = np.where(count >= side * side / 2, total / np.maximum(count, 1), np.nan)
    error = np.hypot(sigma / np.sqrt(np.maximum(count, 1)), _STRUCTURE * (values - sky.dn.level))
    return BlockSky(sky, view.frame, side, values * sky.unit, error * sky.unit)


@dataclass(frozen=True, eq=False)
class _Readings:
    """What chips say about cells: numbers of cell and unit, value, weight (1 for the usual `error`)."""

    cell: NDArray[np.intp]
    unit: NDArray[np.intp]
    value: FloatArray
    weight: FloatArray
    error: float


def match_blocks(blocks: Sequence[BlockSky]) -> Matched:
    """Find the level of each exposure and chip, so that overlaps agree once levels are taken away.

    Parameters
    ----------
    blocks : sequence of BlockSky
        All chips of one filter that have a sky.

    Returns
    -------
    matched : Matched
        Differences count; the whole rests on what the chips measured. A chip that nothing ties to others has the
        level of its exposure; an exposure that nothing ties, its chips' faintest.
    """
    if not blocks:
        return Matched({}, {}, [])
    roots = list(dict.fromkeys(block.sky.root for block in blocks))
    lowest = {root: min(b.sky.brightness for b in blocks if b.sky.root == root) for root in roots}
    owner = np.array([roots.index(block.sky.root) for block in blocks])
    readings = _read(blocks)
    measured = np.array(list(lowest.values()))
    units = np.array([min(b.sky.unit for b in blocks if b.sky.root == root) for root in roots])
    offset, own = _solve(readings, owner, measured, light=units / np.median(units))
    # The whole rests on most exposures, not on their mean, and on none that knows far less than another.
    offset = offset + float(np.median((measured - offset)[known_skies(measured, units)]))
    levels = offset[owner] + own
    labels = _groups(readings, len(blocks))
    groups = [
        [block.unit for block, label in zip(blocks, labels, strict=True) if label == mark]
        for mark in dict.fromkeys(labels)
    ]
    chips = {block.unit: float(level) for block, level in zip(blocks, levels, strict=True)}
    return Matched(dict(zip(roots, offset.tolist(), strict=True)), chips, groups)


def _read(blocks: Sequence[BlockSky]) -> _Readings:
    """Read all blocks on common cells of the sky."""
    center = (float(blocks[0].frame.crval[0]), float(blocks[0].frame.crval[1]))
    pitch = max(block.side * block.frame.scale for block in blocks) / 3600.0
    parts = [_on_cells(block, center, pitch) for block in blocks]
    names = np.concatenate([cells for cells, _, _ in parts])
    _, cell = np.unique(names, axis=0, return_inverse=True) if names.size else (None, np.zeros(0, np.intp))
    unit = np.repeat(np.arange(len(blocks)), [len(cells) for cells, _, _ in parts])
    value, error = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    weight = 1.0 / np.maximum(np.square(error), 1e-30)
    usual = max(float(np.median(weight)), 1e-300) if weight.size else 1.0
    return _Readings(np.asarray(cell).ravel(), unit, value, weight / usual, usual**-0.5)


def _on_cells(
    block: BlockSky, center: tuple[float, float], pitch: float
) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
    """Return the cells whose middle a chip's blocks enclose, and the sky there, between four blocks, and its error."""
    nothing = np.zeros((0, 2), np.intp), np.zeros(0), np.zeros(0)
    tall, wide = block.values.shape
    if tall < 2 or wide < 2:
        return nothing
    edge = 0.5 * (block.side - 1)
    x, y = (np.array([edge, edge + (n - 1) * block.side]) for n in (wide, tall))
    xi, eta = project(*block.frame.pixel_to_sky(*np.meshgrid(x, y)), center)
    if not (np.isfinite(xi).all() and np.isfinite(eta).all()):
        return nothing
    ranges = [np.arange(np.ceil(v.min() / pitch), np.floor(v.max() / pitch) + 1) for v in (xi, eta)]
    i, j = (grid.ravel() for grid in np.meshgrid(*ranges))
    x, y = block.frame.sky_to_pixel(*deproject(i * pitch, j * pitch, center), iterations=4)
    u, v = (x - edge) / block.side, (y - edge) / block.side
    inside = (u >= 0) & (v >= 0) & (u <= wide - 1) & (v <= tall - 1)
    u, v, i, j = u[inside], v[inside], i[inside], j[inside]
    column, row = (np.minimum(w.astype(np.intp), n - 2) for w, n in ((u, wide), (v, tall)))
    u, v = u - column, v - row

    def between(table: FloatArray) -> FloatArray:
        low = (1 - u) * table[row, column] + u * table[row, column + 1]
        return np.asarray((1 - v) * low + v * ((1 - u) * table[row + 1, column] + u * table[row + 1, column + 1]))

    value = between(block.values)
    known = np.isfinite(value)
    cells = np.stack([i, j], axis=1).astype(np.intp)
    return cells[known], value[known], between(block.error)[known]


def _solve(
    readings: _Readings, owner: NDArray[np.intp], measured: FloatArray, *, light: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each exposure's level, and what each chip has of its own: least squares, the cells' skies eliminated.

    `light` is what a DN makes in each exposure, over the median, as errors are over the usual one: so much more may a
    short exposure have of its own, and so much less a long one.
    """
    exposures, units = measured.size, owner.size
    of_exposure = np.zeros((units, exposures))
    of_exposure[np.arange(units), owner] = 1.0
    prior = np.concatenate([_MEASURED / light**2, _ONE_SKY / light[owner] ** 2])
    wanted = np.concatenate([measured, np.zeros(units)])
    cells = int(readings.cell.max(initial=-1)) + 1
    trust = np.ones(readings.value.size)
    answer = wanted
    for _ in range(_ROUNDS):
        weight = readings.weight * trust
        total = np.maximum(np.bincount(readings.cell, weight, minlength=cells), 1e-300)
        shared = cell_products(readings.cell, readings.unit, weight, units=units, scale=1.0 / total)
        normal = np.diag(np.bincount(readings.unit, weight, minlength=units)) - shared
        mean = np.bincount(readings.cell, weight * readings.value, minlength=cells) / total
        target = np.bincount(readings.unit, weight * (readings.value - mean[readings.cell]), minlength=units)
        # Unknowns are the exposures' levels, then what each unit has of its own.
        by_exposure = of_exposure.T @ normal
        matrix = np.block([[by_exposure @ of_exposure, by_exposure], [by_exposure.T, normal]]) + np.diag(prior)
        sums = np.concatenate([of_exposure.T @ target, target])
        answer = np.linalg.solve(matrix, sums + prior * wanted)
        # One chip with a great pedestal, rather than all with a part of it.
        pedestal = answer[exposures:] / (readings.error * light[owner])
        prior[exposures:] = _ONE_SKY / (light[owner] * (1.0 + _ONE_SKY * pedestal**2)) ** 2
        left = readings.value - (answer[owner] + answer[exposures:])[readings.unit]
        mean = np.bincount(readings.cell, weight * left, minlength=cells) / total
        pull = np.abs(left - mean[readings.cell]) * np.sqrt(readings.weight)
        several = pull[pull > 0]
        scale = max(1.4826 * float(np.median(several)), 1e-300) if several.size else 1.0
        trust = np.minimum(1.0, _HUBER * scale / np.maximum(pull, 1e-300))
    return answer[:exposures], answer[exposures:]


def cell_products(
    cell: NDArray[np.intp], unit: NDArray[np.intp], weight: FloatArray, *, units: int, scale: FloatArray
) -> FloatArray:
    """Return, for each pair of units, the sum over cells of both their weights and the cell's `scale`.

    Parameters
    ----------
    cell, unit, weight : (n,) array
        Readings; several of one unit in one cell add up.
    units : int
        Number of units.
    scale : (cells,) array
        Factor of each cell.

    Returns
    -------
    products : (units, units) array
    """
    order = np.argsort(cell, kind="stable")
    cell, unit, weight = cell[order], unit[order], weight[order]
    products = np.zeros((units, units))
    for first in range(0, scale.size, _CELLS_TOGETHER):
        count = min(_CELLS_TOGETHER, scale.size - first)
        chunk = slice(*np.searchsorted(cell, (first, first + count)).tolist())
        place = (cell[chunk] - first) * units + unit[chunk]
        table = np.bincount(place, weight[chunk], minlength=count * units).reshape(count, units)
        products += table.T @ (table * scale[first : first + count, None])
    return products


def _groups(readings: _Readings, units: int) -> list[int]:
    """Label units by those that overlaps of some cells connect, in the order of each group's first."""
    cells = int(readings.cell.max(initial=-1)) + 1
    ones = np.ones(readings.cell.size)
    common = cell_products(readings.cell, readings.unit, ones, units=units, scale=np.ones(cells))
    linked = common >= _FEWEST_CELLS
    labels = np.full(units, -1, np.intp)
    for first in range(units):
        if labels[first] >= 0:
            continue
        label, reached = labels.max(initial=-1) + 1, np.arange(units) == first
        while reached.any():
            labels[reached] = label
            reached = linked[reached].any(axis=0) & (labels < 0)
    return [int(label) for label in labels]


def join_groups(groups: Sequence[Sequence[Unit]], *, by_chip: bool) -> list[list[Hashable]]:
    """Return groups of chips, or of the exposures they belong to."""
    if by_chip:
        return [list(members) for members in groups]
    joined: list[list[Hashable]] = []
    for members in groups:
        roots: list[Hashable] = list(dict.fromkeys(root for root, _ in members))
        touching = [known for known in joined if any(root in known for root in roots)]
        merged = list(dict.fromkeys([root for known in touching for root in known] + roots))
        joined = [known for known in joined if known not in touching] + [merged]
    return joined
