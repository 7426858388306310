"""Other public scripts, in reduced form: their parameters, on one or two exposures."""

from __future__ import annotations

import glob
import shutil
import warnings

import numpy as np
import pytest
from astropy.io import fits

from mizzle.drizzlepac import astrodrizzle, catalogs, tweakback, updatehdr, wcs_functions, wfpc2Data
from mizzle.drizzlepac.astrodrizzle import AstroDrizzle
from mizzle.drizzlepac.drizzle_parameters import TASK
from mizzle.drizzlepac.photeq import photeq
from mizzle.drizzlepac.tweakreg import TweakReg
from mizzle.drizzlepac.wfpc2Data import wfpc2_to_flt
from mizzle.stwcs.distortion import utils
from mizzle.stwcs.updatewcs import updatewcs
from mizzle.stwcs.wcsutil import HSTWCS, altwcs, headerlet
from mizzle.translation.parameters import TranslationWarning


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        yield


def test_the_notebook_of_2024(here):
    """Two exposures as flt; shifts read back; single images of the flt only."""
    for name in ("ua060502m_c0m.fits", "ua060504m_c0m.fits"):
        wfpc2_to_flt(name)
    updatewcs("u*flt.fits", use_db=False)
    TweakReg(
        sorted(glob.glob("u*flt.fits")), updatehdr=True, clean=True, reusename=True, interactive=False, conv_width=3.0,
        threshold=200.0, ylimit=1, shiftfile=True, outshifts="shift_flt.txt", searchrad=1, tolerance=3, minobj=7,
    )  # fmt: skip
    lines = (here / "shift_flt.txt").read_text()
    assert "nan" not in lines
    table = np.loadtxt("shift_flt.txt", usecols=range(1, 7))
    assert table.shape == (2, 6)
    assert (here / "residuals_ua060504m_flt.png").is_file()
    AstroDrizzle(
        "u*flt.fits", output="wfpc2_flt", preserve=False, build=False, context=False, skysub=False, driz_sep_wcs=True,
        driz_sep_scale=0.0996, driz_sep_bits="8,1024", driz_sep_fillval=-1, median=False, blot=False, driz_cr=False,
        final_fillval=None, final_bits="8,1024", final_wcs=True, final_scale=0.0996,
    )  # fmt: skip
    assert not (here / "wfpc2_flt_drw_ctx.fits").exists()
    assert fits.getdata("ua060504m_single_sci.fits").min() >= -20.0
    AstroDrizzle(
        "ua060504m_c0m.fits", output="wfpc2_c0m", skysub=False, driz_separate=True, driz_sep_wcs=True,
        driz_sep_refimage="ua060504m_single_sci.fits", driz_sep_bits="8,1024", median=False, blot=False, driz_cr=False,
        final_bits="8,1024", final_wcs=True, final_refimage="wfpc2_flt_drw_sci.fits",
    )  # fmt: skip
    one, two = (fits.getheader(f"wfpc2_{kind}_drw_sci.fits") for kind in ("flt", "c0m"))
    assert all(one[key] == two[key] for key in ("CRVAL1", "CRPIX2", "CD1_2", "NAXIS1"))
    assert fits.getdata("ua060504m_c0m_single_sci.fits").shape == fits.getdata("ua060504m_single_sci.fits").shape


def test_hst123_photometry_by_value_then_counts_of_masks(here):
    """A value for every chip, then a drizzle whose crmask files become flags."""
    photeq("ua060502m_c0m.fits,ua060504m_c0m.fits", ref_phot=2.4e-18, phot_kwd="PHOTFLAM", readonly=False)
    AstroDrizzle(
        ["ua060502m_c0m.fits", "ua060504m_c0m.fits"], output="o.drz", runfile="", wcskey="", context=False, group="",
        build=False, num_cores=2, preserve=False, clean=False, skysub=True, skymethod="globalmin+match",
        skystat="mode", skylower=0.0, skyupper=None, updatewcs=False, driz_sep_fillval=-50000, driz_sep_bits="8,1024",
        driz_sep_wcs=True, driz_sep_rot=0.0, driz_sep_scale=0.2, combine_maskpt=0.2, combine_type="minmed",
        combine_nsigma="4 3", combine_nlow=0, combine_nhigh=0, combine_lthresh=-10000, combine_hthresh=None,
        driz_cr=True, driz_cr_snr="4.5 3.6", driz_cr_grow=1, driz_cr_ctegrow=0, driz_cr_scale="2.0 1.5",
        final_pixfrac=0.8, final_fillval=-50000, final_bits="8,1024", final_units="counts", final_wcs=True,
        final_rot=0, final_scale=0.2,
    )  # fmt: skip
    assert fits.getdata("o.drz_drw_sci.fits").min() == -50000
    masks = sorted(glob.glob("*crmask.fits"))
    assert len(masks) == 8
    assert set(np.unique(fits.getdata(masks[0]))) == {0, 1}


def test_slacs_one_exposure_with_stricter_thresholds(here):
    AstroDrizzle(
        "ua060502m_c0m.fits", output="slacs", final_scale=0.2, final_wcs=True, final_rot=0, final_pixfrac=0.8,
        final_wht_type="ERR", final_kernel="square", driz_cr_snr="15.0 10.0", driz_cr_scale="1.5 1.0", resetbits=0,
        final_bits="8,1024", driz_separate=False,
    )  # fmt: skip
    assert len(glob.glob("slacs_dr?_sci.fits")) == 1


def test_snhst_one_file(here):
    AstroDrizzle(
        "ua060502m_c0m.fits", output="sn", build=True, preserve=False, final_bits=8, driz_sep_bits=8, driz_cr=False,
        median=False, blot=False, driz_separate=False, final_wcs=True, final_scale=0.2, final_ra=323.36,
        final_dec=-0.82, final_rot=0.0, final_outnx=400, final_outny=300, clean=True, skysub=False,
    )  # fmt: skip
    assert fits.getdata("sn_drw.fits", "SCI").shape == (300, 400)


def test_mtpipeline_configuration_and_single_images(here):
    (here / "z.cfg").write_text(
        "_task_name_ = astrodrizzle\ninput = 'ua060502m_c0m.fits'\noutput = ''\nrunfile = ''\n[STATE]\nclean = False\n"
        "[STEP 3: DRIZZLE SEPARATE IMAGES]\ndriz_separate = True\ndriz_sep_bits = 4880\n"
        "[STEP 3a]\ndriz_sep_wcs = True\ndriz_sep_scale = 0.2\n[STEP 4]\nmedian = False\n[STEP 5]\nblot = False\n"
        "[STEP 6]\ndriz_cr = False\n[STEP 7]\ndriz_combine = False\n"
    )
    AstroDrizzle(configobj="z.cfg")
    assert (here / "ua060502m_c0m_single_sci.fits").is_file()
    assert not glob.glob("*drw_sci.fits")


def test_runastrodriz_equalizes_each_file_and_keeps_its_wcs_as_a_headerlet(here):
    """The archive's own pipeline: best references, photeq by file, AstroDrizzle, a headerlet for each exposure."""
    for name in ("ua060502m_c0m.fits", "ua060504m_c0m.fits"):
        wfpc2Data.apply_bestrefs(name)
        photeq(files=name, ref_phot_ext=3, readonly=False)
    updatewcs("ua*c0m.fits", use_db=False, checkfiles=False)
    AstroDrizzle(input="ua060502m_c0m.fits,ua060504m_c0m.fits", output="u_drw.fits", mdriztab=False, clean=True,
                 final_wcs=True, final_scale=0.2, skysub=False, driz_cr=False)  # fmt: skip
    assert (here / "u_drw_sci.fits").is_file()
    name = fits.getval("ua060502m_c0m.fits", "WCSNAME", ext=1)
    written = headerlet.write_headerlet(
        "ua060502m_c0m.fits", f"ua060502m_{name}-hlet", output="flt", wcskey="PRIMARY", author="OPUS",
        descrip=updatehdr.interpret_wcsname_type(name), attach=False, clobber=True, logging=False,
    )  # fmt: skip
    assert fits.getval(written[0], "WCSNAME", extname="SIPWCS", extver=1) == name


def test_a_mosaic_moved_onto_another_and_its_exposures_with_it(here):
    """As grizli and threedhst do: a shift found between images, tweakback, stars dropped on a cutout."""
    updatewcs("ua*c0m.fits", use_db=False)
    AstroDrizzle("ua060502m_c0m.fits", output="one", final_wcs=True, final_scale=0.2, final_rot=0, skysub=False,
                 driz_cr=False, driz_separate=False, final_bits="8,1024")  # fmt: skip
    updatehdr.updatewcs_with_shift(
        "one_drw_sci.fits", "one_drw_sci.fits", wcsname="DRZWCS", xsh=1.5, ysh=-0.5, rot=0.0, scale=1.0, force=True
    )
    tweakback.tweakback("one_drw_sci.fits", input="ua060502m_c0m.fits", wcsname="DRZWCS", verbose=True)
    with fits.open("ua060502m_c0m.fits") as hdus:
        assert altwcs.wcsnames(hdus, ext=1)[" "] == "DRZWCS"
        chips = [HSTWCS(hdus, ext=number) for number in range(1, 5)]
        image = hdus[3].data.astype(np.float32)
    field = utils.output_wcs(chips, undistort=True)
    field.wcs.cd = wcs_functions.make_perfect_cd(field)
    sci, wht, ctx = (np.zeros((200, 200), kind) for kind in (np.float32, np.float32, np.int32))
    ra, dec = chips[2].all_pix2world(400.0, 400.0, 1)
    cutout = wcs_functions.build_hstwcs(float(ra), float(dec), 100.5, 100.5, 200, 200, chips[2].idcscale, 0.0)
    astrodrizzle.adrizzle.do_driz(
        image, chips[2], np.ones_like(image), cutout, sci, wht, ctx, 1.0, "cps", 1, wcslin_pscale=chips[2].idcscale,
        uniqid=1, pixfrac=0.8, kernel="point", fillval=0, stepsize=10, wcsmap=None,
    )  # fmt: skip
    inner = image[300:500, 300:500]
    assert sci[wht > 0].mean() == pytest.approx(inner.mean(), rel=0.15)
    assert (wht > 0).mean() > 0.6


#: As hst123 hands it to generateCatalog and TweakReg: TEAL's own entries among the parameters.
CATALOG = {
    "skysigma": 0.0, "computesig": True, "conv_width": 3.5, "sharplo": 0.2, "sharphi": 1.0, "roundlo": -1.0,
    "roundhi": 1.0, "peakmin": None, "peakmax": None, "fluxmin": None, "fluxmax": None, "nsigma": 1.5, "ratio": 1.0,
    "theta": 0.0, "use_sharp_round": True, "expand_refcat": False, "enforce_user_order": True, "clean": True,
    "interactive": False, "verbose": False, "updatewcs": False, "xyunits": "pixels",
    "_RULES_": {"_rule_1": "True", "_rule2_": "False"},
}  # fmt: skip


def test_hst123_counts_stars_and_aligns_on_a_copy_of_an_exposure(here):
    """The reference image is an exposure under another name: it keeps its place as the exposure it is."""
    updatewcs("ua*c0m.fits", use_db=False)
    shutil.copy("ua060504m_c0m.fits", "dummy.fits")
    source = "ua060502m_c0m.fits[3]"
    catalog = catalogs.generateCatalog(HSTWCS(source), mode="automatic", catalog=source, threshold=10.0, **CATALOG)
    catalog.buildCatalogs()
    assert catalog.num_objects > 100
    finder = {
        "threshold": 5.0,
        "conv_width": 2.5,
        "use_sharp_round": True,
        "dqbits": None,
        "_task_name_": "imagefindpars",
    }
    alignment = TweakReg(
        files=["ua060502m_c0m.fits", "ua060504m_c0m.fits"], refimage="dummy.fits", verbose=False, interactive=False,
        clean=True, writecat=True, updatehdr=True, reusename=True, rfluxunits="counts", minobj=10, wcsname="TWEAK",
        searchrad=1.0, searchunits="arcseconds", runfile="", tolerance=0.5, refnbright=4000, nbright=4000,
        separation=0.5, residplot="No plot", see2dplot=False, fitgeometry="shift", imagefindcfg=finder,
        refimagefindcfg={"PARAMETERS": finder}, shiftfile=True, outshifts="drizzle_shifts.txt",
    )  # fmt: skip
    assert alignment.reference == "ua060504m"
    assert np.abs(alignment.exposures["ua060504m"].shift).max() == 0.0
    assert "nan" not in (here / "drizzle_shifts.txt").read_text()


def test_mtpipelines_whole_configuration_is_read(here):
    """Every parameter of the task, as TEAL writes it, with a list of files: single images of a given size only."""
    parts: dict = {}
    for name, default in TASK.used.items():
        value = {"input": "@files", "driz_combine": False, "driz_sep_wcs": True, "driz_sep_scale": 0.2}.get(
            name, default
        )
        value = {"driz_sep_outnx": 430, "driz_sep_outny": 320, "driz_sep_rot": 0.0, "static": False}.get(name, value)
        value = {"median": False, "blot": False, "driz_cr": False, "skysub": False, "clean": False}.get(name, value)
        parts[name] = '""' if value == "" else value
    parts |= {name: '""' if default == "" else default for name, (default, _) in TASK.void.items()}
    lines = [f'{name} = {value}# "what it is: a {name}"' for name, value in parts.items()]
    text = "_task_name_ = astrodrizzle# \n" + "\n".join([*lines[:9], '\n["STEP 6: REMOVE COSMIC RAYS"]', *lines[9:]])
    (here / "wide.cfg").write_text(text + "\n")
    (here / "files").write_text("ua060502m_c0m.fits\n")
    AstroDrizzle(input="ua060502m_c0m.fits", configobj="wide.cfg")
    assert fits.getdata("ua060502m_c0m_single_sci.fits").shape == (320, 430)
    assert not glob.glob("*drw*")
