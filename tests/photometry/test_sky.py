"""The sky step: levels on flat and uneven skies, each method's rule, matching over real overlaps."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.errors import DataError, SettingsError
from mizzle.model import Alignment, Serial
from mizzle.model.user_tables import SkyRegion, SkyValue
from mizzle.settings import Settings, SkySettings
from mizzle.steps.equalize import equalize
from mizzle.steps.sky import measure_sky
from photometry_tools import F814W, SCALES, make_chip, make_exposure, plain_frame

EXPTIME = 500.0
#: Chip centers [deg] that keep neighbors apart.
CENTERS = {"PC": (323.32, -0.88), "WF2": (323.34, -0.90), "WF3": (323.30, -0.92), "WF4": (323.28, -0.88)}


def sky_exposure(root, brightness, *, seed=0, side=200, shift=0.0, pedestal=None, exptime=EXPTIME, **extra):
    """A blank sky of `brightness` [reference DN/s/arcsec2], recorded by chips of unequal sensitivity."""
    rng = np.random.default_rng(seed)
    chips = []
    for name, photflam in F814W.items():
        level = brightness * exptime * SCALES[name] ** 2 * F814W["WF3"] / photflam
        sci = (rng.poisson(level * 7.0, (side, side)) + rng.normal(0, 5.3, (side, side))) / 7.0
        sci += (pedestal or {}).get(name, 0.0)
        ra, dec = CENTERS[name]
        frame = plain_frame((side, side), SCALES[name], center=(ra + shift / 3600.0, dec))
        chips.append(make_chip(name, sci.astype(np.float32), photflam=photflam, frame=frame))
    return make_exposure(root, chips, exptime=exptime, **extra)


def levels_of(exposures, runner=None, *, values=(), regions=(), **options):
    settings = Settings(sky=SkySettings(**options))
    alignment = Alignment.identity(exposures)
    scales = equalize(exposures, settings)
    return measure_sky(
        exposures, alignment, scales, settings=settings, runner=runner or Serial(), values=values, regions=regions
    )


def test_a_flat_sky_has_one_brightness_on_unequal_chips():
    sky = levels_of([sky_exposure("a", 1.2)])
    for name, value in sky.brightness["a"].items():
        assert value == pytest.approx(1.2, rel=0.02 if name != "PC" else 0.06)


def test_localmin_takes_one_brightness_from_the_whole_exposure():
    exposures = [sky_exposure("a", 1.2, pedestal={"WF4": 1.5}), sky_exposure("b", 2.0, seed=1)]
    sky = levels_of(exposures, method="localmin")
    for exposure in exposures:
        taken = {n: sky.levels[exposure.root][n] / (EXPTIME * SCALES[n] ** 2) for n in exposure.chips}
        lowest = min(sky.brightness[exposure.root].values())
        assert taken == pytest.approx(dict.fromkeys(taken, lowest), rel=1e-6)
    assert sky.pedestals["a"]["WF4"] == pytest.approx(1.5 * 1.0201481, abs=0.35)
    assert min(sky.pedestals["a"].values()) == pytest.approx(0, abs=1e-9)


def test_globalmin_takes_the_same_from_all():
    sky = levels_of([sky_exposure("a", 1.2), sky_exposure("b", 2.0, seed=1)], method="globalmin")
    lowest = min(v for chips in sky.brightness.values() for v in chips.values())
    assert sky.levels["b"]["WF2"] == pytest.approx(lowest * EXPTIME * SCALES["WF2"] ** 2, rel=1e-12)


def test_chip_takes_each_chips_own():
    sky = levels_of([sky_exposure("a", 1.2, pedestal={"WF4": 1.5})], method="chip")
    assert sky.pedestals["a"] == pytest.approx(dict.fromkeys(F814W, 0.0), abs=1e-12)


def test_none_takes_nothing_but_measures():
    sky = levels_of([sky_exposure("a", 1.2)], method="none")
    assert set(sky.levels["a"].values()) == {0.0}
    assert sky.brightness["a"]["WF3"] == pytest.approx(1.2, rel=0.02)


def test_match_finds_the_differences_in_overlaps():
    exposures = [
        sky_exposure(r, b, seed=i, shift=i * 1.0) for i, (r, b) in enumerate(zip("abc", (1.5, 1.2, 2.0), strict=True))
    ]
    sky = levels_of(exposures, method="match")
    taken = {r: sky.levels[r]["WF3"] / (EXPTIME * SCALES["WF3"] ** 2) for r in "abc"}
    assert taken["b"] == 0
    assert taken["a"] == pytest.approx(0.3, abs=0.03)
    assert taken["c"] == pytest.approx(0.8, abs=0.03)
    assert sky.notes == ()


def test_globalmin_and_match_leaves_nothing_at_the_faintest():
    exposures = [sky_exposure(r, b, seed=i) for i, (r, b) in enumerate((("a", 1.5), ("b", 1.2)))]
    sky = levels_of(exposures, method="globalmin+match")
    left = [v for chips in sky.pedestals.values() for v in chips.values()]
    assert min(left) == pytest.approx(0, abs=1e-9)
    assert max(left) < 0.2


@pytest.mark.parametrize("method", ["globalmin", "globalmin+match"])
@pytest.mark.parametrize("exptime", [0.5, 10.0])
def test_a_short_exposure_does_not_say_which_sky_is_the_faintest(method, exptime):
    """Three hundredths of a DN are 30 DN/s per square arcsec in half a second: so much sky was left on all."""
    long = [sky_exposure(root, 1.2, seed=seed) for seed, root in enumerate("ab")]
    short = sky_exposure("c", 1.2, seed=3, exptime=exptime, pedestal=dict.fromkeys(F814W, -0.03))
    alone, sky = levels_of(long, method=method), levels_of([*long, short], method=method)
    for root in "ab":
        for name in F814W:
            assert sky.levels[root][name] == pytest.approx(alone.levels[root][name], abs=0.02)


def test_match_by_chip_levels_pedestals():
    # WF4 of one exposure carries a pedestal; only its own overlap can tell.
    exposures = [sky_exposure("a", 1.2), sky_exposure("b", 1.2, seed=4, pedestal={"WF4": 2.0})]
    sky = levels_of(exposures, method="match", match_by="chip")
    difference = sky.levels["b"]["WF4"] - sky.levels["a"]["WF4"]
    assert difference == pytest.approx(2.0 * 1.0201481, abs=0.1)
    assert any("4 groups" in note for note in sky.notes)  # chips of one pointing touch nothing else


def test_groups_that_do_not_overlap_are_named():
    exposures = [
        sky_exposure("a", 1.5),
        sky_exposure("b", 1.2, seed=1),
        sky_exposure("far", 3.0, seed=2, shift=600.0),
    ]
    sky = levels_of(exposures, method="match")
    assert any("2 groups" in note and "a+b; far" in note for note in sky.notes)
    assert sky.levels["far"]["WF3"] == 0


def test_match_does_not_care_about_stars_both_see():
    exposures = []
    for i, (root, brightness) in enumerate((("a", 1.5), ("b", 1.2))):
        e = sky_exposure(root, brightness, seed=i)
        y, x = np.mgrid[:200, :200]
        glow = (40 * np.exp(-np.hypot(x - 100, y - 100) / 30)).astype(np.float32)
        chips = [make_chip(c.name, c.sci + glow, photflam=c.photflam, frame=c.frame) for c in e.chips.values()]
        exposures.append(make_exposure(root, chips, exptime=EXPTIME))
    sky = levels_of(exposures, method="match")
    taken = sky.levels["a"]["WF3"] / (EXPTIME * SCALES["WF3"] ** 2)
    assert taken == pytest.approx(0.3, abs=0.08)


def test_given_values_the_most_specific_wins():
    exposures = [sky_exposure("a", 1.2)]
    settings = Settings(sky=SkySettings(method="user", values=("*=9", "a=3.0", "A:PC=0.5")))
    rows = [SkyValue(7.0), SkyValue(2.0, root="a", chip="WF2")]
    sky = measure_sky(
        exposures,
        Alignment.identity(exposures),
        equalize(exposures, settings),
        settings=settings,
        runner=Serial(),
        values=rows,
    )
    assert sky.levels["a"]["WF3"] == pytest.approx(3.0)
    assert sky.levels["a"]["WF2"] == pytest.approx(2.0 * 1.0036789520254041)
    assert sky.levels["a"]["PC"] == pytest.approx(0.5 * 1.0240581413248393)


def test_a_missing_value_is_named():
    with pytest.raises(SettingsError, match="no level is given for a PC"):
        levels_of([sky_exposure("a", 1.2)], method="user", values=[SkyValue(2.0, chip="WF2")])


@pytest.mark.parametrize("text", ["WF3", "a:WF9=3", "WF3=x", "WF3=nan"])
def test_values_that_cannot_be_read(text):
    exposures = [sky_exposure("a", 1.2, side=100)]
    settings = Settings(sky=SkySettings(method="user", values=(text,)))
    with pytest.raises(SettingsError, match="is not understood"):
        measure_sky(
            exposures, Alignment.identity(exposures), equalize(exposures, settings), settings=settings, runner=Serial()
        )


def bright_on_the_right():
    """A sky of 1.2 DN/s/arcsec2 with 20 DN more in most columns."""
    chips = []
    for chip in sky_exposure("a", 1.2).chips.values():
        sci = chip.sci.copy()
        sci[:, 80:] += 20.0
        chips.append(make_chip(chip.name, sci, photflam=chip.photflam, frame=chip.frame))
    return make_exposure("a", chips, exptime=EXPTIME)


def test_regions_keep_pixels_out():
    e = bright_on_the_right()
    box = SkyRegion((79.5, 300.0, 300.0, 79.5), (-10.0, -10.0, 300.0, 300.0), frame="image")
    assert levels_of([e]).brightness["a"]["WF3"] > 2.0
    assert levels_of([e], regions=[box]).brightness["a"]["WF3"] == pytest.approx(1.2, rel=0.03)


def test_limits_keep_pixels_out_whatever_their_number():
    e = bright_on_the_right()
    middle = 1.2 * EXPTIME * SCALES["WF3"] ** 2 + 10.0
    dim, bright = (levels_of([e], **{name: middle}).brightness["a"]["WF3"] for name in ("upper", "lower"))
    assert dim == pytest.approx(1.2, rel=0.03)
    assert bright == pytest.approx(1.2 + 20.0 / (EXPTIME * SCALES["WF3"] ** 2), rel=0.03)


def test_included_regions_are_the_only_ones_that_count():
    from mizzle.geometry.regions import region_mask

    frame = plain_frame((100, 120), 0.1)
    ra, dec = frame.pixel_to_sky(30.0, 40.0)
    circle = SkyRegion((float(ra),), (float(dec),), radius=1.003, include=True)
    out = region_mask([circle], "a", "WF3", frame=frame)
    y, x = np.mgrid[:100, :120]
    np.testing.assert_array_equal(out, np.hypot(x - 30, y - 40) > 10.03)


def test_too_few_pixels_on_one_chip_are_said_and_on_all_stop():
    small = sky_exposure("a", 1.2, side=30)
    with pytest.raises(DataError, match=r"at most \d+ sky pixels on a chip, 1000 are needed"):
        levels_of([small])
    mixed = make_exposure("a", [*list(sky_exposure("a", 1.2).chips.values())[:3], list(small.chips.values())[3]])
    sky = levels_of([mixed])
    assert sky.notes == ("a WF4: too few sky pixels, no level measured",)
    assert np.isfinite(sky.levels["a"]["WF4"])


def test_the_runner_does_not_matter():
    from mizzle.execution import Threads

    exposures = [sky_exposure("a", 1.2), sky_exposure("b", 2.0, seed=1)]
    one, two = levels_of(exposures), levels_of(exposures, Threads(2))
    assert one == two


@pytest.mark.data
def test_levels_of_the_real_exposure_differ_by_chip(data_dir):
    from mizzle import read_exposure

    real = read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    sky = levels_of([real])
    area = real.chips["WF3"].frame.side ** 2
    seen = {n: b * real.exptime * area for n, b in sky.brightness[real.root].items()}
    # Cluster light and pedestals: no zeropoint can be read off these.
    assert 2.5 < seen["WF2"] < seen["WF3"] < seen["WF4"] < 5.0
    assert sky.noise[real.root]["PC"] == pytest.approx(0.9, abs=0.1)
