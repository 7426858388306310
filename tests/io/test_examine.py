"""What pixels say about themselves: bits of other programs, lost data, masks of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import InputError, SettingsError
from mizzle.instrument.cameras import CAMERAS
from mizzle.io.examine import examine, fill_rows
from mizzle.io.exposures import read_exposure
from mizzle.io.masks import read_masks
from mizzle.io.pixels import clean_pair
from mizzle.model import ArrayPixels, Verdict
from mizzle.model.altered import USER_BIT
from mizzle.settings.dq import DataQualitySettings
from tiny_files import SIDE, write_pair
from tiny_visit import exposure, frame, noisy

SHAPE = (200, 200)


def made(sci: np.ndarray, dq: np.ndarray | None = None, atodgain: int = 7):
    """An exposure of one WF3."""
    flags = np.zeros(sci.shape, dtype=np.uint16) if dq is None else dq
    return exposure(1, {"WF3": (sci, flags, frame("WF3", sci.shape))}, atodgain=atodgain)


def test_bits_of_another_program_are_cleared_and_said() -> None:
    rng = np.random.default_rng(1)
    dq = np.where(rng.random(SHAPE) < 0.1, 4096, 0).astype(np.uint16)
    dq[:3] |= 2
    found = examine(made(noisy(rng, SHAPE, 3.0), dq), DataQualitySettings())
    np.testing.assert_array_equal(found.chips["WF3"].dq, dq & ~np.uint16(4096))
    assert any("4096" in note and "cleared" in note for note in found.notes)
    assert found.verdict is Verdict.PASS
    kept = examine(made(noisy(rng, SHAPE, 3.0), dq), DataQualitySettings(rays="keep"))
    np.testing.assert_array_equal(kept.chips["WF3"].dq, dq)


@settings(max_examples=30)
@given(
    first=st.integers(0, 150),
    count=st.integers(1, 40),
    value=st.sampled_from([-100.0, 0.0, -42.5]),
    tilt=st.booleans(),
    atodgain=st.sampled_from([7, 15]),
)
def test_lost_rows_are_flagged_and_no_others(first: int, count: int, value: float, tilt: bool, atodgain: int) -> None:
    """Filled with a constant; or, where the flat was divided after it, with one far below zero."""
    rng = np.random.default_rng(first)
    sci = noisy(rng, SHAPE, 0.5, atodgain=atodgain)
    rows = slice(first, first + count)
    sci[rows] = value if not tilt or value > -40 else value * rng.normal(1.0, 0.02, sci[rows].shape)
    chip = made(sci, atodgain=atodgain)
    lost = np.zeros(SHAPE[0], dtype=bool)
    lost[rows] = True
    np.testing.assert_array_equal(fill_rows(chip.chips["WF3"]), lost)
    found = examine(chip, DataQualitySettings())
    assert ((found.chips["WF3"].dq & USER_BIT) != 0)[:, 0].tolist() == lost.tolist()
    assert found.verdict is Verdict.WARN


@pytest.mark.parametrize("atodgain", [7, 15])
@pytest.mark.parametrize("signal", [0.0, 0.2, 30.0])
def test_a_sky_of_whole_numbers_is_no_fill(signal: float, atodgain: int) -> None:
    """Without flat field, as simulations have it: dark and blank skies repeat values, but not a hundred times."""
    for seed in range(5):
        sci = noisy(np.random.default_rng(seed), (800, 800), signal, atodgain=atodgain)
        assert not fill_rows(made(sci, atodgain=atodgain).chips["WF3"]).any()


@pytest.mark.parametrize("seed", range(3))
def test_packets_shorter_than_a_row_are_fill_and_the_quietest_sky_is_not(seed: int) -> None:
    """Three of four neighbors are equal: a run of forty is no rarity on a chip, one of a hundred is."""
    rng = np.random.default_rng(seed)
    sci = (rng.random((800, 800)) < 0.147).astype(np.float32)
    assert not fill_rows(made(sci).chips["WF3"]).any()
    sci[70, 300:450] = -100.0
    assert np.flatnonzero(fill_rows(made(sci).chips["WF3"])).tolist() == [70]


@pytest.mark.parametrize(("depth", "lost"), [(6.0, False), (16.0, True)])
def test_a_row_whose_bias_is_off_is_dark_and_not_lost(depth: float, lost: bool) -> None:
    sci = noisy(np.random.default_rng(6), SHAPE, 0.5)
    chip = made(sci).chips["WF3"]
    sci[50] = sci[50] - sci[50].mean() - depth * chip.read_noise / chip.gain
    assert bool(fill_rows(made(sci).chips["WF3"])[50]) == lost


@pytest.mark.parametrize(("rows", "usable"), [(6, True), (2, False)])
def test_a_chip_that_shows_a_fortieth_is_used(rows: int, usable: bool) -> None:
    """Six of two hundred rows hold some stars; two hold none."""
    dq = np.full(SHAPE, 2, np.uint16)
    dq[:rows] = 0
    checked = examine(two_chips(noisy(np.random.default_rng(3), SHAPE, 3.0), dq), DataQualitySettings())
    assert any("wholly flagged: WF3" in note for note in checked.notes) == (not usable)


def test_a_sky_without_noise_is_no_fill() -> None:
    assert not fill_rows(made(np.full(SHAPE, 3.0)).chips["WF3"]).any()


def test_rows_that_are_flagged_already_are_not_said_again() -> None:
    dq = np.zeros(SHAPE, dtype=np.uint16)
    dq[100:] = 1
    sci = noisy(np.random.default_rng(3), SHAPE, 3.0)
    sci[100:] = 0.0
    assert examine(made(sci, dq), DataQualitySettings()).findings == ()


def two_chips(sci: np.ndarray, dq: np.ndarray | None = None):
    """An exposure of a good PC, and of a WF3."""
    good = noisy(np.random.default_rng(4), SHAPE, 3.0)
    none = np.zeros(SHAPE, np.uint16)
    chips = {"PC": (good, none, frame("PC", SHAPE)), "WF3": (sci, none if dq is None else dq, frame("WF3", SHAPE))}
    return exposure(1, chips)


@pytest.mark.parametrize("case", ["flagged", "NaN", "infinite"])
def test_a_chip_of_which_nothing_can_be_used_is_said_and_the_others_are_used(case: str) -> None:
    sci, dq = noisy(np.random.default_rng(3), SHAPE, 3.0), np.zeros(SHAPE, np.uint16)
    if case == "flagged":
        dq[:] = 2
    else:
        sci = np.full(SHAPE, np.nan if case == "NaN" else np.inf, np.float32)
    read = two_chips(*clean_pair(sci, dq, 16))
    checked = examine(read, DataQualitySettings())
    assert any("wholly flagged: WF3" in note for note in checked.notes)
    assert checked.verdict is Verdict.WARN
    assert np.all(checked.chips["WF3"].dq != 0)
    np.testing.assert_array_equal(checked.chips["PC"].dq, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_an_exposure_of_which_nothing_can_be_used_is_refused(value: float) -> None:
    sci, dq = clean_pair(np.full(SHAPE, value, np.float32), None, 16)
    with pytest.raises(InputError, match="no pixel of WF3 can be used"):
        examine(made(sci, dq), DataQualitySettings())


def test_numbers_that_are_none_become_flags_without_a_warning() -> None:
    sci = np.array([[1.0, np.inf, -np.inf, np.nan]], np.float32)
    flags = np.array([[2.0, 0.0, np.nan, np.inf]], np.float32)
    signal, bits = clean_pair(sci, flags, 16)
    np.testing.assert_array_equal(signal, [[1.0, np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(bits, [[2, 16, 16, 16]])


@pytest.mark.parametrize("wild", [1e38, -1e38, 1e20])
def test_numbers_that_no_light_makes_are_no_values(wild: float) -> None:
    """They are finite, and their squares are not: unflagged, they upset the search for rays."""
    signal, bits = clean_pair(np.array([[4095.0, wild, -30.0]], np.float32), np.zeros((1, 3), np.int16), 16)
    np.testing.assert_array_equal(signal, np.array([[4095.0, np.nan, -30.0]], np.float32))
    np.testing.assert_array_equal(bits, [[0, 16, 0]])


def test_masks_are_images_or_regions(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    read = read_exposure(path)
    image = np.zeros((SIDE, SIDE), dtype=np.int16)
    image[10:20, 30:50] = 1
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(image, name="MASK", ver=3)]
    fits.HDUList(hdus).writeto(tmp_path / "mask.fits")
    (tmp_path / "mask.reg").write_text("image\nbox(40.5,15.5,20,10,0) # tag={WF3}\n")
    for name in ("mask.fits", "mask.reg"):
        masks = read_masks([f"ua060502m={tmp_path / name}"], [read])
        np.testing.assert_array_equal(masks["ua060502m"]["WF3"], image != 0)
        found = examine(read, DataQualitySettings(), masks["ua060502m"])
        np.testing.assert_array_equal(found.chips["WF3"].dq & USER_BIT != 0, image != 0)
        assert not found.chips["PC"].dq.any()


@pytest.mark.parametrize("keyed", ["EXTVER", "CCDCHIP"])
def test_masks_of_a_camera_whose_files_begin_with_chip_2(tmp_path: Path, keyed: str) -> None:
    acs = next(camera for camera in CAMERAS if camera.name == "ACS/WFC")
    one = made(np.ones(SHAPE, np.float32))
    part = one.chips["WF3"]
    chips = {name: replace(part, name=name, header={"EXTVER": version}) for version, name in ((2, "WFC1"), (1, "WFC2"))}
    read = replace(one, camera=acs, chips=chips)
    units = [fits.PrimaryHDU()]
    for version, number in ((1, 2), (2, 1)):
        unit = fits.ImageHDU(np.full(SHAPE, number == 2, np.int16), name="MASK", ver=version)
        if keyed == "CCDCHIP":
            unit.header["EXTVER"], unit.header["CCDCHIP"] = 3 - version, number
        units.append(unit)
    fits.HDUList(units).writeto(tmp_path / "mask.fits")
    masks = read_masks([f"{read.root}={tmp_path / 'mask.fits'}"], [read])[read.root]
    assert masks["WFC2"].all()
    assert not masks["WFC1"].any()


def test_a_mask_of_another_size_or_for_nobody_is_refused(tmp_path: Path) -> None:
    read = read_exposure(write_pair(tmp_path))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((9, 9)), name="PC")]).writeto(tmp_path / "small.fits")
    with pytest.raises(InputError, match=r"9 x 9.*96 x 96"):
        read_masks([f"ua060502m={tmp_path / 'small.fits'}"], [read])
    for text in ("ua0699zzm=a.fits", "a.fits"):
        with pytest.raises(SettingsError, match=r"dq\.masks"):
            read_masks([text], [read])


@pytest.mark.parametrize("touches", [True, False])
def test_a_mask_that_touches_nothing_is_said(touches: bool) -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3:5, 4] = touches
    read = two_chips(noisy(np.random.default_rng(3), SHAPE, 3.0))
    checked = examine(read, DataQualitySettings(), {"PC": np.zeros(SHAPE, dtype=bool), "WF3": mask})
    assert checked.verdict is (Verdict.PASS if touches else Verdict.WARN)
    assert any("touches no pixel" in note for note in checked.notes) != touches


def test_altered_pixels_keep_the_signal() -> None:
    sci = noisy(np.random.default_rng(3), SHAPE, 3.0)
    read = two_chips(sci)
    chip = read.chips["WF3"]
    assert isinstance(chip.pixels, ArrayPixels)
    found = examine(read, DataQualitySettings(), {"WF3": np.ones(SHAPE, dtype=bool)})
    np.testing.assert_array_equal(found.chips["WF3"].sci, sci)
    with pytest.raises(ValueError, match="read-only"):
        found.chips["WF3"].dq[0, 0] = 0
    assert replace(chip).dq.sum() == 0
