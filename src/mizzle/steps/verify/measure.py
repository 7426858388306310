"""Prove the zeropoint: photometer stars on single exposures, solve for the chips' ratios, judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.charge import charge_loss, corrects_cte
from mizzle.model import (
    Alignment,
    Catalog,
    ChipProof,
    CosmicRays,
    Exposure,
    FluxScales,
    Runner,
    SkyLevels,
    Verdict,
    Zeropoint,
)
from mizzle.settings import Settings
from mizzle.steps.chip_view import ChipView, view_chips
from mizzle.steps.verify.rings import covered
from mizzle.steps.verify.skies import sky_ratios
from mizzle.steps.verify.solve import Sightings, Solution, gather, pair_table, solve
from mizzle.steps.verify.stars import Measured, PlacedStars, cut_stamps, lit_positions, measure_stamps

FloatArray = NDArray[np.float64]

#: The rules of the verdict; they are part of the outside promises, not settings.
FEWEST_PAIRS = 5
FAIL_SIGMA, FAIL_RATIO = 3.0, 0.02
PASS_RATIO, PASS_ERROR = 0.01, 0.01

#: Catalog flags (saturated, no flux) that keep a star out. Blends stay: both chips see the same blend.
_UNFIT = 1 | 64


def judge(ratio: float, error: float, n_pairs: int) -> Verdict:
    """Judge one chip's ratio to the reference.

    NONE: fewer than 5 pairs. FAIL: off by more than 3 errors and more than 2 %. PASS: off by 1 % at most, with an error
    of 1 % at most. WARN: anything else.

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
    if off > FAIL_SIGMA * error and off > FAIL_RATIO:
        return Verdict.FAIL
    if off <= PASS_RATIO and error <= PASS_ERROR:
        return Verdict.PASS
    return Verdict.WARN


def verify(
    exposures: Sequence[Exposure],
    catalog: Catalog,
    alignment: Alignment,
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
    measured = _measure(views, catalog, cosmic_rays, settings, runner)
    table = _table(views, measured, settings, names)
    raw = gather(table.star, table.chip, table.value, table.error)
    corrected = gather(table.star, table.chip, table.value + table.cte, table.error)
    if reference.chip in names:
        index = names.index(reference.chip)
        without, with_cte = (solve(one, len(names), index) for one in (raw, corrected))
    else:
        without = with_cte = _nothing(len(names), corrected)
    skies: dict[str, tuple[float, float]] = {}
    notes = [] if settings.verify.enabled else ["verify.enabled is false: nothing was proven"]
    if settings.verify.enabled and settings.verify.sky_ratio and reference.chip in names:
        skies, note = sky_ratios(views, sky, reference.chip, settings, runner)
        notes += [note] if note else []
    proof = _proofs(names, reference.chip, with_cte, without, skies, settings)
    lonely = [n for n in names if proof[n].verdict is Verdict.NONE and n != reference.chip]
    if lonely and settings.verify.enabled:
        notes.append(f"too few stars reach {', '.join(lonely)} to judge: fewer than {FEWEST_PAIRS} pairs, or no chain")
    tables = {"pairs": _pairs(corrected, catalog, names), "scatter": with_cte.scatter}
    return Zeropoint(reference, proof, tuple(notes), tables)


def _nothing(n: int, seen: Sightings) -> Solution:
    """Return the answer when no exposure holds the reference chip."""
    nan = np.full(n, np.nan)
    return Solution(nan, nan, np.zeros(n, np.int64), np.ones(seen.star.size), float("nan"))


def _measure(
    views: Sequence[ChipView],
    catalog: Catalog,
    cosmic_rays: CosmicRays,
    settings: Settings,
    runner: Runner,
) -> list[Measured]:
    """Photometer every star that reaches two chips, on every exposure."""
    options = settings.verify
    if not options.enabled or len(catalog) == 0:
        return []
    fit = np.flatnonzero((np.asarray(catalog.columns["flags"]) & _UNFIT) == 0)
    fit = fit[np.argsort(-np.asarray(catalog.columns["flux"])[fit], kind="stable")][: options.max_stars]
    ra, dec, rate = (np.asarray(catalog.columns[key], dtype=np.float64)[fit] for key in ("ra", "dec", "flux"))

    def place(view: ChipView) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        x, y, lit = lit_positions(view, ra, dec, options.margin)
        return x, y, lit & (_expected_snr(view, rate) > options.snr)

    placed = runner.map(place, views)
    camera = views[0].camera
    on_chip = np.zeros((len(camera.chips), fit.size), dtype=np.bool_)
    for view, (_, _, lit) in zip(views, placed, strict=True):
        on_chip[camera.chips.index(view.name)] |= lit
    shared = on_chip.sum(axis=0) >= 2
    chosen = [np.flatnonzero(lit & shared) for _, _, lit in placed]
    busy = [i for i, index in enumerate(chosen) if index.size]
    stamps = runner.map(
        lambda i: cut_stamps(
            views[i],
            PlacedStars(chosen[i], placed[i][0][chosen[i]], placed[i][1][chosen[i]]),
            covered(placed[i][:2], rate, views[i].chip),
            cosmic_rays,
            settings,
        ),
        busy,
    )
    found = measure_stamps(stamps, camera.classes, settings)
    return [Measured(m.root, m.chip, fit[m.star], m.x, m.y, m.flux, m.error, m.sky) for m in found]


def _expected_snr(view: ChipView, rate: FloatArray) -> FloatArray:
    """Return the signal-to-noise ratio a star should have on one exposure: chosen by what it is, not by what it got."""
    inside = np.maximum(rate, 0.0) / view.camera.to_infinity(view.exposure.filter)
    electrons = inside * view.exposure.exptime / view.factor * view.noise.gain
    pixels = np.pi * 0.25 / view.chip.frame.scale**2
    result: FloatArray = electrons / np.sqrt(electrons + pixels * (view.noise.floor + 5.0))
    return result


@dataclass(frozen=True, eq=False)
class _Table:
    """All measurements in one list: star, chip, logarithm of the equalized rate, error, CTE correction to add."""

    star: NDArray[np.int64]
    chip: NDArray[np.int64]
    value: FloatArray
    error: FloatArray
    cte: FloatArray


def _table(
    views: Sequence[ChipView],
    measured: Sequence[Measured],
    settings: Settings,
    names: Sequence[str],
) -> _Table:
    """Equalize the fluxes and work out what transfer cost."""
    of_chip = {(view.root, view.name): view for view in views}
    parts: list[tuple[Any, ...]] = []
    for one in measured:
        view = of_chip[one.root, one.chip]
        good = one.flux > 3.0 * one.error
        star, flux, error = one.star[good], one.flux[good], one.error[good]
        value = np.log(flux * view.factor / view.exposure.exptime)
        cte = _cte(view, one, settings)[good] * (0.4 * np.log(10.0))
        chip = np.full(star.size, names.index(one.chip), dtype=np.int64)
        parts.append((star, chip, value, error / flux, cte))
    if not parts:
        empty = np.zeros(0)
        return _Table(empty.astype(np.int64), empty.astype(np.int64), empty, empty, empty)
    return _Table(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _cte(view: ChipView, one: Measured, settings: Settings) -> FloatArray:
    """Return magnitudes lost in transfer, from this exposure's own pixels, electrons and sky."""
    if not corrects_cte(view.exposure, settings.verify.cte):
        return np.zeros(one.star.size)
    gain = view.noise.gain
    return charge_loss(view.exposure, view.chip, one.x, one.y, electrons=one.flux * gain, background=one.sky * gain)


def _proofs(
    names: Sequence[str],
    reference: str,
    solution: Solution,
    without: Solution,
    skies: dict[str, tuple[float, float]],
    settings: Settings,
) -> dict[str, ChipProof]:
    """Put each chip's numbers and verdict together; the reference passes when it could be compared at all."""
    options = settings.verify
    proof = {}
    for i, name in enumerate(names):
        ratio, statistical = float(solution.ratio[i]), float(solution.error[i])
        plain = float(without.ratio[i])
        cte = options.cte_error * abs(ratio - plain)
        error = float(np.sqrt(statistical**2 + cte**2 + options.systematic**2))
        pairs = int(solution.n_pairs[i])
        sky = skies.get(name, (float("nan"), float("nan")))
        proof[name] = ChipProof(
            ratio, error, pairs, judge(ratio, error, pairs), plain, statistical, cte, sky[0], sky[1]
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
