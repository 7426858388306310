"""Stars on skies with structure: a nebula's slopes are no noise, and its ridges no stars."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kernel.twins import TWINS, using
from mizzle.kernel.detect import Detection, Profile, detect, measure_sky, mesh, profile_stamps

STAR = Profile(sigma=0.9, halo_sigma=2.2, halo=0.3, radius=2)
SHAPE, GAIN, READ = (400, 360), 7.0, 0.75


def even(y, x):
    return np.full(y.shape, 8.0)


def nebula(y, x):
    """Clouds of 200 DN and of 30 pixels."""
    rng = np.random.default_rng(5)
    clouds = gaussian_filter(rng.normal(size=y.shape), 30.0, mode="wrap")
    return 8.0 + 200.0 * np.clip(clouds / clouds.std() + 0.8, 0.0, None)


def ridges(y, x):
    """Bright lines, 6 pixels wide (sigma), across the cells of the mesh."""
    along = np.abs((y - 0.6 * x) % 60 - 30)
    return 8.0 + 150.0 * np.exp(-0.5 * (along / 6.0) ** 2)


def scene(light, *, seed=1, count=120, flux=400.0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = light(y, x).astype(np.float64)
    places = rng.uniform(15, np.array(SHAPE[::-1]) - 15, (count, 2))
    wide = Profile(STAR.sigma, STAR.halo_sigma, STAR.halo, radius=7)
    for px, py in places:
        ix, iy = round(px), round(py)
        stamp = profile_stamps(wide, np.array([px - ix]), np.array([py - iy])).value[0]
        image[iy - 7 : iy + 8, ix - 7 : ix + 8] += flux * stamp
    image = rng.poisson(image * GAIN) / GAIN + rng.normal(0.0, READ, SHAPE)
    return image.astype(np.float32), places


def search(image):
    wanted = Detection(profile=STAR, gain=GAIN, floor=READ, max_chi2=50.0, sharpness=(0.1, 4.5), max_roundness=1.0)
    return detect(image, np.zeros(image.shape, np.uint8), wanted)


def seen(light, flux):
    """Share of stars in the list, and how many of the list are none."""
    image, places = scene(light, flux=flux)
    sources = search(image)
    apart = np.hypot(sources["x"][:, None] - places[:, 0], sources["y"][:, None] - places[:, 1])
    return float((apart.min(axis=0) < 1.5).mean()), int((apart.min(axis=1) > 3.0).sum())


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(("light", "most"), [(nebula, 6), (ridges, 12)])
def test_stars_far_above_the_noise_are_seen_through_a_nebula(twin, light, most):
    """400 DN stand 15 times above the noise of the brightest clouds; their slopes are as steep as that."""
    with using(twin):
        share, false = seen(light, 400.0)
    assert share > 0.85
    assert false <= most


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("count", [0, 120, 2000])
def test_even_skies_and_crowds_have_no_structure(twin, count):
    image, _ = scene(even, count=count)
    with using(twin):
        sky = measure_sky(image, np.zeros(SHAPE, np.uint8), Detection(profile=STAR, gain=GAIN, floor=READ))
    assert not sky.structured.any()
    assert sky.background.level.shape == sky.structured.shape


@pytest.mark.parametrize("light", [even, nebula])
def test_both_twins_see_the_same_scatter(light):
    image, _ = scene(light)
    flags = (np.random.default_rng(2).random(SHAPE) < 0.05).astype(np.uint8)
    edges = mesh._edges(SHAPE, 50)
    with using("native"):
        native = mesh._fine_scatter(image, flags, edges)
    with using("reference"):
        reference = mesh._fine_scatter(image, flags, edges)
    np.testing.assert_array_equal(native, reference)


def test_the_scatter_of_neighbors_is_the_noise_whatever_the_slope():
    image, _ = scene(nebula, count=0)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    noise = np.sqrt(nebula(y, x) / GAIN + READ**2)
    scatter = mesh._fine_scatter(image, np.zeros(SHAPE, np.uint8), mesh._edges(SHAPE, 50)) / np.sqrt(1.25)
    cells = scatter.shape
    true = noise[: 50 * cells[0], : 50 * cells[1]].reshape(cells[0], 50, cells[1], 50).mean(axis=(1, 3))
    assert np.median(scatter / true) == pytest.approx(1.0, abs=0.1)


def test_where_the_sky_is_bright_its_noise_is_larger():
    image, _ = scene(nebula, count=0)
    wanted = Detection(profile=STAR, gain=GAIN, floor=READ)
    sky = measure_sky(image, np.zeros(SHAPE, np.uint8), wanted)
    assert sky.structured.any()
    noise, level = sky.background.noise.ravel(), sky.background.level.ravel()
    bright = level > np.percentile(level, 80)
    ratio = noise[bright] / np.sqrt(level[bright] / GAIN)
    assert 0.9 < np.median(ratio) < 1.3
    assert np.percentile(ratio, 5) > 0.65
