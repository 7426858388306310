"""The catalog: fluxes, errors, flags and columns of a visit whose truth is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mizzle.instrument.cameras import WFPC2
from mizzle.model import FluxReference, Serial
from mizzle.scores import match_stars
from mizzle.settings import CatalogSettings, Settings
from mizzle.stars.neighbors import close_pairs
from mizzle.steps.catalog import Flag, measure_catalog
from mizzle.steps.catalog.blends import blended
from mizzle.steps.catalog.curve import growth
from mizzle.steps.catalog.table import UNITS, vega_zeropoint

COLUMNS = "ra dec x y flux flux_err mag_st mag_ab mag_vega mag_err cte sky chip n_exp flags".split()

CLASSES = WFPC2.classes


def catalog_of(scene, runner=None, mosaic=None, **options):
    settings = Settings(catalog=CatalogSettings(**options))
    mosaic = mosaic or scene.mosaic
    return measure_catalog(mosaic, scene.exposures, **scene.solutions, settings=settings, runner=runner or Serial())


@pytest.fixture(scope="module")
def catalog(scene):
    return catalog_of(scene, apply_cte=True)


def clean_ratio(scene, catalog, least=100.0):
    mine, theirs = match_stars(catalog, scene.truth)
    flux, error = catalog.columns["flux"][mine], catalog.columns["flux_err"][mine]
    good = (catalog.columns["flags"][mine] == 0) & (flux > least * error)
    true = scene.truth.rate(scene.mosaic.photflam)[theirs]
    return (flux / true)[good], catalog.columns["chip"][mine][good]


def test_columns_and_units(catalog):
    assert list(catalog.columns) == COLUMNS == list(catalog.units)
    assert len({len(column) for column in catalog.columns.values()}) == 1
    assert len(catalog) > 500
    assert np.all(np.diff(catalog.columns["flux"]) <= 0)


@pytest.mark.parametrize("aperture", [0.5, 0.3])
def test_fluxes_are_true_whatever_the_aperture(scene, aperture):
    ratio, chip = clean_ratio(scene, catalog_of(scene, aperture=aperture, apply_cte=True))
    assert ratio.size > 200
    for name in ("WF2", "WF3", "WF4"):
        mine = ratio[chip == name]
        assert np.median(mine) == pytest.approx(1.0, abs=0.004 + 3 * mine.std() / np.sqrt(mine.size))
    assert np.median(ratio) == pytest.approx(1.0, abs=0.004)


def test_without_the_correction_the_loss_is_seen(scene, catalog):
    plain = catalog_of(scene)
    ratio, _ = clean_ratio(scene, plain)
    assert np.median(ratio) < 0.98
    np.testing.assert_allclose(
        np.sort(plain.columns["flux"] * 10 ** (0.4 * plain.columns["cte"])), np.sort(catalog.columns["flux"])
    )
    none = catalog_of(scene, cte="none")
    assert not none.columns["cte"].any()


def test_cte_grows_with_y_and_faintness(catalog):
    bright = catalog.columns["mag_st"] < 20
    faint = catalog.columns["mag_st"] > 23
    assert np.median(catalog.columns["cte"][faint]) > 2 * np.median(catalog.columns["cte"][bright]) > 0


def test_magnitudes_follow_from_the_flux(catalog):
    c, meta = catalog.columns, catalog.meta
    good = c["flux"] > 0
    st = -2.5 * np.log10(c["flux"][good] * meta["photflam"]) - 21.1
    np.testing.assert_allclose(c["mag_st"][good], st, atol=1e-12)
    np.testing.assert_allclose(c["mag_ab"][good], st - 5 * np.log10(meta["photplam"]) + 18.692, atol=1e-12)
    np.testing.assert_allclose(c["mag_vega"][good], 21.659 - 2.5 * np.log10(c["flux"][good]), atol=1e-12)
    np.testing.assert_allclose(c["mag_err"][good], 1.0857362 * c["flux_err"][good] / c["flux"][good], rtol=1e-6)
    assert np.isnan(c["mag_st"][~good]).all()


def test_positions_are_fits_pixels_and_sky(scene, catalog):
    x, y = scene.mosaic.grid.sky_to_pixel(catalog.columns["ra"], catalog.columns["dec"])
    np.testing.assert_allclose(catalog.columns["x"], x + 1, atol=1e-6)
    np.testing.assert_allclose(catalog.columns["y"], y + 1, atol=1e-6)


def test_errors_of_faint_stars_are_right(scene, catalog):
    mine, theirs = match_stars(catalog, scene.truth)
    flux, error = catalog.columns["flux"][mine], catalog.columns["flux_err"][mine]
    good = (catalog.columns["flags"][mine] == 0) & (flux > 10 * error) & (flux < 60 * error)
    pull = ((flux - scene.truth.rate(scene.mosaic.photflam)[theirs]) / error)[good]
    # Neighbors too faint to be seen widen it a little; a missing correlation factor would give 1.5.
    assert 0.85 < 1.4826 * np.median(np.abs(pull - np.median(pull))) < 1.3


def test_errors_of_bright_stars_know_of_lost_pixels(scene, catalog):
    mine, theirs = match_stars(catalog, scene.truth)
    flux, error = catalog.columns["flux"][mine], catalog.columns["flux_err"][mine]
    good = (catalog.columns["flags"][mine] == 0) & (flux > 60 * error)
    pull = ((flux - scene.truth.rate(scene.mosaic.photflam)[theirs]) / error)[good]
    pull -= np.median(pull)
    inside = np.abs(pull) < 5
    assert inside.mean() > 0.95
    # What is lost is estimated from few stars: errors may be too large by a root of two, or too small by it.
    assert 0.5 < np.mean(pull[inside] ** 2) < 2.0


def test_stars_of_the_pc_are_found(scene, catalog):
    # On a product of WF scale they are twice as sharp as the others.
    stars, frame = scene.truth.stars, scene.solutions["alignment"].frame(scene.exposures[0], "PC")
    x, y = frame.sky_to_pixel(stars.ra, stars.dec)
    bright = scene.truth.rate(scene.mosaic.photflam) > 3
    well = bright & (x > 100) & (y > 100) & (x < 780) & (y < 780)
    _, theirs = match_stars(catalog, scene.truth)
    assert well.sum() > 5
    assert np.isin(np.flatnonzero(well), theirs).mean() > 0.8


def test_saturated_stars_are_flagged(scene, catalog):
    mine, theirs = match_stars(catalog, scene.truth)
    flagged = (catalog.columns["flags"][mine] & Flag.SATURATED) > 0
    brightness = scene.truth.rate(scene.mosaic.photflam)[theirs]
    assert flagged.any()
    assert np.median(brightness[flagged]) > 5 * np.median(brightness)
    assert flagged[np.argsort(-brightness)[:10]].all()


def test_edges_and_few_exposures(scene, catalog):
    wht = scene.mosaic.wht
    x, y = catalog.columns["x"] - 1, catalog.columns["y"] - 1
    edge = (catalog.columns["flags"] & Flag.EDGE) > 0
    for i in np.flatnonzero(edge)[:20]:
        box = wht[max(int(y[i]) - 6, 0) : int(y[i]) + 8, max(int(x[i]) - 6, 0) : int(x[i]) + 8]
        assert (box == 0).any() or box.size < 196
    few = (catalog.columns["flags"] & Flag.FEW_EXPOSURES) > 0
    assert np.array_equal(few, catalog.columns["n_exp"] < 2)
    assert catalog.columns["n_exp"].max() == 6


def test_chip_is_where_the_star_is(scene, catalog):
    alignment = scene.solutions["alignment"]
    exposure = scene.exposures[0]
    agree = total = 0
    for name in exposure.chips:
        x, y = alignment.frame(exposure, name).sky_to_pixel(catalog.columns["ra"], catalog.columns["dec"])
        well = (x > 250) & (x < 700) & (y > 250) & (y < 700)
        agree += (catalog.columns["chip"][well] == name).sum()
        total += well.sum()
    assert total > 100
    assert agree == total


def test_field_without_stars_has_all_columns(scene):
    rng = np.random.default_rng(1)
    noise = np.where(scene.mosaic.wht > 0, rng.normal(0, 1e-9, scene.mosaic.sci.shape), np.nan)
    blank = dataclasses.replace(scene.mosaic, sci=noise.astype(np.float32))
    empty = catalog_of(scene, mosaic=blank, threshold=50.0)
    assert len(empty) == 0
    assert list(empty.columns) == COLUMNS
    assert empty.columns["chip"].dtype.kind == "U"


def test_nothing_but_holes(scene):
    holes = dataclasses.replace(
        scene.mosaic, sci=np.full_like(scene.mosaic.sci, np.nan), wht=np.zeros_like(scene.mosaic.wht)
    )
    assert len(catalog_of(scene, mosaic=holes)) == 0


def test_the_runner_does_not_matter(scene):
    from mizzle.execution import Threads

    one, two = catalog_of(scene), catalog_of(scene, Threads(3))
    for name in COLUMNS:
        np.testing.assert_array_equal(one.columns[name], two.columns[name])


def test_growth_by_class_and_its_fallbacks():
    rng = np.random.default_rng(4)
    inner = rng.uniform(10, 100, 60)
    chip = np.array(["PC"] * 20 + ["WF3"] * 40)
    true = np.where(chip == "PC", 1.04, 1.06)
    outer = inner * true * rng.normal(1, 0.005, 60)
    outer[::10] *= 1.5  # neighbors
    whole = np.ones(60, np.bool_)
    found = growth(inner, outer, np.full(60, 100.0), chip=chip, whole=whole, classes=CLASSES)
    assert found["PC"][0] == pytest.approx(1.04, abs=0.005)
    assert found["WF2"] == found["WF3"]
    assert found["WF3"][0] == pytest.approx(1.06, abs=0.003)
    few = growth(inner[17:], outer[17:], np.full(43, 100.0), chip=chip[17:], whole=whole[17:], classes=CLASSES)
    assert few["PC"][0] == pytest.approx(1.06, abs=0.01)  # 3 PC stars are too few: all stars serve
    assert few["PC"][1] > 0.015 > few["WF2"][1]  # and are not quite trusted
    assert growth(inner[:0], outer[:0], inner[:0], chip=chip[:0], whole=whole[:0], classes=CLASSES)["PC"][0] == 1.0
    whole[20:30] = False
    outer[20:30] *= 0.98  # lost pixels
    assert growth(inner, outer, np.full(60, 100.0), chip=chip, whole=whole, classes=CLASSES)["WF3"][0] == pytest.approx(
        1.06, abs=0.003
    )


def test_blends_by_distance_and_brightness():
    x, y = np.array([0.0, 3.0, 50.0, 50.0, 90.0]), np.array([0.0, 0.0, 0.0, 8.0, 0.0])
    flux = np.array([100.0, 50.0, 100.0, 1.0, 1.0])
    flags = blended(x, y, flux, radii=(5.0, 1.5, 10.0), share=0.02)
    assert flags.tolist() == [True, True, False, True, False]


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_close_pairs_against_all_distances(n):
    rng = np.random.default_rng(n)
    x, y = rng.uniform(0, 100, (2, n))
    one, two, distance = close_pairs(x, y, 7.0)
    all_distances = np.hypot(x[:, None] - x, y[:, None] - y)
    expected = {(i, j) for i in range(n) for j in range(i) if all_distances[i, j] < 7.0}
    assert {(max(i, j), min(i, j)) for i, j in zip(one, two, strict=True)} == expected
    np.testing.assert_allclose(distance, all_distances[one, two])


def reference(**changes):
    values = {
        "chip": "WF3", "photflam": 1e-18, "photplam": 8000.0, "photbw": 1.0, "photzpt": -21.1,
        "photmode": "WFPC2,3,A2D7,F814W,,CAL", "gain": 7.0, "origin": "WF3 of a",
    }  # fmt: skip
    return FluxReference(**{**values, **changes})


def test_vega_zeropoint_where_the_handbook_has_one():
    assert vega_zeropoint(reference(), "F814W", WFPC2) == 21.659
    assert vega_zeropoint(reference(chip="PC"), "F555W", WFPC2) == 22.545
    assert vega_zeropoint(reference(photmode="WFPC2,3,A2D15,F814W,,CAL"), "F814W", WFPC2) == pytest.approx(
        21.659 - 2.5 * np.log10(2.006)
    )
    assert np.isnan(vega_zeropoint(reference(), "F606W", WFPC2))
    assert np.isnan(vega_zeropoint(reference(origin="equalize.photflam"), "F814W", WFPC2))
    assert set(UNITS) == set(COLUMNS)
