"""How wide stars are: the best-fitting Gaussian of small stamps, all stars and all widths at once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Floats
from mizzle.report.stretch import median

HALF = 5  # stamps are 11 pixels wide: wings beyond tell more about neighbors than about the core
TO_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
#: Stars measured together.
_TOGETHER = 4096


@cache
def _templates() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return unit templates ``(t, 121)``, mean removed, and the sigma [pixel] of each.

    Every template is a Gaussian of one width at one of 7 x 7 sub-pixel offsets.
    """
    sigmas = np.geomspace(0.35, 3.5, 32)
    offsets = np.linspace(-0.6, 0.6, 7)
    span = np.arange(-HALF, HALF + 1)
    # (width, offset, pixel)
    profile = np.exp(-0.5 * ((span - offsets[:, None]) / sigmas[:, None, None]) ** 2)
    images = np.einsum("sap,sbq->sabpq", profile, profile).reshape(-1, span.size**2)
    images -= images.mean(axis=1, keepdims=True)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    return images.astype(np.float32), np.repeat(sigmas, offsets.size**2)


def widths(stamps: Floats) -> NDArray[np.float64]:
    """Return the full width at half maximum of each stamp's star, the pixel's own width included.

    Amplitude and background are free: the best template is the one that correlates best with the stamp.

    Parameters
    ----------
    stamps : (n, 11, 11) array
        One star each, within 0.6 pixel of the middle.

    Returns
    -------
    fwhm : (n,) array
        In pixels; NaN where the stamp holds a NaN, or no template explains 80 % of its variance.
    """
    parts = [_widths_of(stamps[first : first + _TOGETHER]) for first in range(0, len(stamps), _TOGETHER)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _widths_of(stamps: Floats) -> NDArray[np.float64]:
    """Return `widths` of some stars: each is held against 1568 templates."""
    flat = np.asarray(stamps, dtype=np.float64).reshape(len(stamps), -1)
    bad = np.asarray(~np.isfinite(flat).all(axis=1))
    flat = np.where(bad[:, None], 0.0, flat)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1)
    images, sigmas = _templates()
    likeness = flat.astype(np.float32) @ images.T
    # Best over offsets first, so that the width can be refined by a parabola in log sigma.
    n_widths = np.unique(sigmas).size
    by_width = likeness.reshape(len(flat), n_widths, -1).max(axis=2)
    best = np.clip(by_width.argmax(axis=1), 1, n_widths - 2)
    rows = np.arange(len(flat))
    before, here, after = (by_width[rows, best + k] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    grid = np.log(sigmas.reshape(n_widths, -1)[:, 0])
    fwhm = TO_FWHM * np.exp(grid[best] + np.clip(shift, -1, 1) * (grid[1] - grid[0]))
    explained = here >= 0.9 * norm  # 0.9 in correlation is 0.8 in variance
    return np.where(bad | ~explained | (norm == 0), np.nan, fwhm)


def cut(image: NDArray[Any], x: Floats, y: Floats) -> NDArray[Any]:
    """Cut 11 x 11 stamps around 0-based positions, which must lie 6 pixels or more inside.

    Returns
    -------
    stamps : (n, 11, 11) array
        Centered on the nearest pixel.
    """
    span = np.arange(-HALF, HALF + 1)
    iy = np.rint(y).astype(int)[:, None, None] + span[None, :, None]
    ix = np.rint(x).astype(int)[:, None, None] + span[None, None, :]
    return np.asarray(image[iy, ix])


def summary(fwhm: Floats, scale: float) -> dict[str, float] | None:
    """Return the median width [arcsec], its scatter and count; None without a measurement."""
    good = fwhm[np.isfinite(fwhm)] * scale
    if not good.size:
        return None
    middle = median(good)
    scatter = 1.4826 * median(np.abs(good - middle))
    return {"fwhm_arcsec": round(middle, 5), "scatter_arcsec": round(scatter, 5), "n": int(good.size)}
