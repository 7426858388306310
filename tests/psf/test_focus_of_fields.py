"""The focus of one small chip: among rays, pairs and clouds it is that of the stars, or is not known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mizzle.instrument.star_optics import star_optics
from mizzle.psf import star_image
from mizzle.settings import Settings
from mizzle.simulate.cosmic import cosmic_rays
from mizzle.steps.focus import chip_focus
from tiny_visit import exposure, frame, noisy

SIDE, HALF, SKY = 300, 7, 4.0
SHAPE = (SIDE, SIDE)


def focus(focuses, light, *, seed, pairs=0, clouds=0.0, seconds=0.0):
    """The focus of a WF3 whose stars have such foci [micrometer] and so much light [DN] each.

    Of the stars the last are pairs, .8 pixel apart. Clouds of so many DN lie among them, ten pixels large; and the rays
    of so many seconds.
    """
    rng = np.random.default_rng(seed)
    image = np.full(SHAPE, SKY)
    if clouds:
        waves = gaussian_filter(rng.normal(size=SHAPE), 5.0)
        image += clouds * np.exp(waves / waves.std())
    corner = np.arange(20, SIDE - 16, 24)
    places = [(row, column) for row in corner for column in corner]
    lights = np.broadcast_to(light, len(focuses))
    for k, (defocus, (row, column)) in enumerate(zip(focuses, places, strict=False)):
        star = star_image(star_optics(0.0996, 7996.0, defocus=round(float(defocus), 3)))
        aside = rng.uniform(-0.5, 0.5, 2)
        shares = star.pixels(*aside[:, None], HALF - 1)[0]
        if k >= len(focuses) - pairs:
            angle = rng.uniform(0.0, 2.0 * np.pi)
            other = aside + 0.8 * np.array([np.cos(angle), np.sin(angle)])
            shares = 0.6 * shares + 0.4 * star.pixels(*other[:, None], HALF - 1)[0]
        box = np.s_[row - HALF + 1 : row + HALF, column - HALF + 1 : column + HALF]
        image[box] += lights[k] * np.maximum(shares, 0.0)
    sci = noisy(rng, SHAPE, image, "WF3")
    if seconds:
        sci = (sci + cosmic_rays(SHAPE, 0.02, seconds, rng=rng) / 7.0).astype(np.float32)
    made = exposure(1, {"WF3": (sci, np.zeros(SHAPE, int), frame("WF3", SHAPE))})
    return chip_focus(made, made.chips["WF3"], Settings())


def test_a_tenth_of_the_stars_is_sharper_than_the_sharpest_believed():
    """The focus changes over the field; one star that noise made sharp is not believed."""
    shares = []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        focuses = rng.permutation(np.linspace(0.02, 0.06, 100))
        known = focus(focuses, 10.0 ** rng.uniform(3.5, 4.5, 100), seed=seed)
        assert known.usual == pytest.approx(0.04, abs=0.006)
        shares.append(np.mean(focuses < known.sharpest))
    assert 0.015 < np.mean(shares) < 0.13


def test_close_pairs_are_not_counted():
    """No focus suits two stars, .8 pixel apart."""
    fields = [focus(np.full(60, 0.04), 2000.0, seed=seed, pairs=20) for seed in range(8)]
    assert 38.0 < np.mean([field.stars for field in fields]) < 46.0
    assert all(abs(field.usual - 0.04) < 0.006 for field in fields)


@pytest.mark.parametrize(("defocus", "least", "most"), [(0.035, 12, 24), (0.0, 0, 2)])
def test_where_wings_drown_light_alone_tells_stars_from_rays(defocus, least, most):
    """Rays among them would look like stars in perfect focus; such a focus is not believed there, whoever shows it."""
    fields = [focus(np.full(40, defocus), 550.0, seed=seed, seconds=1500.0) for seed in range(24)]
    known = [field.usual for field in fields if field is not None and field.stars >= 20]
    assert least <= len(known) <= most
    assert all(abs(usual - defocus) < 0.01 for usual in known)


def test_stars_among_clouds_tell_the_focus_and_clouds_do_not():
    """Their bright places would be stars out of any focus: where these are most of what is seen, nothing is known."""
    fields = [focus(np.full(60, 0.04), 1e4, seed=seed, clouds=30.0) for seed in range(6)]
    known = [field.usual for field in fields if field is not None]
    assert len(known) >= 4
    assert all(abs(usual - 0.04) < 0.006 for usual in known)
    few = [focus(np.full(40, 0.04), 2000.0, seed=seed, clouds=15.0) for seed in range(6)]
    assert all(abs(field.usual - 0.04) < 0.012 for field in few if field is not None)
    assert not any(focus([], 1.0, seed=seed, clouds=40.0) for seed in range(3))
