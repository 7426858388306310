"""Residuals against the place on the chip: what is put in along a chip's axes is drawn along them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mizzle.report.alignment_figures import residual_positions, running_median
from mizzle.report.evidence import gather
from report.report_scene import Scene, make_result
from row_formula import ROW_AMPLITUDE, row_formula


def made(wave, side=800, **primary):
    """Evidence of a result whose residuals along the chip's axes are `wave(x, y)` [mas], and 0.3 mas of noise."""
    result = make_result(Scene(n_exposures=2, side=side, n_stars=0), header=primary)
    if primary.get("MODE") == "AREA":  # as reading has it
        binned = [
            replace(e, chips={name: replace(chip, binning=2) for name, chip in e.chips.items()})
            for e in result.exposures
        ]
        result = replace(result, exposures=tuple(binned))
    rng = np.random.default_rng(3)
    tables = {}
    for exposure in result.exposures:
        n = 3000
        x, y = rng.uniform(0, side - 1, (2, n))
        along = np.array(wave(x, y)) + rng.normal(0, 0.3, (2, n))
        number = rng.integers(1, 5, n)
        sky = np.empty((2, n))
        for name, chip in exposure.chips.items():
            mine = number == chip.number
            turn = result.alignment.frame(exposure, name).cd * 3600 / chip.frame.scale
            sky[:, mine] = turn @ along[:, mine]
        tables[exposure.root] = {
            "x": x, "y": y, "chip": number, "dx": sky[0], "dy": sky[1], "mag": rng.uniform(-12, -5, n)
        }  # fmt: skip
    return gather(replace(result, alignment=replace(result.alignment, tables=tables)))


def medians_and_noise(figure):
    found = re.search(r"scatter by ([\d.]+) mas around zero; the stars' noise alone makes ([\d.]+) mas", figure.caption)
    assert found
    return float(found[1]), float(found[2])


def flat(x, y):
    return np.zeros_like(x), np.zeros_like(y)


def test_residuals_are_turned_to_the_chips_axes():
    evidence = made(lambda x, y: (0.01 * (x - 400), -0.02 * (y - 400)))
    for table in evidence["residuals"].values():
        chips = np.array(table["chip"])
        assert set(chips) == {"PC", "WF2", "WF3", "WF4"}
        for name in set(chips):
            x, y, dx, dy = (np.array(table[key])[chips == name] for key in ("x", "y", "dx", "dy"))
            assert np.polyfit(x, dx, 1)[0] == pytest.approx(0.01, abs=5e-4)
            assert np.polyfit(y, dy, 1)[0] == pytest.approx(-0.02, abs=5e-4)
            assert np.std(dx - 0.01 * (x - 400)) == pytest.approx(0.3, rel=0.1)


def test_the_words_tell_noise_from_a_slope():
    scatter, noise = medians_and_noise(residual_positions({"evidence": made(flat)}))
    assert scatter == pytest.approx(noise, rel=0.3)
    scatter, noise = medians_and_noise(residual_positions({"evidence": made(lambda x, y: (0.005 * (x - 400), 0 * y))}))
    assert scatter > 5 * noise


def test_a_missing_row_term_is_a_sawtooth_in_the_folded_panel():
    """From end to end it is as large as the term: 0.0304 pixel, here of 99.6 mas."""
    size, rises, ratios = 99.6, [], []
    for wave in (flat, lambda x, y: (0 * x, size * row_formula(y + 1))):
        evidence = made(wave)
        figure = residual_positions({"evidence": evidence})
        (found,) = re.findall(r"in the row cycle: ([\d.]+) mas, and ([\d.]+) mas", figure.caption)
        ratios.append(float(found[0]) / float(found[1]))
        html = figure.html.rsplit('<svg class="chart"', 1)[1]
        (line,) = re.findall(r'<polyline class="guide" points="([^"]*)"', html)
        x, y = np.array([[float(v) for v in point.split(",")] for point in line.split()]).T
        (frame,) = re.findall(r'<rect class="frame" x="\d+" y="\d+" width="(\d+)" height="(\d+)"', html)
        along = [abs(v) for table in evidence["residuals"].values() for v in table["dx"] + table["dy"]]
        mas = 2 * (np.percentile(along, 90) + 0.1) / float(frame[1])  # of a unit of the drawing
        rises.append(-mas * np.polyfit(x, y, 1)[0] * float(frame[0]))
    assert abs(rises[0]) < 0.15
    assert 0.4 < ratios[0] < 2.0
    assert ratios[1] > 10
    assert rises[1] == pytest.approx(size * ROW_AMPLITUDE, rel=0.1)


def test_binned_chips_are_drawn_in_full_pixels():
    evidence = made(flat, side=400, MODE="AREA")
    table = next(iter(evidence["residuals"].values()))
    assert 0.4 < min(table["x"]) < 20
    assert 780 < max(table["y"]) < 799


def test_running_medians_hold_equally_many_and_know_their_error():
    rng = np.random.default_rng(8)
    x = rng.uniform(0, 100, 16_000)
    cells = running_median(x, np.where(x > 50, 2.0, 0.0) + rng.normal(0, 1, x.size))
    assert len(cells) == 16
    middles, medians, errors = np.array(cells).T
    assert (np.diff(middles) > 0).all()
    np.testing.assert_allclose(medians[middles < 45], 0.0, atol=0.15)
    np.testing.assert_allclose(medians[middles > 55], 2.0, atol=0.15)
    np.testing.assert_allclose(errors, 1.2533 / np.sqrt(1000), rtol=0.3)
    assert running_median(x[:5], x[:5]) == []


def test_reports_without_places_on_chips_have_no_such_figure():
    old = {"ua060502m": {"xi": [1.0], "eta": [1.0], "dxi": [1.0], "deta": [1.0], "mag": [-9.0]}}
    assert residual_positions({"evidence": {"residuals": old}}) is None
    assert residual_positions({"evidence": {}}) is None
