"""All chip pairs solved together: one ratio per chip, from stars seen on several."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray

_TUNING = 4.685  # Tukey's biweight: 95 % efficient for Gaussian noise
#: Chips may disagree about a star more crowded than half of its chip's by so many times the excess. Chosen on one
#: simulated visit: in a clump the PC had 10 to 26 % less than a WF chip, where .06 to .11 of a star lay around each.
BLENDED = 2.0


@dataclass(frozen=True, eq=False)
class Sightings:
    """Each star on each chip, its exposures already put together.

    Parameters
    ----------
    star : (m,) int array
        The star.
    chip : (m,) int array
        The chip.
    value, error : (m,) array
        Natural logarithm of the equalized flux; the error holds what a crowd around this star adds (`BLENDED`).
    crowd : (m,) array
        Light of the star's surroundings within the aperture, over the star's: stars too faint or too close to be known.
    """

    star: NDArray[np.int64]
    chip: NDArray[np.int64]
    value: FloatArray
    error: FloatArray
    crowd: FloatArray


@dataclass(frozen=True, eq=False)
class RatioFit:
    """Ratios of the chips to the reference.

    Parameters
    ----------
    ratio, error : (n_chips,) array
        Of flux on the chip over flux on the reference, and its statistical error; NaN where no chain of stars leads
        to the reference.
    n_pairs : (n_chips,) int array
        Star pairs that tie the chip to the reference (`count_pairs`).
    weight : (m,) array
        Robust weight of each sighting, 0 to 1.
    scatter : float
        Robust scatter over expectation.
    """

    ratio: FloatArray
    error: FloatArray
    n_pairs: NDArray[np.int64]
    weight: FloatArray
    scatter: float


def gather_sightings(
    star: NDArray[np.int64],
    chip: NDArray[np.int64],
    value: FloatArray,
    *,
    error: FloatArray,
    crowd: FloatArray | None = None,
) -> Sightings:
    """Put the exposures of each star on each chip together, and keep stars seen on two chips or more.

    Parameters
    ----------
    star, chip : (k,) int array
        Of each measurement.
    value, error : (k,) array
        Logarithm of its flux, and 1 sigma.
    crowd : (k,) array, optional
        See `Sightings`; none by default.
    """
    key = star * 64 + chip
    unique, inverse = np.unique(key, return_inverse=True)
    weight = 1.0 / error**2
    total = np.bincount(inverse, weight, unique.size)
    mean = np.bincount(inverse, weight * value, unique.size) / np.maximum(total, 1e-300)
    trust = weight
    # A cosmic ray that nobody flagged spoils one exposure: with three or more, far ones lose their say.
    count = np.bincount(inverse, minlength=unique.size)
    for _ in range(3):
        far = np.abs(value - mean[inverse]) / (3.0 * error)
        trust = np.where(count[inverse] >= 3, 1.0 / np.maximum(far, 1.0) ** 2, 1.0) * weight
        total = np.bincount(inverse, trust, unique.size)
        mean = np.bincount(inverse, trust * value, unique.size) / np.maximum(total, 1e-300)
    who = unique // 64
    shared = np.isin(who, np.flatnonzero(np.bincount(who, minlength=1) >= 2))
    around = np.zeros(value.size) if crowd is None else crowd
    # Weighed as the fluxes are: around stars of a short exposure is noise, which tells nothing of those in a long one.
    crowded = np.bincount(inverse, trust * around, unique.size) / np.maximum(total, 1e-300)
    seen = Sightings(who[shared], (unique % 64)[shared], mean[shared], 1.0 / np.sqrt(total[shared]), crowded[shared])
    return replace(seen, error=np.hypot(seen.error, BLENDED * _excess_crowd(seen)))


def _excess_crowd(seen: Sightings) -> FloatArray:
    """Return how much more crowded each star is than half of those of its chip: by what else chips disagree."""
    excess = np.zeros(seen.star.size)
    for chip in np.unique(seen.chip):
        on_chip = seen.chip == chip
        excess[on_chip] = np.maximum(seen.crowd[on_chip] - np.median(seen.crowd[on_chip]), 0.0)
    return excess


def solve(seen: Sightings, n_chips: int, reference: int) -> RatioFit:
    """Solve for all chips at once, robustly.

    ``ln flux(star, chip) = ln flux(star) + ln ratio(chip)``; the stars are eliminated, ratio(reference) is 1.

    Parameters
    ----------
    seen : Sightings
        Stars on two chips or more.
    n_chips : int
        Number of chips.
    reference : int
        Index of the reference chip.

    Returns
    -------
    solution : RatioFit
        Errors grow with the scatter where it exceeds expectation.
    """
    pairs = count_pairs(seen, n_chips, reference)
    reached = _reached(seen, n_chips, reference)
    ratio, error = np.full(n_chips, np.nan), np.full(n_chips, np.nan)
    ratio[reference], error[reference] = 1.0, 0.0
    free = np.flatnonzero(reached & (np.arange(n_chips) != reference))
    if free.size == 0:
        return RatioFit(ratio, error, pairs, np.ones(seen.star.size), float("nan"))
    use = reached[seen.chip]
    star = np.unique(seen.star, return_inverse=True)[1]
    base = np.where(use, 1.0 / seen.error**2, 0.0)
    trust = np.ones(seen.star.size)
    logs, scatter = np.zeros(n_chips), 1.0
    for _ in range(15):
        logs[free], covariance = _normal(star, seen, base * trust, free=free)
        pull = _pulls(star, seen, base * trust, logs=logs)
        scatter = max(1.4826 * float(np.median(np.abs(pull[use]))), 0.5)
        arm = np.minimum(np.abs(pull) / (_TUNING * max(scatter, 1.0)), 1.0)
        updated = np.maximum((1.0 - arm**2) ** 2, 1e-6)
        done = bool(np.max(np.abs(updated - trust)) < 1e-4)
        trust = updated
        if done:
            break
    ratio[free] = np.exp(logs[free])
    error[free] = ratio[free] * np.sqrt(np.diag(covariance)) * max(scatter, 1.0)
    return RatioFit(ratio, error, pairs, trust, scatter)


def count_pairs(seen: Sightings, n_chips: int, reference: int) -> NDArray[np.int64]:
    """Count the star pairs that tie each chip to the reference.

    A chain is as good as its thinnest place: twenty pairs from PC to WF2 prove nothing when one single star leads from
    WF2 to the reference. So the count is the fewest pairs between any group of chips that holds this one and the rest
    that holds the reference (the minimal cut). For the reference itself: all pairs that reach it.
    """
    on = np.zeros((int(seen.star.max(initial=-1)) + 1, n_chips), dtype=np.int64)
    on[seen.star, seen.chip] = 1
    pairs = on.T @ on
    np.fill_diagonal(pairs, 0)
    counts: NDArray[np.int64] = pairs.sum(axis=1)
    for chip in range(n_chips):
        if chip == reference:
            continue
        others = [c for c in range(n_chips) if c not in (chip, reference)]
        groups = ([chip, *group] for size in range(len(others) + 1) for group in itertools.combinations(others, size))
        counts[chip] = min(int(np.delete(pairs[group], group, axis=1).sum()) for group in groups)
    return counts


def _reached(seen: Sightings, n_chips: int, reference: int) -> NDArray[np.bool_]:
    """Return the chips that chains of shared stars connect with the reference."""
    reached: NDArray[np.bool_] = np.arange(n_chips) == reference
    for _ in range(n_chips):
        stars = np.unique(seen.star[reached[seen.chip]])
        more = reached.copy()
        more[seen.chip[np.isin(seen.star, stars)]] = True
        if np.array_equal(more, reached):
            break
        reached = more
    return reached


def _normal(
    star: NDArray[np.int64], seen: Sightings, weight: FloatArray, *, free: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Solve the normal equations with the stars eliminated: logarithms of the free chips, covariance."""
    design = (seen.chip[:, None] == free[None, :]).astype(np.float64)
    total = np.maximum(np.bincount(star, weight), 1e-300)
    mean_value = np.bincount(star, weight * seen.value) / total
    means = np.stack([np.bincount(star, weight * column) for column in design.T], axis=1) / total[:, None]
    rows = design - means[star]
    matrix = rows.T @ (weight[:, None] * rows)
    target = rows.T @ (weight * (seen.value - mean_value[star]))
    covariance = np.linalg.pinv(matrix, hermitian=True)
    return np.asarray(covariance @ target), np.asarray(covariance)


def _pulls(star: NDArray[np.int64], seen: Sightings, weight: FloatArray, *, logs: FloatArray) -> FloatArray:
    """Return residuals over their expected scatter; those of a two-chip star are equal and opposite."""
    value = seen.value - logs[seen.chip]
    total = np.maximum(np.bincount(star, weight), 1e-300)
    mean = np.bincount(star, weight * value) / total
    own = np.maximum(1.0 - weight / total[star], 0.02)  # what a sighting can differ from its own star's mean
    return np.asarray((value - mean[star]) / (seen.error * np.sqrt(own)))


def pair_table(seen: Sightings, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """List the pairs for the report: star, both chips, logarithm of their ratio, its error."""
    order = np.lexsort((seen.chip, seen.star))
    star = seen.star[order]
    first, second = [], []
    for step in range(1, len(names)):
        same = np.flatnonzero(star[step:] == star[:-step]) if star.size > step else np.zeros(0, np.intp)
        first.append(order[same])
        second.append(order[same + step])
    index = np.concatenate(first) if first else np.zeros(0, np.intp)
    two = np.concatenate(second) if second else np.zeros(0, np.intp)
    labels = np.array(names)
    return {
        "star": seen.star[index],
        "one": labels[seen.chip[index]],
        "two": labels[seen.chip[two]],
        "log_ratio": seen.value[index] - seen.value[two],
        "error": np.hypot(seen.error[index], seen.error[two]),
    }


def crowding(seen: Sightings, n_chips: int) -> FloatArray:
    """Return how crowded the stars of each chip are, ``(n_chips,)``: their median crowd; 0 where a chip has none."""
    medians = [float(np.median(seen.crowd[seen.chip == c])) if np.any(seen.chip == c) else 0.0 for c in range(n_chips)]
    return np.array(medians)
