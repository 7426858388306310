"""Blank skies with known noise, drizzled: for the laws about errors."""

from __future__ import annotations

import numpy as np

from mizzle.geometry.grid import common_grid
from mizzle.model import Serial
from mizzle.settings import load_settings
from mizzle.steps.combine import combine
from tiny_visit import exposure, frame, no_rays, noisy, solutions

SKY_DN = 3.0


def blank_stack(chip, shape, *, count=3, roll=17.0, seed=1, atodgain=7):
    """Exposures of nothing but sky, shifted by odd fractions of a pixel."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shift = tuple(rng.uniform(-0.3, 0.3, 2))
        sci = noisy(rng, shape, SKY_DN, chip, atodgain)
        made.append(
            exposure(number, {chip: (sci, np.zeros(shape, int), frame(chip, shape, shift, roll))}, atodgain=atodgain)
        )
    return made


def drizzled(exposures, assignments=()):
    """The product of sky-subtracted exposures."""
    settings = load_settings("", assignments)
    alignment, scales, levels = solutions(exposures, SKY_DN)
    grid = common_grid([alignment.frame(e, n) for e in exposures for n in e.chips], settings.combine)
    return combine(
        exposures, alignment, scales, sky=levels, cosmic_rays=no_rays(), grid=grid, settings=settings, runner=Serial()
    )
