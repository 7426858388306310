"""Stars of a large image are found in bands of rows: the same ones, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.kernel.detect import Detection, Profile, detect, front


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
