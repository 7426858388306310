"""Cosmic rays of a single exposure: peaks, the light that may explain them, and their tracks. Arrays in, arrays out.

The work is done by src/single.c and src/fit_light.c, or by its NumPy twin, which is the definition.
"""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Image, Mask
from mizzle.kernel import native
from mizzle.kernel.single import numpy_twin
from mizzle.kernel.single.types import LANES, TILE, Peaks, SingleRule


def find_peaks(electrons: Image, bad: Mask, rule: SingleRule) -> Peaks:
    """List the local maxima above about the median of the 5 x 5 pixels around.

    Parameters
    ----------
    electrons : (ny, nx) float32 array
        Signal, sky included [electron]; finite where it is not bad.
    bad : (ny, nx) bool array
        Pixels to leave alone.
    rule : SingleRule
        ``floor``, ``structure``, ``sigma``.
    """
    library = native.library()
    if library is None:
        return numpy_twin.find_peaks(electrons, bad, rule)
    _check(electrons, bad)
    index, sky = np.empty(electrons.size, np.int64), np.empty(electrons.size)
    image, hidden = np.ascontiguousarray(electrons, np.float32), np.ascontiguousarray(bad, np.bool_)
    count = int(
        library.mz_single_peaks(
            native.by_reference(_job(image, rule)), *map(native.pointer, (image, hidden, index, sky))
        )
    )
    native.raise_on_status(max(0, -count))
    y, x = np.divmod(index[:count], electrons.shape[1])
    return Peaks(y, x, sky[:count].copy())


def follow_rays(
    electrons: Image, bad: Mask, peaks: Peaks, spared: Mask, rule: SingleRule, *, track: Mask | None = None
) -> Mask:
    """Mark the peaks of rays, and what hangs on them.

    Parameters
    ----------
    electrons, bad : (ny, nx) arrays
        As in `find_peaks`.
    peaks : Peaks
        Of rays.
    spared : (ny, nx) bool array
        Pixels of stars: no track enters them.
    rule : SingleRule
        All of it but ``sigma``.
    track : (ny, nx) bool array, optional
        Pixels along which a track may be followed; without it, bright ones.

    Returns
    -------
    mask : (ny, nx) bool array
        True where a cosmic ray was found; never on bad pixels.
    """
    library = native.library()
    if library is None:
        return numpy_twin.follow_rays(electrons, bad, peaks, spared, rule, track=track)
    _check(electrons, bad, spared, *([] if track is None else [track]))
    out = np.empty(electrons.shape, np.bool_)
    image = np.ascontiguousarray(electrons, np.float32)
    masks = [None if m is None else np.ascontiguousarray(m, np.bool_) for m in (bad, spared, track)]
    rays = np.ascontiguousarray(peaks.y * electrons.shape[1] + peaks.x, np.int64)
    native.raise_on_status(
        library.mz_single_follow(
            native.by_reference(_job(image, rule)),
            *map(native.pointer, (image, *masks, rays)),
            rays.size,
            native.pointer(out),
        )
    )
    return out


def fit_light(values: FloatArray, weights: FloatArray, templates: FloatArray, *, good: float = 0.0) -> FloatArray:
    """Take off each set of pixels the best sum of templates, none of them negative; return what is left.

    Non-negative least squares by greedy coordinate descent: the template that lowers chi-square most is chosen, light
    moves among those chosen until it settles, and so on. The answer is the same whatever is fitted beside it.

    Parameters
    ----------
    values, weights : (count, n) arrays
        Pixels, and one over their variance; 0 where a pixel says nothing.
    templates : (m, n) array
        What one unit of light makes of the pixels.
    good : float
        Chi-square that needs no better fit.

    Returns
    -------
    rest : (count, n) array
        Values less their fit.
    """
    n = values.shape[1]
    if weights.shape != values.shape or templates.shape[1:] != (n,) or not len(templates):
        raise ValueError(f"values {values.shape}, weights {weights.shape}, templates {templates.shape}")
    width = n + -n % LANES
    rest, weight = (_widened(array, len(array), width) for array in (values, weights))
    stars = _widened(templates, len(templates) + -len(templates) % TILE, width)
    library = native.library()
    if library is None:
        return np.asarray(numpy_twin.fit_light(rest, weight, stars, good=good)[:, :n])
    sides = (stars.shape[0], stars.shape[1])
    native.raise_on_status(
        library.mz_fit_light(
            native.pointer(stars), *sides, native.pointer(weight), native.pointer(rest), len(rest), good
        )
    )
    return np.asarray(rest[:, :n])


def _widened(array: FloatArray, rows: int, columns: int) -> FloatArray:
    """Return an array with zeros on the right and below; `np.pad` takes ten times as long for small ones."""
    wide = np.zeros((rows, columns))
    wide[: array.shape[0], : array.shape[1]] = array
    return wide


def _check(electrons: Image, *masks: Mask) -> None:
    if electrons.ndim != 2 or not electrons.size or any(mask.shape != electrons.shape for mask in masks):
        raise ValueError(f"pixels {electrons.shape}, masks {[mask.shape for mask in masks]}")


def _job(image: Image, rule: SingleRule) -> native.SingleStruct:
    ny, nx = image.shape
    return native.SingleStruct(
        ny=ny, nx=nx, track=rule.track, grow=rule.grow, floor=rule.floor, structure=rule.structure, sigma=rule.sigma,
        near_sigma=rule.neighbor_sigma,
    )  # fmt: skip
