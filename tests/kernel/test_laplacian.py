"""L.A.Cosmic: the two twins agree, both obey the laws, and `astroscrappy` finds the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, using
from mizzle.kernel import native
from mizzle.kernel.single import SharpRule, find_sharp

RULE = SharpRule(floor=36.0, sigma=5.0, neighbor_sigma=2.0, contrast=2.0)


@pytest.fixture(params=TWINS)
def twin(request):
    with using(request.param):
        yield request.param


def scene(rng, shape, rays=0.03):
    """A sky with smooth sources and rays."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(20.0, 7.0, shape)
    for _ in range(3):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        image += rng.exponential(1000.0) * np.exp(-0.5 * ((y - cy) ** 2 + (x - cx) ** 2) / rng.uniform(1, 4) ** 2)
    hit = rng.random(shape) < rays
    image[hit] += rng.exponential(300.0, np.count_nonzero(hit))
    return image.astype(np.float32)


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 90)),
    bad=st.sampled_from((0.0, 0.02, 0.4, 1.0)),
    odd=st.booleans(),
    whole=st.booleans(),
)
def test_twins_find_the_same_pixels(seed, shape, bad, odd, whole):
    rng = np.random.default_rng(seed)
    image, mask = scene(rng, shape), rng.random(shape) < bad
    if whole:  # equal neighbors
        image = np.rint(image)
    if odd:
        image[mask] = rng.choice([np.nan, np.inf, -np.inf, 1e30], np.count_nonzero(mask))
    found = find_sharp(image, mask, RULE)
    with using("reference"):
        np.testing.assert_array_equal(find_sharp(image, mask, RULE), found)


def test_a_ray_is_sharp_and_a_broad_star_is_not(twin):
    y, x = np.mgrid[:41, :61]
    image = np.full((41, 61), 20.0, np.float32)
    image += (5000 * np.exp(-0.5 * ((y - 20) ** 2 + (x - 15) ** 2) / 2.5**2)).astype(np.float32)
    image[20, 45] += 500
    found = find_sharp(image, np.zeros(image.shape, np.bool_), RULE)
    assert found[20, 45]
    assert np.count_nonzero(found) == 1


def test_nothing_on_bad_pixels_or_beside_them_or_along_the_edge(twin):
    rng = np.random.default_rng(5)
    image, bad = scene(rng, (60, 70), 0.2), rng.random((60, 70)) < 0.02
    found = find_sharp(image, bad, RULE)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(bad, 1, constant_values=True), (3, 3)).any(axis=(2, 3))
    assert found.any()
    assert not (found & near).any()


def test_what_a_bad_pixel_holds_says_nothing(twin):
    rng = np.random.default_rng(6)
    image, bad = scene(rng, (50, 50)), rng.random((50, 50)) < 0.05
    other = np.where(bad, np.float32(1e6), image)
    np.testing.assert_array_equal(find_sharp(image, bad, RULE), find_sharp(other, bad, RULE))


def test_turned_images_give_turned_masks_where_lines_are_whole(twin):
    """Medians along rows, then columns, differ little from those the other way round; mirrors differ not at all."""
    rng = np.random.default_rng(7)
    image, bad = scene(rng, (64, 64)), np.zeros((64, 64), np.bool_)
    found = find_sharp(image, bad, RULE)
    for mirror in (np.s_[::-1], np.s_[:, ::-1]):
        np.testing.assert_array_equal(find_sharp(image[mirror], bad, RULE)[mirror], found)


def test_astroscrappy_finds_the_same(twin):
    """Beside a bad edge to the pixel: along a good right edge it marks other pixels than along a left one."""
    astroscrappy = pytest.importorskip("astroscrappy")
    rng = np.random.default_rng(8)
    image, bad = scene(rng, (120, 150)), rng.random((120, 150)) < 0.01
    bad[:4] = bad[-4:] = bad[:, :4] = bad[:, -4:] = True
    blank = np.where(bad, np.float32(0), image)
    theirs, _ = astroscrappy.detect_cosmics(
        blank, inmask=bad, sigclip=RULE.sigma, sigfrac=RULE.neighbor_sigma / RULE.sigma, objlim=RULE.contrast,
        gain=1.0, readnoise=RULE.floor**0.5, satlevel=float("inf"), niter=1, cleantype="median",
    )  # fmt: skip
    found = find_sharp(image, bad, RULE)
    assert np.count_nonzero(found) > 100
    np.testing.assert_array_equal(found, theirs)


def test_arrays_of_two_shapes(twin):
    with pytest.raises(ValueError, match="one shape"):
        find_sharp(np.zeros((4, 5), np.float32), np.zeros((5, 4), np.bool_), RULE)
