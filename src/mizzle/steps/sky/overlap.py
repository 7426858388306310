"""Match skies where exposures overlap: least squares over all pairs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.dq import bad_pixels, good_bits
from mizzle.model import ChipFrame, Exposure
from mizzle.settings import Settings
from mizzle.steps.sky.chips import ChipSky

FloatArray = NDArray[np.float64]

_FEWEST_BLOCKS = 4


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
    ra, dec : (my, mx) array
        Centers of the blocks [deg].
    """

    sky: ChipSky
    frame: ChipFrame
    side: int
    values: FloatArray
    ra: FloatArray
    dec: FloatArray


@dataclass(frozen=True)
class Link:
    """Units `one` and `two` differ by `difference` in surface brightness; `weight` blocks say so."""

    one: Hashable
    two: Hashable
    difference: float
    weight: float


def block_sky(exposure: Exposure, sky: ChipSky, frame: ChipFrame, settings: Settings) -> BlockSky:
    """Average the clipped sky pixels of a chip in square blocks."""
    chip, side = exposure.chips[sky.chip], settings.sky.match_block
    ny, nx = (n // side * side for n in chip.shape)
    sci = chip.sci[:ny, :nx]
    bad = bad_pixels(sci, chip.dq[:ny, :nx], good_bits(settings.dq.good))
    # The clipped mean of a block; whole DN do not hurt a mean.
    with np.errstate(invalid="ignore"):
        use = ~bad & (np.abs(sci - sky.dn.level) <= settings.sky.clip * sky.dn.sigma)
    shape = (ny // side, side, nx // side, side)
    count = use.reshape(shape).sum(axis=(1, 3))
    total = np.where(use, sci, 0).reshape(shape).sum(axis=(1, 3), dtype=np.float64)
    values = np.where(count >= side * side / 2, total / np.maximum(count, 1) * sky.unit, np.nan)
    y, x = np.mgrid[0 : shape[0], 0 : shape[2]] * float(side) + 0.5 * (side - 1)
    ra, dec = frame.pixel_to_sky(x, y)
    return BlockSky(sky, frame, side, values, ra, dec)


def find_links(blocks: Sequence[BlockSky], *, by_chip: bool) -> list[Link]:
    """Compare every two chips where they overlap.

    Parameters
    ----------
    blocks : sequence of BlockSky
        All chips of one filter.
    by_chip : bool
        Whether a unit is a chip, ``(root, chip)``, or a whole exposure, ``root``.
    """
    links = []
    for i, one in enumerate(blocks):
        for two in blocks[i + 1 :]:
            if one.sky.root == two.sky.root and not by_chip:
                continue
            here, there = _seen_by(one, two), _seen_by(two, one)
            if min(here.size, there.size) >= _FEWEST_BLOCKS:
                difference = float(np.median(here) - np.median(there))
                weight = float(min(here.size, there.size))
                links.append(Link(_unit(one, by_chip), _unit(two, by_chip), difference, weight))
    return links


def _unit(block: BlockSky, by_chip: bool) -> Hashable:
    return (block.sky.root, block.sky.chip) if by_chip else block.sky.root


def _seen_by(one: BlockSky, two: BlockSky) -> FloatArray:
    """Return the blocks of `one` that lie on usable blocks of `two`."""
    reach = 0.75 * (one.frame.scale * max(one.frame.shape) + two.frame.scale * max(two.frame.shape)) / 3600.0
    cosine = np.cos(np.deg2rad(two.frame.crval[1]))
    apart = np.hypot((one.ra[0, 0] - two.ra[0, 0] + 180.0) % 360.0 - 180.0, 0.0) * cosine
    if apart > 2 * reach or abs(one.dec[0, 0] - two.dec[0, 0]) > 2 * reach:
        return np.empty(0)
    usable = np.isfinite(one.values)
    x, y = two.frame.sky_to_pixel(one.ra[usable], one.dec[usable])
    column, row = np.floor((x + 0.5) / two.side), np.floor((y + 0.5) / two.side)
    inside = (column >= 0) & (row >= 0) & (column < two.values.shape[1]) & (row < two.values.shape[0])
    seen = np.zeros(x.size, dtype=np.bool_)
    seen[inside] = np.isfinite(two.values[row[inside].astype(np.intp), column[inside].astype(np.intp)])
    result: FloatArray = one.values[usable][seen]
    return result


def solve_links(
    units: Sequence[Hashable], links: Sequence[Link]
) -> tuple[Mapping[Hashable, float], list[list[Hashable]]]:
    """Find the offset of each unit, so that overlaps agree once offsets are taken away.

    Parameters
    ----------
    units : sequence
        All units, linked or not.
    links : sequence of Link
        Differences.

    Returns
    -------
    offsets : mapping
        By unit; the smallest of each connected group is 0.
    groups : list of list
        Connected units, in the order of `units`.
    """
    groups = _groups(units, links)
    offsets: dict[Hashable, float] = {}
    for group in groups:
        index = {unit: i for i, unit in enumerate(group)}
        mine = [link for link in links if link.one in index and link.one != link.two]
        design = np.zeros((len(mine) + 1, len(group)))
        target = np.zeros(len(mine) + 1)
        design[-1] = 1.0  # ties the free constant; any value serves, the smallest is taken off below
        for row, link in enumerate(mine):
            weight = np.sqrt(link.weight)
            design[row, index[link.one]], design[row, index[link.two]] = weight, -weight
            target[row] = weight * link.difference
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        solution -= solution.min()
        offsets.update(zip(group, solution.tolist(), strict=True))
    return offsets, groups


def _groups(units: Sequence[Hashable], links: Sequence[Link]) -> list[list[Hashable]]:
    """Sort units into groups that links connect."""
    label = {unit: i for i, unit in enumerate(units)}
    for link in links:
        old, new = sorted((label[link.one], label[link.two]), reverse=True)
        label = {unit: new if mark == old else mark for unit, mark in label.items()}
    return [[u for u in units if label[u] == mark] for mark in dict.fromkeys(label.values())]
