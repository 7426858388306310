"""Files a user brings to the alignment: every format read, every fault named."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import InputError, MizzleError
from mizzle.io.catalogs import (
    catalog_from_columns,
    read_align_references,
    read_reference_image,
    read_shifts,
    read_sky_catalog,
    read_sources,
)
from mizzle.io.regions import parse_regions, read_regions
from mizzle.settings import build_settings


def table(n=5):
    rng = np.random.default_rng(0)
    t = Table()
    t["ra"], t["dec"] = rng.uniform(200, 201, n), rng.uniform(-47, -46, n)
    t["pmra"], t["pmdec"] = rng.normal(0, 5, n), rng.normal(0, 5, n)
    t["ref_epoch"] = np.full(n, 2016.0)
    t["phot_g_mean_mag"] = rng.uniform(15, 20, n)
    return t


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("c.ecsv", "ascii.ecsv"),
        ("c.csv", "ascii.csv"),
        ("c.fits", "fits"),
        ("c.vot", "votable"),
        ("c.txt", "ascii.basic"),
    ],
)
def test_every_format(tmp_path, name, kind):
    t = table()
    t.write(tmp_path / name, format=kind)
    c = read_sky_catalog(tmp_path / name)
    assert (c.name, len(c), c.epoch) == (name, 5, 2016.0)
    np.testing.assert_allclose(c.ra, t["ra"])
    np.testing.assert_allclose(c.pm_dec, t["pmdec"])
    np.testing.assert_allclose(c.mag, t["phot_g_mean_mag"])


def test_units_are_converted_and_masked_rows_dropped(tmp_path):
    t = table()
    t["ra"] = t["ra"] * 60
    t["ra"].unit = "arcmin"
    t["pmra"] = t["pmra"] / 1000
    t["pmra"].unit = "arcsec / yr"
    t = Table(t, masked=True)
    t["dec"].mask[2] = True
    t["pmdec"].mask[0] = True
    t.write(tmp_path / "c.ecsv", format="ascii.ecsv")
    c = read_sky_catalog(tmp_path / "c.ecsv")
    assert len(c) == 4
    np.testing.assert_allclose(c.ra, table()["ra"][[0, 1, 3, 4]])
    np.testing.assert_allclose(c.pm_ra, table()["pmra"][[0, 1, 3, 4]])
    assert c.pm_dec[0] == 0


def test_rows_of_different_epochs_are_brought_to_one(tmp_path):
    t = table(3)
    t["ref_epoch"] = [2010.0, 2016.0, 2020.0]
    t.write(tmp_path / "c.ecsv", format="ascii.ecsv")
    c = read_sky_catalog(tmp_path / "c.ecsv")
    assert c.epoch == 2016.0
    np.testing.assert_allclose(c.dec - t["dec"], t["pmdec"] * [6, 0, -4] / 3.6e6, atol=1e-12)


def test_names_of_other_catalogs(tmp_path):
    t = Table({"RAJ2000": [10.0], "DEJ2000": [-5.0], "pmRA": [1.0], "pmDE": [2.0]})
    t.write(tmp_path / "v.fits")
    c = read_sky_catalog(tmp_path / "v.fits")
    assert (c.ra[0], c.pm_dec[0], c.epoch) == (10.0, 2.0, 2000.0)


def broken(tmp_path):
    t = table()
    bad = {}
    bad["missing"] = tmp_path / "nothing.ecsv"
    (tmp_path / "empty.csv").write_text("")
    bad["empty"] = tmp_path / "empty.csv"
    (tmp_path / "noise.fits").write_bytes(b"SIMPLE  =                    T" + bytes(range(256)) * 20)
    bad["noise"] = tmp_path / "noise.fits"
    (tmp_path / "cut.vot").write_text("<?xml version='1.0'?><VOTABLE><RESOURCE>")
    bad["cut"] = tmp_path / "cut.vot"
    (tmp_path / "words.csv").write_text("ra,dec\nhere,there\n")
    bad["words"] = tmp_path / "words.csv"
    (tmp_path / "nodec.csv").write_text("ra,b\n1,2\n")
    bad["nodec"] = tmp_path / "nodec.csv"
    (tmp_path / "nan.csv").write_text("ra,dec\nnan,2\n1,95\n")
    bad["nan"] = tmp_path / "nan.csv"
    del t["ref_epoch"]
    t.write(tmp_path / "noepoch.ecsv", format="ascii.ecsv")
    bad["noepoch"] = tmp_path / "noepoch.ecsv"
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 3)
    bad["binary"] = tmp_path / "binary.csv"
    u = table()
    u["ra"].unit = "m"
    u.write(tmp_path / "meters.ecsv", format="ascii.ecsv")
    bad["meters"] = tmp_path / "meters.ecsv"
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    bad["image"] = tmp_path / "image.fits"
    bad["folder"] = tmp_path
    return bad


def test_every_broken_catalog_is_named(tmp_path):
    for kind, path in broken(tmp_path).items():
        with pytest.raises(InputError) as caught:
            read_sky_catalog(path)
        assert str(path) in str(caught.value), kind
        assert caught.value.exit_code == 3


def test_shifts(tmp_path):
    path = tmp_path / "s.txt"
    path.write_text("root east north roll scale\nu1234501m 0.1 -0.2 0.01 1.0001\nua060502m_c0m.fits 1 2 0 1\n")
    known = read_shifts(path)
    assert set(known) == {"u1234501m", "ua060502m"}
    assert known["u1234501m"].north == -0.2
    assert known["u1234501m"].scale == 1.0001
    path.write_text("root,east,north\na,0.1,0.2\n")
    assert read_shifts(path)["a"].roll == 0


@pytest.mark.parametrize(
    "text",
    [
        "root,east\na,1\n",
        "root,east,north\na,1,x\n",
        "root,east,north\na,1,2\na,1,2\n",
        "root,east,north,scale\na,1,2,9\n",
        "root,east,north\na,nan,2\n",
    ],
)
def test_broken_shifts(tmp_path, text):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=r"s\.csv"):
        read_shifts(tmp_path / "s.csv")


def test_sources(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("root,chip,x,y,flux\nu1_c0m.fits,PC1,1,2,10\nu1,3,100.5,200,5\nu1,WF3,7,8,50\n")
    found = read_sources(path)
    np.testing.assert_array_equal(found["u1"]["PC"], [[0, 1, 10]])
    np.testing.assert_array_equal(found["u1"]["WF3"], [[6, 7, 50], [99.5, 199, 5]])
    path.write_text("root,chip,x,y\nu1,WF9,1,2\n")
    with pytest.raises(InputError, match="WF9"):
        read_sources(path)


def test_reference_image(tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [10.0, 20.0], [50.5, 60.5]
    wcs.wcs.cdelt = [-0.1 / 3600, 0.1 / 3600]
    header = wcs.to_header()
    header["EXPSTART"] = 51544.5
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((120, 100), np.float32), header)]).writeto(
        tmp_path / "i.fits"
    )
    image = read_reference_image(tmp_path / "i.fits")
    assert image.sci.shape == (120, 100)
    ra, dec = image.pixel_to_sky(np.array([49.5]), np.array([59.5]))
    np.testing.assert_allclose([ra[0], dec[0]], [10, 20])
    for name in ("nothing.fits",):
        with pytest.raises(InputError, match=name):
            read_reference_image(tmp_path / name)
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "flat.fits")
    with pytest.raises(InputError, match="celestial"):
        read_reference_image(tmp_path / "flat.fits")
    (tmp_path / "text.fits").write_text("hello")
    with pytest.raises(InputError, match="text"):
        read_reference_image(tmp_path / "text.fits")


def test_all_at_once(tmp_path):
    table().write(tmp_path / "c.ecsv", format="ascii.ecsv")
    (tmp_path / "r.reg").write_text("image;circle(10,10,5)\n")
    values = {"catalog": str(tmp_path / "c.ecsv"), "regions": "-" + str(tmp_path / "r.reg")}
    found = read_align_references(build_settings({"align": values}).align)
    assert len(found.catalog) == 5
    assert [r.include for r in found.regions] == [False]
    assert read_align_references(build_settings({}).align).catalog is None
    assert read_align_references(build_settings({"align": {"catalog": "gaia"}}).align).catalog is None


def test_archive_columns():
    stars = {
        "ra": np.ones(2),
        "dec": np.ones(2),
        "pmra": np.array([1, np.nan]),
        "pmdec": np.ones(2),
        "ra_error": np.full(2, 3.0),
        "dec_error": np.full(2, 4.0),
    }
    c = catalog_from_columns("Gaia", stars, 1997.5)
    assert c.pm_ra[1] == 0
    np.testing.assert_allclose(c.error, np.sqrt(12.5))


DS9 = """# Region file format: DS9 version 4.1
global color=green dashlist=8 3 width=1
fk5
circle(13:26:45.5,-47:28:37,10.5") # text={u40x010hm WF3}
-box(201.69,-47.48,20",0.5',30) # color=red
ellipse(201.7,-47.4,0.001,0.002,10)
image
polygon(1,1,11,1,11,11,1,11) # tag={PC}
circle 100 200 5; -circle(5,5,2)
"""


def test_ds9_file(tmp_path):
    (tmp_path / "a.reg").write_text(DS9)
    r = read_regions(tmp_path / "a.reg")
    assert [x.include for x in r] == [True, False, True, True, True, False]
    assert [x.frame for x in r] == ["sky"] * 3 + ["image"] * 3
    assert (r[0].root, r[0].chip, r[0].radius) == ("u40x010hm", "WF3", 10.5)
    assert r[0].x[0] == pytest.approx(15 * (13 + 26 / 60 + 45.5 / 3600))
    assert r[0].y[0] == pytest.approx(-(47 + 28 / 60 + 37 / 3600))
    assert len(r[1].x) == 4
    assert len(r[2].x) == 64
    assert r[3].chip == "PC"
    assert r[3].x == (0, 10, 10, 0)
    assert (r[4].x, r[4].y, r[4].radius) == ((99.0,), (199.0,), 5.0)


@pytest.mark.parametrize(
    "text",
    [
        "image;circle(1,2)",
        "image;circle(1,2,-3)",
        "image;circle(1,2,nan)",
        "galactic;circle(1,2,3)",
        "image;blob(1,2,3)",
        "fk5;circle(10,95,3)",
        "image;polygon(1,2,3,4)",
        "image;circle(1,2,3",
        "fk5;circle(a,b,c)",
        'image;circle(1,2,3")',
    ],
)
def test_broken_regions(text):
    if text.endswith("3"):
        text = text + "("
    with pytest.raises(InputError, match="line 1"):
        parse_regions(text)


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_region_parser(text):
    with contextlib.suppress(MizzleError):
        parse_regions(text)


def test_unreadable_region_file(tmp_path):
    with pytest.raises(InputError, match=r"no\.reg"):
        read_regions(tmp_path / "no.reg")
