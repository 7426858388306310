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
from mizzle.kernel.single import SingleRule, find_rays, numpy_twin
from mizzle.psf import star_image
from mizzle.steps.reject.single import star_templates

RULE = SingleRule(floor=36.0, structure=0.1, sigma=5.0, neighbor_sigma=2.0, deficit=1.5, doubt=0.15, track=3, grow=1)
TEMPLATES = star_templates(star_image(star_optics(0.0996, 5443.0, 522.0)), 0.75)


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
    with np.errstate(all="ignore"):
        expected = numpy_twin.find_rays(image, mask, TEMPLATES, rule, track)
    np.testing.assert_array_equal(find_rays(image, mask, TEMPLATES, rule, track), expected)


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
                answers.append(find_rays(image, mask, TEMPLATES, RULE))
        np.testing.assert_array_equal(*answers)


def test_a_ray_is_found_with_its_track_and_a_star_is_not(twin):
    image = np.full((31, 31), 20.0, np.float32)
    image[10, 8:12] += np.array([60.0, 900.0, 300.0, 80.0], np.float32)
    y, x = np.indices(image.shape)
    image += 900.0 * np.exp(-((x - 22.2) ** 2 + (y - 20.1) ** 2) / (2 * 0.55**2)).astype(np.float32)
    mask = find_rays(image, np.zeros(image.shape, np.bool_), TEMPLATES, RULE)
    assert np.argwhere(mask).tolist() == [[10, 8], [10, 9], [10, 10], [10, 11]]


def test_a_track_is_followed_as_far_as_asked(twin):
    image = np.full((21, 21), 20.0, np.float32)
    image[10, 4] += 5000.0
    image[10, 5:16] += 60.0
    bad = np.zeros(image.shape, np.bool_)
    for length in range(4):
        mask = find_rays(image, bad, TEMPLATES, replace(RULE, track=length, grow=0))
        assert np.flatnonzero(mask[10]).tolist() == list(range(4, 5 + length))
        assert mask.sum() == 1 + length
    along = np.zeros(image.shape, np.bool_)
    along[11, 5] = True
    assert np.argwhere(find_rays(image, bad, TEMPLATES, replace(RULE, grow=0), along)).tolist() == [[10, 4], [11, 5]]


@pytest.mark.parametrize("loud", [np.nan, np.inf, -np.inf, 1e30, 0.0])
def test_what_a_bad_pixel_holds_says_nothing(twin, loud):
    """A star beside it stays a star, a ray stays a ray."""
    image = np.full((25, 25), 20.0, np.float32)
    y, x = np.indices(image.shape)
    image += 900.0 * np.exp(-((x - 6.1) ** 2 + (y - 6.0) ** 2) / (2 * 0.55**2)).astype(np.float32)
    image[18, 18] += 900.0
    bad = np.zeros(image.shape, np.bool_)
    bad[6, 7] = bad[18, 19] = True
    quiet = find_rays(image, bad, TEMPLATES, RULE)
    assert np.argwhere(quiet).tolist() == [[18, 18]]
    image[bad] = loud
    np.testing.assert_array_equal(find_rays(image, bad, TEMPLATES, RULE), quiet)


def test_the_input_stays_as_it_was(twin):
    rng = np.random.default_rng(1)
    image = hit(rng, sky(rng, 30, 30))
    before = image.copy()
    image.flags.writeable = False
    find_rays(image, np.zeros(image.shape, np.bool_), TEMPLATES, RULE)
    np.testing.assert_array_equal(image, before)
