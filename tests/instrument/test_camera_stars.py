"""Stars of each camera, drawn as its optics make them: the search finds them, and not their diffraction rings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.instrument.cameras import CAMERAS, settings_for
from mizzle.instrument.star_optics import chip_star
from mizzle.io.exposures import read_exposure
from mizzle.model import Alignment, ArrayPixels, Chip, ChipFrame, Exposure, Serial, SkyLevels
from mizzle.pipeline import process
from mizzle.settings import Settings, load_settings
from mizzle.simulate.cameras import camera_visit, write_exposures
from mizzle.steps.align.sources import find_sources
from mizzle.steps.chip_view import view_unaligned
from mizzle.steps.equalize import equalize
from mizzle.steps.reject import find_cosmic_rays

SIDE, SKY, READ_NOISE, HALF = 260, 40.0, 5.0, 12
BY_NAME = {camera.name: camera for camera in CAMERAS}


def drawn(camera, pivot, *, off=0.0, smear=0.0, seed=3, dither=(0.0, 0.0), number=0):
    """A chip of bright stars on a lattice, and their places [pixel].

    Their wavefront is so far off the usual one [micrometer], and each is two, so far from their middle along rows.
    """
    rng, (kind, *_) = np.random.default_rng(seed), camera.classes
    cd = np.diag([-kind.pixel, kind.pixel]) / 3600.0
    zero = np.zeros((2, 2))
    middle = 0.5 * (SIDE + 1) + np.array(dither)
    frame = ChipFrame(np.array([150.0, 2.0]), middle, cd, zero, zero, (SIDE, SIDE), np.zeros(SIDE + 1), kind.pixel)
    flags = np.zeros((SIDE, SIDE), np.uint16)
    chip = Chip(
        name=camera.chips[0], number=1, pixels=ArrayPixels(flags.astype(np.float32), flags), header={}, gain=1.0,
        read_noise=READ_NOISE, photflam=1e-19, frame=frame, photplam=pivot, photbw=0.08 * pivot,
    )  # fmt: skip
    star = chip_star(camera, chip, defocus=camera.defocus + off)
    half = min(star.reach - 2, HALF)
    light, places = np.full((SIDE, SIDE), SKY), []
    for row in range(20, SIDE - 20, 24):
        for column in range(20, SIDE - 20, 24):
            aside = rng.uniform(-0.5, 0.5, 2) + dither
            box = np.s_[row - half : row + half + 1, column - half : column + half + 1]
            shares = star.pixels(aside[0] + smear * np.array([-1.0, 1.0]), np.full(2, aside[1]), half).mean(axis=0)
            light[box] += 10.0 ** rng.uniform(3.3, 5.5) * np.maximum(shares, 0.0)
            places.append((column + aside[0], row + aside[1]))
    rng = np.random.default_rng([seed, number])
    sci = rng.poisson(light) + rng.normal(0.0, READ_NOISE, light.shape)
    chip = replace(chip, pixels=ArrayPixels(sci.astype(np.float32), flags))
    made = Exposure(
        camera=camera, root=f"made{number}", path=f"made{number}_flt.fits", filter="BAND", exptime=500.0,
        darktime=500.0, mjd_start=54000.0, mjd_end=54000.1, date_obs="2007-06-04", commanded_gain=1, target="STARS",
        header={}, chips={chip.name: chip},
    )  # fmt: skip
    return made, np.array(places)


@pytest.mark.parametrize(
    ("name", "pivot", "off", "smear"),
    [
        ("ACS/WFC", 8000.0, 0.0, 0.0),
        ("ACS/WFC", 8000.0, 0.025, 0.0),
        ("ACS/HRC", 8000.0, 0.0, 0.0),
        ("ACS/HRC", 6000.0, 0.0, 0.6),
        ("WFC3/UVIS", 8000.0, 0.0, 0.0),
        ("WFC3/IR", 11000.0, 0.0, 0.0),
        ("WFC3/IR", 11000.0, 0.025, 0.0),
    ],
)
def test_stars_are_found_though_unlike_the_computed_ones_and_their_rings_are_not(name, pivot, off, smear):
    """The telescope breathes by that much; the HRC, whose pixels are finest, shows whatever else its optics do."""
    settings = settings_for(BY_NAME[name], Settings())
    missed = wrong = count = 0
    for seed in (3, 4):
        made, places = drawn(BY_NAME[name], pivot, off=off, smear=smear, seed=seed)
        (view,) = view_unaligned([made], settings)
        sources = find_sources(view, settings)
        apart = np.hypot(sources["x"][:, None] - places[:, 0], sources["y"][:, None] - places[:, 1])
        missed += int(np.count_nonzero(apart.min(axis=0, initial=np.inf) > 0.5))
        wrong += int(np.count_nonzero(apart.min(axis=1, initial=np.inf) > 0.5))
        count += len(places)
    assert missed < 0.05 * count
    assert wrong < 0.01 * count


def searched(camera, made):
    """Cosmic rays of exposures whose places and sky are known."""
    settings, (name, *_) = settings_for(camera, Settings()), made[0].chips
    zero, level = ({e.root: {name: value} for e in made} for value in (0.0, SKY))
    return find_cosmic_rays(
        made, Alignment.identity(made), equalize(made, settings), sky=SkyLevels(level, level, zero, zero),
        settings=settings, runner=Serial(),
    )  # fmt: skip


def test_what_is_left_of_bad_pixels_is_found_on_ramps():
    """Rays were removed from them; ten sigma are no noise."""
    camera = BY_NAME["WFC3/IR"]
    dithers = ((0.0, 0.0), (0.5, 0.33), (1.25, 0.75), (0.8, 1.5))
    first, *others = (drawn(camera, 11000.0, dither=dither, number=k)[0] for k, dither in enumerate(dithers))
    (chip,) = first.chips.values()
    sci, rng = chip.sci.copy(), np.random.default_rng(5)
    rows, columns = 24 * rng.integers(0, 9, (2, 40)) + 32  # between the stars
    sci[rows, columns] += 10.0 * np.sqrt(SKY + READ_NOISE**2)
    first = replace(first, chips={chip.name: replace(chip, pixels=ArrayPixels(sci, chip.dq))})
    mask = searched(camera, [first, *others]).mask(first.root, chip.name, chip.shape)
    assert mask[rows, columns].mean() > 0.9


def test_cores_of_stars_on_coarse_pixels_are_no_rays(tmp_path):
    """Each exposure sees a core at another phase of its pixels, and three that a distortion parts never at the same."""
    struck = count = 0
    for seed in (4, 5):
        plan = {"stars": 400, "brightest": 17.5, "faintest": 23.0, "exptime": 100.0, "seed": seed}
        sky = camera_visit("wfc3-ir", dithers=((0.0, 0.0), (1.513, 0.787), (0.755, 2.023)), **plan)
        exposures = [read_exposure(path) for path in write_exposures(sky, tmp_path / str(seed))]
        result = process(exposures, load_settings("", ["report.page=false"]))
        for exposure in exposures:
            (chip,) = exposure.chips.values()
            places = result.alignment.frame(exposure, chip.name).sky_to_pixel(sky.ra, sky.dec)
            x, y = (np.rint(place).astype(int) for place in places)
            inside = (x >= 0) & (y >= 0) & (x < chip.shape[1]) & (y < chip.shape[0])
            mask = result.cosmic_rays.mask(exposure.root, chip.name, chip.shape)[y[inside], x[inside]]
            struck, count = struck + int(mask.sum()), count + mask.size
    assert count > 500
    assert struck < 0.003 * count
