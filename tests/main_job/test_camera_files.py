"""Files of ACS and WFC3 as the archive has them: odd extensions, responses, states of the WCS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

import mizzle
from mizzle.errors import InputError, MizzleError
from mizzle.instrument.noise import noise_model
from mizzle.instrument.wcs_states import header_position, wcs_states
from mizzle.io.camera_headers import camera_headers
from mizzle.io.examine import examine
from mizzle.model import Verdict
from mizzle.settings import Settings
from mizzle.simulate.cameras import camera_visit, write_exposures
from mizzle.simulate.cameras.visit import CameraExposure, ChipExposure
from mizzle.steps.equalize import equalize

QUICK = {"stars": 1, "exptime": 100.0, "dithers": ((0.0, 0.0),), "rays": False}


def blank(name, folder, level=20.0, seed=1):
    """An exposure of noise, its chips of whole size, and no light simulated."""
    headers = camera_headers(name)
    camera, band = name.split()
    visit = camera_visit("acs-hrc", **QUICK)
    rng = np.random.default_rng(seed)
    zero = np.zeros(headers.shape, np.float32)
    chips = tuple(
        ChipExposure(
            version, rng.normal(level, 5.0, headers.shape).astype(np.float32), zero + 5, zero.astype(np.int16),
            zero > 1, {},
        )
        for version in range(1, len(headers.science) + 1)
    )  # fmt: skip
    root = f"jtest{seed:03d}1q"
    plan = replace(visit.plan, camera=camera, filter=band, exptime=400.0)
    one = CameraExposure(root, 55000.0, 1.0, chips, (0.0, 0.0))
    (path,) = write_exposures(replace(visit, plan=plan, headers=headers, exposures=(one,)), folder)
    return path


def blocks(path):
    """The bytes of each extension."""
    with fits.open(path) as units:
        info = [unit.fileinfo() for unit in units]
    whole = path.read_bytes()
    ends = [one["datLoc"] + one["datSpan"] for one in info]
    return [whole[one["hdrLoc"] : end] for one, end in zip(info, ends, strict=True)]


def headerlet():
    """A headerlet as the archive stores it: the bytes of a whole file behind a header of its own kind."""
    data = b"SIMPLE  =                    T".ljust(2880) * 3
    cards = [
        "XTENSION= 'NONSTANDARD'        / FITS headerlet",
        "BITPIX  =                    8", "NAXIS   =                    1",
        f"NAXIS1  = {len(data):20d}", "PCOUNT  =                    0", "GCOUNT  =                    1",
        "EXTNAME = 'HDRLET  '", "EXTVER  =                    1", "END",
    ]  # fmt: skip
    return b"".join(card.encode().ljust(80) for card in cards).ljust(2880) + data


def wcscorr(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("WCS_ID", "40A", array=np.array(["IDC"] * 5))], name="WCSCORR")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "corr.fits")
    return blocks(tmp_path / "corr.fits")[1]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["acs-wfc F606W", "wfc3-uvis F555W"])
def test_extensions_may_stand_in_any_order_among_unknown_ones(name, seed, tmp_path):
    path = blank(name, tmp_path)
    plain = mizzle.read_exposure(path)
    primary, *others = blocks(path)
    others += [headerlet(), wcscorr(tmp_path), headerlet()]
    np.random.default_rng(seed).shuffle(others)
    path.write_bytes(b"".join([primary, *others]))
    mixed = mizzle.read_exposure(path)
    assert list(mixed.chips) == list(plain.chips)
    x, y = np.array([0.0, 700.0, 4095.0]), np.array([2000.0, 3.0, 1500.0])
    for chip, other in zip(plain.chips.values(), mixed.chips.values(), strict=True):
        np.testing.assert_array_equal(chip.sci, other.sci)
        np.testing.assert_array_equal(chip.frame.pixel_to_sky(x, y), other.frame.pixel_to_sky(x, y))


def test_the_noise_of_the_second_uvis_chip_was_scaled_with_its_signal(tmp_path):
    """U6: R^2 times the variance of its electrons, dark and flash among them."""
    exposure = mizzle.read_exposure(blank("wfc3-uvis F555W", tmp_path))
    ratio = 1.010510439272
    model = noise_model(exposure, exposure.chips["UVIS2"], mizzle.Settings().noise)
    read = np.mean(np.square([exposure.header[f"READNSE{amp}"] for amp in "CD"]))
    dark = sum(exposure.chips["UVIS2"].header.get(key, 0.0) for key in ("MEANDARK", "MEANFLSH"))
    signal = np.array([0.0, 5.0, 400.0, 5e4])
    np.testing.assert_allclose(model.variance(signal), ratio**2 * (signal / ratio + dark + read), rtol=1e-6)


def test_both_ways_of_calibrating_uvis_give_one_product(tmp_path):
    """U7: chips brought to one response (FLUXCORR), or left with a PHOTFLAM of their own."""
    path = blank("wfc3-uvis F555W", tmp_path / "complete", level=400.0)
    other = tmp_path / "omit" / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with fits.open(other, mode="update") as units:
        ratio = units[0].header["PHTRATIO"]
        units[0].header["FLUXCORR"] = "OMIT"
        units["SCI", 1].data = (units["SCI", 1].data / np.float64(ratio)).astype(np.float32)
    settings = mizzle.load_settings("", ["reject.method=none", "sky.method=none", "combine.scale=0.32"])
    planes = []
    for one in (path, other):
        result = mizzle.pipeline.process([mizzle.read_exposure(one)], settings)
        (mosaic,) = result.mosaics.values()
        planes.append((mosaic.photflam, mosaic.sci, mosaic.err))
    assert planes[0][0] == pytest.approx(planes[1][0], rel=1e-9)
    for first, second in zip(planes[0][1:], planes[1][1:], strict=True):
        seen = np.isfinite(first) & (np.abs(first) > 0)
        assert seen.sum() > 200_000
        assert np.array_equal(np.isfinite(first), np.isfinite(second))
        np.testing.assert_allclose(second[seen], first[seen], rtol=1e-6)


def test_a_ramp_s_rate_is_not_divided_by_time_again(tmp_path):
    """U9: the product of one exposure holds the file's electrons per second; PHOTFLAM is the primary header's."""
    path = blank("wfc3-ir F110W", tmp_path, level=900.0)
    exposure = mizzle.read_exposure(path)
    with fits.open(path) as units:
        assert "PHOTFLAM" not in units["SCI", 1].header
        photflam, rate = units[0].header["PHOTFLAM"], np.array(units["SCI", 1].data, np.float64)
    (chip,) = exposure.chips.values()
    assert chip.photflam == photflam
    np.testing.assert_allclose(chip.sci / exposure.exptime, rate, rtol=3e-7)
    assert equalize([exposure], mizzle.Settings()).factors[exposure.root]["IR"] == 1.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({0: {"OBSTYPE": "SPECTROSCOPIC"}}, "IMAGING"),
        ({0: {"CRCORR": "COMPLETE"}}, "CR-SPLIT"),
        ({1: {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}}, "fetch the present version"),
        ({1: {"BUNIT": "COUNTS"}}, "calibrated flt or flc"),
    ],
)
def test_what_is_no_single_calibrated_image_is_refused(changes, words, tmp_path):
    """U12: spectra, sums, raw files, and a WCS without distortion."""
    path = blank("acs-hrc F606W", tmp_path)
    with fits.open(path, mode="update") as units:
        for number, cards in changes.items():
            units[number].header.update(cards)
    with pytest.raises(InputError, match=words):
        mizzle.read_exposure(path)


def test_a_linear_wcs_is_refused_by_its_letter_and_a_product_by_its_kind(tmp_path):
    """U12: letter O, and what was drizzled already."""
    path = blank("acs-hrc F606W", tmp_path)
    with fits.open(path, mode="update") as units:
        header = units["SCI", 1].header
        for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"):
            header[f"{key}O"] = header[key]
        header.update({"CTYPE1O": "RA---TAN", "CTYPE2O": "DEC--TAN", "WCSNAMEO": "OPUS"})
    with pytest.raises(InputError, match="plain TAN"):
        mizzle.read_exposure(path, mizzle.load_settings("", ["geometry.wcsname=OPUS"]))
    mizzle.run([path], tmp_path / "out", settings=mizzle.load_settings("", ["output.until=combine"]), workers=1)
    product = next((tmp_path / "out").glob("*_drz.fits"))
    with pytest.raises(MizzleError, match="drizzled"):
        mizzle.run([product])


def with_wcs(exposure, name, alternates=()):
    chips = {}
    for key, chip in exposure.chips.items():
        header = dict(chip.header)
        for letter, other in zip("ABC", alternates, strict=False):
            header |= {f"CRVAL1{letter}": 1.0, f"CTYPE1{letter}": "RA---TAN-SIP", f"WCSNAME{letter}": other}
        header["WCSNAME"] = name
        chips[key] = replace(chip, header=header, frame=replace(chip.frame, name=name))
    return replace(exposure, chips=chips)


def test_exposures_placed_by_different_solutions_are_a_warning(tmp_path):
    one = mizzle.read_exposure(blank("acs-hrc F606W", tmp_path, seed=1))
    two = replace(one, root="jtest0021q")
    fit, old = "IDC_x-FIT_SVM_GAIADR2", "IDC_x"
    assert wcs_states([with_wcs(one, fit), with_wcs(two, fit)]) == ()
    (finding,) = wcs_states([with_wcs(one, fit, [old]), with_wcs(two, old)])
    assert finding.verdict is Verdict.WARN
    assert f"{fit}: {one.root}" in finding.sentence
    assert f"geometry.wcsname = '{old}' is in all headers" in finding.sentence
    (finding,) = wcs_states([with_wcs(one, fit), with_wcs(two, "IDC_y")])
    assert "no header's WCS is in all" in finding.sentence
    # What all have: the most refined is advised.
    (finding,) = wcs_states([with_wcs(one, fit, ["IDC_x-GSC240", old]), with_wcs(two, old, ["IDC_x-GSC240"])])
    assert "'IDC_x-GSC240' is in all headers" in finding.sentence


def test_headers_know_their_place_as_well_as_their_guide_stars_did(tmp_path):
    """The worst of the exposures counts; what the archive fitted to a catalog is good to hundredths of an arcsec."""
    one = mizzle.read_exposure(blank("acs-hrc F606W", tmp_path, seed=1))
    old, new = replace(one, mjd_start=51000.0), replace(one, mjd_start=54500.0)
    errors = [header_position([with_wcs(e, "IDC_x")]).error for e in (old, new)]
    assert errors[0] > errors[1]
    corrected = header_position([with_wcs(old, "IDC_x-GSC240")]).error
    fitted = header_position([with_wcs(old, "IDC_x-FIT_SVM_GAIADR2")]).error
    assert errors[1] > corrected > fitted
    assert header_position([with_wcs(old, "IDC_x-FIT_SVM_GAIADR2"), with_wcs(old, "IDC_x")]).error == errors[0]


@pytest.mark.parametrize(("mode", "noticed"), [("ACS HRC F606W", False), ("ACS HRC F814W", True), ("", False)])
def test_photflam_of_another_filter_is_noticed(mode, noticed, tmp_path):
    path = blank("acs-hrc F606W", tmp_path)
    with fits.open(path, mode="update") as units:
        units["SCI", 1].header["PHOTMODE"] = mode
    sentences = [finding.sentence for finding in mizzle.read_exposure(path).findings]
    assert any("PHOTMODE names F814W" in sentence for sentence in sentences) == noticed


def test_data_quality_that_flags_nothing_is_noticed(tmp_path):
    """Every detector has bad pixels; a simulated one too."""
    visit = camera_visit("acs-hrc", **QUICK)
    (path,) = write_exposures(visit, tmp_path)

    def warned():
        exposure = examine(mizzle.read_exposure(path), Settings().dq)
        return [f.sentence for f in exposure.findings if f.verdict is Verdict.WARN and "is flagged" in f.sentence]

    assert not warned()
    with fits.open(path, mode="update") as units:
        units["DQ", 1].data[:] = 0
    (sentence,) = warned()
    assert "pyramid" not in sentence


def test_sentences_count_what_the_camera_counts(tmp_path):
    path = blank("acs-hrc F606W", tmp_path)
    with fits.open(path, mode="update") as units:
        units["SCI", 1].data[:, 500] += 60.0
    exposure = examine(mizzle.read_exposure(path), Settings().dq)
    sentences = [f.sentence for f in exposure.findings if "unlike their neighbors" in f.sentence]
    assert sentences
    assert all("electrons" in sentence and "DN" not in sentence for sentence in sentences)
