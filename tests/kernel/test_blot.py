"""Laws of blotting, for both twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, bent_chip, frame_of_chip, using
from mizzle.errors import SettingsError
from mizzle.kernel import blot, blot_chip

FEW = settings(max_examples=40, deadline=None)
ORDER = {"nearest": 0, "linear": 1, "poly3": 3, "poly5": 5, "lanczos3": 0, "lanczos5": 0}
twin = pytest.mark.parametrize("twin", TWINS)
names = pytest.mark.parametrize("interp", ORDER)
seeds = st.integers(0, 2**32 - 1)


@twin
@names
@FEW
@given(seeds)
def test_polynomials_are_read_exactly(twin, interp, seed):
    rng = np.random.default_rng(seed)
    order = ORDER[interp]
    coefficients = rng.normal(size=(order + 1, order + 1))
    y, x = (np.mgrid[:20, :24] - 10) / 10
    image = np.polynomial.polynomial.polyval2d(x, y, coefficients)
    place = rng.uniform(2.0, 16.9, (5, 7, 2))
    expected = np.polynomial.polynomial.polyval2d((place[..., 0] - 10) / 10, (place[..., 1] - 10) / 10, coefficients)
    with using(twin):
        np.testing.assert_allclose(blot(image, place, interp=interp), expected, rtol=1e-4, atol=2e-5)


@twin
@names
def test_whole_pixels_are_returned_as_they_are(twin, interp):
    image = np.random.default_rng(2).normal(size=(25, 30)).astype(np.float32)
    y, x = np.mgrid[:25, :30].astype(float)
    with using(twin):
        np.testing.assert_allclose(blot(image, np.stack([x, y], -1), interp=interp), image, rtol=1e-6)


@twin
@names
def test_outside_is_not_a_number_and_holes_do_not_spread(twin, interp):
    image = np.full((20, 20), 3.0)
    image[10, 10] = np.nan
    place = np.array([[[-0.6, 5], [19.6, 5], [5, 19.6], [np.nan, 5], [np.inf, 5], [5, -1e300], [10.2, 9.9]]])
    near = np.array([[[-0.4, 5], [19.4, 19.4], [10.6, 10.0], [9, 11], [10, 12.2], [0, 0]]])
    with using(twin):
        assert np.isnan(blot(image, place, interp=interp)).all()
        np.testing.assert_allclose(blot(image, near, interp=interp), 3.0, rtol=1e-6)


@names
@FEW
@given(seeds, st.floats(0, 6.3), st.floats(0.3, 2.5))
def test_twins_agree(interp, seed, angle, scale):
    chip_map = bent_chip((11, 90), angle, scale, seed)
    rng = np.random.default_rng(seed)
    image = rng.normal(10, 1, frame_of_chip(chip_map)).astype(np.float32)
    image[rng.random(image.shape) < 0.01] = np.nan
    answers = []
    for name in TWINS:
        with using(name):
            answers.append(blot_chip(image, chip_map, interp=interp))
    one, two = answers
    np.testing.assert_array_equal(np.isnan(one), np.isnan(two))
    np.testing.assert_allclose(one, two, rtol=3e-6)


def test_a_wrong_request_says_what_is_wrong():
    with pytest.raises(SettingsError, match="interp 'cubic' is unknown"):
        blot(np.ones((5, 5)), np.ones((2, 2, 2)), interp="cubic")
    with pytest.raises(SettingsError, match="image has shape"):
        blot(np.ones(5), np.ones((2, 2, 2)))
