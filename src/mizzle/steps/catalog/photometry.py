"""Fluxes in apertures on the product, with errors that know the noise is correlated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.kernel.detect import SkyMesh
from mizzle.model import Mosaic, Runner
from mizzle.settings import CatalogSettings
from mizzle.stars.apertures import SkyRule, aperture_sums, ring_sky
from mizzle.stars.covers import cover_stars
from mizzle.stars.curved_sky import CurvedSky, Ring, curved_sky

_RING_PIXELS = 450  # neighbors on a drizzled image repeat each other: more pixels add little
#: Where the sky has structure it is fitted between these radii [arcsec]: beyond a star's core, and near.
_NEAR = (0.6, 1.6)
#: Share of a star's light that its halo there takes off the aperture's.
_HALO = 0.02
_FEWEST_RINGS, _MOST_RINGS = 20, 4000
#: What stars cover, by their brightness over the noise of the faintest: radius [arcsec] above each. Halos left in the
#: rings would make their neighbors too faint.
_COVER = ((0.0, 0.4), (30.0, 0.8), (100.0, 1.2), (400.0, 1.6))


class _CircleLight(NamedTuple):
    """Light in circles, sky and all, and their areas [pixel]."""

    flux: FloatArray
    area: FloatArray


class StarGround(NamedTuple):
    """What lies around stars: pixels that stars cover, from `star_mask`, and the sky of the search for them."""

    covered: NDArray[np.uint8]
    sky: SkyMesh


@dataclass(frozen=True, eq=False)
class Photometry:
    """Aperture photometry, before growth to infinity.

    Parameters
    ----------
    flux, variance : (n,) array
        In the aperture, sky taken off [DN/s], and its variance.
    sky : (n,) array
        Of the ring, per pixel.
    lost : (n,) array
        Area of the aperture without data [pixel].
    bad_sky : (n,) bool array
        Where the ring had too few pixels.
    sky_variance : (n,) array
        Of `sky`, per pixel.
    """

    flux: FloatArray
    variance: FloatArray
    sky: FloatArray
    lost: FloatArray
    bad_sky: NDArray[np.bool_]
    sky_variance: FloatArray


def photometry(
    mosaic: Mosaic,
    x: FloatArray,
    y: FloatArray,
    *,
    radius_arcsec: float,
    chip: NDArray[np.str_],
    options: CatalogSettings,
    runner: Runner,
    around: StarGround,
) -> Photometry:
    """Sum stars in one aperture and take the sky of a ring off.

    Parameters
    ----------
    mosaic : Mosaic
        Its SCI and ERR.
    x, y : (n,) array
        Positions [0-based pixel].
    radius_arcsec : float
        Of the aperture.
    chip : (n,) str array
        Each star's chip, which tells how its pixels' noise is correlated.
    options : CatalogSettings
        The ring.
    runner : Runner
        Where chunks of stars are measured.
    around : StarGround
        Stars are kept out of the rings, where enough pixels remain; where the sky has structure, its slopes and
        curvature are followed from near each star.

    Returns
    -------
    answer : Photometry
        In the order of the stars.
    """
    scale = mosaic.grid.scale
    radius = radius_arcsec / scale
    ring = (options.sky_inner / scale, (options.sky_inner + options.sky_width) / scale)
    empty = ~(mosaic.wht > 0)  # with combine.fill, holes hold a number
    off = empty | (around.covered != 0)

    def measure(part: slice) -> tuple[Any, Any]:
        sums = circle_sums(mosaic, empty, Places(x[part], y[part]), radius=radius, chip=chip[part])
        sky = ring_sky(
            mosaic.sci,
            x[part],
            y[part],
            radii=ring,
            mask=off,
            rule=SkyRule(options.sky_statistic),
            max_pixels=_RING_PIXELS,
        )
        return sums, sky

    parts = runner.map(measure, split(x.size, runner.workers))
    flux, var, area, lost = (
        np.concatenate([sums[key] for sums, _ in parts]) for key in ("flux", "variance", "area", "lost")
    )
    level, sigma, count = (
        np.concatenate([getattr(sky, key) for _, sky in parts]) for key in ("level", "sigma", "n_pixels")
    )
    crowded = np.flatnonzero(~np.isfinite(level))
    if crowded.size:
        # Where halos leave nothing of a ring, a ring with halos is better than none.
        again = ring_sky(
            mosaic.sci,
            x[crowded],
            y[crowded],
            radii=ring,
            mask=empty | (around.covered == 2),
            rule=SkyRule(options.sky_statistic),
            max_pixels=_RING_PIXELS,
        )
        level[crowded], sigma[crowded], count[crowded] = again.level, again.sigma, again.n_pixels
    bad = ~np.isfinite(level)
    level = np.where(bad, np.median(level[~bad]) if (~bad).any() else 0.0, level)
    sigma = np.where(bad, np.median(sigma[~bad]) if (~bad).any() else 0.0, sigma)
    large = np.array([mosaic.noise_correlation.get(name, 1.0) for name in chip.tolist()], dtype=np.float64)
    # The median of n pixels scatters by sqrt(pi / 2) more than their mean; the pixels repeat each other.
    level_variance = 0.5 * np.pi * sigma**2 / np.maximum(count, 1) * np.minimum(large, 2.0)
    near = around.sky.near_structure(x, y, mosaic.sci.shape)
    for part in (~near, near):
        where = Places(x[part], y[part])
        level_variance[part] *= _ring_excess(mosaic, where, level_variance[part], off=off, options=options)
    if near.any():
        of_rings = CurvedSky(level[near], level_variance[near])
        curved = _followed(
            mosaic,
            Places(x[near], y[near]),
            of_rings,
            sums=_CircleLight(flux[near], area[near]),
            radius=radius,
            around=around,
        )
        level[near], level_variance[near] = curved
    return Photometry(flux - area * level, var + area**2 * level_variance, level, lost, bad, level_variance)


def _followed(
    mosaic: Mosaic,
    where: Places,
    ring: CurvedSky,
    *,
    sums: _CircleLight,
    radius: float,
    around: StarGround,
) -> CurvedSky:
    """Return the sky under stars where it has structure: from near around them, or that of the ring where it is better.

    What stars cover is left out. Of a bright star that is all that is near: then its halo counts as sky, and what it
    takes of the flux as an error.
    """
    empty, scale = ~(mosaic.wht > 0), mosaic.grid.scale
    shape = Ring(_NEAR[0] / scale, _NEAR[1] / scale, radius)
    level, variance = (part.copy() for part in ring)
    fitted = curved_sky(mosaic.sci, where, shape, mask=empty | (around.covered != 0))
    known = np.isfinite(fitted.level)
    level[known], variance[known] = fitted.level[known], 2.0 * fitted.variance[known]
    rest = np.flatnonzero(~known)
    flux, area = (part[rest] for part in sums)
    haloed = curved_sky(mosaic.sci, Places(where.x[rest], where.y[rest]), shape, mask=empty | (around.covered == 2))
    halo = _HALO * np.maximum(flux - area * haloed.level, 0.0) / np.maximum(area, 1.0)
    error = 2.0 * haloed.variance + halo**2
    better = np.isfinite(haloed.level) & (error < variance[rest])
    level[rest[better]], variance[rest[better]] = haloed.level[better], error[better]
    return CurvedSky(level, variance)


def _ring_excess(
    mosaic: Mosaic,
    position: Places,
    variance: FloatArray,
    *,
    off: NDArray[np.bool_],
    options: CatalogSettings,
) -> float:
    """Return how much more than by their noise rings scatter: unseen stars, halos of seen ones, missed rays.

    The inner and the outer half of a ring have equal areas and look at the same sky. Without anything else in them
    their levels differ with four times the variance of the whole ring's; up to a few hundred stars tell by how much
    they do.
    """
    n = variance.size
    if n < _FEWEST_RINGS:
        return 1.0
    sample = np.linspace(0, n - 1, min(n, _MOST_RINGS)).astype(np.intp)
    x, y = position[0][sample], position[1][sample]
    inner, outer = options.sky_inner / mosaic.grid.scale, (options.sky_inner + options.sky_width) / mosaic.grid.scale
    middle = float(np.sqrt(0.5 * (inner**2 + outer**2)))
    halves = [
        ring_sky(
            mosaic.sci,
            x,
            y,
            radii=radii,
            mask=off,
            rule=SkyRule(options.sky_statistic),
            max_pixels=_RING_PIXELS // 2,
        ).level
        for radii in ((inner, middle), (middle, outer))
    ]
    pull = (halves[1] - halves[0]) / np.sqrt(4.0 * variance[sample])
    pull = pull[np.isfinite(pull)]
    if pull.size < _FEWEST_RINGS:
        return 1.0
    return max(float(1.4826 * np.median(np.abs(pull - np.median(pull)))) ** 2, 1.0)


def circle_sums(
    mosaic: Mosaic,
    empty: NDArray[np.bool_],
    position: Places,
    *,
    radius: float,
    chip: NDArray[np.str_],
) -> dict[str, FloatArray]:
    """Sum in apertures, each star with its chip's noise correlation."""
    x, y = position
    sums = {key: np.zeros(x.size) for key in ("flux", "variance", "area", "lost")}
    for name in np.unique(chip).tolist():
        on_chip = np.flatnonzero(chip == name)
        circles = aperture_sums(
            mosaic.sci,
            x[on_chip],
            y[on_chip],
            radius=radius,
            errors=mosaic.err,
            mask=empty,
            correlation=mosaic.neighbor_correlation.get(name),
        )
        for key, values in sums.items():
            values[on_chip] = getattr(circles, key)
    return sums


def star_mask(
    shape: tuple[int, ...], x: FloatArray, y: FloatArray, *, snr: FloatArray, scale: float
) -> NDArray[np.uint8]:
    """Return a mask of what stars cover: 2 within 0.4 arcsec of each, 1 up to 1.6 arcsec around the brightest.

    Parameters
    ----------
    shape : (int, int)
        Of the image.
    x, y : (n,) array
        Positions [0-based pixel].
    snr : (n,) array
        Fluxes over the noise of the faintest stars'.
    scale : float
        Pixel side [arcsec].
    """
    where = Places(x, y)
    mask = cover_stars(shape, where, snr, radii=_COVER, scale=scale).astype(np.uint8)
    mask[cover_stars(shape, where, snr, radii=_COVER[:1], scale=scale)] = 2
    return mask


def split(n: int, workers: int) -> list[slice]:
    """Cut n stars into one run per worker."""
    edges = np.linspace(0, n, max(workers, 1) + 1).astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]
