"""Noise of neighboring product pixels: how much a drop spread over several of them ties them together."""

from __future__ import annotations

from typing import Any

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.kernel.drop.types import LANCZOS

#: Quadrature points along each axis, and products farther apart than this many pixels are taken as independent.
POINTS = 48

#: Halfway between pixels a variance is 0.575 of the two nearest less 0.075 of the next two. What two neighbors of one
#: drop share lies within 1/20 (pixel**2, each way) of their middle, what one has within 1/10: so the width is right.
_OUTER = -0.075


def _triangle(t: FloatArray) -> FloatArray:
    return np.maximum(1.0 - np.abs(t), 0.0)


def drop_correlation(
    jacobian: Any, *, pixfrac: float = 1.0, kernel: str = "square", pixel_scale_ratio: float = 1.0
) -> FloatArray:
    """Return the covariance of product pixels, by their distance, relative to the variance of one.

    A pixel dropped at a random place shares itself over cells: cell j gets ``a(j)``. Averaged over the place, the
    covariance of two cells d apart goes as ``sum_j a(j) a(j + d)``, which is the drop's autocorrelation convolved with
    a cell's: for a parallelogram ``P = pixfrac * jacobian`` and the unit cell::

        c(d) = integral of tri(s) tri(t) TRI(d + P (s, t)) ds dt,      tri(t) = max(1 - |t|, 0)

    Parameters
    ----------
    jacobian : (2, 2) array
        Product pixels per input pixel: columns are the images of a pixel's sides.
    pixfrac : float
        Side of the drop over that of the pixel.
    kernel : str
        ``square``, ``turbo``, ``point``, ``gaussian``, ``lanczos2``, ``lanczos3`` or ``lanczos5``.
    pixel_scale_ratio : float
        Product over input pixel side; sizes the drops that do not follow the map.

    Returns
    -------
    correlation : (2 m + 1, 2 m + 1) array
        1 in the middle; indexed ``[dy + m, dx + m]``.

    References
    ----------
    Casertano et al. 2000, AJ 120, 2747, appendix A; here for any shape of drop.
    """
    side = pixfrac / pixel_scale_ratio
    if kernel == "point" or pixfrac < 1e-3:
        return np.ones((1, 1))
    if kernel == "gaussian":
        return _profile(lambda t: np.exp(-((t * 2.3548 / side) ** 2) / 4.0), 5.0 * side / 2.3548)
    if kernel in LANCZOS:
        order = LANCZOS[kernel]
        step = 1.0 / pixel_scale_ratio  # pixfrac has no say
        return _profile(lambda t: _lanczos_autocorrelation(t / step, order), 2.0 * order * step)
    matrix = np.eye(2) * side if kernel == "turbo" else np.asarray(jacobian, dtype=np.float64) * pixfrac
    return _parallelogram(matrix)


def _parallelogram(matrix: FloatArray) -> FloatArray:
    t = (np.arange(POINTS) + 0.5) / POINTS * 2.0 - 1.0
    weight = _triangle(t)[:, None] * _triangle(t)[None, :]
    x = matrix[0, 0] * t[:, None] + matrix[0, 1] * t[None, :]
    y = matrix[1, 0] * t[:, None] + matrix[1, 1] * t[None, :]
    m = int(np.ceil(np.abs(matrix).sum(axis=1).max())) + 1
    d = np.arange(-m, m + 1.0)
    along_x = _triangle(d[:, None, None] + x)
    along_y = _triangle(d[:, None, None] + y) * weight
    result = np.einsum("yij,xij->yx", along_y, along_x, optimize=True)
    return np.asarray(result / result[m, m])


def _profile(function: Any, reach: float) -> FloatArray:
    m = max(1, int(np.ceil(reach)))
    line = function(np.arange(-m, m + 1.0))
    line = line / line[m]
    return np.asarray(line[:, None] * line[None, :])


def _lanczos_autocorrelation(t: FloatArray, order: int) -> FloatArray:
    u = np.linspace(-order, order, 200 * order + 1)

    def window(x: FloatArray) -> FloatArray:
        return np.where(np.abs(x) < order, np.sinc(x) * np.sinc(x / order), 0.0)

    return np.asarray((window(u) * window(u + np.asarray(t)[:, None])).sum(axis=1))


def large_area_factor(correlation: FloatArray) -> float:
    """Return the noise of a large area's mean over what independent pixels of the same error would have."""
    middle = correlation.shape[0] // 2
    return float(np.sqrt(correlation.sum() / correlation[middle, middle]))


def sum_weights(correlation: FloatArray, shares: FloatArray) -> FloatArray:
    """Return what each pixel's variance counts in the variance of a weighted sum of correlated pixels.

    With shares m and covariances ``c(j - k) (V_j + V_k) / 2`` the sum's variance is::

        sum_jk c(j - k) m_j m_k (V_j + V_k) / 2 = sum_j V_j m_j (c * m)_j

    Exact for even noise. The mean of two variances, not their geometric mean, makes it hold for a peak as well: a
    single noisy input pixel, wholly inside the aperture, must count by the large-area factor whatever cells it fell on.

    Parameters
    ----------
    correlation : (2 m + 1, 2 m + 1) array
        As `drop_correlation` gives it.
    shares : (n, ny, nx) array
        Weight of each pixel in each sum: its share inside an aperture.

    Returns
    -------
    weights : (n, ny, nx) array
        ``m_j (c * m)_j``; multiply by the variances and add.
    """
    n, ny, nx = shares.shape
    m = correlation.shape[0] // 2
    wide = np.zeros((n, ny + 2 * m, nx + 2 * m))
    wide[:, m : m + ny, m : m + nx] = shares
    spread = np.zeros_like(shares)
    for dy, dx in np.argwhere(correlation != 0.0).tolist():
        spread += correlation[dy, dx] * wide[:, dy : dy + ny, dx : dx + nx]
    spread *= shares
    return spread


def small_sum_weights(correlation: FloatArray, shares: FloatArray) -> FloatArray:
    """Return the same for sums of few pixels, of which a peak of noise may fill most.

    Two pixels share the noise of the input pixels between them, so the variance of each pair is read there, halfway
    between pixels by interpolation, and not at its ends, which lie farther out, where a star is fainter::

        sum_jk c(j - k) m_j m_k V(between j and k)

    Parameters
    ----------
    correlation : (2 m + 1, 2 m + 1) array
        As `drop_correlation` gives it; symmetric about its middle.
    shares : (n, ny, nx) array
        Weight of each pixel in each sum: its share inside an aperture.

    Returns
    -------
    weights : (n, ny, nx) array
        Multiply by the variances and add.
    """
    _, ny, nx = shares.shape
    m = correlation.shape[0] // 2
    halfway: dict[tuple[int, int], FloatArray] = {}
    for dy in range(min(m, ny - 1) + 1):
        for dx in range(-min(m, nx - 1) if dy else 0, min(m, nx - 1) + 1):
            covariance = float(correlation[m + dy, m + dx])
            if covariance == 0.0:
                continue
            low, high = max(-dx, 0), nx - max(dx, 0)
            pairs = shares[:, : ny - dy, low:high] * shares[:, dy:, low + dx : high + dx]
            pairs *= covariance if dy == dx == 0 else 2.0 * covariance
            into = halfway.setdefault((dy % 2, dx % 2), np.zeros_like(shares))
            into[:, dy // 2 : dy // 2 + ny - dy, low + dx // 2 : high + dx // 2] += pairs
    weights = np.zeros_like(shares)
    for (odd_y, odd_x), part in halfway.items():
        along_y = _between(part, 1) if odd_y else part
        weights += _between(along_y, 2) if odd_x else along_y
    return weights


def _between(part: FloatArray, axis: int) -> FloatArray:
    """Spread what belongs half a pixel after each pixel over the four nearest; off the stamp is on its edge."""
    source = np.moveaxis(part, axis, 0)
    result = np.empty_like(part)
    into = np.moveaxis(result, axis, 0)
    into[...] = (0.5 - _OUTER) * source
    into[1:] += (0.5 - _OUTER) * source[:-1]
    into[:-1] += _OUTER * source[1:]
    into[0] += _OUTER * source[0]
    into[2:] += _OUTER * source[:-2]
    into[-1] += _OUTER * (source[-2] + source[-1]) if len(source) > 1 else 0.0
    into[-1] += (0.5 - _OUTER) * source[-1]
    return result


def aperture_factor(correlation: FloatArray, aperture: Any) -> float:
    """Return the noise of an aperture's sum over the root of its pixels' summed variances.

    Parameters
    ----------
    correlation : (2 m + 1, 2 m + 1) array
        As `drop_correlation` gives it.
    aperture : (ny, nx) array
        Weight of each pixel in the sum, times its error: the share inside the aperture times ERR. Of equal errors the
        share alone will do.

    Examples
    --------
    >>> round(aperture_factor(drop_correlation(np.eye(2)), np.ones((1, 1))), 6)
    1.0
    >>> round(large_area_factor(drop_correlation(np.eye(2))), 2)
    1.5
    """
    mask = np.asarray(aperture, dtype=np.float64)
    m = correlation.shape[0] // 2
    wide = np.pad(mask, m)
    ny, nx = mask.shape
    total = 0.0
    for dy in range(2 * m + 1):
        for dx in range(2 * m + 1):
            total += correlation[dy, dx] * float((mask * wide[dy : dy + ny, dx : dx + nx]).sum())
    return float(np.sqrt(max(total, 0.0) / (mask**2).sum()))
