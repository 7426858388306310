"""Stars that some exposures show and others do not are named with their place; rays, hot pixels and gaps are not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mizzle.model import Serial, Verdict
from mizzle.settings import Settings
from mizzle.steps.chip_view import view_chips
from mizzle.steps.verify.transients import transient_findings
from tiny_visit import exposure, frame, solutions

SIDE = 120
SHIFTS = ((0.0, 0.0), (1.3, 0.7), (2.1, 3.2), (-1.7, 2.2), (0.4, -2.6))
#: Where the star in question stands on the first exposure.
PLACE = (70.3, 55.6)


def add_star(image, x, y, light):
    """A core and wings as the WF chips have them."""
    v, u = np.mgrid[:SIDE, :SIDE]
    r = np.hypot(u - x, v - y) * 0.0996
    for width, share in ((0.07, 0.75), (0.2, 0.25)):
        image += light * share * np.exp(-0.5 * (r / width) ** 2) / (2 * np.pi * (width / 0.0996) ** 2)


def scene(shows, *, light=3000.0, seed=1, lost=(), hot=False, rays=0):
    """Exposures of 25 stars and one that only some show; `lost` have no data there."""
    rng = np.random.default_rng(seed)
    first = frame("WF3", (SIDE, SIDE))
    x, y = (rng.uniform(12, SIDE - 12, 25) for _ in range(2))
    far = np.hypot(x - PLACE[0], y - PLACE[1]) > 15
    ra, dec = first.pixel_to_sky(x[far], y[far])
    place = first.pixel_to_sky(*(np.array([value]) for value in PLACE))
    made = []
    for k, shown in enumerate(shows):
        where = frame("WF3", (SIDE, SIDE), shift=SHIFTS[k])
        image, dq = np.full((SIDE, SIDE), 5.0), np.zeros((SIDE, SIDE), np.uint16)
        for px, py in zip(*where.sky_to_pixel(ra, dec), strict=True):
            add_star(image, px, py, 4000.0)
        (px,), (py,) = where.sky_to_pixel(*place)
        if shown and hot:
            image[round(py), round(px)] += light
        elif shown:
            add_star(image, px, py, light)
        near = np.s_[round(py) - 2 : round(py) + 3, round(px) - 2 : round(px) + 3]
        dq[near] = 2 if k in lost else 0
        for _ in range(rays):  # short tracks, the sharpest two pixels long
            row, column, length = *rng.integers(8, SIDE - 8, 2), int(rng.integers(2, 6))
            steps = np.arange(length)[:, None] * rng.uniform(-1.0, 1.0, 2)
            track = np.rint(np.array([row, column]) + steps).astype(int)
            image[tuple(track.T)] += rng.exponential(200.0)
        image = np.round(image + rng.normal(0.0, np.sqrt(image / 7.0 + 0.6)))
        made.append(exposure(k, {"WF3": (image.astype(np.float32), dq, where)}))
    alignment, scales, sky = solutions(made, 5.0)
    views = view_chips(made, alignment, scales, settings=Settings(), sky=sky)
    return made, transient_findings(views, runner=Serial()), place


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shows", [(1, 1, 0, 0), (0, 1, 1, 1, 0), (1, 1, 0, 0, 0)])
def test_a_star_of_some_exposures_is_named_with_its_place(shows, seed):
    made, findings, (ra, dec) = scene(shows, seed=seed)
    (finding,) = findings
    assert finding.verdict is Verdict.WARN
    said = [float(value) for value in re.search(r"RA ([\d.]+), Dec ([-+\d.]+)", finding.sentence).groups()]
    assert 3600.0 * abs(said[0] - ra[0]) < 0.1  # a pixel, at most
    assert 3600.0 * abs(said[1] - dec[0]) < 0.1
    present, absent = finding.sentence.split("(in ")[1].split(")")[0].split("; not in ")
    for e, shown in zip(made, shows, strict=True):
        assert e.root in (present if shown else absent)


@pytest.mark.parametrize("seed", range(4))
def test_good_visits_and_what_a_ray_or_a_pixel_may_be_say_nothing(seed):
    assert scene((1, 1, 1, 1), seed=seed)[1] == ()
    assert scene((0, 0, 0, 0), seed=seed, rays=150)[1] == ()  # every tenth pixel or so, as in hours
    assert scene((0, 1, 0, 0), seed=seed)[1] == ()  # one alone may be a ray
    assert scene((1, 1, 0, 1), seed=seed)[1] == ()  # one alone may have lost it
    assert scene((1, 1, 0, 0), seed=seed, hot=True)[1] == ()
    assert scene((1, 1, 0, 0), seed=seed, lost=(2, 3))[1] == ()  # not seen is not absent
    assert scene((1, 1, 0, 0), seed=seed, light=12.0)[1] == ()  # too faint to tell
