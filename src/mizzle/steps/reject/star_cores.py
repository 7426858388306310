"""Pixels in star cores, checked again: the reference is too smooth to judge them.

An undersampled star scatters by tens of per cent between dithers, and no threshold on the reference tells that from a
cosmic ray. But the other exposures saw the same star at other places within its pixels, and starlight is smooth: what
a candidate should have seen follows from the pixels of other exposures nearest to it, by interpolation with the
covariance that light has behind this camera. Pixels that are hit, bad or saturated take no part. How far the method may
be trusted is measured in each exposure, on probes: star pixels that nothing speaks against. Where an exposure is
misaligned, or the star's image has changed, they fail too, and the predictions count for that much less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Indices, Mask
from mizzle.instrument.dq import ALL_BITS
from mizzle.instrument.star_optics import chip_star
from mizzle.kernel import ChipMap
from mizzle.kernel.compare import NEAR, SUSPECT, RayMarks
from mizzle.kernel.maps import InverseMap
from mizzle.kernel.pixels import pixels_with_bits
from mizzle.kernel.predict import (
    ChipSampler,
    GridPlaces,
    NeighborSamples,
    PredictedLight,
    RecordedPixels,
    nearest_samples,
    predict_light,
    sample_neighbors,
)
from mizzle.kernel.stack import StackRule
from mizzle.model import Runner
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.compared_chip import ComparedChip
from mizzle.steps.reject.neighborhood import CROSS, inside, offsets, pixels_around

#: How many exposures are asked, those that follow in a circle; how many of their pixels, the nearest first; how far
#: these may be [lengths of the covariance].
PARTNERS, NEAREST, REACH = 8, 16, 2.0
#: Exposures whose candidates are predicted at a time: their samples take 3 MB each.
TOGETHER = 12
#: Candidates whose samples are sorted and weighed at a time: memory does not grow with their number.
BATCH = 2048
#: An exposure of less than this share of the longest one's time records stars that are full in it.
MUCH_SHORTER = 0.67
#: A candidate beside a greater one counts where it would be a seed with this slope: most are the same star's misfit.
ALSO_STRONG_SLOPE = 0.15
#: Probes of an exposure; they are brighter than this [sigma of the sky], on one of so many rows.
PROBES, PROBE_SIGMA, PROBE_ROWS = 90, 20.0, 3
#: An exposure whose pixels scatter, as a rate, by so many times the variance of another's tells nothing of its stars:
#: where its samples are the nearest, they take the place of better ones.
NOISIER = StackRule.ratio
#: With fewer probes than this, predictions are taken to err by so much [steepest step].
LEAST_PROBES, UNTESTED = 20, 0.1
#: The error of predictions is read at this quantile of the probes' squared excess, which for normal errors is chi**2 of
#: one degree of freedom at the same quantile.
QUANTILE, CHI2_90 = 0.9, 2.706


@dataclass(frozen=True, eq=False)
class CoreCandidates:
    """Candidates for cosmic rays in the star cores of one chip, then its probes.

    Parameters
    ----------
    y, x : (k,) int array
        Where; never on the chip's outermost pixels.
    value : (k,) array
        What was seen, sky subtracted [electron].
    amplitude : (k,) array
        How bright the place may be [electron].
    step : (k,) array
        Steepest step of the expectation to one of the four nearest pixels [electron].
    bend : (k,) array
        The middle of the 3 x 3 pixels times four less the four nearest, before the exposure's own focus sharpened it; 0
        where that is negative [electron].
    near : (k, 9) bool array
        Pixels of the 3 x 3 around that go with it, if it is a ray.
    probe : (k,) bool array
        No candidate: star pixels that nothing speaks against, predicted to learn how well the method does.
    """

    y: Indices
    x: Indices
    value: FloatArray
    amplitude: FloatArray
    step: FloatArray
    bend: FloatArray
    near: Mask
    probe: Mask

    def pixels(self, nx: int) -> Indices:
        """Return the flat indices of the 3 x 3 pixels around each, on a chip of `nx` columns: (k, 9)."""
        return np.asarray((self.y * nx + self.x)[:, None] + offsets(nx))


class _JoinedCandidates(NamedTuple):
    """The candidates of all chips of a class, one after the other; as `CoreCandidates`, and where they are."""

    value: FloatArray
    amplitude: FloatArray
    step: FloatArray
    bend: FloatArray
    sharper: FloatArray
    probe: Mask
    exposure: Indices
    x: FloatArray
    y: FloatArray
    unit: FloatArray
    sky: FloatArray
    floor: FloatArray


class RecheckedCores(NamedTuple):
    """The answer of `recheck_star_cores`.

    Parameters
    ----------
    hit : list of (k,) bool arrays
        For each chip, which candidates are cosmic rays.
    prediction_error : (n,) array
        For each chip: 1 sigma of a prediction, its pixel's noise aside, relative to the steepest step; by the probes of
        its exposure.
    """

    hit: list[Mask]
    prediction_error: FloatArray


def find_core_candidates(
    compared: ComparedChip,
    sci: NDArray[np.float32],
    bad: Mask,
    *,
    marks: RayMarks,
    trust: float,
    settings: RejectSettings,
) -> CoreCandidates:
    """Return the candidates of a chip that stand out among their neighbors or by far; and its probes.

    Parameters
    ----------
    compared : ComparedChip
        The chip; `sci` and `bad` its pixels [DN].
    marks : RayMarks
        What the comparison with the reference said.
    trust : float
        Above this expectation the reference rests on saturated pixels [electron].
    settings : RejectSettings
        ``second_structure``, ``seed_sigma``.
    """
    gain, light = compared.view.noise.gain, marks.light
    where = inside(pixels_with_bits(marks.marks, SUSPECT), light.shape)
    around = pixels_around(where, light)
    excess = pixels_around(where, sci) * gain - around
    top = ~(excess > excess[:, 4:5]).any(axis=1)
    sky = compared.sky * gain
    noise = np.sqrt(np.maximum(around[:, 4] + sky, 0.0) + compared.view.noise.floor)
    top |= excess[:, 4] - sky > settings.seed_sigma * noise + ALSO_STRONG_SLOPE * _steepest(around)
    probes = _probes(compared, marks, bad)
    probe = np.arange(np.count_nonzero(top) + probes.size) >= np.count_nonzero(top)
    where, around = np.concatenate([where[top], probes]), np.concatenate([around[top], pixels_around(probes, light)])
    value = gain * (sci.ravel()[where].astype(np.float64) - compared.sky)
    most = np.fmax.reduce(around, axis=1).astype(np.float64)
    # A reference of saturated pixels does not know how bright a star is.
    amplitude = np.where(most > trust, np.maximum(most, value), most)
    step = _steepest(around)
    if trust < MUCH_SHORTER * settings.trust * compared.view.camera.full_well * gain:
        # Nor how steep it is, where a longer exposure is full: its core is flat.
        step = np.where(most > trust, np.maximum(step, value), step)
    near = pixels_around(where, marks.marks) & NEAR != 0
    near[:, 4] = True
    faint = 1e-3 * math.sqrt(compared.view.noise.floor)
    amplitude = np.maximum(settings.second_structure * amplitude, faint)
    y, x = np.divmod(where, light.shape[1])
    return CoreCandidates(y, x, value, amplitude, step, _bend(around, compared.sharper), near, probe)


def _steepest(around: NDArray[np.float32]) -> FloatArray:
    """Return the greatest difference of the middle of 3 x 3 pixels to one of the four nearest."""
    steps = np.abs(around[:, CROSS] - around[:, 4:5])
    return np.asarray(np.fmax.reduce(steps, axis=1), dtype=np.float64)


def _bend(around: NDArray[np.float32], sharper: float) -> FloatArray:
    """Return how far the middle of 3 x 3 pixels stands above the four nearest, before `sharper` was added to it."""
    bend = np.nan_to_num(4.0 * around[:, 4] - around[:, CROSS].sum(axis=1).astype(np.float64))
    return np.asarray(np.maximum(bend, 0.0) / (1.0 + 4.0 * max(sharper, 0.0)))


def probe_light(compared: ComparedChip) -> float:
    """Return how bright a probe's light is at least [electron]."""
    background = compared.view.noise.background(compared.level)
    return (PROBE_SIGMA * math.sqrt(background) + compared.level - compared.sky) * compared.view.noise.gain


def _probes(compared: ComparedChip, marks: RayMarks, bad: Mask) -> Indices:
    """Return some bright pixels that are not flagged, spread over the chip."""
    nx = bad.shape[1]
    y, x = np.divmod(np.flatnonzero(marks.light[1:-1:PROBE_ROWS, 1:-1] > probe_light(compared)), nx - 2)
    probes = (PROBE_ROWS * y + 1) * nx + x + 1
    probes = probes[~(marks.mask.ravel()[probes] | bad.ravel()[probes])]
    wanted = PROBES // len(compared.view.chip_class.chips)
    return np.asarray(probes[:: max(1, probes.size // wanted)])


def covariance_length(compared: ComparedChip) -> float:
    """Return the length of the covariance of starlight among a chip's pixels [pixel].

    Stars at random places have the covariance of their own image.
    """
    camera = compared.view.camera
    return chip_star(camera, compared.view.chip).correlation_length


def recheck_star_cores(
    chips: Sequence[ComparedChip],
    maps: Sequence[ChipMap],
    candidates: Sequence[CoreCandidates],
    *,
    masks: Sequence[NDArray[np.uint8]],
    units: Sequence[float],
    settings: RejectSettings,
    runner: Runner,
) -> RecheckedCores:
    """Tell which candidates are cosmic rays: those that exceed what the other exposures predict for their pixels.

    Parameters
    ----------
    chips : sequence of ComparedChip
        All of one class.
    maps, candidates, masks : sequences
        Their maps to the class's grid, candidates, and packed masks of what is known to be hit.
    units : sequence of float
        Grid's unit of an electron on each chip.
    settings : RejectSettings
        ``second_sigma``.
    runner : Runner
        Threads; by chip.
    """
    sizes = [own.y.size for own in candidates]
    joined = _join(chips, maps, candidates, units=units)
    if not joined.x.size:
        return RecheckedCores([np.zeros(0, np.bool_) for _ in sizes], np.full(len(sizes), UNTESTED))
    mean, variance = _predict(chips, maps, joined, masks=masks, units=units, runner=runner)
    exposures = range(1 + max(compared.index for compared in chips))
    of_exposure = [joined.probe & (joined.exposure == number) & (joined.step > 0) for number in exposures]
    expected = np.array([np.median(variance[w] / joined.step[w] ** 2) if w.any() else 0.0 for w in of_exposure])
    variance += np.maximum(mean + joined.sky, 0.0) + joined.floor
    excess = joined.value - mean
    beyond = np.array([_excess_scatter(excess, variance, joined.step, which=which) for which in of_exposure])
    variance += (beyond[joined.exposure] * joined.step) ** 2
    hit = ~joined.probe & (excess > settings.second_sigma * np.sqrt(variance))
    error = np.sqrt(beyond**2 + expected)
    return RecheckedCores(np.split(hit, np.cumsum(sizes)[:-1]), error[[compared.index for compared in chips]])


def _predict(
    chips: Sequence[ComparedChip],
    maps: Sequence[ChipMap],
    joined: _JoinedCandidates,
    *,
    masks: Sequence[NDArray[np.uint8]],
    units: Sequence[float],
    runner: Runner,
) -> PredictedLight:
    """Return what the other exposures predict for each candidate [electron], and the variance of that."""
    count = 1 + max(compared.index for compared in chips)
    length = covariance_length(chips[0])
    mean, variance = np.empty(joined.x.size), np.empty(joined.x.size)
    # Samples take much memory: of many exposures those that answer for a few at a time.
    for first in range(0, count, TOGETHER):
        batch = np.flatnonzero((joined.exposure >= first) & (joined.exposure < first + TOGETHER))
        if not batch.size:
            continue
        partners = {
            (exposure + k) % count
            for exposure in range(first, min(first + TOGETHER, count))
            for k in range(1, PARTNERS + 1)
        }
        candidates = _JoinedCandidates._make(column[batch] for column in joined)

        def sample_chip(number: int, candidates: _JoinedCandidates = candidates) -> NeighborSamples:
            compared = chips[number]
            pixels = RecordedPixels(compared.view.chip.sci, compared.view.chip.dq, masks[number])
            sampler = _sampler(compared, maps[number], units[number], length=length)
            others = _of_other_exposures(candidates, compared, count, unit=units[number])
            seen = sample_neighbors(pixels, others, sampler)
            return _in_focus(seen, candidates, compared.sharper, length=length)

        parts = runner.map(sample_chip, [n for n, compared in enumerate(chips) if compared.index in partners])
        mean[batch], variance[batch] = _predict_from(
            parts, candidates.amplitude * candidates.unit, length, runner=runner
        )
    return PredictedLight(mean / joined.unit, variance / joined.unit**2)


def _in_focus(
    seen: NeighborSamples, candidates: _JoinedCandidates, sharper: float, *, length: float
) -> NeighborSamples:
    """Return what an exposure as sharp as each candidate's own would have seen, in place of one that is `sharper`.

    A bend reaches less far than the light: as the square of its covariance.
    """
    change = (candidates.sharper - sharper) * candidates.bend * candidates.unit
    if not change.any():
        return seen
    samples = seen.samples.copy()
    distance2 = samples[:, 0] ** 2 + samples[:, 1] ** 2
    samples[:, 2] += np.exp(-distance2 / length**2) * change[seen.owner]
    return NeighborSamples(seen.owner, samples)


def _predict_from(
    parts: Sequence[NeighborSamples], amplitude: FloatArray, length: float, *, runner: Runner
) -> PredictedLight:
    """Predict each candidate's light from its nearest samples, in batches."""

    def predict_batch(first: int) -> PredictedLight:
        batch = slice(first, min(first + BATCH, amplitude.size))
        return predict_light(nearest_samples(parts, batch, NEAREST), amplitude[batch], length)

    answers = runner.map(predict_batch, range(0, amplitude.size, BATCH))
    mean, variance = (np.concatenate(column) for column in zip(*answers, strict=True))
    return PredictedLight(mean, variance)


def _excess_scatter(excess: FloatArray, variance: FloatArray, step: FloatArray, *, which: Mask) -> float:
    """Return the scatter of the probes beyond their noise, relative to the steepest step."""
    if np.count_nonzero(which) < LEAST_PROBES:
        return UNTESTED
    beyond = (excess[which] ** 2 - variance[which]) / step[which] ** 2
    return math.sqrt(max(0.0, float(np.quantile(beyond, QUANTILE))) / CHI2_90)


def _join(
    chips: Sequence[ComparedChip],
    maps: Sequence[ChipMap],
    candidates: Sequence[CoreCandidates],
    *,
    units: Sequence[float],
) -> _JoinedCandidates:
    """Return all candidates in one list, with their places on the class's grid."""
    sizes = [own.y.size for own in candidates]
    x, y = (
        np.concatenate(axis)
        for axis in zip(*(to_grid(own.x, own.y) for to_grid, own in zip(maps, candidates, strict=True)), strict=True)
    )
    return _JoinedCandidates(
        value=np.concatenate([own.value for own in candidates]),
        amplitude=np.concatenate([own.amplitude for own in candidates]),
        step=np.concatenate([own.step for own in candidates]),
        bend=np.concatenate([own.bend for own in candidates]),
        sharper=np.repeat([compared.sharper for compared in chips], sizes),
        probe=np.concatenate([own.probe for own in candidates]),
        exposure=np.repeat([compared.index for compared in chips], sizes),
        x=x,
        y=y,
        unit=np.repeat(np.array(units), sizes),
        sky=np.repeat([compared.sky * compared.view.noise.gain for compared in chips], sizes),
        floor=np.repeat([compared.view.noise.floor for compared in chips], sizes),
    )


def _of_other_exposures(joined: _JoinedCandidates, compared: ComparedChip, count: int, *, unit: float) -> GridPlaces:
    """Return number and place of the candidates that this exposure helps to predict; not those of far longer ones."""
    behind = (compared.index - joined.exposure) % count
    tells = compared.view.noise.floor * unit**2 <= NOISIER * joined.floor * joined.unit**2
    which = np.flatnonzero((behind > 0) & (behind <= PARTNERS) & tells)
    return GridPlaces(which, joined.x[which], joined.y[which])


def _sampler(compared: ComparedChip, own: ChipMap, unit: float, *, length: float) -> ChipSampler:
    """Return how a chip samples the class's grid, on which its electron is `unit`."""
    noise, bits = compared.view.noise, ALL_BITS & ~compared.view.good
    return ChipSampler(InverseMap(own), noise.gain, compared.sky, noise.floor, unit, REACH * length, bits)
