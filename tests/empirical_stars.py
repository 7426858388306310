"""Star images built from the stars of a real exposure, and simulations made of them: no optics are computed.

Effective point-spread functions (Anderson & King 2000, PASP 112, 1360): what pixels of stars at known places hold, over
the stars' light, as a smooth function of the pixel's distance from the star along x and y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import least_squares

from mizzle.instrument.dq import bad_mask
from mizzle.instrument.star_optics import chip_star
from mizzle.settings import Settings
from mizzle.simulate import observe
from mizzle.simulate.psf import PointSpread
from mizzle.stars.wings import bright_peaks, have_wings

OVERSAMPLING, ROUNDS, APERTURE = 4, 8, 0.5
#: Frequencies from which, and beyond which, an image is noise [cycle / pixel].
BAND = (0.6, 1.0)
#: Where the core ends, and where wings are round [arcsec].
CORE = (0.15, 0.3)
#: Peaks [DN] of the stars that are used; others around, from 4 pixels on to 0.7 arcsec, are fainter than this share.
PEAKS, NEAREST, FARTHEST, ALONE = (100.0, 3000.0), 4.0, 0.7, 0.08


@dataclass(frozen=True)
class EmpiricalImage:
    """Share of a star's light on a pixel, by distance, in steps of a quarter pixel; in the place of a computed core."""

    grid: np.ndarray
    stretch: float = 1.0

    def stretched(self, factor):
        return replace(self, stretch=self.stretch * factor)

    def at(self, x, y):
        """Pixels centered `x`, `y` from a star."""
        middle = self.grid.shape[0] // 2
        place = [np.asarray(v) * (OVERSAMPLING / self.stretch) + middle for v in (y, x)]
        return map_coordinates(self.grid, place, order=3, cval=0.0) / self.stretch**2

    def over(self, x_edges, y_edges):
        """Pixels between edges, ``(n, my, mx)``: larger ones hold more."""
        x, y = ((edges[:, 1:] + edges[:, :-1]) / 2 for edges in (x_edges, y_edges))
        area = np.diff(y_edges)[:, :, None] * np.diff(x_edges)[:, None, :]
        shape = area.shape
        return area * np.maximum(
            self.at(np.broadcast_to(x[:, None, :], shape), np.broadcast_to(y[:, :, None], shape)), 0.0
        )

    def encircled(self, radius, *, diffusion, pixel):
        """Light within a circle: pixels count as far as it reaches across them, at sixteen places in a pixel."""
        reach = self.grid.shape[0] // 2 // OVERSAMPLING
        v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        steps = (np.arange(4) + 0.5) / 4 - 0.5
        total = [
            (self.at(u - dx, v - dy) * np.clip(radius - np.hypot(u - dx, v - dy) + 0.5, 0, 1)).sum()
            for dx in steps
            for dy in steps
        ]
        return float(np.mean(total))


def isolated_stars(exposure, chip):
    """Rows and columns of bright stars with wings and without neighbors, and the chip less its sky, bad pixels NaN."""
    settings = Settings()
    bad = bad_mask(chip, settings.dq)
    sky = float(np.median(chip.sci[~bad]))
    row, column = bright_peaks(chip.sci, bad, chip.frame.scale, least=PEAKS[0], most=4000)
    winged = have_wings(chip.sci, bad, row=row, column=column, scale=chip.frame.scale)
    row, column = row[winged], column[winged]
    image = np.where(bad, np.nan, chip.sci - sky)
    half = math.ceil(FARTHEST / chip.frame.scale)
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    ring = (np.hypot(u, v) >= NEAREST) & (np.hypot(u, v) <= half)
    around = image[row[:, None] + v[ring], column[:, None] + u[ring]]
    peak = image[row, column]
    core = np.isfinite(image[row[:, None, None] + np.arange(-3, 4)[:, None], column[:, None, None] + np.arange(-3, 4)])
    good = (np.nanmax(around, axis=1) < ALONE * peak + 6.0) & (peak < PEAKS[1]) & core.all(axis=(1, 2))
    return row[good], column[good], image


def empirical_image(exposure, chip):
    """Build the image of a chip's stars; return it and how many stars made it."""
    row, column, image = isolated_stars(exposure, chip)
    scale = chip.frame.scale
    reach = int(np.ceil(1.3 * APERTURE / scale)) + 1
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    stamps = image[row[:, None, None] + v, column[:, None, None] + u]
    far = (np.hypot(u, v) * scale > APERTURE) & np.isfinite(stamps)
    stamps = stamps - np.array([np.median(stamp[out]) for stamp, out in zip(stamps, far, strict=True)])[:, None, None]
    computed = chip_star(exposure.camera, chip)
    places = np.array([_place(stamp, lambda x, y: computed.pixels(x, y, 2)[0]) for stamp in stamps])
    side = 2 * reach * OVERSAMPLING + 1
    star = EmpiricalImage(np.zeros((side, side)))
    # What the image leaves of the stars, at their exact places, is gridded and added: so smoothing costs no peak.
    for number in range(ROUNDS):
        x, y = places.T[:, :, None, None]
        inside = np.clip(APERTURE / scale - np.hypot(u - x, v - y) + 0.5, 0, 1)
        flux = np.nansum(stamps * inside, axis=(1, 2))[:, None, None]
        rest = stamps / flux - star.at(u - x, v - y)
        star = EmpiricalImage(_band_limited(star.grid + _gridded(rest, u, v, places=places, scale=scale), scale))
        if number in (1, 3, 5):
            places = np.array([_place(stamp, pixels_of(star)) for stamp in stamps])
    return star, len(row)


def _band_limited(grid, scale):
    """Take off what is noise: near 1 cycle/pixel nothing is recorded, and wings are their mean circles."""
    f = np.fft.fftfreq(grid.shape[0], 1.0 / OVERSAMPLING)
    frequency = np.hypot(f[:, None], f)
    keep = np.clip((BAND[1] - frequency) / (BAND[1] - BAND[0]), 0.0, 1.0)
    limited = np.fft.ifft2(np.fft.fft2(grid) * (3.0 - 2.0 * keep) * keep**2).real
    side = np.arange(grid.shape[0]) - grid.shape[0] // 2
    distance = np.hypot(side[:, None], side)
    rings = np.arange(0.0, distance.max() + 2.0, 2.0)
    ring = np.digitize(distance.ravel(), rings) - 1
    mean = np.bincount(ring, limited.ravel(), rings.size) / np.maximum(np.bincount(ring, minlength=rings.size), 1)
    round_ = np.interp(distance, rings + 1.0, mean)
    wing = np.clip((distance * scale / OVERSAMPLING - CORE[0]) / (CORE[1] - CORE[0]), 0.0, 1.0)
    return (1.0 - wing) * limited + wing * round_


def pixels_of(image):
    """What an image makes of the five by five pixels around a star."""
    v, u = np.mgrid[-2:3, -2:3]
    return lambda x, y: image.at(u - x[0], v - y[0])


def _place(stamp, pixels):
    """Where a star lies from its middle pixel, by the five by five pixels around."""
    middle = stamp.shape[0] // 2
    seen = stamp[middle - 2 : middle + 3, middle - 2 : middle + 3]
    sigma = np.sqrt(np.maximum(seen, 0.0) + 10.0 + (0.05 * np.maximum(seen, 0.0)) ** 2)

    def rest(p):
        return ((seen - p[0] * pixels(np.array([p[1]]), np.array([p[2]])) - p[3]) / sigma).ravel()

    return least_squares(rest, [seen.sum(), 0.0, 0.0, 0.0], x_scale=[seen.sum(), 0.3, 0.3, 10.0]).x[1:3]


def _gridded(shares, u, v, *, places, scale):
    """Samples of all stars on a fine grid: clipped means, smoothed where stars leave gaps, faded to nothing."""
    reach = u.shape[0] // 2
    side = 2 * reach * OVERSAMPLING + 1
    x, y = (u - places[:, 0, None, None]), (v - places[:, 1, None, None])
    cells = [np.rint(w * OVERSAMPLING).astype(int) + side // 2 for w in (y, x)]
    good = np.isfinite(shares) & (cells[0] >= 0) & (cells[0] < side) & (cells[1] >= 0) & (cells[1] < side)
    index = (cells[0] * side + cells[1])[good]
    value = shares[good]
    order = np.lexsort((value, index))
    index, value = index[order], value[order]
    starts = np.flatnonzero(np.r_[True, np.diff(index) > 0])
    ends = np.r_[starts[1:], index.size]
    total, weight = np.zeros(side * side), np.zeros(side * side)
    for start, end in zip(starts, ends, strict=True):
        cut = (end - start) // 5  # a fifth at each end: neighbors, rays
        kept = value[start + cut : end - cut]
        total[index[start]], weight[index[start]] = kept.sum(), kept.size
    smooth = [gaussian_filter(part.reshape(side, side), 0.7, mode="constant") for part in (total, weight)]
    grid = smooth[0] / np.maximum(smooth[1], 1e-9)
    distance = np.hypot(*np.meshgrid(*[(np.arange(side) - side // 2) / OVERSAMPLING] * 2)) * scale
    fade = np.clip((1.3 * APERTURE - distance) / (0.3 * APERTURE), 0.0, 1.0)
    return grid * fade**2


def simulate_with(monkeypatch, images):
    """Let the simulator make its stars of `images`, by chip name; nothing but the wings is computed."""
    made = observe._psf

    def psf(job, frame):
        computed = made(job, frame)
        core = images[job.name]
        share = core.encircled(APERTURE / computed.scale, diffusion=(1, 0, 0), pixel=True)
        core = EmpiricalImage(core.grid / share)
        return PointSpread(core, 1.0, 0.0, computed.core_sigma, computed.scale, diffusion=(1.0, 0.0, 0.0)).filled()

    monkeypatch.setattr(observe, "_psf", psf)
