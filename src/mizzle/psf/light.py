"""Can light have made a peak? A fit of star images at any places around it, none of them negative, answers.

Whatever is on the sky, stars, blends, nebulae, the optics turn it into a sum of images of points. Wider images are sums
of sharper ones, so with the sharpest image the fit needs no model of focus, field and crowding. What it cannot explain,
like a cosmic ray, did not come through the optics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image, Mask
from mizzle.kernel.single import Peaks, fit_light
from mizzle.psf.image import StarImage

Value = TypeVar("Value", bound=np.generic)

#: Half of the window's side, and how far light is placed from its middle, in steps of [pixel].
HALF, REACH, STEP = 2, 3, 0.5
#: Fits of a peak: the second knows how uncertain the first one's light is.
FITS = 2
#: What may be wrong anywhere, relative to the peak: spikes, ghosts, and light that steps of half a pixel do not hit.
STRAY = 0.003
#: The sky is taken this much lower than the dark pixels say, so that chance makes no peak a ray [sigma].
LOWER = 0.5
#: A fit is good enough at this share of the chi-square beyond which light does not explain a peak.
GOOD = 0.5
#: Rows and columns between the places that tell a chip's typical sky.
LATTICE = 29


@dataclass(frozen=True, eq=False)
class PeakPixels:
    """One chip whose peaks are judged.

    Parameters
    ----------
    electrons : (ny, nx) array
        Signal, sky included [electron].
    bad : (ny, nx) bool array
        Pixels to leave alone.
    floor : float
        Variance without light [electron**2].
    """

    electrons: Image
    bad: Mask
    floor: float


@lru_cache(maxsize=32)
def light_templates(star: StarImage, light: float = 1.0) -> FloatArray:
    """Return what light at places around makes of the pixels of a window, and a level everywhere: ``(m, 25)``.

    Parameters
    ----------
    star : StarImage
        The image of light from one place.
    light : float
        How much of it is believed to leave the pixels it fell on; the rest stays in them.
    """
    count = round(REACH / STEP)
    places = STEP * np.arange(-count, count + 1)
    y, x = (grid.ravel() for grid in np.meshgrid(places, places, indexing="ij"))
    near_y, near_x = np.rint(y), np.rint(x)
    radius = min(REACH + HALF, star.reach)
    shares = np.pad(star.pixels(x - near_x, y - near_y, radius), [(0, 0), *[(REACH + HALF - radius,) * 2] * 2])
    rows = np.arange(-HALF, HALF + 1)
    at_y = (rows - near_y[:, None]).astype(np.intp) + REACH + HALF
    at_x = (rows - near_x[:, None]).astype(np.intp) + REACH + HALF
    seen = shares[np.arange(y.size)[:, None, None], at_y[:, :, None], at_x[:, None, :]]
    on = [np.maximum(1.0 - np.abs(rows - place[:, None]), 0.0) for place in (y, x)]
    kept = on[0][:, :, None] * on[1][:, None, :]
    templates = (light * seen + (1.0 - light) * kept).reshape(y.size, -1)
    return np.asarray(np.vstack([templates, np.ones((1, templates.shape[1]))]))


class Explained(NamedTuple):
    """What light explains of the windows around some peaks.

    Parameters
    ----------
    misfit : (n,) array
        Chi-square of what it does not.
    light, noise : (n, 25) arrays
        The fit above the peak's sky, and 1 sigma [electron].
    sky : (n,) array
        Sky that was taken off [electron].
    """

    misfit: FloatArray
    light: FloatArray
    noise: FloatArray
    sky: FloatArray


class LightFit(NamedTuple):
    """How light is fitted to peaks.

    Parameters
    ----------
    templates : (m, 25) array
        What light makes of a window (`light_templates`).
    doubt : float
        How well they are known, relative to themselves.
    limit : float
        Chi-square beyond which light does not explain a peak; fits far below it are not refined.
    darkest : float
        No sky is brighter than this [electron].
    """

    templates: FloatArray
    doubt: float
    limit: float
    darkest: float = math.inf


def explain_peaks(pixels: PeakPixels, hidden: Mask, peaks: Peaks, *, fit: LightFit) -> Explained:
    """Fit light to the windows around peaks.

    Parameters
    ----------
    pixels : PeakPixels
        The chip.
    hidden : (ny, nx) bool array
        Pixels that say nothing.
    peaks : Peaks
        Where.
    fit : LightFit
        Which light.
    """
    return explain_windows(pixels, windows(hidden, peaks, outside=True), peaks, fit=fit)


def explain_windows(pixels: PeakPixels, off: Mask, peaks: Peaks, *, fit: LightFit) -> Explained:
    """Fit light to the windows around peaks, each with pixels of its own that say nothing.

    Parameters
    ----------
    off : (n, 25) bool array
        Those pixels.
    pixels, peaks, fit
        As in `explain_peaks`.
    """
    sky = np.minimum(peaks.sky, fit.darkest)
    sky = sky - LOWER * np.sqrt(np.maximum(sky, 0.0) + pixels.floor)
    seen = np.where(off, 0.0, windows(pixels.electrons, peaks, outside=0.0) - sky[:, None])
    floor = (pixels.floor + np.maximum(sky, 0.0) + (STRAY * seen[:, seen.shape[1] // 2]) ** 2)[:, None]
    light, rest = np.maximum(seen, 0.0), seen
    for number in range(FITS + 1):
        variance = floor + light + (fit.doubt * light) ** 2
        if number < FITS:
            rest = fit_light(seen, np.where(off, 0.0, 1.0 / variance), fit.templates, good=GOOD * fit.limit)
            light = np.maximum(seen - rest, 0.0)
    misfit = np.where(off, 0.0, rest**2 / variance).sum(axis=1)
    return Explained(misfit, seen - rest, np.sqrt(variance), sky)


def windows(image: NDArray[Value], peaks: Peaks, *, outside: float) -> NDArray[Value]:
    """Return the pixels around peaks, ``(n, 25)``; `outside` is what lies beyond the chip."""
    ny, nx = image.shape
    steps = np.arange(-HALF, HALF + 1)
    y, x = peaks.y[:, None] + np.repeat(steps, steps.size), peaks.x[:, None] + np.tile(steps, steps.size)
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    if inside.all():
        return np.asarray(image.take(y * nx + x))
    y, x = np.clip(y, 0, ny - 1), np.clip(x, 0, nx - 1)
    return np.asarray(np.where(inside, image.take(y * nx + x), image.dtype.type(outside)))


def dark_around(electrons: Image, y: NDArray[np.intp], x: NDArray[np.intp]) -> FloatArray:
    """Return the darkest fifth of the 5 x 5 pixels around places, ``(n,)`` [electron]."""
    around = windows(electrons, Peaks(y, x, np.zeros(0)), outside=np.inf)
    return np.asarray(np.partition(around, around.shape[1] // 5, axis=1)[:, around.shape[1] // 5])


def typical_sky(pixels: PeakPixels, share: float = 0.5) -> float:
    """Return the sky of places all over a chip, their median [electron]: a bright star's own wings are no sky of it.

    Parameters
    ----------
    pixels : PeakPixels
        The chip.
    share : float
        Part of the places that are darker than the answer.
    """
    ny, nx = pixels.electrons.shape
    y, x = (grid.ravel() for grid in np.mgrid[HALF + 1 : ny - HALF - 1 : LATTICE, HALF + 1 : nx - HALF - 1 : LATTICE])
    clear = ~windows(pixels.bad, Peaks(y, x, np.zeros(0)), outside=True).any(axis=1)
    if not clear.any():
        return math.inf
    dark = dark_around(pixels.electrons, y[clear], x[clear])
    return float(np.median(dark) if share == 0.5 else np.quantile(dark, share))
