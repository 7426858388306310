"""One exposure by itself: stars live, cosmic rays die."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.instrument.dq import bad_mask
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.single import SinglePixels, find_single, sharpest_star, star_templates
from ray_scores import found, scores, simulated, star_peaks_flagged

PLAN = {"n": 1, "seed": 3, "density": 600.0}


@pytest.fixture(scope="module")
def alone():
    made = simulated(**PLAN)
    return made, found(made)


def test_star_peaks_are_spared_on_every_chip(alone):
    made, rays = alone
    for name, (flagged, count) in star_peaks_flagged(made, rays).items():
        assert count > (50 if name == "PC" else 300)
        assert flagged <= 0.01 * count, name


def test_most_bright_hits_are_found(alone):
    made, rays = alone
    told = scores(made, rays)
    assert told["found150"] >= 0.8
    assert max(told["sky"].values()) < 1e-3
    assert set(rays.methods.values()) == {"lacosmic"}


@pytest.mark.slow
@pytest.mark.parametrize("gain", [7, 15])
@pytest.mark.parametrize("filter_name", ["F555W", "F814W"])
@pytest.mark.parametrize("seed", [21, 22])
def test_in_any_filter_and_gain(gain, filter_name, seed):
    made = simulated(n=1, seed=seed, gain=gain, filter=filter_name, density=600.0)
    rays = found(made)
    assert scores(made, rays)["found150"] >= 0.8
    for name, (flagged, count) in star_peaks_flagged(made, rays).items():
        assert flagged <= max(1, 0.01 * count), name


def image(rng, star=0.0, ray=0.0, size=41):
    sigma = sharpest_star(7996.0, 0.0996)
    electrons = rng.normal(0, 6.0, (size, size)) + 20.0
    if star:
        y, x = np.indices((size, size)) - 20.0
        electrons += star * np.exp(-(x**2 + y**2) / (2 * (sigma**2 + 1 / 12)))
    electrons[20, 20] += ray
    bad = np.zeros((size, size), bool)
    return SinglePixels(electrons.astype(np.float32), bad, 36.0, sigma)


@pytest.mark.parametrize("laplacian", [True, False])
@pytest.mark.parametrize("height", [300.0, 3000.0, 30000.0])
def test_a_ray_and_a_star_of_one_height(laplacian, height):
    rng = np.random.default_rng(2)
    settings = RejectSettings()
    assert find_single(image(rng, ray=height), settings, laplacian=laplacian)[20, 20]
    assert not find_single(image(rng, star=height), settings, laplacian=laplacian)[19:22, 19:22].any()


def test_hits_at_the_edge_of_a_chip_are_seen():
    rng = np.random.default_rng(2)
    pixels = image(rng)
    pixels.electrons[[0, 40, 12], [7, 33, 0]] += 2000.0
    mask = find_single(pixels, RejectSettings(), laplacian=False)
    assert mask[[0, 40, 12], [7, 33, 0]].all()


def test_bad_pixels_are_left_alone():
    rng = np.random.default_rng(2)
    pixels = image(rng, ray=5000.0)
    pixels.bad[20, 20] = True
    assert not find_single(pixels, RejectSettings(), laplacian=False).any()


def test_templates_are_stars_within_a_pixel():
    templates = star_templates(0.45)
    assert templates.shape == (49, 8)
    middle = templates[24]
    np.testing.assert_allclose(middle[[1, 3, 4, 6]], middle[1], rtol=1e-12)
    assert 0.15 < middle[1] < 0.2
    assert templates.max() <= 1.0 + 1e-12


@pytest.mark.data
def test_the_real_exposure_keeps_its_stars(data_dir):
    import mizzle
    from mizzle.instrument.noise import noise_model
    from mizzle.settings import Settings

    exposure = mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    settings = Settings()
    for chip in exposure.chips.values():
        model = noise_model(exposure, chip, settings.noise)
        bad = bad_mask(chip, settings.dq)
        psf = sharpest_star(chip.photplam, chip.frame.scale)
        electrons = np.where(bad, 0, chip.sci * np.float32(model.gain)).astype(np.float32)
        mask = find_single(SinglePixels(electrons, bad, model.floor, psf), settings.reject)
        # 100 s: about 0.2 per cent of the pixels are hit
        assert 0.0005 < mask[~bad].mean() < 0.01, chip.name
