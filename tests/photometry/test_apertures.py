"""Aperture sums: areas of known geometry, exact to rounding; rings that stars cannot bias."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.stars.apertures import SkyRule, aperture_sums, circle_overlap, ring_sky

fractions = st.floats(-0.5, 0.5)


@given(dx=fractions, dy=fractions, radius=st.floats(0.05, 20.0))
@settings(deadline=None)
def test_area_of_a_circle(dx, dy, radius):
    half = int(np.ceil(radius + 0.5))
    area = circle_overlap([dx], [dy], radius, half=half)
    assert area.sum() == pytest.approx(np.pi * radius**2, rel=1e-12, abs=1e-12)
    assert area.min() >= 0
    assert area.max() <= 1


@given(dx=fractions, dy=fractions, radius=st.floats(0.3, 6.0))
@settings(max_examples=25, deadline=None)
def test_overlap_of_single_pixels_against_quadrature(dx, dy, radius):
    half = int(np.ceil(radius + 0.5))
    area = circle_overlap([dx], [dy], radius, half=half)[0]
    # Length of the chord inside each pixel row, averaged over 4000 lines.
    v = (np.arange(4000 * (2 * half + 1)) + 0.5) / 4000 - half - 0.5
    chord = np.sqrt(np.maximum(radius**2 - (v - dy) ** 2, 0.0))
    edges = np.arange(2 * half + 2) - half - 0.5
    low, high = np.clip(edges[:-1], None, None), edges[1:]
    inside = np.minimum(high, (dx + chord)[:, None]) - np.maximum(low, (dx - chord)[:, None])
    inside = np.where(chord[:, None] > 0, np.maximum(inside, 0.0), 0.0)
    expected = inside.reshape(2 * half + 1, 4000, -1).mean(axis=1)
    np.testing.assert_allclose(area, expected, atol=3e-5)


@given(dx=fractions, dy=fractions, radius=st.floats(0.3, 6.0))
@settings(max_examples=25, deadline=None)
def test_overlap_mirrors_and_transposes(dx, dy, radius):
    half = int(np.ceil(radius + 0.5))
    area = circle_overlap([dx], [dy], radius, half=half)[0]
    np.testing.assert_allclose(circle_overlap([-dx], [dy], radius, half=half)[0], area[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(circle_overlap([dy], [dx], radius, half=half)[0], area.T, atol=1e-12)


def test_half_a_pixel_of_radius_is_a_quarter_of_pi():
    assert circle_overlap([0.0], [0.0], 0.5, half=1)[0, 1, 1] == pytest.approx(np.pi / 4, abs=1e-15)


@given(x=st.floats(-3, 43), y=st.floats(-3, 33), radius=st.floats(0.5, 5.0))
@settings(max_examples=40, deadline=None)
def test_flat_image_gives_the_area_inside(x, y, radius):
    sums = aperture_sums(np.full((30, 40), 2.0), [x], [y], radius=radius)
    assert sums.flux[0] == pytest.approx(2.0 * sums.area[0], abs=1e-10)
    assert sums.area[0] + sums.lost[0] == pytest.approx(np.pi * radius**2, rel=1e-10)
    if radius <= x <= 39 - radius and radius <= y <= 29 - radius:
        assert sums.lost[0] == pytest.approx(0, abs=1e-10)


def test_masked_and_nan_pixels_are_invisible_but_counted():
    image = np.ones((21, 21))
    mask = np.zeros((21, 21), np.uint8)
    mask[10, 10], image[10, 10] = 1, 1e9
    image[10, 11] = np.nan
    sums = aperture_sums(image, [10.0], [10.0], radius=4.0, variance=image, mask=mask)
    assert sums.lost[0] == pytest.approx(2.0, abs=1e-12)
    assert sums.flux[0] == pytest.approx(np.pi * 16 - 2, abs=1e-11)
    weights = circle_overlap([0.0], [0.0], 4.0, half=5)
    assert sums.variance[0] == pytest.approx((weights**2).sum() - 2, abs=1e-11)


def test_many_stars_equal_one_at_a_time():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(300, 400))
    x, y = rng.uniform(-5, 405, 9000), rng.uniform(-5, 305, 9000)
    together = aperture_sums(image, x, y, radius=5.3, variance=image**2)
    for i in range(0, 9000, 911):
        alone = aperture_sums(image, x[i : i + 1], y[i : i + 1], radius=5.3, variance=image**2)
        assert alone.flux[0] == together.flux[i]
        assert alone.variance[0] == together.variance[i]


def test_impossible_requests():
    with pytest.raises(ValueError, match="radius is nan"):
        aperture_sums(np.ones((5, 5)), [2.0], [2.0], radius=float("nan"))
    with pytest.raises(ValueError, match="shapes differ"):
        aperture_sums(np.ones((5, 5)), [2.0], [2.0], radius=1.0, mask=np.ones((4, 5)))


def test_center_that_is_no_number_sums_nothing():
    sums = aperture_sums(np.ones((9, 9)), [np.nan, 4.0], [4.0, np.inf], radius=2.0)
    assert sums.flux.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("statistic", ["median", "mean", "mode"])
def test_ring_level_of_noise_and_neighbors(statistic):
    rng = np.random.default_rng(2)
    levels = []
    for _ in range(40):
        image = rng.normal(10.0, 1.0, (61, 61))
        for _ in range(5):
            image[tuple(rng.integers(0, 60, 2))] += 500.0
        levels.append(ring_sky(image, [30.0], [30.0], radii=(10.0, 16.0), rule=SkyRule(statistic)).level[0])
    assert np.mean(levels) == pytest.approx(10.0, abs=0.05)


def test_ring_sigma_and_count():
    image = np.random.default_rng(3).normal(0.0, 2.0, (200, 200))
    sky = ring_sky(image, np.full(1, 100.0), np.full(1, 100.0), radii=(10.0, 60.0), rule=SkyRule(clip=5.0))
    v, u = np.mgrid[:200, :200]
    r = np.hypot(u - 100, v - 100)
    assert sky.n_pixels[0] == pytest.approx(((r >= 10) & (r <= 60)).sum(), abs=2)
    assert sky.sigma[0] == pytest.approx(2.0, rel=0.05)


def test_ring_off_the_image_or_masked_has_no_level():
    image = np.ones((50, 50))
    assert np.isnan(ring_sky(image, [500.0], [500.0], radii=(5.0, 8.0)).level[0])
    assert np.isnan(ring_sky(image, [25.0], [25.0], radii=(5.0, 8.0), mask=np.ones((50, 50))).level[0])
    half = np.zeros((50, 50), np.uint8)
    half[:, 25:] = 1
    assert ring_sky(image, [25.0], [25.0], radii=(5.0, 8.0), mask=half).level[0] == 1.0


def test_no_stars():
    assert aperture_sums(np.ones((9, 9)), [], [], radius=2.0).flux.shape == (0,)
    assert ring_sky(np.ones((9, 9)), [], [], radii=(2.0, 3.0)).level.shape == (0,)
