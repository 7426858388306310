"""Pictures: stretches, coordinate axes, colors."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mizzle.errors import SettingsError
from mizzle.model import Grid
from mizzle.report.axes import sexagesimal, sky_axes
from mizzle.report.color import balanced, compose, lupton, mapping
from mizzle.report.image import EMPTY, Caption, Style, binned_grid, draw_product
from mizzle.report.stretch import block_mean, decode, encode, factor_for, sky_statistics, stretched


def grid_at(ra=200.0, dec=-30.0, roll=0.0, shape=(300, 400), scale=0.1):
    angle = np.deg2rad(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    cd = turn @ np.diag([-scale, scale]) / 3600
    return Grid(np.array([ra, dec]), np.array([shape[1] / 2, shape[0] / 2]), cd, shape)


def noisy(rng, shape=(200, 300)):
    image = rng.normal(0.5, 0.02, shape).astype(np.float32)
    image[50:60, 50:60] += 10
    image[:20] = np.nan
    return image


def test_sky_statistics_see_the_sky_and_not_the_stars():
    rng = np.random.default_rng(1)
    image = rng.normal(3.0, 0.1, (500, 500))
    image[rng.random(image.shape) < 0.1] += rng.exponential(50)
    sky, sigma = sky_statistics(image)
    # 10 % of bright pixels move the median of the rest by 0.01 sigma once they are clipped.
    assert sky == pytest.approx(3.0, abs=0.005)
    assert sigma == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("image", [np.full((4, 4), np.nan), np.zeros((5, 5)), np.full((3, 3), 7.0)])
def test_sky_statistics_of_degenerate_images_are_usable(image):
    sky, sigma = sky_statistics(image)
    assert np.isfinite(sky)
    assert sigma > 0


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_block_mean_is_the_mean_of_what_is_there(factor, ny, nx, seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(ny, nx)).astype(np.float32)
    image[rng.random((ny, nx)) < 0.3] = np.nan
    small = block_mean(image, factor)
    assert small.shape == (-(-ny // factor), -(-nx // factor))
    for j in range(small.shape[0]):
        for i in range(small.shape[1]):
            cell = image[j * factor : (j + 1) * factor, i * factor : (i + 1) * factor]
            good = cell[np.isfinite(cell)]
            if good.size:
                assert small[j, i] == pytest.approx(good.mean(), abs=1e-5)
            else:
                assert np.isnan(small[j, i])


def test_codes_come_back_as_precise_as_the_page_says():
    rng = np.random.default_rng(2)
    image = noisy(rng)
    image[100, :] = np.geomspace(0.1, 5000, 300)
    codes, scale = encode(image)
    back = decode(codes, scale)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(image))
    error = np.abs(back - image)
    near = np.abs(image - scale["sky"]) < 2 * scale["sigma"]
    assert error[near].max() < 0.08 * scale["sigma"]
    bright = image > scale["sky"] + 20 * scale["sigma"]
    top = image[bright] - scale["sky"]
    assert (error[bright] / top)[top < scale["sigma"] * np.sinh(13.0)].max() < 0.033


def test_stretch_keeps_order_and_nan():
    image = noisy(np.random.default_rng(3))
    levels = stretched(image, softening=3.0, white=99.5)
    good = np.isfinite(image)
    np.testing.assert_array_equal(good, np.isfinite(levels))
    order = np.argsort(image[good], kind="stable")
    assert (np.diff(levels[good][order]) >= -1e-6).all()
    assert levels[good].min() >= 0
    assert levels[good].max() <= 1
    # The sky is dark gray, neither black nor bright.
    assert 0.05 < np.median(levels[good]) < 0.35


@given(st.floats(0, 359.99), st.floats(-89.9, 89.9))
def test_sexagesimal_reads_back(ra, dec):
    text = sexagesimal(ra, hours=True, step=0.1 / 240)
    h, rest = text.split("h")
    m, s = rest.rstrip("s").split("m")
    value = 15 * (int(h) + int(m) / 60 + float(s) / 3600)
    assert (abs(value - ra) + 1e-9) % 360 < 0.06 / 240 + 1e-6
    text = sexagesimal(dec, hours=False, step=1 / 3600)
    d, rest = text.split("°")
    m, s = rest.rstrip('"').split("'")
    value = abs(int(d)) + int(m) / 60 + float(s) / 3600
    assert (-value if text.startswith("-") else value) == pytest.approx(dec, abs=0.51 / 3600)


@pytest.mark.parametrize("roll", [0.0, 35.0, 90.0, 200.0])
@pytest.mark.parametrize("place", [(200.0, -30.0), (0.001, 5.0), (120.0, 85.0)])
def test_ticks_lie_where_astropy_says(place, roll):
    grid = grid_at(*place, roll=roll)
    axes = sky_axes(grid)
    ny, nx = grid.shape
    assert axes.bottom
    assert axes.left
    for ticks, name, where in (
        (axes.bottom, axes.bottom_name, lambda p: (p, -0.5)),
        (axes.left, axes.left_name, lambda p: (-0.5, p)),
    ):
        for tick in ticks:
            ra, dec = (float(v) for v in grid.wcs.wcs_pix2world(*where(tick.position), 0))
            hours = name == "right ascension"
            per = 240 if hours else 3600
            decimals = len(tick.label.rstrip('s"').partition(".")[2])
            step = 10.0**-decimals / per
            value = ra if hours else dec
            assert sexagesimal(value, hours=hours, step=step / 100)[:8] == tick.label[:8] or (
                abs(value - _number(tick.label, hours)) % 360 < 0.3 * step
            )
            # Halfway between samples the edge is taken as straight: a hundredth of the last digit at most.
            assert abs((value - _number(tick.label, hours) + 180) % 360 - 180) < 0.05 * step
    assert all(-0.5 <= t.position <= nx - 0.5 for t in axes.bottom)
    assert all(-0.5 <= t.position <= ny - 0.5 for t in axes.left)


def _number(label, hours):
    if hours:
        h, rest = label.split("h")
        m, s = rest.rstrip("s").split("m")
        return 15 * (int(h) + int(m) / 60 + float(s) / 3600)
    d, rest = label.split("°")
    m, s = rest.rstrip('"').split("'")
    value = abs(int(d)) + int(m) / 60 + float(s) / 3600
    return -value if label.startswith("-") else value


def test_a_field_around_the_pole_is_drawn_without_meridians():
    assert sky_axes(grid_at(10.0, 89.999)).lines == ()


def test_binning_leaves_the_sky_in_place():
    grid = grid_at(shape=(301, 402))
    small = binned_grid(grid, 3)
    # The corner of the field is the corner of the binned field.
    np.testing.assert_allclose(grid.pixel_to_sky(-0.5, -0.5), small.pixel_to_sky(-0.5, -0.5), atol=1e-12)
    np.testing.assert_allclose(grid.pixel_to_sky(1.0, 1.0), small.pixel_to_sky(0.0, 0.0), atol=1e-12)


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_the_picture_shows_north_up_and_empty_sky_neutral():
    image = noisy(np.random.default_rng(4), (300, 400))  # the empty rows are the first: the south
    picture = opened(draw_product(image, grid_at(), Caption("M 2", "F814W")))
    left = int(np.argmax((picture == EMPTY).all(axis=2).any(axis=0)))
    empty = (picture == EMPTY).all(axis=2)
    rows = np.flatnonzero(empty[:, left + 60 : left + 300].mean(axis=1) > 0.5)
    assert rows.size >= 15
    dark = np.flatnonzero((picture[:, left + 200] < 60).all(axis=1))
    assert rows.min() > dark.mean()


def test_large_products_are_averaged_to_the_wanted_size():
    image = np.random.default_rng(5).normal(size=(900, 1200)).astype(np.float32)
    small = draw_product(image, grid_at(shape=image.shape), Caption("x"), style=Style(longest=400))
    large = draw_product(image, grid_at(shape=image.shape), Caption("x"), style=Style(longest=2000))
    assert opened(small).shape[1] < 700
    assert opened(large).shape[1] > 1200
    assert factor_for((900, 1200), 400) == 3


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "\x00\x1b[31m" * 40, "μ Ω — 星", "", "x" * 10_000])
def test_hostile_titles_are_drawn_as_text(title):
    image = np.zeros((60, 80), dtype=np.float32)
    assert opened(draw_product(image, grid_at(shape=(60, 80)), Caption(title, title))).size


def test_an_empty_product_is_drawn():
    image = np.full((50, 60), np.nan, dtype=np.float32)
    assert opened(draw_product(image, grid_at(shape=(50, 60)), Caption("nothing"))).size


def test_colors_are_by_wavelength_unless_asked():
    bands = {"F555W": 5439.0, "F814W": 7996.0}
    assert mapping({"F814W": 7996.0}) is None
    assert mapping(bands) == ("F814W", "mean", "F555W")
    assert mapping({**bands, "F439W": 4311.0}) == ("F814W", "F555W", "F439W")
    assert mapping(bands, ["F555W", "F814W", "mean"]) == ("F555W", "F814W", "mean")
    with pytest.raises(SettingsError, match="F606W; this run has F555W, F814W"):
        mapping(bands, ["F606W", "mean", "F555W"])
    with pytest.raises(SettingsError, match="only means"):
        mapping(bands, ["mean"] * 3)


def test_a_star_keeps_its_hue_from_faint_to_saturated():
    rng = np.random.default_rng(6)
    base = rng.normal(0, 1, (3, 200, 200)).astype(np.float32)
    for k, brightness in enumerate((100, 1000, 30000)):
        base[:, 50 * k + 20 : 50 * k + 25, 20:25] += np.array([4, 2, 1])[:, None, None] / 4 * brightness
    raster = lupton(*base, softening=8.0, stretch=5.0)[::-1].astype(float)
    for k in range(3):
        red, green, blue = raster[50 * k + 21 : 50 * k + 24, 21:24].mean(axis=(0, 1))
        assert red / blue == pytest.approx(4, rel=0.12)
        assert red / green == pytest.approx(2, rel=0.08)
    # White is never reached by clipping bands one by one.
    assert raster[121:124, 21:24, 2].max() < 90


def test_the_sky_of_a_color_picture_is_gray():
    rng = np.random.default_rng(7)
    images = {"A": rng.normal(5, 0.1, (300, 300)), "B": rng.normal(0.1, 4, (300, 300))}
    raster = compose(images, ("A", "mean", "B"), softening=8.0, stretch=5.0).astype(float)
    red, _, blue = raster.mean(axis=(0, 1))
    assert red == pytest.approx(blue, rel=0.05)


def test_a_shallow_filter_does_not_fog_the_field():
    """The noise of the worst filter is 1: its sky stays dark, whatever the others show."""
    rng = np.random.default_rng(8)
    stars = np.zeros((300, 300))
    stars[rng.integers(5, 295, 150), rng.integers(5, 295, 150)] = 3000
    stars = sum(np.roll(stars, (j, i), (0, 1)) for j in range(3) for i in range(3))
    deep = {name: stars + rng.normal(0, 3, stars.shape) for name in "AB"}
    sky = []
    for noise in (3, 60):
        images = {**deep, "C": stars + rng.normal(0, noise, stars.shape)}
        assert balanced(images)["C"].std() > 0
        raster = compose(images, ("A", "B", "C"), softening=8.0, stretch=5.0)[::-1].astype(float)
        sky.append(raster[stars == 0][:, 2].mean())
    assert max(sky) < 60
    noises = {name: sky_statistics(image)[1] for name, image in balanced(images).items()}
    assert noises["C"] == pytest.approx(1.0, rel=0.05)
    assert noises["A"] == pytest.approx(0.05, rel=0.1)


def test_the_usual_star_is_white_whatever_the_units():
    rng = np.random.default_rng(9)
    stars = np.zeros((300, 300))
    stars[rng.integers(5, 295, 150), rng.integers(5, 295, 150)] = 3000
    stars = sum(np.roll(stars, (j, i), (0, 1)) for j in range(3) for i in range(3))
    images = {"A": stars + rng.normal(5, 3, stars.shape), "B": 0.02 * (0.5 * stars + rng.normal(90, 1, stars.shape))}
    raster = compose(images, ("A", "mean", "B"), softening=8.0, stretch=5.0)[::-1].astype(float)
    bright = raster[stars == 3000]
    assert bright.min() > 200
    assert np.ptp(bright.mean(axis=0)) < 8


def test_settings_want_three_colors_or_none():
    from mizzle.settings import load_settings

    assert load_settings('[report]\ncolor = ["F814W", "mean", "F555W"]\n').report.color == ("F814W", "mean", "F555W")
    with pytest.raises(SettingsError, match="three names"):
        load_settings('[report]\ncolor = ["F814W", "F555W"]\n')


@pytest.mark.parametrize("factor", [2, 3, 7])
def test_blocks_are_averaged_alike_some_rows_at_a_time(factor, monkeypatch):
    rng = np.random.default_rng(factor)
    image = rng.normal(0, 1, (101, 64)).astype(np.float32)
    image[rng.random(image.shape) < 0.2] = np.nan
    whole, bright = block_mean(image, factor), block_mean(image, factor, positive=True)
    np.testing.assert_array_equal(bright, block_mean(np.where(image > 0, image, np.nan), factor))
    monkeypatch.setattr("mizzle.report.stretch._TOGETHER", 64 * factor * 2)
    np.testing.assert_array_equal(block_mean(image, factor), whole)
    np.testing.assert_array_equal(block_mean(image, factor, positive=True), bright)
