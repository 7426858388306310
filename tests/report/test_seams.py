"""Steps of the sky across the borders of chips: errors say how well they are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import chi2

from mizzle.instrument.noise import rounding_error
from mizzle.report import maps
from mizzle.report.seams import borders, seams, unevenness
from seam_visits import INDEPENDENT, seam_plan, seam_steps

SHAPE = (150, 150)


def four_chips():
    """Four chips around the middle, their edges askew as dithers leave them."""
    y, x = np.indices(SHAPE)
    right, above = x > 75 + y % 2, y > 74 + x % 3
    return {"PC": right & above, "WF2": ~right & above, "WF3": ~right & ~above, "WF4": right & ~above}


def sky(rng, structure):
    """A level of unit noise, and of clouds a few cells wide."""
    clouds = gaussian_filter(rng.standard_normal(SHAPE), 2.0)
    return rng.standard_normal(SHAPE) + structure * clouds / clouds.std()


@pytest.mark.parametrize("structure", [0.0, 0.5])
def test_errors_of_steps_are_true_on_even_and_uneven_skies(structure):
    rng, classes, trials = np.random.default_rng(4), four_chips(), 60
    deviations = [[r["step"] / r["error"] for r in seams(sky(rng, structure), classes, {})] for _ in range(trials)]
    total, freedom = np.square(deviations).sum(), 4 * trials
    # The inverse of an estimate of n = 20 pieces is n / (n - 2) = 1.11 on the mean, less where it is set to 1.
    assert 0.88 * chi2.ppf(1e-3, freedom) < total < 1.11 * chi2.ppf(1 - 1e-3, freedom)


def test_clouds_make_steps_uncertain_and_noise_does_not():
    rng, classes = np.random.default_rng(5), four_chips()
    for structure, low, high in ((0.0, 1.0, 1.5), (1.0, 3.0, 100.0)):
        level = sky(rng, structure)
        assert low <= unevenness(level, borders(level, classes)) <= high


def test_a_true_step_is_no_unevenness():
    rng, classes = np.random.default_rng(6), four_chips()
    level = sky(rng, 0.0)
    before = unevenness(level, borders(level, classes))
    level[classes["PC"]] += 5.0
    assert unevenness(level, borders(level, classes)) == pytest.approx(before, rel=0.05)
    steps = {tuple(r["chips"]): r for r in seams(level, classes, {})}
    for chips, sign in ((("PC", "WF2"), -1), (("WF4", "PC"), 1)):
        assert abs(steps[chips]["step"] - 5.0 * sign) < 4 * steps[chips]["error"]
    assert abs(steps["WF2", "WF3"]["step"]) < 4 * steps["WF2", "WF3"]["error"]


def test_what_the_whole_chip_may_be_off_is_part_of_the_error():
    level, classes = sky(np.random.default_rng(7), 0.0), four_chips()
    plain, doubted = (seams(level, classes, doubts) for doubts in ({}, {"PC": 0.3, "WF2": 0.4}))
    for before, after in zip(plain, doubted, strict=True):
        more = np.hypot(*({"PC": 0.3, "WF2": 0.4}.get(chip, 0.0) for chip in before["chips"]))
        assert after["error"] == pytest.approx(np.hypot(before["error"], more))
        assert after["step"] == before["step"]


def test_short_borders_and_lone_chips_do_no_harm():
    level = np.zeros((12, 12))
    left = np.indices(level.shape)[1] < 6
    (row,) = seams(level, {"WF2": left, "WF3": ~left}, {})
    assert row["step"] == 0.0
    assert row["cells"] == 72
    assert seams(level, {"WF2": left}, {}) == []
    assert seams(level, {"WF2": left, "WF3": np.zeros_like(left)}, {}) == []


@pytest.mark.parametrize("electrons", [2.0, 20.0])
def test_the_level_of_cells_is_the_mean_of_few_electrons(electrons):
    """Medians of Poisson counts lie below their mean, and chips of large and of small pixels would differ."""
    rng = np.random.default_rng(8)
    sci = rng.poisson(electrons, (900, 900)) + rng.normal(0.0, 0.7, (900, 900))
    medians = np.median(sci.reshape(100, 9, 100, 9)[:, ::2, :, ::2].transpose(0, 2, 1, 3).reshape(100, 100, -1), axis=2)
    level = maps.background(sci, 9)
    assert abs(level.mean() - electrons) < (electrons - medians.mean()) / 3
    assert level.std() < 0.9 * medians.std()


@pytest.mark.parametrize("sigma", [0.3, 0.35, 0.4, 0.5])
def test_rounding_moves_means_by_as_much_as_is_said(sigma):
    rng = np.random.default_rng(9)
    before = np.sqrt(sigma**2 - 1 / 12)
    noise = before * rng.standard_normal(100_000)
    levels = (np.arange(32) + 0.5) / 32
    moved = [np.rint(level + noise).mean() - level - noise.mean() for level in levels]
    assert np.sqrt(np.mean(np.square(moved))) == pytest.approx(rounding_error(sigma, 1.0), rel=0.02, abs=6e-4)
    assert rounding_error(3 * sigma, 3.0) == pytest.approx(3 * rounding_error(sigma, 1.0))
    assert rounding_error(sigma, 0.0) == 0.0
    assert rounding_error(float("nan"), 1.0) == 0.0


@pytest.mark.slow
def test_clean_visits_have_no_steps():
    """Four visits, two of them at gain 15, where the errors were four times too small."""
    gains = [7, 15, 7, 15]
    visits = [{**seam_plan(6, number), "gain": gain, "n": 3} for number, gain in enumerate(gains)]
    squares = [(r["step"] / r["error"]) ** 2 for plan in visits for r in seam_steps(plan)]
    freedom = INDEPENDENT * len(visits)
    # Of steps around a ring three are independent; one clean set of visits in a thousand lies above, one below.
    assert len(squares) == 16
    assert chi2.ppf(1e-3, freedom) < np.sum(squares) * freedom / 16 < chi2.ppf(1 - 1e-3, freedom)
