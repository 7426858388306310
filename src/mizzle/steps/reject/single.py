"""Cosmic rays in a single exposure: L.A.Cosmic, with a guard that knows what a star looks like.

L.A.Cosmic (van Dokkum 2001, PASP 113, 1420) asks whether a pixel is sharper than its surroundings allow. WFPC2 is
undersampled: its stars are that sharp, and the method flags nearly all of them. The guard asks a finer question of
every peak: is there a position within the pixel from which *the sharpest star this camera can make* would give
neighbors no brighter than those observed? Then the peak may be a star, and it and its neighbors are spared.
A cosmic ray fails: its energy enters without the optics, so somewhere around its peak light is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel.single import NEIGHBORS, SingleRule, find_rays
from mizzle.settings.reject import RejectSettings

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Standard deviation of the charge diffusion between pixels [pixel]: a kernel with .75 in the middle.
DIFFUSION = 0.39
#: Mirror [m]; Gaussian sigma of the Airy core over wavelength / diameter.
MIRROR = 2.4
AIRY_SIGMA = 0.438
#: Width of a star on the WF chips in F555W [pixel]: as undersampled as most get.
SMALLEST_STAR = 0.44
ARCSEC = math.radians(1 / 3600)


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
    psf_sigma : float
        Of the sharpest star [pixel].
    """

    electrons: Image
    bad: Mask
    floor: float
    psf_sigma: float


def sharpest_star(wavelength: float, scale: float) -> float:
    """Return sigma [pixel] of the narrowest star, before the pixel integrates it.

    Parameters
    ----------
    wavelength : float
        Pivot wavelength [Angstrom]; NaN counts as 5000.
    scale : float
        Pixel side [arcsec].
    """
    meters = 1e-10 * (wavelength if math.isfinite(wavelength) else 5000.0)
    optics = AIRY_SIGMA * meters / MIRROR / ARCSEC / scale
    return math.hypot(optics, DIFFUSION)


@cache
def star_templates(sigma: float, steps: int = 7) -> NDArray[np.float64]:
    """Return neighbors over peak of a star at ``steps**2`` positions within its pixel: ``(steps**2, 8)``."""
    offsets = np.linspace(-0.5, 0.5, steps)
    edges = np.array([-1.5, -0.5, 0.5, 1.5])
    root = math.sqrt(2.0) * sigma
    erf = np.vectorize(math.erf)
    shares = np.diff(erf((edges[None, :] - offsets[:, None]) / root), axis=1)
    stars = shares[:, None, :, None] * shares[None, :, None, :]  # (y offset, x offset, row, column)
    stars = stars.reshape(-1, 3, 3)
    columns = [stars[:, 1 + dy, 1 + dx] / stars[:, 1, 1] for dy, dx in NEIGHBORS]
    return np.stack(columns, axis=1)


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
        # The better a star is sampled, the more of its structure shows, which no Gaussian has.
        doubt=settings.single_tolerance * max(1.0, (pixels.psf_sigma / SMALLEST_STAR) ** 2),
        track=settings.single_track,
        grow=settings.single_grow,
    )
    track = _laplacian(pixels, settings) if laplacian else None
    templates = star_templates(settings.single_sharpness * pixels.psf_sigma)
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
