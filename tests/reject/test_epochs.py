"""Exposures years apart, and exposures whose place is not known: stars are not taken for cosmic rays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mizzle.execution import make_runner
from mizzle.model import Serial, SkyLevels, Verdict
from mizzle.settings import Settings, build_settings
from mizzle.simulate import make_plan, visit
from mizzle.steps.align import align
from mizzle.steps.equalize import equalize
from mizzle.steps.reject import find_cosmic_rays, search
from mizzle.steps.reject.compared_chip import ComparedChip, compared_chips
from mizzle.steps.reject.groups import comparisons
from mizzle.steps.sky import measure_sky

YEARS = 11


def two_epochs(motion_mas_yr, n=2):
    """Two visits of one field, `YEARS` apart; stars move by `motion_mas_yr`, rms per axis."""
    plan = {"n": n, "density": 60.0, "effects": {"cosmic_rays": 0.01}}
    before = visit(make_plan(seed=6, date="1996-06-04", root="ua0605", **plan), runner=make_runner(2))
    stars, rng = before.stars, np.random.default_rng(1)
    east, north = rng.normal(0.0, motion_mas_yr * YEARS / 3.6e6, (2, len(stars.ra)))
    moved = dataclasses.replace(stars, ra=stars.ra + east / np.cos(np.deg2rad(stars.dec)), dec=stars.dec + north)
    later = make_plan(seed=106, date=f"{1996 + YEARS}-06-04", root="ub0605", **{**plan, "field": "list"})
    return before, visit(later, runner=make_runner(2), stars=moved)


def searched(exposures, settings):
    """Align and search; return the alignment and the masks."""
    runner = make_runner(2)
    alignment = align(exposures, settings, runner)
    scales = equalize(exposures, settings)
    sky = measure_sky(exposures, alignment, scales, settings=settings, runner=runner)
    assert isinstance(sky, SkyLevels)
    return alignment, find_cosmic_rays(exposures, alignment, scales, sky=sky, settings=settings, runner=runner)


def lost(visits, rays):
    """Return the share of bright stars whose center is flagged."""
    hit = []
    for v in visits:
        for exposure in v.exposures:
            for name, chip in exposure.chips.items():
                truth = v.truth.exposures[exposure.root].chips[name]
                x, y = (np.rint(np.asarray(a)[truth.electrons > 2000]).astype(int) for a in (truth.x, truth.y))
                inside = (x > 60) & (x < 790) & (y > 60) & (y < 790)
                x, y = x[inside], y[inside]
                good = (chip.dq[y, x] & 0xFBFF) == 0
                hit.append(rays.mask(exposure.root, name, chip.shape)[y[good], x[good]])
    return float(np.mean(np.concatenate(hit)))


@pytest.fixture(scope="module")
def apart():
    return two_epochs(4.0)


def test_moved_stars_are_no_rays(apart):
    exposures = [e for v in apart for e in v.exposures]
    alignment, rays = searched(exposures, Settings())
    # Rays hit a center by chance: of a star's core some pixels, 1 per cent each.
    assert lost(apart, rays) < 0.02
    assert all(method != "mean" for method in rays.methods.values())
    for entry in alignment.exposures.values():
        assert entry.verdict is Verdict.WARN
        assert "stars moved" in entry.note
        assert entry.scatter_mas == pytest.approx(0.5 * 4.0 * YEARS, rel=0.25)
    rates = [fraction for chips in rays.fractions.values() for fraction in chips.values()]
    assert 0.006 < np.mean(rates) < 0.02  # the rays are found all the same
    without = build_settings({"reject": {"by_epoch": False, "place_sigma": 0.0}})
    assert lost(apart, searched(exposures, without)[1]) > 0.1


def test_one_exposure_each_keeps_its_stars(apart):
    exposures = [v.exposures[0] for v in apart]
    _, rays = searched(exposures, Settings())
    first = [dataclasses.replace(v, exposures=v.exposures[:1]) for v in apart]
    assert lost(first, rays) < 0.02
    assert set(rays.methods.values()) == {"lacosmic"}


def faint_rays(visits, rays):
    """Return the share of the pixels that took 100 to 1000 electrons of a ray, more than light did, and are flagged."""
    hit = []
    for v in visits:
        for exposure in v.exposures:
            for name, chip in exposure.chips.items():
                light = v.truth.expected(exposure.root, name) * chip.gain
                some, many = (v.truth.cosmic_rays(exposure.root, name, least=least) for least in (100, 1000))
                sky = float(np.median(light))
                which = some & ~many & (light < 1.2 * sky) & (chip.dq == 0)
                which[:60], which[:, :60] = False, False
                hit.append(rays.mask(exposure.root, name, chip.shape)[which])
    return float(np.mean(np.concatenate(hit)))


def test_blank_sky_of_another_epoch_tells_what_one_exposure_cannot(apart, monkeypatch):
    """Faint rays of an epoch of one exposure, where all others saw no star as far as stars move; no star is lost."""
    exposures = [v.exposures[0] for v in apart]
    first = [dataclasses.replace(v, exposures=v.exposures[:1]) for v in apart]
    _, rays = searched(exposures, Settings())
    monkeypatch.setattr(search, "rays_on_blank_sky", lambda *_, **__: {})
    _, before = searched(exposures, Settings())
    assert 1 - faint_rays(first, rays) < 0.5 * (1 - faint_rays(first, before))
    assert lost(first, rays) < 0.02


def test_stars_that_stand_still_leave_everything_as_it_was():
    v = two_epochs(0.0)
    exposures = [e for one in v for e in one.exposures]
    alignment, rays = searched(exposures, Settings())
    assert alignment.verdict is Verdict.PASS
    without = build_settings({"reject": {"by_epoch": False, "place_sigma": 0.0}})
    _, other = searched(exposures, without)
    for root, chips in rays.packed.items():
        for name, packed in chips.items():
            np.testing.assert_array_equal(packed, other.packed[root][name])


@pytest.fixture(scope="module")
def plain():
    v = visit(make_plan(n=4, seed=3, field="blank"), runner=make_runner(2))
    exposures = v.exposures
    alignment = align(exposures, build_settings({"align": {"method": "header"}}), Serial())
    scales = equalize(exposures, Settings())
    zero = {e.root: dict.fromkeys(e.chips, 0.0) for e in exposures}
    every = compared_chips(exposures, alignment, scales, sky=SkyLevels(zero, zero, zero, zero), settings=Settings())
    return [s for s in every if s.view.name == "WF3"]


class TestComparisons:
    def at(self, chip: ComparedChip, **changes):
        exposure = chip.view.exposure
        exposure = dataclasses.replace(exposure, mjd_start=changes.pop("mjd", exposure.mjd_start))
        return dataclasses.replace(chip, view=dataclasses.replace(chip.view, exposure=exposure), **changes)

    def judged_once(self, found, count):
        return sorted(n for part in found for n in part.judged) == list(range(count))

    def test_all_together_where_nothing_is_wrong(self, plain):
        (part,) = comparisons(plain)
        assert part.members == (0, 1, 2, 3)
        assert part.judged == {0, 1, 2, 3}

    def test_epochs_apart_where_stars_moved(self, plain):
        years = [self.at(s, mjd=50000.0 + 4000.0 * (k > 1), moved=0.2) for k, s in enumerate(plain)]
        assert [part.members for part in comparisons(years)] == [(0, 1), (2, 3)]
        still = [dataclasses.replace(s, moved=0.01) for s in years]
        assert len(comparisons(still)) == 1
        months = [self.at(s, mjd=50000.0 + 60.0 * k, moved=0.2) for k, s in enumerate(plain)]
        assert len(comparisons(months)) == 1

    def test_an_epoch_of_one_is_alone_only_where_stars_moved_far(self, plain):
        def years(moved):
            return [self.at(s, mjd=50000.0 + 400.0 * k, moved=moved) for k, s in enumerate(plain)]

        assert [part.members for part in comparisons(years(0.1))] == [(0, 1, 2, 3)]
        assert [part.members for part in comparisons(years(0.2))] == [(0,), (1,), (2,), (3,)]

    def test_a_misplaced_exposure_spoils_no_reference(self, plain):
        odd = [dataclasses.replace(s, misplaced=2.0 if k == 1 else 0.0) for k, s in enumerate(plain)]
        found = comparisons(odd)
        assert [(part.members, part.judged) for part in found] == [
            ((0, 2, 3), frozenset({0, 2, 3})),
            ((0, 1, 2, 3), frozenset({1})),
        ]
        every = [dataclasses.replace(s, misplaced=2.0) for s in plain]
        assert self.judged_once(comparisons(every), 4)
        pair = odd[:2]
        assert [part.members for part in comparisons(pair)] == [(0, 1)]

    def test_slack_begins_where_thresholds_end(self, plain):
        assert plain[0].slack == 0.0
        assert dataclasses.replace(plain[0], misplaced=0.02).slack == 0.0
        assert dataclasses.replace(plain[0], misplaced=0.3, moved=0.4).slack == pytest.approx(0.47)

    @pytest.mark.parametrize(("misplaced", "kept"), [(0.2, True), (0.5, False)])
    def test_an_exposure_whose_place_is_unknown_is_no_reference(self, plain, misplaced, kept):
        """A third of a pixel off, a star's slope looks like a ray: the others are judged without it, it by all."""
        chips = [dataclasses.replace(s, misplaced=misplaced if k == 3 else 0.0) for k, s in enumerate(plain)]
        parts = comparisons(chips)
        assert parts[0].members == ((0, 1, 2, 3) if kept else (0, 1, 2))
        assert self.judged_once(parts, 4)
