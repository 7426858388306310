"""Whether flagged pixels sit on the centers of stars more often than chance puts them there.

Stars are told by their wings, whatever was flagged; few rays have such wings, but where many exposures of a poor field
are searched these few outnumber the stars. So a flagged one counts where
the other exposures of the place have light too, if there are any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mizzle.arrays import FloatArray, Image, Indices, Mask, PixelIndices
from mizzle.instrument.dq import ALL_BITS
from mizzle.kernel.pixels import grow
from mizzle.model import Alignment, ChipFrame, CosmicRays, Exposure, Finding, Runner, Verdict
from mizzle.stars.wings import WINGS, bright_peaks, have_wings

PART = "cosmic rays"

#: So many stars at least, flagged beyond chance by so many sigma and in so large a share.
STARS, SIGMAS, SHARE = 10, 4.0, 0.02
#: Stars whose center is so near to a pixel's are centered on it [pixel].
CENTERED = 0.25
#: Peaks this bright [DN], so many of a chip at most.
PEAK, MOST = 50.0, 500
#: Within this of saturated pixels rays have a halo around them, and look like stars [arcsec].
HALO = 1.5
#: Pixels of a star's core for one ray that outshines what is there.
PER_RAY = 12.0
#: Other exposures that are asked about a flagged star, about; so many pixels around its place are looked at, and one of
#: them must show such a share of its brightness above what is around them.
ASKED, NEAR, AROUND, SEEN = 3, 1, 4, 0.2


def star_center_findings(
    exposures: Sequence[Exposure],
    rays: CosmicRays,
    shares: Mapping[str, Mapping[str, float]],
    *,
    alignment: Alignment | None,
    runner: Runner,
) -> list[Finding]:
    """Say where flagged pixels sit on the centers of stars more often than chance puts them there.

    Parameters
    ----------
    exposures : sequence of Exposure
        Those that were searched, of one filter.
    rays : CosmicRays
        The masks.
    shares : mapping
        ``shares[root][chip]``: what share of the pixels rays should hit.
    alignment : Alignment or None
        Where the exposures lie.
    runner : Runner
        Threads; by chip.
    """
    findings: list[Finding] = []
    for name in dict.fromkeys(name for exposure in exposures for name in exposure.chips):
        jobs = [(exposure, name) for exposure in exposures if name in exposure.chips]
        looks = runner.map(lambda job: _look(*job, rays), jobs)
        if _judged(name, looks, shares) is None:
            continue
        looks = runner.map(lambda look: _without_rays(look, exposures, alignment), looks)
        finding = _judged(name, looks, shares)
        findings += [] if finding is None else [finding]
    return findings


@dataclass(frozen=True, eq=False)
class _Look:
    """Stars of one chip: their brightest pixels, which of them are flagged, and how far centers are from pixels'."""

    exposure: Exposure
    name: str
    peaks: PixelIndices
    flagged: Mask
    phase: FloatArray


def _look(exposure: Exposure, name: str, rays: CosmicRays) -> _Look:
    """Find the bright peaks of one chip that have wings on all sides: stars, whatever was flagged."""
    chip = exposure.chips[name]
    mask = rays.mask(exposure.root, name, chip.shape)
    bad = (chip.dq & np.uint16(ALL_BITS & ~exposure.camera.good)) != 0
    row, column = bright_peaks(chip.sci, bad, chip.frame.scale, least=PEAK, most=MOST)
    real = have_wings(chip.sci, bad | mask, row=row, column=column, scale=chip.frame.scale)
    full = (chip.dq & np.uint16(exposure.camera.saturated)) != 0
    real &= ~grow(full, math.ceil(HALO / chip.frame.scale))[row, column]
    row, column = row[real], column[real]
    v, u = np.mgrid[-1:2, -1:2]
    near = chip.sci[row[:, None, None] + v, column[:, None, None] + u].astype(np.float64)
    near -= near.min(axis=(1, 2), keepdims=True)
    light = np.maximum(near.sum(axis=(1, 2)), 1e-9)
    phase = np.maximum(*(np.abs((near * step).sum(axis=(1, 2))) / light for step in (u, v)))
    return _Look(exposure, name, PixelIndices(row, column), mask[row, column], phase)


def _without_rays(look: _Look, exposures: Sequence[Exposure], alignment: Alignment | None) -> _Look:
    """Return the stars without those flagged that the other exposures do not show."""
    flagged = np.flatnonzero(look.flagged)
    peaks = PixelIndices(look.peaks.row[flagged], look.peaks.column[flagged])
    others = [e for e in exposures if e.root != look.exposure.root]
    kept = np.ones(look.flagged.size, np.bool_)
    kept[flagged] = ~_unseen(look.exposure, look.name, peaks, others=others, alignment=alignment)
    peaks = PixelIndices(look.peaks.row[kept], look.peaks.column[kept])
    return _Look(look.exposure, look.name, peaks, look.flagged[kept], look.phase[kept])


def _unseen(
    exposure: Exposure,
    name: str,
    peaks: PixelIndices,
    *,
    others: Sequence[Exposure],
    alignment: Alignment | None,
) -> Mask:
    """Return which peaks are not in most of the other exposures that cover their places: those have rays, too."""
    chip, (row, column) = exposure.chips[name], peaks
    sky = _frame(exposure, name, alignment).pixel_to_sky(column.astype(np.float64), row.astype(np.float64))
    rate = _stands(chip.sci, row, column, near=0) * (chip.gain / exposure.exptime)
    asked, seen = np.zeros((2, row.size), np.intp)
    for other in others:
        for of_chip, there in other.chips.items():
            ny, nx = there.shape
            asking = np.flatnonzero(asked < ASKED)
            if not asking.size:
                return np.asarray(2 * seen < asked)
            x, y = _frame(other, of_chip, alignment).sky_to_pixel(sky.ra[asking], sky.dec[asking])
            i, j = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
            room = AROUND + NEAR
            inside = (i >= room) & (i < nx - room) & (j >= room) & (j < ny - room)
            which = asking[inside]
            asked[which] += 1
            light = _stands(there.sci, j[inside], i[inside], near=NEAR) * (there.gain / other.exptime)
            seen[which] += light > SEEN * rate[which]
    return np.asarray(2 * seen < asked)


def _frame(exposure: Exposure, name: str, alignment: Alignment | None) -> ChipFrame:
    return exposure.chips[name].frame if alignment is None else alignment.frame(exposure, name)


def _stands(sci: Image, row: Indices, column: Indices, *, near: int) -> FloatArray:
    """Return how far the brightest pixel near each of some places stands above the median around it [count]."""
    v, u = np.mgrid[-AROUND : AROUND + 1, -AROUND : AROUND + 1].reshape(2, -1)
    rows, columns = np.clip(row[:, None] + v, 0, sci.shape[0] - 1), np.clip(column[:, None] + u, 0, sci.shape[1] - 1)
    box = sci[rows, columns].astype(np.float64)
    middle = box[:, np.maximum(np.abs(u), np.abs(v)) <= near]
    return np.asarray(middle.max(axis=1) - np.median(box, axis=1))


def _judged(name: str, looks: Sequence[_Look], expected: Mapping[str, Mapping[str, float]]) -> Finding | None:
    """Say of one chip in all exposures that flagged pixels sit on the centers of stars too often, if they do."""
    looks = [look for look in looks if look.flagged.size]
    flagged = np.concatenate([np.zeros(0, np.bool_), *(look.flagged for look in looks)])
    if flagged.size < STARS:
        return None
    phase = np.concatenate([look.phase for look in looks])
    # A ray inside a star's core has the star's wings around it: so many more pixels are exposed to chance.
    core = max(1.0, math.pi * (WINGS[0] / looks[0].exposure.chips[name].frame.scale) ** 2 / PER_RAY)
    shares = [expected[look.exposure.root][name] for look in looks]
    chance = core * float(np.average(shares, weights=[look.flagged.size for look in looks]))
    n, hit, by_chance = flagged.size, int(flagged.sum()), chance * flagged.size
    many = hit > by_chance + SIGMAS * math.sqrt(by_chance + 1.0) and hit / n > SHARE + 1.5 * chance
    if not many and not _phase_matters(flagged, phase):
        return None
    text = f"{name}: {hit} of {n} stars have their center flagged as a cosmic ray, {by_chance:.0f} by chance"
    centered = phase < CENTERED
    if centered.any() and (~centered).any():
        often = [100 * float(flagged[which].mean()) for which in (centered, ~centered)]
        text += f" ({often[0]:.0f} % of those centered on a pixel, {often[1]:.0f} % of the others)"
    text += ": stars are taken for rays; their fluxes are too low"
    return Finding(PART, Verdict.WARN, text, (name,))


def _phase_matters(flagged: Mask, phase: FloatArray) -> bool:
    """Return whether stars centered on a pixel are flagged more often, or less, than others: rays strike both alike."""
    centered = phase < CENTERED
    counts = np.array([np.count_nonzero(centered), np.count_nonzero(~centered)])
    if counts.min() < STARS:
        return False
    on_center, off_center = (float(flagged[which].mean()) for which in (centered, ~centered))
    share = (float(np.count_nonzero(flagged)) + 1.0) / (flagged.size + 2.0)
    return abs(on_center - off_center) > max(
        SIGMAS * math.sqrt(share * (1.0 - share) * float(np.sum(1.0 / counts))), SHARE
    )
