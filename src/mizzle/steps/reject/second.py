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

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import ChipMap, rays
from mizzle.kernel.smooth import Samples, predict
from mizzle.model import Runner
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.inverse import Inverse
from mizzle.steps.reject.sensor import Sensor
from mizzle.steps.reject.single import sharpest_star

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

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
CROSS = ((0, -1), (0, 1), (-1, 0), (1, 0))


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


def find_suspects(
    sensor: Sensor, sci: NDArray[np.float32], bad: Mask, judged: rays.Judged, trust: float, settings: RejectSettings
) -> Suspects:
    """Return the suspects of a chip that stand out among their neighbors or by far; and its probes.

    Parameters
    ----------
    sensor : Sensor
        The chip; `sci` and `bad` its pixels [DN].
    judged : Judged
        What the comparison with the reference said.
    trust : float
        Above this expectation the reference rests on saturated pixels [electron].
    settings : RejectSettings
        ``second_structure``, ``seed_sigma``.
    """
    gain, light = sensor.noise.gain, judged.light
    y, x = _inside(judged.marks & rays.SUSPECT != 0)
    excess = np.stack([sci[y + dy, x + dx] * gain - light[y + dy, x + dx] for dy, dx in AROUND], axis=1)
    top = ~(excess > excess[:, 4:5]).any(axis=1)
    sky = sensor.sky * gain
    noise = np.sqrt(np.maximum(light[y, x] + sky, 0.0) + sensor.noise.floor)
    top |= excess[:, 4] - sky > settings.seed_sigma * noise + STRONG * _steepest(light, y, x)
    probes = _probes(sensor, judged, bad)
    probe = np.arange(np.count_nonzero(top) + probes[0].size) >= np.count_nonzero(top)
    y, x = np.concatenate([y[top], probes[0]]), np.concatenate([x[top], probes[1]])
    value = gain * (sci[y, x].astype(np.float64) - sensor.sky)
    most = np.fmax.reduce([light[y + dy, x + dx] for dy, dx in AROUND]).astype(np.float64)
    # A reference of saturated pixels does not know how bright a star is.
    amplitude = np.where(most > trust, np.maximum(most, value), most)
    step = _steepest(light, y, x)
    near = np.stack([judged.marks[y + dy, x + dx] & rays.NEAR != 0 for dy, dx in AROUND], axis=1)
    near[:, 4] = True
    faint = 1e-3 * math.sqrt(sensor.noise.floor)
    return Suspects(y, x, value, np.maximum(settings.second_structure * amplitude, faint), step, near, probe)


def _steepest(light: NDArray[np.float32], y: Indices, x: Indices) -> FloatArray:
    """Return the greatest difference of some pixels to one of the four nearest."""
    here = light[y, x]
    steps = [np.abs(light[y + dy, x + dx] - here) for dy, dx in CROSS]
    return np.asarray(np.fmax.reduce(steps), dtype=np.float64)


def _inside(mask: Mask) -> tuple[Indices, Indices]:
    """Return ``(y, x)`` of the pixels of `mask` that are not on its edge."""
    ny, nx = mask.shape
    y, x = np.divmod(np.flatnonzero(mask), nx)
    inside = (y > 0) & (y < ny - 1) & (x > 0) & (x < nx - 1)
    return y[inside], x[inside]


def probe_light(sensor: Sensor) -> float:
    """Return how bright a probe's light is at least [electron]."""
    return PROBE_SIGMA * math.sqrt(sensor.noise.background(sensor.sky)) * sensor.noise.gain


def _probes(sensor: Sensor, judged: rays.Judged, bad: Mask) -> tuple[Indices, Indices]:
    """Return ``(y, x)`` of some bright pixels that are not flagged, spread over the chip."""
    rows = slice(1, -1, PROBE_ROWS)
    which = (judged.light[rows, 1:-1] > probe_light(sensor)) & ~judged.mask[rows, 1:-1] & ~bad[rows, 1:-1]
    found = np.flatnonzero(which)
    wanted = PROBES if sensor.kind == "PC" else PROBES // 3
    y, x = np.divmod(found[:: max(1, found.size // wanted)], which.shape[1])
    return PROBE_ROWS * y + 1, x + 1


def covariance_length(sensor: Sensor) -> float:
    """Return the length of the covariance of starlight among a chip's pixels [pixel].

    Stars at random places have the covariance of their own image: a Gaussian, wider by the root of two.
    """
    star = sharpest_star(sensor.chip.photplam, sensor.frame.scale)
    return math.sqrt(2.0 * (star**2 + 1.0 / 12.0))


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

    def look(number: int) -> tuple[NDArray[np.generic], ...]:
        sensor, unit, packed = sensors[number], units[number], masks[number]
        return _seen(sensor, Inverse(maps[number]), packed, unit, _others(asked, sensor, count), length)

    parts = runner.map(look, range(len(sensors)))
    unit = np.repeat(np.array(units), sizes)
    value = np.concatenate([one.value for one in suspects])
    amplitude = np.concatenate([one.amplitude for one in suspects])
    step = np.concatenate([one.step for one in suspects])
    most = amplitude * unit

    def told(first: int) -> tuple[FloatArray, FloatArray]:
        some = slice(first, min(first + TOGETHER, most.size))
        return predict(_nearest(parts, some), most[some], length)

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


def _others(asked: _Asked, sensor: Sensor, count: int) -> tuple[Indices, FloatArray, FloatArray]:
    """Return number and place of the suspects that this exposure is asked about."""
    behind = (sensor.index - asked.exposure) % count
    which = np.flatnonzero((behind > 0) & (behind <= PARTNERS))
    return which, asked.x[which], asked.y[which]


def _seen(
    sensor: Sensor,
    inverse: Inverse,
    packed: NDArray[np.uint8],
    unit: float,
    places: tuple[Indices, FloatArray, FloatArray],
    length: float,
) -> tuple[NDArray[np.generic], ...]:
    """Return what one chip saw near places on the grid: of which, from where (dx, dy), value, variance."""
    which, x, y = places
    i, j, near = inverse.nearest_pixels(x, y)
    which, x, y = which[near], x[near], y[near]
    gx, gy = inverse.own(i, j)
    sci, bad = sensor.pixels()
    bad = bad | np.unpackbits(packed, count=bad.size).reshape(bad.shape).view(np.bool_)
    matrix, reach = inverse.matrix, (REACH * length) ** 2
    parts = []
    for dy, dx in AROUND:
        away_x = gx - x + matrix[0, 0] * dx + matrix[0, 1] * dy
        away_y = gy - y + matrix[1, 0] * dx + matrix[1, 1] * dy
        good = (away_x**2 + away_y**2 < reach) & ~bad[j + dy, i + dx]
        dn = sci[j[good] + dy, i[good] + dx].astype(np.float64)
        variance = np.maximum(dn * sensor.noise.gain, 0.0) + sensor.noise.floor
        parts.append(
            (which[good], away_x[good], away_y[good], (dn - sensor.sky) * sensor.noise.gain * unit, variance * unit**2)
        )
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _nearest(parts: Sequence[tuple[NDArray[np.generic], ...]], some: slice) -> Samples:
    """Sort what was seen near `some` suspects into tables: for each the nearest pixels first."""
    count = some.stop - some.start
    rows = [part[0].astype(np.intp, copy=False) for part in parts]
    which = [np.flatnonzero((row >= some.start) & (row < some.stop)) for row in rows]
    picked = [tuple(column[w] for column in part) for part, w in zip(parts, which, strict=True)]
    owner, dx, dy, value, variance = (np.concatenate(column) for column in zip(*picked, strict=True))
    owner = owner - some.start
    # Suspects by number, each one's samples by distance: one sort of one key.
    order = np.argsort(owner + np.minimum(1e-3 * (dx**2 + dy**2), 0.5))
    owner = owner[order]
    rank = np.arange(owner.size) - np.searchsorted(owner, np.arange(count))[owner]
    kept = rank < NEAREST
    order, place = order[kept], (owner[kept], rank[kept])
    tables = [np.zeros((count, NEAREST)), np.zeros((count, NEAREST)), np.zeros((count, NEAREST))]
    tables.append(np.full((count, NEAREST), np.inf))
    for table, column in zip(tables, (dx, dy, value, variance), strict=True):
        table[place] = column[order]
    return Samples(*tables)
