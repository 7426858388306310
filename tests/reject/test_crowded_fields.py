"""Single exposures of crowded fields under simulated rays: what is found, and what stars lose.

Each bound lies three standard errors of its share from the mean of sixty fields, of which twenty are looked at here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mizzle.instrument.star_optics import TYPICAL_DEFOCUS, star_optics
from mizzle.psf import star_image
from mizzle.settings.reject import RejectSettings
from mizzle.simulate.cosmic import cosmic_rays
from mizzle.steps.reject.single import SinglePixels, find_single

SIZE, STARS, FIELDS, SKY, READ = 200, 150, 20, 20.0, 6.0
FAR, NEAR = 7, 2


class Shares(NamedTuple):
    """Of pixels with more than 150 electrons, those found on sky and on light; of stars beside rays, those lost."""

    on_sky: float
    on_light: float
    lost: float


def field(seed, pixel, band):
    """Return a field of stars under rays, the charge of these, and the stars' brightest pixels with all light."""
    rng = np.random.default_rng(seed)
    light = np.full((SIZE, SIZE), SKY)
    y, x = rng.integers(FAR + 2, SIZE - FAR - 2, (2, STARS))
    shares = star_image(star_optics(pixel, *band, defocus=TYPICAL_DEFOCUS)).pixels(
        *rng.uniform(-0.5, 0.5, (2, STARS)), FAR
    )
    for row, column, star in zip(y, x, 10.0 ** rng.uniform(3.2, 5.0, STARS)[:, None, None] * shares, strict=True):
        light[row - FAR : row + FAR + 1, column - FAR : column + FAR + 1] += star
    charge = cosmic_rays((SIZE, SIZE), 0.02, 500.0, rng=rng)
    seen = rng.poisson(light) + rng.normal(0.0, READ, light.shape) + charge
    sharp = star_image(star_optics(pixel, *band))
    return (
        SinglePixels(seen.astype(np.float32), np.zeros(light.shape, bool), READ**2, sharp, pixel),
        charge,
        (y, x),
        light,
    )


def shares_of(pixel, band):
    counts = np.zeros((3, 2))
    for seed in range(FIELDS):
        pixels, charge, (y, x), light = field(seed, pixel, band)
        mask = find_single(pixels, RejectSettings(), laplacian=False)
        hit, bright = charge > 150.0, light > 2.0 * SKY
        around = [charge[a - NEAR : a + NEAR + 1, b - NEAR : b + NEAR + 1].max() for a, b in zip(y, x, strict=True)]
        beside = (np.array(around) > 10.0) & (charge[y, x] < 10.0)
        for row, (of, which) in enumerate(
            ((mask[hit & ~bright], None), (mask[hit & bright], None), (mask[y, x], beside))
        ):
            chosen = of if which is None else of[which]
            counts[row] += chosen.sum(), chosen.size
    return Shares(*(counts[:, 0] / counts[:, 1]))


def test_nine_of_ten_are_found_on_the_sky_in_the_red_and_few_stars_beside_rays_are_lost():
    """On the WF: the ray is found first and hidden from the star, or what it took is given up."""
    shares = shares_of(0.0996, (7996.0, 646.0))
    assert shares.on_sky > 0.9
    assert shares.lost < 0.07


def test_half_are_found_where_stars_are_as_sharp_as_rays():
    """On the WF in the ultraviolet."""
    assert shares_of(0.0996, (3359.0, 204.0)).on_sky > 0.485


def test_rays_on_stars_are_found_where_pixels_are_fine():
    shares = shares_of(0.0455, (5443.0, 522.0))
    assert shares.on_sky > 0.94
    assert shares.on_light > 0.31
    assert shares.lost < 0.05
