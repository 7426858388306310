"""Images and stars as old scripts handle them: do_driz, sums of singles, limits of the sky, catalogs of stars."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.io import fits

from mizzle import InputError, SettingsError
from mizzle.drizzlepac import adrizzle, astrodrizzle, catalogs, imagefindpars, refimagefindpars
from mizzle.drizzlepac.drizzle_parameters import TASK
from mizzle.drizzlepac.drizzle_settings import settings_of
from mizzle.drizzlepac.tweakreg import TweakReg
from mizzle.drizzlepac.wcs_functions import build_hstwcs
from mizzle.settings import Settings
from mizzle.skypac.skymatch import skymatch
from mizzle.stwcs.updatewcs import updatewcs
from mizzle.stwcs.wcsutil import HSTWCS
from mizzle.translation.parameters import TranslationWarning

FILE = "ua060502m_c0m.fits"


def frame(scale, angle, size):
    return build_hstwcs(10.0, 20.0, (size + 1) / 2, (size + 1) / 2, size, size, scale, angle)


def empty(*shape):
    return [np.zeros(shape, kind) for kind in (np.float32, np.float32, np.int32)]


def drop(image, weight, outputs, **more):
    source, target = frame(0.1, 0.0, 40), frame(0.06, 23.0, 90)
    given = {"expin": 1.0, "in_units": "cps", "wt_scl": 1.0, "wcslin_pscale": 0.1} | more
    return adrizzle.do_driz(image, source, weight, target, *outputs, given.pop("expin"), **given)


def test_a_flat_sky_is_per_output_pixel_and_images_are_averaged():
    """Two skies of weights 1 and 3: their weighted mean, times the share of a pixel's area; bits say who was where."""
    one = np.ones((40, 40), np.float32)
    sci, wht, ctx = empty(90, 90)
    sci[:] = 7.0
    assert drop(2 * one, one, (sci, wht, ctx)).startswith("mizzle")
    assert (sci[wht == 0] == 7.0).all()
    drop(600 * one, one, (sci, wht, ctx), uniqid=2, in_units="counts", expin=100.0, wt_scl=3.0, fillval=-1)
    middle = (slice(40, 50), slice(40, 50))
    np.testing.assert_allclose(sci[middle], 5.0 * 0.36, rtol=1e-6)
    np.testing.assert_allclose(wht.sum(), 4 * 1600, rtol=1e-3)
    assert (sci[wht == 0] == -1.0).all()
    assert set(np.unique(ctx)) == {0, 3}
    np.testing.assert_array_equal(ctx > 0, wht > 0)


def test_the_bit_of_an_image_goes_to_its_plane_whatever_the_context_says():
    one = np.ones((40, 40), np.float32)
    sci, wht, _ = empty(90, 90)
    ctx = np.zeros((2, 90, 90), np.int32)
    drop(one, one, (sci, wht, ctx), uniqid=32)
    ctx[0] = 0  # a caller's choice
    drop(one, one, (sci, wht, ctx), uniqid=33)
    assert not ctx[0].any()
    np.testing.assert_array_equal(ctx[1], wht > 0)
    drop(one, one, (sci, wht, ctx), uniqid=32)
    assert set(np.unique(ctx[0])) == {-(2**31), 0}
    before = sci.copy()
    for number in (0, 65):
        with pytest.raises(SettingsError, match="uniqid"):
            drop(one, one, (sci, wht, ctx), uniqid=number)
    with pytest.raises(SettingsError, match="arrays"):
        drop(one, one, (sci, wht, [0]))
    np.testing.assert_array_equal(sci, before)


def test_scripts_reach_the_tools_through_astrodrizzle():
    assert astrodrizzle.adrizzle.do_driz is adrizzle.do_driz
    assert astrodrizzle.ablot.do_blot
    assert (imagefindpars.__taskname__, refimagefindpars.__taskname__) == ("imagefindpars", "refimagefindpars")


def settings(**given):
    return settings_of(TASK.values(given))


def test_rounds_and_limits_of_the_sky_are_passed_on():
    own = Settings().sky
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert settings().sky == own
        chosen = settings(skyclip=7, skylsigma=2.5, skyusigma=2.5).sky
        assert (chosen.iterations, chosen.clip) == (7, 2.5)
        assert settings(skyusigma=2.0).sky.clip == settings(skylsigma=2.0).sky.clip == 2.0
        assert settings(skyclip=0).sky.iterations == 1
    for given, taken in (((4.0, 2.0), 2.0), ((0.5, 0.5), 1.0), ((20.0, 20.0), 10.0)):
        with pytest.warns(TranslationWarning, match=f"{taken:g} is taken"):
            assert settings(skylsigma=given[0], skyusigma=given[1]).sky.clip == taken


def test_limits_of_skymatch_are_felt(here):
    """Stars raise a mean that is not clipped."""
    loose = skymatch(FILE, skymethod="localmin", skystat="mean", nclip=1, lsigma=10, usigma=10, flog="")
    tight = skymatch(FILE, skymethod="localmin", skystat="mean", nclip=10, lsigma=2, usigma=2, flog="")
    assert all(loose.brightness["ua060502m"][chip] > tight.brightness["ua060502m"][chip] for chip in ("WF2", "WF3"))


def combined(files, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        return astrodrizzle.AstroDrizzle(
            files, final_bits="8,1024", final_wcs=True, final_scale=0.2, final_rot=0.0, driz_sep_wcs=True,
            driz_sep_scale=0.2, driz_sep_rot=0.0, driz_sep_bits="8,1024", median=True, runfile="", **more,
        )  # fmt: skip


def test_the_combined_image_follows_combine_type(here):
    """median, mean and sum of the single images beside them; the product of sum is that of mean."""
    updatewcs("ua*c0m.fits", use_db=False)
    results = {kind: combined("ua*c0m.fits", output=kind, combine_type=kind) for kind in ("median", "mean", "sum")}
    singles = np.stack([fits.getdata(f"ua06050{n}m_c0m_single_sci.fits") for n in (2, 4, 6)])
    images = {kind: fits.getdata(f"{kind}_drw_med.fits") for kind in results}
    full = np.isfinite(singles).all(axis=0)
    assert full.sum() > 100_000
    for kind, function in (("median", np.median), ("mean", np.mean), ("sum", np.sum)):
        np.testing.assert_allclose(images[kind][full], function(singles[:, full], axis=0), rtol=1e-5, atol=1e-6)
    alone = np.isfinite(singles).sum(axis=0) == 1
    np.testing.assert_array_equal(images["sum"][alone], np.nansum(singles[:, alone], axis=0))
    np.testing.assert_array_equal(results["sum"].mosaics["F814W"].sci, results["mean"].mosaics["F814W"].sci)
    assert not np.array_equal(results["sum"].mosaics["F814W"].sci, results["median"].mosaics["F814W"].sci)


def test_one_exposure_is_its_own_combined_image(here):
    combined(FILE, output="alone", combine_type="minmed", skysub=False)
    single = fits.getdata("ua060502m_c0m_single_sci.fits")
    known = np.isfinite(single)
    np.testing.assert_array_equal(fits.getdata("alone_drw_med.fits")[known], single[known])


def test_stars_of_a_chip_are_those_of_tweakreg(here):
    """Counted, placed and written by chip: the same stars as in TweakReg's catalog of that chip."""
    updatewcs("ua*c0m.fits", use_db=False)
    TweakReg("ua*c0m.fits", see2dplot=False, residplot="none")
    found = catalogs.generateCatalog(HSTWCS(f"{FILE}[3]"), mode="automatic", catalog=f"{FILE}[3]")
    assert found.num_objects == 0
    found.buildCatalogs()
    known = np.loadtxt("ua060502m_c0m_sci3_xy_catalog.coo")
    assert found.num_objects == len(known) > 100
    order = np.argsort(found.xypos[0])
    np.testing.assert_allclose(np.sort(known[:, 0]), found.xypos[0][order], atol=1e-4)
    back = HSTWCS(f"{FILE}[3]").all_world2pix(found.radec[0], found.radec[1], 1)
    np.testing.assert_allclose(back[0], found.xypos[0], atol=1e-3)
    found.writeXYCatalog("mine.coo")
    np.testing.assert_allclose(np.loadtxt("mine.coo")[:, 1], found.xypos[1], atol=1e-4)


def test_what_is_no_chip_or_no_mode_is_refused(here):
    with pytest.warns(TranslationWarning, match="signal-to-noise"):
        made = catalogs.generateCatalog(HSTWCS(f"{FILE}[3]"), catalog=f"{FILE}[3]", threshold=100.0)
    assert made.xypos is None
    with pytest.raises(SettingsError, match="mode"):
        catalogs.generateCatalog(None, mode="user", catalog="a.coo")
    fits.writeto("image.fits", np.zeros((5, 5), np.float32))
    with pytest.raises(InputError):
        catalogs.generateCatalog(HSTWCS("image.fits"), catalog="image.fits").buildCatalogs()
