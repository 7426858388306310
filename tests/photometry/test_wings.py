"""Stars told from rays by their wings, where these are faint: both errors are counted."""

from __future__ import annotations

import numpy as np

from mizzle.stars.wings import measure_wings

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
