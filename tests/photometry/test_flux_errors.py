"""Errors of fluxes: chi-square about the truth, by aperture and brightness, on isolated stars."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.geometry.grid import common_grid
from mizzle.model import Alignment, CosmicRays, Serial
from mizzle.scores import match_stars
from mizzle.settings import CatalogSettings, Settings
from mizzle.simulate import Effects, make_plan, visit
from mizzle.stars.apertures import aperture_sums
from mizzle.steps.catalog import measure_catalog
from mizzle.steps.catalog.exposure_evidence import main_chip, members
from mizzle.steps.combine import combine
from mizzle.steps.equalize import equalize
from mizzle.steps.reject import find_cosmic_rays
from mizzle.steps.sky import measure_sky

APERTURES = (0.15, 0.3, 0.5, 0.8)
FIELD = {"density": 200.0, "min_separation": 3.0, "faintest": 24.5}
STILL = {"pointing_error": 0.0, "roll_error": 0.0}
NO_DEFECTS = {"cosmic_rays": 0.0, "bad_columns": 0, "warm_pixels": 0, "repaired_pixels": 0, "saturation": False}
BRIGHTEST = 15.0  # DN/s: the converter's end is not far


def solved(exposures):
    settings, alignment = Settings(), Alignment.identity(exposures)
    scales = equalize(exposures, settings)
    sky = measure_sky(exposures, alignment, scales, settings=settings, runner=Serial())
    grid = common_grid([alignment.frame(e, n) for e in exposures for n in e.chips], settings.combine)
    return alignment, scales, sky, grid


def noise_pulls(seed):
    """Noisy less noiseless sums about every star, over the error from ERR: by aperture, with S/N and chip."""
    field = {**FIELD, "seed": seed, "brightest": 19.5}
    noisy = visit(make_plan(effects={**STILL, **NO_DEFECTS}, **field))
    quiet = visit(make_plan(effects=Effects.none(shadow=True, velocity_aberration=True), **field))
    alignment, scales, sky, grid = solved(noisy.exposures)
    images = [
        combine(
            made.exposures,
            alignment,
            scales,
            sky=sky,
            cosmic_rays=CosmicRays({}, {}, {}),
            grid=grid,
            settings=Settings(),
            runner=Serial(),
        )
        for made in (noisy, quiet)
    ]
    mosaic = images[0]
    rate = noisy.truth.rate(mosaic.photflam)
    x, y = grid.sky_to_pixel(noisy.truth.stars.ra, noisy.truth.stars.dec)
    inside = (x > 12) & (y > 12) & (x < grid.shape[1] - 13) & (y < grid.shape[0] - 13) & (rate < BRIGHTEST)
    x, y, rate = x[inside], y[inside], rate[inside]
    chip = main_chip(mosaic.inputs, members(mosaic, x, y))
    found = {aperture: [] for aperture in APERTURES}
    for name, correlation in mosaic.neighbor_correlation.items():
        mine = chip == name
        for aperture in APERTURES:
            one, two = (
                aperture_sums(
                    image.sci,
                    x[mine],
                    y[mine],
                    radius=aperture / grid.scale,
                    variance=mosaic.err.astype(np.float64) ** 2,
                    mask=~(mosaic.wht > 0),
                    correlation=correlation,
                )
                for image in images
            )
            error = np.sqrt(one.variance)
            whole = one.lost < 0.01
            pull = (one.flux - two.flux)[whole] / error[whole]
            found[aperture].append([pull, rate[mine][whole] / error[whole], np.full(whole.sum(), name == "PC")])
    return {aperture: np.concatenate(parts, axis=1) for aperture, parts in found.items()}


def catalog_pulls(seed):
    """Catalog less truth over flux_err, rays at the real rate and found as always; with true rate and chip."""
    made = visit(make_plan(effects=STILL, seed=seed, brightest=18.5, **FIELD))
    alignment, scales, sky, grid = solved(made.exposures)
    rays = find_cosmic_rays(made.exposures, alignment, scales, sky=sky, settings=Settings(), runner=Serial())
    solutions = {"alignment": alignment, "scales": scales, "sky": sky, "cosmic_rays": rays}
    mosaic = combine(made.exposures, **solutions, grid=grid, settings=Settings(), runner=Serial())
    rate = made.truth.rate(mosaic.photflam)
    found = {}
    for aperture in APERTURES:
        settings = Settings(catalog=CatalogSettings(aperture=aperture))
        catalog = measure_catalog(mosaic, made.exposures, **solutions, settings=settings, runner=Serial())
        mine, theirs = match_stars(catalog, made.truth)
        clean = catalog.columns["flags"][mine] == 0
        mine, theirs = mine[clean], theirs[clean]
        flux, error = catalog.columns["flux"][mine], catalog.columns["flux_err"][mine]
        pull = (flux - rate[theirs]) / error
        found[aperture] = np.stack([pull, rate[theirs], catalog.columns["chip"][mine] == "PC"])
    return found


def gathered(function, seeds):
    each = [function(seed) for seed in seeds]
    return {aperture: np.concatenate([one[aperture] for one in each], axis=1) for aperture in APERTURES}


def chi_square(pull, limit=5.0):
    """Mean square of the pulls inside the limit, its error, and the share beyond."""
    inside = np.abs(pull) < limit
    return np.mean(pull[inside] ** 2), np.sqrt(2.0 / pull.size), 1.0 - inside.mean()


def test_noise_of_sums_is_told_by_err():
    for aperture, (pull, _, pc) in noise_pulls(401).items():
        chi2, error, beyond = chi_square(pull[pc == 0])
        assert chi2 == pytest.approx(1.0, abs=0.05 + 3 * error), aperture
        assert beyond == 0, aperture


def test_catalog_errors_hold_with_rays():
    for aperture, (pull, _, pc) in catalog_pulls(621).items():
        chi2, error, beyond = chi_square(pull[pc == 0])
        assert chi2 == pytest.approx(1.0, abs=0.05 + 3 * error), aperture
        assert beyond < 0.004, aperture


@pytest.mark.slow
def test_noise_of_sums_by_aperture_and_brightness():
    """Wanted: chi-square 1 +- 0.05."""
    total, slack = 0, 0.05
    for aperture, (pull, snr, pc) in gathered(noise_pulls, range(401, 405)).items():
        chi2, error, _ = chi_square(pull[pc == 0])
        assert chi2 == pytest.approx(1.0, abs=slack + error), aperture
        total += pull.size
        for low, high in ((0, 30), (30, 60), (60, 120), (120, 300), (300, 3000)):
            some = pull[(pc == 0) & (snr >= low) & (snr < high)]
            if some.size > 100:
                chi2, error, _ = chi_square(some)
                assert chi2 == pytest.approx(1.0, abs=slack + 2.5 * error), (aperture, low)
    assert total > 2500


@pytest.mark.slow
def test_catalog_errors_by_aperture_and_brightness():
    """Errors are right to a tenth at any aperture and brightness on WF; the PC in 1.5 product pixels is the exception.

    No term was fitted to these seeds. Rays hidden in cores are rare and large, and the largest of them are left out.
    """
    for aperture, (pull, rate, pc) in gathered(catalog_pulls, range(621, 625)).items():
        assert pull.size > 1500
        slack = 0.05 + 0.05 * (aperture < 0.2)
        chi2, error, beyond = chi_square(pull[pc == 0])
        assert 0.85 - 2 * error < chi2 < 1.0 + slack + 2 * error, aperture
        assert beyond < 0.002, aperture
        for low, high in ((0.0, 0.5), (0.5, 1.5), (1.5, 4.0), (4.0, 8.0), (8.0, 15.0), (15.0, 1e3)):
            chi2, error, _ = chi_square(pull[(pc == 0) & (rate >= low) & (rate < high)])
            assert 0.8 - 2.5 * error < chi2 < 1.05 + slack + 2.5 * error, (aperture, low)
        chi2, error, _ = chi_square(pull[pc == 1])
        most = 1.4 if aperture < 0.2 else 1.1
        assert 0.8 - 2.5 * error < chi2 < most + slack + 2.5 * error, (aperture, "PC")
