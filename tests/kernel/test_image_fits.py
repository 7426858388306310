"""Images fitted to stars: the two twins agree, and both find what was put there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, using
from mizzle.instrument.star_optics import star_optics
from mizzle.kernel import native
from mizzle.kernel.detect import SampledProfile, image_misfits, profile_stamps
from mizzle.psf import star_image

SIDES = (0.0996, 0.0455)


def images(side, radius=2):
    """Images of three focuses."""
    stars = [star_image(star_optics(side, 5443.0, 522.0, defocus=focus)) for focus in (0.0, 0.03, 0.06)]
    return [SampledProfile(star.coefficients, star.oversampling, radius) for star in stars]


@pytest.fixture(params=TWINS)
def twin(request):
    with using(request.param):
        yield request.param


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 20),
    radius=st.integers(1, 4),
    side=st.sampled_from(SIDES),
    dark=st.booleans(),
)
def test_twins_fit_alike(seed, count, radius, side, dark):
    rng = np.random.default_rng(seed)
    profiles = images(side, radius)
    light = 0.0 if dark else 10.0 ** rng.uniform(3, 6, (count, 1, 1))
    stars = light * profile_stamps(profiles[1], *rng.uniform(-0.5, 0.5, (2, count))).value + 40.0
    variance = stars + 50.0
    stars = stars + rng.normal(0.0, np.sqrt(variance))
    misfits = []
    for name in TWINS:
        with using(name):
            misfits.append(image_misfits(stars, 1.0 / variance, profiles))
    # Where there is no light, noise leads the place astray, and the last digit decides where to.
    np.testing.assert_allclose(misfits[0], misfits[1], rtol=1e-3 if dark else 1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_the_right_image_fits_to_the_noise(twin, side):
    rng = np.random.default_rng(5)
    profiles, count = images(side), 300
    stars = 3e4 * profile_stamps(profiles[1], *rng.uniform(-0.5, 0.5, (2, count))).value + 40.0
    variance = stars + 50.0
    misfits = image_misfits(stars + rng.normal(0.0, np.sqrt(variance)), 1.0 / variance, profiles)
    # 25 pixels less 4 parameters: 21 +- sqrt(2 * 21 / 300).
    assert misfits[1].mean() == pytest.approx(21.0, abs=4 * np.sqrt(42.0 / count))
    assert (misfits[[0, 2]].mean(axis=1) > 30.0).all()


def test_stars_and_images_of_other_sizes_are_refused(twin):
    with pytest.raises(ValueError, match="images of radius"):
        image_misfits(np.zeros((3, 5, 5)), np.zeros((3, 5, 5)), images(SIDES[0], radius=3))


def test_slopes_are_how_an_image_changes_as_its_star_moves():
    profile = images(SIDES[0])[0]
    x, y = np.random.default_rng(3).uniform(-0.8, 0.8, (2, 40))
    stamps, step = profile_stamps(profile, x, y), 1e-5
    for slope, dx, dy in ((stamps.by_x, step, 0.0), (stamps.by_y, 0.0, step)):
        change = profile_stamps(profile, x + dx, y + dy).value - profile_stamps(profile, x - dx, y - dy).value
        np.testing.assert_allclose(slope, change / (2 * step), atol=1e-7)
