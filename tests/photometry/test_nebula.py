"""Fields full of nebula, from exposures to catalog: the stars are listed, and what is lost is said."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mizzle.model import ArrayPixels, Verdict
from mizzle.pipeline import process
from mizzle.settings import Settings
from mizzle.simulate import Effects, visit
from mizzle.steps.focus import chip_focus


def clouds(xi, eta):
    """DN per pixel: waves of 200 DN, 10 arcsec long."""
    return 220.0 + 200.0 * np.sin(0.6 * xi + 0.5 * np.sin(0.3 * eta)) * np.cos(0.55 * eta + 0.3 * xi)


def filaments(xi, eta):
    """DN per pixel: lines of 400 DN, 1.2 arcsec wide (FWHM)."""
    return 400.0 * np.exp(-0.5 * (((eta + 2.0 * np.sin(xi / 9.0)) % 5.0 - 2.5) / 0.5) ** 2)


def nothing(xi, eta):
    return 0.0 * xi


def exposed(light, n, *, seed=3, density=150.0):
    """Exposures of a field with `light` (xi, eta) [arcsec], and the stars on it."""
    made = visit(n=n, seed=seed, density=density, brightest=18.0, faintest=24.0, effects=Effects(cosmic_rays=0.0))
    rng = np.random.default_rng(seed)
    exposures = []
    for exposure in made.exposures:
        chips = {}
        for name, chip in exposure.chips.items():
            y, x = np.mgrid[: chip.sci.shape[0], : chip.sci.shape[1]].astype(float)
            ra, dec = made.truth.exposures[exposure.root].pointing.true[name].pixel_to_sky(x, y)
            plan = made.truth.plan
            xi, eta = 3600.0 * (ra - plan.ra) * np.cos(np.deg2rad(plan.dec)), 3600.0 * (dec - plan.dec)
            mean = light(xi, eta) * (chip.frame.scale / 0.0996) ** 2 * made.truth.lit[name]
            sci = (chip.sci + rng.poisson(7.0 * mean) / 7.0).astype(np.float32)
            chips[name] = replace(chip, pixels=ArrayPixels(sci, chip.dq))
        exposures.append(replace(exposure, chips=chips))
    return exposures, made.truth


@cache
def processed(light, n=2):
    exposures, truth = exposed(light, n)
    return process(exposures), truth


def listed(light):
    """Share of the stars of 20 to 23 mag that the catalog has, and their magnitudes' errors in units of the stated."""
    result, truth = processed(light)
    (catalog,), (mosaic,) = result.catalogs.values(), result.mosaics.values()
    use = (truth.stars.mag_st > 20.0) & (truth.stars.mag_st < 23.0)
    x, y = mosaic.grid.sky_to_pixel(truth.stars.ra[use], truth.stars.dec[use])
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    ny, nx = mosaic.sci.shape
    inside = (column > 8) & (row > 8) & (column < nx - 8) & (row < ny - 8)
    inside[inside] = mosaic.wht[row[inside], column[inside]] > 0.6 * mosaic.wht.max()
    apart = np.hypot(catalog.columns["x"][:, None] - 1.0 - x, catalog.columns["y"][:, None] - 1.0 - y)
    return float((apart.min(axis=0) < 1.5)[inside].mean())


def about(result, part):
    return [finding for finding in result.findings if finding.part == part]


def test_stars_in_clouds_are_listed_as_on_an_even_sky():
    assert listed(clouds) > 0.9 * listed(nothing)


def test_nothing_is_said_of_an_even_sky():
    assert about(processed(nothing)[0], "catalog") == []


def test_clouds_are_said_and_filaments_as_fine_as_stars_are_a_warning_with_its_number():
    (note,) = about(processed(clouds)[0], "catalog")
    assert "covers" in note.sentence
    result, _ = processed(filaments)
    (warning,) = about(result, "catalog")
    assert warning.verdict is Verdict.WARN
    assert "limit of detection is ST 2" in warning.sentence
    assert result.parts["catalog"] is Verdict.WARN


@pytest.mark.parametrize("light", [clouds, filaments])
def test_a_nebula_tells_nothing_of_the_focus(light):
    """Its bright places looked like stars far out of focus; with that image no star passed for one."""
    exposures, _ = exposed(light, 1)
    focuses = [chip_focus(exposures[0], chip, Settings()) for chip in exposures[0].chips.values()]
    usual = [focus.usual for focus in focuses if focus is not None]
    assert all(abs(value - 0.04) < 0.025 for value in usual)


def test_exposures_whose_nebula_hides_their_stars_are_placed_by_their_headers():
    exposures, _ = exposed(lambda xi, eta: 6.0 * filaments(xi, eta), 2, density=1.0)
    result = process(exposures)
    assert result.alignment.verdict is Verdict.WARN
    for entry in result.alignment.exposures.values():
        assert entry.method == "header"
        assert "trusted" in entry.note
