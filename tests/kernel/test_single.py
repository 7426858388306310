"""A single exposure: the two twins agree, and both obey the laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, using
from mizzle.instrument.star_optics import star_optics
from mizzle.kernel import native
from mizzle.kernel.single import Peaks, SingleRule, find_peaks, fit_light, follow_rays, numpy_twin
from mizzle.psf import star_image
from mizzle.psf.light import light_templates

RULE = SingleRule(floor=36.0, structure=0.1, sigma=5.0, neighbor_sigma=2.0, track=3, grow=1)
TEMPLATES = light_templates(star_image(star_optics(0.0996, 5443.0, 522.0)), 0.75)


@pytest.fixture(params=TWINS)
def twin(request):
    with using(request.param):
        yield request.param


def sky(rng, ny, nx):
    return rng.normal(20.0, 7.0, (ny, nx)).astype(np.float32)


def hit(rng, image, share=0.03):
    """The image with rays of all heights."""
    count = max(1, int(share * image.size))
    image.flat[rng.integers(0, image.size, count)] += rng.exponential(200.0, count).astype(np.float32)
    return image


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 90)),
    bad=st.sampled_from((0.0, 0.02, 0.4, 1.0)),
    odd=st.booleans(),
    whole=st.booleans(),
    follow=st.booleans(),
    reach=st.tuples(st.integers(0, 4), st.integers(0, 5)),
)
def test_twins_find_the_same_rays(seed, shape, bad, odd, whole, follow, reach):
    """To the pixel: neither adds in another order."""
    rng = np.random.default_rng(seed)
    image = hit(rng, sky(rng, *shape))
    if whole:  # equal neighbors
        image = np.rint(image)
    mask = rng.random(shape) < bad
    if odd:
        image[mask] = rng.choice([np.nan, np.inf, -np.inf, 1e30, 0.0], np.count_nonzero(mask))
    track = rng.random(shape) < 0.3 if follow else None
    rule = replace(RULE, track=reach[0], grow=reach[1])
    spared = rng.random(shape) < 0.1
    with np.errstate(all="ignore"):
        expected = numpy_twin.find_peaks(image, mask, rule)
        marked = numpy_twin.follow_rays(image, mask, expected, spared, rule, track=track)
    peaks = find_peaks(image, mask, rule)
    for mine, other in zip(peaks, expected, strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(follow_rays(image, mask, peaks, spared, rule, track=track), marked)


@pytest.mark.parametrize("shape", [(60, 800), (3000, 7)])
def test_twins_agree_on_strips_whose_median_a_sample_does_not_tell(shape):
    """Every 47th pixel is like no other: what a sample says of the median may be wrong."""
    rng = np.random.default_rng(4)
    image = hit(rng, sky(rng, *shape), 0.001)
    mask = np.zeros(shape, np.bool_)
    mask[:: max(2, shape[0] // 9)] = True
    for step in (47, 21, 2):
        image.flat[::step] = 900.0
        answers = []
        for name in TWINS:
            with using(name):
                answers.append(all_marked(image, mask))
        np.testing.assert_array_equal(*answers)


def all_marked(image, bad, rule=RULE, track=None):
    """Every peak taken for a ray."""
    return follow_rays(image, bad, find_peaks(image, bad, rule), np.zeros(image.shape, np.bool_), rule, track=track)


def test_a_peak_is_marked_with_its_track_and_nothing_that_is_spared(twin):
    image = np.full((31, 31), 20.0, np.float32)
    image[10, 8:12] += np.array([60.0, 900.0, 300.0, 80.0], np.float32)
    image[20, 20] += 900.0
    bad, spared = np.zeros((2, *image.shape), np.bool_)
    peaks = find_peaks(image, bad, RULE)
    assert np.column_stack(peaks[:2]).tolist() == [[10, 9], [20, 20]]
    np.testing.assert_array_equal(peaks.sky, 20.0)
    first = Peaks(*(column[:1] for column in peaks))
    mask = follow_rays(image, bad, first, spared, RULE)
    assert np.argwhere(mask).tolist() == [[10, 8], [10, 9], [10, 10], [10, 11]]
    spared[10, 10] = True
    assert np.argwhere(follow_rays(image, bad, first, spared, RULE)).tolist() == [[10, 8], [10, 9]]


def test_a_track_is_followed_as_far_as_asked(twin):
    image = np.full((21, 21), 20.0, np.float32)
    image[10, 4] += 5000.0
    image[10, 5:16] += 60.0
    bad = np.zeros(image.shape, np.bool_)
    for length in range(4):
        mask = all_marked(image, bad, replace(RULE, track=length, grow=0))
        assert np.flatnonzero(mask[10]).tolist() == list(range(4, 5 + length))
        assert mask.sum() == 1 + length
    along = np.zeros(image.shape, np.bool_)
    along[11, 5] = True
    assert np.argwhere(all_marked(image, bad, replace(RULE, grow=0), along)).tolist() == [[10, 4], [11, 5]]


@pytest.mark.parametrize("loud", [np.nan, np.inf, -np.inf, 1e30, 0.0])
def test_what_a_bad_pixel_holds_says_nothing(twin, loud):
    image = np.full((25, 25), 20.0, np.float32)
    image[18, 18] += 900.0
    bad = np.zeros(image.shape, np.bool_)
    bad[6, 7] = bad[18, 19] = True
    quiet = all_marked(image, bad)
    assert np.argwhere(quiet).tolist() == [[18, 18]]
    image[bad] = loud
    np.testing.assert_array_equal(all_marked(image, bad), quiet)


def test_the_input_stays_as_it_was(twin):
    rng = np.random.default_rng(1)
    image = hit(rng, sky(rng, 30, 30))
    before = image.copy()
    image.flags.writeable = False
    all_marked(image, np.zeros(image.shape, np.bool_))
    np.testing.assert_array_equal(image, before)


def windows_of(rng, count, size=25):
    """Pixels of some sources and noise, and their weights; some say nothing."""
    light = rng.exponential(30.0, (count, len(TEMPLATES))) * (rng.random((count, len(TEMPLATES))) < 0.03)
    weights = 1.0 / rng.uniform(20.0, 90.0, (count, size))
    weights[rng.random(weights.shape) < 0.1] = 0.0
    return light @ TEMPLATES + rng.normal(0.0, 6.0, (count, size)), weights


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
def test_twins_fit_the_same_light():
    """To the bit: sums are made in the same lanes."""
    values, weights = windows_of(np.random.default_rng(5), 60)
    answers = []
    for name in TWINS:
        with using(name):
            answers.append(fit_light(values, weights, TEMPLATES))
    np.testing.assert_array_equal(*answers)


def test_light_is_fitted_as_well_as_by_an_active_set(twin):
    """Lawson and Hanson's method, as scipy has it, finds the least residual of non-negative sums."""
    from scipy.optimize import nnls

    values, weights = windows_of(np.random.default_rng(6), 12)
    rest = fit_light(values, weights, TEMPLATES)
    for value, weight, left in zip(values, weights, rest, strict=True):
        root = np.sqrt(weight)
        _, best = nnls((TEMPLATES * root).T, value * root)
        assert best**2 <= (weight * left**2).sum() * (1 + 1e-9) <= best**2 + 1.5


def test_a_fit_that_is_good_enough_is_left(twin):
    """Where the least residual is below what is asked, any residual below that will do; elsewhere nothing changes."""
    values, weights = windows_of(np.random.default_rng(7), 40)
    chi2 = [(weights * fit_light(values, weights, TEMPLATES, good=good) ** 2).sum(axis=1) for good in (0.0, 6.0)]
    easy = chi2[0] < 5.0
    assert 5 < easy.sum() < 35
    assert (chi2[1][easy] <= 6.0).all()
    np.testing.assert_array_less(chi2[1], np.maximum(chi2[0] + 1.5, 6.0))


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
def test_twins_leave_the_same_fits():
    values, weights = windows_of(np.random.default_rng(8), 60)
    answers = []
    for name in TWINS:
        with using(name):
            answers.append(fit_light(values, weights, TEMPLATES, good=5.0))
    np.testing.assert_array_equal(*answers)


def test_fits_of_nothing_and_of_pixels_that_say_nothing(twin):
    assert fit_light(np.zeros((0, 25)), np.zeros((0, 25)), TEMPLATES).shape == (0, 25)
    values = np.full((2, 25), -3.0)
    np.testing.assert_array_equal(fit_light(values, np.zeros((2, 25)), TEMPLATES), values)
    # No light is negative.
    np.testing.assert_array_equal(fit_light(values, np.ones((2, 25)), TEMPLATES), values)
    with pytest.raises(ValueError, match="templates"):
        fit_light(values, np.ones((2, 24)), TEMPLATES)
