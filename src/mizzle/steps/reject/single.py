"""Cosmic rays in a single exposure: L.A.Cosmic, with a guard that knows what a star looks like.

L.A.Cosmic (van Dokkum 2001, PASP 113, 1420) asks whether a pixel is sharper than its surroundings allow. WFPC2 is
undersampled: its stars are that sharp, and the method flags nearly all of them. The guard asks a finer question of
every peak: is there a position within the pixel from which *the sharpest star this camera can make* would give
neighbors no brighter than those observed? Then the peak may be a star, and it and its neighbors are spared.
A cosmic ray fails: its energy enters without the optics, so somewhere around its peak light is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel.rays import grown
from mizzle.settings.reject import RejectSettings

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: The eight neighbors, then the peak itself: (dy, dx).
NEIGHBORS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
#: Standard deviation of the charge diffusion between pixels [pixel]: a kernel with .75 in the middle.
DIFFUSION = 0.39
#: Mirror [m]; Gaussian sigma of the Airy core over wavelength / diameter.
MIRROR = 2.4
AIRY_SIGMA = 0.438
#: Width of a star on the WF chips in F555W [pixel]: as undersampled as most get.
SMALLEST_STAR = 0.44
ARCSEC = math.radians(1 / 3600)


#: Peaks judged at once.
BLOCK = 512


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
    # A frame of bad pixels lets peaks at the chip's edge be judged by the neighbors they have.
    electrons = np.pad(pixels.electrons, 1, mode="edge")
    framed = replace(pixels, electrons=electrons, bad=np.pad(pixels.bad, 1, constant_values=True))
    return _find(framed, settings, laplacian)[1:-1, 1:-1]


def _find(pixels: SinglePixels, settings: RejectSettings, laplacian: bool) -> Mask:
    background = local_median(pixels.electrons, pixels.bad)
    excess = pixels.electrons - background
    # Smooth structure (wings, spikes, nebulae) is known to no better than a share of itself.
    slope = settings.single_structure
    noise = np.sqrt(np.maximum(background, 0) + pixels.floor + (slope * np.maximum(background, 0)) ** 2)
    stars, rays = judge_peaks(pixels, excess, noise, settings)
    # A pixel belongs to a ray when it is sharp, or bright, and hangs on a condemned peak; stars are out of bounds.
    free = ~(grown(stars, 1) | pixels.bad)
    bright = excess > settings.single_neighbor_sigma * noise
    track = _laplacian(pixels, settings) if laplacian else bright
    mask = rays & ~pixels.bad
    for _ in range(settings.single_track):
        mask |= grown(mask, 1) & track & free
    mask |= grown(mask, settings.single_grow) & free & bright
    return mask


def _laplacian(pixels: SinglePixels, settings: RejectSettings) -> Mask:
    """Run L.A.Cosmic on electrons with this chip's own noise."""
    import astroscrappy

    data = np.where(pixels.bad, np.float32(0), pixels.electrons).astype(np.float32)
    mask, _ = astroscrappy.detect_cosmics(
        data,
        inmask=np.ascontiguousarray(pixels.bad),
        sigclip=settings.single_sigma,
        sigfrac=settings.single_neighbor_sigma / settings.single_sigma,
        objlim=settings.single_contrast,
        gain=1.0,
        readnoise=math.sqrt(pixels.floor),
        satlevel=float("inf"),
        niter=1,
        cleantype="median",
    )
    return np.asarray(mask, dtype=np.bool_)


def judge_peaks(pixels: SinglePixels, excess: Image, noise: Image, settings: RejectSettings) -> tuple[Mask, Mask]:
    """Sort the local maxima into possible stars and cosmic rays.

    For each peak the deficit of its neighbors below a template scaled to the peak is summed, in units of the
    noise and of the template's own uncertainty; the template with the least deficit decides.

    Returns
    -------
    stars, rays : (ny, nx) bool array
        Peaks, one pixel each.
    """
    shape = excess.shape
    ys, xs = _peaks(excess, noise, pixels.bad, settings.single_sigma)
    image = pixels.electrons
    sky = _dark_surroundings(image, ys, xs)
    values = np.stack([image[ys + dy, xs + dx] - sky for dy, dx in NEIGHBORS], axis=1)
    sigmas = np.stack([noise[ys + dy, xs + dx] for dy, dx in NEIGHBORS], axis=1).astype(np.float64)
    known = np.stack([~pixels.bad[ys + dy, xs + dx] for dy, dx in NEIGHBORS], axis=1)
    peak = image[ys, xs] - sky
    own = noise[ys, xs].astype(np.float64) ** 2 + np.maximum(peak, 0)
    # The better a star is sampled, the more of its structure shows, which no Gaussian has.
    doubt = settings.single_tolerance * max(1.0, (pixels.psf_sigma / SMALLEST_STAR) ** 2)
    templates = star_templates(settings.single_sharpness * pixels.psf_sigma)
    noise2, share = sigmas**2 + np.maximum(values, 0), own + (doubt * peak) ** 2
    least = np.empty(peak.size)
    for start in range(0, peak.size, BLOCK):
        some = slice(start, start + BLOCK)
        lack = _lacks(templates, values[some], peak[some], noise2[some], share[some])
        least[some] = (lack * known[some]).sum(axis=2).min(axis=0)
    is_star = (least <= settings.single_deficit**2) | (known.sum(axis=1) < 5)
    stars, rays = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    stars[ys[is_star], xs[is_star]] = True
    rays[ys[~is_star], xs[~is_star]] = True
    return stars, rays


def _lacks(
    templates: NDArray[np.float64],
    values: NDArray[np.float64],
    peak: NDArray[np.float64],
    variance: NDArray[np.float64],
    share: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the squared deficit of each neighbor beside each template, in units of its variance: (template, peak, 8).

    `variance` is that of the neighbors; the template adds `share` times its own square.
    """
    lack = np.maximum(templates[:, None] * peak[:, None] - values, 0.0)
    lack *= lack
    lack /= templates[:, None] ** 2 * share[:, None] + variance
    return lack


def _dark_surroundings(image: Image, ys: NDArray[np.intp], xs: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the fifth-lowest tenth of the 7 x 7 pixels around each peak: a sky that crowding does not lift.

    Light of other stars then speaks for a star, never against it.
    """
    wide = np.pad(image, 3, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (7, 7))[ys, xs].reshape(-1, 49)
    return np.partition(windows, 10, axis=1)[:, 10].astype(np.float64)


def _peaks(excess: Image, noise: Image, bad: Mask, sigma: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return ``(y, x)`` of local maxima above `sigma` times `noise`, one pixel inside the edges."""
    clean = np.where(bad, np.float32(-np.inf), excess)
    middle = clean[1:-1, 1:-1]
    top = middle > sigma * noise[1:-1, 1:-1]
    ny, nx = excess.shape
    for dy, dx in NEIGHBORS:
        other = clean[1 + dy : ny - 1 + dy, 1 + dx : nx - 1 + dx]
        top &= (middle > other) if (dy, dx) < (0, 0) else (middle >= other)
    ys, xs = np.nonzero(top)
    return ys + 1, xs + 1


def local_median(image: Image, bad: Mask) -> Image:
    """Return about the median of the 5 x 5 pixels around each pixel: of rows, then of columns.

    Bad pixels count as the image's median.
    """
    good = image[~bad]
    level = np.float32(np.median(good)) if good.size else np.float32(0)
    clean = np.where(bad, level, image).astype(np.float32)
    return _median5(_median5(clean, 1), 0)


def _median5(image: Image, axis: int) -> Image:
    """Return the median of five neighbors along one axis, by exchanges."""
    width = [(0, 0), (0, 0)]
    width[axis] = (2, 2)
    wide = np.pad(image, width, mode="symmetric")
    size = image.shape[axis]
    a, b, c, d, e = (np.take(wide, np.arange(k, k + size), axis=axis) for k in range(5))
    a, b = np.minimum(a, b), np.maximum(a, b)
    d, e = np.minimum(d, e), np.maximum(d, e)
    # The least of two lows and the greatest of two highs cannot be the middle one.
    low, high = np.maximum(a, d), np.minimum(b, e)
    low, high = np.minimum(low, high), np.maximum(low, high)
    return np.asarray(np.maximum(low, np.minimum(high, c)))
