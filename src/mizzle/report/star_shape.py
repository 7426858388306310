"""Star shapes: what the camera's model says, and what the exposures show, chip by chip.

A star centered on a pixel is compared with the same star of the model: its peak over the mean of the four neighbors,
which a Gaussian integrated over pixels turns into a width. Stars between pixels tell more about their place than their
shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import erf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.instrument.star_optics import chip_star
from mizzle.kernel.wings import list_bright_peaks
from mizzle.model import Chip, Exposure, Result, Verdict
from mizzle.psf import StarImage

#: Neighbors on opposite sides that differ by less than this, over the peak, belong to a star on the pixel's middle.
_CENTERED = 0.08
#: Fewer stars tell nothing; a width off by more than this, over the model's, is worth a look.
_FEWEST, _ALIKE = 6, 0.12
#: Half of a stamp's side [pixel]; brightness over the noise of the sky; most candidates, and exposures, looked at.
_HALF, _BRIGHT, _MOST, _EXPOSURES = 5, 60.0, 6000, 3


@dataclass(frozen=True)
class Shape:
    """A star on the middle of a pixel.

    Parameters
    ----------
    peak_share : float
        Of all its light, in the brightest pixel.
    fwhm_px : float
        Of the Gaussian that has its ratio of peak to neighbors [pixel].
    """

    peak_share: float
    fwhm_px: float


def star_stamps(chip: Chip, hit: NDArray[np.bool_]) -> FloatArray:
    """Cut the bright peaks of one chip, ``(n, 11, 11)``: clear of flagged pixels, and highest within two pixels.

    Parameters
    ----------
    chip : Chip
        Its pixels.
    hit : (ny, nx) bool array
        Cosmic rays.
    """
    sci, bad = chip.sci, (chip.dq != 0) | hit | ~np.isfinite(chip.sci)
    sky = float(np.median(sci[~bad][::7])) if not bad.all() else 0.0
    noise = float(np.sqrt(max(sky, 0.0) / chip.gain + (chip.read_noise / chip.gain) ** 2))
    span = np.arange(-_HALF, _HALF + 1)
    peaks = list_bright_peaks(sci, bad, edge=_HALF, limit=sky + _BRIGHT * noise)
    order = np.argsort(-sci[peaks], kind="stable")[:_MOST]
    rows, columns = (at[order][:, None, None] for at in peaks)
    window = (rows + span[None, :, None], columns + span[None, None, :])
    stamps, spoiled = sci[window].astype(np.float64), bad[window][:, 3:-3, 3:-3].any(axis=(1, 2))
    peak = stamps[:, _HALF, _HALF]
    return np.asarray(stamps[~spoiled & (peak >= stamps[:, 3:-3, 3:-3].max(axis=(1, 2)))])


def star_shapes(
    result: Result, stamps: Mapping[tuple[str, str], FloatArray] | None = None
) -> dict[str, dict[str, Any]]:
    """Compare the exposures' stars with the camera's model.

    Parameters
    ----------
    result : Result
        A finished run.
    stamps : mapping, optional
        Stars of each exposure and chip, ``(n, 11, 11)`` each, the star on the middle pixel; cut here without it.

    Returns
    -------
    shapes : dict
        By chip: ``model`` and ``measured`` (``peak_share``, ``fwhm_px``), ``n_stars``, ``verdict``; of the first filter
        where there are several. ``measured`` is None, and the verdict NONE, with too few stars; ``model`` too where the
        image of a star is not known for pixels of that size.
    """
    first = result.exposures[0].filter if result.exposures else ""
    exposures = [exposure for exposure in result.exposures if exposure.filter == first]
    names = dict.fromkeys(name for exposure in exposures for name in exposure.chips)
    if stamps is None:
        rays = result.cosmic_rays
        stamps = {
            (e.root, name): star_stamps(chip, rays.mask(e.root, name, chip.shape))
            for e in exposures[:_EXPOSURES]
            for name, chip in e.chips.items()
        }
    return {name: _one_chip(exposures, name, stamps) for name in names}


def _one_chip(exposures: Sequence[Exposure], name: str, stamps: Mapping[tuple[str, str], FloatArray]) -> dict[str, Any]:
    exposure = next(e for e in exposures if name in e.chips)
    star = chip_star(exposure.camera, exposure.chips[name])
    if star.reach < 2:  # pixels so large that the image of a star is not known
        return {"model": None, "measured": None, "n_stars": 0, "verdict": Verdict.NONE}
    of_chip = [stamps[e.root, name] for e in exposures if (e.root, name) in stamps]
    centered = _centered(np.concatenate(of_chip) if of_chip else np.zeros((0, 11, 11)))
    model = Shape(star.peak_share, gaussian_width(star.neighbor_ratio))
    entry: dict[str, Any] = {
        "model": _plain(model),
        "n_stars": len(centered),
        "measured": None,
        "verdict": Verdict.NONE,
    }
    if len(centered) < _FEWEST:
        return entry
    measured = _measured(centered, star)
    entry["measured"] = _plain(measured)
    alike = abs(measured.fwhm_px / model.fwhm_px - 1.0) <= _ALIKE
    entry["verdict"] = Verdict.PASS if alike else Verdict.WARN
    return entry


def _plain(shape: Shape) -> dict[str, float]:
    return {"peak_share": round(shape.peak_share, 4), "fwhm_px": round(shape.fwhm_px, 4)}


def _centered(stamps: FloatArray) -> FloatArray:
    """Return the stamps, less their sky, of stars that lie on the middle of a pixel."""
    if not len(stamps):
        return stamps
    rim = np.ones(stamps.shape[1:], np.bool_)
    rim[1:-1, 1:-1] = False
    light = stamps - np.median(stamps[:, rim], axis=1)[:, None, None]
    middle = stamps.shape[1] // 2
    near = light[:, middle - 2 : middle + 3, middle - 2 : middle + 3]
    peak = light[:, middle, middle]
    down, up = light[:, middle - 1, middle], light[:, middle + 1, middle]
    left, right = light[:, middle, middle - 1], light[:, middle, middle + 1]
    with np.errstate(invalid="ignore"):
        good = (peak > 0) & (np.abs(up - down) < _CENTERED * peak) & (np.abs(right - left) < _CENTERED * peak)
        good &= (peak >= near.max(axis=(1, 2))) & ((up + down + left + right) > 0)
    return np.asarray(light[good])


def _measured(light: FloatArray, star: StarImage) -> Shape:
    """Return the typical shape of centered stars; light beyond five pixels is the model's share."""
    middle = light.shape[1] // 2
    peak = light[:, middle, middle]
    rows, columns = [middle - 1, middle, middle, middle + 1], [middle, middle - 1, middle + 1, middle]
    neighbors = light[:, rows, columns].mean(axis=1)
    ratio = float(np.median(peak / neighbors))
    five = light[:, middle - 2 : middle + 3, middle - 2 : middle + 3].sum(axis=(1, 2))
    zero = np.zeros(1)
    inside = float(star.pixels(zero, zero, 2)[0].sum())
    return Shape(float(np.median(peak / five)) * inside, gaussian_width(ratio))


@cache
def gaussian_width(ratio: float) -> float:
    """Return the full width at half maximum of a Gaussian by the ratio of its peak to its neighbors.

    Parameters
    ----------
    ratio : float
        Light in the pixel that a star is centered on, over that in one of its four neighbors.

    Returns
    -------
    width : float
        Of the Gaussian before it is integrated over pixels [pixel].

    Examples
    --------
    >>> round(gaussian_width(4.0), 2), round(gaussian_width(5.4), 2)
    (1.22, 1.07)
    """
    low, high = 0.05, 5.0
    for _ in range(50):
        sigma = 0.5 * (low + high)
        inner, outer = (erf(edge / (sqrt(2.0) * sigma)) for edge in (0.5, 1.5))
        # Narrower stars have larger ratios.
        low, high = (sigma, high) if inner > ratio * 0.5 * (outer - inner) else (low, sigma)
    return 2.354820045 * 0.5 * (low + high)
