"""The second axis of the proof: the same stars on different exposures, of different epochs and orients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model import ExposureProof, Verdict

_TUNING = 4.685  # Tukey's biweight: 95 % efficient for Gaussian noise
#: What share of an unknown may lie outside of what the stars determine.
_LOOSE = 1e-6


@dataclass(frozen=True, eq=False)
class Measurements:
    """Stars as single exposures have them.

    Parameters
    ----------
    star, exposure, chip : (m,) int array
        Which.
    value, error : (m,) array
        Natural logarithm of the equalized rate.
    """

    star: NDArray[np.int64]
    exposure: NDArray[np.int64]
    chip: NDArray[np.int64]
    value: FloatArray
    error: FloatArray


@dataclass(frozen=True, eq=False)
class ExposureRatios:
    """Ratios of exposures to the reference, chips' own ratios taken out.

    Parameters
    ----------
    ratio, error : (n,) array
        Flux on the exposure over flux on the reference, and its statistical error; NaN where the stars do not tell.
    n_pairs : (n,) int array
        Stars on the exposure that others have too.
    cells : mapping
        ``cells[exposure, chip]``: ratio of one chip of one exposure, its error, and its stars.
    """

    ratio: FloatArray
    error: FloatArray
    n_pairs: NDArray[np.int64]
    cells: Mapping[tuple[int, int], tuple[float, float, int]]


def compare_exposures(seen: Measurements, n: int, n_chips: int, *, reference: int) -> ExposureRatios:
    """Solve for all exposures at once, robustly.

    ``ln flux = ln star + ln ratio(exposure) + ln ratio(chip)``; the stars are eliminated, the ratios of the reference
    exposure and of the first chip are 1. Stars that moved to another chip count too, so a visit at another roll is
    compared as well.

    Parameters
    ----------
    seen : Measurements
        Stars on one exposure only are left aside.
    n, n_chips : int
        Number of exposures and chips.
    reference : int
        Index of the reference exposure.
    """
    key = np.unique(seen.star * n + seen.exposure)
    shared = np.isin(seen.star, np.flatnonzero(np.bincount(key // n, minlength=1) >= 2))
    star = np.unique(seen.star[shared], return_inverse=True)[1]
    exposure, chip = seen.exposure[shared], seen.chip[shared]
    value, error = seen.value[shared], seen.error[shared]
    pairs = np.bincount(np.unique(star * n + exposure) % n, minlength=n) if star.size else np.zeros(n, np.int64)
    ratio, sigma = np.full(n, np.nan), np.full(n, np.nan)
    ratio[reference], sigma[reference] = 1.0, 0.0
    if star.size == 0:
        return ExposureRatios(ratio, sigma, pairs, {})
    # Unknowns: the exposures but the reference, then the chips but the first; the last number stands for none.
    of_exposure = np.delete(np.arange(n + 1), reference).searchsorted(exposure)
    terms = np.stack(
        [
            np.where(exposure == reference, n + n_chips - 2, of_exposure),
            np.where(chip == 0, n + n_chips - 2, n + chip - 2),
        ]
    )
    solution = _robust(star, terms, value, error=error, unknowns=n + n_chips - 2)
    places = [i for i in range(n) if i != reference]
    known = solution.known[: n - 1]
    ratio[places] = np.where(known, np.exp(solution.logs[: n - 1]), np.nan)
    sigma[places] = np.where(known, ratio[places] * solution.errors[: n - 1], np.nan)
    logs = np.log(ratio)
    cells = {}
    key = exposure * n_chips + chip
    order = np.argsort(key, kind="stable")
    numbers, first = np.unique(key[order], return_index=True)
    for number, in_cell in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
        i, c = divmod(number, n_chips)
        total = float((solution.weight * solution.freedom)[in_cell].sum())
        if total > 0 and np.isfinite(logs[i]):
            mean = float((solution.weight * solution.left)[in_cell].sum() / total)
            cells[i, c] = (float(np.exp(logs[i] + mean)), solution.scatter / total**0.5, in_cell.size)
    return ExposureRatios(ratio, sigma, pairs, cells)


@dataclass(frozen=True, eq=False)
class _Solution:
    """Logarithms of the unknowns, their errors, which are determined; what is left of each measurement."""

    logs: FloatArray
    errors: FloatArray
    known: NDArray[np.bool_]
    weight: FloatArray
    left: FloatArray
    freedom: FloatArray
    scatter: float


def _robust(
    star: NDArray[np.intp], terms: NDArray[np.intp], value: FloatArray, *, error: FloatArray, unknowns: int
) -> _Solution:
    """Solve by least squares with Tukey's weights; the errors grow with the scatter where it exceeds expectation.

    Each measurement is the sum of its star and of two unknowns, `terms` (2, m); number `unknowns` stands for none. Only
    sums by star and unknown are made: a table of measurements by unknowns would grow with the square of the exposures.
    """
    base, trust, scatter = 1.0 / error**2, np.ones(star.size), 1.0
    stars, telling = int(star.max()) + 1, _told_apart(star, terms, unknowns)

    def centered(column: FloatArray, weight: FloatArray) -> FloatArray:
        total = np.maximum(np.bincount(star, weight), 1e-300)
        return np.asarray(column - (np.bincount(star, weight * column) / total)[star])

    for _ in range(15):
        weight = base * trust
        shared = _sums(star, terms, weight, stars=stars, unknowns=unknowns)
        matrix = _sums(terms[0], terms[1:], weight, stars=unknowns + 1, unknowns=unknowns)[:unknowns]
        matrix = matrix + matrix.T + np.diag(shared.sum(axis=0))
        matrix -= shared.T @ (shared / np.maximum(np.bincount(star, weight), 1e-300)[:, None])
        matrix *= np.outer(telling, telling)
        size = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), 1.0))
        inverse = np.linalg.pinv(matrix / np.outer(size, size), rcond=1e-9, hermitian=True) / np.outer(size, size)
        pulled = weight * centered(value, weight)
        right = sum(np.bincount(term, pulled, minlength=unknowns + 1)[:unknowns] for term in terms) * telling
        logs = np.asarray(inverse @ right)
        left = centered(value - np.append(logs, 0.0)[terms].sum(axis=0), weight)
        freedom = np.maximum(1.0 - weight / np.bincount(star, weight)[star], 0.02)
        pull = left / (error * np.sqrt(freedom))
        scatter = max(1.4826 * float(np.median(np.abs(pull))), 0.5)
        arm = np.minimum(np.abs(pull) / (_TUNING * max(scatter, 1.0)), 1.0)
        updated = np.maximum((1.0 - arm**2) ** 2, 1e-6)
        done = bool(np.max(np.abs(updated - trust)) < 1e-4)
        trust = updated
        if done:
            break
    lost = np.abs(inverse @ matrix - np.eye(len(logs))).max(axis=1, initial=0.0)
    errors = np.sqrt(np.maximum(np.diag(inverse), 0.0)) * max(scatter, 1.0)
    return _Solution(logs, errors, lost < _LOOSE, weight, left, freedom, max(scatter, 1.0))


def _sums(
    row: NDArray[np.intp], terms: NDArray[np.intp], weight: FloatArray, *, stars: int, unknowns: int
) -> FloatArray:
    """Add the weights of measurements by their row and unknown: (stars, unknowns)."""
    wide = unknowns + 1
    table = sum(np.bincount(row * wide + term, weight, minlength=stars * wide) for term in terms)
    return np.asarray(table).reshape(stars, wide)[:, :unknowns]


def _told_apart(star: NDArray[np.intp], terms: NDArray[np.intp], unknowns: int) -> NDArray[np.bool_]:
    """Return the unknowns that some star has in part of its measurements; what all or none have is not determined."""
    count = np.bincount(star)
    affected = _sums(star, terms, np.ones(star.size), stars=count.size, unknowns=unknowns)
    return np.asarray(((affected > 0) & (affected < count[:, None])).any(axis=0))


@dataclass(frozen=True, eq=False)
class Judged:
    """What a proof needs beside the ratios.

    Parameters
    ----------
    roots, chips : sequence of str
        Names of exposures and chips.
    scale : sequence of float
        Factor of each exposure over that of the reference: their PHOTFLAMs'.
    systematic, cte_error : float
        Of every ratio; relative to the correction for charge-transfer loss.
    judge : callable
        Verdict of a ratio, its error and its pairs.
    """

    roots: Sequence[str]
    chips: Sequence[str]
    scale: Sequence[float]
    systematic: float
    cte_error: float
    judge: Callable[[float, float, int], Verdict]


def exposure_proofs(
    solved: ExposureRatios, without: ExposureRatios, by: Judged, *, reference: int
) -> dict[str, ExposureProof]:
    """Put each exposure's numbers and verdict together; the reference passes when another could be judged.

    Parameters
    ----------
    solved, without : ExposureRatios
        With and without the correction for charge-transfer loss.
    by : Judged
        Names, and the rules.
    reference : int
        Index of the reference exposure.
    """
    proof = {}
    for i, root in enumerate(by.roots):
        ratio, plain, pairs = float(solved.ratio[i]), float(without.ratio[i]), int(solved.n_pairs[i])
        cte = by.cte_error * abs(ratio - plain)
        error = float(np.sqrt(solved.error[i] ** 2 + cte**2 + by.systematic**2))
        cells = {by.chips[c]: cell for (e, c), cell in solved.cells.items() if e == i}
        verdict = by.judge(ratio, error, pairs)
        proof[root] = ExposureProof(
            ratio, error, pairs, verdict, plain, float(solved.error[i]), scale=by.scale[i], chips=cells
        )
    others = [exposure.verdict for root, exposure in proof.items() if root != by.roots[reference]]
    judged = any(verdict is not Verdict.NONE for verdict in others)
    own = proof[by.roots[reference]]
    proof[by.roots[reference]] = ExposureProof(
        1.0, 0.0, own.n_pairs, Verdict.PASS if judged else Verdict.NONE, 1.0, 0.0, chips=own.chips
    )
    return proof
