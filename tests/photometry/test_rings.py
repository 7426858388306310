"""Rings of sky around stars, on exposures and on products: what known stars cover, and how well a ring is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mizzle.arrays import Places
from mizzle.instrument.photometry import encircled_energy
from mizzle.steps.catalog.photometry import star_mask
from mizzle.steps.verify.rings import covered, ring_levels
from mizzle.steps.verify.stars import APERTURE_ARCSEC
from tiny_visit import exposure, frame

SIZE, MIDDLE = 100, 50.0


def disk_radius(brightness):
    """Radius [arcsec] of what a star covers that is so many times as bright as the faintest tenth."""
    shape = (SIZE, SIZE)
    made = exposure(1, {"WF3": (np.zeros(shape, np.float32), np.zeros(shape, int), frame("WF3", shape))})
    chip = made.chips["WF3"]
    x, y = np.append(np.full(19, 2.0), MIDDLE), np.append(np.full(19, 2.0), MIDDLE)
    mask = covered(Places(x, y), np.append(np.ones(19), brightness), chip)
    row, column = np.nonzero(mask)
    distance = np.hypot(row - MIDDLE, column - MIDDLE) * chip.frame.scale
    return float(distance[distance < 40 * chip.frame.scale].max())


def light_at(radius):
    """Share of a star's light per square arcsec at some distance, by the encircled energies of the archive."""
    low, high = radius - 0.05, radius + 0.05
    shares = [encircled_energy("WFC3/UVIS", "F555W", r) for r in (low, high)]
    return (shares[1] - shares[0]) / (math.pi * (high**2 - low**2))


@pytest.mark.parametrize("brightness", [2.0, 29.0, 70.0, 299.0, 700.0])
def test_what_bright_stars_leave_outside_their_disks_is_a_few_of_the_faintest(brightness):
    """A star's wings beyond its disk raise rings of others: by no more than four of the faintest per square arcsec."""
    assert brightness * light_at(disk_radius(brightness)) < 4.2


def test_faint_stars_leave_room_for_rings():
    """In a cluster's core, of four known stars per square arcsec, a disk that is wider leaves no ring to any."""
    assert 4.0 * math.pi * disk_radius(2.0) ** 2 < 3.0


@pytest.mark.parametrize("scale", [0.0996, 0.0455])
def test_the_ring_adds_little_to_the_noise_of_the_aperture(scale):
    """Noise of the ring's mean, in an aperture's area, against that of the aperture's own pixels: half at most."""
    size = math.ceil(6.0 / scale)
    image = np.random.default_rng(3).normal(20.0, 5.0, (size, size)).astype(np.float32)
    center = Places(np.array([size / 2]), np.array([size / 2]))
    sky = ring_levels(image, np.zeros(image.shape, np.bool_), center, ring=(1.5 / scale, 2.5 / scale), scale=scale)
    pixels = math.pi * (APERTURE_ARCSEC / scale) ** 2
    of_ring = pixels * float(sky.sigma[0] / np.sqrt(sky.n_pixels[0]))
    assert of_ring < 0.5 * 5.0 * math.sqrt(pixels)


@pytest.mark.parametrize("snr", [25.0, 29.0, 70.0, 99.0, 240.0, 399.0, 900.0])
def test_what_stars_of_a_product_leave_outside_their_disks_is_below_the_noise_of_the_faintest(snr):
    """Beyond its disk a star leaves fewer than three noises of the faintest per square arcsec: two in an aperture."""
    scale = 0.05
    mask = star_mask((101, 101), np.array([MIDDLE]), np.array([MIDDLE]), snr=np.array([snr]), scale=scale)
    row, column = np.nonzero(mask)
    assert snr * light_at(float(np.hypot(row - MIDDLE, column - MIDDLE).max()) * scale) < 2.6


def test_the_rings_of_a_product_keep_room_in_a_crowd():
    """Disks of the faintest stars, four to a square arcsec, leave rings some pixels."""
    mask = star_mask((101, 101), np.array([MIDDLE]), np.array([MIDDLE]), snr=np.array([5.0]), scale=0.05)
    assert 4.0 * np.count_nonzero(mask) * 0.05**2 < 3.0
