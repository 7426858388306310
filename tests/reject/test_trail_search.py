"""Trails over all chips of a visit: what goes on on the next chip, and what other exposures show too."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.model import Serial
from mizzle.settings import load_settings
from mizzle.steps.reject.compared_chip import compared_chips
from mizzle.steps.reject.trail_search import _continued, with_trails
from mizzle.steps.reject.trails import Trail
from tiny_visit import exposure, frame, noisy, solutions

SIDE, SKY, PIXEL = 340, 4.0, 0.0996
#: The line crosses the middle of WF3, so steeply.
SLOPE = np.deg2rad(20.0)


def crossed(number, shapes, *, height, sigma=2.0, chips=("WF3",)):
    """An exposure with a line of light [DN] on some of its chips; `shapes`: name -> shape, and place of the middle.

    Places are pixels from the middle of WF3, along its rows and columns.
    """
    rng, made = np.random.default_rng(number), {}
    for name, (shape, (right, up)) in shapes.items():
        y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
        u, v = x - (shape[1] - 1) / 2 + right, y - (shape[0] - 1) / 2 + up
        across = v * np.cos(SLOPE) - u * np.sin(SLOPE)
        light = height * np.exp(-0.5 * (across / sigma) ** 2) if name in chips else 0.0
        sci = noisy(rng, shape, SKY + light, name)
        where = frame(name, shape, shift=(-right * PIXEL, up * PIXEL))
        made[name] = (sci, np.zeros(shape, int), where)
    return exposure(number, made)


def compared(exposures):
    alignment, scales, sky = solutions(exposures, SKY)
    return compared_chips(exposures, alignment, scales, sky=sky, settings=load_settings())


def trails(exposures):
    """The chips with trails, by number of the exposure."""
    chips = compared(exposures)
    searched = with_trails(chips, [True] * len(chips), Serial())
    return {(chip.index, chip.view.name) for chip in searched if chip.trails}


WHOLE = {"WF3": ((SIDE, SIDE), (0.0, 0.0))}


def beside(length):
    """WF3, and beside it a narrow chip that the line crosses over so many pixels."""
    right = 250.0
    return {**WHOLE, "WF2": ((120, round(length * np.cos(SLOPE))), (right, right * np.tan(SLOPE)))}


@pytest.mark.parametrize(("length", "followed"), [(40, True), (13, False)])
def test_a_trail_is_followed_across_a_corner_but_not_across_its_last_pixels(length, followed):
    """So few pixels may be any star's."""
    seen = trails([crossed(1, beside(length), height=30.0, chips=("WF3", "WF2"))])
    assert seen == {(0, "WF3")} | ({(0, "WF2")} if followed else set())


@pytest.mark.parametrize(("light", "least", "most"), [(0.0, 0, 1), (1.0, 38, 40)])
def test_a_faint_trail_is_followed_where_it_stands_out_of_the_noise(light, least, most):
    """Of thirteen lines across a corner the brightest is two sigma of their noise high; such a trail is eight."""
    middle = 0.5 * (SIDE - 1)
    angle = SLOPE + np.pi / 2
    trail = Trail(angle, middle * (np.cos(angle) + np.sin(angle)), 6.0)
    (chip,) = compared([crossed(1, WHOLE, height=0.6, sigma=3.0)])
    corner = {"WF2": beside(24)["WF2"]}
    others = [compared([crossed(2 + k, corner, height=1.1 * light, sigma=3.0, chips=("WF2",))])[0] for k in range(40)]
    assert least <= sum(_continued(trail, chip, other) is not None for other in others) <= most
