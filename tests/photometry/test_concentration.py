"""Light that is not spread over the aperture as a star's is seen, and told."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.instrument.cameras import WFPC2
from mizzle.model.star_flags import Flag
from mizzle.steps.catalog.concentration import SHARE, CircleFlux, compare_spread

COUNT, NOISE = 400, 6.0


def apertures(rng, more=0.0):
    """Fluxes of stars within a small circle and an aperture, a third of the light between; `more` is in the latter."""
    light = 10.0 ** rng.uniform(2.0, 4.5, COUNT)
    inner, shell = light * rng.normal(0.67, 0.004, COUNT), light * 0.33
    small = NOISE**2 + inner
    large = small + 5.0 * NOISE**2 + shell
    inner = inner + rng.normal(0, np.sqrt(small))
    outer = inner + shell + rng.normal(0, np.sqrt(large - small)) + more
    return light, CircleFlux(inner, small), CircleFlux(outer, large)


def compared(inner, outer, bright, *, whole=None, judged=None):
    chips, ones, every = np.full(COUNT, "WF3"), np.ones(COUNT, np.int64), np.ones(COUNT, bool)
    whole, judged = every if whole is None else whole, every if judged is None else judged
    return compare_spread(
        inner, outer, bright, chip=chips, n_exposures=ones, whole=whole, judged=judged, classes=WFPC2.classes
    )


@pytest.mark.parametrize("seed", range(5))
def test_stars_alone_are_not_told(seed):
    light, inner, outer = apertures(np.random.default_rng(seed))
    spread = compared(inner, outer, light > 3000)
    assert np.count_nonzero(spread.unlike) <= 0.01 * COUNT
    assert not spread.excess[~spread.unlike].any()


@pytest.mark.parametrize("seed", range(5))
def test_what_an_aperture_holds_beside_its_star_is_measured(seed):
    rng = np.random.default_rng(seed)
    more = np.where(rng.random(COUNT) < 0.1, 2000.0, 0.0)
    light, inner, outer = apertures(rng, more)
    spread = compared(inner, outer, light > 3000)
    # Of the brightest stars' light it is too small a part.
    seen = (more > 0) & (more > 2.0 * SHARE * light)
    assert spread.unlike[seen].mean() > 0.95
    assert np.median(spread.excess[seen & spread.unlike]) == pytest.approx(2000.0, rel=0.1)
    assert spread.unlike[more == 0].mean() < 0.02


@pytest.mark.parametrize(("share", "told"), [(0.02, False), (0.05, True)])
def test_some_per_cent_of_a_bright_star_are_told_and_less_is_not(share, told):
    """Flat fields and pixel phases change a flux by a per cent or two; what is called another light is more."""
    rng = np.random.default_rng(7)
    light = 10.0 ** rng.uniform(4.0, 4.5, COUNT)
    more = np.where(rng.random(COUNT) < 0.1, share * light, 0.0)
    inner, outer = 0.67 * light * rng.normal(1.0, 0.001, COUNT), light * rng.normal(1.0, 0.001, COUNT) + more
    small, large = CircleFlux(inner, 0.1 * inner), CircleFlux(outer, 0.1 * outer)
    spread = compared(small, large, more == 0)
    assert (spread.unlike[more > 0].mean() > 0.9) == told
    assert spread.unlike[more == 0].mean() < 0.02


def test_what_stands_five_sigma_above_its_star_is_told():
    rng = np.random.default_rng(8)
    faint = np.arange(COUNT) >= COUNT // 2
    _, inner, outer = apertures(rng)
    more = np.where(faint & (rng.random(COUNT) < 0.2), 6.0 * np.sqrt(outer.variance), 0.0)
    spread = compared(inner, CircleFlux(outer.flux + more, outer.variance), ~faint)
    assert spread.unlike[(more > 0) & (more > 2.0 * SHARE * outer.flux)].mean() > 0.9


def test_stars_that_lost_pixels_are_told_of_much_light_only_and_of_none_without_a_center():
    """A bleeding column in the aperture spoils pixels, and is most of the light there."""
    light, inner, outer = apertures(np.random.default_rng(9))
    spoiled = np.arange(COUNT) % 4 == 0
    much, little = (CircleFlux(outer.flux + np.where(spoiled, k * light, 0.0), outer.variance) for k in (1.0, 0.2))
    bright = (light > 3000) & ~spoiled
    assert compared(inner, much, bright, whole=~spoiled).unlike[spoiled].mean() > 0.95
    assert not compared(inner, little, bright, whole=~spoiled).unlike[spoiled & (light > 3000)].any()
    assert not compared(inner, much, bright, whole=~spoiled, judged=~spoiled).unlike[spoiled].any()


@pytest.mark.parametrize(("bright", "told"), [(0, False), (5, False), (14, True)])
def test_a_few_bright_stars_do_not_tell_how_a_star_is_spread(bright, told):
    light, inner, outer = apertures(np.random.default_rng(10), np.where(np.arange(COUNT) % 3 == 0, 9000.0, 0.0))
    clean = np.flatnonzero((light > 3000) & (np.arange(COUNT) % 3 != 0))[:bright]
    spread = compared(inner, outer, np.isin(np.arange(COUNT), clean))
    assert bool(spread.unlike.any()) is told


@pytest.mark.data
def test_the_brightest_unflagged_sources_of_a_real_exposure_have_cores(data_dir):
    """Omega Cen: eight of the first twenty were spikes and bleeding columns of saturated stars, at 16 to 17 mag."""
    import mizzle
    from mizzle.stars.apertures import aperture_sums

    result = mizzle.process([mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")])
    (catalog,), (mosaic,) = result.catalogs.values(), result.mosaics.values()
    first = np.flatnonzero(catalog.columns["flags"] == 0)[:50]
    x, y = (catalog.columns[key][first] - 1.0 for key in "xy")
    empty = ~(mosaic.wht > 0)
    core, whole = (aperture_sums(mosaic.sci, x, y, radius=r / mosaic.grid.scale, mask=empty).flux for r in (0.2, 0.5))
    assert (core / whole).min() > 0.6


def test_a_few_stars_tell_nothing():
    _, inner, outer = apertures(np.random.default_rng(1), 5000.0)
    bright = np.zeros(COUNT, bool)
    bright[:5] = True
    assert not compared(inner, outer, bright).unlike.any()


@pytest.mark.slow
def test_fluxes_that_a_missed_ray_spoiled_are_told_more_often_than_good_ones():
    """Single exposures of 1000 s: of stars that are 15 % too bright a third is told at least, of good ones none."""
    from mizzle.pipeline import process
    from mizzle.scores import match_stars
    from mizzle.simulate import visit
    from mizzle.simulate.plan import make_plan

    spoiled = told = good = false = 0
    for seed in (31, 32, 33, 34):
        made = visit(make_plan(n=1, filter="F555W", exptime=1000.0, seed=seed, density=300.0, min_separation=1.5))
        result = process(made.exposures)
        (catalog,), (mosaic,) = result.catalogs.values(), result.mosaics.values()
        row, star = match_stars(catalog, made.truth)
        flux, error, flags = (np.asarray(catalog.columns[key])[row] for key in ("flux", "flux_err", "flags"))
        truth = made.truth.rate(mosaic.photflam)[star]
        bright = (truth > 0.3) & ((flags & ~np.int32(Flag.UNLIKE)) == 0)
        off, near = bright & (flux / truth > 1.15), bright & (np.abs(flux / truth - 1.0) < 0.02)
        unlike = flags != 0
        spoiled, told = spoiled + np.count_nonzero(off), told + np.count_nonzero(off & unlike)
        good, false = good + np.count_nonzero(near), false + np.count_nonzero(near & unlike)
        assert np.median(error[off & unlike] / (flux - truth)[off & unlike]) > 0.5
    assert spoiled > 40
    assert told > 0.33 * spoiled
    assert false < 0.005 * good
