"""What the quality file should have marked and has not is flagged, and said; what it marks is left as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.instrument.cameras import CAMERAS
from mizzle.instrument.shadow import lit_share
from mizzle.io.examine import examine, fill_rows
from mizzle.io.unmarked import repeated_rows, unmarked_shadow
from mizzle.model import Verdict
from mizzle.model.altered import USER_BIT
from mizzle.settings.dq import DataQualitySettings
from tiny_visit import exposure, frame, noisy

SHAPE, WHOLE = (200, 200), (800, 800)


def made(sci, dq=None):
    flags = np.zeros(sci.shape, np.uint16) if dq is None else dq
    return exposure(1, {"WF3": (sci, flags, frame("WF3", sci.shape))})


def rows_flagged(chip):
    return ((chip.dq & USER_BIT) != 0).all(axis=1)


@settings(max_examples=25)
@given(source=st.integers(0, 60), target=st.integers(100, 160), count=st.integers(1, 40), whole=st.booleans())
def test_rows_that_were_written_twice_are_flagged_both_and_no_others(source, target, count, whole):
    """A copy says nothing of its own sky; nothing tells which of the two is the copy."""
    rng = np.random.default_rng(source)
    sci = noisy(rng, SHAPE, 4.0)
    sci = np.round(sci) if whole else sci
    sci[target : target + count] = sci[source : source + count]
    expected = np.zeros(SHAPE[0], np.bool_)
    expected[[*range(source, source + count), *range(target, target + count)]] = True
    examined = examine(made(sci), DataQualitySettings())
    np.testing.assert_array_equal(rows_flagged(examined.chips["WF3"]), expected)
    said = [f for f in examined.findings if "pixels of other rows" in f.sentence]
    assert [f.verdict for f in said] == [Verdict.WARN]
    assert f"WF3 {expected.sum()};" in said[0].sentence


@pytest.mark.parametrize("signal", [0.0, 0.2, 30.0])
def test_noise_repeats_no_row(signal):
    for seed in range(3):
        chip = made(noisy(np.random.default_rng(seed), WHOLE, signal)).chips["WF3"]
        assert not repeated_rows(chip, np.zeros(WHOLE, np.bool_)).any()


@pytest.mark.parametrize("image", [np.full(SHAPE, 3.0), np.tile(np.arange(200.0), (200, 1)), np.zeros(SHAPE)])
def test_an_image_without_noise_has_no_copies(image):
    assert not repeated_rows(made(image).chips["WF3"], np.zeros(SHAPE, np.bool_)).any()


def test_fill_is_said_as_fill_and_not_as_copies():
    sci = noisy(np.random.default_rng(1), SHAPE, 4.0)
    sci[50:80] = -100.0
    sentences = [f.sentence for f in examine(made(sci), DataQualitySettings()).findings]
    assert any("30 rows" in sentence for sentence in sentences)
    assert not any("pixels of other rows" in sentence for sentence in sentences)


def test_flagged_pixels_do_not_end_a_run_of_fill():
    """Bad columns cross lost packets; what is filled is filled there too."""
    rng = np.random.default_rng(2)
    sci, dq = noisy(rng, SHAPE, 4.0), np.zeros(SHAPE, np.uint16)
    sci[40:60, 20:140] = -1.0
    dq[:, [60, 100]] = 256
    lost = np.zeros(SHAPE[0], np.bool_)
    lost[40:60] = True
    np.testing.assert_array_equal(fill_rows(made(sci, dq).chips["WF3"]), lost)


def test_a_shadow_that_nobody_marked_is_flagged_by_its_place_and_said():
    rng = np.random.default_rng(3)
    examined = examine(made(noisy(rng, WHOLE, 4.0)), DataQualitySettings())
    np.testing.assert_array_equal((examined.chips["WF3"].dq & USER_BIT) != 0, lit_share("WF3", WHOLE) < 0.5)
    verdicts = {f.verdict for f in examined.findings if "shadow" in f.sentence}
    assert verdicts == {Verdict.PASS, Verdict.WARN}  # what was done, and that the quality file says nothing


def test_a_shadow_that_is_marked_or_cut_off_or_of_another_camera_is_left_alone():
    dq = np.zeros(WHOLE, np.uint16)
    dq[:3, :3] = 2
    chip = made(noisy(np.random.default_rng(4), WHOLE, 4.0), dq).chips["WF3"]
    camera = CAMERAS[0]
    assert unmarked_shadow(camera, chip) is None
    assert unmarked_shadow(camera, made(noisy(np.random.default_rng(4), SHAPE, 4.0)).chips["WF3"]) is None
