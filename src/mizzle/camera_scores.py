"""Results of ACS and WFC3 visits held against the truth of their simulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mizzle.model import Result
from mizzle.scores import Score, at_least, at_most, near
from mizzle.simulate.cameras import CameraVisit

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
        Positions, fluxes by chip, and cosmic rays.
    """
    offset, ratio, chip = _matched(result, made)
    scores = []
    if len(ratio) >= 5:
        within = float(np.hypot(*offset.std(axis=0)) / np.sqrt(2.0))
        scores.append(
            at_most("star positions, rms by axis", within, within / np.sqrt(2 * len(ratio)), limit=3.0, unit="mas")
        )
        scores.append(near("star flux over truth", *_median(ratio), wanted=1.0, within=0.01, unit=""))
        names = sorted(set(chip))
        for name in names if len(names) > 1 else []:
            mine = _median(ratio[chip == name] / np.median(ratio))
            scores.append(near(f"star flux, {name} over all chips", *mine, wanted=1.0, within=0.003, unit=""))
    if made.plan.rays and not made.plan.facts.rate:
        scores += _rays(result, made)
    return scores


def _median(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and its error."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return float(np.median(values)), 1.2533 * spread / np.sqrt(len(values))


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
    """Return the share of strong cosmic rays found, and of other good pixels flagged."""
    hit = found = clean = flagged = 0
    camera = result.exposures[0].camera
    for exposure in made.exposures:
        for chip in exposure.chips:
            header = made.headers.science_header(chip.version)
            name = camera.chip_named(str(header.get("CCDCHIP", 1))) or camera.reference
            mask = result.cosmic_rays.mask(exposure.root, name, chip.rays.shape)
            strong = chip.rays & (chip.sci - np.median(chip.sci) > _STRONG * np.median(chip.err)) & (chip.dq == 0)
            hit, found = hit + int(strong.sum()), found + int((strong & mask).sum())
            clean, flagged = clean + int((~chip.rays).sum()), flagged + int((mask & ~chip.rays).sum())
    doubt = float(np.sqrt(found * (hit - found) / max(hit, 1) ** 3))
    share, false = found / max(hit, 1), 100.0 * flagged / max(clean, 1)
    return [
        at_least("cosmic rays > 10 sigma found", 100.0 * share, 100.0 * doubt, limit=98.0, unit="%"),
        at_most("other pixels flagged", false, false / np.sqrt(max(flagged, 1)), limit=0.3, unit="%"),
    ]
