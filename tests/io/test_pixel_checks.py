"""What no detector records is noticed in the pixels of a single exposure; what one does record is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from gaussian_spots import add_spots
from mizzle.io.examine import fill_pixels
from mizzle.io.pixel_checks import pixel_findings
from mizzle.io.twins import overlapping_times, same_pixels, with_twins_named
from mizzle.model import ArrayPixels, Verdict
from tiny_visit import exposure, frame, noisy

SHAPE = (400, 400)


def plain(number=1, *, stars=60, sky=4.0, exptime=500.0, atodgain=7):
    """A WF3 of sky and stars, whole DN, with the flags a real one has."""
    rng = np.random.default_rng(number)
    light = np.full(SHAPE, sky)
    rows, columns = rng.uniform(10, 390, (2, stars))
    add_spots(light, columns, rows, 10 ** rng.uniform(1, 3, stars), 0.8)
    sci = noisy(rng, SHAPE, light, "WF3", atodgain, exptime)
    dq = np.zeros(SHAPE, int)
    dq[:40] |= 2
    return exposure(number, {"WF3": (sci, dq, frame("WF3", SHAPE))}, exptime=exptime, atodgain=atodgain)


def changed(made, sci=None, dq=None):
    chip = made.chips["WF3"]
    pixels = ArrayPixels(chip.sci if sci is None else np.asarray(sci, np.float32), chip.dq if dq is None else dq)
    return replace(made, chips={"WF3": replace(chip, pixels=pixels)})


@pytest.mark.parametrize("atodgain", [7, 15])
@pytest.mark.parametrize(("stars", "sky"), [(0, 0.1), (0, 4.0), (60, 0.5), (400, 20.0), (2500, 4.0)])
def test_a_plain_exposure_is_nothing_to_speak_of(stars, sky, atodgain):
    for number in range(3):
        assert pixel_findings(plain(number, stars=stars, sky=sky, atodgain=atodgain)) == []


@pytest.mark.parametrize("sky", [0.0, 0.3, 0.5, 1.4, 2.4, 2.5, 3.7])
@pytest.mark.parametrize("atodgain", [7, 15])
def test_a_sky_of_whole_numbers_has_no_streaks(sky, atodgain):
    """Medians of rows fall on one whole number or the next; the light of the rows is alike all the same."""
    for number in range(3):
        made = plain(number, stars=60, sky=sky, exptime=200.0, atodgain=atodgain)
        assert not [f for f in pixel_findings(made) if "rows unlike" in f.sentence]


@pytest.mark.parametrize("seed", range(3))
def test_a_crowded_core_has_neither_holes_nor_hot_columns(seed):
    """Between the stars of a globular cluster's core it is dark, and columns through it differ."""
    rng = np.random.default_rng(seed)
    made = plain(seed)
    side = SHAPE[0]
    stars = np.zeros(SHAPE)
    places = np.clip(rng.normal(0.5 * side, 0.15 * side, (20000, 2)), 0, side - 1).astype(int)
    np.add.at(stars, tuple(places.T), 10 ** rng.uniform(0.5, 3.3, len(places)))
    light = gaussian_filter(stars, 0.6)
    sci = made.chips["WF3"].sci + light + rng.normal(0.0, 1.0, SHAPE) * np.sqrt(light / 7.0)
    assert pixel_findings(changed(made, sci)) == []


def noise(made):
    return np.random.default_rng(9).normal(0.0, 2.0, SHAPE)


def hot_columns(made):
    sci = made.chips["WF3"].sci.copy()
    sci[:, [100, 250]] += 12.0
    return sci


def without_a_value(made):
    sci = made.chips["WF3"].sci.copy()
    sci[100:160, 100:160] = np.nan
    return sci


def with_holes(made):
    sci = made.chips["WF3"].sci
    return np.where(sci > 40.0, 8.0 - sci, sci)


@pytest.mark.parametrize(
    ("change", "part", "words"),
    [
        (lambda e: e.chips["WF3"].sci / 500.0, "noise", "counts per second"),
        (lambda e: e.chips["WF3"].sci * 7.0, "noise", "a gain that is not the header's"),
        (lambda e: e.chips["WF3"].sci + noise(e), "noise", "times as much"),
        (lambda e: np.maximum(e.chips["WF3"].sci, 4.0), "data quality", "clipped"),
        (lambda e: e.chips["WF3"].sci + np.where(np.arange(400) % 2, 1.5, -1.5)[:, None], "noise", "rows unlike"),
        (lambda e: e.chips["WF3"].sci + np.random.default_rng(2).normal(0.0, 1.0, (400, 1)), "noise", "rows unlike"),
        (lambda e: np.minimum(e.chips["WF3"].sci * 20.0, 3000.0), "data quality", "above 3000 DN"),
        (hot_columns, "data quality", "2 (101, 251; 12"),
        (without_a_value, "fill", "3600"),
        (with_holes, "data quality", "holes"),
    ],
)
def test_what_no_detector_records_is_said(change, part, words):
    made = plain()
    findings = [f for f in pixel_findings(changed(made, change(made))) if f.part == part and words in f.sentence]
    assert [(f.verdict, f.chips) for f in findings] == [(Verdict.WARN, ("WF3",))]


def test_flags_of_saturation_that_lie_on_dark_pixels_are_said():
    made = plain()
    dq = made.chips["WF3"].dq.copy()
    dq[200:210, 200:210] |= 8
    assert any("flagged as saturated, and dark" in f.sentence for f in pixel_findings(changed(made, dq=dq)))
    sci = made.chips["WF3"].sci.copy()
    sci[200:210, 200:210] = 3800.0
    assert pixel_findings(changed(made, sci, dq)) == []


def test_one_exposure_under_two_names_is_said():
    one, two = plain(1), plain(2)
    assert same_pixels([one, two]) == {}
    twin = replace(two, chips=one.chips)
    assert {root: f.verdict for root, f in same_pixels([one, twin]).items()} == {two.root: Verdict.FAIL}


def chips_of(number, sources):
    """An exposure whose chips hold pixels of those of numbered exposures."""
    planes = {name: plain(source).chips["WF3"] for name, source in sources.items()}
    return exposure(number, {name: (c.sci, c.dq, frame("WF3", SHAPE)) for name, c in planes.items()})


def test_one_chip_that_was_written_twice_is_named_with_the_chip_it_came_from():
    one = chips_of(1, {"WF2": 1, "WF3": 2})
    within, across = chips_of(3, {"WF2": 3, "WF3": 3}), chips_of(4, {"WF2": 4, "WF3": 2})
    found = same_pixels([one, within, across])
    assert set(found) == {within.root, across.root}
    assert "WF3 those of WF2;" in found[within.root].sentence
    assert f"WF3 those of WF3 of {one.root};" in found[across.root].sentence
    assert {f.verdict for f in found.values()} == {Verdict.FAIL}
    assert found[across.root].chips == ("WF3",)


def at(made, start, seconds):
    return replace(made, mjd_start=50000.0 + start / 86400, mjd_end=50000.0 + (start + seconds) / 86400)


def test_two_exposures_at_one_time_are_one_under_two_names():
    """Of two calibrations or transmissions: no pixel is the same, and the times tell."""
    first, second, again = at(plain(1), 0, 500), at(plain(2), 620, 500), at(plain(3), 620.4, 500)
    assert overlapping_times([second, first]) == {}
    found = overlapping_times([again, second, first])
    assert list(found) == [again.root]
    assert second.root in found[again.root].sentence
    named = with_twins_named([first, second, again])
    assert [f.verdict for e in named for f in e.findings] == [Verdict.WARN]


def test_a_long_exposure_that_holds_two_short_ones_overlaps_both():
    long = at(plain(1), 0, 2000)
    inside = [at(plain(2), 100, 50), at(plain(3), 300, 50)]
    assert set(overlapping_times([long, *inside])) == {e.root for e in inside}


def test_times_that_no_header_has_overlap_nothing():
    assert overlapping_times([replace(plain(n), mjd_start=0.0, mjd_end=0.0) for n in (1, 2)]) == {}


def test_columns_of_one_value_are_fill_and_the_rest_of_their_rows_is_not():
    made = plain()
    sci = made.chips["WF3"].sci.copy()
    sci[:, 260:] = 0.0
    filled = fill_pixels(changed(made, sci).chips["WF3"])
    assert filled[:, 260:].all()
    assert not filled[:, :260].any()


def said_of(made, words):
    return [f for f in pixel_findings(made) if words in f.sentence]


def with_pairs(made, count, depth):
    """Pairs of neighbors so far below the sky, in rows that are looked at."""
    sci = made.chips["WF3"].sci.copy()
    rows, columns = np.meshgrid(np.arange(48, sci.shape[0], 8), np.arange(6, sci.shape[1] - 6, 9), indexing="ij")
    for row, column in list(zip(rows.ravel(), columns.ravel(), strict=True))[:count]:
        sci[row, column : column + 2] = 4.0 - depth
    return changed(made, sci)


@pytest.mark.parametrize("seed", range(3))
def test_holes_are_ten_sigma_deep(seed):
    """A sky of 4 DN at gain 7 scatters by 1 DN."""
    made = plain(seed, stars=0)
    assert said_of(with_pairs(made, 60, 16.0), "holes")
    assert not said_of(with_pairs(made, 60, 6.5), "holes")


def test_a_few_holes_of_a_small_chip_are_none():
    rng = np.random.default_rng(5)
    sci = noisy(rng, (160, 200), np.full((160, 200), 4.0), "WF3", 7, 500.0)
    small = exposure(1, {"WF3": (sci, np.zeros(sci.shape, int), frame("WF3", sci.shape))}, exptime=500.0)
    assert not said_of(with_pairs(small, 3, 16.0), "holes")
    assert said_of(with_pairs(small, 8, 16.0), "holes")


@pytest.mark.parametrize(("count", "height", "words"), [(30, 700.0, 1), (12, 700.0, 0), (30, 300.0, 0)])
def test_many_pixels_of_one_great_value_are_clipped_ones(count, height, words):
    """A dozen may agree by chance where a star's core is flat, and so may many that are hardly bright."""
    made = plain(stars=0)
    sci = made.chips["WF3"].sci.copy()
    sci.ravel()[np.random.default_rng(6).choice(np.arange(50 * 400, sci.size), count, replace=False)] = height
    assert len(said_of(changed(made, sci), "clipped")) == words


def columns_off(made, off):
    return said_of(changed(made, made.chips["WF3"].sci + off[None, :]), "columns unlike")


@pytest.mark.parametrize("seed", range(3))
def test_a_column_is_held_against_the_scatter_of_columns(seed):
    """Where columns differ by a DN of themselves, one must stand out by eight."""
    off = np.random.default_rng(seed).normal(0.0, 1.0, SHAPE[1])
    for height, count in ((14.0, 1), (5.5, 0)):
        off[150] = height
        assert len(columns_off(plain(seed, stars=0), off)) == count


def test_hot_columns_beside_each_other_are_seen():
    """As many as four do not make their own neighborhood."""
    off = np.zeros(SHAPE[1])
    off[200:204] = 12.0
    assert "4 (201, 202, 203, 204; 12" in columns_off(plain(stars=0), off)[0].sentence


@pytest.mark.parametrize("seed", range(3))
def test_columns_of_a_crowd_are_held_against_those_around(seed):
    x = np.arange(SHAPE[1])
    off = np.random.default_rng(seed).normal(0.0, 3.0, SHAPE[1]) * np.exp(-(((x - 200) / 30.0) ** 2) / 2)
    assert not columns_off(plain(seed, stars=0), off)


@pytest.mark.parametrize(("rms", "said"), [(0.1, False), (0.3, True)])
def test_streaks_of_a_tenth_of_a_dn_are_left_alone(rms, said):
    """The noise of a fine sky would show them: it is what they cost that counts."""
    made = plain(stars=0)
    rng = np.random.default_rng(4)
    fine = 4.0 + rng.normal(0.0, 0.1, SHAPE) + rng.normal(0.0, rms, (SHAPE[0], 1)) / np.sqrt(1.5)
    assert bool(said_of(changed(made, fine), "rows unlike")) is said


@pytest.mark.parametrize(("share", "said"), [(0.0006, False), (0.0015, True)])
def test_pixels_without_a_value_are_said_where_they_are_more_than_a_few(share, said):
    made = plain(stars=0)
    sci = made.chips["WF3"].sci.copy()
    sci.ravel()[np.random.default_rng(7).choice(sci.size, round(share * sci.size), replace=False)] = np.nan
    assert bool(said_of(changed(made, sci), "without a value")) is said


@pytest.mark.parametrize(
    ("count", "dark", "level", "said"),
    [
        (50, 0.3, 20.0, True),
        (50, 0.12, 20.0, False),
        (20, 1.0, 20.0, False),
        (50, 0.3, 700.0, True),
        (50, 0.3, 1500.0, False),
    ],
)
def test_what_is_flagged_as_saturated_is_bright(count, dark, level, said):
    """A few hot pixels are dark and flagged; half of the full well may be bloomed; a fifth of many dark ones is not."""
    made = plain(stars=0)
    sci, dq = made.chips["WF3"].sci.copy(), made.chips["WF3"].dq.copy()
    where = np.random.default_rng(8).choice(np.arange(50 * 400, sci.size), count, replace=False)
    dq.ravel()[where] |= 8
    sci.ravel()[where] = 3700.0 + np.arange(count)  # no two alike: they are not clipped
    sci.ravel()[where[: round(dark * count)]] = level
    assert bool(said_of(changed(made, sci, dq), "flagged as saturated")) is said
