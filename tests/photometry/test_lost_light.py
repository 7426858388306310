"""What stars lost to rays and edges, and what rays left."""

from __future__ import annotations

import math

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
