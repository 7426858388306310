"""Fluxes of stars on single exposures: apertures of 0.5 arcsec on flat-fielded pixels times their area.

Cosmic rays hit every second aperture. A pixel that is lost does not cost the star, only the pixel's share of its
light, which a mean profile, measured on the same stars, fills in; a star that lost its center is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model.camera import ChipClass
from mizzle.settings import Settings
from mizzle.steps.verify.stars import APERTURE_ARCSEC, CORE_ARCSEC, Stamps

_PROFILE_STEP = 0.02  # arcsec
#: First guess of a star's profile: widths [arcsec] and shares of two Gaussians; the data replace it.
_GUESS = ((0.065, 0.75), (0.18, 0.25))


@dataclass(frozen=True, eq=False)
class Measured:
    """Fluxes of the stars of one chip of one exposure.

    Parameters
    ----------
    root, chip : str
        Which.
    star : (n,) int array
        Indices into the list of stars.
    x, y : (n,) array
        Positions [0-based pixel].
    flux, error : (n,) array
        In the aperture [DN, not equalized].
    sky : (n,) array
        In the ring [DN per pixel].
    sharpness : (n,) array
        The core's share of the light over the model's; NaN where a pixel is lost, or no model is known.
    crowd : (n,) array
        Light of the surroundings within the aperture, over the star's: stars too faint or too close to be known.
    """

    root: str
    chip: str
    star: NDArray[np.int64]
    x: FloatArray
    y: FloatArray
    flux: FloatArray
    error: FloatArray
    sky: FloatArray
    sharpness: FloatArray
    crowd: FloatArray

    def only(self, which: NDArray[np.bool_], names: NDArray[np.intp]) -> Measured:
        """Return some of the stars, by other indices.

        Parameters
        ----------
        which : (n,) bool array
            Those.
        names : array of int
            Index into another list, for each index into the list of stars.
        """
        columns = ("x", "y", "flux", "error", "sky", "sharpness", "crowd")
        return replace(self, star=names[self.star[which]], **{key: getattr(self, key)[which] for key in columns})


def class_profiles(stamps: Sequence[Stamps], classes: Sequence[ChipClass]) -> dict[str, FloatArray]:
    """Measure the mean profile of a star for each class of chips.

    Parameters
    ----------
    stamps : sequence of Stamps
        Of exposures and chips; enough of them to make a mean.
    classes : sequence of ChipClass
        The camera's.

    Returns
    -------
    profiles : dict
        By chip name: light per square arcsec at `_radii`.
    """
    guess = _guess_profile()
    profiles = {}
    for kind in classes:
        of_class = [chip_stamps for chip_stamps in stamps if chip_stamps.chip in kind.chips]
        if of_class:
            profile = _profile(of_class, guess)
            profiles.update(dict.fromkeys(kind.chips, profile))
    return profiles


def _radii() -> FloatArray:
    return np.arange(0.0, APERTURE_ARCSEC + 0.2, _PROFILE_STEP)


def _guess_profile() -> FloatArray:
    """Return two Gaussians, per square arcsec, as a table over `_radii`."""
    r = _radii()
    parts = [share / (2 * np.pi * width**2) * np.exp(-0.5 * (r / width) ** 2) for width, share in _GUESS]
    return np.asarray(np.sum(parts, axis=0))


def _share(stamps: Stamps, profile: FloatArray) -> FloatArray:
    """Return each pixel's share of the aperture's light: ``(n, k)``, rows summing to 1."""
    share = np.interp(stamps.distance, _radii(), profile) * stamps.overlap
    return np.asarray(share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300))


def _profile(stamps: Sequence[Stamps], guess: FloatArray) -> FloatArray:
    """Measure the mean profile: median of light over flux in narrow rings, over all stars."""
    profile = guess
    r, most = _radii(), sum(chip_stamps.distance.size for chip_stamps in stamps)
    for _ in range(2):
        cell, value, size = np.empty(most, np.int16), np.empty(most), 0
        for chip_stamps in stamps:
            share = _share(chip_stamps, profile)
            kept = (share * chip_stamps.usable).sum(axis=1)
            flux = (chip_stamps.light * chip_stamps.overlap).sum(axis=1) / np.maximum(kept, 1e-3)
            good = chip_stamps.usable & (kept > 0.7)[:, None] & (flux > 0)[:, None]
            ratio = chip_stamps.light / np.maximum(flux, 1e-300)[:, None] / chip_stamps.pixel
            more = slice(size, size + int(np.count_nonzero(good)))
            cell[more] = np.rint(chip_stamps.distance[good] / (2 * _PROFILE_STEP))
            value[more] = ratio[good]
            size = more.stop
        if size < 500:
            return guess
        order = np.argsort(cell[:size], kind="stable")
        edges = np.searchsorted(cell[order], np.arange(r.size // 2 + 2, dtype=np.int16))
        value = value[order]
        del order  # as large as an image of all stamps
        middles = [float(np.median(value[a:b])) if b - a >= 5 else np.nan for a, b in pairwise(edges.tolist())]
        medians = np.array(middles)
        known = np.isfinite(medians)
        centers = np.arange(medians.size) * 2 * _PROFILE_STEP
        profile = np.maximum(np.interp(r, centers[known], medians[known]), 0.0)
    return profile


def measure_stamps(stamps: Stamps, profile: FloatArray, settings: Settings) -> Measured:
    """Turn the stamps of a chip into fluxes, lost pixels filled in by the mean profile; drop what lost too much.

    Parameters
    ----------
    stamps : Stamps
        Of one chip of one exposure.
    profile : array
        Of its class of chips (`class_profiles`).
    settings : Settings
        ``verify``.
    """
    options = settings.verify
    share = _share(stamps, profile)
    lost = np.where(stamps.usable, 0.0, share).sum(axis=1)
    spoiled = ((stamps.distance < options.core) & ~stamps.usable).any(axis=1)
    keep = (lost <= options.max_fill) & ~spoiled
    flux = (stamps.light * stamps.overlap).sum(axis=1) / np.maximum(1.0 - lost, 0.1)
    area = stamps.overlap.sum(axis=1)
    variance = (stamps.variance * stamps.overlap**2).sum(axis=1) / np.maximum(1.0 - lost, 0.1) ** 2
    variance += (area * stamps.sky_error) ** 2
    variance += flux**2 * (options.floor**2 + (0.15 * lost) ** 2)  # a filled share is known to about 15 %
    core = (stamps.light * stamps.overlap * np.exp(-0.5 * (stamps.distance / CORE_ARCSEC) ** 2)).sum(axis=1)
    whole = (lost == 0) & (flux > 0)
    sharpness = np.where(whole, core / np.where(whole, flux, 1.0) / stamps.model, np.nan)
    return Measured(
        stamps.root,
        stamps.chip,
        stamps.star[keep],
        stamps.x[keep],
        stamps.y[keep],
        flux[keep],
        np.sqrt(variance[keep]),
        stamps.sky[keep],
        sharpness[keep],
        np.zeros(int(keep.sum())),
    )
