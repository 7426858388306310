"""WCSs as old scripts handle them: corrected by shifts, listed and restored, in headerlets, around a set of chips."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import mizzle.stwcs
from mizzle import DataError, InputError, SettingsError
from mizzle.drizzlepac import tweakback, updatehdr, wcs_functions
from mizzle.drizzlepac.astrodrizzle import AstroDrizzle
from mizzle.drizzlepac.drizzle_parameters import TASK
from mizzle.drizzlepac.drizzle_settings import grid_of
from mizzle.drizzlepac.tweakreg import TweakReg
from mizzle.model import Alignment
from mizzle.settings import Settings
from mizzle.stwcs.distortion.utils import output_wcs
from mizzle.stwcs.updatewcs import updatewcs
from mizzle.stwcs.wcsutil import HSTWCS, altwcs, headerlet
from mizzle.translation.exposures import read_exposures, with_values
from mizzle.translation.grid import frames_of
from mizzle.translation.parameters import TranslationWarning

FILE = "ua060502m_c0m.fits"
FAST = {
    "final_wcs": True, "final_scale": 0.2, "driz_separate": False, "skysub": False, "driz_cr": False,
    "final_bits": "8,1024", "runfile": "",
}  # fmt: skip


@pytest.fixture
def one(here):
    """One exposure with its WCS."""
    updatewcs(FILE, use_db=False)
    return FILE


def chips(name):
    with fits.open(name) as hdus:
        return [HSTWCS(hdus, ext=number) for number in range(1, 5)]


def seen(name, frame):
    """Return pixels of a frame [0-based] where corners and centers of the chips lie."""
    places = [(0, 0), (400, 400), (799, 100), (100, 799)]
    return np.array(
        [frame.all_world2pix(*w.all_pix2world(x, y, 0), 0) for w in chips(name) for x, y in places], float
    ).reshape(-1, 2)


def test_a_shift_roll_and_scale_are_undone_about_the_reference_pixel(one):
    """What was measured takes the reference's places to the image's: the WCS moves by the inverse."""
    frame = wcs_functions.build_hstwcs(323.36, -0.83, 900.0, 700.0, 2000, 1700, 0.1, 20.0)
    before = seen(one, frame) + 1.0 - frame.wcs.crpix
    shutil.copy(one, "moved_c0m.fits")
    updatehdr.updatewcs_with_shift(
        "moved_c0m.fits", frame, xsh=5.0, ysh=3.0, rot=0.1, scale=1.001, xrms=1e-6, yrms=2e-6
    )
    after = seen("moved_c0m.fits", frame) + 1.0 - frame.wcs.crpix
    angle = np.deg2rad(0.1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / 1.001
    np.testing.assert_allclose(after, (before - [5.0, 3.0]) @ turn.T, atol=2e-6)
    header = fits.getheader("moved_c0m.fits", 3)
    assert (header["WCSNAME"], header["RMS_DEC"], header["CRDER1"]) == ("TWEAK", 2e-6, 1e-6)
    assert header["WCSNAMEA"].startswith("IDC_")
    fit = np.linalg.inv(turn).T
    shutil.copy(one, "fit_c0m.fits")
    updatehdr.updatewcs_with_shift("fit_c0m.fits", frame, xsh=5.0, ysh=3.0, fit=fit)
    np.testing.assert_allclose(seen("fit_c0m.fits", frame) + 1.0 - frame.wcs.crpix, after, atol=2e-6)


def test_a_name_that_is_taken_and_numbers_that_are_none_change_nothing(one, here):
    frame = wcs_functions.make_mosaic_wcs(one)
    updatehdr.updatewcs_with_shift(one, frame, xsh=1.0)
    before = (here / one).read_bytes()
    for error, more in (
        (SettingsError, {"xsh": 1.0}),
        (SettingsError, {"xsh": float("nan"), "force": True}),
        (SettingsError, {"xshift": 1.0}),
    ):
        with pytest.raises(error):
            updatehdr.updatewcs_with_shift(one, frame, **more)
    fits.writeto("plain.fits", np.zeros((3, 3)))
    with pytest.raises(InputError, match="no WCS"):
        updatehdr.updatewcs_with_shift("plain.fits", frame)
    with pytest.raises(InputError, match="no celestial WCS"):
        updatehdr.updatewcs_with_shift(one, "plain.fits", force=True)
    assert (here / one).read_bytes() == before


def test_a_shifts_file_says_what_updatehdr_would_have_written(here):
    """Shift, roll and scale are those of the frame beside them, about its reference pixel."""
    updatewcs("ua*c0m.fits", use_db=False)
    frame = wcs_functions.make_mosaic_wcs(FILE)
    updatehdr.updatewcs_with_shift(
        "ua060504m_c0m.fits", frame, xsh=12.0, ysh=-7.0, rot=0.02, scale=1.0003, wcsname="OFF"
    )
    given = {name: (here / name).read_bytes() for name in ("ua060504m_c0m.fits", "ua060506m_c0m.fits", FILE)}
    TweakReg("ua*c0m.fits", shiftfile=True, updatehdr=True, fitgeometry="rscale", see2dplot=False, residplot="none")
    right = {name: seen(name, frame) for name in given}
    for name, content in given.items():
        (here / name).write_bytes(content)
    updatehdr.update_from_shiftfile("shifts.txt")
    for name, places in right.items():
        np.testing.assert_allclose(seen(name, frame), places, atol=2e-3)


def test_nan_in_a_shifts_file_is_an_error(one, here):
    (here / "s.txt").write_text(
        f"# refimage: {FILE}[sci,1]\n{FILE} 1.0 2.0 0.0 1.0\nua060504m_c0m.fits nan nan nan nan\n"
    )
    before = (here / FILE).read_bytes()
    with pytest.raises(DataError, match="nan for ua060504m"):
        updatehdr.update_from_shiftfile("s.txt")
    for text in ("x 1 2\n", f"# refimage: {FILE}\nx 1 b 3 4\n"):
        (here / "s.txt").write_text(text)
        with pytest.raises(InputError, match="needed"):
            updatehdr.update_from_shiftfile("s.txt")
    assert (here / FILE).read_bytes() == before


def test_corrections_of_a_drizzled_image_reach_its_exposures_one_after_the_other(one):
    """Each tweakback moves the exposures by the image's last correction, not by all of them."""
    AstroDrizzle(FILE, output="t", **FAST)
    frame = HSTWCS("t_drw_sci.fits")
    before = seen(FILE, frame)
    for number, shift in enumerate((4.0, 1.0)):
        updatehdr.updatewcs_with_shift("t_drw_sci.fits", frame, xsh=shift, wcsname=f"W{number}")
        assert tweakback.tweakback("t_drw_sci.fits") == [FILE]
    np.testing.assert_allclose(seen(FILE, frame), before - [5.0, 0.0], atol=1e-4)
    assert tweakback.extract_input_filenames("t_drw_sci.fits") == [FILE]
    names = altwcs.wcsnames("t_drw_sci.fits")
    assert names == {" ": "W1", "O": "MIZZLE", "A": "W0"}
    tweakback.apply_tweak("t_drw_sci.fits", "MIZZLE", output_wcs_name="ALL")
    np.testing.assert_allclose(seen(FILE, frame), before - [10.0, 0.0], atol=2e-4)
    assert altwcs.wcsnames(FILE, ext=1)[" "] == "ALL"


def test_a_product_in_one_file_is_an_image_though_it_has_one_chip(one):
    """Its extension says which detector it is of, as an exposure's does."""
    AstroDrizzle(one, output="b", build=True, group="3", **FAST)
    frame = HSTWCS("b_drw.fits", ext=("SCI", 1))
    updatehdr.updatewcs_with_shift("b_drw.fits", frame, xsh=2.0)
    moved = HSTWCS("b_drw.fits", ext=("SCI", 1))
    np.testing.assert_allclose(frame.all_world2pix(*moved.all_pix2world(50.0, 60.0, 1), 1), [48.0, 60.0], atol=1e-5)


def test_alternates_are_listed_kept_restored_and_deleted(one):
    assert altwcs.wcskeys(one, ext=1) == [" ", "O"]
    assert altwcs.wcsnames(one, ext=("SCI", 1)) == {" ": "IDC_sad1946fu", "O": "OPUS"}
    assert altwcs.wcsnames(one, include_primary=False) == {"O": "OPUS"}
    header = fits.getheader(one, 1)
    assert altwcs.getKeyFromName(header, "OPUS") == "O"
    assert altwcs.getKeyFromName(header, "GAIA") is None
    assert (altwcs.next_wcskey(header), "O" in altwcs.available_wcskeys(header)) == ("A", False)
    both = [("SCI", 1), ("SCI", 2)]
    assert altwcs.archive_wcs(one, both, wcskey="B", wcsname="MINE") == ("B", "MINE")
    before = HSTWCS(one, 2).all_pix2world(10.0, 20.0, 1)
    updatehdr.updatewcs_with_shift(one, wcs_functions.make_mosaic_wcs(one), xsh=30.0)
    assert abs(HSTWCS(one, 2).all_pix2world(10.0, 20.0, 1)[0] - before[0]) > 1e-5
    altwcs.restoreWCS(one, both, wcsname="MINE")
    np.testing.assert_allclose(HSTWCS(one, 2).all_pix2world(10.0, 20.0, 1), before, atol=1e-10)
    assert altwcs.wcsnames(one, 3)[" "] == "TWEAK"
    altwcs.deleteWCS(one, both, wcskey="B")
    assert "B" not in altwcs.wcskeys(one, 1)
    assert not [
        key for key in fits.getheader(one, 1) if key.endswith("B") and key[:-1] in ("CRVAL1", "CD1_1", "WCSNAME")
    ]


def test_an_alternate_is_deleted_by_name_where_the_primary_has_it_too(one):
    altwcs.archive_wcs(one, 1, wcskey="B", wcsname="MINE")
    altwcs.restoreWCS(one, 1, wcskey="B")
    altwcs.deleteWCS(one, 1, wcsname="MINE")
    assert altwcs.wcsnames(one, 1) == {" ": "MINE", "O": "OPUS"}
    with pytest.warns(TranslationWarning, match="stays"):
        altwcs.deleteWCS(one, 1, wcsname="OPUS")
    assert altwcs.wcsnames(one, 1) == {" ": "MINE", "O": "OPUS"}


def test_taken_letters_and_missing_alternates(one, here):
    altwcs.archiveWCS(one, 1, wcskey="C", wcsname="MINE")
    before = (here / one).read_bytes()
    with pytest.raises(SettingsError, match="free are A, B, D"):
        altwcs.archive_wcs(one, 1, wcskey="C")
    for function in (altwcs.restoreWCS, altwcs.deleteWCS):
        with pytest.raises(InputError, match="there are C: MINE, O: OPUS"):
            function(one, 1, wcskey="Q")
        with pytest.raises(InputError, match="there are O: OPUS"):
            function(one, [1, 2], wcsname="MINE")
    with pytest.warns(TranslationWarning, match="stays"):
        altwcs.deleteWCS(one, 1, wcskey="O")
    assert altwcs.archive_wcs(one, 1, wcskey="C", mode=altwcs.ArchiveMode.QUIET_ABORT) == (None, None)
    assert altwcs.wcsnames(one, 1) == altwcs.wcsnames(fits.getheader(one, 1))
    with fits.open(one) as hdus:
        assert altwcs.archive_wcs(hdus, 1, "C", "MINE", altwcs.ArchiveMode.AUTO_RENAME) == ("A", "MINE-1")
        assert altwcs.archive_wcs(hdus, 1, "C", "NEW", altwcs.ArchiveMode.OVERWRITE_KEY) == ("C", "NEW")
        assert altwcs.wcsnames(hdus, 1) == {" ": "IDC_sad1946fu", "A": "MINE-1", "C": "NEW", "O": "OPUS"}
    assert [fits.getheader(one, number).get("WCSNAMEC") for number in (1, 2)] == ["MINE", None]
    assert (here / one).read_bytes() == before


def test_a_matrix_of_pc_and_cdelt_becomes_cd():
    header = fits.Header({"PC1_1": 0.5, "PC1_2": 0.1, "CDELT1": -2.0, "CDELT2": 3.0})
    made = altwcs.pc2cd(header)
    assert [made[f"CD{key}"] for key in ("1_1", "1_2", "2_1", "2_2")] == [-1.0, -0.2, 0.0, 3.0]
    assert "CDELT1" not in made


def test_a_headerlet_brings_its_wcs_back(one, here):
    """Written before a correction, put back after it; another exposure's is refused."""
    frame = wcs_functions.make_mosaic_wcs(one)
    before = seen(one, frame)
    assert headerlet.write_headerlet(one, "FIRST", author="me", attach=False) == ["ua060502m_c0m_hlet.fits"]
    with fits.open("ua060502m_c0m_hlet.fits") as hdus:
        assert (hdus[0].header["HDRNAME"], hdus[0].header["AUTHOR"]) == ("FIRST", "me")
        assert [hdu.name for hdu in hdus].count("SIPWCS") == 4
    with pytest.raises(SettingsError, match="clobber=True"):
        headerlet.write_headerlet(one, "FIRST", attach=False)
    with pytest.warns(TranslationWarning, match="beside the exposure"):
        headerlet.write_headerlet(one, "FIRST", output="flt", clobber=True)
    updatehdr.updatewcs_with_shift(one, frame, xsh=30.0)
    headerlet.apply_headerlet_as_primary(one, "ua060502m_c0m_hlet.fits")
    np.testing.assert_allclose(seen(one, frame), before, atol=1e-6)
    assert "TWEAK" in altwcs.wcsnames(one, 1).values()
    assert headerlet.get_headerlet_kw_names(one) == []
    other = (here / "ua060504m_c0m.fits").read_bytes()
    with pytest.raises(InputError, match="is the headerlet of ua060502m"):
        headerlet.apply_headerlet_as_primary("ua060504m_c0m.fits", "ua060502m_c0m_hlet.fits")
    with pytest.raises(SettingsError, match="2 headerlets for 1"):
        headerlet.apply_headerlet_as_primary(one, ["a", "b"])
    assert (here / "ua060504m_c0m.fits").read_bytes() == other


def test_headerlets_that_the_archive_put_into_a_file_are_named(here):
    extension = fits.ImageHDU(name="HDRLET")
    extension.header["HDRNAME"], extension.header["WCSNAME"] = "ua_1", "IDC-GSC240"
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto("a.fits")
    assert headerlet.get_headerlet_kw_names("a.fits") == ["ua_1"]
    assert headerlet.get_headerlet_kw_names("a.fits", kw="WCSNAME") == ["IDC-GSC240"]


def test_the_frame_of_some_chips_holds_them_and_points_as_the_table_does(one):
    """The direction of y is that of the undistorted pixels of the first chip, which its own y axis is not quite."""
    own = chips(one)
    for wanted, first in (((0, 1, 2, 3), 0), ((2, 3), 2)):
        frame = output_wcs([own[number] for number in wanted])
        corners = np.array(
            [
                frame.all_world2pix(*own[number].all_pix2world(x, y, 0), 0)
                for number in wanted for x, y in ((0, 0), (799, 0), (0, 799), (799, 799))
            ], float,
        )  # fmt: skip
        nx, ny = frame.pixel_shape
        assert corners.min() == pytest.approx(0.0, abs=1e-3)
        assert (corners.max(axis=0) <= np.array([nx, ny]) + 1e-3).all()
        assert (corners.max(axis=0) > np.array([nx, ny]) - 1.001).all()
        np.testing.assert_array_equal(frame.wcs.crpix, np.array([nx, ny]) / 2)
        assert frame.pscale == pytest.approx(own[first].idcscale)
        # One step along y of the distortion table, in pixels of the chip: linear terms alone, at the reference pixel.
        header = fits.getheader(one, first + 1)
        linear = np.array([[header[key] for key in row] for row in (("OCX11", "OCX10"), ("OCY11", "OCY10"))])
        step = np.linalg.solve(linear, [0.0, own[first].idcscale])
        plane = own[first].wcs.cd @ step
        assert frame.orientat == pytest.approx(np.rad2deg(np.arctan2(*plane)), abs=1e-9)
    assert output_wcs(own, ref_wcs=own[3]).pscale == pytest.approx(own[3].idcscale)
    kept = output_wcs(own, owcs=frame)
    np.testing.assert_array_equal(kept.wcs.crval, frame.wcs.crval)
    np.testing.assert_allclose(output_wcs(own, undistort=False).wcs.cd, own[0].wcs.cd, rtol=1e-12)
    with pytest.raises(SettingsError, match="pixel_shape"):
        output_wcs([HSTWCS()])


def test_the_frame_of_a_mosaic_is_the_one_that_is_drizzled(one):
    AstroDrizzle(one, output="m", **{**FAST, "final_rot": 10.0})
    drizzled, planned = HSTWCS("m_drw_sci.fits"), wcs_functions.make_mosaic_wcs(one, rot=10.0, scale=0.2)
    assert drizzled.pixel_shape == planned.pixel_shape
    np.testing.assert_allclose(drizzled.wcs.crpix, planned.wcs.crpix, rtol=1e-12)
    np.testing.assert_allclose(wcs_functions.make_perfect_cd(drizzled), planned.wcs.cd, rtol=1e-9)
    assert wcs_functions.get_hstwcs(one, ("SCI", 3)).chip == 3


def test_a_frame_that_is_turned_holds_the_one_that_is_not(one):
    """The box around the unturned frame's outer edges, its first pixel where that box begins; sizes are rounded up."""
    plain = wcs_functions.make_mosaic_wcs(one)
    nx, ny = plain.pixel_shape
    np.testing.assert_array_equal(plain.wcs.crpix, [nx / 2, ny / 2])
    edges = plain.all_pix2world([0.5, nx + 0.5, 0.5, nx + 0.5], [0.5, 0.5, ny + 0.5, ny + 0.5], 1)
    turned = wcs_functions.make_mosaic_wcs(one, rot=10.0)
    places = np.array(turned.all_world2pix(*edges, 1))
    np.testing.assert_allclose(places.min(axis=1), 0.5, atol=1e-3)
    np.testing.assert_array_equal(np.ceil(np.ptp(places, axis=1) - 1e-3), turned.pixel_shape)
    small = wcs_functions.make_mosaic_wcs(one, rot=10.0, scale=0.3)
    np.testing.assert_allclose(np.array(small.all_world2pix(*edges, 1)).min(axis=1), 0.5, atol=1e-3)
    assert abs(small.pixel_shape[0] - np.ptp(places[0]) * turned.pscale / 0.3) < 1.0


def test_what_is_given_of_a_grid_and_what_is_not(one):
    """A size has the tangent point in its middle; a tangent point alone stays at the pixel where it was."""
    frames = frames_of(*aligned(one))
    given = {"final_wcs": True, "final_scale": 0.3, "final_rot": 5.0}
    plain = grid_of(TASK.values(given), "final", frames)
    sized = grid_of(TASK.values({**given, "final_outnx": 200, "final_outny": 301}), "final", frames)
    assert (sized.shape, tuple(sized.crpix), tuple(sized.crval)) == ((301, 200), (100.5, 151.0), tuple(plain.crval))
    placed = grid_of(TASK.values({**given, "final_ra": 323.36, "final_dec": -0.83}), "final", frames)
    assert (placed.shape, tuple(placed.crpix), tuple(placed.crval)) == (
        plain.shape,
        tuple(plain.crpix),
        (323.36, -0.83),
    )


def aligned(name):
    """Return an exposure and the alignment that leaves it where it is."""
    exposures = read_exposures([Path(name)], with_values(Settings(), geometry={"wcs": "header"}))
    return exposures, Alignment.identity(exposures)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "user-defined"), ("TWEAK", "user-defined"), ("OPUS", "pipeline default not aligned"),
        ("IDC_sad1946fu", "undistorted not aligned"), ("IDC_x-GSC240", "a priori solution based on GSC240"),
        ("IDC_x-FIT_IMG_2MASS", "a posteriori solution aligned image-by-image to 2MASS"),
        ("IDC_x-FIT_SVM_GAIAeDR3", "a posteriori solution aligned by visit to GAIAEDR3"),
    ],
)  # fmt: skip
def test_names_of_wcss_say_how_they_were_made(name, kind):
    assert updatehdr.interpret_wcsname_type(name).endswith(kind)


def test_names_are_reached_by_dots_too():
    assert mizzle.stwcs.wcsutil.altwcs is altwcs
    assert mizzle.stwcs.wcsutil.hstwcs.HSTWCS is HSTWCS
    assert mizzle.stwcs.distortion.utils.output_wcs is output_wcs
    for package in (mizzle.stwcs.wcsutil, mizzle.stwcs.distortion):
        with pytest.raises(AttributeError, match="no attribute"):
            _ = package.wcsdiff
