"""Does the ratio of an exposure's stars to the same stars elsewhere follow their brightness, or their place?

A detector or amplifier that does not count in proportion makes bright stars faint against faint ones; light cut off by
the optics, or another flat field, makes stars fainter toward one side of a chip. The median of a chip's stars
(`steadiness`) shows little of either, a slope shows both. Each chip of each exposure is held against the same chip of
the others; what all exposures share at the same pixels is in none of these ratios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model import Exposure, Finding, Verdict

#: Fewest stars that give a chip's four coefficients and their scatter. Of 20 in a clean visit three near one edge, each
#: held against a single other exposure, made 9.5 % of 2 %.
FEWEST = 30
#: Changes of so many errors, and so large: WARN. Of 20 exposures 240 slopes are looked at.
SIGMAS, WARN_CHANGE = 4.5, 0.03
#: What no number of stars takes away from a change: breathing across a chip, the sky under faint stars.
SYSTEMATIC = 0.004
#: A change is a slope times the range between these percentiles: a few very bright stars say nothing of the rest.
RANGE = (5.0, 95.0)
#: An exposure departs as a whole where the mean of its other chips has this share of what its worst chip has.
SHARED = 0.5
#: A side of the chip is named where the gradient has this share of its length along it: 22 degrees off the diagonal.
ALONG = 0.38
_TUNING = 4.685  # Tukey's biweight: 95 % efficient for Gaussian noise
_ROUNDS = 8
_MAGNITUDE = 2.5 / np.log(10.0)


@dataclass(frozen=True, eq=False)
class ChipSightings:
    """Stars on one chip, on all exposures: ``(m,)`` each.

    Parameters
    ----------
    star, exposure : int array
        Which.
    light, error : array
        Natural logarithm of the equalized rate, corrected for charge-transfer loss and the exposure's own offset.
    charge : array
        The correction for charge-transfer loss that `light` holds.
    column, row : array
        Place, from -0.5 to 0.5 over the chip.
    """

    star: NDArray[np.int64]
    exposure: NDArray[np.int64]
    light: FloatArray
    error: FloatArray
    charge: FloatArray
    column: FloatArray
    row: FloatArray

    def only(self, some: NDArray[np.bool_]) -> ChipSightings:
        """Return some of them.

        Parameters
        ----------
        some : (m,) bool array
            Which.
        """
        return ChipSightings(**{key: column[some] for key, column in vars(self).items()})


def join_sightings(parts: Sequence[ChipSightings]) -> ChipSightings:
    """Put the stars of exposures together.

    Parameters
    ----------
    parts : sequence of ChipSightings
        Of one chip.
    """
    return ChipSightings(**{key: np.concatenate([vars(part)[key] for part in parts]) for key in vars(parts[0])})


@dataclass(frozen=True)
class Change:
    """What a slope makes of the ratio over the range of a chip's stars, as a natural logarithm.

    Parameters
    ----------
    value, statistical : float
        And its error by the scatter of the stars.
    charge : float
        Error by the correction for charge-transfer loss.
    """

    value: float
    statistical: float
    charge: float

    @property
    def error(self) -> float:
        """The whole error."""
        return float(np.sqrt(self.statistical**2 + self.charge**2 + SYSTEMATIC**2))

    @property
    def significance(self) -> float:
        """In errors."""
        return abs(self.value) / self.error

    @property
    def counts(self) -> bool:
        """Whether it is neither chance nor habit."""
        return abs(self.value) > WARN_CHANGE and self.significance > SIGMAS


@dataclass(frozen=True)
class ChipChanges:
    """How one chip of one exposure departs from the others.

    Parameters
    ----------
    brightness, column, row : Change
        From faint stars to bright ones, and from the low to the high end of the axes.
    magnitudes : float
        The range of brightness.
    """

    brightness: Change
    column: Change
    row: Change
    magnitudes: float

    @property
    def across(self) -> float:
        """Change along the gradient."""
        return float(np.hypot(self.column.value, self.row.value))

    @property
    def significance(self) -> float:
        """Of the gradient, in errors."""
        return float(np.hypot(self.column.significance, self.row.significance))

    @property
    def counts(self) -> bool:
        """Whether the gradient is neither chance nor habit."""
        return self.across > WARN_CHANGE and self.significance > SIGMAS


@dataclass(frozen=True)
class Departure:
    """What an exposure has of its own.

    Parameters
    ----------
    significance : float
        In errors.
    words, cause : str
        Of a sentence: before and after the names of the others.
    chips : tuple of str
        Empty: all.
    """

    significance: float
    words: str
    cause: str
    chips: tuple[str, ...]


def slope_findings(
    exposures: Sequence[Exposure], sightings: Mapping[str, ChipSightings], *, cte_error: float
) -> tuple[Finding, ...]:
    """Say whose ratios to the other exposures change with the brightness of stars, or across a chip.

    The exposure that departs most is named and left out, for it pulls what the others are held against; then the rest
    is looked at again, until half is left: more than half are not the odd ones.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    sightings : mapping
        By chip name.
    cte_error : float
        Error of the correction for charge-transfer loss, relative to it.
    """
    findings: list[Finding] = []
    rest = list(range(len(exposures)))
    while len(rest) > max(1, len(exposures) // 2):
        departures = _departures(sightings, rest, cte_error)
        if not departures:
            break
        odd = max(departures, key=lambda k: max(departure.significance for departure in departures[k]))
        beside = "than in the other exposures"
        if len(rest) == 2:
            beside = f"than in {exposures[rest[1 - rest.index(odd)]].root}: one of the two is wrong"
        for departure in departures[odd]:
            text = f"{exposures[odd].root}: {departure.words} {beside}: {departure.cause}"
            findings.append(Finding("zeropoint", Verdict.WARN, text, departure.chips))
        rest = [k for k in rest if k != odd]
    return tuple(findings)


def _departures(
    sightings: Mapping[str, ChipSightings], exposures: Sequence[int], cte_error: float
) -> dict[int, list[Departure]]:
    """Return what some exposures have of their own against each other."""
    changes: dict[int, dict[str, ChipChanges]] = {k: {} for k in exposures}
    for name, of_chip in sightings.items():
        for k, change in chip_changes(of_chip.only(np.isin(of_chip.exposure, exposures)), cte_error).items():
            changes[k][name] = change
    departures: dict[int, list[Departure]] = {}
    for k, chips in changes.items():
        own = [departure for departure in (_with_brightness(chips), _across_chips(chips)) if departure is not None]
        if own:
            departures[k] = own
    return departures


def chip_changes(seen: ChipSightings, cte_error: float) -> dict[int, ChipChanges]:
    """Fit, for each exposure, a plane and a slope with brightness to the ratio of its stars to the other exposures.

    ``ln flux - ln flux elsewhere = a + b (ln flux of all) + c column + d row``, weighted, by Tukey's biweight.
    "Elsewhere" is the weighted mean of all other exposures. The brightness is the weighted mean of all: its error and
    that of the ratio are then not correlated, which would make a slope of noise alone.

    Parameters
    ----------
    seen : ChipSightings
        Of one chip.
    cte_error : float
        Error of the correction for charge-transfer loss, relative to it.

    Returns
    -------
    changes : dict
        By exposure; where fewer than `FEWEST` stars tell, none.
    """
    if not seen.star.size:
        return {}
    weight = 1.0 / seen.error**2
    total = np.bincount(seen.star, weight)[seen.star]
    shared = np.bincount(seen.star)[seen.star] > 1
    others = np.where(shared, total - weight, 1.0)

    def elsewhere(values: FloatArray) -> FloatArray:
        return np.asarray((np.bincount(seen.star, weight * values)[seen.star] - weight * values) / others)

    ratio, charge = seen.light - elsewhere(seen.light), seen.charge - elsewhere(seen.charge)
    error = np.sqrt(seen.error**2 + 1.0 / others)
    brightness = np.bincount(seen.star, weight * seen.light)[seen.star] / total
    terms = np.stack([brightness, seen.column, seen.row])
    changes = {}
    for k in np.unique(seen.exposure).tolist():
        of_exposure = np.flatnonzero(shared & (seen.exposure == k))
        if of_exposure.size >= FEWEST:
            changes[k] = _fit(
                terms[:, of_exposure],
                ratio[of_exposure],
                error[of_exposure],
                charge=cte_error * charge[of_exposure],
            )
    return changes


def _fit(terms: FloatArray, ratio: FloatArray, error: FloatArray, *, charge: FloatArray) -> ChipChanges:
    """Fit ratios by terms (3, m) and a constant; `charge` is the error of each ratio that all share."""
    low, high = np.percentile(terms, RANGE, axis=1)
    span = high - low
    matrix = np.vstack([np.ones(ratio.size), terms - terms.mean(axis=1)[:, None]])
    base = 1.0 / error**2
    weight, scatter = base, 1.0
    for _ in range(_ROUNDS):
        inverse = np.linalg.pinv((matrix * weight) @ matrix.T, rcond=1e-10, hermitian=True)
        solution = inverse @ (matrix @ (weight * ratio))
        pull = (ratio - solution @ matrix) / error
        # Four coefficients take part of the scatter away.
        scatter = max(1.4826 * float(np.median(np.abs(pull))) * np.sqrt(ratio.size / (ratio.size - 4.0)), 1.0)
        weight = base * np.maximum(1.0 - np.minimum(np.abs(pull) / (_TUNING * scatter), 1.0) ** 2, 1e-3) ** 2
    # What the fit changes by when each star is left out: the error that trusts no star's own (HC3 of MacKinnon & White
    # 1985, J. Econometrics 29, 305). A few stars far out, at the edge of the chip, are not known by the scatter of all.
    leverage = np.einsum("km,kl,lm,m->m", matrix, inverse, matrix, weight)
    left_out = (inverse @ matrix) * (weight * pull * error / np.maximum(1.0 - leverage, 0.1))
    errors = np.hypot.reduce(left_out, axis=1)
    errors = np.maximum(errors, scatter * np.sqrt(np.maximum(np.diag(inverse), 0.0)))
    by_charge = inverse @ (matrix @ (weight * charge))
    brightness, column, row = (
        Change(float(solution[k + 1] * span[k]), float(errors[k + 1] * span[k]), float(abs(by_charge[k + 1]) * span[k]))
        for k in range(3)
    )
    return ChipChanges(brightness, column, row, float(span[0]) * _MAGNITUDE)


def _mean(changes: Sequence[Change]) -> Change:
    """Return the weighted mean of chips; the errors of the correction for charge-transfer loss are common to them."""
    weight = np.array([1.0 / change.statistical**2 for change in changes])
    weight /= weight.sum()
    value, charge = (
        float(sum(w * part for w, part in zip(weight, parts, strict=True)))
        for parts in ([change.value for change in changes], [change.charge for change in changes])
    )
    spread = float(np.sqrt(sum((w * change.statistical) ** 2 for w, change in zip(weight, changes, strict=True))))
    return Change(value, spread, charge)


def _with_brightness(chips: Mapping[str, ChipChanges]) -> Departure | None:
    """Say how much an exposure's bright stars depart from its faint ones, as a whole or on some chips."""
    changes = {name: chip.brightness for name, chip in chips.items() if chip.brightness.statistical > 0}
    if not changes:
        return None
    odd = {name: change for name, change in changes.items() if change.counts}
    mean = _mean(list(changes.values()))
    if mean.counts and (not odd or _is_shared(changes)):
        magnitudes = float(np.median([chips[name].magnitudes for name in changes]))
        words, significance, odd = _by(mean, magnitudes), mean.significance, {}
    elif odd:
        words = ", ".join(f"{_by(change, chips[name].magnitudes)} on {name}" for name, change in odd.items())
        significance = max(change.significance for change in odd.values())
    else:
        return None
    cause = "a response that is not linear, or charge lost in transfer"
    return Departure(significance, f"bright stars against faint ones are {words}", cause, tuple(odd))


def _is_shared(changes: Mapping[str, Change]) -> bool:
    """Return whether the other chips have what the worst one has."""
    worst = max(changes, key=lambda name: changes[name].significance)
    others = [change for name, change in changes.items() if name != worst]
    return bool(others) and _mean(others).value / changes[worst].value > SHARED


def _by(change: Change, magnitudes: float) -> str:
    """Put a change with brightness into words."""
    off = 100.0 * np.expm1(change.value)
    side = "brighter" if off > 0 else "fainter"
    return f"{abs(off):.1f} ± {100.0 * change.error:.1f} % {side} over {magnitudes:.1f} mag"


def _across_chips(chips: Mapping[str, ChipChanges]) -> Departure | None:
    """Say on which chips an exposure's stars grow fainter toward one side."""
    odd = {name: chip for name, chip in chips.items() if chip.counts}
    if not odd:
        return None
    parts = []
    for name, chip in odd.items():
        sides = [
            f"{'high' if change.value < 0 else 'low'} {axis}"
            for axis, change in (("x", chip.column), ("y", chip.row))
            if abs(change.value) > ALONG * chip.across
        ]
        size, error = 100.0 * -np.expm1(-chip.across), 100.0 * chip.across / chip.significance
        parts.append(f"{name} {size:.1f} ± {error:.1f} % toward {' and '.join(sides)}")
    words = f"stars of one side of a chip are fainter against the other side ({', '.join(parts)})"
    cause = "light cut off (vignetting), or another flat field"
    return Departure(max(chip.significance for chip in odd.values()), words, cause, tuple(odd))
