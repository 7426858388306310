"""How good a result is, held against the truth of a simulated visit. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.dq import ALL_BITS
from mizzle.model import Alignment, Catalog, Exposure, Result
from mizzle.simulate.truth import Truth

#: Electrons a cosmic ray must leave in a pixel to be worth finding.
FAINT_RAY = 30.0


@dataclass(frozen=True)
class Score:
    """One figure against the truth.

    Parameters
    ----------
    name : str
        What was measured.
    value, error : float
        The figure and its 1 sigma uncertainty.
    unit : str
        Its unit.
    target : str
        What is wanted, in words.
    met : bool
        Whether the value meets it.
    """

    name: str
    value: float
    error: float
    unit: str
    target: str
    met: bool


def at_most(name: str, value: float, error: float, *, limit: float, unit: str) -> Score:
    """Build a score that should stay below `limit`."""
    return Score(name, value, error, unit, f"<= {limit:g}", bool(value <= limit))


def at_least(name: str, value: float, error: float, *, limit: float, unit: str) -> Score:
    """Build a score that should stay above `limit`."""
    return Score(name, value, error, unit, f">= {limit:g}", bool(value >= limit))


def near(name: str, value: float, error: float, *, wanted: float, within: float, unit: str) -> Score:
    """Build a score that should lie within `within` of `wanted`, or of it by 2 sigma when it is not known so well."""
    slack = max(within, 2 * error)
    return Score(name, value, error, unit, f"{wanted:g} +- {within:g}", bool(abs(value - wanted) <= slack))


def score_visit(result: Result, truth: Truth) -> list[Score]:
    """Hold a visit's result against its truth.

    Parameters
    ----------
    result : Result
        Of the visit's exposures.
    truth : Truth
        What is true of them.

    Returns
    -------
    scores : list of Score
        Alignment, star fluxes by chip, cosmic rays.
    """
    band = next(iter(result.catalogs))
    return [
        *score_alignment(result.alignment, result.exposures, truth),
        *score_fluxes(result.catalogs[band], truth, result.mosaics[band].photflam),
        *score_cosmic_rays(result, truth),
    ]


def frame_errors(alignment: Alignment, exposures: Iterable[Exposure], truth: Truth) -> NDArray[np.float64]:
    """Return each exposure's error of position against the mean of all [mas], ``(n, 2)``, east and north.

    The mean over a grid of pixels of all chips; what all exposures share is the frame's own error, which no
    comparison between exposures can know.
    """
    x, y = np.meshgrid(np.linspace(60, 780, 5), np.linspace(60, 780, 5))
    errors = []
    for exposure in exposures:
        offsets = []
        for name in exposure.chips:
            ra, dec = alignment.frame(exposure, name).pixel_to_sky(x, y)
            true_ra, true_dec = truth.exposures[exposure.root].pointing.true[name].pixel_to_sky(x, y)
            east = (ra - true_ra) * np.cos(np.deg2rad(true_dec))
            offsets.append(3.6e6 * np.array([east.mean(), (dec - true_dec).mean()]))
        errors.append(np.mean(offsets, axis=0))
    centered: NDArray[np.float64] = np.array(errors) - np.mean(errors, axis=0)
    return centered


def score_alignment(alignment: Alignment, exposures: Iterable[Exposure], truth: Truth) -> list[Score]:
    """Score frame-to-frame alignment."""
    errors = frame_errors(alignment, exposures, truth)
    freedom = max(2 * (len(errors) - 1), 1)
    rms = math.sqrt(float((errors**2).sum()) / freedom)
    return [
        at_most("alignment, frame to frame, rms per axis", rms, rms / math.sqrt(2 * freedom), limit=2.0, unit="mas")
    ]


def match_stars(catalog: Catalog, truth: Truth, radius_arcsec: float = 0.15) -> tuple[NDArray[np.int64], ...]:
    """Match a catalog with the true stars: indices into both, nearest within `radius_arcsec`, one to one."""
    from scipy.spatial import KDTree

    if len(catalog) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    dec0 = float(np.mean(truth.stars.dec))

    def plane(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        return 3600 * np.stack([ra * np.cos(np.deg2rad(dec0)), dec], axis=1)

    measured = plane(np.asarray(catalog.columns["ra"]), np.asarray(catalog.columns["dec"]))
    real = plane(truth.stars.ra, truth.stars.dec)
    # Pointing errors shift the whole frame: take out the median offset of first matches.
    distance, index = KDTree(real).query(measured, distance_upper_bound=4 * radius_arcsec)
    close = np.isfinite(distance)
    offset = np.median(measured[close] - real[index[close]], axis=0) if close.any() else np.zeros(2)
    distance, index = KDTree(real).query(measured - offset, distance_upper_bound=radius_arcsec)
    matched = np.flatnonzero(np.isfinite(distance))
    first = np.unique(index[matched], return_index=True)[1]
    return matched[first], index[matched][first]


def score_fluxes(catalog: Catalog, truth: Truth, photflam: float) -> list[Score]:
    """Score star flux over truth, chip by chip: bright, isolated, unflagged stars."""
    from scipy.spatial import KDTree

    measured, true_star = match_stars(catalog, truth)
    flux, error = (np.asarray(catalog.columns[key], dtype=float)[measured] for key in ("flux", "flux_err"))
    true = truth.rate(photflam)
    sky = np.stack([truth.stars.ra * np.cos(np.deg2rad(truth.stars.dec)), truth.stars.dec], axis=1) * 3600
    near_stars = KDTree(sky).query_ball_point(sky[true_star], 1.5)
    clean = np.array(
        [true[group].sum() < 1.01 * true[index] for group, index in zip(near_stars, true_star, strict=True)],
        dtype=bool,
    )
    good = clean & (np.asarray(catalog.columns["flags"])[measured] == 0) & (flux > 50 * error)
    chips = np.asarray(catalog.columns["chip"])[measured]
    ratio = flux / true[true_star]
    scores: list[Score] = []
    means = {}
    for name in sorted({str(chip) for chip in chips} - {""}):
        chosen = good & (chips == name)
        if chosen.sum() < 5:
            continue
        value, spread = _robust_mean(ratio[chosen])
        means[name] = (value, spread)
    wide = [means[name] for name in means if name != "PC"]
    if not wide:
        return scores
    level = float(np.average([m[0] for m in wide], weights=[1 / m[1] ** 2 for m in wide]))
    for name, (value, spread) in means.items():
        within = 0.01 if name == "PC" else 0.005
        scores.append(
            near(
                f"star flux over truth, {name} over the WF mean",
                value / level,
                spread,
                wanted=1.0,
                within=within,
                unit="",
            )
        )
    error_of_level = 1 / math.sqrt(sum(1 / m[1] ** 2 for m in wide))
    scores.append(near("star flux over truth, WF mean", level, error_of_level, wanted=1.0, within=0.01, unit=""))
    return scores


def _robust_mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean without 4 sigma outliers, and its error."""
    kept = values
    for _ in range(5):
        middle = np.median(kept)
        spread = 1.4826 * np.median(np.abs(kept - middle))
        kept = values[np.abs(values - middle) <= 4 * max(spread, 1e-12)]
    return float(kept.mean()), float(kept.std(ddof=1) / math.sqrt(kept.size))


def score_cosmic_rays(result: Result, truth: Truth) -> list[Score]:
    """Score completeness above 30 electrons, and good pixels lost, on sky (chip by chip) and on stars."""
    detected = total = 0
    lost_sky = dict.fromkeys(result.exposures[0].camera.chips, 0)
    sky = dict.fromkeys(result.exposures[0].camera.chips, 0)
    lost_star = star = 0
    for exposure in result.exposures:
        for name, chip in exposure.chips.items():
            flagged = result.cosmic_rays.mask(exposure.root, name, chip.shape)
            good = (chip.dq & np.uint16(ALL_BITS & ~exposure.camera.good)) == 0
            rays = truth.cosmic_rays(exposure.root, name, FAINT_RAY) & good
            clean = ~_near(truth.cosmic_rays(exposure.root, name, 1e-3)) & good
            stars = truth.star_mask(exposure.root, name)
            detected, total = detected + int((flagged & rays).sum()), total + int(rays.sum())
            lost_star, star = (
                lost_star + int((flagged & clean & stars).sum()),
                star + int((clean & stars).sum()),
            )
            lost_sky[name] += int((flagged & clean & ~stars).sum())
            sky[name] += int((clean & ~stars).sum())
    scores = []
    if total:
        share = detected / total
        scores.append(
            at_least("cosmic rays above 30 e-, found", 100 * share, _binomial(share, total), limit=97.0, unit="%")
        )
    for name in result.exposures[0].camera.chips:
        if sky[name]:
            share = lost_sky[name] / sky[name]
            label = f"good sky pixels flagged, {name}"
            scores.append(at_most(label, 100 * share, _binomial(share, sky[name]), limit=1.0, unit="%"))
    if star:
        share = lost_star / star
        scores.append(at_most("star pixels flagged", 100 * share, _binomial(share, star), limit=0.5, unit="%"))
    return scores


def _near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask grown by one pixel: growth around a true hit is no false alarm."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    wide = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    return wide


def _binomial(share: float, count: int) -> float:
    """Return the error of a share [%]."""
    return 100 * math.sqrt(max(share * (1 - share), 1 / count) / count)


def score_blank_sky(gain: int, seed: int = 1) -> list[Score]:
    """Score a constant sky, as the detector records it at one gain, after drizzling: chip against chip.

    Parameters
    ----------
    gain : int
        7 or 15.
    seed : int
        Of the noise.
    """
    from mizzle.pipeline import process
    from mizzle.settings import load_settings
    from mizzle.simulate import visit
    from mizzle.simulate.plan import Effects, make_plan

    quiet = Effects.none(photon_noise=True, read_noise=1.0, shadow=True)
    made = visit(make_plan(n=1, field="blank", gain=gain, seed=seed, sky=0.1, effects=quiet))
    settings = load_settings(
        assignments=[
            'align.method="header"',
            'sky.method="none"',
            'reject.method="none"',
            "combine.scale=0.0996",
        ]
    )
    mosaic = process(made.exposures, settings).mosaics["F814W"]
    levels = {}
    for bit, item in enumerate(mosaic.inputs):
        alone = mosaic.ctx == np.int32(1 << bit)
        values = mosaic.sci[alone & (mosaic.wht > 0.95 * np.median(mosaic.wht[alone]))]
        levels[item.chip] = (float(values.mean()), float(values.std() / math.sqrt(values.size)))
    mean = float(np.mean([level for level, _ in levels.values()]))
    worst = max(levels.values(), key=lambda entry: abs(entry[0] - mean))
    return [
        at_most(
            f"blank sky, gain {gain}, largest chip difference from the mean", 100 * abs(worst[0] / mean - 1),
            100 * worst[1] / mean, limit=0.1, unit="%",
        )
    ]  # fmt: skip
