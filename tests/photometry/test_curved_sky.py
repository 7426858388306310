"""The sky under a star from what lies around it, where it has slopes and curvature."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.arrays import Places
from mizzle.stars.curved_sky import Ring, curved_sky

RING = Ring(6.0, 16.0, 5.0)


def lattice(side=400, step=40):
    at = np.arange(30, side - 30, step) + 0.0
    return Places(*(a.ravel() for a in np.meshgrid(at, at)))


def test_any_sky_of_second_degree_is_known_exactly():
    y, x = np.mgrid[:120, :120] - 60.0
    sky = 3.0 + 0.2 * x - 0.1 * y + 0.02 * x * x - 0.01 * x * y + 0.03 * y * y
    where = Places(np.array([60.0]), np.array([60.0]))
    measured = curved_sky(sky, where, RING, mask=np.zeros(sky.shape, bool))
    assert measured.level[0] == pytest.approx(3.0 + (0.02 + 0.03) * RING.aperture**2 / 4.0, abs=1e-6)


def test_errors_are_true_on_noise():
    where, pulls = lattice(), []
    for seed in range(6):
        image = np.random.default_rng(seed).normal(5.0, 2.0, (400, 400))
        measured = curved_sky(image, where, RING, mask=np.zeros(image.shape, bool))
        pulls.append((measured.level - 5.0) / np.sqrt(measured.variance))
    width = float(np.std(np.concatenate(pulls)))
    assert 0.6 < width < 1.15, "what a curve cannot follow may only add to the error"


def test_what_the_curve_cannot_follow_is_in_the_error():
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(4)
    clouds = gaussian_filter(rng.normal(size=(400, 400)), 5.0, mode="wrap")
    image = 100.0 * clouds / clouds.std() + rng.normal(0.0, 1.0, clouds.shape)
    where = lattice()
    measured = curved_sky(image, where, RING, mask=np.zeros(image.shape, bool))
    y, x = np.mgrid[:400, :400]
    true = np.array([image[np.hypot(y - b, x - a) < RING.aperture].mean() for a, b in zip(*where, strict=True)])
    width = float(np.sqrt(np.mean((measured.level - true) ** 2 / measured.variance)))
    assert 0.4 < width < 1.8


def test_too_few_pixels_tell_nothing_and_stars_are_clipped():
    image = np.full((100, 100), 2.0)
    image[44:47, 58:61] = 900.0
    where = Places(np.array([50.0, 500.0]), np.array([50.0, 50.0]))
    measured = curved_sky(image, where, RING, mask=np.zeros(image.shape, bool))
    assert measured.level[0] == pytest.approx(2.0, abs=0.01)
    assert np.isnan(measured.level[1])
    assert np.isnan(curved_sky(image, where, RING, mask=np.ones(image.shape, bool)).level).all()
