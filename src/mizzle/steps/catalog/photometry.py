"""Fluxes in apertures on the product, with errors that know the noise is correlated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.wfpc2 import CHIP_NAMES, INFINITE_APERTURE, STANDARD_APERTURE_ARCSEC
from mizzle.kernel.apertures import aperture_sums, ring_sky
from mizzle.model import Mosaic, Runner
from mizzle.settings import CatalogSettings

FloatArray = NDArray[np.float64]

_RING_PIXELS = 450  # neighbors on a drizzled image repeat each other: more pixels add little
_FEWEST_GROWTH_STARS = 8
_BRIGHT_SNR = 150.0


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
    """

    flux: FloatArray
    variance: FloatArray
    sky: FloatArray
    lost: FloatArray
    bad_sky: NDArray[np.bool_]


def photometry(
    mosaic: Mosaic,
    x: FloatArray,
    y: FloatArray,
    radius_arcsec: float,
    chip: NDArray[np.str_],
    options: CatalogSettings,
    runner: Runner,
    stars: NDArray[np.uint8] | None = None,
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
    stars : (ny, nx) uint8 array, optional
        From `star_mask`: kept out of the rings, where enough pixels remain.

    Returns
    -------
    answer : Photometry
        In the order of the stars.
    """
    scale = mosaic.grid.scale
    radius = radius_arcsec / scale
    ring = (options.sky_inner / scale, (options.sky_inner + options.sky_width) / scale)
    variance, empty = np.square(mosaic.err), ~(mosaic.wht > 0)  # with combine.fill, holes hold a number

    off = empty if stars is None else empty | (stars != 0)

    def measure(part: slice) -> tuple[Any, Any]:
        sums = _sums(mosaic, (variance, empty), (x[part], y[part]), radius, chip[part])
        sky = ring_sky(
            mosaic.sci,
            x[part],
            y[part],
            ring,
            mask=off,
            statistic=options.sky_statistic,
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
    bad = ~np.isfinite(level)
    level = np.where(bad, np.median(level[~bad]) if (~bad).any() else 0.0, level)
    sigma = np.where(bad, np.median(sigma[~bad]) if (~bad).any() else 0.0, sigma)
    large = np.array([mosaic.noise_correlation.get(name, 1.0) for name in chip.tolist()], dtype=np.float64)
    # The median of n pixels scatters by sqrt(pi / 2) more than their mean; the pixels repeat each other.
    sky_variance = area**2 * 0.5 * np.pi * sigma**2 / np.maximum(count, 1) * np.minimum(large, 2.0)
    return Photometry(flux - area * level, var + sky_variance, level, lost, bad)


def _sums(
    mosaic: Mosaic,
    planes: tuple[FloatArray, NDArray[np.bool_]],
    position: tuple[FloatArray, FloatArray],
    radius: float,
    chip: NDArray[np.str_],
) -> dict[str, FloatArray]:
    """Sum in apertures, each star with its chip's noise correlation; `planes` are variance and mask."""
    variance, empty = planes
    x, y = position
    sums = {key: np.zeros(x.size) for key in ("flux", "variance", "area", "lost")}
    for name in np.unique(chip).tolist():
        mine = np.flatnonzero(chip == name)
        some = aperture_sums(
            mosaic.sci,
            x[mine],
            y[mine],
            radius,
            variance=variance,
            mask=empty,
            correlation=mosaic.neighbor_correlation.get(name),
        )
        for key, values in sums.items():
            values[mine] = getattr(some, key)
    return sums


def star_mask(shape: tuple[int, ...], x: FloatArray, y: FloatArray, snr: FloatArray, scale: float) -> NDArray[np.uint8]:
    """Return a mask of what stars cover: 0.4 arcsec around each, 0.9 around the brightest.

    Parameters
    ----------
    shape : (int, int)
        Of the image.
    x, y : (n,) array
        Positions [0-based pixel].
    snr : (n,) array
        Signal-to-noise ratios.
    scale : float
        Pixel side [arcsec].
    """
    mask = np.zeros(shape, dtype=np.uint8)
    ny, nx = shape
    for bright, radius in ((False, 0.4 / scale), (True, 0.9 / scale)):
        chosen = snr > _BRIGHT_SNR if bright else snr > 0
        half = int(np.ceil(radius))
        v, u = np.mgrid[-half : half + 1, -half : half + 1]
        disk = np.hypot(u, v) <= radius
        columns = np.clip(np.rint(x[chosen]).astype(np.int64)[:, None] + u[disk], 0, nx - 1)
        rows = np.clip(np.rint(y[chosen]).astype(np.int64)[:, None] + v[disk], 0, ny - 1)
        mask[rows, columns] = 1
    return mask


def split(n: int, workers: int) -> list[slice]:
    """Cut n stars into one run per worker."""
    edges = np.linspace(0, n, max(workers, 1) + 1).astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def growth(
    inner: FloatArray, outer: FloatArray, weight: FloatArray, chip: NDArray[np.str_]
) -> dict[str, tuple[float, float, int]]:
    """Measure the growth from one aperture to another on bright, clean stars, for PC and WF by themselves.

    Parameters
    ----------
    inner, outer : (n,) array
        Fluxes of such stars.
    weight : (n,) array
        Signal-to-noise ratios.
    chip : (n,) str array
        Their chips.

    Returns
    -------
    growth : mapping
        Ratio, its error and number of stars, by chip name. A class with fewer than 8 stars takes that of all
        stars; without any star the ratio is 1, with an infinite error.
    """
    usable = (inner > 0) & (outer > 0)
    everything = _robust_ratio(outer[usable] / inner[usable], weight[usable])
    found = {}
    for members in (("PC",), ("WF2", "WF3", "WF4")):
        mine = usable & np.isin(chip, members)
        enough = np.count_nonzero(mine) >= _FEWEST_GROWTH_STARS
        answer = _robust_ratio(outer[mine] / inner[mine], weight[mine]) if enough else everything
        found.update(dict.fromkeys(members, answer))
    return found


def _robust_ratio(ratio: FloatArray, weight: FloatArray) -> tuple[float, float, int]:
    """Return the clipped mean of ratios, its error, and how many took part."""
    if ratio.size == 0:
        return 1.0, float("inf"), 0
    middle = np.median(ratio)
    spread = max(1.4826 * float(np.median(np.abs(ratio - middle))), 1e-4)
    kept = np.abs(ratio - middle) <= 3.0 * spread
    # A star's weight is capped: what its neighbors add does not shrink with its own noise.
    weights = np.minimum(weight[kept], 300.0) ** 2
    value = float(np.average(ratio[kept], weights=weights))
    error = float(np.sqrt(np.average((ratio[kept] - value) ** 2, weights=weights) / max(kept.sum() - 1, 1)))
    return value, max(error, 1e-4), int(kept.sum())


def total_correction(
    aperture: float, grown: dict[str, tuple[float, float, int]] | None, names: Sequence[str]
) -> FloatArray:
    """Return what multiplies each star's aperture flux to give all of its light.

    Parameters
    ----------
    aperture : float
        Radius [arcsec].
    grown : mapping or None
        From `growth`; None at 0.5 arcsec, where there is nothing to measure.
    names : sequence of str
        Chip of each star.
    """
    if grown is None or aperture == STANDARD_APERTURE_ARCSEC:
        return np.full(len(names), INFINITE_APERTURE)
    table = {name: grown.get(name, (1.0, 0.0, 0))[0] for name in CHIP_NAMES}
    return INFINITE_APERTURE * np.array([table.get(name, 1.0) for name in names])
