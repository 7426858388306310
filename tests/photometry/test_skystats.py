"""Sky statistics: piles of pixels with known levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.stars.sky_statistics import sky_statistic

GAIN, READ_NOISE = 7.0, 5.3


def sky_pixels(rng, level, n=300_000, *, quantized=True, offset=0.0):
    """Sky as the camera records it: Poisson, read noise, whole DN, a bias that is no whole DN."""
    electrons = rng.poisson(level * GAIN, n) + rng.normal(0, READ_NOISE, n)
    dn = electrons / GAIN
    if quantized:
        dn = (np.round(dn + offset) - offset) / (1 + 0.02 * np.sin(np.arange(n)))
    return dn.astype(np.float32)


@pytest.mark.parametrize("statistic", ["mode", "median", "mean"])
@pytest.mark.parametrize("level", [0.3, 0.8, 3.0, 30.0])
def test_level_of_a_recorded_sky(statistic, level):
    rng = np.random.default_rng(17)
    found = [
        sky_statistic(
            sky_pixels(rng, level, offset=offset),
            statistic=statistic,
            skewness_of=(GAIN, READ_NOISE**2 + GAIN**2 / 12),
        )
        for offset in (0.0, 0.3, 0.6)
    ]
    for answer in found:
        assert answer.level == pytest.approx(level, abs=0.05)
        sigma = np.sqrt(level * GAIN + READ_NOISE**2 + GAIN**2 / 12) / GAIN
        assert answer.sigma == pytest.approx(sigma, rel=0.10)


def test_lumps_of_whole_dn_do_not_capture_the_median():
    # The plain median of these pixels is a quarter of a DN off.
    pixels = sky_pixels(np.random.default_rng(3), 0.8, offset=0.3)
    assert abs(np.median(pixels) - 0.8) > 0.05
    assert sky_statistic(pixels, statistic="median").level == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("share", [0.02, 0.10])
def test_stars_and_cosmic_rays_hardly_move_the_mode(share):
    rng = np.random.default_rng(5)
    pixels = sky_pixels(rng, 3.0)
    hit = rng.random(pixels.size) < share
    pixels[hit] += rng.exponential(50.0, hit.sum()).astype(np.float32)
    found = sky_statistic(pixels, skewness_of=(GAIN, READ_NOISE**2))
    assert found.level == pytest.approx(3.0, abs=0.03)


def test_mode_stays_lowest_in_a_crowd():
    rng = np.random.default_rng(6)
    pixels = sky_pixels(rng, 3.0) + rng.exponential(1.0, 300_000).astype(np.float32)
    mode, median, mean = (sky_statistic(pixels, statistic=s).level for s in ("mode", "median", "mean"))
    assert 3.0 < mode < median < mean


@given(level=st.floats(-50, 1000), shift=st.floats(-5, 5), seed=st.integers(0, 100), scale=st.floats(0.1, 50))
@settings(max_examples=30, deadline=None)
def test_level_moves_with_the_pixels(level, shift, seed, scale):
    pixels = np.random.default_rng(seed).normal(level, scale, 4000)
    for statistic in ("mode", "median", "mean"):
        one = sky_statistic(pixels, statistic=statistic)
        two = sky_statistic(pixels + shift, statistic=statistic)
        assert two.level - one.level == pytest.approx(shift, abs=0.1 * scale + 0.02)
        assert one.level == pytest.approx(level, abs=0.2 * np.hypot(scale, 0.5))


@pytest.mark.parametrize("value", [0.0, 10.0, 1e4])
def test_noiseless_sky_is_exact(value):
    pixels = np.full(5000, value, np.float32)
    pixels[:50] += 300.0
    assert sky_statistic(pixels).level == pytest.approx(value, rel=1e-6, abs=1e-9)


def test_no_pixels_no_level():
    assert np.isnan(sky_statistic(np.empty(0, np.float32)).level)
    assert np.isnan(sky_statistic(np.full(100, np.nan, np.float32)).level)


def test_nan_pixels_do_not_count():
    pixels = sky_pixels(np.random.default_rng(8), 3.0, n=50_000)
    with_nan = np.concatenate([pixels, np.full(20_000, np.nan, np.float32)])
    assert sky_statistic(with_nan).level == pytest.approx(sky_statistic(pixels).level, abs=0.02)


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.384, 0.5, 0.75])
@pytest.mark.parametrize("noise", [0.5, 0.52, 0.6])
def test_noise_of_half_a_dn_is_no_noiseless_sky(offset, noise):
    """Gain 15, PC: nearly all pixels lie at one or two values, and the level is between."""
    rng = np.random.default_rng(round(1000 * (offset + noise)))
    analog = rng.normal(0.12, np.sqrt(noise**2 - 1 / 12), 150_000)
    pixels = (np.round(analog + offset) - offset + rng.normal(0, 0.005, analog.size)).astype(np.float32)
    found = sky_statistic(pixels, skewness_of=(14.0, (14.0 * noise) ** 2))
    assert found.level == pytest.approx(0.12, abs=0.07)
    assert found.sigma < 2 * noise
