"""The proof of the errors: right noise passes, wrong noise is measured for what it is, chip by chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.instrument.wfpc2.frames import frames_for_pointing
from mizzle.model import Alignment, ArrayPixels, Catalog, CosmicRays, FluxScales, Serial, Verdict
from mizzle.settings import Settings
from mizzle.steps.chip_view import view_chips
from mizzle.steps.equalize import equalize
from mizzle.steps.sky import measure_sky
from mizzle.steps.verify import verify_errors
from mizzle.steps.verify.errors import _nearest, judge_errors
from mizzle.steps.verify.skies import sky_ratios
from tiny_visit import exposure, frame, noisy

SHAPE = (240, 240)
NO_STARS = Catalog({key: np.zeros(0) for key in ("ra", "dec", "flux")}, {})


def proof(exposures, rays=None, stars=NO_STARS):
    settings = Settings()
    scales: FluxScales = equalize(exposures, settings)
    alignment = Alignment.identity(exposures)
    sky = measure_sky(exposures, alignment, scales, settings=settings, runner=Serial())
    rays = rays or CosmicRays({}, {}, {})
    return verify_errors(
        exposures, stars, alignment, scales=scales, sky=sky, cosmic_rays=rays, settings=settings, runner=Serial()
    )


def two(factor=1.0, *, gains=(7, 7), slope=0.0):
    """Blank skies 0.3 pixel apart, the second noisier by `factor` on WF3 (its scatter about the sky multiplied)."""
    made = []
    for number, gain in enumerate(gains):
        rng = np.random.default_rng(40 + number)
        chips = {}
        for name in ("PC", "WF3"):
            sci = noisy(rng, SHAPE, 5.0, name, gain)
            if number and name == "WF3":
                sci = (5.0 + factor * (sci - 5.0)).astype(np.float32)
            sci = sci + np.float32(slope) * np.arange(SHAPE[1], dtype=np.float32)
            chips[name] = (sci, np.zeros(SHAPE, int), frame(name, SHAPE, (0.03 * number, 0.0)))
        made.append(exposure(number + 1, chips, atodgain=gain))
    return made


def test_the_handbooks_noise_passes_on_both_chips():
    found = proof(two())
    for one in found.chips.values():
        assert one.ratio == pytest.approx(1.0, abs=0.03)
        assert one.n_pixels > 5000
    assert found.verdict is Verdict.PASS


@pytest.mark.parametrize(("level", "gain"), [(0.1, 7), (0.3, 7), (0.5, 7), (0.1, 15), (0.4, 15), (0.7, 15)])
def test_whole_dn_of_a_low_sky_pass(level, gain):
    """Half of the pixels may lie a whole DN above the others: their median is no level, and a level makes noise.

    Noise of 0.52 DN (gain 15) is 4 % larger or smaller once rounded, by where the level lies between whole DN.
    """
    made = []
    for number in range(2):
        sci = noisy(np.random.default_rng(80 + number), SHAPE, level, "PC", gain)
        chip = (sci, np.zeros(SHAPE, int), frame("PC", SHAPE, (0.03 * number, 0.0)))
        made.append(exposure(number + 1, {"PC": chip}, atodgain=gain))
    assert proof(made).chips["PC"].ratio == pytest.approx(1.0, abs=0.045)


@pytest.mark.parametrize(("n", "verdict"), [(1500, Verdict.NONE), (2500, Verdict.PASS)])
def test_the_scatter_of_few_pixels_proves_nothing(n, verdict):
    """Of 2000 pixels it is known to 1.6 %, a third of what PASS allows."""
    assert judge_errors(1.0, n) is verdict


@pytest.mark.parametrize(("factor", "verdict"), [(1.25, Verdict.WARN), (2.0, Verdict.FAIL), (0.5, Verdict.FAIL)])
def test_wrong_noise_is_measured_for_what_it_is(factor, verdict):
    found = proof(two(factor))
    assert found.chips["WF3"].ratio == pytest.approx(np.sqrt((1 + factor**2) / 2), rel=0.03)
    assert found.chips["WF3"].verdict is verdict
    assert found.chips["PC"].verdict is Verdict.PASS
    assert found.verdict is verdict


def test_gains_may_differ_and_a_slope_of_the_sky_is_no_noise():
    found = proof(two(gains=(7, 15), slope=0.004))
    assert all(one.ratio == pytest.approx(1.0, abs=0.04) for one in found.chips.values())


def test_one_exposure_proves_nothing():
    found = proof(two()[:1])
    assert found.verdict is Verdict.NONE
    assert all(one.n_pixels == 0 for one in found.chips.values())


def test_rays_that_are_known_do_not_count():
    exposures = two()
    struck = np.zeros(SHAPE, bool)
    struck[::4, ::9] = True
    chip = exposures[0].chips["WF3"]
    from mizzle.model import ArrayPixels

    hit = replace(chip, pixels=ArrayPixels(chip.sci + 40.0 * struck, struck * 512))
    exposures[0] = replace(exposures[0], chips={**exposures[0].chips, "WF3": hit})
    assert proof(exposures).chips["WF3"].ratio == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("ratio", "n", "verdict"),
    [(1.049, 5000, "PASS"), (0.94, 5000, "WARN"), (1.16, 5000, "FAIL"), (1.0, 100, "NONE"), (np.nan, 5000, "NONE")],
)
def test_the_limits_are_those_of_the_promise(ratio, n, verdict):
    assert judge_errors(ratio, n) == verdict


def with_light(light, sky=5.0, shape=(400, 400)):
    """Two skies of one WF chip, the first with light of its own on it [DN]."""
    made = []
    for number in range(2):
        sci = noisy(np.random.default_rng(60 + number), shape, sky + (0.0 if number else light), "WF3")
        made.append(exposure(number + 1, {"WF3": (sci, np.zeros(shape, int), frame("WF3", shape, (0.03 * number, 0)))}))
    return made


def waves(amplitude, length, *, upward=False, shape=(400, 400)):
    """Light that comes and goes along rows, or columns, with so many pixels from crest to crest."""
    along = np.broadcast_to(np.sin(2 * np.pi * np.arange(shape[1]) / length), shape)
    return amplitude * (along.T if upward else along)


@pytest.mark.parametrize(("amplitude", "said"), [(0.3, False), (1.1, True)])
def test_smooth_light_of_one_exposure_is_said_where_it_matters(amplitude, said):
    """A fifth of a DN is what dark and bias leave from day to day; eight tenths are stray light."""
    assert bool(proof(with_light(waves(amplitude, 400))).findings) is said


@pytest.mark.parametrize("exptime", [0.5, 5.0])
def test_the_noise_of_a_short_exposure_is_no_light_of_its_own(exptime):
    """Beside 500 s its patches scatter by many DN of the long one: "128 DN of its own light" were said."""
    for seed in range(6):
        rng = np.random.default_rng(70 + seed)
        made = []
        for number, time in enumerate((500.0, exptime)):
            sci = noisy(rng, (400, 400), 5.0 * time / 500.0, "PC", 7, time)
            chips = {"PC": (sci, np.zeros(sci.shape, int), frame("PC", sci.shape))}
            made.append(exposure(number + 1, chips, exptime=time))
        assert proof(made).findings == ()


@pytest.mark.parametrize(("share", "said"), [(0.035, False), (0.15, True)])
def test_light_in_which_flats_may_differ_is_nothing_to_speak_of(share, said):
    """On a bright sky two flats, or the same stray light at two rolls, differ by a few per cent of it."""
    sky = 60.0
    assert bool(proof(with_light(waves(share * sky, 400), sky=sky)).findings) is said


@pytest.mark.parametrize("limit", [False, True])
@pytest.mark.parametrize("light", [2e5, 6.7e6])  # DN: 17 and 13 mag in 1000 s
def test_the_halo_of_a_bright_star_is_no_light_of_an_exposure_s_own(light, limit):
    """Focus, spikes and ghosts change some of it from exposure to exposure; light elsewhere is seen all the same."""
    v, u = np.mgrid[:400, :400]
    halo = 0.0057 * 0.0996**2 * light / np.maximum(np.hypot(u - 230, v - 150) * 0.0996, 0.3) ** 3
    (ra,), (dec,) = frame("WF3", (400, 400)).pixel_to_sky(np.array([230.0]), np.array([150.0]))
    rate = light / 500.0 * (0.25 if limit else 1.0)
    columns = {"ra": [ra], "dec": [dec], "flux": [rate], "flags": [128 if limit else 0]}
    stars = Catalog({key: np.array(value) for key, value in columns.items()}, {})
    for more, said in ((0.0, False), (waves(1.5, 400), True)):
        made = with_light(halo + more)
        second = made[1].chips["WF3"]
        pixels = replace(
            second, pixels=ArrayPixels((second.sci + np.float32(0.85) * halo).astype(np.float32), second.dq)
        )
        made[1] = replace(made[1], chips={"WF3": pixels})
        assert bool(proof(made, stars=stars).findings) is said


@pytest.mark.parametrize(("length", "upward"), [(300, False), (600, True)])
def test_smooth_light_is_no_noise_of_pixels(length, upward):
    """A cloud some hundred pixels across, as bright as the noise, leaves the proof of the errors as it is."""
    cloud = 2.5 + waves(2.5, length, upward=upward)
    assert proof(with_light(cloud)).chips["WF3"].ratio == pytest.approx(1.0, abs=0.05)


def test_the_rims_of_rays_are_no_noise():
    """Of a ray whose middle is flagged, its neighbors hold charge below the thresholds."""
    exposures = with_light(0.0, shape=SHAPE)
    middles = np.zeros(SHAPE, bool)
    middles[2::6, 2::6] = True
    rims = np.zeros(SHAPE)
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        rims += np.roll(middles, (dy, dx), axis=(0, 1))
    chip = exposures[0].chips["WF3"]
    from mizzle.model import ArrayPixels

    hit = replace(chip, pixels=ArrayPixels((chip.sci + 2.5 * rims + 90.0 * middles).astype(np.float32), chip.dq))
    exposures[0] = replace(exposures[0], chips={"WF3": hit})
    root = exposures[0].root
    rays = CosmicRays({root: {"WF3": np.packbits(middles)}}, {root: {"WF3": float(middles.mean())}}, {root: "median"})
    assert proof(exposures, rays).chips["WF3"].ratio == pytest.approx(1.0, abs=0.03)


def test_what_rays_left_does_not_raise_the_noise_that_is_predicted():
    """One pixel in twelve with a lot of charge that no mask has: the level of its patch is still the sky's."""
    exposures = with_light(0.0, shape=SHAPE)
    chip = exposures[0].chips["WF3"]
    from mizzle.model import ArrayPixels

    left = np.random.default_rng(7).random(SHAPE) < 0.08
    hit = replace(chip, pixels=ArrayPixels((chip.sci + 300.0 * left).astype(np.float32), chip.dq))
    exposures[0] = replace(exposures[0], chips={"WF3": hit})
    assert proof(exposures).chips["WF3"].ratio == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("slope", "compared"), [(0.016, True), (0.06, False)])
def test_chips_are_compared_by_skies_that_are_even(slope, compared):
    """Flat fields leave a per cent or two between quadrants of a chip; a cluster's light leaves more."""
    settings, made = Settings(), []
    for number in range(2):
        rng = np.random.default_rng(90 + number)
        light = 200.0 * (1.0 + slope * (np.arange(400) / 200.0 - 1.0))
        chips = {}
        for name in ("WF2", "WF3"):
            sci = noisy(rng, (400, 400), np.broadcast_to(light, (400, 400)), name)
            chips[name] = (sci, np.zeros((400, 400), int), frame(name, (400, 400)))
        made.append(exposure(number + 1, chips))
    scales, alignment = equalize(made, settings), Alignment.identity(made)
    sky = measure_sky(made, alignment, scales, settings=settings, runner=Serial())
    views = view_chips(made, alignment, scales, settings=settings, sky=sky)
    ratios, note = sky_ratios(views, sky, "WF3", settings=settings, runner=Serial())
    assert bool(ratios) is compared
    assert bool(note) is not compared


@pytest.mark.parametrize(("step", "roll"), [(10.0, 0.0), (0.7, 3.0)])
def test_pixels_are_compared_with_the_nearest_of_the_other_exposure(step, roll):
    """Places between nodes lie on lines: of the PC, where they bend most, one pixel in fifty may take a neighbor."""
    first, second = (
        frames_for_pointing(
            10.0 + k * step / 3600.0, -20.0, 100.0 + k * roll, date_obs="1999-01-01", filters=("F555W", "")
        )["PC"]
        for k in (0, 1)
    )
    rows = np.arange(0, first.shape[0], 80)
    row, column = _nearest(first, second, rows)
    true = second.sky_to_pixel(*first.pixel_to_sky(*np.meshgrid(np.arange(float(first.shape[1])), rows.astype(float))))
    assert np.mean((np.abs(column - true.x) > 0.5001) | (np.abs(row - true.y) > 0.5001)) < 0.02
