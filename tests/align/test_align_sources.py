"""Detection: stars where they are, with honest errors; cosmic rays and bad pixels left out; twins alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.kernel import native
from mizzle.kernel.detect import Detection, Profile, background, detect, front, numpy_twin, profile_stamps

WF = Profile(sigma=0.40, halo_sigma=1.0, halo=0.3, radius=2)
PC = Profile(sigma=0.64, halo_sigma=1.28, halo=0.35, radius=3)


def field(seed=0, *, n=60, profile=WF, shape=(200, 200), sky=3.0, read=0.75, gain=7.0, flux=(200, 5000), truth=WF):
    """Return an image [DN] and the true x, y, flux of its stars, kept apart from each other and the border."""
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(n)) + 1
    step = (min(shape) - 30) / side
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:n]
    x, y = (20 + grid * step + rng.uniform(-0.5, 0.5, grid.shape)).T
    f = np.exp(rng.uniform(np.log(flux[0]), np.log(flux[1]), n))
    image = np.full(shape, sky, dtype=np.float64)
    big = Profile(truth.sigma, truth.halo_sigma, truth.halo, radius=7)
    ix, iy = np.rint(x).astype(int), np.rint(y).astype(int)
    for k, stamp in enumerate(profile_stamps(big, x - ix, y - iy)[0]):
        image[iy[k] - 7 : iy[k] + 8, ix[k] - 7 : ix[k] + 8] += f[k] * stamp
    image = rng.poisson(image * gain) / gain + rng.normal(0, read, shape)
    return image.astype(np.float32), x, y, f


def choice(profile=WF, **changes):
    return Detection(**{"profile": profile, "gain": 7.0, "floor": 0.75, "mismatch": 0.1, **changes})


def matched(found, x, y, reach=1.0):
    distance = np.hypot(found["x"][:, None] - x, found["y"][:, None] - y)
    index = distance.argmin(axis=1)
    return index, distance[np.arange(len(found)), index] < reach


@pytest.fixture(params=["native", "reference"])
def twin(request, monkeypatch):
    if request.param == "reference":
        monkeypatch.setattr(native, "library", lambda: None)
    elif native.library() is None:
        pytest.skip("the compiled kernel is not there")
    return request.param


@pytest.mark.parametrize("profile", [WF, PC])
def test_every_star_is_found_and_nothing_else(twin, profile):
    image, x, y, f = field(1, profile=profile, truth=profile)
    found = detect(image, np.zeros_like(image), choice(profile))
    index, near = matched(found, x, y)
    assert near.all()
    assert len(set(index.tolist())) == len(x) == len(found)
    assert np.median(np.abs(found["flux"] / f[index] - 1)) < 0.05


@pytest.mark.parametrize("profile", [WF, PC])
def test_stated_errors_are_true(profile):
    pulls = []
    for seed in range(12):
        image, x, y, _ = field(seed, profile=profile, truth=profile, flux=(60, 3000))
        found = detect(image, np.zeros_like(image), choice(profile, mismatch=0.03))
        index, near = matched(found, x, y)
        pulls.append(((found["x"] - x[index]) / found["x_err"])[near])
        pulls.append(((found["y"] - y[index]) / found["y_err"])[near])
    width = np.std(np.concatenate(pulls))
    assert 0.85 < width < 1.15


@given(px=st.floats(-0.5, 0.5), py=st.floats(-0.5, 0.5), wider=st.floats(0.92, 1.1))
@settings(max_examples=40, deadline=None)
def test_no_pixel_phase_bias_even_when_the_profile_is_a_little_wrong(px, py, wider):
    truth = Profile(WF.sigma * wider, WF.halo_sigma * wider, WF.halo, radius=7)
    image = np.full((31, 31), 1.0)
    image[8:23, 8:23] += 2000 * profile_stamps(truth, np.array([px]), np.array([py]))[0][0]
    found = detect(image.astype(np.float32), np.zeros(image.shape), choice(max_chi2=1e9))
    assert len(found) == 1
    assert abs(found["x"][0] - 15 - px) < 0.03
    assert abs(found["y"][0] - 15 - py) < 0.03


def test_single_pixel_hits_and_tracks_lose(twin):
    image, x, y, _ = field(2)
    rng = np.random.default_rng(5)
    hits = rng.integers(10, 190, (2, 150))
    image[hits[1], hits[0]] += rng.uniform(100, 2000, 150).astype(np.float32)
    for _k in range(30):  # straight tracks, four pixels long
        cx, cy = rng.integers(15, 180, 2)
        image[cy, cx : cx + 4] += np.float32(300)
    found = detect(image, np.zeros_like(image), choice())
    _, near = matched(found, x, y, reach=2.5)
    assert (~near).sum() <= 3
    assert near.sum() >= 40


def test_a_constant_sky_changes_nothing():
    # The incumbent's threshold follows the sky level; ours follows the pixels' own scatter.
    image, *_ = field(3)
    low = detect(image, np.zeros_like(image), choice())
    high = detect(image + np.float32(50.0), np.zeros_like(image), choice())
    assert len(low) == len(high)
    np.testing.assert_allclose(low["x"], high["x"], atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -13000.0])
def test_masked_pixels_are_invisible(twin, value):
    image, _x, _y, _ = field(4)
    mask = np.zeros(image.shape, dtype=bool)
    mask[:, 97:100] = True
    before = detect(image, mask, choice())
    image[:, 97:100] = value
    after = detect(image, mask, choice())
    np.testing.assert_array_equal(before, after)
    assert not mask[np.rint(after["y"]).astype(int), np.rint(after["x"]).astype(int)].any()


def test_saturated_stars_are_centered_on_their_wings(twin):
    image, x, y, _f = field(6, n=16, flux=(3000, 4000))
    full = image > 500
    assert full.any()
    plain = detect(image, full, choice())
    assert not len(plain)
    found = detect(np.minimum(image, 500), np.zeros_like(image), choice(), saturated=full)
    index, near = matched(found, x, y)
    assert near.sum() >= 14
    assert found["saturated"][near].all()
    assert np.median(np.hypot(found["x"] - x[index], found["y"] - y[index])[near]) < 0.1


@pytest.mark.parametrize("shape", [(3, 3), (12, 12), (13, 40), (400, 400), (50, 801)])
def test_odd_shapes_and_empty_chips_give_empty_lists(twin, shape):
    rng = np.random.default_rng(1)
    noise = rng.normal(2, 1, shape).astype(np.float32)
    assert len(detect(noise, np.zeros(shape), choice(threshold=8.0))) == 0
    assert len(detect(noise, np.ones(shape), choice())) == 0
    assert len(detect(np.zeros(shape, np.float32), np.zeros(shape), choice())) == 0
    assert len(detect(np.full(shape, np.nan, np.float32), np.zeros(shape), choice())) == 0


def test_the_brightest_are_kept():
    image, *_ = field(7)
    everything = detect(image, np.zeros_like(image), choice())
    few = detect(image, np.zeros_like(image), choice(max_sources=20))
    assert len(few) == 20
    np.testing.assert_array_equal(few["x"], everything["x"][:20])
    assert (np.diff(few["flux"]) <= 0).all()


def test_background_ignores_stars_and_reports_the_scatter(twin):
    image, *_ = field(8, n=100, sky=10.0, read=2.0, gain=1e9)
    level, noise = background(image, np.zeros_like(image))
    assert np.abs(np.median(level) - 10.0) < 0.3
    assert 1.8 < np.median(noise) < 2.3
    level, noise = background(image, np.ones_like(image), floor=0.5)
    assert (level == 0).all()
    assert np.isfinite(noise).all()


@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 0.3))
@settings(max_examples=15, deadline=None)
def test_twins_agree(seed, share):
    if native.library() is None:
        pytest.skip("the compiled kernel is not there")
    rng = np.random.default_rng(seed)
    image, *_ = field(seed, n=30, shape=(120, 150))
    mask = rng.random(image.shape) < share * 0.2
    image[rng.random(image.shape) < 0.002] = np.nan
    fast = detect(image, mask, choice())
    original = native.library
    native.library = lambda: None
    try:
        slow = detect(image, mask, choice())
    finally:
        native.library = original
    assert len(fast) == len(slow)
    for name in ("x", "y", "x_err", "flux", "chi2", "sharpness", "roundness"):
        np.testing.assert_allclose(fast[name], slow[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1, 0.2, 0.3, 3.0])
def test_twins_agree_on_needles_and_clouds(sigma, monkeypatch):
    """A star far narrower than a pixel: its profile's edges lie hundreds of sigma away."""
    if native.library() is None:
        pytest.skip("the compiled kernel is not there")
    profile = Profile(sigma=sigma, halo_sigma=2 * sigma, halo=0.3, radius=3)
    image, x, y, _ = field(3, n=30, shape=(120, 150), truth=profile)
    index = np.rint(y).astype(np.int64) * 150 + np.rint(x).astype(np.int64)
    arrays = (image - np.float32(3.0), np.ones_like(image), np.zeros(image.shape, np.uint8), index)
    fast = front._fit(*arrays, choice(profile))
    assert np.isfinite(fast[:, :4]).all()
    if sigma >= 0.2:  # below, a shift changes nothing and the place is anybody's guess
        monkeypatch.setattr(native, "library", lambda: None)
        np.testing.assert_allclose(fast, front._fit(*arrays, choice(profile)), rtol=1e-5, atol=1e-6)


def test_profile_sums_to_one_and_its_slopes_are_slopes():
    dx, dy, step = np.array([0.13, -0.4]), np.array([-0.31, 0.2]), 1e-5
    wide = Profile(0.5, 1.1, 0.3, radius=8)
    value, by_x, by_y = profile_stamps(wide, dx, dy)
    np.testing.assert_allclose(value.sum(axis=(1, 2)), 1.0, atol=1e-5)
    numeric = (profile_stamps(wide, dx + step, dy)[0] - profile_stamps(wide, dx - step, dy)[0]) / (2 * step)
    np.testing.assert_allclose(by_x, numeric, atol=2e-2)
    numeric = (profile_stamps(wide, dx, dy + step)[0] - profile_stamps(wide, dx, dy - step)[0]) / (2 * step)
    np.testing.assert_allclose(by_y, numeric, atol=2e-2)


def test_reference_says_what_its_columns_are():
    assert len(numpy_twin.FIT_COLUMNS) == 11


@given(seed=st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_no_image_breaks_the_detection(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 60, 2))
    image = rng.normal(rng.uniform(-5, 50), rng.choice([0, 1e-3, 1, 1e4, 1e20]), shape).astype(np.float32)
    wild = [np.nan, np.inf, -np.inf, 1e38, -1e38, 0]
    image[rng.random(shape) < rng.choice([0, 0.05, 0.5])] = rng.choice(wild)
    mask, full = rng.random(shape) < rng.choice([0, 0.1, 1]), rng.random(shape) < rng.choice([0, 0.1])
    profile = Profile(10 ** rng.uniform(-3, 2), 10 ** rng.uniform(-3, 2), rng.uniform(0, 1), int(rng.integers(1, 10)))
    limits = choice(profile, cell=int(rng.integers(1, 90)), edge=int(rng.integers(1, 12)), max_chi2=1e9)
    with np.errstate(all="ignore"):
        found = detect(image, mask, limits, saturated=full)
    assert np.isfinite(found["x"]).all()
    assert np.isfinite(found["y"]).all()
