"""What is noticed about flagged pixels: too many, too few, unlike the others, on the centers of stars."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.model import CosmicRays, Serial, Verdict
from mizzle.steps.reject import ray_findings
from tiny_visit import exposure, frame, noisy

SHAPE = (400, 400)
SHARE = 0.01  # 500 s


def sky_and_stars(number, stars=0, exptime=500.0):
    """A WF3 of noise, with stars on a lattice: a core and wings to half an arcsec."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = np.full(SHAPE, 4.0)
    places = [(40 + 40 * (k // 8), 40 + 40 * (k % 8)) for k in range(stars)]
    for row, column in places:
        r = np.hypot(x - column, y - row)
        light += 600.0 * np.exp(-0.5 * (r / 0.7) ** 2) + 12.0 * np.exp(-0.5 * (r / 3.0) ** 2)
    sci = noisy(rng, SHAPE, light, "WF3")
    made = exposure(
        number, {"WF3": (sci, np.zeros(SHAPE, int), frame("WF3", SHAPE))}, exptime=exptime, header={"TARGNAME": "FIELD"}
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


def test_rays_without_wings_are_no_stars():
    made, _ = sky_and_stars(1, 40)
    sci = made.chips["WF3"].sci.copy()
    mask = random_mask(2)
    sci[mask] += 500.0
    from dataclasses import replace

    from mizzle.model import ArrayPixels

    chip = replace(made.chips["WF3"], pixels=ArrayPixels(sci, made.chips["WF3"].dq))
    assert found([replace(made, chips={"WF3": chip})], [mask]) == []


def test_nothing_is_said_where_nothing_was_searched():
    made, _ = sky_and_stars(1)
    rays = CosmicRays({made.root: {}}, {made.root: {}}, {made.root: "none"})
    assert ray_findings([made], rays, Serial()) == ()
