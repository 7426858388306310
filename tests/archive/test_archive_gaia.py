"""Gaia stars come from the service as asked, and stand where they stood at the epoch."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from mizzle.archive import gaia
from mizzle.archive.gaia import gaia_catalog
from mizzle.archive.web import ServiceError
from mizzle.errors import DataError, SettingsError

HEAD = "ra,dec,ra_error,dec_error,pmra,pmdec,pmra_error,pmdec_error,phot_g_mean_mag,ref_epoch"
STARS = (
    HEAD
    + """
323.36,-0.82,0.05,0.04,10.0,-20.0,0.10,0.08,14.5,2016.0
323.37,-0.83,0.50,0.40,,,,,18.5,2016.0
323.38,-0.84,0.30,0.20,-3.5,0.0,0.40,0.30,19.1,2016.0
"""
)


def test_the_query_is_a_cone_of_the_brightest(service, settings):
    service.stars = STARS
    gaia_catalog(323.36, -0.82, 0.05, epoch=2007.75, settings=settings)
    form = parse_qs(service.requests[0][3].decode())
    assert service.requests[0][1] == "/tap/sync"
    assert re.fullmatch(
        r"SELECT TOP 2000 ra, dec, .* FROM gaiadr3\.gaia_source WHERE 1 = CONTAINS\(POINT\('ICRS', ra, dec\),"
        r" CIRCLE\('ICRS', 323\.36000000, -0\.82000000, 0\.05000000\)\) ORDER BY phot_g_mean_mag",
        form["QUERY"][0],
    )


def test_stars_are_moved_to_the_epoch_and_errors_grow(service, settings):
    service.stars = STARS
    stars = gaia_catalog(323.36, -0.82, 0.05, epoch=2007.75, settings=settings)
    years = 2007.75 - 2016.0
    assert len(stars["ra"]) == 2  # the star without proper motion is left out
    moved = (stars["ra"] - [323.36, 323.38]) * np.cos(np.deg2rad([-0.82, -0.84])) * 3.6e6
    np.testing.assert_allclose(moved, np.array([10.0, -3.5]) * years, atol=1e-4)
    np.testing.assert_allclose((stars["dec"] - [-0.82, -0.84]) * 3.6e6, np.array([-20.0, 0.0]) * years, atol=1e-4)
    np.testing.assert_allclose(stars["ra_error"], np.hypot([0.05, 0.30], np.array([0.10, 0.40]) * years))
    assert list(stars["mag"]) == [14.5, 19.1]


def test_at_the_epoch_of_the_catalog_nothing_changes(service, settings):
    service.stars = STARS
    stars = gaia_catalog(323.36, -0.82, 0.05, epoch=2016.0, settings=settings)
    np.testing.assert_allclose(stars["ra"], [323.36, 323.38], rtol=0, atol=1e-12)
    np.testing.assert_allclose(stars["ra_error"], [0.05, 0.30])


@examples(deadline=None)
@given(st.floats(0, 359.99), st.floats(-89.999, 89.999), st.floats(-500, 500), st.floats(-500, 500))
def test_motion_has_the_right_length_and_direction_everywhere(ra, dec, pmra, pmdec):
    one = np.ones(1)
    stars = {"ra": ra * one, "dec": dec * one, "pmra": pmra * one, "pmdec": pmdec * one, "ref_epoch": 2016 * one}
    stars |= dict.fromkeys(("ra_error", "dec_error", "pmra_error", "pmdec_error"), 0 * one)
    moved = gaia._moved(stars, 2006.0)

    def vector(a, d):
        a, d = np.deg2rad(a[0]), np.deg2rad(d[0])
        return np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])

    start, end = vector(stars["ra"], stars["dec"]), vector(moved["ra"], moved["dec"])
    length = np.linalg.norm(end - start) * 180 / np.pi * 3.6e6
    assert length == pytest.approx(10 * np.hypot(pmra, pmdec), abs=0.01)
    north = np.array([0, 0, 1]) - start[2] * start
    assert (end - start) @ north * 206264.806e3 == pytest.approx(-10 * pmdec * np.linalg.norm(north), abs=0.02)


def test_a_cut_at_the_limit_is_said(service, settings):
    row = STARS.splitlines()[1]
    service.stars = "\n".join([HEAD, *[row] * 10])
    said = []
    few = type(settings).model_validate({**settings.model_dump(), "gaia_rows": 10})
    gaia_catalog(323.36, -0.82, 0.05, epoch=2007.75, settings=few, say=said.append)
    assert "10 brightest" in said[0]


def test_no_star_is_the_data_not_the_service(service, settings):
    service.stars = HEAD + "\n"
    with pytest.raises(DataError, match="no star"):
        gaia_catalog(323.36, -0.82, 0.05, epoch=2007.75, settings=settings)


@pytest.mark.parametrize(
    "table",
    [
        "",
        "<VOTABLE/>",
        "ra,dec\n1,2\n",
        HEAD + "\n1,2\n",
        HEAD + "\n" + ",".join("x" * 10),
        HEAD + "\n,,,,1,1,1,1,1,1\n",
    ],
)
def test_malformed_tables_are_one_error(service, settings, table):
    service.stars = table
    with pytest.raises(ServiceError, match="malformed"):
        gaia_catalog(323.36, -0.82, 0.05, epoch=2007.75, settings=settings)


def test_every_failure_is_one_error_in_time(service, limits, fault):
    service.faults["/tap/*"] = fault[1]
    with pytest.raises(ServiceError):
        gaia_catalog(323.36, -0.82, 0.05, epoch=2007.75, settings=limits)


@pytest.mark.parametrize(("ra", "dec", "radius"), [(400, 0, 0.1), (0, 91, 0.1), (0, 0, 5), (0, 0, float("nan"))])
def test_senseless_places_are_refused(service, settings, ra, dec, radius):
    with pytest.raises(SettingsError):
        gaia_catalog(ra, dec, radius, epoch=2000, settings=settings)
    assert not service.requests
