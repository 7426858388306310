"""Cameras are found by a header, travel, and know their chips."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mizzle.errors import SettingsError
from mizzle.instrument.cameras import CAMERAS, WFPC2, camera_of, harmless_bits, settings_for
from mizzle.instrument.dq import good_bits
from mizzle.instrument.shadow import lit_share
from mizzle.instrument.wfpc2.frames import frames_for_pointing
from mizzle.settings import Settings


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.label)
def test_a_camera_travels_and_knows_its_chips(camera):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(camera, protocol)) == camera
    assert len({camera, pickle.loads(pickle.dumps(camera))}) == 1
    assert sorted(chip for one in camera.classes for chip in one.chips) == sorted(camera.chips)
    assert camera.reference in camera.chips
    assert [camera.number(chip) for chip in camera.chips] == list(range(1, len(camera.chips) + 1))
    assert all(camera.chip_named(chip.lower()) == chip for chip in camera.chips)
    assert camera.chip_named("no chip") is None
    assert camera.to_infinity("F606W") >= 1.0
    assert camera.is_whole(camera.shape)
    assert not camera.is_whole((100, 100))


def test_headers_name_cameras():
    assert camera_of({"INSTRUME": "WFPC2", "DETECTOR": 1}) is WFPC2
    assert camera_of({"INSTRUME": "WFC3  ", "DETECTOR": "UVIS"}).name == "WFC3/UVIS"
    assert camera_of({"INSTRUME": "ACS", "DETECTOR": "SBC"}) is None
    assert camera_of({}) is None


@pytest.mark.parametrize("chip", WFPC2.chips)
def test_the_distance_into_the_light_is_that_of_the_lit_share(chip):
    """Half lit at the edge, all within half a pixel of it."""
    share = lit_share(chip, (800, 800))
    y, x = np.mgrid[:200:7, :200:7].astype(float)
    distance = WFPC2.lit_distance(chip, x.ravel(), y.ravel())
    found = share[:200:7, :200:7].ravel()
    assert (found[distance > 0.5] == 1.0).all()
    assert (found[distance < -0.5] == 0.0).all()


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
def test_names_of_bits_are_the_cameras_own(camera):
    chosen = Settings(dq={"good": ("saturated",)})
    assert harmless_bits(camera, chosen.dq) == camera.saturated
    assert good_bits(settings_for(camera, chosen).dq.good) == camera.saturated
    assert harmless_bits(camera, Settings().dq) == camera.good
    with pytest.raises(SettingsError, match="no data-quality bit"):
        harmless_bits(camera, Settings(dq={"good": ("nonsense",)}).dq)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.label)
def test_diffusion_moves_charge_and_makes_none(camera):
    kept, edge, corner = camera.diffusion
    assert kept + 4.0 * (edge + corner) == pytest.approx(1.0)


def test_stars_of_acs_and_wfc3_grow_from_half_an_arcsec_as_published():
    """Encircled energies of STScI's tables; what lies beyond differs by camera and filter."""
    shares = {(camera.name, band): 1.0 / camera.to_infinity(band) for camera in CAMERAS for band in ("F814W", "F160W")}
    assert shares["ACS/WFC", "F814W"] == pytest.approx(0.907, abs=0.002)
    assert shares["WFC3/UVIS", "F814W"] == pytest.approx(0.918, abs=0.002)
    assert shares["WFC3/IR", "F160W"] == pytest.approx(0.852, abs=0.002)


def test_nominal_pixels_of_wfpc2_are_those_of_its_frames():
    frames = frames_for_pointing(150.0, 2.0, 30.0, date_obs="2007-06-04", filters=("F814W", ""))
    for name, frame in frames.items():
        assert WFPC2.class_of(name).pixel == pytest.approx(frame.scale, rel=0.003)
