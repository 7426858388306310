"""From fluxes to gray levels: sky statistics, binning, stretches, and the codes the page carries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Floats

#: Codes of an embedded image: 0 is "no data", 1 to 255 run from LOW to HIGH in asinh((value - sky) / sigma).
LOW, HIGH = -3.0, 13.0


def percentile(values: NDArray[Any], share: float) -> float:
    """Return a percentile of finite values, as NumPy's but without its care for masks and axes.

    A page takes a thousand medians: NumPy's own cost ten times the sorting, and load its masked arrays.

    Examples
    --------
    >>> percentile(np.array([3.0, 1.0, 2.0]), 50), percentile(np.array([4.0, 0.0]), 75)
    (2.0, 3.0)
    """
    place = (values.size - 1) * share / 100.0
    low = int(place)
    high = min(low + 1, values.size - 1)
    part = np.partition(values.ravel(), (low, high))
    below, above = float(part[low]), float(part[high])
    return below + (place - low) * (above - below)


def median(values: NDArray[Any]) -> float:
    """Return the median of finite values."""
    return percentile(values, 50.0)


def sky_statistics(image: Floats, *, most: int = 100_000) -> tuple[float, float]:
    """Return the median and robust scatter of the sky pixels of `image`.

    Parameters
    ----------
    image : (ny, nx) array
        NaN where nothing was observed.
    most : int
        Pixels looked at, evenly spread.

    Returns
    -------
    sky, sigma : float
        ``(0, 1)`` where no pixel is finite; `sigma` is never 0.
    """
    flat = image.ravel()
    sample = flat[:: max(1, flat.size // most)]
    sample = sample[np.isfinite(sample)].astype(np.float64)
    if not sample.size:
        return 0.0, 1.0
    for _ in range(3):
        middle = median(sample)
        # Stars only add light: the lower half knows the sky's scatter.
        below = middle - sample[sample <= middle]
        sigma = 1.4826 * median(below) if below.size else 0.0
        kept = sample[np.abs(sample - middle) <= max(4 * sigma, 1e-300)]
        if kept.size in (0, sample.size):
            break
        sample = kept
    return middle, sigma if sigma > 0 else max(abs(middle) * 1e-6, 1e-12)


#: Pixels of an image that are averaged together.
_TOGETHER = 2**21


def block_mean(image: Floats, factor: int, *, positive: bool = False) -> NDArray[np.float32]:
    """Average blocks of ``factor x factor`` pixels, leaving NaN out.

    Parameters
    ----------
    image : (ny, nx) array
        NaN where nothing was observed.
    factor : int
        Side of a block; the last, partial blocks are averages of what there is.
    positive : bool
        Whether numbers that are not above 0 are left out as well.

    Returns
    -------
    mean : (ceil(ny / factor), ceil(nx / factor)) float32 array
        NaN for blocks without data.
    """
    if factor <= 1:
        return np.asarray(np.where(image > 0, image, np.nan) if positive else image, dtype=np.float32)
    ny, nx = image.shape
    mean = np.empty((-(-ny // factor), -(-nx // factor)), np.float32)
    # Whole blocks at a time: an image without its holes would take as much memory as the image.
    rows = max(1, _TOGETHER // (nx * factor))
    for first in range(0, len(mean), rows):
        part = image[first * factor : (first + rows) * factor]
        good = np.isfinite(part)
        if positive:
            good &= part > 0
        total = _block_sum(np.where(good, part, np.float32(0)).astype(np.float32, copy=False), factor)
        count = _block_sum(good.view(np.uint8), factor)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean[first : first + rows] = total / count
    return mean


def _block_sum(values: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """Sum blocks: whole rows are added to whole rows, then every k-th column to every k-th."""
    ny, nx = values.shape
    rows, columns = -(-ny // factor), -(-nx // factor)
    tall = np.zeros((rows, columns * factor), dtype=np.float32)
    for k in range(factor):
        part = values[k::factor]
        tall[: part.shape[0], :nx] += part
    total = tall[:, ::factor].copy()
    for k in range(1, factor):
        total += tall[:, k::factor]
    return total


def factor_for(shape: tuple[int, int], longest: int) -> int:
    """Return the smallest whole binning factor that brings `shape` within `longest` pixels."""
    return max(1, -(-max(shape) // longest))


def stretched(image: Floats, *, softening: float, white: float) -> Floats:
    """Map an image to 0 (black) .. 1 (white) with an asinh stretch anchored on its sky noise.

    Parameters
    ----------
    image : (ny, nx) array
        NaN where nothing was observed; NaN stays NaN.
    softening : float
        In sigma of the sky: linear below, logarithmic above.
    white : float
        Percentile that becomes 1.

    Returns
    -------
    levels : (ny, nx) array
        Clipped to 0..1.
    """
    sky, sigma = sky_statistics(image)
    flat = image.ravel()
    sample = flat[:: max(1, flat.size // 200_000)]
    sample = sample[np.isfinite(sample)]
    top = percentile(sample, white) if sample.size else 1.0
    # An empty field must look like noise, not like stars: white is never closer than 20 sigma.
    top = max(top, sky + 20.0 * sigma)
    knee = softening * sigma
    low = np.arcsinh(-1.5 * sigma / knee)
    high = np.arcsinh((top - sky) / knee)
    with np.errstate(invalid="ignore", over="ignore"):
        levels = (np.arcsinh((image - np.float32(sky)) / np.float32(knee)) - low) / (high - low)
        return np.asarray(np.clip(levels, 0.0, 1.0), dtype=np.float32)


def encode(image: Floats) -> tuple[NDArray[np.uint8], dict[str, float]]:
    """Code an image in bytes, even in asinh of its signal-to-noise: fine near the sky, 3 % on bright stars.

    Parameters
    ----------
    image : (ny, nx) array
        Rates; NaN where nothing was observed.

    Returns
    -------
    codes : (ny, nx) uint8 array
        0 for NaN.
    scale : dict
        ``sky sigma low high``: a code ``c`` means ``sky + sigma * sinh(low + (c - 1) / 254 * (high - low))``.
    """
    sky, sigma = sky_statistics(image)
    finite = np.isfinite(image)
    with np.errstate(invalid="ignore", over="ignore"):
        levels = np.arcsinh((image - np.float32(sky)) / np.float32(sigma))
    levels = (np.clip(levels, LOW, HIGH) - LOW) * np.float32(254.0 / (HIGH - LOW)) + np.float32(1.5)
    codes = np.where(finite, levels, 0).astype(np.uint8)
    return codes, {"sky": sky, "sigma": sigma, "low": LOW, "high": HIGH}


def decode(codes: NDArray[np.uint8], scale: dict[str, float]) -> Floats:
    """Invert `encode`: codes back to values, NaN for 0."""
    level = scale["low"] + (codes.astype(np.float64) - 1) / 254 * (scale["high"] - scale["low"])
    return np.where(codes > 0, scale["sky"] + scale["sigma"] * np.sinh(level), np.nan)
