"""Rays that hit the same place in both exposures that know it: the lower one is told by itself."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.kernel import ChipMap
from mizzle.model import Serial
from mizzle.settings import load_settings
from mizzle.steps.reject import find_cosmic_rays
from mizzle.steps.reject.left_alone import find_left_alone
from mizzle.steps.reject.packed import pack
from ray_scores import counts, found, share, simulated
from tiny_visit import exposure, frame, noisy, solutions

SHAPE = (60, 64)
SKY = 3.0


def masks(hits, *, shifts, settings=None, chip="WF3"):
    """Masks of small exposures of sky; `hits`: (exposure, y, x, DN)."""
    rng = np.random.default_rng(5)
    made = []
    for number, shift in enumerate(shifts):
        sci = noisy(rng, SHAPE, SKY, chip, exptime=500.0)
        for _, y, x, height in (hit for hit in hits if hit[0] == number):
            sci[y, x] += height
        made.append(exposure(number, {chip: (sci, np.zeros(SHAPE, int), frame(chip, SHAPE, shift, 4.0))}))
    alignment, scales, sky = solutions(made, SKY)
    rays = find_cosmic_rays(
        made, alignment, scales, sky=sky, settings=settings or load_settings("", []), runner=Serial()
    )
    return [rays.mask(e.root, chip, SHAPE) for e in made]


def crossing(lower):
    """A ray along a row of the first exposure, and a fainter one along a column of the second."""
    return [(0, 30, x, 400.0) for x in range(28, 35)] + [(1, y, 31, lower) for y in range(28, 33)]


@pytest.mark.parametrize("chip", ["PC", "WF3"])
@pytest.mark.parametrize("lower", [60.0, 200.0])
def test_both_rays_go_where_two_exposures_were_hit_at_one_place(lower, chip):
    hits = crossing(lower)
    told = masks(hits, shifts=[(0.0, 0.0), (0.0, 0.0)], chip=chip)
    assert all(told[number][y, x] for number, y, x, _ in hits)


def test_who_wants_comparisons_only_gets_no_more():
    settings = load_settings("", ['reject.method="compare"'])
    told = masks(crossing(200.0), shifts=[(0.0, 0.0), (0.0, 0.0)], settings=settings)
    assert not told[1][30, 31]


def test_rays_on_rays_are_found_as_often_as_in_single_exposures():
    """Two exposures at one pointing, three per cent hit in each: the lower ones, and a tenth of them before."""
    made = simulated(n=2, seed=52, dithers=((0.0, 0.0),), effects=(("cosmic_rays", 0.03),))
    rays, single = found(made), found(made, ['reject.method="single"'])
    told = np.zeros(3)
    for name in ("WF2", "WF3", "WF4"):
        charge = [made.truth.chip(e.root, name).cosmic_rays.electrons() for e in made.exposures]
        dark = made.truth.starlight(made.exposures[0].root, name) < 2
        for number, e in enumerate(made.exposures):
            lower = dark & (charge[number] > 150) & (charge[1 - number] > 1.2 * charge[number])
            masks = [lower, rays.mask(e.root, name, dark.shape) & lower, single.mask(e.root, name, dark.shape) & lower]
            told += [mask.sum() for mask in masks]
    every, flagged, alone = told
    assert every > 200
    # Three standard errors of a share of so many.
    assert flagged / every > alone / every - 1.5 / np.sqrt(every)
    assert share(counts(made, rays)["150"]) > 0.99


class _Searched:
    def __init__(self, mask, alone_too):
        self.packed = pack(mask)
        self.alone_too = None if alone_too is None else np.flatnonzero(alone_too)


class _View:
    def __init__(self, shape):
        self.chip = self
        self.shape = shape


class _Compared:
    def __init__(self, index, shape):
        self.index = index
        self.view = _View(shape)


def test_only_other_exposures_leave_a_pixel_alone():
    """A chip of the same exposure that lies on the same place leaves nothing alone; another's flag a pixel off does."""
    shape = (12, 12)
    mask, alone_too = np.zeros(shape, bool), np.zeros(shape, bool)
    alone_too[5, 6] = alone_too[8, 2] = True
    mask[6, 7] = True
    chips = [_Compared(0, shape), _Compared(0, shape), _Compared(1, shape)]
    maps = [ChipMap.affine(shape, np.eye(2), np.zeros(2))] * 3
    nothing = np.zeros(shape, bool)
    same = [_Searched(nothing, alone_too), _Searched(mask, None), _Searched(nothing, None)]
    other = [_Searched(nothing, alone_too), _Searched(nothing, None), _Searched(mask, None)]
    assert not find_left_alone(chips, maps, same, runner=Serial())[0].size
    assert find_left_alone(chips, maps, other, runner=Serial())[0].tolist() == [5 * 12 + 6]
    nobody = [_Searched(mask, None)] * 3
    assert not any(pixels.size for pixels in find_left_alone(chips, maps, nobody, runner=Serial()))


def test_odds_that_hold_for_one_exposure_take_no_stars_that_another_knows():
    """Stars are few in the ultraviolet, and one exposure alone takes a faint peak for a ray: two show it twice."""
    told = []
    for seed in (61, 62, 63):
        made = simulated(
            n=2, seed=seed, filter="F336W", density=600.0, dithers=((0.0, 0.0),), effects=(("cosmic_rays", 0.03),)
        )
        told.append(counts(made, found(made)))
    flagged, pixels = np.sum([visit[key] for visit in told for key in visit if key.startswith("star")], axis=0)
    assert pixels > 10_000
    assert flagged < 0.002 * pixels
