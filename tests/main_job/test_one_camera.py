"""One run takes one camera, and names its product after it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mizzle import SettingsError
from mizzle.instrument.cameras import CAMERAS
from mizzle.selection import Exclusions, default_name, same_camera
from tiny_visit import exposure, frame

HRC = next(camera for camera in CAMERAS if camera.name == "ACS/HRC")
PLANE = np.zeros((20, 20))


def visit():
    chips = {"WF3": (PLANE, PLANE, frame("WF3", (20, 20)))}
    own = [exposure(number, chips) for number in range(3)]
    return [dataclasses.replace(own[0], camera=HRC), *own[1:]]


def test_a_second_camera_is_refused_by_name():
    with pytest.raises(SettingsError, match=r"is of ACS/HRC, other exposures are of WFPC2; one run takes one camera"):
        same_camera(visit(), Exclusions())


def test_on_request_the_camera_of_most_exposures_stays():
    exposures, exclusions = visit(), Exclusions(keep_going=True)
    assert same_camera(exposures, exclusions) == exposures[1:]
    assert list(exclusions.reasons) == [exposures[0].root]


def test_the_default_name_says_the_camera():
    exposures = visit()
    assert default_name(exposures[1:]) == "tiny_wfpc2_f814w"
    assert default_name(exposures[:1]) == "tiny_acs-hrc_f814w"
