"""The blank-sky demonstration: what it must show, and how it is drawn and delivered."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from mizzle.errors import SettingsError
from mizzle.instrument.wfpc2 import CHIP_NAMES, GAINS
from mizzle.simulate.blank_sky import compare, level_table, owners
from mizzle.simulate.blank_sky_figure import HALF_RANGE, MARGIN, SIDE, block_mean, draw
from mizzle.simulate.blank_sky_files import write_comparison
from mizzle.simulate.photometry import photflam

QUIET = {"photon_noise": False, "read_noise": 0.0, "quantize": False, "dark": False}


@pytest.fixture(scope="module", params=[7, 15])
def noiseless(request):
    return request.param, compare(gain_fault=True, gain=request.param, effects=QUIET)


@pytest.fixture(scope="module")
def noisy():
    return compare(gain_fault=True, seed=2)


def ratios(panel):
    return {name: level.mean / panel.levels["WF3"].mean for name, level in panel.levels.items()}


def test_as_recorded_the_chips_show_their_sensitivities(noiseless):
    gain, made = noiseless
    flams = photflam("F814W", gain)
    for name, ratio in ratios(made.panels[0]).items():
        assert ratio == pytest.approx(flams["WF3"] / flams[name], abs=3e-4)


def test_equalized_the_sky_is_one(noiseless):
    _, made = noiseless
    panel = made.panels[1]
    assert set(panel.levels) == set(CHIP_NAMES)
    assert panel.spread < 5e-4
    for level in panel.levels.values():
        assert level.mean == pytest.approx(made.expected, rel=3e-4)


def test_the_gain_fault_leaves_the_known_steps(noiseless):
    """WF3 2.8 % low at gain 7, WF2 3.9 % high at gain 15: the ratios of the gain table."""
    gain, made = noiseless
    for name, ratio in ratios(made.panels[2]).items():
        assert ratio == pytest.approx(GAINS[gain][name] / GAINS[gain]["WF3"], abs=4e-4)
    assert made.panels[2].spread == pytest.approx(0.0319 if gain == 7 else 0.0394, abs=5e-4)


def test_errors_cover_the_noise(noisy):
    panel = noisy.panels[1]
    pulls = [
        (level.mean - noisy.expected) / np.hypot(level.error, 2e-4 * level.mean) for level in panel.levels.values()
    ]
    assert np.abs(pulls).max() < 4.0
    assert panel.levels["PC"].error > 2 * panel.levels["WF3"].error > 0
    assert panel.spread < 3e-3 < noisy.panels[0].spread


def test_the_figure_shows_the_panels_on_one_scale(noisy):
    """An equalized sky is one tone, the middle of the scale; a faulty WF3 is as dark as its 3 % make it."""
    figure = np.asarray(draw(noisy)).astype(float)
    tones = []
    for i in range(3):
        left = MARGIN + i * (SIDE + 24)
        panel = figure[90 : 90 + SIDE, left : left + SIDE]
        gray = panel[(panel.max(axis=2) == panel.min(axis=2)) & (panel[..., 0] > 0) & (panel[..., 0] < 255)][:, 0]
        tones.append(np.percentile(gray, [20, 50, 80]))
    raw, equalized, fault = tones
    assert abs(equalized[1] - 127.5) < 3
    assert equalized[2] - equalized[0] < raw[2] - raw[0] < fault[2] - fault[0]
    assert fault[0] < 127.5 - 255 * 0.025 / (2 * HALF_RANGE)


def test_the_comparison_is_delivered(noisy, tmp_path):
    paths = write_comparison(noisy, tmp_path)
    assert {p.name for p in paths} == {"ua060502m_c0m.fits", "blank_sky.png", "blank_sky_levels.ecsv"}
    assert (tmp_path / "blank_sky.png").read_bytes().startswith(b"\x89PNG")
    table = Table.read(tmp_path / "blank_sky_levels.ecsv")
    assert len(table) == 12
    row = table[(table["panel"] == "fault") & (table["chip"] == "WF3")][0]
    assert row["level"] == noisy.panels[2].levels["WF3"].mean
    lines = level_table(noisy).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["raw", "equalized", "fault"]


def test_each_product_pixel_knows_its_chips(noisy):
    owner = owners(noisy.panels[0].mosaic)
    alone = {name: int((owner == 1 << i).sum()) for i, name in enumerate(CHIP_NAMES)}
    assert alone["WF3"] > 350_000
    assert 60_000 < alone["PC"] < 120_000


def test_a_sky_with_stars_is_refused():
    with pytest.raises(SettingsError, match="blank"):
        compare(field="random")


def test_block_mean_minds_gaps():
    image = np.array([[1.0, 3.0, np.nan], [5.0, 7.0, np.nan], [2.0, np.nan, np.nan]])
    np.testing.assert_array_equal(block_mean(image, 2), [[4.0, np.nan], [np.nan, np.nan]])
