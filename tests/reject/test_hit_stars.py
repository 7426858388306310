"""A ray on a star in a single exposure takes the pixels it hit, not the star."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.instrument.star_optics import TYPICAL_DEFOCUS, star_optics
from mizzle.psf import star_image
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.single import SinglePixels, find_single

SIZE, MIDDLE, REACH = 61, 30, 7
BAND = (5443.0, 522.0)


def scene(rng, *, star=0.0, rays=(), place=(0.0, 0.0), bright=()):
    """A WF chip's sky with a star of a given peak [electron] in the middle, and rays as (dy, dx, charge)."""
    electrons = rng.normal(0, 6.0, (SIZE, SIZE)) + 20.0
    shares = star_image(star_optics(0.0996, *BAND, defocus=TYPICAL_DEFOCUS)).pixels(*np.array(place)[:, None], REACH)[0]
    if star:
        light = star / shares.max() * shares
        electrons[MIDDLE - REACH : MIDDLE + REACH + 1, MIDDLE - REACH : MIDDLE + REACH + 1] += rng.poisson(
            np.maximum(light, 0.0)
        )
    for dy, dx, charge in rays:
        electrons[MIDDLE + dy, MIDDLE + dx] += charge
    sharp = star_image(star_optics(0.0996, *BAND))
    return SinglePixels(electrons.astype(np.float32), np.zeros((SIZE, SIZE), bool), 36.0, sharp, 0.0996)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hit", [(0, 1), (-1, 0), (1, 1)])
def test_a_star_keeps_what_the_ray_left(seed, hit):
    rng = np.random.default_rng(seed)
    pixels = scene(rng, star=6000.0, rays=[(*hit, 6000.0)], place=rng.uniform(-0.2, 0.2, 2))
    mask = find_single(pixels, RejectSettings(), laplacian=False)
    assert mask[MIDDLE + hit[0], MIDDLE + hit[1]]
    core = mask[MIDDLE - 2 : MIDDLE + 3, MIDDLE - 2 : MIDDLE + 3]
    assert np.count_nonzero(core) <= 4


@pytest.mark.parametrize("seed", range(4))
def test_a_ray_on_the_flank_is_told_from_the_brighter_core(seed):
    """What was hit is not among the brightest pixels of a bright star."""
    rng = np.random.default_rng(seed)
    mask = find_single(scene(rng, star=20000.0, rays=[(-1, -2, 5000.0)]), RejectSettings(), laplacian=False)
    assert mask[MIDDLE - 1, MIDDLE - 2]
    assert not mask[MIDDLE - 1 : MIDDLE + 2, MIDDLE - 1 : MIDDLE + 2].any()


@pytest.mark.parametrize("seed", range(4))
def test_a_track_across_a_star_leaves_the_other_side(seed):
    rng = np.random.default_rng(seed)
    track = [(1, dx, 5000.0 + 500.0 * dx) for dx in range(-2, 3)]
    mask = find_single(scene(rng, star=20000.0, rays=track), RejectSettings(), laplacian=False)
    assert mask[MIDDLE + 1, MIDDLE - 2 : MIDDLE + 3].sum() >= 3
    assert not mask[MIDDLE - 2 : MIDDLE, MIDDLE - 2 : MIDDLE + 3].any()


def masks(star, rays, count=12):
    """Masks of so many scenes, each star at a place of its own in its pixel."""
    made = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        pixels = scene(rng, star=star, rays=rays, place=rng.uniform(-0.2, 0.2, 2))
        made.append(find_single(pixels, RejectSettings(), laplacian=False))
    return np.array(made)


def test_a_ray_that_ends_on_the_wing_of_a_bright_star_does_not_cost_its_peak():
    """The star's brightest pixels are no more suspect than the fainter ones that the ray did hit."""
    assert masks(20000.0, [(0, 3, 3000.0), (0, 2, 120.0)])[:, MIDDLE, MIDDLE].mean() < 0.25


def test_a_wide_track_across_a_bright_star_is_found():
    """Of ten pixels in two rows the most are seen to be no light of the star: they are many, and bright."""
    track = [(dy, dx, charge) for dy, charge in ((1, 4000.0), (2, 3000.0)) for dx in range(-2, 3)]
    assert masks(20000.0, track)[:, MIDDLE + 1 : MIDDLE + 3, MIDDLE - 2 : MIDDLE + 3].mean() > 0.6


@pytest.mark.parametrize("seed", range(4))
def test_a_ray_beside_stars_has_no_wings_and_is_flagged_whole(seed):
    rng = np.random.default_rng(seed)
    ray = [(dy, dx, 800.0 * rng.uniform(0.6, 1.0)) for dy in (-1, 0) for dx in (-1, 0, 1)] + [(0, 0, 3000.0)]
    mask = find_single(scene(rng, rays=ray), RejectSettings(), laplacian=False)
    assert all(mask[MIDDLE + dy, MIDDLE + dx] for dy, dx, _ in ray)


@pytest.mark.data
def test_stars_at_the_edge_of_the_real_field_keep_their_cores(data_dir):
    """Omega Cen, PC: coma leaves one side of these two stars darker than the star image knows."""
    import mizzle

    result = mizzle.process([mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")])
    (exposure,) = result.exposures
    mask = result.cosmic_rays.mask(exposure.root, "PC", exposure.chips["PC"].shape)
    (catalog,) = result.catalogs.values()
    x, y = result.alignment.frame(exposure, "PC").sky_to_pixel(catalog.columns["ra"], catalog.columns["dec"])
    for row, column in ((182, 67), (495, 62)):
        assert np.count_nonzero(mask[row - 2 : row + 3, column - 2 : column + 3]) <= 3
        near = np.hypot(x - column, y - row)
        assert near.min() < 1.5
        star = near.argmin()
        assert catalog.columns["flux"][star] > 5.0 * catalog.columns["flux_err"][star]


#: Rays beside a star: of one pixel, of two, a track that ends there, with a rim in the star's wing.
BESIDE = (
    [(-3, 2, 1000.0)],
    [(-2, -2, 3000.0), (-2, -1, 500.0)],
    [(2, -1, 3700.0), (3, -1, 450.0), (3, 0, 900.0)],
    [(0, 3, 900.0), (-1, 3, 900.0), (0, 2, 140.0), (1, 2, 80.0)],
)


@pytest.mark.parametrize("star", [5000.0, 12000.0, 30000.0])
def test_a_star_keeps_its_peak_beside_a_ray(star):
    """A ray only adds: without its brightest pixel light explains any star better, but nothing was added to that."""
    lost = found = total = 0
    for rays in BESIDE:
        for seed in range(20):
            rng = np.random.default_rng(seed)
            pixels = scene(rng, star=star, rays=rays, place=rng.uniform(-0.5, 0.5, 2))
            mask = find_single(pixels, RejectSettings(), laplacian=False)
            core = pixels.electrons[MIDDLE - 1 : MIDDLE + 2, MIDDLE - 1 : MIDDLE + 2]
            y, x = np.divmod(int(core.argmax()), 3)
            lost += mask[MIDDLE - 1 + y, MIDDLE - 1 + x]
            found += mask[MIDDLE + rays[0][0], MIDDLE + rays[0][1]]
            total += 1
    assert lost < 0.08 * total
    # The brightest star outshines what ends on its wings.
    assert found > (0.9 if star < 20000.0 else 0.5) * total
