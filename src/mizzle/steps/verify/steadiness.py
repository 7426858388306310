"""Stars of one exposure against the same stars in the others: as bright, as sharp, and there at all.

The proof of the zeropoint compares chips, and its second axis (`exposures`) whole exposures, by one least-squares fit
whose ratios and errors are part of the product. Here a fault is looked for: each chip of each exposure is held against
the same chip of the others, by medians that no chip gone wrong can move, and what is unlike them is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model import Exposure, Finding, FluxScales, Verdict
from mizzle.steps.verify.slopes import ChipSightings, join_sightings, slope_findings
from mizzle.steps.verify.star_fluxes import Measured

#: Fewest stars that tell of a chip of one exposure; of a whole exposure.
FEWEST = 8
#: Fluxes off by so many errors, and by so much: WARN, FAIL. The focus breathes and charge is lost by 1 % and less.
SIGMAS, WARN_FLUX, FAIL_FLUX = 4.0, 0.015, 0.03
#: What no number of stars takes away from such a difference.
SYSTEMATIC = 0.003
#: Fainter measurements than this many errors have no logarithm that is right on the mean.
LEAST_SNR = 5.0
#: Error of a median over that of the mean, of normal values: the root of pi / 2.
_OF_MEDIAN = 1.2533
#: Cores that differ by so much from those of the other exposures, and from the camera's model: what breathing does to
#: the light within an arcsec's tenth stays below (Suchkov & Casertano 1997, ISR WFPC2 97-01: 5 to 10 % in one pixel).
WARN_OTHERS, WARN_MODEL = 0.10, 0.15
#: Stars with more light around them than this, over their own, tell nothing of their shape.
ALONE = 0.05
#: A star is missing below this share of its flux; so large a share of a chip's stars is no accident.
MISSING_FLUX, MISSING_SHARE = 0.3, 0.5


@dataclass(frozen=True, eq=False)
class Offsets:
    """What chips of exposures have of their own: natural logarithms of flux.

    Parameters
    ----------
    value, error : (n_exposures, n_chips) array
        About the median of the exposures; NaN where too few stars tell.
    """

    value: FloatArray
    error: FloatArray


class ChargeLost(NamedTuple):
    """What transfer took of each flux, as a formula says it.

    Parameters
    ----------
    logs : list of (n,) arrays
        Logarithms of flux, for each entry of `measured`.
    error : float
        How well the formula is known, relative to itself.
    """

    logs: Sequence[FloatArray]
    error: float


def star_findings(
    exposures: Sequence[Exposure],
    measured: Sequence[Measured],
    scales: FluxScales,
    *,
    rate: FloatArray,
    charge: ChargeLost | None = None,
    alone: NDArray[np.bool_] | None = None,
) -> tuple[Finding, ...]:
    """Say which exposure's stars are fainter, brighter, wider than in the others, wider than a star is, or missing.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    measured : sequence of Measured
        Stars on single exposures.
    scales : FluxScales
        Factors.
    rate : (n,) array
        Of the catalog's stars within the aperture [equalized DN/s].
    charge : ChargeLost, optional
        Dithers move stars along the columns, and with them what transfer takes: that is no fault of an exposure.
    alone : (n,) bool array, optional
        Stars of the catalog whose light is their own: they tell how wide stars are.
    """
    alone = np.ones(rate.size, np.bool_) if alone is None else alone
    charge = charge or ChargeLost([np.zeros(chip_stars.star.size) for chip_stars in measured], 0.0)
    lost = _missing(exposures, measured, scales, rate=rate)
    missing = {(finding.sentence.split(":", 1)[0], chip) for finding in lost for chip in finding.chips}
    telling = [k for k, chip_stars in enumerate(measured) if (chip_stars.root, chip_stars.chip) not in missing]
    stars = [measured[k] for k in telling]
    charge = ChargeLost([charge.logs[k] for k in telling], charge.error)
    names = list(dict.fromkeys(chip_stars.chip for chip_stars in stars))
    offsets = _charged_offsets(exposures, stars, scales, names=names, charge=charge)
    sightings = _sightings(
        exposures, stars, scales, charge=charge, offsets=dict(zip(names, offsets.value.T, strict=True))
    )
    return (
        *lost,
        *_unsteady(exposures, offsets, names),
        *slope_findings(exposures, sightings, cte_error=charge.error),
        *_unsharp(exposures, stars, alone),
    )


def _missing(
    exposures: Sequence[Exposure], measured: Sequence[Measured], scales: FluxScales, *, rate: FloatArray
) -> list[Finding]:
    """Say where the product's stars are not: pixels of another chip or field, or a displaced chip."""
    by_root = {exposure.root: exposure for exposure in exposures}
    shares: dict[str, dict[str, tuple[int, int]]] = {}
    for chip_stars in measured:
        flux = chip_stars.flux * scales.factors[chip_stars.root][chip_stars.chip] / by_root[chip_stars.root].exptime
        there = flux > MISSING_FLUX * rate[chip_stars.star]
        n, count = there.size, int(np.count_nonzero(~there))
        if n >= FEWEST and count > MISSING_SHARE * n:
            shares.setdefault(chip_stars.root, {})[chip_stars.chip] = (count, n)
    findings = []
    for root, chips in shares.items():
        words = ", ".join(f"{count} of {n} on {name}" for name, (count, n) in chips.items())
        text = f"{root}: stars of the product are missing or far too faint: {words}: displaced, or not what it says"
        findings.append(Finding("alignment", Verdict.FAIL, text, tuple(chips)))
    return findings


def flux_offsets(
    exposures: Sequence[Exposure],
    measured: Sequence[Measured],
    scales: FluxScales,
    *,
    names: Sequence[str],
    lost: Sequence[FloatArray],
) -> Offsets:
    """Compare each chip of each exposure with the same chip of the others, star by star.

    ``ln flux(star, exposure) = ln flux(star) + offset(exposure)`` for each chip; robust, stars' means and offsets in
    turn; the median offset is 0. Errors are the scatter found over the root of the number of stars.

    Parameters
    ----------
    exposures, measured, scales
        As in `star_findings`.
    names : sequence of str
        Chips.
    lost : sequence of (n,) arrays
        What is added to the logarithms of `measured`.
    """
    value, error = (np.full((len(exposures), len(names)), np.nan) for _ in range(2))
    rows = {exposure.root: row for row, exposure in enumerate(exposures)}
    for column, name in enumerate(names):
        parts = []
        for chip_stars, more in zip(measured, lost, strict=True):
            if chip_stars.chip != name:
                continue
            good = chip_stars.flux > LEAST_SNR * chip_stars.error
            logs = np.log(
                chip_stars.flux[good] * scales.factors[chip_stars.root][name] / exposures[rows[chip_stars.root]].exptime
            )
            logs += more[good]
            sigma = chip_stars.error[good] / chip_stars.flux[good]
            parts.append((chip_stars.star[good], np.full(logs.size, rows[chip_stars.root]), logs, sigma))
        if len(parts) > 1:
            star, row, logs, sigma = (np.concatenate(column) for column in zip(*parts, strict=True))
            value[:, column], error[:, column] = _offsets(star, row, logs, sigma=sigma, n=len(exposures))
    return Offsets(value, error)


def _offsets(
    star: NDArray[np.int64], row: NDArray[np.int64], logs: FloatArray, *, sigma: FloatArray, n: int
) -> tuple[FloatArray, FloatArray]:
    """Return each exposure's offset on one chip, and its error; `sigma` is that of the logarithms."""
    known = np.bincount(star)[star] >= 2
    star, row, logs, sigma = np.unique(star[known], return_inverse=True)[1], row[known], logs[known], sigma[known]
    offset, error = np.full(n, np.nan), np.full(n, np.nan)
    seen = [k for k in range(n) if np.count_nonzero(row == k) >= FEWEST]
    if len(seen) < 2:
        return offset, error
    use = np.isin(row, seen)
    star, row, logs, sigma = star[use], row[use], logs[use], sigma[use]
    offset[seen] = 0.0
    place = np.searchsorted(seen, row)
    for _ in range(20):
        mean = _group_medians(star, logs - offset[row])
        off = logs - offset[row] - mean[star]
        step = _group_medians(place, off)
        offset[seen] += step
        if np.max(np.abs(step)) < 1e-5:
            break
    left = logs - offset[row] - mean[star]
    count = np.bincount(star)[star]
    # A star's own mean takes part of the scatter away: all of it from one exposure, half of it from two.
    left = left * np.sqrt(count / np.maximum(count - 1.0, 1e-9)) * (count > 1)
    shared = count > 1
    excess = max(1.4826 * float(np.median(np.abs(left[shared] / sigma[shared]))), 1.0) if shared.any() else 1.0
    for k in seen:
        of_exposure = (row == k) & shared
        size = int(np.count_nonzero(of_exposure))
        if size >= FEWEST:
            own = _OF_MEDIAN * 1.4826 * float(np.median(np.abs(left[of_exposure]))) / np.sqrt(size)
            expected = _OF_MEDIAN * excess * np.sqrt(size) / float(np.sum(1.0 / sigma[of_exposure]))
            error[k] = float(np.hypot(max(own, expected), SYSTEMATIC))
        else:
            offset[k] = np.nan
    known = np.isfinite(offset)
    middle = float(np.median(offset[known])) if known.any() else 0.0
    return offset - middle, error


def _group_medians(group: NDArray[np.intp], values: FloatArray) -> FloatArray:
    """Return the median of the values of each group; groups are numbered from 0, none is empty."""
    order = np.lexsort((values, group))
    edges = np.concatenate([[0], np.cumsum(np.bincount(group))])
    ordered = values[order]
    low, high = (edges[:-1] + edges[1:] - 1) // 2, (edges[:-1] + edges[1:]) // 2
    return np.asarray(0.5 * (ordered[low] + ordered[high]))


def _charged_offsets(
    exposures: Sequence[Exposure],
    measured: Sequence[Measured],
    scales: FluxScales,
    *,
    names: Sequence[str],
    charge: ChargeLost,
) -> Offsets:
    """Compare fluxes without what transfer took; the errors hold that of the correction."""
    none = [np.zeros(chip_stars.star.size) for chip_stars in measured]
    plain, offsets = (flux_offsets(exposures, measured, scales, names=names, lost=lost) for lost in (none, charge.logs))
    error = np.hypot(offsets.error, charge.error * np.abs(offsets.value - plain.value))
    return Offsets(offsets.value, error)


def _sightings(
    exposures: Sequence[Exposure],
    measured: Sequence[Measured],
    scales: FluxScales,
    *,
    charge: ChargeLost,
    offsets: Mapping[str, FloatArray],
) -> dict[str, ChipSightings]:
    """List the stars of each chip, less what their exposure has of its own, where that is known."""
    rows = {exposure.root: row for row, exposure in enumerate(exposures)}
    parts: dict[str, list[ChipSightings]] = {}
    for chip_stars, lost in zip(measured, charge.logs, strict=True):
        name, row = chip_stars.chip, rows[chip_stars.root]
        offset = float(offsets[name][row])
        if not np.isfinite(offset):
            continue
        ny, nx = exposures[row].chips[name].shape
        good = chip_stars.flux > LEAST_SNR * chip_stars.error
        flux = chip_stars.flux[good] * scales.factors[chip_stars.root][name] / exposures[row].exptime
        parts.setdefault(name, []).append(
            ChipSightings(
                chip_stars.star[good],
                np.full(flux.size, row),
                np.log(flux) + lost[good] - offset,
                chip_stars.error[good] / chip_stars.flux[good],
                lost[good],
                (chip_stars.x[good] + 0.5) / nx - 0.5,
                (chip_stars.y[good] + 0.5) / ny - 0.5,
            )
        )
    return {name: join_sightings(of_chip) for name, of_chip in parts.items()}


def _unsteady(exposures: Sequence[Exposure], offsets: Offsets, names: Sequence[str]) -> list[Finding]:
    """Say which exposure, or which chip of it, has stars brighter or fainter than the others."""
    pair = sum(bool(np.isfinite(row).any()) for row in offsets.value) == 2
    findings: list[Finding] = []
    for row in range(len(exposures)):
        value, error = offsets.value[row], offsets.error[row]
        known = np.isfinite(value) & np.isfinite(error)
        if not known.any():
            continue
        weight = np.where(known, 1.0 / np.where(known, error, 1.0) ** 2, 0.0)
        mean = float(np.sum(weight * np.where(known, value, 0.0)) / weight.sum())
        own = float(np.sqrt(1.0 / weight.sum() + SYSTEMATIC**2))
        odd = [k for k in np.flatnonzero(known).tolist() if _off(value[k] - mean, float(np.hypot(error[k], own)), pair)]
        odd = [k for k in odd if _off(value[k], error[k], pair)] if len(odd) < 2 else []
        if odd:
            findings += [_flux_finding(exposures, row, value[k], error=error[k], chip=names[k]) for k in odd]
        elif _off(mean, own, pair):
            findings.append(_flux_finding(exposures, row, mean, error=own, chip=""))
    return findings[:1] if pair and len(findings) == 2 and not any(f.chips for f in findings) else findings


def _off(value: float, error: float, pair: bool) -> bool:
    """Return whether an offset is more than chance and habit; of two exposures each has half of the difference."""
    return abs(value) > SIGMAS * error and abs(value) * (2.0 if pair else 1.0) > WARN_FLUX


def _flux_finding(exposures: Sequence[Exposure], row: int, value: float, *, error: float, chip: str) -> Finding:
    """Put a difference of fluxes into words."""
    roots = [exposure.root for exposure in exposures]
    pair = len(roots) == 2
    size = 2.0 * value if pair else value
    off = 100.0 * np.expm1(size)
    beside = f"than in {roots[1 - row]}: one of the two is wrong" if pair else "than in the other exposures"
    whose, sigma = f" of {chip}" if chip else "", 100.0 * error * (2 if pair else 1)
    text = (
        f"{roots[row]}: stars{whose} are {abs(off):.1f} ± {sigma:.1f} %"
        f" {'brighter' if off > 0 else 'fainter'} {beside}: exposure time, calibration, PHOTFLAM, or light lost"
    )
    verdict = Verdict.FAIL if abs(size) > FAIL_FLUX else Verdict.WARN
    return Finding("zeropoint", verdict, text, (chip,) if chip else ())


def _unsharp(exposures: Sequence[Exposure], measured: Sequence[Measured], alone: NDArray[np.bool_]) -> list[Finding]:
    """Say whose stars are wider or sharper than in the other exposures, or than a star of the camera is."""
    names = list(dict.fromkeys(chip_stars.chip for chip_stars in measured))
    median = np.full((len(exposures), len(names)), np.nan)
    error = np.full_like(median, np.nan)
    rows = {exposure.root: row for row, exposure in enumerate(exposures)}
    for chip_stars in measured:
        # A bump in a bright star's wings that the catalog lists is blended, and has no core.
        telling = np.isfinite(chip_stars.sharpness) & (chip_stars.crowd < ALONE) & alone[chip_stars.star]
        values = chip_stars.sharpness[telling]
        if values.size >= FEWEST:
            at = rows[chip_stars.root], names.index(chip_stars.chip)
            median[at] = np.median(values)
            error[at] = 1.25 * 1.4826 * np.median(np.abs(values - median[at])) / np.sqrt(values.size)
    findings = []
    usual = np.array([float(np.median(c[np.isfinite(c)])) if np.isfinite(c).any() else np.nan for c in median.T])
    for row, exposure in enumerate(exposures):
        off, sure = median[row] / usual - 1.0, SIGMAS * error[row] / usual
        half = 2.0 if len(exposures) == 2 else 1.0
        bad = np.flatnonzero((np.abs(off) * half > WARN_OTHERS) & (np.abs(off) > sure))
        if bad.size and 2 * bad.size >= np.count_nonzero(np.isfinite(off)):
            words = ", ".join(f"{names[k]} {100 * half * off[k]:+.0f} %" for k in bad)
            text = f"{exposure.root}: the cores of stars hold another share of their light than in the other exposures"
            text += f" ({words}): out of focus, trailed, smoothed, or pixels of cores changed"
            findings.append(Finding("star shape", Verdict.WARN, text, tuple(names[k] for k in bad)))
    bad = np.flatnonzero(np.abs(usual - 1.0) > WARN_MODEL)
    if bad.size and 2 * bad.size >= np.count_nonzero(np.isfinite(usual)):
        words = ", ".join(f"{names[k]} {100 * (usual[k] - 1.0):+.0f} %" for k in bad)
        text = f"the cores of stars hold another share of their light than the camera's model says ({words}): out of"
        text += " focus, trailed, or smoothed"
        findings.append(Finding("star shape", Verdict.WARN, text, tuple(names[k] for k in bad)))
    return findings
