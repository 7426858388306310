"""Errors of sums: what the drops' overlap does to the noise, and that ERR with its factor tells the truth."""

from __future__ import annotations

import numpy as np
import pytest

from combine_tools import blank_stack, drizzled
from mizzle.kernel.drop.correlation import (
    aperture_factor,
    drop_correlation,
    large_area_factor,
    small_sum_weights,
    sum_weights,
)


def test_published_numbers():
    """Fruchter & Hook 2002, section 7: R = 1 / (1 - r/3) for drops no wider than a pixel, r/(1 - 1/(3r)) beyond."""
    for ratio in (0.3, 0.7, 1.0):
        assert large_area_factor(drop_correlation(np.eye(2) * ratio)) == pytest.approx(1 / (1 - ratio / 3), rel=2e-3)
    for ratio in (1.5, 2.0):
        expected = ratio / (1 - 1 / (3 * ratio))
        assert large_area_factor(drop_correlation(np.eye(2) * ratio)) == pytest.approx(expected, rel=2e-3)


def test_turned_drops_spread_more():
    def factor(degrees):
        cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        return large_area_factor(drop_correlation(np.array([[cos, -sin], [sin, cos]])))

    assert factor(45) > factor(20) > factor(0)
    assert factor(0) == pytest.approx(1.5, rel=1e-3)


def test_single_pixels_need_no_factor_and_large_areas_the_full_one():
    correlation = drop_correlation(np.eye(2))
    assert aperture_factor(correlation, np.ones((1, 1))) == pytest.approx(1.0)
    sizes = [aperture_factor(correlation, np.ones((n, n))) for n in (2, 5, 20, 80)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == pytest.approx(large_area_factor(correlation), rel=0.02)


def test_weights_of_a_sum():
    """Even noise: as the factor says. One noisy input pixel inside a wide aperture: by the large-area factor."""
    correlation = drop_correlation(np.array([[0.98, 0.2], [-0.2, 0.98]]))
    shares = np.random.default_rng(3).uniform(size=(2, 9, 11))
    weights = sum_weights(correlation, shares)
    for one, mine in zip(shares, weights, strict=True):
        assert np.sqrt(mine.sum() / (one**2).sum()) == pytest.approx(aperture_factor(correlation, one))
    wide = sum_weights(correlation, np.ones((1, 15, 15)))[0]
    assert np.sqrt(wide[7, 7]) == pytest.approx(large_area_factor(correlation))


def test_weights_of_a_small_sum():
    """Even noise: as the other weights. A row's pairs are told in their middles; off the stamp is on its edge."""
    correlation = drop_correlation(np.array([[0.98, 0.2], [-0.2, 0.98]]))
    for shape in ((2, 9, 11), (1, 3, 3), (1, 1, 1), (1, 2, 1)):
        shares = np.random.default_rng(3).uniform(size=shape)
        weights = small_sum_weights(correlation, shares)
        np.testing.assert_allclose(weights.sum(axis=(1, 2)), sum_weights(correlation, shares).sum(axis=(1, 2)))
    wide = small_sum_weights(correlation, np.ones((1, 15, 15)))[0]
    assert np.sqrt(wide[7, 7]) == pytest.approx(large_area_factor(correlation))
    line = np.zeros((3, 3))
    line[1] = 0.25, 1.0, 0.25
    pair = np.array([[[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]]])
    told = small_sum_weights(line, pair)[0, 0]
    np.testing.assert_allclose(told, [0.0, -0.0375, 1.2875, 1.2875, -0.0375, 0.0])


def test_noise_of_a_star_that_fills_its_aperture():
    """A drop of a cell's size, at all its places: the noise of apertures of 1.5 pixels, in which it has its peak."""
    from mizzle.stars.apertures import circle_overlap

    phases = np.array([[0.0, 0.0], [0.5, 0.5], [0.3, -0.2], [0.5, 0.0], [0.1, 0.4], [-0.25, -0.25]])
    shares = circle_overlap(phases[:, 0], phases[:, 1], 1.5, half=5)
    places = np.stack(np.meshgrid(np.arange(-3, 3, 0.1), np.arange(-3, 3, 0.1)), axis=-1).reshape(-1, 2) + 0.05
    x, y = (np.maximum(1.0 - np.abs(np.arange(-5, 6) - place[:, None]), 0.0) for place in places.T)
    held = y[:, :, None] * x[:, None, :]
    noise = np.exp(-((np.hypot(*(places - phases[:, None]).T).T / 0.75) ** 2))
    true = (noise * np.einsum("pyx,syx->sp", held, shares) ** 2).sum()
    variance = np.einsum("sp,pyx->syx", noise, held**2)
    ends, middle = (
        (weigh(drop_correlation(np.eye(2)), shares) * variance).sum() / true
        for weigh in (sum_weights, small_sum_weights)
    )
    assert middle == pytest.approx(1.0, abs=0.05)
    assert abs(middle - 1.0) < 0.7 * abs(ends - 1.0)


#: Narrow gaussians and lanczos leave a weight so uneven that one factor means little: they are left out.
CASES = [
    (kernel, chip, pixfrac)
    for kernel in ("square", "turbo", "point")
    for chip in ("PC", "WF3")
    for pixfrac in (0.4, 1.0)
]
CASES += [("gaussian", "WF3", 1.0), ("gaussian", "PC", 1.0), ("lanczos3", "WF3", 1.0)]


@pytest.mark.parametrize(("kernel", "chip", "pixfrac"), CASES)
def test_block_sums_scatter_as_told(kernel, chip, pixfrac):
    """Noise through the real kernel: chi-square of 8 x 8 sums about zero is 1 (T14 on the sky)."""
    assignments = [f'combine.kernel="{kernel}"', f"combine.pixfrac={pixfrac}"]
    mosaic = drizzled(blank_stack(chip, (200, 200), count=3), assignments)
    side = 8
    correlation = mosaic.noise_correlation[chip]
    good = mosaic.wht > 0.5 * np.median(mosaic.wht[mosaic.wht > 0])
    ny, nx = (n // side * side for n in good.shape)
    blocks = [
        np.where(good, plane, 0)[:ny, :nx].reshape(ny // side, side, nx // side, side).sum(axis=(1, 3))
        for plane in (mosaic.sci, mosaic.err**2, good.astype(float))
    ]
    whole = blocks[2] == side * side
    pull = blocks[0][whole] / np.sqrt(blocks[1][whole])
    # A block of 8 pixels falls short of the large-area factor by its rim; for drops of a pixel 1 - 1/(3 N) each way.
    drop = pixfrac if chip == "WF3" else pixfrac / 2.19
    rim = 1.0 if kernel == "point" else 1 - min(drop, 1.5) / (3 * side)
    assert pull.std() == pytest.approx(correlation * rim, rel=4.0 / np.sqrt(2 * whole.sum()) + 0.03)
