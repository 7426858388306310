"""Bright peaks and their sides: the two twins agree, and both obey the laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, using
from mizzle.arrays import PixelIndices
from mizzle.kernel import native
from mizzle.kernel.wings import Neighborhood, list_bright_peaks, measure_sides


@pytest.fixture(params=TWINS)
def twin(request):
    with using(request.param):
        yield request.param


def rings(near, far):
    """Pixels up to `near` from a peak by their side, and those on to `far`."""
    v, u = (grid.ravel() for grid in np.mgrid[-far : far + 1, -far : far + 1])
    distance = np.hypot(u, v)
    wings, around = (distance > 0) & (distance <= near), (distance > near) & (distance <= far)
    side = 2 * (u + v > 0) + (u - v > 0)
    return Neighborhood(np.stack([v, u], axis=1)[around], np.stack([v, u, side], axis=1)[wings])


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 50)),
    hidden=st.sampled_from((0.0, 0.1, 0.7, 1.0)),
    whole=st.booleans(),
    odd=st.booleans(),
    reach=st.tuples(st.integers(1, 3), st.integers(0, 5)),
)
def test_twins_measure_the_same(seed, shape, hidden, whole, odd, reach):
    rng = np.random.default_rng(seed)
    image = rng.normal(50.0, 20.0, shape).astype(np.float32)
    if whole:
        image = np.rint(image)
    off = rng.random(shape) < hidden
    if odd:
        image[rng.random(shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
    row, column = (rng.integers(0, side, 20) for side in shape)
    neighborhood = rings(reach[0], sum(reach))
    figures = []
    for name in TWINS:
        with using(name), np.errstate(invalid="ignore"):
            figures.append(measure_sides(image, off, PixelIndices(row, column), neighborhood=neighborhood, sigma=0.5))
    for name, compiled, defined in zip(figures[0]._fields, *figures, strict=True):
        np.testing.assert_allclose(compiled, defined, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 50)),
    hidden=st.sampled_from((0.0, 0.1, 0.7)),
    edge=st.integers(1, 6),
)
def test_twins_list_the_same_peaks(seed, shape, hidden, edge):
    rng = np.random.default_rng(seed)
    image = np.rint(rng.normal(10.0, 3.0, shape)).astype(np.float32)  # equal neighbors are many
    bad = rng.random(shape) < hidden
    image[bad] = rng.choice([np.nan, np.inf, 1e30], np.count_nonzero(bad))
    lists = []
    for name in TWINS:
        with using(name):
            lists.append(list_bright_peaks(image, bad, edge=edge, limit=11.5))
    for compiled, defined in zip(*lists, strict=True):
        np.testing.assert_array_equal(compiled, defined)


def test_a_peak_is_brighter_than_its_good_neighbors(twin):
    image = np.zeros((9, 9), np.float32)
    image[4, 4], image[4, 5], image[2, 2] = 5.0, 9.0, 3.0
    bad = np.zeros(image.shape, bool)
    assert list(zip(*list_bright_peaks(image, bad, edge=1, limit=1.0), strict=True)) == [(2, 2), (4, 5)]
    bad[4, 5] = True
    assert list(zip(*list_bright_peaks(image, bad, edge=1, limit=1.0), strict=True)) == [(2, 2), (4, 4)]
    assert list(zip(*list_bright_peaks(image, bad, edge=3, limit=1.0), strict=True)) == [(4, 4)]


def test_sides_hold_what_was_put_there(twin):
    """Four sides of known light on a level sky: the faintest, the mean, and the peak come back."""
    neighborhood = rings(2, 6)
    image = np.full((15, 15), 20.0, np.float32)
    light = np.array([5.0, 6.0, 7.0, 8.0])
    for dy, dx, side in neighborhood.wings:
        image[7 + dy, 7 + dx] += light[side]
    image[7, 7] = 120.0
    figures = measure_sides(
        image,
        np.zeros(image.shape, bool),
        PixelIndices(np.array([7]), np.array([7])),
        neighborhood=neighborhood,
        sigma=2.0,
    )
    fewest = np.bincount(neighborhood.wings[:, 2]).min()
    expected = (100.0, 5.0, 6.5, 2.0 / np.sqrt(fewest), 20.0)
    np.testing.assert_allclose([value[0] for value in figures], expected, rtol=1e-6)


def test_where_too_little_is_known_nothing_stands_out(twin):
    image, off = np.full((15, 15), 20.0, np.float32), np.ones((15, 15), bool)
    figures = measure_sides(image, off, PixelIndices(np.array([7]), np.array([7])), neighborhood=rings(2, 6), sigma=2.0)
    assert (figures.least[0], figures.mean[0]) == (0.0, 0.0)


def test_what_is_no_image_with_its_mask_is_refused(twin):
    image, nothing = np.zeros((9, 9), np.float32), np.zeros((9, 9), bool)
    middle = PixelIndices(np.array([4]), np.array([4]))
    with pytest.raises(ValueError, match="one shape"):
        list_bright_peaks(image, nothing[1:], edge=1, limit=0.0)
    with pytest.raises(ValueError, match="edge 0"):
        list_bright_peaks(image, nothing, edge=0, limit=0.0)
    with pytest.raises(ValueError, match="on the image"):
        measure_sides(image, nothing, PixelIndices(middle.row + 5, middle.column), neighborhood=rings(1, 3), sigma=1.0)
