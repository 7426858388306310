"""Stars told from rays by their wings, where these are faint: both errors are counted."""

from __future__ import annotations

import numpy as np

from mizzle.instrument.star_optics import TYPICAL_DEFOCUS, star_optics
from mizzle.psf import star_image
from mizzle.stars.wings import have_wings, measure_wings

SCALE, NOISE, TILE, SIDE = 0.0996, 5.0, 31, 18


def clear_share(seed, light):
    """Share of peaks with clear wings: `light(u, v, r)` [count] around each of some hundreds, in noise."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0.0, NOISE, (SIDE * TILE, SIDE * TILE))
    v, u = np.mgrid[:TILE, :TILE] - TILE // 2
    image += np.tile(light(u, v, np.hypot(u, v) * SCALE), (SIDE, SIDE))
    row, column = (grid.ravel() for grid in np.meshgrid(*(np.arange(SIDE) * TILE + TILE // 2,) * 2, indexing="ij"))
    wings = measure_wings(
        image.astype(np.float32), np.zeros(image.shape, bool), row=row, column=column, scale=SCALE, sigma=NOISE
    )
    return float(wings.clear.mean())


def around(u, v, r):
    """Wings whose mean on each of four sides, of 16 pixels, is three times its noise."""
    return np.where(r < 0.55, 0.75 * NOISE, 0.0)


def test_faint_stars_have_wings_on_all_sides():
    assert clear_share(1, around) > 0.8


def test_light_on_three_sides_is_no_star():
    """A neighbor, or a track, lights some sides; the dark one looks like light to one sigma in a sixth of the cases."""

    def one_dark_side(u, v, r):
        return np.where((u + v > 0) | (u - v > 0), 2.0 * around(u, v, r), 0.0)

    assert clear_share(2, one_dark_side) < 0.26


def test_noise_has_no_wings():
    assert clear_share(3, lambda u, v, r: np.zeros(u.shape)) < 0.02


def stars(seed, peak=3000.0):
    """Places and light of 36 stars as a WF chip sees them in the ultraviolet, the sharpest it has."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0.0, 1.0, (6 * TILE, 6 * TILE))
    optics = star_image(star_optics(SCALE, 3359.0, 204.0, defocus=TYPICAL_DEFOCUS))
    shares = optics.pixels(*rng.uniform(-0.5, 0.5, (2, 36)), 7)
    v, u = np.mgrid[:TILE, :TILE] - TILE // 2
    halo = 0.02 * np.exp(-0.5 * (np.hypot(u, v) * SCALE / 0.4) ** 2)
    corners = [(y, x) for y in range(0, 6 * TILE, TILE) for x in range(0, 6 * TILE, TILE)]
    for (y, x), share in zip(corners, shares / shares.max(axis=(1, 2), keepdims=True), strict=True):
        image[y : y + TILE, x : x + TILE] += peak * halo
        image[y + 8 : y + 23, x + 8 : x + 23] += peak * share
    row, column = np.transpose(corners) + TILE // 2
    return image, row, column


def kept(image, row, column):
    nothing = np.zeros(image.shape, bool)
    return have_wings(image.astype(np.float32), nothing, row=row, column=column, scale=SCALE)


def test_the_sharpest_stars_are_stars_wherever_they_fall_in_a_pixel():
    assert all(kept(*stars(seed)).all() for seed in range(3))


def test_a_ray_on_a_star_is_too_bright_for_the_wings_around_it():
    """Its neighbors are a star's, its peak is three times the star's, so that its wings are a third of the usual."""
    image, row, column = stars(4)
    struck = np.arange(row.size) % 4 == 0
    for y, x in zip(row[struck], column[struck], strict=True):
        image[y - 1 : y + 2, x - 1 : x + 2] *= 3.3
    assert not kept(image, row, column)[struck].any()
    assert kept(image, row, column)[~struck].all()


def test_a_knot_in_a_galaxy_has_more_light_around_it_than_stars_have():
    image, row, column = stars(5)
    v, u = np.mgrid[:TILE, :TILE] - TILE // 2
    for y, x in zip(row[::4], column[::4], strict=True):
        image[y - TILE // 2 : y + TILE // 2 + 1, x - TILE // 2 : x + TILE // 2 + 1] += 110.0 * (np.hypot(u, v) < 6)
    assert not kept(image, row, column)[::4].any()


def test_a_ray_of_one_pixel_on_smooth_light_is_no_star():
    """Light around it is as much as stars have, but its neighbors hold none of its own."""
    image, row, column = stars(6)
    v, u = np.mgrid[:TILE, :TILE] - TILE // 2
    for y, x in zip(row[::4], column[::4], strict=True):
        tile = np.s_[y - TILE // 2 : y + TILE // 2 + 1, x - TILE // 2 : x + TILE // 2 + 1]
        image[tile] = 100.0 * (np.hypot(u, v) < 6) + 2900.0 * ((u == 0) & (v == 0))
    assert not kept(image, row, column)[::4].any()


def test_wings_are_measured_against_the_sky_and_not_against_themselves():
    """On each side of a star with round wings lies what they hold there, to a tenth."""
    image, row, column = stars(7)
    v, u = np.mgrid[:TILE, :TILE] - TILE // 2
    distance = np.hypot(u, v) * SCALE
    image = np.tile(3000.0 * np.exp(-0.5 * (distance / 0.25) ** 2), (6, 6))
    wings = measure_wings(image.astype(np.float32), np.zeros(image.shape, bool), row=row, column=column, scale=SCALE)
    inside = (distance >= 0.22) & (distance < 0.5)
    assert np.allclose(wings.mean, image[:TILE, :TILE][inside].mean(), rtol=0.1)
