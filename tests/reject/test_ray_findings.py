"""What is noticed about flagged pixels: too many, too few, unlike the others, on the centers of stars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.model import ArrayPixels, CosmicRays, Serial, Verdict
from mizzle.simulate.cosmic import cosmic_rays
from mizzle.steps.reject import ray_findings
from tiny_visit import exposure, frame, noisy

SHAPE = (400, 400)
SHARE = 0.01  # 500 s


def sky_and_stars(number, stars=0, exptime=500.0, peak=600.0, aside=0.0, **keywords):
    """A WF3 of noise, with stars on a lattice: a core and wings to half an arcsec; every other one lies `aside`."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = np.full(SHAPE, 4.0)
    step = 40 if stars <= 64 else 30
    row = 360 // step
    places = [(step + step * (k // row), step + step * (k % row)) for k in range(stars)]
    for k, (row, column) in enumerate(places):
        r = np.hypot(x - column - aside * (k % 2), y - row)
        light += peak * np.exp(-0.5 * (r / 0.7) ** 2) + 0.02 * peak * np.exp(-0.5 * (r / 3.0) ** 2)
    sci = noisy(rng, SHAPE, light, "WF3")
    made = exposure(
        number,
        {"WF3": (sci, np.zeros(SHAPE, int), frame("WF3", SHAPE))},
        exptime=exptime,
        header={"TARGNAME": "FIELD", **keywords},
    )
    return made, places


def masks(exposures, chosen):
    """`chosen`: one mask for each exposure."""
    packed = {e.root: {"WF3": np.packbits(m)} for e, m in zip(exposures, chosen, strict=True)}
    fractions = {e.root: {"WF3": float(m.mean())} for e, m in zip(exposures, chosen, strict=True)}
    return CosmicRays(packed, fractions, {e.root: "median" for e in exposures})


def random_mask(seed, share=SHARE):
    return np.random.default_rng(seed).random(SHAPE) < share


def found(exposures, chosen):
    findings = ray_findings(exposures, masks(exposures, chosen), Serial())
    assert all(f.verdict is Verdict.WARN and f.part == "cosmic rays" for f in findings)
    return [f.sentence for f in findings]


def test_what_time_explains_is_nothing_to_speak_of():
    exposures = [sky_and_stars(k, 40)[0] for k in range(3)]
    assert found(exposures, [random_mask(k) for k in range(3)]) == []


@pytest.mark.parametrize(
    ("share", "words"), [(0.05, "more than twice what the exposure time explains"), (0.001, "far fewer than")]
)
def test_too_many_and_too_few_are_said(share, words):
    sentences = found([sky_and_stars(1)[0]], [random_mask(1, share)])
    assert len(sentences) == 1
    assert words in sentences[0]


def test_a_chip_that_is_wholly_flagged_has_no_rays_to_miss():
    made, _ = sky_and_stars(1)
    ((name, chip),) = made.chips.items()
    pixels = ArrayPixels(chip.sci, np.full(SHAPE, 2, np.uint16))
    made = replace(made, chips={name: replace(chip, pixels=pixels)})
    assert found([made], [np.zeros(SHAPE, bool)]) == []


def test_a_short_exposure_may_have_none():
    assert found([sky_and_stars(1, exptime=2.0)[0]], [np.zeros(SHAPE, bool)]) == []


def test_an_exposure_unlike_the_others_is_said():
    exposures = [sky_and_stars(k)[0] for k in range(4)]
    sentences = found(exposures, [random_mask(k, 0.022 if k == 2 else 0.004) for k in range(4)])
    assert len(sentences) == 1
    assert exposures[2].root in sentences[0]


def test_star_centers_that_are_flagged_are_counted():
    made, places = sky_and_stars(1, 40)
    mask = random_mask(2)
    for row, column in places[:15]:
        mask[row, column] = True
    sentences = found([made], [mask])
    assert len(sentences) == 1
    assert "15 of 40 stars" in sentences[0] or "16 of 40" in sentences[0]


@pytest.mark.parametrize(("share", "said"), [(0.0045, True), (0.002, False)])
def test_pixels_flagged_again_and_again_are_said(share, said):
    """Half a per cent of a chip is a hot column or two; a fifth is chance and warm pixels."""
    exposures = [sky_and_stars(k)[0] for k in range(3)]
    sentences = found(exposures, [random_mask(k) | random_mask(9, share) for k in range(3)])
    assert ["flagged in most exposures" in sentence for sentence in sentences] == [True] * said


@pytest.mark.parametrize(("length", "said"), [(180, True), (80, False)])
def test_a_third_of_a_side_is_a_trail(length, said):
    """Long tracks of cosmic rays cross 50 pixels, bleeding of a bright star 80; what goes on is no ray."""
    made, _ = sky_and_stars(1)
    mask = random_mask(2)
    mask[100 : 100 + length, 200:202] = True
    assert ["a trail along" in sentence for sentence in found([made], [mask])] == [True] * said


@pytest.mark.parametrize(("stars", "said"), [(16, True), (8, False)])
def test_a_few_stars_prove_nothing(stars, said):
    made, places = sky_and_stars(1, stars)
    mask = random_mask(2)
    mask[tuple(np.transpose(places))] = True
    assert len(found([made], [mask])) == said


@pytest.mark.parametrize(("centered", "others", "said"), [(20, 0, True), (0, 20, True), (8, 8, False), (7, 3, False)])
def test_rays_strike_stars_wherever_they_lie_in_a_pixel(centered, others, said):
    """In 4000 s chance flags a dozen of a hundred centers: as many of those centered on a pixel as of the others."""
    made, places = sky_and_stars(1, 100, exptime=4000.0, aside=0.45)
    mask = random_mask(2, 0.08)
    mask[tuple(np.transpose(places))] = False
    mask[tuple(np.transpose(places[0 : 2 * centered : 2] + places[1 : 2 * others + 1 : 2]))] = True
    sentences = found([made], [mask])
    assert len(sentences) == said
    assert all("of those centered on a pixel" in sentence for sentence in sentences)


@pytest.mark.parametrize(("flagged", "said"), [(9, True), (3, False)])
def test_as_many_flagged_centers_as_chance_makes_are_nothing(flagged, said):
    """Of 40 stars chance flags one, within four of its sigma: six or so."""
    made, places = sky_and_stars(1, 40)
    mask = random_mask(2)
    mask[tuple(np.transpose(places))] = False
    mask[tuple(np.transpose(places[:flagged]))] = True
    assert len(found([made], [mask])) == said


@pytest.mark.parametrize(("flagged", "said"), [(5, True), (2, False)])
def test_a_small_share_of_the_stars_matters_where_chance_makes_none(flagged, said):
    """An exposure without rays: five of a hundred stars are too many, two may be anything."""
    made, places = sky_and_stars(1, 100, CRRATE=0.0)
    mask = np.zeros(SHAPE, bool)
    mask[tuple(np.transpose(places[:flagged]))] = True
    assert len(found([made], [mask])) == said


def test_faint_stars_count_too():
    made, places = sky_and_stars(1, 40, peak=115.0)
    mask = random_mask(2)
    mask[tuple(np.transpose(places[:15]))] = True
    assert len(found([made], [mask])) == 1


def struck_at(places):
    mask = random_mask(2)
    mask[tuple(np.transpose(places))] = True
    return mask


@pytest.mark.parametrize(
    ("full", "away", "said"), [(True, 6, False), (True, 11, False), (True, 20, True), (False, 6, True)]
)
def test_what_stands_in_the_halo_of_a_saturated_star_is_not_counted(full, away, said):
    """A ray there has light on all sides, and is flagged for good reasons; two arcsec away it has none."""
    made, places = sky_and_stars(1, 40)
    chip = made.chips["WF3"]
    dq = np.zeros(SHAPE, np.uint16)
    for row, column in places[:15]:
        dq[row + away, column - away] = 8 if full else 0
    made = replace(made, chips={"WF3": replace(chip, pixels=ArrayPixels(chip.sci, dq))})
    assert bool(found([made], [struck_at(places[:15])])) is said


def test_rays_without_wings_are_no_stars():
    made, _ = sky_and_stars(1, 40)
    sci = made.chips["WF3"].sci.copy()
    mask = random_mask(2)
    sci[mask] += 500.0
    from dataclasses import replace

    from mizzle.model import ArrayPixels

    chip = replace(made.chips["WF3"], pixels=ArrayPixels(sci, made.chips["WF3"].dq))
    assert found([replace(made, chips={"WF3": chip})], [mask]) == []


def stars_on_fine_pixels(number, aside=0):
    """A PC of stars under simulated rays for 2000 s; where `aside`, so many more stars have their centers flagged."""
    rng = np.random.default_rng(number)
    light, v, u = np.full(SHAPE, 4.0), *np.mgrid[-20:20, -20:20]
    corners = [(row, column) for row in range(20, 360, 40) for column in range(20, 360, 40)]
    for row, column in corners:
        distance = np.hypot(u - rng.uniform(-0.5, 0.5), v - rng.uniform(-0.5, 0.5))
        core, wings = np.exp(-0.5 * (distance / 1.2) ** 2), np.exp(-0.5 * (distance / 4.8) ** 2)
        light[row : row + 40, column : column + 40] += 1000.0 * (core + 0.03 * wings)
    charge = cosmic_rays(SHAPE, 0.01, 2000.0, rng=rng)
    mask = charge >= 30.0
    sci = (noisy(rng, SHAPE, light, "PC") + charge / 7.0).astype(np.float32)
    for row, column in corners[:aside]:
        mask[row + 18 : row + 23, column + 18 : column + 23] = True
    chip = (sci, np.zeros(SHAPE, int), frame("PC", SHAPE))
    return exposure(number, {"PC": chip}, exptime=2000.0, header={"TARGNAME": "FIELD"}), mask


@pytest.mark.parametrize(("aside", "said"), [(0, False), (30, True)])
def test_rays_that_strike_cores_of_many_pixels_are_chance(aside, said):
    """A star's core on the PC is 70 pixels: in 2000 s simulated tracks outshine a fifth of the stars."""
    made, chosen = zip(*(stars_on_fine_pixels(k + 1, aside) for k in range(4)), strict=True)
    packed = {e.root: {"PC": np.packbits(m)} for e, m in zip(made, chosen, strict=True)}
    fractions = {e.root: {"PC": float(m.mean())} for e, m in zip(made, chosen, strict=True)}
    rays = CosmicRays(packed, fractions, {e.root: "median" for e in made})
    sentences = [f.sentence for f in ray_findings(made, rays, Serial())]
    assert any("have their center flagged" in sentence for sentence in sentences) is said


def test_nothing_is_said_where_nothing_was_searched():
    made, _ = sky_and_stars(1)
    rays = CosmicRays({made.root: {}}, {made.root: {}}, {made.root: "none"})
    assert ray_findings([made], rays, Serial()) == ()


@pytest.mark.parametrize(("others", "said"), [(True, True), (False, False)])
def test_what_looks_like_a_star_in_one_exposure_only_is_a_ray(others, said):
    """Of 20 exposures of a poor field the few rays with wings outnumbered its stars: a false WARN."""
    (first, places), (plain, _) = sky_and_stars(1, 40), sky_and_stars(2, 0)
    rest = [sky_and_stars(3, 40)[0] if others else plain, replace(plain, root="third", path="third_c0m.fits")]
    mask = random_mask(2)
    mask[tuple(np.transpose(places[:15]))] = True
    sentences = found([first, *rest[:1]], [mask, random_mask(3)])
    assert bool(sentences) is said
    # One of two others has light there by chance: a ray is a ray all the same.
    hit = rest[1].chips["WF3"].sci.copy()
    hit[tuple(np.transpose(places[:4]))] += 600.0
    chip = replace(plain.chips["WF3"], pixels=ArrayPixels(hit, plain.chips["WF3"].dq))
    rays = [random_mask(k) for k in (3, 4)]
    assert bool(found([first, rest[0], replace(rest[1], chips={"WF3": chip})], [mask, *rays])) is said


def beside_others(*lights):
    """What is said of 15 flagged stars where the other exposures hold, at their places, such light [DN]."""
    first, places = sky_and_stars(1, 40)
    made = [first]
    for number, light in enumerate(lights, 2):
        plain, _ = sky_and_stars(number)
        sci = plain.chips["WF3"].sci.copy()
        for row, column in places[:15]:
            sci[row - 20 : row + 21, column - 20 : column + 21] += light
        chip = replace(plain.chips["WF3"], pixels=ArrayPixels(sci, plain.chips["WF3"].dq))
        made.append(replace(plain, chips={"WF3": chip}))
    return bool(found(made, [struck_at(places[:15]), *(random_mask(10 + k) for k in range(len(lights)))]))


def spot(peak, width=0.7, aside=0):
    y, x = np.mgrid[-20:21, -20:21]
    return peak * np.exp(-0.5 * ((x - aside) ** 2 + (y - aside) ** 2) / width**2)


@pytest.mark.parametrize(("shares", "said"), [((0, 1, 1), True), ((1, 0, 0), False), ((1, 1, 0), True)])
def test_most_of_three_others_decide_whether_a_star_is_there(shares, said):
    """One of them may be struck at the place, and another may have a bad pixel there."""
    assert beside_others(*(spot(600.0 * share) for share in shares)) is said


@pytest.mark.parametrize(("peak", "said"), [(230.0, True), (75.0, False)])
def test_a_star_keeps_a_fifth_of_its_brightness(peak, said):
    """Pixels of a core share its light otherwise in each exposure, by a factor of two or so; noise is far less."""
    assert beside_others(spot(peak), spot(peak)) is said


def test_a_star_may_lie_a_pixel_off():
    """The frames of exposures that stars did not align are good to that."""
    assert beside_others(spot(600.0, aside=1), spot(600.0, aside=1))
    assert not beside_others(spot(600.0, aside=4), spot(600.0, aside=4))


def test_a_glow_is_no_star():
    """A ray on a galaxy is one: what the other exposures show there is wider than any star."""
    assert not beside_others(spot(700.0, width=7.0), spot(700.0, width=7.0))
