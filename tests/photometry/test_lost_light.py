"""What stars lost to rays and edges, and what rays left."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mizzle.settings import RejectSettings
from mizzle.stars.radial import RadialProfile
from mizzle.steps.catalog.lost_light import Window, sees_core
from mizzle.steps.catalog.undetected_rays import DetectedRays, RayStatistics, undetected_ray_bias

SCALE = 0.0996  # arcsec


def test_a_chip_without_a_good_pixel_in_the_core_has_lost_nothing_of_it():
    around = Window.around(np.full(3, 50.2), np.full(3, 49.9), 2, shape=(100, 100))
    near = around.distance * SCALE < 0.2
    bad = np.zeros(near.shape, np.bool_)
    bad[0] = near[0]  # the whole core, though corners of the window are good
    bad[1] = around.columns[1] < 51  # half of it
    assert sees_core(around, bad, SCALE).tolist() == [False, True, True]


def statistics(density):
    return RayStatistics(
        chip="WF3",
        rays=DetectedRays(np.array([1e5]), np.zeros(2), np.zeros(2), density),
        star=np.array([0, 1]),
        weight=1.0,
        electrons=3500.0,
        floor=60.0,
        pixel=1.0,
        scale=SCALE,
        prediction_error=math.nan,
    )


def test_found_rays_leave_noise_in_proportion_to_their_number_and_the_light():
    """Rays too large to hide add no mean; their rims add variance, more where a star's own noise is larger."""
    profile = {"WF3": RadialProfile(np.array([0.0, 0.3]), np.array([0.3, 0.0]), np.zeros(2))}
    flux = np.array([0.0, 10.0])

    def variance_of(density, count=1, radius=0.5):
        bias, variance = undetected_ray_bias(
            [statistics(density)] * count, profile, flux, radius=radius, settings=RejectSettings()
        )
        np.testing.assert_array_equal(bias, 0.0)
        return variance

    one = variance_of(1e-3)
    area = math.pi * (0.5 / SCALE) ** 2
    assert one[0] == pytest.approx(1e-3 * 16.0 * area * 60.0 / 3500.0**2)
    assert one[1] / one[0] == pytest.approx(1.0 + 35_000.0 / (area * 60.0))
    np.testing.assert_allclose(variance_of(2e-3), 2.0 * one)
    np.testing.assert_allclose(variance_of(1e-3, count=4), one / 4.0)
    assert variance_of(1e-3, radius=0.25)[0] == pytest.approx(one[0] / 4.0)


@pytest.mark.parametrize(("threshold", "hides"), [(0.6, True), (1.5, False)])
def test_what_the_other_exposures_predict_finds_rays_above_its_threshold(threshold, hides):
    """In the core of a bright star the first search flags nothing: the second looks where the others predict light."""
    profile = {"WF3": RadialProfile(np.array([0.0, 0.3]), np.array([0.3, 0.0]), np.zeros(2))}
    options, core_error, light = RejectSettings(), 0.1, 10.0 * 3500.0
    step = 0.3 * light * SCALE / 0.3  # from the middle to the next pixel, along a cone
    limit = options.second_sigma * math.hypot(math.sqrt(0.3 * light + 60.0), core_error * step)
    ray = DetectedRays(np.array([threshold * limit]), np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1e-3)
    searched = replace(statistics(0.0), rays=ray, prediction_error=core_error)

    def bias(radius):
        return undetected_ray_bias([searched], profile, np.array([0.0, 10.0]), radius=radius, settings=options).flux

    # A circle within the middle pixel.
    assert bool(bias(0.3 * SCALE)[1] > 0.0) is hides
    assert bias(0.3 * SCALE)[0] == 0.0
