"""Cosmic rays in a single exposure: L.A.Cosmic, with a guard that knows what a star looks like.

L.A.Cosmic (van Dokkum 2001, PASP 113, 1420) asks whether a pixel is sharper than its surroundings allow. WFPC2 is
undersampled: its stars are that sharp, and the method flags nearly all of them. The guard asks a finer question of
every peak: is there a place within the pixel from which *the sharpest star this camera can make* would leave
neighbors no brighter than those observed? Then the peak may be a star, and it and its neighbors are spared.
A cosmic ray fails: its energy enters without the optics, so somewhere around its peak light is missing.

The sharpest star is the computed image in perfect focus (`mizzle.psf`), with less light around its peak: real stars
differ from it with focus, place in the field and jitter, and some are sharper in one direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel.single import NEIGHBORS, SingleRule, find_rays
from mizzle.psf import StarImage
from mizzle.settings.reject import RejectSettings

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Places within a pixel, along x and along y, at which a star is tried.
PLACES = 9


@dataclass(frozen=True)
class SinglePixels:
    """One chip as the single-exposure method wants it.

    Parameters
    ----------
    electrons : (ny, nx) array
        Signal, sky included [electron].
    bad : (ny, nx) array
        Pixels to leave alone.
    floor : float
        Variance without light [electron**2].
    star : StarImage
        In perfect focus.
    """

    electrons: Image
    bad: Mask
    floor: float
    star: StarImage


@lru_cache(maxsize=32)
def star_templates(star: StarImage, light: float = 1.0) -> NDArray[np.float64]:
    """Return what the neighbors of a star's peak have of its light at least, ``(PLACES**2, 8)``.

    Parameters
    ----------
    star : StarImage
        The computed image.
    light : float
        How much of its light around the peak must be there.
    """
    offsets = np.linspace(-0.5, 0.5, PLACES)
    dx, dy = (grid.ravel() for grid in np.meshgrid(offsets, offsets))
    shares = star.pixels(dx, dy, 1)
    columns = [shares[:, 1 + y, 1 + x] / shares[:, 1, 1] for y, x in NEIGHBORS]
    return np.asarray(light * np.stack(columns, axis=1))


def find_single(pixels: SinglePixels, settings: RejectSettings, *, laplacian: bool = True) -> Mask:
    """Find cosmic rays on one chip of one exposure.

    Parameters
    ----------
    pixels : SinglePixels
        The chip, or a part of it.
    settings : RejectSettings
        ``single_*``.
    laplacian : bool
        Follow tracks along the pixels that L.A.Cosmic finds sharp; else along those that are bright, which is as
        good on narrow strips and much cheaper.

    Returns
    -------
    mask : (ny, nx) bool array
        True where a cosmic ray was found; never on bad pixels.
    """
    rule = SingleRule(
        floor=pixels.floor,
        structure=settings.single_structure,
        sigma=settings.single_sigma,
        neighbor_sigma=settings.single_neighbor_sigma,
        deficit=settings.single_deficit,
        doubt=settings.single_tolerance,
        track=settings.single_track,
        grow=settings.single_grow,
    )
    track = _laplacian(pixels, settings) if laplacian else None
    templates = star_templates(pixels.star, settings.single_light)
    return find_rays(pixels.electrons, pixels.bad, templates, rule, track)


def _laplacian(pixels: SinglePixels, settings: RejectSettings) -> Mask:
    """Run L.A.Cosmic on electrons with this chip's own noise."""
    import astroscrappy

    # Framed by bad pixels, like the peaks: so the chip's edge is judged as the rest.
    bad = np.pad(pixels.bad, 1, constant_values=True)
    data = np.where(bad, np.float32(0), np.pad(pixels.electrons, 1, mode="edge")).astype(np.float32)
    mask, _ = astroscrappy.detect_cosmics(
        data,
        inmask=bad,
        sigclip=settings.single_sigma,
        sigfrac=settings.single_neighbor_sigma / settings.single_sigma,
        objlim=settings.single_contrast,
        gain=1.0,
        readnoise=math.sqrt(pixels.floor),
        satlevel=float("inf"),
        niter=1,
        cleantype="median",
    )
    return np.asarray(mask, dtype=np.bool_)[1:-1, 1:-1]
