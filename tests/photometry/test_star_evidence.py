"""What single exposures say of stars on one small chip: full, hit, and what pixels of bright stars tell of others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mizzle.geometry.grid import common_grid
from mizzle.instrument.star_optics import TYPICAL_DEFOCUS, star_optics
from mizzle.model import CosmicRays, InputChip, Serial
from mizzle.model.star_flags import Flag
from mizzle.psf import star_image
from mizzle.settings import CatalogSettings, Settings
from mizzle.steps.catalog import measure_catalog
from mizzle.steps.catalog.curve import Growth
from mizzle.steps.catalog.exposure_evidence import measure_per_exposure, members
from mizzle.steps.catalog.lost_light import CORE_ARCSEC, WIDE_ARCSEC
from mizzle.steps.catalog.measure import _sampling
from mizzle.steps.catalog.star_list import DetectedStars
from mizzle.steps.chip_view import view_chips
from mizzle.steps.combine import combine
from tiny_visit import exposure, frame, noisy, solutions

SIDE, SKY, SPACE, HALF, EXPTIME = 210, 4.0, 21, 7, 500.0
STAR = star_image(star_optics(0.0996, 7996.0, 646.0, defocus=TYPICAL_DEFOCUS))


class Field:
    """One exposure of a WF3 with stars of so many DN in the middle of the squares of a lattice, row by row."""

    def __init__(self, light, *, seed=1):
        rng = np.random.default_rng(seed)
        corner = np.arange(SPACE // 2, SIDE, SPACE)
        self.row, self.column = (grid.ravel()[: len(light)] for grid in np.meshgrid(corner, corner, indexing="ij"))
        aside = rng.uniform(-0.5, 0.5, (2, len(light)))
        self.x, self.y, self.light = self.column + aside[0], self.row + aside[1], np.asarray(light, dtype=float)
        shares = STAR.pixels(*aside, HALF)
        image = np.full((SIDE, SIDE), SKY)
        for row, column, star, share in zip(self.row, self.column, self.light, shares, strict=True):
            image[row - HALF : row + HALF + 1, column - HALF : column + HALF + 1] += star * np.maximum(share, 0.0)
        self.sci, self.dq = noisy(rng, (SIDE, SIDE), image, "WF3"), np.zeros((SIDE, SIDE), int)
        self.hit = np.zeros((SIDE, SIDE), np.bool_)

    def solved(self):
        """The exposure, its product, and the solutions."""
        made = [exposure(1, {"WF3": (self.sci, self.dq, frame("WF3", (SIDE, SIDE)))}, exptime=EXPTIME)]
        alignment, scales, sky = solutions(made, SKY)
        rays = CosmicRays({made[0].root: {"WF3": np.packbits(self.hit)}}, {}, {made[0].root: "truth"})
        known = {"scales": scales, "sky": sky, "cosmic_rays": rays, "settings": Settings(), "runner": Serial()}
        grid = common_grid([alignment.frame(made[0], "WF3")], Settings().combine)
        return made, alignment, known, combine(made, alignment, grid=grid, **known)

    def evidence(self, snr):
        """What the exposure says of the stars, where their signal-to-noise ratio is such."""
        made, alignment, known, mosaic = self.solved()
        views = view_chips(made, alignment, known["scales"], settings=Settings(), sky=known["sky"])
        ra, dec = views[0].frame.pixel_to_sky(self.x, self.y)
        x, y = mosaic.grid.sky_to_pixel(ra, dec)
        count = self.light.size
        stars = DetectedStars(ra, dec, x, y, self.light / EXPTIME, np.broadcast_to(snr, count), np.zeros(count))
        return measure_per_exposure(
            mosaic, stars, members(mosaic, x, y), views=views, cosmic_rays=known["cosmic_rays"], settings=Settings(),
            runner=Serial(),
        )  # fmt: skip

    def catalog(self):
        """Columns of the catalog, by star: the row nearest to each."""
        made, alignment, known, mosaic = self.solved()
        columns = measure_catalog(mosaic, made, alignment, **known).columns
        ra, dec = made[0].chips["WF3"].frame.pixel_to_sky(self.x, self.y)
        nearest = np.hypot(columns["ra"][:, None] - ra, columns["dec"][:, None] - dec).argmin(axis=0)
        return {name: np.asarray(values)[nearest] for name, values in columns.items()}


def share_of_middle(field, snr):
    """What the profile says a pixel in the middle of a star holds, over what it does hold; NaN where there is none."""
    evidence = field.evidence(snr)
    profile = evidence.profiles.get("WF3")
    if profile is None:
        return np.nan
    product = (0.0996 / Settings().combine.scale) ** 2  # product pixels per pixel
    return float(profile.at(np.zeros(1)).value[0] * product / STAR.pixels(np.zeros(1), np.zeros(1), 1)[0, 1, 1])


@pytest.mark.parametrize(("away", "saturated"), [(2, True), (4, False)])
def test_a_star_is_saturated_where_a_pixel_of_its_core_is(away, saturated):
    """Two pixels away, charge came from it; farther away another star's did."""
    field = Field(np.full(9, 3e4))
    field.dq[field.row[4] + away, field.column[4]] = 8
    assert field.evidence(100.0).saturated.tolist() == [k == 4 and saturated for k in range(9)]


@pytest.mark.parametrize(("snr", "known"), [(90.0, True), (30.0, False)])
def test_what_a_pixel_holds_is_told_by_stars_that_stand_out(snr, known):
    """Errors of single pixels are then a few per cent of the star."""
    share = share_of_middle(Field(np.full(36, 2e4)), snr)
    assert np.isfinite(share) == known


def test_stars_of_one_chip_tell_what_their_middles_hold():
    """A pixel lies in the middle of one star in thirty or so: of a few stars none tells how steep it is there."""
    assert 0.75 < share_of_middle(Field(np.full(60, 3e4)), 100.0) < 1.1


@pytest.mark.parametrize(("snr", "farthest"), [(40.0, WIDE_ARCSEC), (10.0, 1.5 * CORE_ARCSEC)])
def test_what_bright_stars_lose_outside_their_cores_is_listed(snr, farthest):
    """A dead row beside the middle; of a faint star what lies out there is noise."""
    field = Field(np.full(9, 3e4))
    field.dq[field.row[4] + 1] = 2
    (lost,) = (part for part in field.evidence(snr).lost if 4 in part.star)
    distance = lost.distance[lost.star == 4].max()
    assert 0.7 * farthest < distance < farthest


def relative_errors(columns):
    return columns["flux_err"] / columns["flux"]


def test_a_flux_that_is_a_limit_is_uncertain_by_half():
    field = Field(np.full(36, 2e4))
    row, column = field.row[::7], field.column[::7]
    field.sci[row, column], field.dq[row, column] = 3900.0, 8
    columns = field.catalog()
    limits = (columns["flags"] & Flag.LIMIT) != 0
    assert np.flatnonzero(limits).tolist() == list(range(0, 36, 7))
    error = relative_errors(columns)
    assert ((error[limits] > 0.4) & (error[limits] < 0.7)).all()
    assert (error[~limits] < 0.05).all()


def test_a_star_whose_middle_was_hit_each_time_is_good_to_a_tenth():
    """Such stars of single exposures scatter by 0.07."""
    field = Field(np.full(36, 2e4))
    field.hit[field.row[::7], field.column[::7]] = True
    columns = field.catalog()
    struck = (columns["flags"] & Flag.COSMIC_RAY) != 0
    assert struck.sum() >= 4
    error = relative_errors(columns)
    assert ((error[struck] > 0.07) & (error[struck] < 0.2)).all()
    assert (error[~struck] < 0.05).all()


def sampling(chips, exposures, aperture):
    mosaic = SimpleNamespace(
        inputs=[InputChip("one", name, 1.0, 1.0, 0.0, 1.0, side) for name, side in (("WF3", 0.0996), ("PC", 0.0455))]
    )
    evidence = SimpleNamespace(chip=np.array(chips), n_exposures=np.array(exposures))
    camera = SimpleNamespace(aperture=0.5)
    options = CatalogSettings(aperture=aperture, sampling=0.05)
    return _sampling(mosaic, camera, evidence, grown=Growth(), options=options).tolist()


def test_pixels_sample_stars_as_the_settings_say_in_a_small_circle_and_less_in_larger_ones():
    """``catalog.sampling``: of one exposure's WF pixels, within 0.15 arcsec."""
    assert sampling(["WF3"], [1], 0.15) == pytest.approx([0.05])
    assert sampling(["WF3", "PC"], [4, 1], 0.15) == pytest.approx([0.025, 0.05 * 0.0455 / 0.0996])
    assert sampling(["WF3"], [1], 0.3) == pytest.approx([0.05 / 8.0])
    assert sampling(["WF3"], [1], 0.5) == [0.0]
