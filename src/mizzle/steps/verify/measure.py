"""Prove the zeropoint: photometer stars on single exposures, solve for the chips' ratios, judge them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model import (
    Alignment,
    Catalog,
    ChipProof,
    CosmicRays,
    Exposure,
    ExposureProof,
    Finding,
    FluxScales,
    Runner,
    SkyLevels,
    Verdict,
    Zeropoint,
)
from mizzle.model.camera import Camera
from mizzle.model.star_flags import Flag
from mizzle.settings import Settings
from mizzle.steps.chip_view import view_chips
from mizzle.steps.verify.exposures import (
    ExposureRatios,
    Judged,
    Measurements,
    compare_exposures,
    exposure_proofs,
)
from mizzle.steps.verify.sightings import (
    StarTable,
    charge_lost,
    measure_stars,
    on_two_chips,
    on_two_exposures,
    place_stars,
    tabulate,
    with_crowd,
)
from mizzle.steps.verify.skies import sky_ratios
from mizzle.steps.verify.solve import RatioFit, Sightings, crowding, gather_sightings, pair_table, solve
from mizzle.steps.verify.star_fluxes import Measured
from mizzle.steps.verify.steadiness import ChargeLost, star_findings
from mizzle.steps.verify.transients import transient_findings

#: The rules of the verdict; they are part of the outside promises, not settings.
FEWEST_PAIRS = 5
FAIL_SIGMA, FAIL_RATIO = 3.0, 0.02
WARN_RATIO, PASS_ERROR = 0.01, 0.01
#: Off by more than 2 %, by fewer errors than this, a ratio is not proven, and nothing is wrong with it either: with an
#: error of 0.9 % one good chip in forty is.
LIKELY = 2.5
#: Share of a crowd's light that chips may disagree about: of one pixel size, and of two. In simulated clusters of up to
#: 100 000 stars (`scripts/zoo crowds`) the PC comes out up to 0.7 of it too bright, the WF up to 0.07; FAIL
#: takes three errors.
BLEND_ALIKE, BLEND_OTHER = 0.03, 0.3


def judge_ratio(ratio: float, error: float, n_pairs: int) -> Verdict:
    """Judge one chip's ratio to the reference.

    NONE: fewer than 5 pairs; known to no better than 1 % and not off; off by more than 2 %, but fewer than 2.5 errors.
    FAIL: off by more than 3 errors and more than 2 %. WARN: off by more than 3 errors and 1 %, or by more than 2 % and
    2.5 errors. PASS: anything else. What is not known well enough is no fault of the data, and no proof either.

    Parameters
    ----------
    ratio, error : float
        CTE-corrected ratio and its whole error.
    n_pairs : int
        Star pairs that reach the chip.
    """
    if n_pairs < FEWEST_PAIRS or not np.isfinite(ratio) or not np.isfinite(error):
        return Verdict.NONE
    off = abs(ratio - 1.0)
    if off > FAIL_SIGMA * error and off > WARN_RATIO:
        return Verdict.FAIL if off > FAIL_RATIO else Verdict.WARN
    if error > PASS_ERROR:
        return Verdict.NONE
    if off > FAIL_RATIO:
        return Verdict.WARN if off > LIKELY * error else Verdict.NONE
    return Verdict.PASS


def verify(
    exposures: Sequence[Exposure],
    catalog: Catalog,
    alignment: Alignment,
    *,
    scales: FluxScales,
    sky: SkyLevels,
    cosmic_rays: CosmicRays,
    settings: Settings,
    runner: Runner,
) -> Zeropoint:
    """Compare the same stars on different chips.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    catalog : Catalog
        Which stars there are.
    alignment, scales, sky, cosmic_rays
        The solutions under test.
    settings : Settings
        ``verify``, ``dq``, ``noise``.
    runner : Runner
        Where chips are measured.

    Returns
    -------
    zeropoint : Zeropoint
        A `ChipProof` for every chip, with and without CTE correction; the corrected ratio is judged.
    """
    reference = scales.references[exposures[0].filter]
    names = [name for name in exposures[0].camera.chips if any(name in exposure.chips for exposure in exposures)]
    views = view_chips(exposures, alignment, scales, settings=settings, sky=sky)
    measurable = settings.verify.enabled and len(catalog) > 0
    stars = place_stars(views, catalog, settings, runner=runner) if measurable else None
    choices = (on_two_chips, on_two_exposures) if len(exposures) > 1 else (on_two_chips,)
    pairs: list[Measured] = []
    several: list[Measured] = []
    if stars is not None:
        chosen = measure_stars(stars, cosmic_rays, settings, runner=runner, choices=choices)
        pairs, several = ([with_crowd(chip, views, sky) for chip in chips] for chips in (chosen[0], chosen[-1]))
    table = tabulate(views, pairs, settings, names=names)
    second: dict[str, ExposureProof] = {}
    if len(exposures) > 1:
        second = _second_axis(
            exposures, tabulate(views, several, settings, names=names), scales, names=names, settings=settings
        )
    plain, with_charge = _without_exposures(table, second)
    raw = gather_sightings(table.star, table.chip, plain, error=table.error, crowd=table.crowd)
    corrected = gather_sightings(table.star, table.chip, with_charge, error=table.error, crowd=table.crowd)
    if reference.chip in names:
        index = names.index(reference.chip)
        without, with_cte = (solve(sightings, len(names), index) for sightings in (raw, corrected))
    else:
        without = with_cte = _nothing(len(names), corrected)
    skies: dict[str, tuple[float, float]] = {}
    notes = [] if settings.verify.enabled else ["verify.enabled is false: nothing was proven"]
    if settings.verify.enabled and settings.verify.sky_ratio and reference.chip in names:
        skies, note = sky_ratios(views, sky, reference.chip, settings=settings, runner=runner)
        notes += [note] if note else []
    blends = _blend_errors(corrected, names, reference.chip, camera=exposures[0].camera)
    proof = _proofs(names, reference.chip, with_cte, without=without, skies=skies, settings=settings, blends=blends)
    findings: tuple[Finding, ...] = ()
    if len(exposures) > 1:
        camera, rate = exposures[0].camera, np.asarray(catalog.columns["flux"], dtype=np.float64)
        of_chip = {(view.root, view.name): view for view in views}
        lost = [charge_lost(of_chip[chip_stars.root, chip_stars.chip], chip_stars, settings) for chip_stars in several]
        charge = ChargeLost(lost, settings.verify.cte_error)
        rate = rate / camera.to_infinity(exposures[0].filter)
        alone = (np.asarray(catalog.columns["flags"]) & (Flag.BLENDED | Flag.UNLIKE)) == 0
        findings = star_findings(exposures, several, scales, rate=rate, charge=charge, alone=alone)
    if settings.verify.enabled:
        findings += transient_findings(views, runner=runner)
    lonely = [n for n in names if proof[n].verdict is Verdict.NONE and n != reference.chip]
    if lonely and settings.verify.enabled:
        notes.append(_why_unproven(lonely, proof, len(exposures)))
    tables = {"pairs": _pairs(corrected, catalog, names), "scatter": with_cte.scatter}
    return Zeropoint(reference, proof, tuple(notes), tables, second, findings)


def _why_unproven(lonely: Sequence[str], proof: Mapping[str, ChipProof], n_exposures: int) -> str:
    """Say why chips could not be judged, and what would."""
    few = [name for name in lonely if proof[name].n_pairs < FEWEST_PAIRS]
    loose = [name for name in lonely if name not in few]
    texts = []
    if few:
        counts = ", ".join(f"{name} {proof[name].n_pairs}" for name in few)
        why = (
            "one exposure shows each star on one chip" if n_exposures == 1 else "the dithers bring few across the gaps"
        )
        texts.append(
            f"too few stars are seen on two chips to judge {', '.join(few)} (pairs: {counts}; {FEWEST_PAIRS} needed):"
            f" {why}; exposures of this field dithered by 3 arcsec or more, or at another roll, would prove it"
        )
    if loose:
        words = ", ".join(f"{name} {100 * proof[name].error:.1f} %" for name in loose)
        texts.append(
            f"ratios are known to {words}, 1 % is needed: more exposures, or more stars that stand alone, would prove"
            " it"
        )
    return "; ".join(texts)


def _second_axis(
    exposures: Sequence[Exposure],
    table: StarTable,
    scales: FluxScales,
    *,
    names: Sequence[str],
    settings: Settings,
) -> dict[str, ExposureProof]:
    """Compare exposures, of whatever epochs and orients, with the one whose PHOTFLAM leads."""
    options = settings.verify
    factors = [float(np.mean(list(scales.factors[exposure.root].values()))) for exposure in exposures]
    leads = scales.references[exposures[0].filter].origin.endswith
    reference = next((i for i, exposure in enumerate(exposures) if leads(exposure.root)), 0)

    def solved(value: FloatArray) -> ExposureRatios:
        seen = Measurements(table.star, table.exposure, table.chip, value, table.error)
        return compare_exposures(seen, len(exposures), len(names), reference=reference)

    by = Judged(
        roots=[exposure.root for exposure in exposures],
        chips=names,
        scale=[factor / factors[reference] for factor in factors],
        systematic=options.systematic,
        cte_error=options.cte_error,
        judge=judge_ratio,
    )
    return exposure_proofs(solved(table.value + table.cte), solved(table.value), by, reference=reference)


class _StarLight(NamedTuple):
    """Natural logarithms of stars' fluxes, ``(m,)`` each: as measured, and with what charge transfer lost."""

    plain: FloatArray
    with_charge: FloatArray


def _without_exposures(table: StarTable, second: Mapping[str, ExposureProof]) -> _StarLight:
    """Take from each star's light what its exposure differs from the others by: that is no chip's.

    In a crowd the sky of a short exposure holds light that a long one resolves: its stars are a per cent faint, and
    those that the dither moved to another chip would make that chip so.
    """
    light = _StarLight(table.value, table.value + table.cte)
    if not second or not table.star.size:
        return light
    plain = np.array([_own(proof.ratio_uncorrected, proof.statistical) for proof in second.values()])
    with_charge = np.array([_own(proof.ratio, proof.statistical) for proof in second.values()])
    return _StarLight(light.plain - plain[table.exposure], light.with_charge - with_charge[table.exposure])


def _own(ratio: float, error: float) -> float:
    """Return the logarithm of an exposure's ratio, the less of it the more its error may be all of it."""
    if not (math.isfinite(ratio) and math.isfinite(error)) or ratio == 1.0:
        return 0.0
    own = math.log(ratio)
    return own * max(0.0, 1.0 - (error / ratio / own) ** 2)


def _nothing(n: int, seen: Sightings) -> RatioFit:
    """Return the answer when no exposure holds the reference chip."""
    nan = np.full(n, np.nan)
    return RatioFit(nan, nan, np.zeros(n, np.int64), np.ones(seen.star.size), float("nan"))


def _blend_errors(seen: Sightings, names: Sequence[str], reference: str, *, camera: Camera) -> dict[str, float]:
    """Return what a crowd adds to the error of each chip's ratio: pixels of another size see its light otherwise."""
    crowds = crowding(seen, len(names))
    alike = next((kind.chips for kind in camera.classes if reference in kind.chips), (reference,))
    own = crowds[names.index(reference)] if reference in names else 0.0
    return {
        name: (BLEND_ALIKE if name in alike else BLEND_OTHER) * float(max(crowd, own))
        for name, crowd in zip(names, crowds, strict=True)
    }


def _proofs(
    names: Sequence[str],
    reference: str,
    solution: RatioFit,
    *,
    without: RatioFit,
    skies: dict[str, tuple[float, float]],
    settings: Settings,
    blends: Mapping[str, float],
) -> dict[str, ChipProof]:
    """Put each chip's numbers and verdict together; the reference passes when it could be compared at all."""
    options = settings.verify
    proof = {}
    for i, name in enumerate(names):
        ratio, statistical = float(solution.ratio[i]), float(solution.error[i])
        plain = float(without.ratio[i])
        cte = options.cte_error * abs(ratio - plain)
        error = float(np.sqrt(statistical**2 + cte**2 + options.systematic**2 + blends[name] ** 2))
        pairs = int(solution.n_pairs[i])
        sky = skies.get(name, (float("nan"), float("nan")))
        proof[name] = ChipProof(
            ratio, error, pairs, judge_ratio(ratio, error, pairs), plain, statistical, cte, sky[0], sky[1]
        )
    if reference in proof:
        own = proof[reference]
        judged = any(p.verdict is not Verdict.NONE for n, p in proof.items() if n != reference)
        verdict = Verdict.PASS if judged else Verdict.NONE
        proof[reference] = ChipProof(1.0, 0.0, own.n_pairs, verdict, 1.0, 0.0, 0.0, 1.0, 0.0)
    return proof


def _pairs(seen: Sightings, catalog: Catalog, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the pairs with the stars' positions and magnitudes, for the report."""
    table: dict[str, NDArray[Any]] = dict(pair_table(seen, names))
    star = table.pop("star")
    for key in ("ra", "dec", "mag_st"):
        table[key] = np.asarray(catalog.columns[key])[star] if len(catalog) else np.zeros(0)
    return table
