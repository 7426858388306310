"""Stars that are saturated in every exposure are listed, as limits; what else is saturated is no star."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.model.star_flags import Flag
from mizzle.pipeline import process
from mizzle.settings import load_settings
from mizzle.simulate import visit
from mizzle.steps.catalog.saturated_stars import _widest

QUIET = load_settings("", ["report.page=false"])


def listed(seed, **plan):
    """Catalog of a visit, and for each of its stars the distance to the nearest row [arcsec] and that row."""
    made = visit(seed=seed, filter="F814W", brightest=14.0, faintest=20.0, density=60.0, **plan)
    result = process(made.exposures, QUIET)
    (catalog,), (mosaic,) = result.catalogs.values(), result.mosaics.values()
    x, y = mosaic.grid.sky_to_pixel(made.stars.ra, made.stars.dec)
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    ny, nx = mosaic.sci.shape
    inside = (column > 15) & (row > 15) & (column < nx - 15) & (row < ny - 15)
    for dx, dy in ((-15, -15), (-15, 15), (15, -15), (15, 15)):
        inside[inside] &= mosaic.wht[row[inside] + dy, column[inside] + dx] > 0
    apart = np.hypot(catalog.columns["x"][:, None] - 1.0 - x, catalog.columns["y"][:, None] - 1.0 - y)
    return catalog, made.stars.mag_st, inside, apart * mosaic.grid.scale


@pytest.mark.parametrize("plan", [{"n": 1, "exptime": 300.0}, {"n": 3, "exptime": 600.0}, {"n": 2, "gain": 15}])
def test_every_saturated_star_is_listed_as_a_limit(plan):
    """Of the brightest, holes in the product, one in eight was listed."""
    catalog, magnitude, inside, apart = listed(41, **plan)
    limit = (catalog.columns["flags"] & Flag.LIMIT) != 0
    bright = np.flatnonzero(inside & (magnitude < 16.5))
    assert bright.size > 20
    row = np.where(limit[:, None], apart, np.inf)[:, bright].argmin(axis=0)
    near = apart[row, bright] < 0.15
    assert near.mean() > 0.92
    # A limit is one: no star is fainter than it says, but for the errors of a place.
    assert (catalog.columns["mag_st"][row[near]] > magnitude[bright[near]] - 0.05).all()
    assert np.isfinite(catalog.columns["flux_err"][row[near]]).all()


@pytest.mark.parametrize("seed", [42, 43])
def test_what_is_saturated_and_no_star_is_not_listed(seed):
    """Bleeding columns, and rays that saturate (three times the usual number)."""
    catalog, _, _, apart = listed(seed, n=1, exptime=900.0, effects={"cosmic_rays": 0.06})
    limit = (catalog.columns["flags"] & Flag.LIMIT) != 0
    assert limit.sum() > 200
    # Ends of bleeding columns that the search for peaks takes for stars are among them.
    assert (limit & (apart.min(axis=1) > 0.5)).sum() <= 0.03 * limit.sum()


def test_a_star_is_where_a_bleeding_column_is_widest():
    mask = np.zeros((60, 40), np.bool_)
    mask[5:55, 20] = True  # bled
    mask[28:33, 18:23] = True  # the core
    (core,) = _widest(*np.nonzero(mask))
    assert (core.x, core.y) == (20.0, 30.0)
    assert (core.first, core.last) == (18, 22)
    mask[44:48, 17:22] = True  # a second star on the same column
    places = sorted((core.y, core.x) for core in _widest(*np.nonzero(mask)))
    assert places == [(30.0, 20.0), (45.5, 19.0)]


def test_one_exposure_that_is_not_saturated_measures_the_star():
    catalog, magnitude, inside, apart = listed(44, n=3, exptime=(300.0, 300.0, 4.0))
    bright = np.flatnonzero(inside & (magnitude < 16.5) & (magnitude > 15.5))
    row = apart[:, bright].argmin(axis=0)
    whole = (catalog.columns["flags"][row] & Flag.LIMIT) == 0
    assert whole.mean() > 0.8
    assert np.abs(np.median(catalog.columns["mag_st"][row[whole]] - magnitude[bright[whole]])) < 0.02
