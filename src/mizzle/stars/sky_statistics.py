"""The level of a sky: statistics of a pile of pixels that also holds stars and cosmic rays.

WFPC2 counts whole DN, and a low sky is hardly wider than one of them: the pixels lie in lumps, and a plain
median jumps from lump to lump (by 0.3 DN on a PC sky of 1 DN). All statistics here are taken from a histogram
smoothed over one DN, which is smooth whatever the lumps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray

_BINS_PER_SIGMA = 12.0
_BINS_PER_QUANTUM = 32
_REACH = 8.0  # sigma on either side of the first guess
_PEAK_WINDOW = (-1.4, 0.8)  # sigma: below the peak there is only sky, above it faint stars begin
_SMOOTHINGS = 3  # over one quantum
_NARROW = 1.0  # quanta: skies narrower than this are smoothed twice as often, or the mode follows the lumps
_NOISELESS = 0.02  # quanta: a sky narrower than this has no shape to fit
_LUMP = 0.02  # least share of the pixels one quantum off that makes a lump


@dataclass(frozen=True)
class SkyStatistic:
    """Level and scatter of a sky, and how many pixels were in the clipped pile."""

    level: float
    sigma: float
    n_pixels: int


def sky_statistic(
    values: NDArray[np.floating],
    *,
    statistic: str = "mode",
    clip: float = 3.0,
    iterations: int = 5,
    quantum: float = 1.0,
    skewness_of: tuple[float, float] | None = None,
) -> SkyStatistic:
    """Measure the sky level in a pile of pixels.

    Parameters
    ----------
    values : (n,) array
        Good pixels; NaN are left out.
    statistic : str
        ``"mode"``: peak of a Gaussian fitted to the middle of the pile; ``"median"``, ``"mean"``: after
        clipping.
    clip : float
        Clip at this many sigma on either side; sigma comes from the low side, where there are no stars.
    iterations : int
        Most rounds of clipping.
    quantum : float
        Step of the digitization, in the unit of `values`.
    skewness_of : (float, float), optional
        Electrons per unit of `values`, and the noise variance [electron**2] that is not Poisson's: the mode
        and the median of Poisson noise lie below its mean, by a known amount that is then added.

    Returns
    -------
    answer : SkyStatistic
        NaN level for no pixels.
    """
    guess, sigma = _first_guess(values, quantum)
    if not np.isfinite(guess):
        return SkyStatistic(float("nan"), float("nan"), 0)
    if sigma < _NOISELESS * quantum:
        return _noiseless(values, guess, max(sigma, 1e-6 * quantum, 1e-6 * abs(guess)))
    smoothings = _SMOOTHINGS * (2 if sigma < _NARROW * quantum else 1)
    centers, counts = _histogram(values, guess, sigma, quantum=quantum, smoothings=smoothings)
    low, high, middle, spread = _clip(centers, counts, clip, iterations=iterations, width=sigma)
    inside = slice(low, high)
    skew = _skewness(middle, skewness_of)
    if statistic == "mean":
        level = float(np.average(centers[inside], weights=counts[inside]))
    elif statistic == "median":
        level = middle + skew * spread / 6.0
    else:
        level, spread = _peak(centers, counts, middle, spread=spread, skew=skew)
    sigma = float(np.sqrt(max(spread**2 - smoothings * quantum**2 / 12.0, (0.1 * spread) ** 2)))
    return SkyStatistic(level, sigma, round(float(counts[inside].sum())))


def _first_guess(values: NDArray[np.floating], quantum: float) -> tuple[float, float]:
    """Return median and low-side sigma of a few thousand of the pixels, lumps smeared over one quantum."""
    sample = values[:: max(values.size // 4096, 1)]
    sample = sample[np.isfinite(sample)].astype(np.float64)
    if sample.size == 0:
        return float("nan"), float("nan")
    low, middle = np.percentile(sample, [2.28, 50.0]).tolist()
    if middle - low < _NOISELESS * quantum and not _in_lumps(sample, middle, quantum):
        return middle, middle - low
    # The golden ratio's multiples fill the unit interval evenly, without a random number.
    smear = np.mod(np.arange(sample.size) * 0.6180339887498949, 1.0) - 0.5
    low, middle = np.percentile(sample + quantum * smear, [15.87, 50.0]).tolist()
    return middle, middle - low


def _in_lumps(sample: FloatArray, middle: float, quantum: float) -> bool:
    """Return whether noise of less than a quantum spread the pixels over two values, the lower of them the median."""
    away = np.abs(sample - middle) / quantum
    next_one, between = (int(np.count_nonzero(np.abs(away - at) < 0.1)) for at in (1.0, 0.5))
    return next_one > max(4 * between, _LUMP * sample.size)


def _noiseless(values: NDArray[np.floating], guess: float, sigma: float) -> SkyStatistic:
    """Return the mean of what is next to the guess: simulated skies without noise."""
    close = values[np.abs(values - guess) <= 10.0 * sigma]
    return SkyStatistic(float(close.mean(dtype=np.float64)), float(close.std(dtype=np.float64)), close.size)


def _histogram(
    values: NDArray[np.floating], guess: float, width: float, *, quantum: float, smoothings: int
) -> tuple[FloatArray, FloatArray]:
    """Count pixels in fine bins, then smooth over one quantum, so often that lumps join into parabolas."""
    fine = width < 4.0 * quantum
    step = quantum / _BINS_PER_QUANTUM if fine else width / _BINS_PER_SIGMA
    start = guess - _REACH * width
    n_bins = int(np.ceil(2.0 * _REACH * width / step))
    with np.errstate(invalid="ignore"):
        scaled = (values - np.float32(start)) * np.float32(1.0 / step)
        keep = (scaled >= 0) & (scaled < n_bins)
    counts = np.bincount(scaled[keep].astype(np.intp), minlength=n_bins)[:n_bins].astype(np.float64)
    centers = np.float64(start) + (np.arange(n_bins, dtype=np.float64) + 0.5) * step
    if fine:
        kernel = np.full(_BINS_PER_QUANTUM + 1, 1.0 / _BINS_PER_QUANTUM)
        kernel[[0, -1]] *= 0.5
        for _ in range(smoothings):
            counts = np.convolve(counts, kernel, mode="same")
    return centers, counts


def _clip(
    centers: FloatArray, counts: FloatArray, clip: float, *, iterations: int, width: float
) -> tuple[int, int, float, float]:
    """Clip around the median until nothing changes: first and last bin, median, sigma of the low side."""
    step = centers[1] - centers[0]
    edges = np.concatenate([centers - 0.5 * step, [centers[-1] + 0.5 * step]])
    total = np.concatenate([[0.0], np.cumsum(counts)])
    low, high = 0, centers.size
    middle, spread = float(np.median(centers)), width
    for _ in range(iterations):
        span = total[high] - total[low]
        if span <= 0:
            break
        below, middle = np.interp(total[low] + span * np.array([0.1587, 0.5]), total, edges).tolist()
        spread = max(middle - below, 0.5 * step)
        bounds = np.searchsorted(centers, [middle - clip * spread, middle + clip * spread])
        if (int(bounds[0]), int(bounds[1])) == (low, high) or bounds[1] - bounds[0] < 3:
            break
        low, high = int(bounds[0]), int(bounds[1])
    return low, high, middle, spread


def _skewness(level: float, skewness_of: tuple[float, float] | None) -> float:
    """Skewness of Poisson noise on `level` beside other, symmetric noise."""
    if skewness_of is None:
        return 0.0
    electrons, other = max(level, 0.0) * skewness_of[0], skewness_of[1]
    variance = electrons + other
    return electrons / variance**1.5 if variance > 0 else 0.0


def _peak(centers: FloatArray, counts: FloatArray, middle: float, *, spread: float, skew: float) -> tuple[float, float]:
    """Fit a parabola to the logarithm of the counts around their peak: level and sigma.

    Noise of skewness g has, to first order, counts of ``exp(-z**2/2) * (1 + g/6 (z**3 - 3 z))`` (Edgeworth);
    that term is taken out before the fit, so the level is the mean of the noise.
    """
    level, sigma = middle, spread
    for _ in range(4):
        z = (centers - level) / sigma
        use = (z >= _PEAK_WINDOW[0]) & (z <= _PEAK_WINDOW[1]) & (counts > 0)
        if np.count_nonzero(use) < 5:
            break
        zs, n = z[use], counts[use]
        logs = np.log(n) - np.log1p(np.clip(skew / 6.0 * (zs**3 - 3.0 * zs), -0.5, 0.5))
        root = np.sqrt(n)
        design = np.stack([zs * zs, zs, np.ones_like(zs)], axis=1) * root[:, None]
        a, b, _c = np.linalg.lstsq(design, logs * root, rcond=None)[0].tolist()
        if not a < 0:
            break
        shift = float(np.clip(-b / (2.0 * a), -1.0, 1.0))
        level += shift * sigma
        sigma *= float(np.clip(np.sqrt(-0.5 / a), 0.5, 1.5))
        if abs(shift) < 1e-4:
            break
    if abs(level - middle) > 3.0 * spread:  # a pile without a peak
        return middle, spread
    return level, sigma
