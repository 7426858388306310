"""The curve of growth, and what bright stars tell about all others."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.instrument.cameras import WFPC2
from mizzle.stars.radial import radial_profile
from mizzle.steps.catalog.curve import Growth, sampling_scatter, spread_loss
from mizzle.steps.catalog.undetected_rays import count_rays
from mizzle.steps.verify.rings import ring_levels

CLASSES = WFPC2.classes


def test_spread_light_of_gaussians():
    """Of a sum of Gaussians the loss is known: each one's share within R, with and without the added variance."""
    variances, weights = np.array([0.01, 0.05, 0.36]), np.array([0.7, 0.2, 0.1])
    added = 0.0025

    def within(radius, more=0.0):
        return float(np.sum(weights * (1.0 - np.exp(-0.5 * radius**2 / (variances + more)))))

    lights = [np.full(20, within(r) / within(0.5)) for r in (0.4, 0.6)]
    found = spread_loss(
        (lights[0], lights[1]), 0.5, 0.1, chip=np.full(20, "WF3"), widths={"WF3": added}, classes=CLASSES
    )
    assert found["WF3"] == pytest.approx(1.0 - within(0.5, added) / within(0.5), rel=0.15)
    assert (
        spread_loss(
            (lights[0][:5], lights[1][:5]),
            0.5,
            0.1,
            chip=np.full(5, "WF3"),
            widths={"WF3": added},
            classes=CLASSES,
        )
        == {}
    )


def test_scatter_beyond_noise_is_found():
    rng = np.random.default_rng(3)
    noise = rng.uniform(0.002, 0.02, 3000)
    count = rng.integers(3, 7, 3000)
    true = np.where(count == 6, 0.008, 0.015)
    deviation = rng.normal(0.0, np.hypot(noise, true))
    deviation[::100] += 0.3
    found = sampling_scatter(deviation, noise**2, np.full(3000, "WF2"), n_exposures=count, classes=CLASSES)
    assert found["WF4", 6] == pytest.approx(0.008, rel=0.1)
    assert found["WF4", 3] == pytest.approx(0.015, rel=0.1)
    assert not any(name == "PC" for name, _ in found)
    alone = Growth(scatter={("WF2", 0): 0.02}).sampling(["WF2", "PC"], [4, 4], np.array([0.1, 0.1]))
    np.testing.assert_allclose(alone, [0.01, 0.05])


def test_stars_that_agree_by_chance_lean_on_their_class_and_many_speak_for_themselves():
    """Five stars of two exposures that scatter by nothing still have most of their class's scatter; eighty do not."""
    rng = np.random.default_rng(11)
    count, scatter = 200, 0.02

    def of_two_exposures(stars, width):
        deviation = np.append(rng.normal(0, scatter, count), rng.normal(0, width, stars))
        exposures = np.append(np.ones(count, np.int64), np.full(stars, 2))
        chip = np.full(count + stars, "WF3")
        variance = np.full(count + stars, 1e-8)
        told = sampling_scatter(deviation, variance, chip, n_exposures=exposures, classes=WFPC2.classes)
        return told["WF3", 2] / (scatter / np.sqrt(2.0))

    assert of_two_exposures(5, 1e-5) > 0.72
    assert of_two_exposures(80, 3.0 * scatter / np.sqrt(2.0)) > 2.5
    assert of_two_exposures(80, 1e-5) < 0.45


def test_a_star_on_two_chips_grows_by_both():
    grown = Growth(
        {"PC": (1.1, 0.01, 9), "WF2": (1.3, 0.01, 9), "WF3": (1.3, 0.01, 9)}, classes=CLASSES, to_infinity=1.096
    )
    factor = grown.factor(["PC", "PC", "WF3"], np.array([1.0, 0.5, 0.0])) / 1.096
    assert factor[[0, 2]] == pytest.approx([1.1, 1.3])
    assert factor[1] == pytest.approx(1.0 / (0.5 / 1.1 + 0.5 / 1.3))


def test_profile_knows_slope_from_scatter():
    rng = np.random.default_rng(5)
    distance = rng.uniform(0.0, 0.3, 20_000)
    value = np.exp(-0.5 * (distance / 0.08) ** 2) + rng.normal(0.0, 0.02, distance.size)
    profile = radial_profile(distance, value, np.full(distance.size, 0.01**2), step=0.02)
    at, scatter = profile.at(np.array([0.05, 0.1, 0.2]))
    np.testing.assert_allclose(at, np.exp(-0.5 * (np.array([0.05, 0.1, 0.2]) / 0.08) ** 2), atol=0.01)
    np.testing.assert_allclose(scatter, np.sqrt(0.02**2 - 0.01**2), rtol=0.2)
    assert radial_profile(distance[:3], value[:3], value[:3], step=0.02) is None


def test_a_few_pixels_make_no_ring_of_a_profile():
    """Of four pixels a ray in two is the median: what lies there is told by the rings beside."""
    distance = np.append(np.repeat(np.arange(12) + 0.5, 30), np.full(4, 12.5))
    value = np.append(np.full(360, 0.1), np.full(4, 5.0))
    profile = radial_profile(distance, value, np.zeros(364), step=1.0)
    np.testing.assert_allclose(profile.at(np.array([3.0, 12.5])).value, 0.1)
    enough = radial_profile(distance, value, np.zeros(364), step=3.0)
    assert enough is not None
    assert enough.radius.size == 4


def test_rays_are_counted_by_their_charge():
    rng = np.random.default_rng(6)
    sci, mask = np.full((800, 800), 3.0, np.float32), np.zeros((800, 800), np.bool_)
    y, x = rng.integers(5, 795, (2, 3000))
    for dy, dx, share in ((0, 0, 100.0), (0, 1, 40.0)):
        sci[y + dy, x + dx] = 3.0 + share
        mask[y + dy, x + dx] = True
    rays = count_rays(sci, mask, 7.0)
    alone = rays.peak.size
    assert alone > 60
    np.testing.assert_allclose(rays.peak, 700.0)
    assert rays.charge[-1] == pytest.approx(3000 * 980.0 / 800**2, rel=0.3)
    assert rays.square[-1] / rays.charge[-1] == pytest.approx(980.0, rel=0.15)
    assert rays.density == pytest.approx(3000 / 800**2, rel=0.3)
    assert count_rays(sci, np.zeros_like(mask), 7.0).peak.size == 0


@pytest.mark.parametrize("scale", [0.0455, 0.0996])
def test_rings_of_both_grains_give_the_level_of_a_pixel(scale):
    rng = np.random.default_rng(7)
    sci = rng.normal(5.0, 1.0, (400, 400)).astype(np.float32)
    x, y = rng.uniform(80, 320, (2, 60))
    sky = ring_levels(sci, np.zeros(sci.shape, np.bool_), (x, y), ring=(1.5 / scale, 2.5 / scale), scale=scale)
    assert sky.level.mean() == pytest.approx(5.0, abs=0.03)
    assert sky.sigma.mean() == pytest.approx(0.5 if scale < 0.07 else 1.0, rel=0.15)
    hidden = np.zeros(sci.shape, np.bool_)
    hidden[:, 200:] = True
    sci[:, 200:] = 50.0
    sky = ring_levels(sci, hidden, (x[x < 195], y[x < 195]), ring=(1.5 / scale, 2.5 / scale), scale=scale)
    assert np.nanmax(sky.level) < 6.0
