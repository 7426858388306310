"""One exposure at a time: what shows too few stars falls back, says so, and the others go on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from align_truth import relative_rms
from mizzle.errors import DataError
from mizzle.execution import make_runner
from mizzle.model import Alignment, ArrayPixels, Finding, Serial, Verdict
from mizzle.model.references import AlignReferences
from mizzle.progress import Progress
from mizzle.selection import Exclusions, exclude_unaligned, same_field, usable_reference
from mizzle.settings import Settings, build_settings
from mizzle.simulate import make_plan, visit
from mizzle.steps.align import align
from tiny_visit import exposure as tiny_exposure
from tiny_visit import frame

BASE = {"seed": 6, "n": 3, "density": 60.0}


def setting(**align_settings):
    return build_settings({"align": align_settings})


def made(**changes):
    return visit(make_plan(**changes), runner=make_runner(2))


@pytest.fixture(scope="module")
def good():
    return made(**BASE)


def with_pixels(exposure, maker):
    chips = {
        name: dataclasses.replace(chip, pixels=ArrayPixels(maker(chip).astype(np.float32), np.array(chip.dq)))
        for name, chip in exposure.chips.items()
    }
    return dataclasses.replace(exposure, chips=chips)


def trailed(exposure, length):
    return with_pixels(exposure, lambda chip: sum(np.roll(chip.sci, k, axis=1) for k in range(length)) / length)


def dark(exposure):
    def noise(chip):
        return np.random.default_rng(3).normal(0.0, chip.read_noise / chip.gain, chip.shape)

    return with_pixels(exposure, noise)


def third(kind, good):
    """The last of the visit, in a state that hides its stars."""
    return {
        "too short": lambda: made(**BASE, exptime=(500.0, 500.0, 0.5)).exposures[2],
        "empty": lambda: made(**{**BASE, "field": "blank"}).exposures[2],
        "trailed": lambda: trailed(good.exposures[2], 12),
        "dark": lambda: dark(good.exposures[2]),
    }[kind]()


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("too short", "too short"),
        ("empty", "empty, trailed"),
        ("trailed", "empty, trailed"),
        ("dark", "empty, trailed"),
    ],
)
def test_what_hides_its_stars_moves_with_its_visit(good, kind, word):
    poor = third(kind, good)
    alone = align(good.exposures[:2], Settings(), Serial())
    a = align([*good.exposures[:2], poor], Settings(), Serial())
    entry = a.exposures[poor.root]
    assert (entry.verdict, entry.method, entry.n_matched) == (Verdict.WARN, "partner", 0)
    assert word in entry.note
    assert entry.note.count("should show") == 1
    assert np.hypot(entry.shift_error_mas, entry.scatter_mas) >= 20.0
    assert a.frame(poor, "WF3").name != "MIZZLE-ALIGNED"
    for exposure in good.exposures[:2]:  # the others are as without it
        assert a.exposures[exposure.root].verdict is Verdict.PASS
        np.testing.assert_allclose(a.exposures[exposure.root].shift, alone.exposures[exposure.root].shift, atol=5e-4)


def test_an_exposure_beside_the_others_is_not_called_too_short(good):
    """A mosaic's far corner, or a header that is minutes of arc off: full of stars, none of which the others see."""
    far = made(**BASE, dithers=((0.0, 0.0), (0.5, 0.5), (0.0, 190.0))).exposures
    a = align(far, Settings(), Serial())
    entry = a.exposures[far[2].root]
    assert (entry.verdict, entry.method, entry.n_matched) == (Verdict.WARN, "partner", 0)
    assert "beside the others" in entry.note
    assert "none proves its place" in entry.note
    assert "short" not in entry.note


def test_a_short_exposure_that_shows_what_is_full_in_the_others_is_called_too_short(good):
    """Its header was said to put it beside the others, though it lies on them."""
    plan = {**BASE, "n": 4, "brightest": 15.0}
    a = align(made(**plan, exptime=(500.0, 500.0, 500.0, 0.5)).exposures, Settings(), Serial())
    entry = list(a.exposures.values())[3]
    assert (entry.verdict, entry.method, entry.n_matched) == (Verdict.WARN, "partner", 0)
    assert entry.n_detected > 20
    assert "too short" in entry.note
    assert "full there" in entry.note
    assert "beside" not in entry.note


def test_one_exposure_with_stars_beside_one_without_trusts_the_headers(good):
    """Half a second beside 850: nothing contradicts, and the run was refused."""
    pair = [good.exposures[0], dark(good.exposures[1])]
    a = align(pair, Settings(), Serial())
    assert {entry.method for entry in a.exposures.values()} == {"header"}
    assert {entry.verdict for entry in a.exposures.values()} == {Verdict.WARN}
    assert all("no two exposures show any" in entry.note for entry in a.exposures.values())


@pytest.mark.parametrize(("time", "shared"), [(1.0, False), (20.0, True)])
def test_no_star_shows_twice_where_the_short_one_shows_what_is_full_in_the_long_one(time, shared):
    bright = made(n=2, exptime=(800.0, time), seed=9, density=120.0, brightest=15.0)
    solved = align(bright.exposures, Settings(), Serial())
    entries = solved.exposures.values()
    assert all(("placed twice" in entry.note) != shared for entry in entries)
    assert all(entry.verdict is (Verdict.PASS if shared else Verdict.WARN) for entry in entries)


def test_the_stated_error_of_a_partner_holds(good):
    errors, stated = [], []
    for seed in range(3):
        v = made(seed=30 + seed, n=3, density=20.0, field="random")
        a = align([*v.exposures[:2], dark(v.exposures[2])], Settings(), Serial())
        entry = a.exposures[v.exposures[2].root]
        errors.append(relative_rms(v, a)[2])
        stated.append(np.hypot(entry.shift_error_mas, entry.scatter_mas))
    # Pointings of the simulator err by 30 mas each, whatever their visit.
    assert np.mean(errors) < 2.0 * np.mean(stated)


def test_another_visit_has_only_its_header(good):
    poor = dataclasses.replace(dark(good.exposures[2]), root="ub0705xxm")
    entry = align([*good.exposures[:2], poor], Settings(), Serial()).exposures[poor.root]
    assert (entry.verdict, entry.method) == (Verdict.WARN, "header")
    assert "300 mas" in entry.note
    other_stars = dataclasses.replace(
        dark(good.exposures[2]), header={**good.exposures[2].header, "DGESTAR": "S7QP000123"}
    )
    guided = [
        dataclasses.replace(e, header={**e.header, "DGESTAR": "N3FX000456"}) for e in good.exposures[:2]
    ]  # the same visit, other guide stars
    assert align([*guided, other_stars], Settings(), Serial()).exposures[other_stars.root].method == "header"


def test_stars_that_contradict_still_fail(good):
    other = made(**{**BASE, "seed": 77}).exposures[2]
    a = align([*good.exposures[:2], other], Settings(), Serial())
    assert a.exposures[other.root].verdict is Verdict.FAIL
    with pytest.raises(DataError, match="cannot align 1 of 3"):
        exclude_unaligned([*good.exposures[:2], other], a, Exclusions())
    # What its header has against itself may be the reason, and is part of the message.
    doubt = Finding("exposure", Verdict.WARN, "EXPTIME is 5 s, from EXPSTART to EXPEND 500 s: one of them is wrong")
    other = dataclasses.replace(other, findings=(*other.findings, doubt))
    with pytest.raises(DataError, match=f"{other.root}: .*EXPTIME is 5 s, from EXPSTART to EXPEND 500 s"):
        exclude_unaligned([*good.exposures[:2], other], a, Exclusions())


def test_flags_that_leave_no_star_whole_are_named(good):
    """A quality file that condemns four pixels of ten: the message speaks of it, not of the stars alone."""
    other = made(**{**BASE, "seed": 77}).exposures[2]
    rng = np.random.default_rng(1)
    chips = {
        name: dataclasses.replace(
            chip, pixels=ArrayPixels(chip.sci, chip.dq | (rng.random(chip.shape) < 0.4) * np.uint16(16))
        )
        for name, chip in other.chips.items()
    }
    spoiled = dataclasses.replace(other, chips=chips)
    alignment = align([*good.exposures[:2], spoiled], Settings(), Serial())
    entry = dataclasses.replace(alignment.exposures[other.root], verdict=Verdict.FAIL, note="not aligned: no star")
    failed = dataclasses.replace(alignment, exposures={**alignment.exposures, other.root: entry})
    for exposure, words in ((spoiled, "no star \\(4[0-9] % of its pixels are flagged bad"), (other, "no star; use")):
        with pytest.raises(DataError, match=words):
            exclude_unaligned([*good.exposures[:2], exposure], failed, Exclusions())


def test_nothing_found_in_a_visit_trusts_its_headers(good):
    empty = [dark(e) for e in good.exposures[:2]]
    a = align(empty, Settings(), Serial())
    assert {(e.verdict, e.method) for e in a.exposures.values()} == {(Verdict.WARN, "header")}
    strangers = [empty[0], dataclasses.replace(empty[1], root="ub0705xxm")]
    assert align(strangers, Settings(), Serial()).verdict is Verdict.FAIL


def test_a_short_trail_that_matches_by_few_stars_is_said(good):
    a = align([*good.exposures[:2], trailed(good.exposures[2], 3)], Settings(), Serial())
    entry = a.exposures[good.exposures[2].root]
    assert entry.verdict is Verdict.WARN
    assert "that should show" in entry.note
    assert "that should show" not in "".join(e.note for r, e in a.exposures.items() if r != entry.root)


def test_a_reason_is_told_once():
    v = made(seed=5, n=3, field="blank")
    a = align(v.exposures, Settings(), Serial())
    same = {
        root: dataclasses.replace(entry, verdict=Verdict.FAIL, note="not aligned: no star")
        for root, entry in a.exposures.items()
    }
    with pytest.raises(DataError) as told:
        exclude_unaligned(v.exposures, dataclasses.replace(a, exposures=same), Exclusions())
    assert str(told.value).count("no star") == 1
    assert all(root in str(told.value) for root in same)
    many = {f"u{k:08d}": dataclasses.replace(next(iter(same.values())), root=f"u{k:08d}") for k in range(60)}
    with pytest.raises(DataError) as told:
        exclude_unaligned(v.exposures, dataclasses.replace(a, exposures=many), Exclusions())
    assert len(str(told.value)) < 400
    assert "56 more" in str(told.value)


class TestReference:
    def test_that_shows_no_stars_gives_way_to_the_mean(self, good):
        poor = dark(good.exposures[2])
        a = align([*good.exposures[:2], poor], setting(reference=poor.root), Serial())
        assert a.reference == "mean"
        assert "align.reference" in a.exposures[poor.root].note
        plain = align([*good.exposures[:2], poor], Settings(), Serial())
        for root, entry in plain.exposures.items():
            np.testing.assert_array_equal(entry.shift, a.exposures[root].shift)

    def test_first_is_the_first_that_is_aligned(self, good):
        a = align([dark(good.exposures[0]), *good.exposures[1:]], setting(reference="first"), Serial())
        assert a.reference == good.exposures[1].root
        assert abs(a.exposures[a.reference].shift).max() < 1e-12  # arcsec: it leads, the others follow

    def test_that_was_dropped_gives_way_too(self, good):
        said = []

        class Listener(Progress):
            def warns(self, text):
                said.append(text)

        exclusions = Exclusions(keep_going=True, reasons={"in/ua060508m_c0m.fits": "cut"})
        changed = usable_reference(setting(reference="ua060508m"), good.exposures, exclusions, progress=Listener())
        assert changed.align.reference == "mean"
        assert "ua060508m" in said[0]
        unknown = setting(reference="ua060510m")
        assert usable_reference(unknown, good.exposures, exclusions, progress=Listener()) is unknown


@pytest.fixture(scope="module")
def followed(good):
    """Three exposures whose headers track a target by 2 arcsec from one to the next."""
    return [
        dataclasses.replace(
            e,
            header={**e.header, "MTFLAG": True, "RA_TARG": 323.3626 + k * 2.0 / 3600, "DEC_TARG": -0.8233},
        )
        for k, e in enumerate(good.exposures)
    ]


class TestMovingTarget:
    def test_is_held_still_by_the_headers(self, followed):
        a = align(followed, Settings(), Serial())
        assert a.method == "target"
        assert a.verdict is Verdict.WARN
        for k, exposure in enumerate(followed):
            entry = a.exposures[exposure.root]
            assert entry.method == "target"
            assert "moving target" in entry.note
            np.testing.assert_allclose(entry.shift, [-2.0 * k * np.cos(np.deg2rad(0.8233)), 0.0], atol=0.001)

    def test_or_where_the_user_points_at_it(self, followed):
        points = {e.root: {"WF3": np.array([[300.0 + 5 * k, 400.0, 1000.0]])} for k, e in enumerate(followed)}
        a = align(followed, Settings(), Serial(), references=AlignReferences(sources=points))
        places = [np.array(a.frame(e, "WF3").pixel_to_sky(300.0 + 5 * k, 400.0)) for k, e in enumerate(followed)]
        np.testing.assert_allclose(places, [places[0]] * 3, atol=1e-3 / 3600)

    def test_or_on_stars_where_asked(self, followed, good):
        a = align(followed, setting(moving="stars"), Serial())
        assert a.verdict is Verdict.PASS
        assert a.method == "stars"

    def test_beside_others_leaves_these_alone(self, followed, good):
        a = align([*good.exposures[:2], followed[2]], Settings(), Serial())
        assert [entry.method for entry in a.exposures.values()] == ["stars", "stars", "target"]
        assert isinstance(a, Alignment)


@pytest.mark.parametrize(("arcmin", "together"), [(12.0, True), (30.0, False)])
def test_a_mosaic_of_pointings_is_one_field_and_another_target_is_not(arcmin, together):
    """A few fields of the camera beside each other are drizzled together; half a degree is no dither."""
    plane = (np.zeros((20, 20), np.float32), np.zeros((20, 20), np.uint16))
    exposures = [
        tiny_exposure(number, {"WF3": (*plane, frame("WF3", (20, 20), (0.0, 60.0 * arcmin * number)))})
        for number in (0, 1)
    ]
    if together:
        assert same_field(exposures, Exclusions()) == exposures
    else:
        with pytest.raises(DataError, match="run each field by itself"):
            same_field(exposures, Exclusions())
