"""Simulated ACS and WFC3 exposures hold what their truth says, in the archive's form."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mizzle.errors import SettingsError
from mizzle.simulate.cameras import camera_visit, write_exposures

ONE = ((0.0, 0.0),)
QUIET = {"dithers": ONE, "rays": False, "pointing_error": 0.0, "roll_error": 0.0}


@pytest.fixture(scope="module", params=[("acs-hrc", 17.5), ("wfc3-ir", 20.8)])
def written(request, tmp_path_factory):
    """Stars bright enough to measure, and not saturated."""
    camera, magnitude = request.param
    visit = camera_visit(camera, stars=60, brightest=magnitude, faintest=magnitude + 0.5, exptime=100.0, **QUIET)
    (path,) = write_exposures(visit, tmp_path_factory.mktemp(camera))
    return visit, path


def electrons(units, version):
    science = units["SCI", version]
    return science.data * (units[0].header["EXPTIME"] if "/S" in science.header["BUNIT"].upper() else 1.0)


def test_stars_stand_where_the_header_says_with_the_light_they_have(written):
    """About 91 % of it within half an arcsecond, on pixels whose area is not that of the reference scale."""
    visit, path = written
    with fits.open(path) as units:
        wcs, image = WCS(units["SCI", 1].header, units), electrons(units, 1).astype(float)
        scale = units["SCI", 1].header["IDCSCALE"]
    image -= np.median(image)
    x, y = wcs.all_world2pix(visit.ra, visit.dec, 0)
    ny, nx = image.shape
    radius, misses = 0.5 / scale, []
    for i in np.flatnonzero((x > 30) & (x < nx - 30) & (y > 30) & (y < ny - 30)):
        far = np.hypot(np.delete(x, i) - x[i], np.delete(y, i) - y[i]).min()
        if far < 5 * radius:
            continue
        yy, xx = np.mgrid[:ny, :nx]
        near = np.hypot(xx - x[i], yy - y[i]) < radius
        total = image[near].sum()
        corner = wcs.all_pix2world([x[i], x[i] + 1, x[i]], [y[i], y[i], y[i] + 1], 0)
        ra, dec = corner[0] * np.cos(np.deg2rad(corner[1][0])), corner[1]
        area = abs((ra[1] - ra[0]) * (dec[2] - dec[0]) - (ra[2] - ra[0]) * (dec[1] - dec[0])) * 3600.0**2
        share = total * area / scale**2 / (visit.rate[i] * visit.plan.exptime)
        assert 0.85 < share < 0.97
        moments = [(image[near] * axis[near]).sum() / total for axis in (xx, yy)]
        misses.append((moments[0] - x[i], moments[1] - y[i]))
    assert len(misses) >= 5
    # First moments in a circle of whole pixels scatter with the star's place in its pixel; their mean does not.
    assert np.abs(np.median(misses, axis=0)).max() < 0.05
    assert np.abs(misses).max() < 0.3


def test_the_noise_is_what_the_error_array_says():
    visit = camera_visit("wfc3-ir", stars=1, brightest=30.0, faintest=31.0, **QUIET)
    (chip,) = visit.exposures[0].chips
    assert chip.sci.std() == pytest.approx(float(np.sqrt((chip.err.astype(float) ** 2).mean())), rel=0.01)


def test_the_file_has_the_archives_form(written):
    visit, path = written
    with fits.open(path) as units:
        units.verify("exception")
        assert units[0].header["INSTRUME"].strip() == visit.plan.facts.instrument
        assert units[0].header["ROOTNAME"] == visit.exposures[0].root
        # AstroDrizzle refuses files that do not say how many of their pixels are good.
        assert units["SCI", 1].header["NGOODPIX"] == (units["DQ", 1].data == 0).sum()
        names = [unit.name for unit in units[1:]]
    kinds = ["SCI", "ERR", "DQ"] + (["SAMP", "TIME"] if visit.plan.facts.rate else [])
    assert names[: len(kinds)] == kinds


def test_two_chips_have_lookup_tables_and_a_gap():
    """What the exposures differ in is known: a star on one chip is on no other."""
    visit = camera_visit("wfc3-uvis", stars=3, exptime=1.0, **QUIET)
    assert {(table.name, table.version) for table in visit.headers.lookups} == {
        (name, version) for name in ("D2IMARR", "WCSDVARR") for version in (1, 2, 3, 4)
    }
    assert [chip.sci.shape for chip in visit.exposures[0].chips] == [(2051, 4096)] * 2
    edges = [visit.headers.wcs(version).all_pix2world([2048.0], [row], 1) for version, row in ((1, 2051.0), (2, 1.0))]
    gap = 3600.0 * np.hypot((edges[0][0] - edges[1][0]) * np.cos(np.deg2rad(edges[0][1])), edges[0][1] - edges[1][1])
    assert 1.0 < float(gap[0]) < 2.0


def test_plans_that_mean_nothing_are_refused():
    with pytest.raises(SettingsError, match="wfc3-ir"):
        camera_visit("foc")
    with pytest.raises(SettingsError, match="F110W"):
        camera_visit("wfc3-ir", filter="F140W")
    with pytest.raises(SettingsError, match="no stairs"):
        camera_visit("wfc3-ir", stairs=5)
