"""A second look at suspects: pixels in star cores that the reference is too smooth to judge.

An undersampled star scatters by tens of per cent between dithers, and no threshold on the reference tells that from a
cosmic ray. But the other exposures saw the same star at other places within its pixels, and starlight is smooth: what a
suspect should have seen follows from the pixels of other exposures nearest to it, by interpolation with the covariance
that light has behind this camera. Pixels that are hit, bad or saturated take no part. How far the method may be
trusted is measured in each exposure, on probes: star pixels that nothing speaks against. Where an exposure is
misaligned, or the star's image has changed, they fail too, and the second look believes itself that much less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

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
    RecordedPixels,
    nearest_samples,
    predict_light,
    sample_neighbors,
)
from mizzle.model import Runner
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.sensor import Sensor

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)

#: How many exposures are asked, those that follow in a circle; how many of their pixels, the nearest first; how far
#: these may be [lengths of the covariance].
PARTNERS, NEAREST, REACH = 8, 16, 2.0
#: Suspects whose samples are sorted and weighed at a time: memory does not grow with their number.
TOGETHER = 2048
#: A suspect beside a greater one counts where it would be a seed with this slope: most are the same star's misfit.
STRONG = 0.15
#: Probes of an exposure; they are brighter than this [sigma of the sky], on one of so many rows.
PROBES, PROBE_SIGMA, PROBE_ROWS = 90, 20.0, 3
#: With fewer probes the doubt is this [steepest step].
LEAST_PROBES, UNTESTED = 20, 0.1
#: Share of the probes that set the doubt, and the square of a normal deviate that so many stay below.
INSIDE, DEVIATE = 0.9, 2.706

AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
#: The four nearest among them.
CROSS = [1, 3, 5, 7]


@dataclass(frozen=True, eq=False)
class Suspects:
    """Suspects of one chip, then its probes.

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
    near : (k, 9) bool array
        Pixels of the 3 x 3 around that go with it, if it is a ray.
    probe : (k,) bool array
        Not suspect: only looked at to learn how well the method does.
    """

    y: Indices
    x: Indices
    value: FloatArray
    amplitude: FloatArray
    step: FloatArray
    near: Mask
    probe: Mask

    def pixels(self, nx: int) -> Indices:
        """Return the flat indices of the 3 x 3 pixels around each, on a chip of `nx` columns: (k, 9)."""
        return np.asarray((self.y * nx + self.x)[:, None] + _offsets(nx))


def find_suspects(
    sensor: Sensor, sci: NDArray[np.float32], bad: Mask, marks: RayMarks, trust: float, settings: RejectSettings
) -> Suspects:
    """Return the suspects of a chip that stand out among their neighbors or by far; and its probes.

    Parameters
    ----------
    sensor : Sensor
        The chip; `sci` and `bad` its pixels [DN].
    marks : RayMarks
        What the comparison with the reference said.
    trust : float
        Above this expectation the reference rests on saturated pixels [electron].
    settings : RejectSettings
        ``second_structure``, ``seed_sigma``.
    """
    gain, light = sensor.noise.gain, marks.light
    where = _inside(pixels_with_bits(marks.marks, SUSPECT), light.shape)
    around = _around(where, light)
    excess = _around(where, sci) * gain - around
    top = ~(excess > excess[:, 4:5]).any(axis=1)
    sky = sensor.sky * gain
    noise = np.sqrt(np.maximum(around[:, 4] + sky, 0.0) + sensor.noise.floor)
    top |= excess[:, 4] - sky > settings.seed_sigma * noise + STRONG * _steepest(around)
    probes = _probes(sensor, marks, bad)
    probe = np.arange(np.count_nonzero(top) + probes.size) >= np.count_nonzero(top)
    where, around = np.concatenate([where[top], probes]), np.concatenate([around[top], _around(probes, light)])
    value = gain * (sci.ravel()[where].astype(np.float64) - sensor.sky)
    most = np.fmax.reduce(around, axis=1).astype(np.float64)
    # A reference of saturated pixels does not know how bright a star is.
    amplitude = np.where(most > trust, np.maximum(most, value), most)
    near = _around(where, marks.marks) & NEAR != 0
    near[:, 4] = True
    faint = 1e-3 * math.sqrt(sensor.noise.floor)
    amplitude = np.maximum(settings.second_structure * amplitude, faint)
    y, x = np.divmod(where, light.shape[1])
    return Suspects(y, x, value, amplitude, _steepest(around), near, probe)


def _offsets(nx: int) -> Indices:
    """Return the steps to the 3 x 3 pixels around one, where a row has `nx`."""
    return np.array([dy * nx + dx for dy, dx in AROUND])


def _around(where: Indices, image: NDArray[Number]) -> NDArray[Number]:
    """Return the 3 x 3 pixels around each of some pixels (flat indices, none on the edge): (k, 9)."""
    return np.asarray(image.ravel()[where[:, None] + _offsets(image.shape[1])])


def _steepest(around: NDArray[np.float32]) -> FloatArray:
    """Return the greatest difference of the middle of 3 x 3 pixels to one of the four nearest."""
    steps = np.abs(around[:, CROSS] - around[:, 4:5])
    return np.asarray(np.fmax.reduce(steps, axis=1), dtype=np.float64)


def _inside(where: Indices, shape: tuple[int, int]) -> Indices:
    """Return those of some pixels that are not on the edge of an image."""
    y, x = np.divmod(where, shape[1])
    inside = (y > 0) & (y < shape[0] - 1) & (x > 0) & (x < shape[1] - 1)
    return np.asarray(where[inside])


def probe_light(sensor: Sensor) -> float:
    """Return how bright a probe's light is at least [electron]."""
    background = sensor.noise.background(sensor.level)
    return (PROBE_SIGMA * math.sqrt(background) + sensor.level - sensor.sky) * sensor.noise.gain


def _probes(sensor: Sensor, marks: RayMarks, bad: Mask) -> Indices:
    """Return some bright pixels that are not flagged, spread over the chip."""
    nx = bad.shape[1]
    y, x = np.divmod(np.flatnonzero(marks.light[1:-1:PROBE_ROWS, 1:-1] > probe_light(sensor)), nx - 2)
    found = (PROBE_ROWS * y + 1) * nx + x + 1
    found = found[~(marks.mask.ravel()[found] | bad.ravel()[found])]
    wanted = PROBES // len(sensor.kind.chips)
    return np.asarray(found[:: max(1, found.size // wanted)])


def covariance_length(sensor: Sensor) -> float:
    """Return the length of the covariance of starlight among a chip's pixels [pixel].

    Stars at random places have the covariance of their own image.
    """
    camera = sensor.exposure.camera
    return chip_star(camera, sensor.chip, defocus=camera.defocus).correlation_length


@dataclass(frozen=True, eq=False)
class _Asked:
    """All suspects of a class: exposure, and place on the class's grid [pixel]."""

    exposure: Indices
    x: FloatArray
    y: FloatArray


def second_look(
    sensors: Sequence[Sensor],
    maps: Sequence[ChipMap],
    suspects: Sequence[Suspects],
    masks: Sequence[NDArray[np.uint8]],
    units: Sequence[float],
    settings: RejectSettings,
    runner: Runner,
) -> tuple[list[Mask], FloatArray]:
    """Tell which suspects are cosmic rays.

    Parameters
    ----------
    sensors : sequence of Sensor
        All of one class.
    maps, suspects, masks : sequences
        Their maps to the class's grid, suspects, and packed masks of what is known to be hit.
    units : sequence of float
        Grid's unit of an electron on each chip.
    settings : RejectSettings
        ``second_sigma``.
    runner : Runner
        Threads; by chip.

    Returns
    -------
    hit : list of (k,) bool arrays
        For each chip.
    doubt : (n,) array
        For each chip: 1 sigma of a prediction, its pixel's noise aside, relative to the steepest step; by the probes of
        its exposure.
    """
    sizes = [one.y.size for one in suspects]
    asked = _asked(sensors, maps, suspects)
    if not asked.x.size:
        return [np.zeros(0, np.bool_) for _ in sizes], np.full(len(sizes), UNTESTED)
    count = 1 + max(sensor.index for sensor in sensors)
    length = covariance_length(sensors[0])

    def look(number: int) -> NeighborSamples:
        sensor = sensors[number]
        pixels = RecordedPixels(sensor.chip.sci, sensor.chip.dq, masks[number])
        return sample_neighbors(
            pixels, _others(asked, sensor, count), _sampler(sensor, maps[number], units[number], length)
        )

    parts = runner.map(look, range(len(sensors)))
    unit = np.repeat(np.array(units), sizes)
    value = np.concatenate([one.value for one in suspects])
    amplitude = np.concatenate([one.amplitude for one in suspects])
    step = np.concatenate([one.step for one in suspects])
    most = amplitude * unit

    def told(first: int) -> tuple[FloatArray, FloatArray]:
        some = slice(first, min(first + TOGETHER, most.size))
        return predict_light(nearest_samples(parts, some, NEAREST), most[some], length)

    answers = runner.map(told, range(0, most.size, TOGETHER))
    mean, variance = (np.concatenate(column) for column in zip(*answers, strict=True))
    mean, variance = mean / unit, variance / unit**2
    sky = np.repeat([s.sky * s.noise.gain for s in sensors], sizes)
    floor = np.repeat([s.noise.floor for s in sensors], sizes)
    probe = np.concatenate([one.probe for one in suspects])
    of_exposure = [probe & (asked.exposure == number) & (step > 0) for number in range(count)]
    shared = np.array([np.median(variance[w] / step[w] ** 2) if w.any() else 0.0 for w in of_exposure])
    variance += np.maximum(mean + sky, 0.0) + floor
    doubt = np.array([_doubt(value - mean, variance, step, which) for which in of_exposure])
    variance += (doubt[asked.exposure] * step) ** 2
    hit = ~probe & (value - mean > settings.second_sigma * np.sqrt(variance))
    whole = np.sqrt(doubt**2 + shared)
    return np.split(hit, np.cumsum(sizes)[:-1]), whole[[sensor.index for sensor in sensors]]


def _doubt(excess: FloatArray, variance: FloatArray, step: FloatArray, which: Mask) -> float:
    """Return the scatter of the probes beyond their noise, relative to the steepest step."""
    if np.count_nonzero(which) < LEAST_PROBES:
        return UNTESTED
    beyond = (excess[which] ** 2 - variance[which]) / step[which] ** 2
    return math.sqrt(max(0.0, float(np.quantile(beyond, INSIDE))) / DEVIATE)


def _asked(sensors: Sequence[Sensor], maps: Sequence[ChipMap], suspects: Sequence[Suspects]) -> _Asked:
    """Return all suspects on the class's grid."""
    index = [np.full(one.y.size, sensor.index) for sensor, one in zip(sensors, suspects, strict=True)]
    places = [own(one.x, one.y) for own, one in zip(maps, suspects, strict=True)]
    return _Asked(np.concatenate(index), *(np.concatenate(axis) for axis in zip(*places, strict=True)))


def _others(asked: _Asked, sensor: Sensor, count: int) -> GridPlaces:
    """Return number and place of the suspects that this exposure is asked about."""
    behind = (sensor.index - asked.exposure) % count
    which = np.flatnonzero((behind > 0) & (behind <= PARTNERS))
    return GridPlaces(which, asked.x[which], asked.y[which])


def _sampler(sensor: Sensor, own: ChipMap, unit: float, length: float) -> ChipSampler:
    """Return how a chip samples the class's grid, on which its electron is `unit`."""
    noise, bits = sensor.noise, ALL_BITS & ~sensor.good
    return ChipSampler(InverseMap(own), noise.gain, sensor.sky, noise.floor, unit, REACH * length, bits)
