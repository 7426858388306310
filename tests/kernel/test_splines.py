"""Cubic B-splines."""

from __future__ import annotations

import numpy as np

from mizzle.kernel.splines import cubic_slopes, cubic_transform, cubic_weights

PLACES = np.linspace(0.0, 1.0, 11)


def test_weights_are_shares_and_follow_a_slope():
    weights = cubic_weights(PLACES)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-15)
    np.testing.assert_allclose(weights @ np.arange(-1.0, 3.0), PLACES, atol=1e-15)


def test_slopes_are_those_of_the_weights():
    step = 1e-6
    numbers = (cubic_weights(PLACES + step) - cubic_weights(PLACES - step)) / (2.0 * step)
    np.testing.assert_allclose(cubic_slopes(PLACES), numbers, atol=1e-9)


def test_a_spline_goes_through_the_samples_it_was_made_of():
    samples = np.random.default_rng(1).normal(size=32)
    coefficients = np.fft.ifft(np.fft.fft(samples) / cubic_transform(np.fft.fftfreq(32))).real
    around = np.arange(32)[:, None] + np.arange(-1, 3)
    np.testing.assert_allclose(coefficients[around % 32] @ cubic_weights(np.zeros(1))[0], samples, atol=1e-12)
