"""Long and short exposures together: stars that saturate in the long ones are made of the short ones alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from mizzle import simulate
from mizzle.pipeline import process
from mizzle.scores import match_stars
from mizzle.simulate.pointing import point
from mizzle.simulate.stars import StarList
from mizzle.steps.catalog import Flag

#: Saturated in 500 s, not in 20 s; saturated in both; saturated in neither [ST mag].
LONG_ONLY, BOTH, NEITHER = 17.0, 12.5, 20.5


@pytest.fixture(scope="module")
def measured():
    """Magnitude found less true, flags and relative error, by true magnitude; stars far apart on the WF chips."""
    plan = simulate.Plan(n=2, exptime=(500.0, 20.0), seed=5, dithers=((0.0, 0.0), (0.52, 0.31)), field="list")
    rng = np.random.default_rng(3)
    frames = next(iter(point(plan))).true
    kinds = np.repeat([LONG_ONLY, BOTH, NEITHER], (16, 2, 16))
    ra, dec = np.zeros(kinds.size), np.zeros(kinds.size)
    for k in range(kinds.size):
        chip = ("WF2", "WF3", "WF4")[k % 3]
        x, y = 150 + 110 * ((k // 3) % 4), 150 + 180 * (k // 12)
        ra[k], dec[k] = frames[chip].pixel_to_sky(x + rng.uniform(-0.5, 0.5), y + rng.uniform(-0.5, 0.5))
    stars = StarList(ra, dec, 10.0 ** (-0.4 * (kinds + 21.1)))
    result = process(simulate.visit(plan, stars=stars).exposures)
    columns = next(iter(result.catalogs.values())).columns
    apart = 3600 * np.hypot((columns["ra"][:, None] - ra) * np.cos(np.deg2rad(dec)), columns["dec"][:, None] - dec)
    best = np.argmin(apart, axis=0)
    found = apart[best, np.arange(kinds.size)] < 0.3
    return kinds, found, columns["mag_st"][best] - kinds, columns["flags"][best], columns["mag_err"][best]


def test_stars_that_saturate_in_the_long_exposure_have_the_short_ones_magnitudes(measured):
    kinds, found, off, flags, error = measured
    mine = (kinds == LONG_ONLY) & found & ((flags & (Flag.LIMIT | Flag.COSMIC_RAY | Flag.EDGE)) == 0)
    assert np.count_nonzero(mine) >= 12
    assert abs(np.median(off[mine])) < 0.01
    assert np.median(np.abs(off[mine]) / error[mine]) < 2.5


def test_faint_stars_are_as_before(measured):
    kinds, found, off, _, _ = measured
    mine = (kinds == NEITHER) & found
    assert np.count_nonzero(mine) >= 14
    assert abs(np.median(off[mine])) < 0.01


def test_stars_that_saturate_everywhere_are_listed_as_limits(measured):
    kinds, found, off, flags, error = measured
    mine = (kinds == BOTH) & found
    assert mine.any()
    assert ((flags[mine] & Flag.LIMIT) != 0).all()
    assert (error[mine] > 0.3).all()
    assert (off[mine] > -0.1).all()


def test_three_lengths_each_give_the_stars_that_are_full_in_the_longer_ones():
    """Cores that are plateaus in the long exposures, and in those of middle length, are no rays in the shortest."""
    field = {"brightest": 15.0, "faintest": 17.0, "density": 40.0, "min_separation": 4.0}
    times = (1000.0, 900.0, 60.0, 60.0, 2.0, 2.0)
    made = simulate.visit(n=6, exptime=times, seed=11, effects={"cosmic_rays": 0.005}, **field)
    result = process(made.exposures)
    catalog = next(iter(result.catalogs.values()))
    stars, true = match_stars(catalog, made.truth)
    columns = {key: np.asarray(catalog.columns[key])[stars] for key in ("mag_st", "mag_err", "flags")}
    whole = (columns["flags"] & (Flag.LIMIT | Flag.EDGE)) == 0
    off = (columns["mag_st"] - made.truth.stars.mag_st[true])[whole]
    assert off.size >= 40
    assert abs(np.median(off)) < 0.02
    assert np.mean(np.abs(off) > 0.1) < 0.1


@pytest.mark.parametrize("times", [(500.0, 40.0, 500.0, 40.0), (500.0, 500.0, 40.0, 40.0)])
def test_stars_that_are_full_in_some_long_exposures_keep_their_cores(times):
    """Full where they lie on one pixel, not where they lie between two: the others are no measure of each other."""
    made = simulate.visit(n=4, seed=41, exptime=times, dithers=((0.0, 0.0), (0.52, 0.31), (20.0, 3.1), (20.7, 2.6)))
    result = process(made.exposures)
    lost = total = 0
    for exposure in result.exposures:
        for name, chip in exposure.chips.items():
            light = made.truth.starlight(exposure.root, name)
            rays = made.truth.chip(exposure.root, name).cosmic_rays.electrons()
            peak = (light >= maximum_filter(light, 3)) & (light > 100.0) & (light < 3500.0)
            clear = peak & (maximum_filter(rays, 3) < 2.0) & (chip.dq == 0)
            lost += np.count_nonzero(clear & result.cosmic_rays.mask(exposure.root, name, chip.shape))
            total += np.count_nonzero(clear)
    assert total > 1500
    assert lost < 0.008 * total
    assert not [f for f in result.findings if f.part == "cosmic rays" and "center flagged" in f.sentence]
