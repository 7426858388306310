"""Fits of stars: they settle, they stay near their peak, and what is no star does not keep the stars out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernel.twins import TWINS, using
from mizzle.kernel.detect import Detection, Profile, SampledProfile, detect, front, numpy_twin, profile_stamps

NARROW = Profile(sigma=0.45, halo_sigma=2.5, halo=0.0, radius=2)


@pytest.fixture(params=TWINS)
def twin(request):
    with using(request.param):
        yield request.param


def stars(profile, places, *, flux=5000.0, noise=0.3, side=15):
    """An image with a star in the middle of each of its squares, moved by its place from the middle pixel's center."""
    reach = profile.radius
    wide = Profile(profile.sigma, profile.halo_sigma, profile.halo, side // 2)
    stamps = flux * profile_stamps(wide, *np.array(places).T).value
    image = np.concatenate(stamps, axis=1)
    assert side // 2 > reach
    return image + np.random.default_rng(5).normal(0.0, noise, image.shape)


def fitted(image, profile, moved=0, side=15):
    """Fits that begin `moved` pixels to the right of each square's middle."""
    image = image.astype(np.float32)
    count = image.shape[1] // side
    index = side // 2 * image.shape[1] + side // 2 + moved + side * np.arange(count)
    noise, flags = np.full(image.shape, 0.3, np.float32), np.zeros(image.shape, np.uint8)
    fit = front._fit(image, noise, flags, index, Detection(profile=profile, gain=2.0, mismatch=0.02))
    return dict(zip(front.FIT_COLUMNS, fit.T, strict=True))


def test_more_steps_move_no_fit(twin, monkeypatch):
    """Undersampled stars between pixels are the slowest to settle."""
    places = [(dx, dy) for dx in (-0.5, -0.2, 0.1, 0.45) for dy in (-0.45, 0.0, 0.3, 0.5)]
    image = stars(NARROW, places)
    usual = fitted(image, NARROW)
    for module in (front, numpy_twin):
        monkeypatch.setattr(module, "ITERATIONS", 50)
        monkeypatch.setattr(module, "SETTLED", 1e-9)
    longer = fitted(image, NARROW)
    for name in ("dx", "dy"):
        np.testing.assert_allclose(usual[name], longer[name], atol=1e-4)


@pytest.mark.parametrize(("moved", "limit"), [(1, 1.0), (2, 1.2)])
def test_a_fit_reaches_a_star_one_pixel_from_its_peak_and_no_farther(twin, moved, limit):
    """A ray, or a dead pixel, beside a star's center is its peak; a fit that runs away would be another star's."""
    broad = Profile(sigma=1.0, halo_sigma=2.5, halo=0.0, radius=2)
    fit = fitted(stars(broad, [(0.0, 0.0)] * 3), broad, moved=moved)
    np.testing.assert_allclose(fit["dx"], -limit, atol=2e-3)


def test_an_image_must_hold_a_window_that_moves_as_far_as_a_fit():
    needed = (2 + math.ceil(1.2)) * 4 + 2  # window, motion, and two samples of the spline
    SampledProfile(np.ones((2 * needed, 2 * needed)), 4, 2)
    with pytest.raises(ValueError, match="window"):
        SampledProfile(np.ones((2 * needed - 2, 2 * needed - 2)), 4, 2)


@pytest.mark.parametrize("seed", range(2))
def test_rays_brighter_than_all_stars_do_not_keep_them_from_being_fitted(twin, seed):
    """Half of all peaks of a long exposure are rays."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :240]
    image = rng.normal(5.0, 1.0, x.shape)
    places = np.array([(20 + 40 * i, 20 + 40 * j) for i in range(6) for j in range(6)]) + rng.uniform(-5, 5, (36, 2))
    rng.shuffle(places)
    for cx, cy in places[:18]:
        image += 60.0 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 2.0)
    for cx, cy in places[18:].astype(int):
        image[cy : cy + 2, cx : cx + 2] += 400.0
    profile = Profile(sigma=1.0, halo_sigma=2.5, halo=0.0, radius=2)
    detection = Detection(profile=profile, gain=2.0, max_sources=18, edge=3)
    sources = detect(image.astype(np.float32), np.zeros(image.shape, np.uint8), detection)
    away = np.hypot(sources["x"][:, None] - places[:18, 0], sources["y"][:, None] - places[:18, 1])
    assert len(sources) == 18
    assert away.min(axis=0).max() < 0.2
