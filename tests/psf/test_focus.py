"""The focus of a chip is found again, from stars among cosmic rays."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.execution import make_runner
from mizzle.instrument.star_optics import chip_star, sharpest_star, star_optics
from mizzle.model import Serial
from mizzle.psf import sharpening, star_image, star_misfits
from mizzle.settings import Settings
from mizzle.simulate import visit
from mizzle.steps.focus import TRIED, best_focus, measure_focus

QUIET = {"pointing_error": 0.0, "roll_error": 0.0}
BAND = (5443.0, 522.0)


def measured(**plan):
    effects = {**QUIET, **plan.pop("effects", {})}
    made = visit(n=1, density=600.0, effects=effects, **plan)
    return made.exposures[0], measure_focus(made.exposures, Settings(), make_runner(2))[0]


@pytest.mark.parametrize(
    ("pixel", "focus"), [(0.0996, 0.0), (0.0996, 0.03), (0.0996, 0.05), (0.0455, 0.02), (0.0455, 0.045)]
)
def test_stars_of_a_known_focus_fit_best_there(pixel, focus):
    rng = np.random.default_rng(3)
    dx, dy = rng.uniform(-0.5, 0.5, (2, 40))
    light = 5e4 * star_image(star_optics(pixel, *BAND, defocus=focus)).pixels(dx, dy, 2) + 30.0
    variance = light + 50.0
    light = light + rng.normal(0.0, np.sqrt(variance))
    misfits = star_misfits(light, variance, [star_image(star_optics(pixel, *BAND, defocus=one)) for one in TRIED])
    assert np.median(best_focus(misfits)) == pytest.approx(focus, abs=0.004 if focus else 0.008)
    assert np.median(misfits.min(axis=0)) < 40  # of 25 pixels


@pytest.mark.parametrize("defocus", [0.025, 0.05])
def test_the_focus_of_a_visit_is_measured_on_every_chip_with_stars(defocus):
    before, after = measured(filter="F555W", seed=12, effects={"defocus": defocus})
    for name, chip in after.chips.items():
        assert chip.focus.stars >= 6, name
        assert chip.focus.usual == pytest.approx(defocus, abs=0.006), name
        assert chip.focus.sharpest <= chip.focus.usual
        assert chip.sci is before.chips[name].sci
    # It decides the image that all steps use.
    wide, narrow = (chip_star(after.camera, after.chips["WF3"], defocus=one) for one in (0.06, 0.0))
    assert wide.peak_share < chip_star(after.camera, after.chips["WF3"]).peak_share < narrow.peak_share
    assert (
        sharpest_star(after.camera, after.chips["WF3"]).peak_share
        < sharpest_star(before.camera, before.chips["WF3"]).peak_share
    )


@pytest.mark.parametrize("pixel", [0.0996, 0.0455])
def test_one_number_turns_the_mean_of_images_into_each(pixel):
    """A change of focus is mostly one of the second moment: what is left is a fraction of the change."""
    images = [star_image(star_optics(pixel, 3359.0, 204.0, defocus=one)) for one in (0.02, 0.04, 0.057)]
    steps = sharpening(images)
    assert steps[0] > 0.03 > abs(steps[1])
    assert steps[2] < -0.03
    at = np.array([0.1]), np.array([-0.2])
    shares = np.stack([image.pixels(*at, 3)[0] for image in images])
    mean = shares.mean(axis=0)
    bend = 4 * mean[3, 3] - mean[2, 3] - mean[4, 3] - mean[3, 2] - mean[3, 4]
    change = shares[:, 3, 3] - mean[3, 3]
    assert np.abs(change - steps * bend).max() < 0.3 * np.abs(change).max()
    np.testing.assert_allclose(sharpening(images[:1] * 2), 0.0, atol=1e-12)


def test_rays_alone_tell_no_focus():
    exposure, after = measured(filter="F555W", seed=13, field="blank", effects={"cosmic_rays": 0.03})
    assert all(chip.focus is None for chip in after.chips.values())
    assert chip_star(after.camera, after.chips["PC"]) is chip_star(exposure.camera, exposure.chips["PC"])


def test_a_blank_chip_and_no_exposure():
    made = visit(n=1, field="blank", effects={**QUIET, "cosmic_rays": 0.0})
    (after,) = measure_focus(made.exposures, Settings(), Serial())
    assert all(chip.focus is None for chip in after.chips.values())
    assert measure_focus([], Settings(), Serial()) == ()


@pytest.mark.data
def test_chips_of_one_real_exposure_agree(data_dir):
    """Omega Centauri: the four chips, measured each by itself, see one telescope.

    They lie .004 apart; with any other errors of the computed image (`MISMATCH`, `STRAY`) farther.
    """
    import mizzle

    read = mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    (exposure,) = measure_focus([read], Settings(), make_runner(2))
    usual = [chip.focus.usual for chip in exposure.chips.values()]
    assert all(chip.focus.stars > 50 for chip in exposure.chips.values())
    assert np.ptp(usual) < 0.006
    assert np.mean(usual) == pytest.approx(exposure.camera.defocus, abs=0.006)
