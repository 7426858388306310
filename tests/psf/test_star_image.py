"""The computed image of a star obeys optics, and agrees with what real exposures show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.instrument.star_optics import DIFFUSION, TYPICAL_DEFOCUS, star_optics
from mizzle.psf import Optics, star_image

PC, WF = 0.0455, 0.0996
BANDS = {"F336W": (3359.0, 204.0), "F555W": (5443.0, 522.0), "F814W": (7996.0, 646.0)}


#: Charge diffusion of the Tiny Tim manual (Krist & Hook 2004): pixel, edge, corner.
TINY_TIM_DIFFUSION = (0.75, 0.05, 0.0125)


def computed(pixel, band, **changes):
    return star_image(star_optics(pixel, *BANDS[band], **changes))


@pytest.mark.parametrize(
    ("pixel", "band", "ratio", "peak", "corner"),
    [
        (PC, "F336W", 5.4, 0.41, 0.08),
        (PC, "F555W", 4.4, 0.29, 0.11),
        (PC, "F814W", 2.7, 0.18, 0.14),
        (WF, "F336W", 9.6, 0.60, 0.03),
        (WF, "F555W", 5.7, 0.45, 0.05),
        (WF, "F814W", 5.7, 0.41, 0.08),
    ],
)
def test_it_agrees_with_an_independent_computation(pixel, band, ratio, peak, corner):
    star = computed(pixel, band, diffusion=TINY_TIM_DIFFUSION, spread=0.0)
    assert star.neighbor_ratio == pytest.approx(ratio, rel=0.06)
    assert star.peak_share == pytest.approx(peak, rel=0.06)
    (centered,) = star.pixels(np.zeros(1), np.zeros(1), 1)
    assert centered[::2, ::2].mean() / centered[1, 1] == pytest.approx(corner, abs=0.008)


@pytest.mark.parametrize(
    ("pixel", "ratio", "corner"), [(PC, (4.0, 4.2), (0.133, 0.165)), (WF, (4.9, 5.4), (0.071, 0.075))]
)
def test_stars_of_typical_focus_are_those_of_real_exposures(pixel, ratio, corner):
    """Medians over stars within 0.1 pixel of a pixel's center: omega Centauri (four chips) and NGC 1261 (PC), F555W."""
    offsets = np.linspace(-0.1, 0.1, 5)
    dx, dy = (grid.ravel() for grid in np.meshgrid(offsets, offsets))
    shares = computed(pixel, "F555W", defocus=TYPICAL_DEFOCUS).pixels(dx, dy, 1)
    peak, four = shares[:, 1, 1], shares[:, [0, 1, 1, 2], [1, 0, 2, 1]].mean(axis=1)
    assert 0.95 * ratio[0] < np.median(peak / four) < 1.05 * ratio[1]
    assert 0.95 * corner[0] < np.median(shares[:, ::2, ::2].mean(axis=(1, 2)) / peak) < 1.05 * corner[1]


def test_without_obscuration_it_is_the_airy_pattern():
    from scipy.special import j1

    star = star_image(Optics(0.01, 5500.0, obscuration=0.0, vane=0.0, jitter=0.0))
    k = np.arange(1, 20)
    angle = 0.01 * k / 206264.806
    x = np.pi * 2.4 * angle / 5500e-10
    airy = (2 * j1(x) / x) ** 2
    image = star.pixels([0.0], [0.0], 20)[0][20]
    # A pixel of a sixth of the core hardly smooths it: variance side**2 / 24 per axis times the Laplacian.
    np.testing.assert_allclose(image[20 + k] / image[20], airy, atol=0.012)
    np.testing.assert_allclose(image[20 - k], image[20 + k], rtol=1e-9)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("pixel", [PC, WF])
@given(dx=st.floats(-0.5, 0.5), dy=st.floats(-0.5, 0.5))
def test_light_is_conserved_wherever_the_star_falls(pixel, band, dx, dy):
    star = computed(pixel, band)
    middle, moved = (star.pixels([x], [y], star.reach)[0] for x, y in ((0.0, 0.0), (dx, dy)))
    assert middle.sum() == pytest.approx(1.0, abs=0.015)
    assert moved.sum() == pytest.approx(middle.sum(), abs=0.003)
    assert moved.min() > -1e-3


@pytest.mark.parametrize("pixel", [PC, WF])
def test_a_star_moved_by_a_pixel_is_the_same_star(pixel):
    star = computed(pixel, "F555W")
    here, there = star.pixels([0.3, -0.7], [0.1, 0.1], 4)
    np.testing.assert_allclose(there[:, :-1], here[:, 1:], atol=1e-12)


def test_diffusion_is_a_kernel_between_pixels():
    optics = star_optics(WF, *BANDS["F555W"])
    plain = star_image(replace(optics, diffusion=(1.0, 0.0, 0.0))).pixels([0.2], [-0.3], 4)[0]
    keep, edge, corner = DIFFUSION
    kernel = np.array([[corner, edge, corner], [edge, keep, edge], [corner, edge, corner]])
    assert kernel.sum() == pytest.approx(1.0)
    windows = np.lib.stride_tricks.sliding_window_view(plain, (3, 3))
    expected = (windows * kernel).sum(axis=(2, 3))
    np.testing.assert_allclose(star_image(optics).pixels([0.2], [-0.3], 3)[0], expected, atol=1e-9)


def test_a_small_defocus_takes_light_from_the_peak_as_marechal_says():
    # Strehl ratio exp(-(2 pi rms / wavelength)**2), for pixels much smaller than the core.
    sharp = Optics(0.005, 5500.0, jitter=0.0)
    rms = 0.03
    ratio = star_image(replace(sharp, defocus=rms)).peak_share / star_image(sharp).peak_share
    assert ratio == pytest.approx(np.exp(-((2 * np.pi * rms / 0.55) ** 2)), rel=0.02)


def test_jitter_widens_and_blue_light_is_sharper():
    optics = star_optics(PC, *BANDS["F555W"])
    assert star_image(replace(optics, jitter=0.02)).fwhm > star_image(optics).fwhm
    assert computed(PC, "F336W").fwhm < computed(PC, "F555W").fwhm < computed(PC, "F814W").fwhm


def test_headers_that_do_not_know_their_band_get_a_star_all_the_same():
    assert star_optics(PC, float("nan")) == star_optics(PC, 5000.0, 500.0)
    assert star_optics(PC, 0.0, -1.0) == star_optics(PC, 5000.0, 500.0)


def test_a_window_wider_than_the_image_is_refused():
    star = computed(WF, "F555W")
    with pytest.raises(ValueError, match="wider"):
        star.pixels([0.0], [0.0], star.reach + 1)


@pytest.mark.parametrize("pixel", [0.0455, 0.0996])
def test_the_image_of_an_even_pupil_is_even_along_both_axes(pixel):
    """Vanes at 45 degrees mirror into each other: left, right, above and below a star are alike, whatever the focus."""
    image = star_image(star_optics(pixel, 5500.0, 500.0, defocus=0.06)).coefficients[1:, 1:]
    for mirrored in (image[::-1], image[:, ::-1], image.T):
        np.testing.assert_allclose(mirrored, image, atol=1e-12 * image.max())
