"""Single calls: parameters, files in place, failures that are loud."""

from __future__ import annotations

import io
import stat
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mizzle import DataError, InputError, SettingsError
from mizzle.drizzlepac import ablot, pixtopix, pixtosky, resetbits, skytopix, tweakback, util
from mizzle.drizzlepac.astrodrizzle import AstroDrizzle
from mizzle.drizzlepac.photeq import photeq
from mizzle.drizzlepac.tweakreg import TweakReg
from mizzle.drizzlepac.wfpc2Data import WFPC2_GAINS, apply_bestrefs, wfpc2_to_flt
from mizzle.skypac.skymatch import skymatch
from mizzle.stwcs.updatewcs import updatewcs
from mizzle.stwcs.wcsutil import HSTWCS
from mizzle.translation.config import parse_config
from mizzle.translation.inputs import list_files
from mizzle.translation.parameters import TranslationWarning
from tiny_files import waiver

FAST = {
    "final_wcs": True, "final_scale": 0.4, "driz_separate": False, "skysub": False, "driz_cr": False,
    "final_bits": "8,1024", "runfile": "",
}  # fmt: skip
COARSE = {"final_wcs": True, "final_scale": 0.4, "driz_sep_wcs": True, "driz_sep_scale": 0.4}


def test_an_unknown_parameter_names_the_nearest(here):
    with pytest.raises(SettingsError, match="did you mean 'final_pixfrac'"):
        AstroDrizzle("ua*c0m.fits", final_pixfrc=0.8)
    with pytest.raises(SettingsError, match="did you mean 'searchrad'"):
        TweakReg("ua*c0m.fits", serchrad=1.0)
    assert not (here / "OrIg_files").exists()


def test_a_parameter_without_meaning_warns_once_and_says_why(here):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        AstroDrizzle("ua060502m_c0m.fits", output="a", stepsize=1, in_memory=True, overwrite=True, **FAST)
    (only,) = [w for w in seen if issubclass(w.category, TranslationWarning)]
    assert "stepsize, in_memory: the mapping is exact" in str(only.message)
    assert "overwrite" in str(only.message)


@pytest.mark.parametrize("call", [AstroDrizzle, TweakReg])
def test_nothing_is_interactive_and_it_says_so(call):
    with pytest.raises(SettingsError, match="interactive"):
        call("ua*c0m.fits", editpars=True)


def test_updatewcs_keeps_the_first_pointing_and_can_be_called_again(here):
    before = fits.getheader("ua060502m_c0m.fits", 3)
    updatewcs("ua060502m_c0m.fits", use_db=False)
    once = (here / "ua060502m_c0m.fits").read_bytes()
    header = fits.getheader("ua060502m_c0m.fits", 3)
    assert header["CTYPE1"] == "RA---TAN-SIP"
    assert header["WCSNAMEO"] == "OPUS"
    assert header["CRVAL1O"] == before["CRVAL1"]
    assert header["IDCSCALE"] == pytest.approx(0.099606)
    updatewcs("ua060502m_c0m.fits", use_db=False)
    assert (here / "ua060502m_c0m.fits").read_bytes() == once


@pytest.mark.parametrize(
    "call",
    [
        lambda files: updatewcs(files, use_db=False),
        lambda files: photeq(files, ref_phot_ext=3, readonly=False),
        lambda files: TweakReg(files, updatehdr=True),
    ],
)
def test_a_waivered_file_is_not_changed_and_nothing_beside_it_is(call, here):
    waiver(here / "ua060504m_c0m.fits", here)
    before = {path.name: path.read_bytes() for path in here.glob("*.fits")}
    with pytest.raises(InputError, match=r"ua060504m_c0f\.fits: .*waivered"):
        call("ua060502m_c0m.fits,ua060504m_c0f.fits")
    assert {path.name: path.read_bytes() for path in here.glob("*.fits")} == before


def test_the_same_call_again_changes_no_file(here):
    calls = {
        "updatewcs": lambda: updatewcs("ua*c0m.fits", use_db=False),
        "TweakReg": lambda: TweakReg("ua*c0m.fits", updatehdr=True, reusename=True, see2dplot=False, residplot="no"),
        "photeq": lambda: photeq("ua*c0m.fits", ref_phot_ext=3, readonly=False),
        "AstroDrizzle": lambda: AstroDrizzle("ua*c0m.fits", driz_cr_corr=True, median=True, **COARSE),
    }
    for name, call in calls.items():
        call()
        once = {path.name: path.read_bytes() for path in here.glob("*.fits")}
        call()
        assert {path.name for path in here.glob("*.fits") if path.read_bytes() != once.get(path.name)} == set(), name
    before = (here / "ua060504m_c0m.fits").read_bytes()
    with fits.open("ua060504m_c0m.fits", mode="update") as hdus:
        for hdu in hdus[1:5]:
            hdu.header["CRVAL2"] += 1e-5  # a fit that has something to do
    TweakReg("ua*c0m.fits", updatehdr=True, reusename=True, see2dplot=False, residplot="no")
    with fits.open("ua060504m_c0m.fits") as hdus, fits.open(io.BytesIO(before)) as old:
        assert hdus[3].header["CRVAL2"] == pytest.approx(old[3].header["CRVAL2"], abs=1e-7)


def test_who_may_read_a_file_stays(here):
    path = here / "ua060502m_c0m.fits"
    path.chmod(0o640)
    updatewcs(path.name, use_db=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_hstwcs_is_an_astropy_wcs_that_knows_the_table(here):
    before = HSTWCS("ua060502m_c0m.fits", ext=1)
    updatewcs("ua060502m_c0m.fits", use_db=False)
    with fits.open("ua060502m_c0m.fits") as hdus:
        chips = [HSTWCS(hdus, ext=i) for i in range(1, 5)]
        plain = WCS(hdus[1].header, fobj=hdus)
    assert isinstance(chips[0], WCS)
    assert before.idcscale == chips[0].idcscale == pytest.approx(0.045549)
    assert [w.chip for w in chips] == [1, 2, 3, 4]
    assert chips[0].pscale == pytest.approx(0.04554, abs=2e-5)
    np.testing.assert_array_equal(chips[0].all_pix2world([[1.0, 2.0]], 1), plain.all_pix2world([[1.0, 2.0]], 1))


def test_positions_go_there_and_back(here):
    updatewcs("ua0605*c0m.fits", use_db=False)
    ra, dec = pixtosky.xy2rd("ua060502m_c0m.fits[sci,3]", 400.0, 300.0, hms=False)
    x, y = skytopix.rd2xy("ua060502m_c0m.fits[sci,3]", ra, dec)
    assert (x, y) == pytest.approx((400.0, 300.0), abs=1e-4)
    text = pixtosky.xy2rd("ua060502m_c0m.fits[sci,3]", 400.0, 300.0)
    assert skytopix.rd2xy("ua060502m_c0m.fits[sci,3]", *text) == pytest.approx((400.0, 300.0), abs=1e-3)
    there = pixtopix.tran("ua060502m_c0m.fits[3]", "ua060504m_c0m.fits[3]", x=[400.0], y=[300.0])
    back = pixtopix.tran("ua060502m_c0m.fits[3]", "ua060504m_c0m.fits[3]", "backward", *there)
    assert (back[0][0], back[1][0]) == pytest.approx((400.0, 300.0), abs=1e-3)


def test_photeq_once_is_enough_and_keeps_counts(here):
    before = fits.getdata("ua060502m_c0m.fits", 1)
    old = [fits.getheader("ua060502m_c0m.fits", i)["PHOTFLAM"] for i in range(1, 5)]
    scales = photeq("ua*c0m.fits", ref_phot_ext=3, readonly=False)
    assert scales.factors["ua060502m"]["PC"] == old[0] / old[2]
    after = (here / "ua060502m_c0m.fits").read_bytes()
    np.testing.assert_allclose(fits.getdata("ua060502m_c0m.fits", 1), before * (old[0] / old[2]), rtol=1e-6)
    assert {fits.getheader("ua060502m_c0m.fits", i)["PHOTFLAM"] for i in range(1, 5)} == {old[2]}
    photeq("ua*c0m.fits", ref_phot_ext=3, readonly=False)
    assert (here / "ua060502m_c0m.fits").read_bytes() == after
    assert "- Data have been multiplied by" in (here / "photeq.log").read_text()


def test_photeq_is_read_only_by_default(here):
    before = {path.name: path.read_bytes() for path in here.glob("*.fits")}
    photeq("ua*c0m.fits", ref_phot=2.4e-18)
    assert {path.name: path.read_bytes() for path in here.glob("*.fits")} == before


def test_photeq_of_two_filters_says_what_to_do(here):
    fits.setval("ua060504m_c0m.fits", "FILTNAM1", value="F555W")
    before = {path.name: path.read_bytes() for path in here.glob("*.fits")}
    with pytest.raises(SettingsError, match=r"photeq: exposures of 2 filters \(F555W, F814W\).*for each"):
        photeq("ua*c0m.fits", ref_phot_ext=3, readonly=False)
    assert {path.name: path.read_bytes() for path in here.glob("*.fits")} == before


def test_an_exposure_of_another_field_is_nan_in_the_shifts_and_an_exception(here):
    updatewcs("ua*c0m.fits", use_db=False)
    with fits.open("ua060506m_c0m.fits", mode="update") as hdus:
        rng = np.random.default_rng(1)
        for hdu in hdus[1:5]:
            hdu.data = rng.normal(4.0, 1.0, hdu.data.shape).astype(np.float32)
    before = {path.name: path.read_bytes() for path in here.glob("*c0m.fits")}
    with pytest.raises(DataError, match="ua060506m"):
        TweakReg("ua*c0m.fits", updatehdr=True, shiftfile=True, outshifts="s.txt")
    lines = dict(line.split(None, 1) for line in (here / "s.txt").read_text().splitlines() if line[0] != "#")
    assert [name for name, rest in lines.items() if "nan" in rest] == ["ua060506m_c0m.fits"]
    assert {path.name: path.read_bytes() for path in here.glob("*c0m.fits")} == before


def test_tweakreg_writes_what_its_callers_open(here):
    updatewcs("ua*c0m.fits", use_db=False)
    alignment = TweakReg("ua*c0m.fits", updatehdr=True, shiftfile=True, headerlet=True, fitgeometry="shift")
    header = fits.getheader("ua060504m_c0m.fits", 2)
    assert header["WCSNAME"] == "TWEAK"
    assert header["NMATCH"] == alignment.exposures["ua060504m"].n_matched
    assert header["WCSNAMEA"].startswith("IDC_")
    for name in ("ua060504m_c0m_sci2_xy_catalog.coo", "ua060504m_c0m_catalog_fit.match", "ua060504m_hlet.fits"):
        assert (here / name).is_file()
    assert (here / "residuals_ua060504m_c0m.png").read_bytes()[:4] == b"\x89PNG"
    assert (here / "hist2d_ua060504m_c0m.png").read_bytes()[:4] == b"\x89PNG"
    match = np.loadtxt("ua060504m_c0m_catalog_fit.match", usecols=range(17))
    np.testing.assert_allclose(match[:, 6:8], match[:, 0:2] - match[:, 4:6], atol=2e-6)
    with pytest.raises(SettingsError, match="reusename"):
        TweakReg("ua*c0m.fits", updatehdr=True)


def test_matches_name_the_same_stars_in_all_files(here):
    """Numbers and pixels of a pair are those of the catalogs; its places on the frame differ by the pointing alone."""
    updatewcs("ua*c0m.fits", use_db=False)
    TweakReg("ua*c0m.fits")
    first, second = "ua060502m_c0m", "ua060504m_c0m"

    def catalog(stem):
        return np.concatenate([np.loadtxt(f"{stem}_sci{i}_xy_catalog.coo") for i in range(1, 5)])

    pairs = np.loadtxt(f"{second}_xy_catalog.match", usecols=range(10))
    assert len(pairs) > 100
    for stem, columns, number in ((first, (4, 5), 8), (second, (6, 7), 9)):
        known = {int(row[3]): row[:2] for row in catalog(stem)}
        found = np.array([known[int(n)] for n in pairs[:, number]])
        np.testing.assert_allclose(pairs[:, columns], found, atol=1e-4)
        assert len(set(pairs[:, number])) == len(pairs)
    apart = pairs[:, 0:2] - pairs[:, 2:4]
    assert np.abs(apart - np.median(apart, axis=0)).max() < 1.5
    fit = np.loadtxt(f"{second}_catalog_fit.match", usecols=range(17))
    seen = fit[:, 12] >= 0
    assert seen.sum() == len(pairs)
    np.testing.assert_allclose(fit[seen][:, 8:12], pairs[:, 4:8], atol=1e-6)
    assert not (here / f"{first}_xy_catalog.match").exists()


def test_plots_can_be_left_out(here):
    updatewcs("ua*c0m.fits", use_db=False)
    TweakReg("ua*c0m.fits", see2dplot=False, residplot="NO plot")
    assert not list(here.glob("*.png"))


def test_an_aligned_set_stays_where_it_is(here):
    updatewcs("ua*c0m.fits", use_db=False)
    TweakReg("ua*c0m.fits", updatehdr=True)
    again = TweakReg("ua*c0m.fits", updatehdr=False)
    for entry in again.exposures.values():
        assert np.abs(entry.shift).max() < 1e-4


def test_product_files_masks_and_the_bit(here):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        updatewcs("ua*c0m.fits", use_db=False)
        result = AstroDrizzle(
            "ua060502m_c0m.fits, ua060504m_c0m.fits", output="m2", final_bits="8,1024", driz_cr_corr=True,
            driz_sep_wcs=True, driz_sep_scale=0.1, final_units="counts", median=True, blot=True,
        )  # fmt: skip
    root = "ua060502m"
    rays = result.cosmic_rays.mask(root, "WF3", (800, 800))
    assert rays.any()
    with fits.open(f"{root}_c1m.fits") as quality:
        np.testing.assert_array_equal((quality[3].data & 4096) > 0, rays)
    np.testing.assert_array_equal(fits.getdata(f"{root}_c0m_sci3_crmask.fits") == 0, rays)
    clean, dirty = (fits.getdata(f"{root}_c0m{end}.fits", 3) for end in ("_crclean", ""))
    np.testing.assert_array_equal(clean[~rays], dirty[~rays])
    assert np.median(clean[rays]) < np.median(dirty[rays])
    mosaic = next(iter(result.mosaics.values()))
    header = fits.getheader("m2_drw_sci.fits")
    assert header["BUNIT"] == "COUNTS"
    np.testing.assert_allclose(fits.getdata("m2_drw_sci.fits"), mosaic.sci * mosaic.exptime, rtol=1e-6)
    for name in ("m2_drw_wht.fits", "m2_drw_ctx.fits", "m2_drw_med.fits", f"{root}_c0m_single_sci.fits"):
        assert (here / name).is_file()
    blotted = fits.getdata(f"{root}_c0m_sci3_blt.fits")
    good = (fits.getdata(f"{root}_c1m.fits", 3) == 0) & (blotted != 0)
    assert np.median((dirty - blotted)[good]) == pytest.approx(0.0, abs=0.3)

    # A second call finds 4096 in the c1m, and is not led astray by it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        again = AstroDrizzle(
            ["ua060502m_c0m.fits", "ua060504m_c0m.fits"], output="m3", final_bits="8,1024", driz_sep_wcs=True,
            driz_sep_scale=0.1,
        )  # fmt: skip
    np.testing.assert_array_equal(again.cosmic_rays.mask(root, "WF3", (800, 800)), rays)
    assert resetbits.reset_dq_bits(f"{root}_c0m.fits", 4096) == [f"{root}_c1m.fits"]
    assert not (fits.getdata(f"{root}_c1m.fits", 3) & 4096).any()


def test_one_product_on_the_grid_of_another_and_one_file(here):
    AstroDrizzle("ua060502m_c0m.fits", output="one.fits", **FAST)
    more = {key: value for key, value in FAST.items() if key != "final_scale"}
    AstroDrizzle("ua060504m_c0m.fits", output="two", build=True, final_refimage="one_sci.fits", **more)
    first = fits.getheader("one_sci.fits")
    with fits.open("two_drw.fits") as hdus:
        assert [hdu.name for hdu in hdus[1:4]] == ["SCI", "ERR", "WHT"]
        for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "NAXIS1", "NAXIS2"):
            assert hdus["SCI"].header[key] == first[key]


def test_literal_reference_pixel_size_and_direction(here):
    AstroDrizzle(
        "ua060502m_c0m.fits", output="g", final_rot=12.0, final_ra=323.36, final_dec=-0.82, final_crpix1=100.25,
        final_crpix2=90.75, final_outnx=210, final_outny=200, **FAST,
    )  # fmt: skip
    header = fits.getheader("g_drw_sci.fits")
    assert (header["NAXIS1"], header["NAXIS2"]) == (210, 200)
    assert (header["CRPIX1"], header["CRPIX2"], header["CRVAL1"], header["CRVAL2"]) == (100.25, 90.75, 323.36, -0.82)
    assert header["ORIENTAT"] == pytest.approx(12.0)


def test_configuration_files_and_dictionaries(here):
    (here / "a.cfg").write_text(
        "_task_name_ = astrodrizzle\noutput = 'c'\nrunfile = ''\n[STEP 7: DRIZZLE]\nfinal_bits = '8,1024'\n"
        "final_pixfrac = 0.8 # drop\n[ _RULES_ ]\nx = y\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        AstroDrizzle("ua060502m_c0m.fits", configobj="a.cfg", **{k: v for k, v in FAST.items() if k != "runfile"})
        config = parse_config((here / "a.cfg").read_text()) | {"output": "d"}
        AstroDrizzle("ua060502m_c0m.fits", configobj=config, **FAST)
    assert fits.getheader("c_drw_sci.fits")["D001PIXF"] == 0.8
    np.testing.assert_array_equal(fits.getdata("c_drw_sci.fits"), fits.getdata("d_drw_sci.fits"))


def test_lists_of_files(here):
    (here / "list").write_text("ua060504m_c0m.fits w1.fits # weights\nua060502m_c0m.fits\n")
    listed = list_files("@list", "test")
    assert [path.name for path in listed.paths] == ["ua060504m_c0m.fits", "ua060502m_c0m.fits"]
    assert [path.name for path in listed.weights.values()] == ["w1.fits"]
    assert len(list_files("ua*c?m.fits", "test").paths) == 3
    with pytest.raises(SettingsError, match="no file matches"):
        list_files("nothing*.fits", "test")


def test_one_chip_and_flt(here):
    name = wfpc2_to_flt("ua060502m_c0m.fits")
    with fits.open(name) as hdus:
        assert [hdu.name for hdu in hdus[1:]].count("DQ") == 4
        chip = fits.HDUList([hdus[0], *[hdu for hdu in hdus[1:] if hdu.header.get("DETECTOR") == 3]])
        chip[0].header["NEXTEND"] = 3
        chip.writeto("wf3_flt.fits")
    result = AstroDrizzle("wf3_flt.fits", output="wf3", **FAST)
    other = AstroDrizzle("ua060502m_flt.fits", output="all", group="3", **FAST)
    assert [item.chip for item in result.mosaics["F814W"].inputs] == ["WF3"]
    np.testing.assert_array_equal(result.mosaics["F814W"].sci, other.mosaics["F814W"].sci)


def test_a_drizzled_image_is_read_by_its_name(here):
    """Its image is in PRIMARY, a table after it: places go through the image's WCS, never through none."""
    updatewcs("ua060502m_c0m.fits", use_db=False)
    AstroDrizzle("ua060502m_c0m.fits", output="p", **FAST)
    wcs = HSTWCS("p_drw_sci.fits")
    assert (wcs.chip, wcs.pscale) == (None, pytest.approx(0.4))
    assert wcs.idctab.endswith("_idc.fits")
    ra, dec = pixtosky.xy2rd("ua060502m_c0m.fits[sci,3]", 400.0, 300.0, hms=False)
    for name in ("p_drw_sci.fits", "p_drw_sci.fits[0]"):
        x, y = pixtopix.tran("ua060502m_c0m.fits[sci,3]", name, x=400.0, y=300.0)
        assert skytopix.rd2xy(name, ra, dec) == pytest.approx((x, y), abs=1e-3)
        assert pixtosky.xy2rd(name, x, y, hms=False) == pytest.approx((ra, dec), abs=1e-6)
    with pytest.raises(InputError, match="no celestial WCS"):
        pixtosky.xy2rd("p_drw_sci.fits[1]", 1.0, 1.0)


def test_blot_writes_what_a_chip_sees(here):
    """Counts of the chip's exposure, the sky that was subtracted put back; the chip itself agrees."""
    updatewcs("ua060502m_c0m.fits", use_db=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        photeq("ua060502m_c0m.fits", ref_phot_ext=3, readonly=False)
        AstroDrizzle("ua060502m_c0m.fits", output="b", **{**FAST, "final_scale": 0.1, "skysub": True})
    image = ablot.blot("b_drw_sci.fits", "ua060502m_c0m.fits[sci,3]", "b_blt.fits")
    np.testing.assert_array_equal(fits.getdata("b_blt.fits"), image)
    chip, quality = fits.getdata("ua060502m_c0m.fits", 3), fits.getdata("ua060502m_c1m.fits", 3)
    good = (quality == 0) & (image != 0)
    good[:60], good[:, :60] = False, False
    assert np.median((chip - image)[good]) == pytest.approx(0.0, abs=0.1)
    bright = good & (chip > 200)
    assert np.corrcoef(chip[bright], image[bright])[0, 1] > 0.9
    rate = ablot.blot("b_drw_sci.fits", "ua060502m_c0m.fits[sci,3]", "r.fits", out_units="cps", addsky=False)
    sky = fits.getheader("ua060502m_c0m.fits", 3)["MDRIZSKY"]
    np.testing.assert_allclose(500.0 * rate + sky, image, rtol=1e-5, atol=1e-3)
    with pytest.raises(SettingsError, match="did you mean 'interpol'"):
        ablot.blot("b_drw_sci.fits", "ua060502m_c0m.fits", "x.fits", interpl="poly3")


@pytest.mark.parametrize(
    ("group", "chips"), [("3", ["WF3"]), ("sci,1;sci,3", ["PC", "WF3"]), ("[sci,2]", ["WF2"]), (2, ["WF2"])]
)
def test_groups_are_chips_by_number(here, group, chips):
    result = AstroDrizzle("ua060502m_c0m.fits", output="g", group=group, **FAST)
    assert [item.chip for item in result.mosaics["F814W"].inputs] == chips


def test_a_group_that_is_none_is_refused(here):
    for group in ("all", "sci,WF3", "1,x"):
        with pytest.raises(SettingsError, match="group"):
            AstroDrizzle("ua060502m_c0m.fits", output="g", group=group, **FAST)


def test_tweakback_moves_the_exposures_with_the_image(here):
    updatewcs("ua060502m_c0m.fits", use_db=False)
    AstroDrizzle("ua060502m_c0m.fits", output="t", **FAST)
    before = HSTWCS("ua060502m_c0m.fits", ext=3).all_pix2world(400.0, 400.0, 1)
    with fits.open("t_drw_sci.fits", mode="update") as hdus:
        header = hdus[0].header
        for key in ("CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"):
            header[key + "A"] = header[key]
        header["WCSNAMEA"], header["WCSNAME"] = "DRZWCS", "GAIA"
        header["CRVAL2"] += 0.5 / 3600
    assert tweakback.tweakback("t_drw_sci.fits") == ["ua060502m_c0m.fits"]
    after = HSTWCS("ua060502m_c0m.fits", ext=3)
    assert after.wcs.name == "GAIA"
    moved = after.all_pix2world(400.0, 400.0, 1)
    assert float(moved[1] - before[1]) * 3600 == pytest.approx(0.5, abs=1e-4)
    assert float(moved[0] - before[0]) * 3600 == pytest.approx(0.0, abs=1e-4)


def test_limits_of_skymatch_keep_pixels_out(here):
    """No pixel above a limit below the sky takes part; limits the wrong way around are refused."""
    free = skymatch("ua060502m_c0m.fits", skymethod="localmin").brightness["ua060502m"]
    middle = float(np.median(fits.getdata("ua060502m_c0m.fits", 3)))
    low = skymatch("ua060502m_c0m.fits", skymethod="localmin", upper=middle).brightness["ua060502m"]
    assert low["WF3"] < free["WF3"]
    with pytest.raises(SettingsError, match=r"must lie above sky\.lower"):
        skymatch("ua060502m_c0m.fits", lower=5.0, upper=1.0)


def test_skymatch_writes_the_sky_where_asked(here):
    sky = skymatch("ua*c0m.fits", skymethod="localmin", readonly=False)
    written = fits.getheader("ua060502m_c0m.fits", 3)["SKYUSER"]
    assert written == pytest.approx(sky.levels["ua060502m"]["WF3"])


def test_science_images_are_counted_as_scripts_expect(here):
    assert util.count_sci_extensions("ua060502m_c0m.fits") == (4, "SCI")
    assert util.count_sci_extensions("ua060502m_c0m.fits", return_ind=True) == [1, 2, 3, 4]
    fits.writeto("plain.fits", np.zeros((3, 3)))
    assert util.count_sci_extensions("plain.fits") == (1, "PRIMARY")
    assert [util.is_blank(v) for v in (None, "", " ", "None", "INDEF", 0, "x")] == [True] * 5 + [False] * 2


def test_reference_files_are_not_changed_and_that_is_said(here):
    before = (here / "ua060502m_c0m.fits").read_bytes()
    with pytest.warns(TranslationWarning, match="mizzle references"):
        apply_bestrefs("ua060502m_c0m.fits")
    assert (here / "ua060502m_c0m.fits").read_bytes() == before


def test_gains():
    assert WFPC2_GAINS[3] == {7: [6.9, 5.22], 15: [13.95, 6.99]}
