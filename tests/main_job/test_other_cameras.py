"""The main job on ACS and WFC3: the same steps, the same products, another camera's words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import mizzle
from mizzle.camera_scores import score_camera_visit
from mizzle.cli.inspection import inspect_text
from mizzle.errors import InputError, SettingsError
from mizzle.geometry.header import frame_from_header
from mizzle.geometry.mapping import pixel_area
from mizzle.io.camera_headers import camera_headers, known_headers
from mizzle.model import Verdict
from mizzle.simulate.cameras import TWO_EPOCHS, camera_visit, write_exposures
from mizzle.simulate.cameras.visit import CameraExposure, ChipExposure
from mizzle.steps.verify.stars import smooth_area

DITHERS = ((0.0, 0.0), (1.513, 0.787), (0.755, 2.023))


@pytest.fixture(scope="module", params=[("acs-hrc", 18.0, 22.0), ("wfc3-ir", 20.5, 24.0)], ids=lambda p: p[0])
def made(request, tmp_path_factory):
    camera, brightest, faintest = request.param
    visit = camera_visit(
        camera, stars=250, brightest=brightest, faintest=faintest, exptime=100.0, dithers=DITHERS, seed=4,
        epochs=TWO_EPOCHS,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp(camera)
    paths = write_exposures(visit, folder / "in")
    result = mizzle.run(paths, out=folder / "out", workers=1)
    return visit, result, folder / "out"


def matched(visit, result):
    """Catalog stars that have one true star nearby, and it."""
    catalog = next(iter(result.catalogs.values())).columns
    scale = np.cos(np.deg2rad(visit.dec.mean()))
    true = np.column_stack([visit.ra * scale, visit.dec]) * 3600.0
    seen = np.column_stack([catalog["ra"] * scale, catalog["dec"]]) * 3600.0
    apart = np.hypot(*(seen[:, None, :] - true[None, :, :]).transpose(2, 0, 1))
    near = apart.argmin(axis=1)
    alone = np.sort(np.hypot(*(true[:, None, :] - true[None, :, :]).transpose(2, 0, 1)), axis=1)[:, 1] > 1.2
    good = (apart.min(axis=1) < 0.06) & alone[near] & (catalog["flux"] > 50 * catalog["flux_err"])
    return (seen[good] - true[near[good]]) * 1000.0, catalog["flux"][good] / visit.rate[near[good]]


def test_an_exposure_is_inspected_under_its_own_camera_s_name(made):
    _, result, out = made
    text = inspect_text([str(path) for path in sorted((out.parent / "in").glob("*.fits"))[:1]])
    assert f"  {result.exposures[0].camera.name}  target" in text
    assert "WFPC2" not in text


def test_exposures_are_aligned_and_stars_have_one_scale_of_flux(made):
    visit, result, _ = made
    assert result.alignment.verdict is Verdict.PASS
    offset, ratio = matched(visit, result)
    assert len(ratio) >= 8
    # The frame of a visit is the mean of its pointings; stars about it are a few mas off.
    assert np.std(offset, axis=0).max() < 5.0
    assert np.abs(np.median(offset, axis=0)).max() < 60.0
    assert np.std(ratio) / np.median(ratio) < 0.05
    # All light: the aperture's over STScI's encircled energy, on pixels that the flat field refers to IDCSCALE.
    assert np.median(ratio) == pytest.approx(1.0, abs=0.015)


def test_products_speak_of_their_camera(made):
    visit, result, out = made
    assert result.name.startswith(f"simulated_{visit.plan.camera}_")
    with fits.open(next(out.glob("*_drz.fits"))) as units:
        units.verify("exception")
        assert units[0].header["INSTRUME"] == visit.plan.facts.instrument
        assert units[0].header["DETECTOR"] == visit.plan.facts.detector
        assert units["SCI"].header["BUNIT"] == "ELECTRONS/S"
        assert WCS(units["SCI"].header).celestial.naxis == 2
    report = json.loads(next(out.glob("*_report.json")).read_text("utf-8"))
    assert report["camera"].lower().replace("/", "-") == visit.plan.camera
    # One chip proves nothing about chips, two epochs much about epochs.
    assert report["zeropoint"]["proof"][visit.plan.facts.detector]["verdict"] == "NONE"
    assert set(report["zeropoint"]["exposures"]) == {exposure.root for exposure in visit.exposures}
    with fits.open(next(out.glob("*_drz.fits"))) as units:
        header = units[0].header
        assert header["ZPXVERIF"] == header["ZPVERIF"] == report["zeropoint"]["verdict"] != "NONE"
        assert header["ZPXRAT"] == report["zeropoint"]["exposures"][header["ZPXROOT"]]["ratio"]
    assert set(Table.read(next(out.glob("*_cat.ecsv")))["chip"]) == {visit.plan.facts.detector}


def test_epochs_are_proven_and_a_wrong_photflam_of_one_is_found(made):
    """Eleven years and half a turn apart; each epoch has its PHOTFLAM."""
    visit, result, _ = made
    proof = next(iter(result.zeropoints.values()))
    second = visit.exposures[1].root
    assert proof.exposures[second].scale == pytest.approx(1.02)
    for one in proof.exposures.values():
        assert one.n_pairs >= 5
        assert abs(one.ratio - 1.0) < 3.0 * one.error + 1e-12
    wrong = [exposure if exposure.root != second else with_photflam(exposure, 1.05) for exposure in result.exposures]
    again = next(iter(mizzle.pipeline.process(wrong).zeropoints.values()))
    assert again.exposures[second].ratio == pytest.approx(1.05, abs=0.02)
    assert again.verdict is Verdict.FAIL


def with_photflam(exposure, factor):
    chips = {name: replace(chip, photflam=factor * chip.photflam) for name, chip in exposure.chips.items()}
    return replace(exposure, chips=chips)


def test_zeropoints_of_different_calibrations_are_a_warning(made):
    _, result, _ = made
    one, *others = result.exposures
    mixed = [replace(one, header={**one.header, "IMPHTTAB": "another_imp.fits"}), *others]
    again = mizzle.pipeline.process(mixed)
    (finding,) = [f for f in again.findings if "different calibrations" in f.sentence]
    assert finding.verdict is Verdict.WARN
    assert again.parts["inputs"] is Verdict.WARN
    assert not [f for f in result.findings if "different calibrations" in f.sentence]


def test_rays_of_a_ccd_are_found_and_a_ramp_has_none(made):
    visit, result, _ = made
    shares = [share for chips in result.cosmic_rays.fractions.values() for share in chips.values()]
    if visit.plan.facts.rate:
        assert max(shares) < 0.002
        # None is expected, and no star's core is taken for one.
        assert not [finding for finding in result.findings if finding.part == "cosmic rays"]
        return
    hit, found = 0, 0
    for exposure in visit.exposures:
        (chip,) = exposure.chips
        mask = result.cosmic_rays.mask(exposure.root, "HRC", chip.rays.shape)
        strong = chip.rays & (chip.sci > 250.0)
        hit, found = hit + strong.sum(), found + (strong & mask).sum()
    assert found > 0.9 * hit > 0


@pytest.mark.parametrize("name", known_headers())
def test_every_form_of_file_is_read(name, tmp_path):
    """Chips by CCDCHIP, lookup tables, positions as astropy has them; without simulating any light."""
    headers = camera_headers(name)
    visit = camera_visit("acs-hrc", stars=1, exptime=1.0, dithers=((0.0, 0.0),), rays=False)
    camera, band = name.split()
    blank = np.zeros(headers.shape, np.float32)
    noise = np.random.default_rng(1).normal(5.0, 2.0, headers.shape).astype(np.float32)
    chips = tuple(
        ChipExposure(version, noise, blank + 2.0, blank.astype(np.int16), blank > 1, {})
        for version in range(1, len(headers.science) + 1)
    )
    exposure = CameraExposure("jtest0101", 55000.0, 1.0, chips, (0.0, 0.0))
    plan = replace(visit.plan, camera=camera, filter=band, exptime=100.0)
    (path,) = write_exposures(replace(visit, plan=plan, headers=headers, exposures=(exposure,)), tmp_path)
    read = mizzle.read_exposure(path)
    assert read.filter == band
    assert read.camera.label == camera
    scale = 100.0 if camera == "wfc3-ir" else 1.0
    with fits.open(path) as units:
        for version, chip in enumerate(read_in_file_order(read, units), start=1):
            wcs = WCS(units["SCI", version].header, units)
            x, y = np.array([3.0, 500.0, headers.shape[1] - 5.0]), np.array([7.0, 400.0, headers.shape[0] - 9.0])
            theirs, ours = wcs.all_pix2world(x, y, 0), chip.frame.pixel_to_sky(x, y)
            assert np.allclose(theirs, ours, rtol=0, atol=1e-9)
            np.testing.assert_allclose(chip.sci, noise * scale, rtol=1e-6)
            area = sky_area(wcs, x, y) / units["SCI", version].header["IDCSCALE"] ** 2
            rows, columns = y.astype(int), x.astype(int)
            np.testing.assert_allclose(pixel_area(chip.frame)[rows, columns], area, rtol=3e-5)
            np.testing.assert_allclose(smooth_area(chip.frame, x, y), area, rtol=1.5e-3)


def sky_area(wcs, x, y):
    """Area of pixels [arcsec2], by astropy: from the sky at their corners."""
    (ra, dec) = wcs.all_pix2world(np.add.outer([-0.5, 0.5, 0.5, -0.5], x), np.add.outer([-0.5, -0.5, 0.5, 0.5], y), 0)
    u, v = 3600.0 * (ra - ra[0]) * np.cos(np.deg2rad(dec[0])), 3600.0 * (dec - dec[0])
    return 0.5 * np.abs((u * np.roll(v, -1, axis=0) - np.roll(u, -1, axis=0) * v).sum(axis=0))


def test_the_flat_field_refers_all_chips_to_one_pixel():
    """Of ACS/WFC's chips the reference pixels differ by 5 % in area: a star's counts must not."""
    headers = camera_headers("acs-wfc F606W")
    sides = []
    for version in (1, 2):
        header = headers.science_header(version)
        frame = frame_from_header(
            {k: v for k, v in header.items() if not k.startswith(("D2IM", "CPDIS", "CPERR", "DP1", "DP2", "DP"))},
            headers.shape, chip=f"SCI,{version}", flat_side=header["IDCSCALE"],
        )  # fmt: skip
        assert frame.side == frame.scale == pytest.approx(0.05)
        sides.append(frame.reference_side)
    assert (sides[0] / sides[1]) ** 2 == pytest.approx(1.0485, abs=5e-4)


def read_in_file_order(exposure, units):
    names = {chip: index for index, chip in enumerate(exposure.chips)}
    versions = [unit for unit in units if unit.name == "SCI"]
    numbers = [int(unit.header.get("CCDCHIP", 1)) for unit in versions]
    chips = list(exposure.chips.values())
    assert len(chips) == len(versions) == len(names)
    return [chips[number - 1] for number in numbers] if len(chips) > 1 else chips


def test_two_cameras_in_one_run_are_refused(tmp_path):
    paths = []
    for camera in ("acs-hrc", "wfc3-ir"):
        visit = camera_visit(camera, stars=1, exptime=1.0, dithers=((0.0, 0.0),), rays=False)
        paths += write_exposures(visit, tmp_path / camera)
    with pytest.raises(SettingsError, match="one run takes one camera"):
        mizzle.run(paths)


def test_an_old_calibration_without_distortion_is_refused(tmp_path):
    visit = camera_visit("acs-hrc", stars=1, exptime=1.0, dithers=((0.0, 0.0),), rays=False)
    (path,) = write_exposures(visit, tmp_path)
    with fits.open(path, mode="update") as units:
        for axis, word in ((1, "RA---TAN"), (2, "DEC--TAN")):
            units["SCI", 1].header[f"CTYPE{axis}"] = word
    with pytest.raises(InputError, match="fetch the present version"):
        mizzle.read_exposure(path)


def test_the_scores_of_a_visit_are_figures_with_errors(made):
    visit, result, _ = made
    scores = {score.name: score for score in score_camera_visit(result, visit)}
    assert scores["star positions, rms by axis"].value < 5.0
    assert scores["star flux over truth"].met
    assert all(score.error >= 0 for score in scores.values())
    assert ("cosmic rays > 10 sigma found" in scores) == (not visit.plan.facts.rate)


def test_written_exposures_keep_their_cameras_words(made, tmp_path):
    from mizzle.io.flt import write_exposures as write

    visit, result, _ = made
    write(tmp_path, result, mizzle.Settings())
    with fits.open(next(tmp_path.glob("*.fits"))) as units:
        assert units["SCI", 1].header["BUNIT"] == "ELECTRONS"
        assert units[0].header["DETECTOR"] == visit.plan.facts.detector
        assert "DETECTOR" not in units["SCI", 1].header
