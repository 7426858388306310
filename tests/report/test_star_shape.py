"""Star shapes: a width from a ratio, and stars of the model found to be like the model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mizzle.instrument.star_optics import chip_star
from mizzle.pipeline import run
from mizzle.report.star_shape import gaussian_width, star_shapes
from mizzle.settings import load_settings
from mizzle.simulate import visit, write_visit


@pytest.fixture(scope="module")
def made():
    return visit(n=1, field="blank", effects={"cosmic_rays": 0.0})


class Finished:
    """What of a result the comparison looks at."""

    def __init__(self, exposures):
        self.exposures = exposures


def stamps_of(exposure, name, seed=1):
    """Noisy stars at any place in their pixels, as the model has them."""
    rng = np.random.default_rng(seed)
    chip = exposure.chips[name]
    dx, dy = rng.uniform(-0.5, 0.5, (2, 400))
    star = chip_star(exposure.camera, chip, defocus=exposure.camera.defocus)
    shares = star.pixels(dx, dy, 5)
    flux = rng.uniform(3000, 20_000, 400)
    return 5.0 + flux[:, None, None] * shares + rng.normal(0.0, 2.0, shares.shape)


def test_the_ratio_of_a_gaussian_gives_its_width_back():
    """Published: 4.0 is a width of 1.22 pixels, 5.4 one of 1.07."""
    widths = [gaussian_width(ratio) for ratio in (2.7, 4.0, 5.4, 9.0)]
    assert widths == sorted(widths, reverse=True)
    assert widths[1] == pytest.approx(1.22, abs=0.01)
    assert widths[2] == pytest.approx(1.07, abs=0.01)


@pytest.mark.parametrize("name", ["PC", "WF3"])
def test_stars_of_the_model_are_like_the_model(made, name):
    (exposure,) = made.exposures
    entry = star_shapes(Finished(made.exposures), {(exposure.root, name): stamps_of(exposure, name)})[name]
    assert entry["verdict"] == "PASS"
    assert entry["n_stars"] >= 6
    assert entry["measured"]["fwhm_px"] == pytest.approx(entry["model"]["fwhm_px"], rel=0.08)
    assert entry["measured"]["peak_share"] == pytest.approx(entry["model"]["peak_share"], rel=0.1)


def test_stars_of_another_width_are_noticed_and_few_tell_nothing(made):
    (exposure,) = made.exposures
    none = star_shapes(Finished(made.exposures), {})["WF3"]
    assert (none["measured"], none["n_stars"], none["verdict"]) == (None, 0, "NONE")
    blurred = stamps_of(exposure, "PC") - 5.0
    blurred = sum(np.roll(blurred, shift, axis) for shift in (-1, 1) for axis in (1, 2)) / 8 + blurred / 2
    found = star_shapes(Finished(made.exposures), {(exposure.root, "PC"): blurred})["PC"]
    assert found["verdict"] == "WARN"
    assert found["measured"]["fwhm_px"] > 1.12 * found["model"]["fwhm_px"]


@pytest.mark.parametrize("page", [True, False])
def test_the_report_of_every_run_has_them_and_the_page_a_row_for_each_chip(tmp_path, page):
    files = write_visit(visit(n=1, seed=3), tmp_path / "in")
    settings = load_settings(assignments=[f"report.page={str(page).lower()}", "output.image=false"])
    result = run(files, tmp_path / "out", name="shapes", settings=settings)
    shapes = json.loads((tmp_path / "out" / "shapes_report.json").read_text())["star_shape"]
    assert list(shapes) == list(result.exposures[0].chips)
    assert all({"model", "measured", "n_stars", "verdict"} <= set(entry) for entry in shapes.values())
    if page:
        text = (tmp_path / "out" / "shapes_report.html").read_text()
        table = text[text.index("Stars centered on a pixel") :].split("</table>")[0]
        for chip, entry in shapes.items():
            row = next(part for part in table.split("<tr>") if chip in part)
            assert f"{entry['model']['fwhm_px']:.2f}" in row
            assert f"v-{entry['verdict'].lower()}" in row
