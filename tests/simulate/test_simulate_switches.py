"""Every effect has a switch, and the switch does what its sentence says: one change from a camera without effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mizzle import simulate
from mizzle.instrument.wfpc2 import CHIP_NAMES, DARK_RATE, GAINS, READ_NOISES
from mizzle.simulate import Effects, StarList
from mizzle.simulate.detector import BIAS, FULL_WELL
from mizzle.simulate.render import pixel_areas

SECONDS, SKY = 1000.0, 0.02
PLACES = {"PC": (400.2, 420.4), "WF2": (402.3, 399.1), "WF3": (398.6, 401.9), "WF4": (410.5, 390.5)}


def make(stars: StarList, seed: int = 4, n: int = 2, **changes: Any) -> simulate.Visit:
    """Two exposures at one place of a star on each chip, with nothing but `changes` switched on."""
    effects = Effects.none(**changes)
    return simulate.visit(n=n, seed=seed, exptime=SECONDS, sky=SKY, stars=stars, dither_scale=0.0, effects=effects)


@pytest.fixture(scope="module")
def stars() -> StarList:
    frames = next(iter(simulate.visit(n=1, field="blank", effects=Effects.none()).truth.exposures.values()))
    places = [frames.pointing.true[name].pixel_to_sky(*at) for name, at in PLACES.items()]
    return StarList([float(p[0]) for p in places], [float(p[1]) for p in places], np.full(4, 1.5e-16))


@pytest.fixture(scope="module")
def plain(stars: StarList) -> simulate.Visit:
    return make(stars)


def sci(visit: simulate.Visit, name: str = "WF3", index: int = 0) -> np.ndarray:
    return visit.exposures[index].chips[name].sci.astype(float)


def dq(visit: simulate.Visit, name: str = "WF3") -> np.ndarray:
    return visit.exposures[0].chips[name].dq


def corner(image: np.ndarray) -> np.ndarray:
    """A piece of sky without the star and its wings."""
    return image[150:350, 600:780]


def excess(made: simulate.Visit, plain: simulate.Visit, name: str = "WF3", index: int = 0) -> np.ndarray:
    return sci(made, name, index) - sci(plain, name, index)


def photon_noise(made, plain):
    gain = GAINS[7]["WF3"]
    area = corner(pixel_areas(made.exposures[0].chips["WF3"].frame))
    variance = np.var(corner(excess(made, plain)) * np.sqrt(area))
    assert variance == pytest.approx(SKY * SECONDS / gain, rel=0.05)


def read_noise(made, plain):
    for name in CHIP_NAMES:
        area = pixel_areas(made.exposures[0].chips[name].frame)
        noise = np.std(excess(made, plain, name) * area)
        assert noise == pytest.approx(2 * READ_NOISES[7][name] / GAINS[7][name], rel=0.01)


def quantize(made, plain):
    area = pixel_areas(made.exposures[0].chips["WF3"].frame)
    raw = sci(made) * area + BIAS
    np.testing.assert_allclose(raw, np.rint(raw), atol=2e-3)
    assert raw.max() <= 4095.001
    assert np.abs(excess(made, plain)[dq(made) == 0]).max() < 0.55


def dark(made, plain):
    # Its mean is subtracted; what stays is its noise.
    calm = make(made.stars, photon_noise=True)
    area = corner(pixel_areas(made.exposures[0].chips["WF3"].frame))
    more, less = (np.var(corner(excess(v, plain)) * np.sqrt(area)) for v in (made, calm))
    assert more - less == pytest.approx(DARK_RATE * SECONDS / GAINS[7]["WF3"] ** 2, rel=0.6)
    assert abs(corner(excess(made, plain)).mean()) < 4 * np.sqrt(more / area.size)


def flat_field(made, plain):
    area = pixel_areas(made.exposures[0].chips["WF3"].frame)
    np.testing.assert_allclose(sci(made), sci(plain) * area, rtol=1e-5)


def distortion(made, plain):
    for name in CHIP_NAMES:
        frame = made.exposures[0].chips[name].frame
        x = np.array([0.0, 400.0, 800.0])
        xi, eta = frame.pixel_to_plane(x, np.full(3, 700.3))
        assert np.hypot(np.diff(xi, 2), np.diff(eta, 2)).max() < 1e-12
    bent = plain.exposures[0].chips["WF3"].frame.pixel_to_plane(np.array([0.0, 400.0, 800.0]), np.full(3, 700.3))
    assert np.hypot(*np.diff(np.array(bent), 2, axis=1)).max() > 1e-6


def row_term(made, plain):
    straight, wavy = (v.exposures[0].chips["PC"].frame.row_edges for v in (made, plain))
    assert not straight.any()
    assert np.ptp(np.diff(wavy)) > 0.02


def shadow(made, plain):
    assert not dq(plain).any()
    assert 50_000 < np.count_nonzero(dq(made) & 2) < 90_000
    np.testing.assert_array_equal(excess(made, plain)[dq(made) == 0], 0.0)


def bad_columns(made, plain):
    flagged = (dq(made) & 256) > 0
    assert np.count_nonzero(flagged.any(axis=0)) == 7
    np.testing.assert_allclose(sci(made)[flagged] / sci(plain)[flagged], 0.85, rtol=1e-5)
    np.testing.assert_array_equal(excess(made, plain)[~flagged], 0.0)


def warm_pixels(made, plain):
    flagged = (dq(made) & 512) > 0
    assert np.count_nonzero(flagged) == 100
    assert (excess(made, plain)[flagged] > 0).all()
    np.testing.assert_array_equal(excess(made, plain)[~flagged], 0.0)


def repaired_pixels(made, plain):
    flagged = (dq(made) & 1024) > 0
    assert np.count_nonzero(flagged) == 900
    # Its mean is taken off, as well as the dark reference knows it.
    assert abs(np.median(excess(made, plain)[flagged])) < 0.2
    assert np.std(excess(made, plain)[flagged]) > 0.1


def hot_pixels(made, plain):
    assert not dq(made).any()
    assert np.count_nonzero(excess(made, plain) > 0.1) == pytest.approx(50, abs=5)
    np.testing.assert_array_equal(excess(made, plain), excess(made, plain, index=1))  # they stand still


def saturation(made, plain):
    well = FULL_WELL / GAINS[7]["WF3"]
    area = pixel_areas(made.exposures[0].chips["WF3"].frame)
    assert (sci(plain) * area).max() > 1.2 * well
    assert (sci(made) * area).max() == pytest.approx(well, rel=1e-4)
    assert (sci(made) * area).sum() == pytest.approx((sci(plain) * area).sum(), rel=1e-6)


def cosmic_rays(made, plain):
    hits = made.truth.exposures[made.exposures[0].root].chips["WF3"].cosmic_rays
    assert hits.fraction == pytest.approx(0.04, rel=0.1)  # 0.02 in 500 s
    extra = excess(made, plain) * GAINS[7]["WF3"] * pixel_areas(made.exposures[0].chips["WF3"].frame)
    assert np.count_nonzero(extra >= 10) == pytest.approx(0.04 * extra.size, rel=0.1)


def satellites(made, plain):
    assert max(np.count_nonzero(excess(made, plain, name) > 1) for name in CHIP_NAMES) > 2000
    assert all(not excess(made, plain, name, 1).any() for name in CHIP_NAMES)


def cte(made, plain):
    for name in CHIP_NAMES:
        left, whole = (np.sum(image - corner(image).mean()) for image in (sci(made, name), sci(plain, name)))
        assert 0.001 < 1 - left / whole < 0.2, name


def cte_trails(made, plain):
    lost = make(made.stars, cte=True)
    added = sci(made) - sci(lost)
    assert added[: round(PLACES["WF3"][1]) - 25].max() < 1e-3
    assert added[405:500, 399].min() > 0.01
    assert (added * pixel_areas(made.exposures[0].chips["WF3"].frame)).sum() == pytest.approx(
        -(excess(lost, plain) * pixel_areas(made.exposures[0].chips["WF3"].frame)).sum(), rel=0.01
    )


def spikes(made, plain):
    x, y = (round(v) for v in PLACES["WF3"])
    for dx, dy in ((30, 30), (30, -30), (-30, 30), (-30, -30)):
        assert excess(made, plain)[y + dy, x + dx] > 0.5
        assert abs(excess(made, plain)[y + dy, x]) < 0.05


def breathing(made, plain):
    x, y = (round(v) for v in PLACES["WF3"])
    assert not excess(made, plain).any()  # the visit begins in focus
    assert excess(made, plain, index=1)[y, x] < -0.01 * sci(plain)[y, x]


def defocus(made, plain):
    x, y = (round(v) for v in PLACES["WF3"])
    assert excess(made, plain)[y, x] < -0.05 * sci(plain)[y, x]
    assert excess(made, plain)[y - 8 : y + 9, x - 8 : x + 9].sum() == pytest.approx(0, abs=0.02 * sci(plain).max())


def focus_breathing(made, plain):
    x, y = (round(v) for v in PLACES["WF3"])
    assert not excess(made, plain).any()  # the visit begins at rest
    assert excess(made, plain, index=1)[y, x] < -0.02 * sci(plain)[y, x]


def pointing_error(made, plain):
    shifts = np.array([e.pointing.shift for e in made.truth.exposures.values()])
    assert np.hypot(*shifts.T).max() < 6 * 0.2
    assert np.std(shifts) == pytest.approx(0.2, rel=0.4)
    assert all(e.pointing.shift == (0.0, 0.0) for e in plain.truth.exposures.values())


def roll_error(made, plain):
    rolls = np.array([e.pointing.roll for e in made.truth.exposures.values()])
    assert np.std(rolls) == pytest.approx(0.05, rel=0.6)
    assert all(e.pointing.roll == 0.0 for e in plain.truth.exposures.values())


def velocity_aberration(made, plain):
    factors = [e.pointing.vafactor for e in made.truth.exposures.values()]
    assert all(0 < abs(f - 1) < 1e-4 for f in factors)
    assert all(e.pointing.vafactor == 1.0 for e in plain.truth.exposures.values())
    assert made.exposures[0].chips["PC"].header["VAFACTOR"] == pytest.approx(factors[0], abs=1e-8)


def pedestals(made, plain):
    wanted = dict(zip(CHIP_NAMES, (0.1, 0.2, -0.3, 0.4), strict=True))
    for name in CHIP_NAMES:
        np.testing.assert_allclose(excess(made, plain, name), wanted[name], atol=2e-3)


def faults(made, plain):
    np.testing.assert_allclose(sci(made, "WF2"), 1.03 * sci(plain, "WF2"), rtol=1e-5)
    np.testing.assert_array_equal(sci(made, "WF4"), sci(plain, "WF4"))
    assert made.exposures[0].chips["WF2"].photflam == plain.exposures[0].chips["WF2"].photflam


#: What is switched, and what must come of it.
SWITCHES: dict[str, tuple[dict[str, Any], Callable[[simulate.Visit, simulate.Visit], None]]] = {
    "photon_noise": ({"photon_noise": True}, photon_noise),
    "read_noise": ({"read_noise": 2.0}, read_noise),
    "quantize": ({"quantize": True}, quantize),
    "dark": ({"dark": True, "photon_noise": True}, dark),
    "flat_field": ({"flat_field": "none"}, flat_field),
    "distortion": ({"distortion": False, "row_term": False}, distortion),
    "row_term": ({"row_term": False}, row_term),
    "shadow": ({"shadow": True}, shadow),
    "bad_columns": ({"bad_columns": 7}, bad_columns),
    "warm_pixels": ({"warm_pixels": 100}, warm_pixels),
    "repaired_pixels": ({"repaired_pixels": 900}, repaired_pixels),
    "hot_pixels": ({"hot_pixels": 50}, hot_pixels),
    "saturation": ({"saturation": True}, saturation),
    "cosmic_rays": ({"cosmic_rays": 0.02}, cosmic_rays),
    "satellites": ({"satellites": 1}, satellites),
    "cte": ({"cte": True}, cte),
    "cte_trails": ({"cte": True, "cte_trails": True}, cte_trails),
    "spikes": ({"spikes": True}, spikes),
    "defocus": ({"defocus": 0.06}, defocus),
    "focus_breathing": ({"focus_breathing": 0.03}, focus_breathing),
    "breathing": ({"breathing": 0.1}, breathing),
    "pointing_error": ({"pointing_error": 200.0}, pointing_error),
    "roll_error": ({"roll_error": 0.05}, roll_error),
    "velocity_aberration": ({"velocity_aberration": True}, velocity_aberration),
    "pedestals": ({"pedestals": (0.1, 0.2, -0.3, 0.4)}, pedestals),
    "faults": ({"faults": (1.0, 1.03, 1.0, 1.0)}, faults),
}


def test_every_effect_has_its_switch_tested():
    assert set(SWITCHES) == set(Effects.model_fields)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_does_what_it_says(name, stars, plain):
    changes, check = SWITCHES[name]
    # Errors of pointing want many; nothing else wants more than two exposures.
    n = 12 if name in ("pointing_error", "roll_error") else 2
    check(make(stars, n=n, **changes), plain)
