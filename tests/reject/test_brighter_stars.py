"""Variable stars are no cosmic rays; and rays on stars are rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.model import Serial, Verdict
from mizzle.model.star_flags import Flag
from mizzle.pipeline import process
from mizzle.simulate import StarList, visit
from mizzle.steps.reject.findings import ray_findings
from ray_scores import STILL, counts, found, share

#: So many magnitudes brighter is every tenth star in one exposure.
EVERY = 10
KEEP = ("reject.keep_brighter=true",)


def varied(count, change, *, seed, filter_name="F555W"):
    """A visit, and which exposure of it saw every tenth star brighter by `change` magnitudes."""
    plan = {"n": count, "seed": seed, "filter": filter_name, "exptime": 300.0, "density": 60.0, "brightest": 18.5}
    made = visit(effects=STILL, **plan)
    factor = np.where(np.arange(made.stars.ra.size) % EVERY == 0, 10 ** (0.4 * change), 1.0)
    brighter = StarList(made.stars.ra, made.stars.dec, made.stars.flux * factor)
    base = visit(effects=STILL, stars=StarList(made.stars.ra, made.stars.dec, made.stars.flux), **plan)
    other = visit(effects=STILL, stars=brighter, **plan)
    number = count // 2
    exposures = [*base.exposures]
    exposures[number] = other.exposures[number]
    if count == 2:
        exposures[1] = replace(exposures[1], mjd_start=exposures[1].mjd_start + 1.0)
    return replace(base, exposures=tuple(exposures)), other, number


def kept(other, number, rays):
    """Which of the stars that brightened keep their core; those that show, are whole, and that no ray hit."""
    exposure, told = other.exposures[number], []
    for name, chip in exposure.chips.items():
        mask, truth = rays.mask(exposure.root, name, chip.shape), other.truth.chip(exposure.root, name)
        charge = truth.cosmic_rays.electrons()
        for star, x, y, electrons in zip(truth.star, truth.x, truth.y, truth.electrons, strict=True):
            column, row = round(float(x)), round(float(y))
            if star % EVERY or electrons < 4000 or min(column, row) < 60 or max(column, row) > 790:
                continue
            box = np.s_[row - 2 : row + 3, column - 2 : column + 3]
            if charge[box].max() < 5 and not chip.dq[box].any():
                told.append(not mask[row - 1 : row + 2, column - 1 : column + 2].any())
    return np.array(told)


def total(rays, root):
    """Stars of an exposure that are brighter in it than in the others."""
    return sum(peaks.size for peaks in rays.brighter.get(root, {}).values())


@pytest.mark.parametrize(("count", "change"), [(2, 1.0), (3, 0.5), (4, 1.5)])
def test_a_star_that_brightened_is_no_ray(count, change):
    """They were flagged, all of them, and nothing was said; now they are counted, and kept where that is wanted."""
    stars = []
    for seed in (71, 73):
        base, other, number = varied(count, change, seed=seed)
        rays = found(base, KEEP)
        stars += kept(other, number, rays).tolist()
        assert total(rays, base.exposures[number].root) > 0
    assert len(stars) > 8
    assert np.mean(stars) > 0.5


def test_two_exposures_of_one_hour_are_compared_as_if_no_star_changed():
    base, _, number = varied(2, 1.0, seed=71)
    soon = [replace(e, mjd_start=base.exposures[0].mjd_start + 0.01 * n) for n, e in enumerate(base.exposures)]
    assert total(found(replace(base, exposures=tuple(soon))), base.exposures[number].root) == 0


def test_rays_are_found_all_the_same():
    base, _, _ = varied(3, 0.0, seed=72)
    rays = found(base, KEEP)
    told = counts(base, rays)
    assert share(told["150"]) > 0.985
    stars = sum(chip.star.size for exposure in base.truth.exposures.values() for chip in exposure.chips.values())
    assert sum(total(rays, root) for root in rays.brighter) < 0.02 * stars


def test_by_default_they_are_counted_and_no_pixel_changes():
    """Rays on stars that light explains cannot be told from them: fluxes of constant stars come first."""
    base, other, number = varied(3, 1.0, seed=71)
    plain, keeping = found(base), found(base, KEEP)
    for root, chips in keeping.brighter.items():
        for name, peaks in chips.items():
            assert set(peaks) <= set(plain.brighter[root][name])  # rays on stars are among them
    assert total(keeping, base.exposures[number].root) > 5
    assert kept(other, number, plain).mean() < kept(other, number, keeping).mean()
    (finding,) = [f for f in ray_findings(base.exposures, plain, Serial()) if "variable" in f.sentence]
    assert finding.verdict is Verdict.PASS


def test_the_catalog_says_which_stars_they_are():
    """By default their fluxes are those of the other exposures: who looks for variable stars must be told."""
    told = {True: [], False: []}
    for count, change, seed in ((4, 0.7, 73), (2, 1.0, 77)):
        base, _, _ = varied(count, change, seed=seed)
        result = process(base.exposures)
        (catalog,), (mosaic,) = result.catalogs.values(), result.mosaics.values()
        x, y = mosaic.grid.sky_to_pixel(base.stars.ra, base.stars.dec)
        apart = np.hypot(catalog.columns["x"][:, None] - 1.0 - x, catalog.columns["y"][:, None] - 1.0 - y)
        use = (apart.min(axis=1) < 1.0) & (catalog.columns["n_exp"] == count)
        use &= catalog.columns["flux"] > 10.0 * catalog.columns["flux_err"]
        flagged = (catalog.columns["flags"] & Flag.BRIGHTER) != 0
        changed = apart.argmin(axis=1) % EVERY == 0
        for which in (True, False):
            told[which] += flagged[use & (changed == which)].tolist()
    assert len(told[True]) > 30
    assert np.mean(told[True]) > 0.6
    assert np.mean(told[False]) < 0.02
