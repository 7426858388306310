"""Results of ACS and WFC3 visits held against the truth of their simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel.pixels import grow
from mizzle.model import Result
from mizzle.model.camera import Camera
from mizzle.scores import Score, at_least, at_most, near
from mizzle.simulate.cameras import CameraVisit
from mizzle.simulate.cameras.visit import CameraExposure, ChipExposure

#: A catalog star is the true one this near [arcsec] that has no other within the second distance; bright ones count.
_SAME, _ALONE, _SNR = 0.06, 1.5, 60.0
#: Where a cosmic ray left more than this many times the noise it must be found.
_STRONG = 10.0


def score_camera_visit(result: Result, made: CameraVisit) -> list[Score]:
    """Hold a result against the truth.

    Parameters
    ----------
    result : Result
        Of a run on the visit's files.
    made : CameraVisit
        With its truth.

    Returns
    -------
    scores : list of Score
        Alignment, positions, fluxes by chip and by exposure, errors of pixels, and cosmic rays.
    """
    offset, ratio, chip = _matched(result, made)
    scores = _alignment(result, made)
    if len(ratio) >= 5:
        within = float(np.hypot(*offset.std(axis=0)) / np.sqrt(2.0))
        scores.append(
            at_most("star positions, rms by axis", within, within / np.sqrt(2 * len(ratio)), limit=3.0, unit="mas")
        )
        scores.append(near("star flux over truth", *_median(ratio), wanted=1.0, within=0.01, unit=""))
        names = sorted(set(chip))
        for name in names if len(names) > 1 else []:
            relative = _median(ratio[chip == name] / np.median(ratio))
            scores.append(near(f"star flux, {name} over all chips", *relative, wanted=1.0, within=0.003, unit=""))
    scores += _exposures(result, made)
    for name, chip_errors in next(iter(result.errors.values())).chips.items() if result.errors else ():
        error = chip_errors.ratio / math.sqrt(2.0 * max(chip_errors.n_pixels, 1))
        words = f"scatter of blank sky over predicted, {name}"
        scores.append(near(words, chip_errors.ratio, error, wanted=1.0, within=0.03, unit=""))
    if made.plan.rays and not made.plan.facts.rate:
        scores += _rays(result, made)
    return scores


def _median(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and its error."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return float(np.median(values)), 1.2533 * spread / np.sqrt(len(values))


def _chips(made: CameraVisit, camera: Camera) -> Iterator[tuple[CameraExposure, ChipExposure, str]]:
    """Yield each chip of each exposure with its name."""
    for exposure in made.exposures:
        for chip in exposure.chips:
            number = made.headers.science_header(chip.version).get("CCDCHIP", 1)
            yield exposure, chip, camera.chip_named(str(number)) or camera.reference


def _alignment(result: Result, made: CameraVisit) -> list[Score]:
    """Score the frames of exposures against each other: what all share is the error of the frame.

    That is a shift and a turn, on the tangent plane about the middle of the field.
    """
    ny, nx = made.headers.shape
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(0, nx - 1, 5), np.linspace(0, ny - 1, 5)))
    middle = np.array([made.ra.mean(), made.dec.mean()])
    scale = np.array([np.cos(np.deg2rad(middle[1])), 1.0])
    by_root = {exposure.root: exposure for exposure in result.exposures}
    places, misses = [], []
    for exposure, chip, name in _chips(made, result.exposures[0].camera):
        if chip.true is None or exposure.root not in by_root:
            continue
        seen = np.column_stack(result.alignment.frame(by_root[exposure.root], name).pixel_to_sky(x, y))
        true = np.column_stack(made.headers.wcs(chip.version, chip.true).all_pix2world(x, y, 0))
        places.append((true - middle) * scale)
        misses.append(3.6e6 * (seen - true) * scale)
    if len(made.exposures) < 2 or not places:
        return []
    place, miss = np.concatenate(places), np.concatenate(misses)
    # A turn moves a point at right angles to where it stands.
    turned = np.column_stack([-place[:, 1], place[:, 0]])
    turned -= turned.mean(axis=0)
    shift = miss.mean(axis=0)
    turn = float((turned * (miss - shift)).sum() / (turned**2).sum())
    left = miss - shift - turn * turned
    freedom = 2 * (len(made.exposures) - 1)
    rms = float(np.sqrt((left**2).mean())) * math.sqrt(len(made.exposures) / (len(made.exposures) - 1))
    return [at_most("exposures to each other, rms by axis", rms, rms / math.sqrt(2 * freedom), limit=1.0, unit="mas")]


def _exposures(result: Result, made: CameraVisit) -> list[Score]:
    """Score each epoch's light of stars over the reference's, as the proof of the zeropoint has it."""
    proof = next(iter(result.zeropoints.values()), None)
    if proof is None or len(made.plan.epochs) < 2:
        return []
    epochs: dict[int, list[tuple[float, float]]] = {}
    for number, exposure in enumerate(made.exposures):
        measured = proof.exposures.get(exposure.root)
        if measured is not None and measured.n_pairs and measured.error > 0:
            epochs.setdefault(number % len(made.plan.epochs), []).append((measured.ratio, measured.error))
    scores = []
    for number, ratios in sorted(epochs.items()):
        value, error = np.mean(ratios, axis=0) / np.array([1.0, np.sqrt(len(ratios))])
        words = f"star flux, epoch {number + 1} over reference"
        scores.append(near(words, float(value), float(error), wanted=1.0, within=0.003, unit=""))
    return scores


def _matched(result: Result, made: CameraVisit) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Return offsets [mas], measured over true flux, and chips of the bright stars that have one true star nearby."""
    columns = next(iter(result.catalogs.values())).columns
    scale = np.cos(np.deg2rad(made.dec.mean()))
    true = 3600.0 * np.column_stack([made.ra * scale, made.dec])
    seen = 3600.0 * np.column_stack([np.asarray(columns["ra"]) * scale, np.asarray(columns["dec"])])
    if not len(seen):
        return np.zeros((0, 2)), np.zeros(0), np.zeros(0, dtype="U8")
    nearest, apart = np.empty(len(seen), np.intp), np.empty(len(seen))
    for i, place in enumerate(seen):
        distance = np.hypot(*(true - place).T)
        nearest[i], apart[i] = distance.argmin(), distance.min()
    others = np.array([np.partition(np.hypot(*(true - true[k]).T), 1)[1] for k in nearest])
    flux, error = (np.asarray(columns[key], np.float64) for key in ("flux", "flux_err"))
    good = (apart < _SAME) & (others > _ALONE) & (flux > _SNR * error) & (np.asarray(columns["flags"]) == 0)
    chosen, chips = nearest[good], np.asarray(columns["chip"])
    return 1000.0 * (seen[good] - true[chosen]), flux[good] / made.rate[chosen], chips[good]


def _rays(result: Result, made: CameraVisit) -> list[Score]:
    """Return the share of strong cosmic rays found, and of good pixels flagged that none came near: sky, and stars."""
    hit = detected = 0
    clean, flagged = {True: 0, False: 0}, {True: 0, False: 0}
    for exposure, chip, name in _chips(made, result.exposures[0].camera):
        mask = result.cosmic_rays.mask(exposure.root, name, chip.rays.shape)
        good = chip.dq == 0
        strong = chip.rays & good & (chip.sci - np.median(chip.sci) > _STRONG * np.median(chip.err))
        hit, detected = hit + int(strong.sum()), detected + int((strong & mask).sum())
        far = good & ~grow(chip.rays, 1)
        stars = np.zeros_like(far) if chip.stars is None else chip.stars
        for kind in (True, False):
            of_kind = far & (stars == kind)
            clean[kind] += int(of_kind.sum())
            flagged[kind] += int((of_kind & mask).sum())
    doubt = float(np.sqrt(detected * (hit - detected) / max(hit, 1) ** 3))
    share = 100.0 * detected / max(hit, 1)
    scores = [at_least("cosmic rays > 10 sigma found", share, 100.0 * doubt, limit=98.0, unit="%")]
    for kind, words, most in ((False, "sky pixels flagged", 0.3), (True, "star pixels flagged", 0.2)):
        lost = 100.0 * flagged[kind] / max(clean[kind], 1)
        scores.append(at_most(words, lost, lost / np.sqrt(max(flagged[kind], 1)), limit=most, unit="%"))
    return scores
