"""One exposure by itself: stars live, cosmic rays die."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.execution import make_runner
from mizzle.instrument.dq import bad_mask
from mizzle.instrument.star_optics import TYPICAL_DEFOCUS, sharpest_star, star_optics
from mizzle.psf import star_image
from mizzle.psf.light import HALF, PeakPixels, light_templates, typical_sky
from mizzle.settings import Settings
from mizzle.settings.reject import RejectSettings
from mizzle.steps.focus import measure_focus
from mizzle.steps.reject import single
from mizzle.steps.reject.single import SinglePixels, find_single
from ray_scores import found, scores, simulated, star_peaks_flagged

PLAN = {"n": 1, "seed": 3, "density": 600.0}


def searched(made):
    """Masks of exposures whose stars were measured before."""
    return found(made, exposures=measure_focus(made.exposures, Settings(), make_runner(2)))


@pytest.fixture(scope="module")
def alone():
    made = simulated(**PLAN)
    return made, searched(made)


def test_star_peaks_are_spared_on_every_chip(alone):
    made, rays = alone
    for name, (flagged, count) in star_peaks_flagged(made, rays).items():
        assert count > (50 if name == "PC" else 300)
        assert flagged <= 0.01 * count, name


def test_most_bright_hits_are_found(alone):
    made, rays = alone
    told = scores(made, rays)
    assert told["found150"] >= LEAST_FOUND
    assert max(told["sky"].values()) < 1e-3
    assert set(rays.methods.values()) == {"lacosmic"}


#: Least share of the pixels that got more than 150 electrons, over four chips, in any filter and at both gains.
LEAST_FOUND = 0.85


@pytest.mark.slow
@pytest.mark.parametrize("gain", [7, 15])
@pytest.mark.parametrize("filter_name", ["F300W", "F439W", "F555W", "F814W"])
@pytest.mark.parametrize("seed", [21, 22])
def test_in_any_filter_and_gain(gain, filter_name, seed):
    made = simulated(n=1, seed=seed, gain=gain, filter=filter_name, density=600.0)
    rays = searched(made)
    assert scores(made, rays)["found150"] >= LEAST_FOUND
    for name, (flagged, count) in star_peaks_flagged(made, rays).items():
        assert flagged <= max(1, 0.01 * count), name


PIXELS = {"PC": 0.0455, "WF": 0.0996}
BANDS = {"F336W": (3359.0, 204.0), "F555W": (5443.0, 522.0), "F814W": (7996.0, 646.0)}


def image(rng, star=0.0, ray=0.0, size=41, pixel=0.0996, band=BANDS["F814W"], place=(0.0, 0.0)):
    """A sky with a star of typical focus, or a ray, of a given height [electron] in its middle."""
    electrons = rng.normal(0, 6.0, (size, size)) + 20.0
    if star:
        shares = star_image(star_optics(pixel, *band, defocus=TYPICAL_DEFOCUS)).pixels(*np.array(place)[:, None], 7)[0]
        electrons[13:28, 13:28] += star / shares.max() * shares
    electrons[20, 20] += ray
    bad = np.zeros((size, size), bool)
    return SinglePixels(electrons.astype(np.float32), bad, 36.0, star_image(star_optics(pixel, *band)), pixel)


def test_the_typical_sky_of_a_chip_is_known_far_better_than_a_pixel():
    """Half a sigma of a pixel decides whether a dark neighbor is a ray's: an eighth of that is the sky's own error."""
    skies = []
    for seed in range(16):
        electrons = np.random.default_rng(seed).normal(20.0, 7.5, (400, 400)).astype(np.float32)
        skies.append(typical_sky(PeakPixels(electrons, np.zeros(electrons.shape, bool), 36.0)))
    assert np.std(skies) < 0.0625 * 7.5


@pytest.mark.parametrize("laplacian", [True, False])
@pytest.mark.parametrize("height", [300.0, 3000.0, 30000.0])
def test_a_ray_and_a_star_of_one_height(laplacian, height):
    rng = np.random.default_rng(2)
    settings = RejectSettings()
    assert find_single(image(rng, ray=height), settings, laplacian=laplacian)[20, 20]
    assert not find_single(image(rng, star=height), settings, laplacian=laplacian)[19:22, 19:22].any()


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("pixel", PIXELS)
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.25, -0.1), (0.5, 0.0), (0.45, 0.45), (-0.33, 0.5)])
def test_a_star_of_any_band_is_spared_wherever_it_falls_in_a_pixel(band, pixel, place):
    rng = np.random.default_rng(5)
    settings = RejectSettings()
    for height in (200.0, 2000.0, 40000.0):
        pixels = image(rng, star=height, pixel=PIXELS[pixel], band=BANDS[band], place=place)
        assert not find_single(pixels, settings, laplacian=False)[18:23, 18:23].any(), height


def test_noise_that_is_far_larger_than_believed_costs_few_fits_and_the_highest_peaks_are_judged(monkeypatch):
    """Of rates taken for counts every ninth pixel is a peak; a fit of each would take minutes."""
    rng = np.random.default_rng(5)
    electrons = rng.normal(0.0, 300.0, (400, 400)).astype(np.float32)
    electrons[200, 200] += 30000.0
    pixels = SinglePixels(electrons, np.zeros((400, 400), bool), 36.0, image(rng).star, 0.0996)
    judged = []
    original = single.judge_peaks

    def count(pixels, peaks, fit, *, settings):
        judged.append(peaks.y.size)
        return original(pixels, peaks, fit, settings=settings)

    monkeypatch.setattr(single, "judge_peaks", count)
    mask = single.find_single(pixels, Settings().reject)
    assert judged[0] <= 0.011 * electrons.size
    assert mask[200, 200]


def test_hits_at_the_edge_of_a_chip_are_seen():
    rng = np.random.default_rng(2)
    pixels = image(rng)
    pixels.electrons[[0, 40, 12], [7, 33, 0]] += 2000.0
    mask = find_single(pixels, RejectSettings(), laplacian=False)
    assert mask[[0, 40, 12], [7, 33, 0]].all()


def test_bad_pixels_are_left_alone():
    rng = np.random.default_rng(2)
    pixels = image(rng, ray=5000.0)
    pixels.bad[20, 20] = True
    assert not find_single(pixels, RejectSettings(), laplacian=False).any()


@pytest.mark.parametrize("height", [400.0, 3000.0])
def test_a_ray_two_pixels_from_a_star_dies_and_the_star_lives(height):
    """The ray is found first, and hidden from the star."""
    pixels = image(np.random.default_rng(8), star=3000.0)
    pixels.electrons[20, 23] += height
    mask = find_single(pixels, RejectSettings(), laplacian=False)
    assert mask[20, 23]
    assert not mask[19:22, 19:22].any()


def test_a_track_ends_where_a_star_begins():
    """Pixels that the star's own light explains are no part of the ray beside it."""
    pixels = image(np.random.default_rng(9), star=20_000.0, pixel=0.0455, band=BANDS["F555W"])
    before = pixels.electrons.copy()
    pixels.electrons[20, 24:28] += 900.0
    mask = find_single(pixels, RejectSettings())
    assert mask[20, 25:27].all()
    assert (mask * (before - 20.0)).sum() < 0.02 * (before - 20.0).sum()


def beside_a_ray(seed, *, ray, piece=0.0, star=0.0):
    """A WF chip in the blue: a ray, and three pixels beside it a piece of its track, or a star."""
    pixels = image(np.random.default_rng(seed), star=star, place=(0.2, 0.1), band=BANDS["F336W"])
    pixels.electrons[:] = np.roll(pixels.electrons, 3, axis=1)
    pixels.electrons[20, 20:22] += ray, 0.1 * ray
    # Two pixels alike: light between them would leave little in any other.
    pixels.electrons[20, 23:25] += piece, 0.75 * piece
    return find_single(pixels, RejectSettings(), laplacian=False)


def test_pieces_of_a_track_die_with_its_brightest_pixel():
    """What could be a star by itself is none beside a ray: tracks have several peaks, and stars are few."""
    alone, beside = (
        np.mean([beside_a_ray(seed, ray=ray, piece=230.0)[20, 23] for seed in range(30)]) for ray in (0.0, 1500.0)
    )
    assert alone < 0.7
    assert beside > 0.9


def test_a_star_beside_a_ray_is_no_piece_of_it():
    masks = np.array([beside_a_ray(seed, ray=1500.0, star=1500.0) for seed in range(30)])
    assert masks[:, 20, 20].all()
    assert masks[:, 20, 23].mean() < 0.1


def test_what_stars_and_rays_there_are_is_counted_by_dark_neighbors():
    """Half as many rays as stars, as many, and twice as many; the odds only ever speak for stars."""
    ratios = []
    for stars, rays in ((20, 10), (20, 20), (10, 20)):
        pixels = image(np.random.default_rng(3), size=201, star=0.0)
        places = np.random.default_rng(4).permutation(100)[: stars + rays]
        core = image(np.random.default_rng(5), star=3000.0).electrons[16:25, 16:25] - 20.0
        for number, place in enumerate(places):
            y, x = 10 + 20 * (place // 10), 10 + 20 * (place % 10)
            if number < stars:
                pixels.electrons[y - 4 : y + 5, x - 4 : x + 5] += core
            else:
                pixels.electrons[y, x : x + 2] += 3000.0, 1500.0
        rule = single.SingleRule(36.0, 0.1, 5.0, 2.0, 3, 1)
        ratios.append(single._stars_to_rays(pixels, single.find_peaks(pixels.electrons, pixels.bad, rule)))
    np.testing.assert_allclose(ratios, [2.0, 1.0, 0.5], rtol=0.15)
    assert single._odds(0.5) == single._odds(1.0) == 0.0 < single._odds(2.0)


def test_blended_stars_are_light():
    rng = np.random.default_rng(10)
    for apart in (1.0, 1.5, 2.0):
        pixels = image(rng, star=2000.0, place=(-0.5 * apart + 0.5, 0.2))
        other = image(rng, star=1500.0, place=(0.1, -0.3))
        pixels.electrons[:, 1:] += other.electrons[:, :-1] - 20.0
        assert not find_single(pixels, RejectSettings(), laplacian=False)[17:24, 17:24].any(), apart


def test_templates_are_stars_at_places_around_and_a_level():
    star = star_image(star_optics(0.0996, 5443.0, 522.0))
    templates = light_templates(star)
    middle = templates[(len(templates) - 1) // 2].reshape(2 * HALF + 1, -1)
    np.testing.assert_allclose(middle, star.pixels(np.zeros(1), np.zeros(1), HALF)[0], atol=1e-12)
    np.testing.assert_array_equal(templates[-1], 1.0)
    # Less light around leaves more in the pixel, and all of it is kept.
    sharper = light_templates(star, 0.5)[(len(templates) - 1) // 2].reshape(middle.shape)
    assert sharper[HALF, HALF] == pytest.approx(0.5 * middle[HALF, HALF] + 0.5)
    assert sharper[HALF, HALF + 1] == pytest.approx(0.5 * middle[HALF, HALF + 1])


@pytest.mark.data
def test_the_real_exposure_keeps_its_stars(data_dir):
    import mizzle
    from mizzle.instrument.noise import noise_model

    settings = Settings()
    read = mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    (exposure,) = measure_focus([read], settings, make_runner(2))
    for chip in exposure.chips.values():
        model = noise_model(exposure, chip, settings.noise)
        bad = bad_mask(chip, settings.dq)
        electrons = np.where(bad, 0, chip.sci * np.float32(model.gain)).astype(np.float32)
        star = sharpest_star(exposure.camera, chip)
        mask = find_single(SinglePixels(electrons, bad, model.floor, star, chip.frame.scale), settings.reject)
        # 100 s: about 0.2 per cent of the pixels are hit, on each chip.
        assert 0.0015 < mask[~bad].mean() < 0.0045, chip.name


@pytest.mark.data
def test_stars_that_a_second_exposure_confirms_keep_their_light(data_dir):
    """NGC 1261, PC: 167 stars of F555W seen in F336W too, and 117 peaks that only one of the two shows."""
    import csv

    import mizzle
    from mizzle.instrument.noise import noise_model

    settings = Settings()
    with (data_dir / "ngc1261" / "confirmed.csv").open(encoding="ascii") as stream:
        rows = [row for row in csv.reader(stream) if row and row[0] in ("star", "lone")]
    places = {
        kind: np.array([[float(v) - 1 for v in row[1:3]] for row in rows if row[0] == kind])
        for kind in ("star", "lone")
    }
    found = {}
    for root in ("ubai2502m", "ubai2505m"):
        read = mizzle.read_exposure(data_dir / "ngc1261" / f"{root}_c0m.fits.gz")
        (exposure,) = measure_focus([read], settings, make_runner(1))
        chip = exposure.chips["PC"]
        model, bad = noise_model(exposure, chip, settings.noise), bad_mask(chip, settings.dq)
        electrons = np.where(bad, 0, chip.sci * np.float32(model.gain)).astype(np.float32)
        found[root] = find_single(
            SinglePixels(electrons, bad, model.floor, sharpest_star(exposure.camera, chip), chip.frame.scale),
            settings.reject,
        )
    x, y = np.rint(places["star"]).astype(int).T
    assert found["ubai2502m"][y, x].mean() <= 0.01
    x, y = np.rint(places["lone"]).astype(int).T
    assert found["ubai2505m"][y, x].mean() >= 0.85


@pytest.mark.parametrize("name", ["PC", "WF4"])
def test_where_rays_are_asked_for_peaks_far_away_need_no_judgment(alone, name):
    """A strip of a chip has the same rays whether its other side is searched or not; tracks reach no farther."""
    made, _ = alone
    (exposure,) = made.exposures
    chip = exposure.chips[name]
    electrons = chip.sci * np.float32(chip.gain)
    star = sharpest_star(exposure.camera, chip)
    pixels = SinglePixels(electrons, bad_mask(chip, Settings().dq), chip.read_noise**2, star, chip.frame.scale)
    whole = find_single(pixels, RejectSettings(), laplacian=False)
    for strip in (np.s_[:, :90], np.s_[300:380, :]):
        wanted = np.zeros(whole.shape, np.bool_)
        wanted[strip] = True
        part = find_single(pixels, RejectSettings(), laplacian=False, wanted=wanted)
        assert np.count_nonzero(whole[strip]) > 150
        assert np.count_nonzero((part != whole)[strip]) <= 0.002 * np.count_nonzero(whole[strip])
        assert np.count_nonzero(part) < 0.5 * np.count_nonzero(whole)


def test_a_track_is_followed_into_where_it_is_asked_for():
    """It is brightest at its far end, and has no peak of its own near the strip that is searched."""
    pixels = image(np.random.default_rng(5))
    electrons = pixels.electrons.copy()
    electrons[20, 8:14] += np.linspace(6000.0, 2000.0, 6, dtype=np.float32)
    wanted = np.zeros(electrons.shape, np.bool_)
    wanted[:, 11:] = True
    track = replace(pixels, electrons=electrons)
    assert find_single(track, RejectSettings(), laplacian=False, wanted=wanted)[20, 11:13].all()
