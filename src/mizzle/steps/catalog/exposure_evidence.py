"""What single exposures say of a star: where it fell, whether it was saturated or hit, what charge transfer lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.instrument.charge import charge_loss, corrects_cte
from mizzle.instrument.dq import ALL_BITS
from mizzle.kernel.pixels import grow, has_bits
from mizzle.model import CosmicRays, InputChip, Mosaic, Runner
from mizzle.settings import Settings
from mizzle.stars.radial import RadialProfile
from mizzle.stars.wings import measure_wings
from mizzle.steps.catalog.lost_light import (
    CORE_ARCSEC,
    WIDE_ARCSEC,
    LostPixels,
    ProfileSamples,
    Window,
    lost_pixels,
    measure_profiles,
    sees_core,
)
from mizzle.steps.catalog.star_list import DetectedStars
from mizzle.steps.catalog.undetected_rays import RayStatistics, count_rays
from mizzle.steps.chip_view import ChipView

_CORE = 2  # pixels around the center that make a star saturated
_SAMPLES = 25  # stars of a chip that measure the profile
_SAMPLE_SNR = 50.0
_WIDE_SNR = 20.0  # what fainter stars lose outside the core is far below their noise


@dataclass(frozen=True, eq=False)
class ExposureEvidence:
    """What the single exposures say of each star of a product, put together.

    Parameters
    ----------
    n_exposures : (n,) int array
        Exposures that reach the star's pixel.
    chip : (n,) str array
        Chip with most of the weight; empty where none.
    fine : (n,) array
        Share of the weight that is the PC's.
    saturated, hit, limit : (n,) bool array
        In any exposure; in more than half of them; saturated in all.
    brighter : (n,) bool array
        On all sides in one exposure than in the others, as the search for cosmic rays has it.
    winged : (n,) bool array
        Of those hit, which have wings in an exposure that hit them: stars, and no crumbs of rays.
    cte : (n,) array
        Magnitudes to subtract.
    weight : (n,) array
        Of all inputs that touch the star's core, added.
    lost : tuple of LostPixels
        Pixels near the centers that stars lost, by input.
    profiles : mapping
        A star's profile on PC and WF.
    rays : tuple of RayStatistics
        Cosmic rays found, by input.
    """

    n_exposures: NDArray[np.int64]
    chip: NDArray[np.str_]
    fine: FloatArray
    saturated: NDArray[np.bool_]
    hit: NDArray[np.bool_]
    brighter: NDArray[np.bool_]
    winged: NDArray[np.bool_]
    limit: NDArray[np.bool_]
    cte: FloatArray
    weight: FloatArray
    lost: tuple[LostPixels, ...]
    profiles: Mapping[str, RadialProfile]
    rays: tuple[RayStatistics, ...]


def members(mosaic: Mosaic, x: FloatArray, y: FloatArray, *, reach: int = 0) -> NDArray[np.bool_]:
    """Return which inputs reach each star's central pixel: ``(n_inputs, n)``.

    Parameters
    ----------
    mosaic : Mosaic
        Its context.
    x, y : (n,) array
        Positions [0-based pixel], on the image.
    reach : int
        Pixels this far along both axes count as well.
    """
    context = mosaic.context
    column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    bits = context.at(row, column).view(np.uint32)
    ny, nx = mosaic.grid.shape
    for dy, dx in ((-reach, -reach), (-reach, reach), (reach, -reach), (reach, reach)) if reach else ():
        corner = context.at(np.clip(row + dy, 0, ny - 1), np.clip(column + dx, 0, nx - 1))
        bits = bits | corner.view(np.uint32)
    rows = [(bits[i // 32] >> np.uint32(i % 32)) & np.uint32(1) for i in range(len(mosaic.inputs))]
    return np.array(rows, dtype=np.bool_).reshape(len(mosaic.inputs), x.size)


def main_chip(inputs: Sequence[InputChip], member: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return the chip that gives each star most of its weight."""
    names = list(dict.fromkeys(item.chip for item in inputs))
    weights = np.zeros((len(names), member.shape[1]))
    for item, touched in zip(inputs, member, strict=True):
        weights[names.index(item.chip)] += item.weight * touched
    best = np.array([*names, ""], dtype="U8")[np.argmax(weights, axis=0)]
    return np.where(weights.sum(axis=0) > 0, best, "").astype("U8")


def measure_per_exposure(
    mosaic: Mosaic,
    stars: DetectedStars,
    member: NDArray[np.bool_],
    *,
    views: Sequence[ChipView],
    cosmic_rays: CosmicRays,
    settings: Settings,
    runner: Runner,
) -> ExposureEvidence:
    """Measure, on every chip of every exposure, what the product does not show of its stars.

    Parameters
    ----------
    mosaic : Mosaic
        Its inputs.
    stars : DetectedStars
        The stars.
    member : (n_inputs, n) array
        From `members`.
    views : sequence of ChipView
        The chips of the mosaic's exposures.
    cosmic_rays : CosmicRays
        What hit them.
    settings : Settings
        ``catalog.cte``, ``catalog.missed_ray``, ``catalog.missed_flux``.
    runner : Runner
        Where chips are measured.
    """
    of_input = {(view.root, view.name): view for view in views}
    touched = members(mosaic, stars.x, stars.y, reach=round(CORE_ARCSEC / mosaic.grid.scale))
    items = [(input_chip, np.flatnonzero(on_chip)) for input_chip, on_chip in zip(mosaic.inputs, touched, strict=True)]
    answers = runner.map(
        lambda item: _measure_on_chip(
            mosaic,
            of_input[item[0].root, item[0].chip],
            item[0],
            index=item[1],
            stars=stars,
            rays=cosmic_rays,
            settings=settings,
        ),
        items,
    )
    n = stars.ra.size
    roots = list(dict.fromkeys(input_chip.root for input_chip in mosaic.inputs))
    seen = np.zeros((len(roots), n), dtype=np.bool_)
    hits, clipped = np.zeros(n), np.zeros(n)
    saturated, winged, brighter = np.zeros((3, n), dtype=np.bool_)
    weight, kept, whole, fine = (np.zeros(n) for _ in range(4))
    classes = views[0].camera.classes
    finest = classes[0].chips if len(classes) > 1 else ()
    for (input_chip, index), belonging, answer in zip(items, member, answers, strict=True):
        on = belonging[index]
        saturated[index] |= answer.saturated
        winged[index] |= answer.winged
        brighter[index] |= answer.brighter
        whole[index] += input_chip.weight * answer.core
        star = index[on]
        seen[roots.index(input_chip.root), star] = True
        hits[star] += answer.hit[on]
        clipped[star] += answer.clipped[on]
        weight[star] += input_chip.weight
        fine[star] += input_chip.weight * (input_chip.chip in finest)
        kept[star] += input_chip.weight * 10.0 ** (-0.4 * answer.cte[on])
    share = np.divide(kept, weight, out=np.ones(n), where=weight > 0)
    return ExposureEvidence(
        n_exposures=seen.sum(axis=0).astype(np.int64),
        chip=main_chip(mosaic.inputs, member),
        fine=np.divide(fine, weight, out=np.zeros(n), where=weight > 0),
        saturated=saturated,
        hit=hits > 0.5 * np.maximum(member.sum(axis=0), 1),
        brighter=brighter,
        winged=winged,
        limit=clipped >= np.maximum(member.sum(axis=0), 1),
        cte=-2.5 * np.log10(share) + 0.0,
        weight=np.where(whole > 0, whole, 1.0),  # where nobody sees a core, nothing of it is lost either
        lost=tuple(lost for answer in answers for lost in answer.lost),
        rays=tuple(answer.rays for answer in answers if answer.rays is not None),
        profiles=measure_profiles([answer.samples for answer in answers if answer.samples is not None], classes),
    )


@dataclass(frozen=True, eq=False)
class _ChipEvidence:
    """What one chip of one exposure says of its stars, ``(n,)`` each; `core`: whether it sees any of their cores."""

    saturated: NDArray[np.bool_]
    clipped: NDArray[np.bool_]
    hit: NDArray[np.bool_]
    brighter: NDArray[np.bool_]
    winged: NDArray[np.bool_]
    cte: FloatArray
    core: NDArray[np.bool_]
    lost: tuple[LostPixels, ...] = ()
    rays: RayStatistics | None = None
    samples: ProfileSamples | None = None


def _measure_on_chip(
    mosaic: Mosaic,
    view: ChipView,
    input_chip: InputChip,
    *,
    index: NDArray[np.intp],
    stars: DetectedStars,
    rays: CosmicRays,
    settings: Settings,
) -> _ChipEvidence:
    """Measure the stars `index` on one chip of one exposure."""
    if index.size == 0:
        nothing = np.zeros(0, np.bool_)
        return _ChipEvidence(nothing, nothing, nothing, nothing, nothing, np.zeros(0), nothing)
    exposure, chip, frame, noise = view.exposure, view.chip, view.frame, view.noise
    x, y = frame.sky_to_pixel(stars.ra[index], stars.dec[index], iterations=5)  # good to 1e-5 pixel
    reach = max(_CORE, round(CORE_ARCSEC / frame.scale))
    around = Window.around(x, y, reach, shape=chip.shape)
    mask, sci = view.hit(rays), chip.sci
    rayed = around.cut(mask)
    bits = around.cut(chip.dq)
    unusable = _Unusable(mask, chip.dq, np.uint16(ALL_BITS & ~view.good))
    bad = unusable.within(around)
    full = view.camera.saturated
    clipped = np.any(bits & np.uint16(full), axis=(1, 2))
    if settings.dq.saturated_reach and not view.good & full:
        # As in the product: near saturated pixels an exposure does not count.
        near = grow(has_bits(chip.dq, full), round(settings.dq.saturated_reach / frame.scale))
        bad |= around.cut(near)
    core_seen = sees_core(around, bad, frame.scale)
    core = slice(reach - 1, reach + 2)
    two = slice(reach - _CORE, reach + _CORE + 1)
    jacobian = np.linalg.inv(mosaic.grid.cd) @ frame.cd
    pixel = float(abs(np.linalg.det(jacobian)))
    level = view.level
    electrons = exposure.exptime / input_chip.factor * noise.gain
    background = level / input_chip.factor * noise.gain + stars.sky[index] * pixel * electrons
    hit: NDArray[np.bool_] = np.any(rayed[:, core, core], axis=(1, 2))
    saturated: NDArray[np.bool_] = np.any(bits[:, two, two] & np.uint16(full), axis=(1, 2))
    unspoiled = ~bad.any(axis=(1, 2)) & ~saturated & (stars.snr[index] > _SAMPLE_SNR)
    bright = np.flatnonzero(unspoiled)[np.argsort(-stars.flux[index[unspoiled]], kind="stable")[:_SAMPLES]]
    dn = around.of(bright).cut(sci).astype(np.float64)
    # Product pixels are larger or smaller than this chip's: rates per product pixel.
    unit = input_chip.factor / exposure.exptime / pixel
    rate = dn * unit - level / exposure.exptime / pixel - stars.sky[index[bright]][:, None, None]
    flux = stars.flux[index[bright]][:, None, None]
    return _ChipEvidence(
        saturated=saturated,
        clipped=clipped,
        hit=hit,
        brighter=_on_peaks(rays.brighter.get(view.root, {}).get(view.name), x, y, shape=chip.shape),
        winged=_winged(view, unusable, hit, x=x, y=y),
        cte=charge_loss(exposure, chip, x=x, y=y, electrons=stars.flux[index] * electrons, background=background)
        if corrects_cte(exposure, settings.catalog.cte)
        else np.zeros(x.size),
        core=core_seen,
        lost=_lost(
            input_chip,
            _StarsOnChip(index, x, y, stars.snr[index] > _WIDE_SNR),
            _Surroundings(around, bad & core_seen[:, None, None]),
            unusable=unusable,
            jacobian=jacobian,
            scale=frame.scale,
        ),
        rays=RayStatistics(
            chip=input_chip.chip,
            rays=count_rays(sci, mask, noise.gain),
            star=index,
            weight=input_chip.weight,
            electrons=electrons,
            floor=noise.floor + max(level / input_chip.factor * noise.gain, 0.0),
            pixel=pixel,
            scale=frame.scale,
            prediction_error=rays.core_error.get(input_chip.root, {}).get(input_chip.chip, math.nan),
        ),
        samples=ProfileSamples(
            input_chip.chip,
            around.of(bright).distance.ravel() * frame.scale,
            (rate / flux).ravel(),
            (noise.variance(dn) * (unit / flux) ** 2).ravel(),
        ),
    )


def _on_peaks(
    peaks: NDArray[np.intp] | None, x: FloatArray, y: FloatArray, *, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which places lie within a pixel of one of some peaks, flat indices."""
    result = np.zeros(x.size, np.bool_)
    if peaks is None:
        return result
    marked = np.zeros(shape, np.bool_)
    marked.ravel()[peaks] = True
    column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    result[inside] = grow(marked, 1)[row[inside], column[inside]]
    return result


def _winged(
    view: ChipView, unusable: _Unusable, hit: NDArray[np.bool_], *, x: FloatArray, y: FloatArray
) -> NDArray[np.bool_]:
    """Return which of the stars that were hit have wings on all sides."""
    result = np.zeros(hit.size, np.bool_)
    sci, noise = view.chip.sci, view.noise
    ny, nx = sci.shape
    column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    struck = np.flatnonzero(hit & (column >= 0) & (column < nx) & (row >= 0) & (row < ny))
    if struck.size:
        off = unusable.rays | ((unusable.dq & unusable.refused) != 0)
        sigma = math.sqrt(noise.floor) / noise.gain
        wings = measure_wings(sci, off, row=row[struck], column=column[struck], scale=view.frame.scale, sigma=sigma)
        result[struck] = wings.clear
    return result


class _StarsOnChip(NamedTuple):
    """Stars by their number in the list, where they lie on a chip [0-based pixel], and which are bright."""

    number: NDArray[np.intp]
    x: FloatArray
    y: FloatArray
    bright: NDArray[np.bool_]


class _Surroundings(NamedTuple):
    """Pixels around stars, and which of them the stars lost."""

    window: Window
    bad: NDArray[np.bool_]


class _Unusable(NamedTuple):
    """What makes pixels of a chip unusable: cosmic rays ``(ny, nx)``, and the bits of `dq` that are refused."""

    rays: NDArray[np.bool_]
    dq: NDArray[np.uint16]
    refused: np.uint16

    def within(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels around stars are unusable, or off the chip."""
        rayed, bits = window.cut(self.rays), window.cut(self.dq)
        return np.asarray(rayed | ((bits & self.refused) != 0) | ~window.inside)


def _lost(
    input_chip: InputChip,
    stars: _StarsOnChip,
    near: _Surroundings,
    *,
    unusable: _Unusable,
    jacobian: FloatArray,
    scale: float,
) -> tuple[LostPixels, ...]:
    """List what stars lost: in the core; farther out, too, where bright ones lost a line."""
    index, x, y, bright = stars
    around, bad = near
    many = bright & (bad.sum(axis=(1, 2)) >= bad.shape[1])
    parts = [lost_pixels(input_chip, index, around, bad=bad & ~many[:, None, None], jacobian=jacobian, scale=scale)]
    if many.any():
        wide = Window.around(x[many], y[many], round(WIDE_ARCSEC / scale), shape=unusable.rays.shape)
        lost = unusable.within(wide)
        parts.append(
            lost_pixels(
                input_chip,
                index[many],
                wide,
                bad=lost & (wide.distance * scale < WIDE_ARCSEC),
                jacobian=jacobian,
                scale=scale,
            )
        )
    return tuple(part for part in parts if part is not None)
