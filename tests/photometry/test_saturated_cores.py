"""Saturated cores on small chips: what is a star's, whose it is, and whether an exposure shows the star whole."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mizzle.arrays import Places
from mizzle.geometry.grid import common_grid
from mizzle.instrument.cameras import WFPC2
from mizzle.model import Serial
from mizzle.settings import Settings
from mizzle.steps.catalog.saturated_stars import _widest, find_saturated_stars
from mizzle.steps.chip_view import view_chips
from tiny_visit import exposure, frame, solutions

SHAPE, SKY, FULL = (60, 80), 4.0, 8
MIDDLE = (30, 40)


def chip_with(cores, wings=(0.3, 0.1, 0.05)):
    """A WF3 with saturated cores, (row, column, height, width), and light beside them [share of the full well]."""
    sci, dq = np.full(SHAPE, SKY, np.float32), np.zeros(SHAPE, int)
    for row, column, height, width in cores:
        rows = slice(row - height // 2, row - height // 2 + height)
        first = column - width // 2
        for away in range(len(wings), -1, -1):
            light = WFPC2.full_well * (1.0, *wings)[away]
            sci[rows, first - away : first + width + away] = SKY + light
        dq[rows, first : first + width] = FULL
    return sci, dq, frame("WF3", SHAPE)


def stars(*chips):
    """Columns of the saturated stars that exposures of such chips make, on the first one's pixels."""
    exposures = [exposure(number, {"WF3": chip}) for number, chip in enumerate(chips, 1)]
    alignment, scales, sky = solutions(exposures, SKY)
    views = view_chips(exposures, alignment, scales, settings=Settings(), sky=sky)
    grid = common_grid([view.frame for view in views], Settings().combine)
    nothing = Places(np.zeros(0), np.zeros(0))
    listed = find_saturated_stars(SimpleNamespace(grid=grid), views, nothing, aperture=0.5, runner=Serial())
    return views[0].frame.sky_to_pixel(*grid.pixel_to_sky(listed.x, listed.y)).x.tolist()


@pytest.mark.parametrize(("height", "width", "listed"), [(2, 1, False), (1, 2, False), (2, 3, True), (5, 5, True)])
def test_a_star_leaves_a_hole_of_some_pixels(height, width, listed):
    """Two pixels may be full where the star is no brighter than the next that is measured."""
    assert len(stars(chip_with([(*MIDDLE, height, width)]))) == listed


@pytest.mark.parametrize(
    ("wings", "listed"),
    [((0.3, 0.03), True), ((0.3, 0.011), False), ((0.13, 0.06), True), ((0.05, 0.05), False)],
)
def test_light_falls_off_beside_a_star_as_its_image_does(wings, listed):
    """A star ten times too bright for its middle fills the nearest pixels, and the next hold a seventh and a thirtieth
    of what fills one; a ray ends at once."""
    assert len(stars(chip_with([(*MIDDLE, 5, 5)], wings))) == listed


def test_cores_of_two_exposures_a_pixel_or_two_apart_are_one_star():
    """A core of an odd shape has no middle that is good to less."""
    row, column = MIDDLE
    assert len(stars(*(chip_with([(row, column + aside, 3, 1)]) for aside in (0, 2)))) == 1


def test_two_cores_half_an_arcsec_apart_are_two_stars():
    row, column = MIDDLE
    assert len(stars(*[chip_with([(row, column, 3, 1), (row, column + 5, 3, 1)], (0.3, 0.1))] * 2)) == 2


@pytest.mark.parametrize(("away", "listed"), [(0, True), (2, True), (4, False)])
def test_an_exposure_with_an_unsaturated_star_measures_it(away, listed):
    """A place is good to two pixels; what is full farther away is another star's core."""
    row, column = MIDDLE
    second = chip_with([(row + away, column, 1, 3)], (0.005,))  # no wings: no star by itself
    assert len(stars(chip_with([(row, column, 3, 3)]), second)) == listed


@pytest.mark.parametrize(("width", "count"), [(3, 1), (6, 2)])
def test_a_second_star_on_a_bleeding_column_is_as_wide_as_half_the_first(width, count):
    """What bled is narrow, and ragged."""
    mask = np.zeros((60, 40), np.bool_)
    mask[5:58, 20] = True
    mask[20:29, 16:25] = True
    mask[46:50, 20 - width // 2 : 20 - width // 2 + width] = True
    assert len(_widest(*np.nonzero(mask))) == count
