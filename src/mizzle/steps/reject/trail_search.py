"""Trails of satellites over all chips of a visit.

A trail is in one exposure only: a line of light that another exposure shows at the same place is on the sky, a filament
of a nebula or a row of stars. And it does not end between two chips: a corner that it crosses is too short for the
search of one chip, but where the line of the next chip leads there and light lies on it, it is the same trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, Places, SkyPlaces
from mizzle.model import ChipFrame, Runner
from mizzle.model.frame import deproject, project
from mizzle.steps.reject.compared_chip import ComparedChip
from mizzle.steps.reject.reference import FEW
from mizzle.steps.reject.star_cores import NOISIER
from mizzle.steps.reject.trails import Trail, clipped_mean, find_trails

#: Lines on the ridge of a trail, and how far beyond its edge the lines on both sides of it are [pixel].
RIDGE, BESIDE = np.arange(-1.0, 2.0), np.arange(2.0, 7.0)
#: In another exposure light of a trail that is on the sky has at least this share of its brightness.
ON_SKY = 0.5
#: On another chip, or exposure, a trail is so long at least [pixel]; on another chip it has this share of its light, so
#: many errors from none.
SHORTEST, GOES_ON, SURE = 20, 0.5, 5.0
#: The line of one chip leads to within this of the trail on the next [pixel].
ASIDE = 6
#: A trail is followed so far beyond its chip: a camera's field [deg].
FOLLOWED = 240.0 / 3600.0


def few_compare(chips: Sequence[ComparedChip]) -> bool:
    """Return whether so few exposures are compared that a trail's wings are found by nothing else.

    Exposures far noisier than the best of them do not tell its wings.
    """
    noise: dict[int, list[float]] = {}
    for chip in chips:
        noise.setdefault(chip.index, []).append(chip.view.noise.background(chip.sky, chip.view.rate))
    means = [float(np.mean(values)) for values in noise.values()]
    return sum(mean < NOISIER * min(means) for mean in means) <= FEW


def with_trails(chips: Sequence[ComparedChip], asked: Sequence[bool], runner: Runner) -> list[ComparedChip]:
    """Return the chips with the straight trails that cross them.

    Parameters
    ----------
    chips : sequence of ComparedChip
        All of a visit.
    asked : sequence of bool
        Which of them to search.
    runner : Runner
        Threads; by chip.
    """
    some = [chip for chip, wanted in zip(chips, asked, strict=True) if wanted]
    trails = dict(zip(map(id, some), runner.map(_own_trails, some), strict=True))
    if not any(trails.values()):
        return list(chips)
    for chip in some:
        others = [other for other in chips if other.index != chip.index]
        trails[id(chip)] = [trail for trail in trails[id(chip)] if not _on_sky(trail, chip, others)]
    longer = {key: list(known) for key, known in trails.items()}
    for chip in some:
        beside = [other for other in some if other.index == chip.index and other is not chip]
        for trail, other in [(trail, other) for trail in trails[id(chip)] for other in beside]:
            more = _continued(trail, chip, other)
            if more is not None and not _is_known(more, longer[id(other)], other.view.chip.shape):
                longer[id(other)].append(more)
    return [replace(chip, trails=tuple(longer.get(id(chip), ()))) for chip in chips]


def _own_trails(chip: ComparedChip) -> list[Trail]:
    return find_trails(*chip.pixels(), _noise(chip))


def _lines(trail: Trail, shape: tuple[int, int], across: FloatArray) -> Places:
    """Return the pixels on lines along a trail, so far `across` from its ridge."""
    length = float(np.hypot(*shape))
    along = np.arange(-length, length)
    cos, sin = np.cos(trail.angle), np.sin(trail.angle)
    distance = trail.distance + across[:, None]
    x, y = np.rint(distance * cos - along * sin), np.rint(distance * sin + along * cos)
    inside = (x >= 0) & (x <= shape[1] - 1) & (y >= 0) & (y <= shape[0] - 1)
    return Places(x[inside], y[inside])


def _sides(half_width: float) -> FloatArray:
    return np.concatenate([-half_width - BESIDE[::-1], half_width + BESIDE])


def _light(chip: ComparedChip, places: Places) -> FloatArray:
    """Return what good pixels hold [sigma of a pixel of sky]."""
    sci, bad = chip.pixels()
    x, y = (np.rint(place).astype(np.intp) for place in places)
    return np.asarray(sci[y, x][~bad[y, x]] / _noise(chip), dtype=np.float64)


def _noise(chip: ComparedChip) -> float:
    """Return the noise of a pixel of sky [count]."""
    return float(np.sqrt(chip.view.noise.background(chip.level)))


class _Contrast(NamedTuple):
    """How far a line stands above what is on both sides of it [equalized count/s/arcsec**2]; and pixels on the line."""

    light: float
    pixels: int


def _contrast(chip: ComparedChip, ridge: Places, sides: Places) -> _Contrast:
    on, beside = _light(chip, ridge), _light(chip, sides)
    stands = clipped_mean(on) - clipped_mean(beside)
    return _Contrast(stands * _noise(chip) * chip.view.brightness, min(on.size, beside.size))


def _own_contrast(trail: Trail, chip: ComparedChip) -> _Contrast:
    shape = chip.view.chip.shape
    return _contrast(chip, _lines(trail, shape, RIDGE), _lines(trail, shape, _sides(trail.half_width)))


def _on_chip(frame: ChipFrame, sky: SkyPlaces) -> Places:
    """Return the places on a chip of those that it covers."""
    ny, nx = frame.shape
    center = frame.pixel_to_sky(0.5 * (nx - 1), 0.5 * (ny - 1))
    xi, eta = project(*sky, (float(center.ra), float(center.dec)))
    # The polynomials of a chip mean nothing far from it.
    near = 3600.0 * np.hypot(xi, eta) < 0.6 * frame.reference_side * np.hypot(ny, nx)
    x, y = frame.sky_to_pixel(sky.ra[near], sky.dec[near])
    inside = (x >= 0) & (x <= nx - 1) & (y >= 0) & (y <= ny - 1)
    return Places(x[inside], y[inside])


def _on_sky(trail: Trail, chip: ComparedChip, others: Sequence[ComparedChip]) -> bool:
    """Return whether other exposures show the light of a trail too."""
    frame = chip.view.frame
    ridge, sides = (
        frame.pixel_to_sky(*_lines(trail, frame.shape, across)) for across in (RIDGE, _sides(trail.half_width))
    )
    shown = [(o, _contrast(o, _on_chip(o.view.frame, ridge), _on_chip(o.view.frame, sides))) for o in others]
    pixels = sum(part.pixels for _, part in shown)
    if pixels < SHORTEST * RIDGE.size:
        return False
    # By their noise: a short exposure beside long ones knows next to nothing.
    weights = [part.pixels / (_noise(other) * other.view.brightness) ** 2 for other, part in shown]
    light = float(np.average([part.light for _, part in shown], weights=weights))
    return light > ON_SKY * _own_contrast(trail, chip).light


def _extended(trail: Trail, frame: ChipFrame) -> SkyPlaces:
    """Return places on the great circle of a trail, beyond both ends on its chip too."""
    ridge = _lines(trail, frame.shape, np.zeros(1))
    ends = slice(None, None, max(ridge.x.size - 1, 1))
    center = (float(frame.crval[0]), float(frame.crval[1]))
    xi, eta = project(*frame.pixel_to_sky(ridge.x[ends], ridge.y[ends]), center)
    length = float(np.hypot(np.ptp(xi), np.ptp(eta)))
    step = 0.5 * frame.reference_side / 3600.0
    share = 0.5 + np.arange(-FOLLOWED, FOLLOWED, step) / length
    return deproject(xi[0] + share * (xi[-1] - xi[0]), eta[0] + share * (eta[-1] - eta[0]), center)


def _continued(trail: Trail, chip: ComparedChip, other: ComparedChip) -> Trail | None:
    """Return a trail where it crosses another chip of its exposure, if it does."""
    view, shape = other.view, other.view.chip.shape
    line = _on_chip(view.frame, _extended(trail, chip.view.frame))
    if line.x.size < 2:
        return None
    dx, dy = float(line.x[-1] - line.x[0]), float(line.y[-1] - line.y[0])
    angle = float(np.arctan2(dx, -dy))
    distance = float(line.x.mean() * np.cos(angle) + line.y.mean() * np.sin(angle))
    wide = trail.half_width * chip.view.frame.reference_side / view.frame.reference_side
    expected = Trail(angle, distance, wide)
    asides = np.arange(-ASIDE, ASIDE + 1)
    best = max(asides, key=lambda aside: clipped_mean(_light(other, _lines(expected, shape, aside + RIDGE))))
    there = _contrast(other, _lines(expected, shape, best + RIDGE), _lines(expected, shape, _sides(wide + ASIDE)))
    if there.pixels < SHORTEST * RIDGE.size:
        return None
    noise = view.brightness * _noise(other) / np.sqrt(there.pixels)
    lit = there.light > max(GOES_ON * _own_contrast(trail, chip).light, SURE * noise)
    return replace(expected, distance=distance + float(best)) if lit else None


def _is_known(trail: Trail, known: Sequence[Trail], shape: tuple[int, int]) -> bool:
    """Return whether most of a trail's ridge on a chip is among those that its own search found, or none is on it."""
    places = _lines(trail, shape, np.zeros(1))
    x, y = (place.astype(np.intp) for place in places)
    return not x.size or any(float(np.mean(other.mask(shape)[y, x])) > 0.5 for other in known)
