"""The user's weight files, limits of single images, keywords of the product, and the table of WCSs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import mizzle
from mizzle import InputError, SettingsError
from mizzle.drizzlepac.ablot import do_blot
from mizzle.drizzlepac.astrodrizzle import AstroDrizzle
from mizzle.drizzlepac.drizzle_parameters import TASK
from mizzle.drizzlepac.drizzle_settings import settings_of
from mizzle.drizzlepac.tweakreg import TweakReg
from mizzle.stwcs.updatewcs import updatewcs
from mizzle.translation.parameters import TranslationWarning

PLAIN = {
    "final_wcs": True, "final_scale": 0.4, "driz_separate": False, "skysub": False, "driz_cr": False,
    "final_bits": "8,1024", "runfile": "",
}  # fmt: skip
ONE, TWO = "ua060502m_c0m.fits", "ua060504m_c0m.fits"


def write_map(name: str, value: float, chips=(1, 2, 3, 4)) -> np.ndarray:
    """Write inverse variances, 0 in a corner of each chip."""
    image = np.full((800, 800), value, np.float32)
    image[:200, :200] = 0.0
    units = [fits.ImageHDU(image, name="IVM", ver=number) for number in chips]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(name)
    return image


def test_weight_files_of_a_list_weigh_the_pixels(here):
    """Twice the inverse variance is twice the weight; 0 leaves a pixel out; a mean follows its weights."""
    write_map("low.fits", 0.01)
    write_map("high.fits", 0.02)
    for name, weight in (("a", "low.fits"), ("b", "high.fits")):
        (here / f"{name}.txt").write_text(f"{ONE} {weight}\n")
        AstroDrizzle(f"@{name}.txt", output=name, final_wht_type="IVM", **PLAIN)
    low, high = (fits.getdata(f"{name}_drw_wht.fits") for name in "ab")
    assert (low > 0).any()
    np.testing.assert_allclose(high, 2 * low, rtol=1e-5)
    AstroDrizzle(ONE, output="c", final_wht_type="IVM", **PLAIN)
    assert np.count_nonzero(low == 0) > np.count_nonzero(fits.getdata("c_drw_wht.fits") == 0)

    # Two exposures, weights 1 : 2, against each by itself on the same grid.
    (here / "both.txt").write_text(f"{ONE} low.fits\n{TWO} high.fits\n")
    (here / "second.txt").write_text(f"{TWO} high.fits\n")
    AstroDrizzle("@both.txt", output="both", final_wht_type="IVM", **PLAIN)
    more = {**PLAIN, "final_refimage": "both_drw_sci.fits", "final_wht_type": "IVM"}
    AstroDrizzle("@a.txt", output="first", **more)
    AstroDrizzle("@second.txt", output="second", **more)
    both, first, second = (fits.getdata(f"{name}_drw_sci.fits") for name in ("both", "first", "second"))
    wide, one, two = (fits.getdata(f"{name}_drw_wht.fits") for name in ("both", "first", "second"))
    np.testing.assert_allclose(wide, one + two, rtol=1e-5)
    seen = (one > 0) & (two > 0)
    mean = (first * one + second * two)[seen] / wide[seen]
    np.testing.assert_allclose(both[seen], mean, rtol=1e-4, atol=1e-4)


def test_weight_files_with_other_weights_are_said_to_be_idle(here):
    write_map("low.fits", 0.01)
    (here / "a.txt").write_text(f"{ONE} low.fits\n")
    with pytest.warns(TranslationWarning, match="final_wht_type='IVM' only"):
        AstroDrizzle("@a.txt", output="a", **PLAIN)
    AstroDrizzle(ONE, output="b", **PLAIN)
    np.testing.assert_array_equal(fits.getdata("a_drw_sci.fits"), fits.getdata("b_drw_sci.fits"))


def test_weight_maps_are_a_setting_of_mizzle_too(here):
    write_map("low.fits", 0.01)
    settings = mizzle.load_settings(
        assignments=[
            "combine.weight='IVM'", f"combine.weights=['{ONE}=low.fits']", "combine.scale=0.4", "reject.method='none'",
            "sky.method='none'", "equalize.enabled=false", "dq.good=[8,1024]",
        ]
    )  # fmt: skip
    mosaic = mizzle.run([ONE], settings=settings, workers=1).mosaics["F814W"]
    assert mosaic.weight_type == "IVM"


@pytest.mark.parametrize(
    ("weights", "kind", "error", "words"),
    [
        (f"{ONE}=low.fits", "EXP", SettingsError, "inverse variances"),
        ("x=low.fits", "IVM", SettingsError, "not among"),
        (f"{ONE}=small.fits", "IVM", InputError, "small.fits"),
    ],
)
def test_weight_maps_that_cannot_be_used_are_refused(here, weights, kind, error, words):
    write_map("low.fits", 0.01)
    fits.writeto("small.fits", np.ones((20, 20), np.float32))
    settings = mizzle.load_settings(assignments=[f"combine.weight='{kind}'", f"combine.weights=['{weights}']"])
    with pytest.raises(error, match=words):
        mizzle.run([ONE], settings=settings, workers=1)


def test_pixels_beyond_the_limits_stay_out_of_the_median(here):
    """A patch far below the sky draws the mean down, and makes rays of the other exposures' sky; a limit mends it."""
    updatewcs("ua*c0m.fits", use_db=False)
    with fits.open(ONE, mode="update") as hdus:
        hdus[3].data[300:420, 300:420] -= 20000.0
    call = {
        "final_wcs": True, "final_scale": 0.4, "driz_sep_wcs": True, "driz_sep_scale": 0.2, "combine_type": "mean",
        "skysub": False, "final_bits": "8,1024", "runfile": "", "driz_separate": False,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        free = AstroDrizzle("ua*c0m.fits", output="free", resetbits=4096, **call)
        limited = AstroDrizzle("ua*c0m.fits", output="limited", combine_hthresh=10000, combine_lthresh=-100, **call)
    patch = np.s_[320:400, 320:400]
    share = [float(r.cosmic_rays.mask("ua060504m", "WF3", (800, 800))[patch].mean()) for r in (free, limited)]
    assert share[0] > 0.4
    assert share[1] < 0.1


def test_the_product_has_the_keywords_that_callers_read(here):
    updatewcs(ONE, use_db=False)
    AstroDrizzle(ONE, output="k", final_fillval=-1, **PLAIN)
    source, header = fits.getheader(ONE), fits.getheader("k_drw_sci.fits")
    for key in ("ATODGAIN", "PA_V3", "PROPOSID", "MODE", "IDCTAB", "OFFTAB", "FLATFILE", "SIPNAME"):
        assert header[key] == source[key], key
    assert (header["DETECTOR"], header["FILENAME"], header["FILETYPE"]) == ("MULTIPLE", "k_drw_sci.fits", "SCI")
    assert fits.getheader("k_drw_wht.fits")["FILENAME"] == "k_drw_wht.fits"
    assert header["D003DATA"] == f"{ONE}[sci,3]"
    assert (header["D001OUUN"], header["D001FVAL"], header["D004OUWE"]) == ("cps", -1, "k_drw_wht.fits")
    assert header["D001ISCL"] == pytest.approx(0.045549, abs=1e-6)
    assert header["D001VER"].startswith("mizzle")
    AstroDrizzle(ONE, output="built", build=True, group="2", **PLAIN)
    with fits.open("built_drw.fits") as hdus:
        assert (hdus[0].header["DETECTOR"], hdus[0].header["D001OUDA"]) == (2, "built_drw.fits[SCI,1]")
        assert len(set(hdus[0].header)) == len([key for key in hdus[0].header if key])  # each keyword once


def test_the_table_of_inputs_has_every_keyword_of_each_chip(here):
    updatewcs(ONE, use_db=False)
    for name, build in (("table_drw_sci.fits", False), ("table_drw.fits", True)):
        AstroDrizzle(ONE, output="table", build=build, **PLAIN)
        table = fits.getdata(name, "HDRTAB")
        primary = fits.getheader(ONE)
        for row, number in zip(table, range(1, 5), strict=True):
            header = fits.getheader(ONE, number)
            for key in ("CRVAL1", "CD1_2", "A_3_0", "PHOTZPT", "IDCTHETA", "DATAMAX", "EXTVER"):
                assert row[key] == pytest.approx(header[key], rel=1e-12), key
            for key in ("FILTNAM1", "FLATFILE", "PROPOSID", "PA_V3", "MTFLAG", "SUNANGLE"):
                assert row[key] == primary[key], key
        assert not [key for key in table.names if key in ("BITPIX", "NAXIS", "CRVAL1O", "HISTORY")]
        assert len(table.names) > 200


def test_counts_are_counts_in_one_file_and_in_many(here):
    """Counts are rates times the exposure time, GAIN is then electrons per count, and the fill stays as given."""
    for name, units in (("rate", "cps"), ("counts", "counts")):
        for build in (False, True):
            more = {**PLAIN, "final_units": units, "build": build, "final_fillval": -7}
            AstroDrizzle(ONE, output=f"{name}{int(build)}", **more)
    rate, counts = (fits.getdata(f"{name}0_drw_sci.fits") for name in ("rate", "counts"))
    seen = fits.getdata("rate0_drw_wht.fits") > 0
    np.testing.assert_allclose(counts[seen], 500.0 * rate[seen], rtol=1e-6)
    assert set(np.unique(counts[~seen])) == {-7.0}
    header = fits.getheader("counts0_drw_sci.fits")
    assert (header["BUNIT"], fits.getheader("rate0_drw_sci.fits")["BUNIT"]) == ("COUNTS", "COUNTS/S")
    assert header["GAIN"] == pytest.approx(6.9, rel=0.01)
    with fits.open("counts1_drw.fits") as hdus:
        assert (hdus["SCI"].header["BUNIT"], hdus[0].header["D001OUUN"]) == ("COUNTS", "counts")
        np.testing.assert_array_equal(hdus["SCI"].data, counts)


def test_interpolations_that_are_not_offered_are_said():
    assert settings_of(TASK.values({"blot_interp": "lan3"})).reject.interpolation == "lanczos3"
    with pytest.warns(TranslationWarning, match="'sinc' is not offered"):
        assert settings_of(TASK.values({"blot_interp": "sinc"})).reject.interpolation == "poly5"


def test_limits_of_the_sky_are_taken_and_none_is_none():
    sky = settings_of(TASK.values({"skylower": 0.0, "skyupper": None})).sky
    assert (sky.lower, sky.upper) == (0.0, None)
    assert settings_of(TASK.values({"skysub": False, "skylower": 0.0})).sky.method == "none"


def test_an_image_is_blotted_by_ten_points(here):
    """A flat image stays flat under every interpolation that is offered."""
    target = WCS(naxis=2)
    target.wcs.ctype, target.wcs.crval, target.wcs.crpix = ["RA---TAN", "DEC--TAN"], [10.0, 20.0], [15.3, 14.6]
    target.wcs.cdelt = [-1e-5, 1e-5]
    target.pixel_shape = (30, 28)
    source = target.deepcopy()
    source.wcs.crpix = [30.0, 30.0]
    for interp in ("nearest", "linear", "poly3", "poly5", "lan3", "lan5"):
        image = do_blot(np.full((60, 60), 3.0), source, target, 2.0, interp=interp)
        np.testing.assert_allclose(image, 6.0, rtol=1e-5)
    with pytest.raises(SettingsError, match="lan5"):
        do_blot(np.ones((60, 60)), source, target, 2.0, interp="sinc")


def test_wcscorr_has_each_wcs_of_each_chip_once(here):
    updatewcs("ua*c0m.fits", use_db=False)
    TweakReg("ua*c0m.fits", updatehdr=True, wcsname="TWEAK", reusename=True)
    once = fits.getdata(TWO, "WCSCORR")
    assert [str(name) for name in once["WCS_ID"]].count("TWEAK") == 4
    assert len(once) == 12
    header = fits.getheader(TWO, 3)
    rows = {(str(row["WCS_ID"]), int(row["EXTVER"])): row for row in once}
    assert rows["TWEAK", 3]["CRVAL1"] == header["CRVAL1"]
    assert rows["TWEAK", 3]["NMatch"] == header["NMATCH"]
    assert rows["OPUS", 3]["CRVAL1"] == header["CRVAL1O"]
    assert rows["IDC_sad1946fu", 3]["CD1_1"] == pytest.approx(header["CD1_1A"], rel=1e-12)
    TweakReg("ua*c0m.fits", updatehdr=True, wcsname="TWEAK", reusename=True)
    assert len(fits.getdata(TWO, "WCSCORR")) == 12
