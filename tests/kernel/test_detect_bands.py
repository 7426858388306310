"""Stars of a large image are found in bands of rows: the same ones, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.kernel.detect import Detection, Profile, detect, front
from mizzle.simulate.cosmic import cosmic_rays


def crowd(seed, shape=(700, 260), count=400):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(5.0, 1.0, shape) + 0.01 * y
    for cx, cy, flux in rng.uniform([0, 0, 5], [shape[1], shape[0], 400], (count, 3)):
        part = np.s_[max(0, int(cy) - 8) : int(cy) + 9, max(0, int(cx) - 8) : int(cx) + 9]
        image[part] += flux * np.exp(-((x[part] - cx) ** 2 + (y[part] - cy) ** 2) / 2.0)
    image[rng.random(shape) < 0.002] = np.nan
    return image.astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pixels", [2_000, 13_337, 60_000])
@pytest.mark.parametrize("most", [20, 5000])
def test_bands_change_nothing(seed, pixels, most, monkeypatch):
    image = crowd(seed)
    mask, full = np.zeros(image.shape, np.uint8), image > 180
    profile = Profile(sigma=1.0, halo_sigma=2.5, halo=0.3, radius=2)
    detection = Detection(profile=profile, gain=2.0, max_sources=most, edge=3)
    whole = detect(image, mask, detection, saturated=full)
    assert len(whole) >= min(most, 100)
    monkeypatch.setattr(front, "BAND_PIXELS", pixels)
    np.testing.assert_array_equal(detect(image, mask, detection, saturated=full), whole)


def test_bands_change_nothing_without_the_compiled_kernel(monkeypatch):
    image = crowd(5, shape=(300, 150), count=80)
    mask = np.zeros(image.shape, np.uint8)
    detection = Detection(profile=Profile(sigma=1.0, halo_sigma=2.5, halo=0.3, radius=2), gain=2.0, edge=3)
    monkeypatch.setattr(front.native, "library", lambda: None)
    whole = detect(image, mask, detection)
    monkeypatch.setattr(front, "BAND_PIXELS", 5_000)
    np.testing.assert_array_equal(detect(image, mask, detection), whole)


def test_rays_of_a_large_chip_hide_no_star():
    """More of them than three times the sources wanted are stronger than any star."""
    rng = np.random.default_rng(4)
    image = rng.normal(20.0, 3.0, (1600, 1600)) + 10.0 * cosmic_rays((1600, 1600), 0.03, 500.0, rng=rng)
    rows, columns = (20 + 170 * part for part in np.divmod(np.arange(81), 9))
    y, x = np.mgrid[-9:10, -9:10]
    for row, column in zip(rows, columns, strict=True):
        image[row - 9 : row + 10, column - 9 : column + 10] = rng.normal(20.0, 3.0, (19, 19))
        image[row - 9 : row + 10, column - 9 : column + 10] += 200.0 * np.exp(-0.5 * (x**2 + y**2) / 1.2**2)
    profile = Profile(sigma=1.2, halo_sigma=3.0, halo=0.1, radius=3)
    detection = Detection(profile=profile, gain=1.0, max_sources=100, edge=3)
    sources = detect(image.astype(np.float32), np.zeros(image.shape, np.uint8), detection)
    apart = np.hypot(sources["y"][:, None] - rows, sources["x"][:, None] - columns)
    assert np.count_nonzero(apart.min(axis=0) < 0.5) > 75
