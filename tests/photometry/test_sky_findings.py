"""What the sky step notices: no blank sky, chips and exposures unlike the others; and nothing on a plain field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.model import Alignment, ArrayPixels, Serial, Verdict
from mizzle.settings import Settings
from mizzle.steps.equalize import equalize
from mizzle.steps.sky import measure_sky, sky_findings
from photometry_tools import F814W, SCALES, make_chip, make_exposure, plain_frame

SIDE, EXPTIME = 200, 500.0
#: Chips side by side: an exposure moved by 4 arcsec sees some of its neighbor's sky.
CORNERS = {"PC": (0.0, 0.0), "WF2": (-20.0, 0.0), "WF3": (-20.0, -20.0), "WF4": (0.0, -20.0)}


def visit(glow=lambda xi, eta: 0 * xi, *, shifts=((0.0, 0.0), (4.0, 1.5), (1.5, 4.0)), own=None, level=0.8, times=None):
    """Exposures of a sky of `level` and `glow` (xi, eta) [DN/s/arcsec2]; `own` adds DN to (exposure, chip)."""
    rng = np.random.default_rng(3)
    exposures = []
    for number, shift in enumerate(shifts):
        chips, exptime = [], EXPTIME if times is None else times[number]
        for name in F814W:
            east, north = (a + b for a, b in zip(CORNERS[name], shift, strict=True))
            frame = plain_frame((SIDE, SIDE), SCALES[name], center=(10.0 + east / 3600, north / 3600))
            y, x = np.mgrid[:SIDE, :SIDE]
            ra, dec = frame.pixel_to_sky(x, y)
            light = level + glow(3600 * (ra - 10.0), 3600 * dec)
            dn = light * exptime * SCALES[name] ** 2 * F814W["WF3"] / F814W[name]
            sci = np.rint((rng.poisson(dn * 7.0) + rng.normal(0, 5.0, dn.shape)) / 7.0)
            sci += (own or {}).get((number, name), 0.0)
            chips.append(make_chip(name, sci.astype(np.float32), photflam=F814W[name], frame=frame))
        exposures.append(make_exposure(f"u{number}", chips, exptime=exptime))
    return exposures


def measured(exposures, settings=None):
    settings = settings or Settings()
    scales = equalize(exposures, settings)
    sky = measure_sky(exposures, Alignment.identity(exposures), scales, settings=settings, runner=Serial())
    return sky, sky_findings(exposures, scales, sky)


def test_a_plain_sky_is_nothing_to_speak_of():
    _, findings = measured(visit())
    assert findings == ()


@pytest.mark.parametrize("times", [(680.0, 6.0, 1.5), (680.0, 1.5), (1.5, 680.0, 680.0)])
def test_what_short_exposures_know_of_a_sky_is_no_measure_of_a_long_ones(times):
    """A few hundredths of a DN in 1.5 s were 25 DN in 680 s: "far from that of the others", on a plain sky."""
    own = {(n, name): 0.03 * (-1) ** n for n, time in enumerate(times) for name in F814W if time < 100.0}
    sky, findings = measured(visit(times=times, own=own, shifts=((0.0, 0.0), (4.0, 1.5), (1.5, 4.0))[: len(times)]))
    assert findings == ()
    for number, time in enumerate(times):
        if (
            time > 100.0
        ):  # the level that chips are compared after is the sky's, not that of a short exposure's pedestal
            level = sky.comparable(f"u{number}", "WF3") / (time * SCALES["WF3"] ** 2)
            assert level == pytest.approx(0.8, abs=0.1)


def test_a_galaxy_across_an_edge_leaves_one_sky_on_all_chips():
    # The middle of four chips: each sees a quarter, and the mode of each is raised by another amount.
    sky, findings = measured(visit(lambda xi, eta: 12.0 * np.exp(-np.hypot(xi + 12, eta + 7) / 6)))
    per_area = {
        (root, name): level / (EXPTIME * SCALES[name] ** 2)
        for root, row in sky.matched.items()
        for name, level in row.items()
    }
    assert max(per_area.values()) - min(per_area.values()) < 0.08
    spread = [b for row in sky.brightness.values() for b in row.values()]
    assert max(spread) - min(spread) > 0.5, "the chips' own skies do differ"
    assert findings == ()


def test_a_nebula_that_fills_the_frame_is_said():
    _, findings = measured(visit(lambda xi, eta: 25.0 + 0 * xi))
    assert [f.verdict for f in findings] == [Verdict.WARN]
    assert "no blank sky" in findings[0].sentence
    kept = Settings.model_validate({"sky": {"method": "none"}})
    assert [f.verdict for f in measured(visit(lambda xi, eta: 25.0 + 0 * xi), kept)[1]] == [Verdict.PASS]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("dn", [46.0, -6.0])
def test_a_chip_far_from_itself_is_named_with_its_number(count, dn):
    shifts = ((0.0, 0.0), (4.0, 1.5), (1.5, 4.0))[:count]
    _, findings = measured(visit(own={(1, "WF4"): dn}, shifts=shifts))
    about = [f for f in findings if "other exposures, whose" in f.sentence]
    assert [f.chips for f in about] == [("WF4",)]
    assert "u1" in about[0].sentence
    assert f"{abs(dn):.0f}" in about[0].sentence or f"{abs(dn) - 0.1:.1f}" in about[0].sentence


def test_a_chip_that_always_has_its_pedestal_is_found_by_its_neighbors():
    sky, _ = measured(visit(own={(k, "WF4"): 8.0 for k in range(3)}))
    area = EXPTIME * SCALES["WF4"] ** 2
    assert (sky.matched["u1"]["WF4"] - sky.matched["u1"]["WF3"]) / area == pytest.approx(8.0 / area, rel=0.1)


def test_a_sky_below_zero_is_said():
    exposures = visit()
    chip = exposures[0].chips["PC"]
    low = replace(chip, pixels=ArrayPixels(chip.sci - 20.0, chip.dq))
    exposures[0] = replace(exposures[0], chips={**exposures[0].chips, "PC": low})
    _, findings = measured(exposures[:1])
    assert [(f.verdict, f.chips) for f in findings] == [(Verdict.WARN, ("PC",))]


def test_an_exposure_far_from_the_others_is_said():
    _, findings = measured(visit(own={(2, name): 30.0 * (SCALES[name] / 0.0996) ** 2 for name in F814W}))
    assert any("u2: its sky" in f.sentence for f in findings)
