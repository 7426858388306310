"""Simulations whose stars are those of a real exposure: the pipeline's own model of a star never made them."""

from __future__ import annotations

import pytest

import mizzle
from empirical_stars import empirical_image, simulate_with
from mizzle.execution import make_runner
from mizzle.pipeline import process
from mizzle.scores import score_visit
from mizzle.settings import Settings
from mizzle.simulate import visit
from mizzle.steps.focus import measure_focus
from ray_scores import found, scores, star_peaks_flagged

pytestmark = [pytest.mark.data, pytest.mark.slow]
STILL = {"pointing_error": 0.0, "roll_error": 0.0}


@pytest.fixture(scope="module")
def images(data_dir):
    """Of the four chips in F555W, from omega Centauri."""
    read = mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    (exposure,) = measure_focus([read], Settings(), make_runner(2))
    made = {name: empirical_image(exposure, chip) for name, chip in exposure.chips.items()}
    assert min(count for _, count in made.values()) >= 20
    return {name: image for name, (image, _) in made.items()}


def searched(**plan):
    made = visit(filter="F555W", density=300.0, effects=STILL, **plan)
    return made, found(made, exposures=measure_focus(made.exposures, Settings(), make_runner(2)))


@pytest.mark.parametrize("seed", [811, 812])
def test_star_peaks_of_a_single_exposure_are_spared(images, monkeypatch, seed):
    simulate_with(monkeypatch, images)
    made, rays = searched(n=1, seed=seed)
    for name, (flagged, count) in star_peaks_flagged(made, rays).items():
        assert count > (20 if name == "PC" else 150)
        assert flagged <= max(1, 0.01 * count), name
    assert scores(made, rays)["found150"] > 0.85


@pytest.mark.parametrize(("plan", "least"), [
    ({"n": 2, "dithers": ((0.0, 0.0),)}, 0.98), ({"n": 3}, 0.985), ({"n": 6}, 0.995),
])  # fmt: skip
def test_rays_are_found_and_stars_kept_where_exposures_are_compared(images, monkeypatch, plan, least):
    simulate_with(monkeypatch, images)
    made, rays = searched(seed=811, **plan)
    score = scores(made, rays)
    assert score["found150"] > least
    assert score["star"] < 0.002
    assert max(score["sky"].values()) < 0.003


def test_alignment_and_fluxes_need_no_model_of_the_star(images, monkeypatch):
    simulate_with(monkeypatch, images)
    made = visit(n=6, filter="F555W", density=300.0, seed=811)
    result = process(made.exposures)
    told = {score.name: score for score in score_visit(result, made.truth)}
    assert told["alignment, frame to frame, rms per axis"].value < 1.0
    for chip in ("WF2", "WF3", "WF4"):
        assert told[f"star flux over truth, {chip} over the WF mean"].value == pytest.approx(1.0, abs=0.005)
    assert str(result.parts["zeropoint"]) in ("PASS", "NONE")
