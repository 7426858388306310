"""Laws of the simulator: light is conserved, flat stays flat, noise is what the handbook says, chance is repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from mizzle import simulate
from mizzle.errors import SettingsError
from mizzle.execution import Threads
from mizzle.instrument.cte import dolphin_2009
from mizzle.instrument.star_optics import TYPICAL_DEFOCUS, star_optics
from mizzle.instrument.wfpc2 import CHIP_NAMES, GAIN_RATIOS, INFINITE_APERTURE
from mizzle.psf import star_image
from mizzle.simulate import Effects, StarList
from mizzle.simulate.cosmic import Hits, cosmic_rays
from mizzle.simulate.detector import FULL_WELL, bleed
from mizzle.simulate.psf import point_spread, stamps
from mizzle.simulate.render import pixel_areas
from mizzle.simulate.spikes import SPIKE_SHARE, add_spikes, make_spikes
from mizzle.simulate.trails import TRAIL_ROWS


def stars_at(pixels: dict[str, list[tuple[float, float]]], flux: float = 3e-16, **plan) -> StarList:
    """Put stars of one flux at given true 0-based pixels of the first exposure's chips."""
    frames = simulate.visit(n=1, field="blank", effects=Effects.none(**plan)).truth.exposures
    pointing = next(iter(frames.values())).pointing
    sky = [pointing.true[name].pixel_to_sky(x, y) for name, places in pixels.items() for x, y in places]
    return StarList([float(s[0]) for s in sky], [float(s[1]) for s in sky], np.full(len(sky), flux))


PLACES = {
    "PC": [(310.3, 280.6), (700.9, 690.2), (420.0, 500.5)],
    "WF2": [(160.3, 170.6), (740.9, 730.2), (400.0, 433.5)],
    "WF3": [(170.7, 180.2), (740.1, 161.2), (424.0, 450.0)],
    "WF4": [(190.2, 720.8), (740.9, 730.2), (400.5, 401.4)],
}


@pytest.mark.parametrize("gain", [7, 15])
def test_star_light_is_flux_over_photflam(gain):
    stars = stars_at(PLACES)
    made = simulate.visit(n=1, gain=gain, sky=0.0, exptime=400.0, stars=stars, effects=Effects.none())
    exposure, truth = made.exposures[0], made.truth
    for name, chip in exposure.chips.items():
        seen = truth.chip(exposure.root, name)
        collected = float(np.sum(chip.sci.astype(float) * truth.areas[name]))
        wanted = 3 * 3e-16 * 400.0 / chip.photflam
        assert seen.star.size == 3
        assert collected == pytest.approx(wanted, rel=2e-4)
        ratio = GAIN_RATIOS[name] if gain == 15 else 1.0
        assert chip.photflam == pytest.approx(
            simulate.visit(n=1, field="blank", effects=Effects.none()).exposures[0].chips[name].photflam * ratio
        )


def test_a_star_lies_where_the_true_frame_puts_it():
    stars = stars_at(PLACES)
    made = simulate.visit(n=1, sky=0.0, stars=stars, effects=Effects.none())
    exposure, truth = made.exposures[0], made.truth
    number = 0
    for name, places in PLACES.items():
        image = truth.starlight(exposure.root, name) * truth.areas[name]
        frame = truth.exposures[exposure.root].pointing.true[name]
        star = star_image(star_optics(frame.scale, 7996.0, 646.0, defocus=TYPICAL_DEFOCUS))
        for x, y in places:
            i, j, r = round(x), round(y), 3
            box = image[j - r : j + r + 1, i - r : i + r + 1]
            # Undersampled stars have no unbiased first moment: the computed star image tells how far the star is off.
            model, ahead, above = star.pixels(x - i + np.array([0, 0.01, 0]), y - j + np.array([0, 0, 0.01]), r)
            slopes = np.stack([model, (ahead - model) / 0.01, (above - model) / 0.01, np.ones_like(model)])
            flux, off_x, off_y, _ = np.linalg.lstsq(slopes.reshape(4, -1).T, box.ravel(), rcond=None)[0]
            assert np.hypot(off_x, off_y) / flux < 0.02
            ra, dec = frame.pixel_to_sky(x, y)
            assert float(ra) == pytest.approx(stars.ra[number], abs=1e-9)
            assert float(dec) == pytest.approx(stars.dec[number], abs=1e-9)
            number += 1


@pytest.mark.parametrize("name", CHIP_NAMES)
def test_the_standard_aperture_holds_its_share(name):
    """Sum whole and cut pixels of a noiseless star within 0.5 arcsec: 1/1.096 of the light."""
    place = PLACES[name][2]
    stars = stars_at({name: [place]})
    made = simulate.visit(n=1, sky=0.0, stars=stars, effects=Effects.none())
    exposure, truth = made.exposures[0], made.truth
    image = truth.starlight(exposure.root, name) * truth.areas[name]
    psf = truth.chip(exposure.root, name).psf
    fine = 20
    y, x = np.mgrid[0 : 800 * 1, 0:800]
    near = np.hypot(x - place[0], y - place[1]) < 16
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    share = np.zeros_like(image)
    dx = x[near][:, None, None] + offsets[None, None, :] - place[0]
    dy = y[near][:, None, None] + offsets[None, :, None] - place[1]
    share[near] = (np.hypot(dx, dy) * psf.scale < 0.5).mean(axis=(1, 2))
    total = truth.rate(exposure.chips[name].photflam)[0] * 500.0
    assert (image * share).sum() / total == pytest.approx(1 / INFINITE_APERTURE, abs=2e-3)


def test_narrow_rows_collect_less_star_light_but_the_flat_sky_stays_flat():
    frame = simulate.visit(n=1, field="blank", effects=Effects.none()).exposures[0].chips["WF3"].frame
    areas = pixel_areas(frame)
    heights = np.diff(frame.row_edges)
    narrow = int(np.argmin(heights[100:700])) + 100
    assert heights[narrow] < -0.02
    near = slice(narrow - 3, narrow + 4)
    step = areas[near, 400] / areas[narrow + 6, 400]
    assert step.min() == pytest.approx(1 + heights[narrow], abs=2e-3)
    blank = simulate.visit(n=1, field="blank", effects=Effects.none()).exposures[0].chips["WF3"].sci
    assert np.ptp(blank) < 1e-5
    stars = stars_at({"WF3": [(400.0, float(narrow))]})
    with_term = simulate.visit(n=1, sky=0.0, stars=stars, effects=Effects.none(flat_field="none"))
    straight = simulate.visit(n=1, sky=0.0, stars=stars_at({"WF3": [(400.0, float(narrow))]}, row_term=False),
                              effects=Effects.none(flat_field="none", row_term=False))  # fmt: skip
    root = with_term.exposures[0].root
    got = with_term.truth.starlight(root, "WF3")[narrow, 380:420].sum()
    wide = straight.truth.starlight(root, "WF3")[narrow, 380:420].sum()
    assert 0.96 < got / wide < 0.995


@pytest.mark.parametrize("gain", [7, 15])
def test_blank_sky_is_one_surface_brightness(gain):
    made = simulate.visit(n=1, field="blank", gain=gain, sky=0.02, effects=Effects.none())
    exposure, truth = made.exposures[0], made.truth
    brightness = []
    for name, chip in exposure.chips.items():
        frame = truth.exposures[exposure.root].pointing.true[name]
        area = abs(np.linalg.det(frame.cd)) * 3600.0**2
        assert np.ptp(chip.sci) <= 2e-6 * chip.sci.max()
        brightness.append(float(np.mean(chip.sci, dtype=float)) * chip.photflam / area)
    np.testing.assert_allclose(brightness, brightness[0], rtol=1e-6)
    if gain == 7:
        assert exposure.chips["WF3"].sci.mean() == pytest.approx(0.02 * 500, rel=1e-6)


def test_without_a_flat_the_sky_follows_the_pixels():
    made = simulate.visit(n=1, field="blank", effects=Effects.none(flat_field="none"))
    chip = made.exposures[0].chips["WF2"]
    area = made.truth.areas["WF2"]
    np.testing.assert_allclose(chip.sci / made.truth.chip(made.exposures[0].root, "WF2").sky_dn, area, rtol=1e-5)
    assert 0.950 < np.median(area[:20, :20]) < 0.965  # corners collect 4 % less


def test_the_same_seed_gives_the_same_bits_anywhere():
    plan = simulate.make_plan(n=1, seed=5, exptime=100.0)
    here, there = simulate.visit(plan), simulate.visit(plan, runner=Threads(2))
    other = simulate.visit(n=1, seed=6, exptime=100.0)
    for name in CHIP_NAMES:
        a, b, c = (v.exposures[0].chips[name] for v in (here, there, other))
        np.testing.assert_array_equal(a.sci, b.sci)
        np.testing.assert_array_equal(a.dq, b.dq)
        assert not np.array_equal(a.sci, c.sci)


@pytest.mark.parametrize(("fraction", "exptime"), [(0.01, 500.0), (0.03, 500.0), (0.01, 2000.0)])
def test_cosmic_rays_hit_the_share_asked_for(fraction, exptime):
    rng = np.random.default_rng(1)
    got = [Hits.of(cosmic_rays((800, 800), fraction, exptime, rng=rng)).fraction for _ in range(6)]
    assert np.mean(got) == pytest.approx(fraction * exptime / 500.0, rel=0.05)


def test_hits_keep_their_charge():
    charge = cosmic_rays((100, 120), 0.02, 500.0, rng=np.random.default_rng(2))
    hits = Hits.of(charge, 0.0)
    np.testing.assert_allclose(hits.electrons(), charge, rtol=1e-6)
    np.testing.assert_array_equal(hits.mask(30.0), charge.astype(np.float32) >= 30.0)


@pytest.mark.parametrize("gain", [7, 15])
def test_noise_is_the_handbooks(gain):
    """Variance in electrons: light + dark + the handbook's read noise squared, rounding included."""
    effects = Effects.none(photon_noise=True, read_noise=1.0, quantize=True, dark=True)
    made = simulate.visit(n=2, field="blank", gain=gain, sky=0.02, exptime=800.0, effects=effects)
    first, second = made.exposures
    for name in CHIP_NAMES:
        chip = first.chips[name]
        truth = made.truth.chip(first.root, name)
        area = made.truth.areas[name].astype(float)
        difference = (first.chips[name].sci.astype(float) - second.chips[name].sci) * area * chip.gain
        wanted = truth.sky_dn * chip.gain * area.mean() + 0.005 * 800 + chip.read_noise**2
        assert difference.var() / 2 == pytest.approx(wanted, rel=0.01)
        assert chip.sci.mean(dtype=float) == pytest.approx(truth.sky_dn, abs=0.01)


def test_bleeding_keeps_the_charge():
    charge = np.full((60, 5), 100.0)
    charge[30, 2] = 6.5 * FULL_WELL
    charge[31, 2] = 2.0 * FULL_WELL
    after = bleed(charge)
    assert after.sum() == pytest.approx(charge.sum(), rel=1e-12)
    assert after.max() <= FULL_WELL * (1 + 1e-12)
    full = np.nonzero(after[:, 2] >= FULL_WELL * 0.999)[0]
    assert full.size >= 7
    assert abs(full.mean() - 30.5) < 1.6
    np.testing.assert_array_equal(after[:, [0, 1, 3, 4]], charge[:, [0, 1, 3, 4]])
    edge = np.zeros((4, 1))
    edge[0] = 20 * FULL_WELL
    assert bleed(edge).max() <= FULL_WELL * (1 + 1e-12)  # the rest ran out of the chip


def test_saturated_pixels_are_clipped_and_flagged():
    stars = stars_at({"WF3": [(400.2, 400.4)]}, flux=2e-14)
    effects = Effects.none(quantize=True, saturation=True, photon_noise=True, read_noise=1.0)
    chip = simulate.visit(n=1, stars=stars, effects=effects).exposures[0].chips["WF3"]
    flagged = (chip.dq & 8) > 0
    assert flagged.sum() > 20
    assert flagged[400, 400]
    assert np.ptp(np.nonzero(flagged)[0]) > np.ptp(np.nonzero(flagged)[1])
    raw = chip.sci * pixel_areas(chip.frame)
    assert raw[flagged].max() <= 4095 - 311 + 0.1
    assert raw[~flagged].max() < raw[flagged].max()


def test_an_absurdly_bright_star_does_no_harm():
    stars = stars_at({"WF3": [(400.2, 400.4)]}, flux=1.0)
    chip = simulate.visit(n=1, stars=stars).exposures[0].chips["WF3"]
    assert np.isfinite(chip.sci).all()


def test_transfer_loss_is_dolphins():
    stars = stars_at(PLACES, flux=4e-18)
    made = simulate.visit(n=1, stars=stars, effects=Effects.none(cte=True), date="2007-06-04")
    root = made.exposures[0].root
    for name in CHIP_NAMES:
        seen = made.truth.chip(root, name)
        loss = -2.5 * np.log10(seen.recorded / seen.electrons)
        wanted = dolphin_2009(
            seen.x, seen.y, seen.recorded, sky=seen.sky_dn * seen.gain, mjd=made.exposures[0].mjd_start
        )
        np.testing.assert_allclose(loss, wanted, rtol=1e-3, atol=1e-6)
        assert (loss > 0).all()


def test_epochs_faults_and_pedestals():
    effects = Effects.none(faults=(1.0, 1.0, 0.97, 1.0), pedestals=(0.0, 0.5, 0.0, 0.0))
    made = simulate.visit(n=2, field="blank", sky=0.02, sensitivity=(1.0, 0.9), effects=effects)
    plain = simulate.visit(n=1, field="blank", sky=0.02, effects=Effects.none()).exposures[0]
    first, second = made.exposures
    ratio = {n: first.chips[n].sci.mean(dtype=float) / plain.chips[n].sci.mean(dtype=float) for n in CHIP_NAMES}
    assert ratio["PC"] == pytest.approx(1.0, rel=1e-6)
    assert ratio["WF3"] == pytest.approx(0.97, rel=1e-6)
    assert first.chips["WF2"].sci.mean(dtype=float) - plain.chips["WF2"].sci.mean(dtype=float) == pytest.approx(0.5)
    assert second.chips["WF4"].photflam == pytest.approx(first.chips["WF4"].photflam / 0.9)
    assert second.chips["WF4"].sci.mean() == pytest.approx(first.chips["WF4"].sci.mean() * 0.9, rel=2e-4)
    assert first.chips["WF3"].photflam == plain.chips["WF3"].photflam  # the header does not know the fault


def test_breathing_moves_light_out_of_the_core():
    psf = point_spread(0.0996, 7996.0)
    assert psf.breathed(0.1).encircled(0.1) < psf.encircled(0.1)
    assert psf.breathed(0.1).encircled(0.5) == pytest.approx(psf.encircled(0.5), abs=1e-4)
    assert psf.breathed(0.1).core_share + psf.breathed(0.1).wing_share == pytest.approx(1.0)


@pytest.mark.parametrize("band", [("F336W", 3359.0, 204.0), ("F555W", 5443.0, 522.0), ("F814W", 7996.0, 646.0)])
@pytest.mark.parametrize("scale", [0.0455, 0.0996])
def test_stamps_are_the_computed_star_image(scale, band):
    """Two ways to one image: integrals of the optics then diffused, and pixels and diffusion as transfer functions."""
    psf = point_spread(scale, *band[1:])
    x, y = np.array([0.0, 0.31, -0.44]), np.array([0.0, -0.27, 0.5])
    half = psf.half_size
    edges = np.tile(np.arange(2 * half + 2) - half - 0.5, (3, 1))
    stamp = stamps(psf, (x, y), (np.full(3, scale),) * 2, edges=(edges, edges))
    np.testing.assert_allclose(stamp.sum(axis=(1, 2)), 1.0, atol=2e-5)
    middle = stamp[:, half - 2 : half + 3, half - 2 : half + 3]
    # The light of a wing of 0.6 arcsec is even over a few pixels; that of the vanes is in spikes.
    wing = psf.wing_share * scale**2 / (2 * np.pi * 0.6**2)
    optics = star_optics(scale, *band[1:], defocus=TYPICAL_DEFOCUS, vane=0.0)
    core = psf.core_share * star_image(optics).pixels(x, y, 2)
    np.testing.assert_allclose(middle, core + wing, rtol=0.025, atol=0.002 * middle.max())


def test_light_is_conserved_on_pixels_of_any_size():
    psf = point_spread(0.0455, 5443.0, 522.0)
    half = psf.half_size
    edges = np.arange(2 * half + 2) - half - 0.5
    narrow = edges - 0.015 * (edges > 0.5)  # one row is 1.5 % narrower, as every 34th
    made = [
        stamps(psf, (np.zeros(1),) * 2, (np.full(1, 0.044), np.full(1, 0.0455)), edges=(edges[None], rows[None]))
        for rows in (edges, narrow)
    ]
    assert made[1].sum() == pytest.approx(made[0].sum(), abs=1e-5)
    cut = slice(half - 3, half + 4)
    rows = [one[0, cut].sum(axis=1) for one in made]
    assert rows[1][3] < rows[0][3]


def test_a_satellite_crosses_only_the_exposures_asked_for():
    made = simulate.visit(n=2, field="blank", effects=Effects.none(satellites=1))
    first, second = (made.truth.exposures[e.root].chips for e in made.exposures)
    assert sum(c.trail is not None and c.trail.index.size > 500 for c in first.values()) >= 1
    assert all(c.trail is None for c in second.values())
    for name in CHIP_NAMES:
        extra = made.exposures[0].chips[name].sci - made.truth.chip(made.exposures[0].root, name).sky_dn
        bright = np.nonzero(extra.ravel() * first[name].gain > 1.0)[0]
        assert np.isin(bright, first[name].trail.index).all()


def _cut_aperture(image, place, radius):
    """Sum whole and cut pixels within `radius` pixels of `place`."""
    fine = (np.arange(20) + 0.5) / 20 - 0.5
    y, x = np.indices(image.shape)
    near = np.hypot(x - place[0], y - place[1]) < radius + 2
    dx = x[near][:, None, None] + fine[None, None, :] - place[0]
    dy = y[near][:, None, None] + fine[None, :, None] - place[1]
    return float((image[near] * (np.hypot(dx, dy) < radius).mean(axis=(1, 2))).sum())


@pytest.mark.parametrize("name", ["PC", "WF3"])
def test_spikes_lie_on_the_diagonals_and_leave_the_standard_aperture_its_share(name):
    place = (400.3, 420.6)
    stars = stars_at({name: [place]}, flux=1e-15)
    made = {
        on: simulate.visit(n=1, sky=0.0, stars=stars, effects=Effects.none(spikes=on, flat_field="none"))
        for on in (False, True)
    }
    root = made[True].exposures[0].root
    plain, spiked = (made[on].truth.starlight(root, name) for on in (False, True))
    assert spiked.sum() == pytest.approx(plain.sum(), rel=1e-4)
    scale = made[True].truth.chip(root, name).psf.scale
    inside = [_cut_aperture(image, place, 0.5 / scale) / plain.sum() for image in (plain, spiked)]
    assert inside[1] == pytest.approx(inside[0], abs=2e-3)
    # Beyond the round wing, what is left of the light is on the four diagonals, equally.
    y, x = np.indices(plain.shape)
    dx, dy = x - place[0], y - place[1]
    far = np.hypot(dx, dy) * scale > 2.5
    on_spike = np.abs(np.abs(dx) - np.abs(dy)) < 3
    assert spiked[far & on_spike].sum() > 0.99 * spiked[far].sum()
    arms = [spiked[far & on_spike & (dx * sx > 0) & (dy * sy > 0)].sum() for sx in (1, -1) for sy in (1, -1)]
    np.testing.assert_allclose(arms, np.mean(arms), rtol=0.06)
    assert 0.002 < sum(arms) / plain.sum() < SPIKE_SHARE


def test_spikes_reach_farther_in_red_light():
    red, blue = (make_spikes(0.0996, wavelength) for wavelength in (7996.0, 4312.0))
    assert red.reach / blue.reach == pytest.approx(7996 / 4312)
    fine = np.arange(-80, 80, 0.01)
    assert 2 * red.density(fine).sum() * 0.01 == pytest.approx(1.0, rel=1e-4)
    assert blue.within(0.5, 0.0996) > red.within(0.5, 0.0996)


def test_a_spike_is_what_points_along_a_line_give():
    """The slow truth: a chain of round points, each integrated over the pixels."""
    frame = simulate.visit(n=1, field="blank", effects=Effects.none(row_term=False)).exposures[0].chips["WF3"].frame
    spikes, sigma, (x, y) = make_spikes(0.0996, 7996.0), 0.48, (400.31, 420.62)
    image = np.zeros((800, 800))
    add_spikes(
        image, spikes, frame, where=(np.array([x]), np.array([y])), sigma=np.array([[sigma, sigma]]), charge=np.ones(1)
    )
    edges = np.arange(801) - 0.5
    t = np.arange(-spikes.reach, spikes.reach, 0.25) + 0.125
    parts = [np.diff(ndtr((edges[None] - place[:, None]) / sigma), axis=1) for place in (x + t, y + t, y - t)]
    truth = ((parts[1] + parts[2]) * (0.25 * spikes.density(t))[:, None]).T @ parts[0]
    assert image.sum() == pytest.approx(1.0, rel=1e-3)
    np.testing.assert_allclose(image, truth, atol=0.005 * truth.max())


def test_faint_stars_keep_their_light_without_spikes():
    stars = stars_at({"WF3": [(400.3, 420.6)]}, flux=1e-19)
    images = [
        simulate.visit(n=1, sky=0.0, stars=stars, effects=Effects.none(spikes=on)).exposures[0].chips["WF3"].sci
        for on in (False, True)
    ]
    np.testing.assert_allclose(images[1], images[0], rtol=1e-5, atol=1e-7)


def test_trails_give_back_what_transfers_took_behind_the_star():
    places = {"WF3": [(400.3, 250.4), (200.3, 300.4)]}
    stars = stars_at(places, flux=2e-17)
    kinds = {"whole": {}, "lost": {"cte": True}, "trail": {"cte": True, "cte_trails": True}}
    effects = {key: Effects.none(flat_field="none", **more) for key, more in kinds.items()}
    made = {key: simulate.visit(n=1, sky=0.0, stars=stars, effects=e) for key, e in effects.items()}
    root = made["trail"].exposures[0].root
    image = {key: m.exposures[0].chips["WF3"].sci.astype(float) for key, m in made.items()}
    assert image["lost"].sum() < 0.99 * image["whole"].sum()
    assert image["trail"].sum() == pytest.approx(image["whole"].sum(), rel=1e-5)
    np.testing.assert_allclose(made["trail"].truth.starlight(root, "WF3"), image["trail"], atol=1e-3)
    added = image["trail"] - image["lost"]
    assert added.min() > -1e-3
    columns = added[:, 370:430].sum(axis=1)
    assert columns[:220].sum() < 1e-3 * columns.sum()  # nothing comes out before the star
    rows = np.arange(300, 400)
    slope = np.polyfit(rows, np.log(columns[rows]), 1)[0]
    assert -1 / slope == pytest.approx(TRAIL_ROWS, rel=0.01)
    # The trail is as wide as the star: it stays in the star's columns.
    assert added[300:, 390:411].sum() > 0.9 * added[300:, 370:430].sum()


def test_trails_without_losses_are_refused():
    with pytest.raises(SettingsError, match=r"cte_trails.*effects\.cte"):
        simulate.make_plan(effects=Effects(cte_trails=True))
