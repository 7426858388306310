"""What each exposure knows of a star: where it fell, whether it was saturated or hit, what its transfer cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.cte import dolphin_2009
from mizzle.instrument.dq import ALL_BITS, SATURATED, good_bits
from mizzle.instrument.noise import noise_model
from mizzle.model import Alignment, CosmicRays, Exposure, FluxScales, InputChip, Mosaic, Runner, SkyLevels
from mizzle.settings import CatalogSettings, Settings

FloatArray = NDArray[np.float64]

_CORE = 2  # pixels around the center that make a star saturated
_SIDE = 800.0
_WF_SCALE = 0.0996


@dataclass(frozen=True, eq=False)
class StarLight:
    """What is known of the stars before their exposures are asked.

    Parameters
    ----------
    ra, dec : (n,) array
        Positions [deg].
    flux : (n,) array
        Within 0.5 arcsec [DN/s at the reference zeropoint].
    sky : (n,) array
        Left on the product, per square arcsec [DN/s].
    """

    ra: FloatArray
    dec: FloatArray
    flux: FloatArray
    sky: FloatArray


@dataclass(frozen=True, eq=False)
class InputFacts:
    """What the exposures know, put together.

    Parameters
    ----------
    n_exposures : (n,) int array
        Exposures that reach the star's pixel.
    chip : (n,) str array
        Chip with most of the weight; empty where none.
    saturated, hit : (n,) bool array
        In any exposure; in more than half of them.
    cte : (n,) array
        Magnitudes to subtract.
    lost : (n,) array
        Share of the weight that lost pixels near the center: of the core's, root of the sum of squares over inputs.
    lost_near : (n,) array
        The same for pixels around the core.
    missed : (n,) array
        Variance by cosmic rays that nobody could tell from the star's own core [(DN/s)**2].
    """

    n_exposures: NDArray[np.int64]
    chip: NDArray[np.str_]
    saturated: NDArray[np.bool_]
    hit: NDArray[np.bool_]
    cte: FloatArray
    lost: FloatArray
    lost_near: FloatArray
    missed: FloatArray


def members(mosaic: Mosaic, x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
    """Return which inputs reach each star's central pixel: ``(n_inputs, n)``.

    Parameters
    ----------
    mosaic : Mosaic
        Its context.
    x, y : (n,) array
        Positions [0-based pixel], on the image.
    """
    planes = mosaic.ctx if mosaic.ctx.ndim == 3 else mosaic.ctx[None]
    bits = planes[:, np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)].view(np.uint32)
    rows = [(bits[i // 32] >> np.uint32(i % 32)) & np.uint32(1) for i in range(len(mosaic.inputs))]
    return np.array(rows, dtype=np.bool_).reshape(len(mosaic.inputs), x.size)


def main_chip(inputs: Sequence[InputChip], member: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return the chip that gives each star most of its weight."""
    names = list(dict.fromkeys(one.chip for one in inputs))
    weights = np.zeros((len(names), member.shape[1]))
    for one, mine in zip(inputs, member, strict=True):
        weights[names.index(one.chip)] += one.weight * mine
    best = np.array([*names, ""], dtype="U3")[np.argmax(weights, axis=0)]
    return np.where(weights.sum(axis=0) > 0, best, "").astype("U3")


def facts(
    mosaic: Mosaic,
    stars: StarLight,
    member: NDArray[np.bool_],
    exposures: Sequence[Exposure],
    solutions: tuple[Alignment, FluxScales, SkyLevels, CosmicRays],
    settings: Settings,
    runner: Runner,
) -> InputFacts:
    """Ask every exposure and chip about the stars it holds.

    Parameters
    ----------
    mosaic : Mosaic
        Its inputs.
    stars : StarLight
        The stars.
    member : (n_inputs, n) array
        From `members`.
    exposures : sequence of Exposure
        Of the mosaic.
    solutions : tuple
        Alignment, flux scales, sky levels, cosmic rays.
    settings : Settings
        ``catalog.cte``, ``catalog.missed_ray``, ``catalog.missed_flux``.
    runner : Runner
        Where chips are asked.
    """
    by_root = {exposure.root: exposure for exposure in exposures}
    items = [(one, np.flatnonzero(mine)) for one, mine in zip(mosaic.inputs, member, strict=True)]
    answers = runner.map(lambda item: _ask(by_root[item[0].root], item[0], item[1], stars, solutions, settings), items)
    n = stars.ra.size
    roots = list(dict.fromkeys(one.root for one in mosaic.inputs))
    seen = np.zeros((len(roots), n), dtype=np.bool_)
    hits, saturated = np.zeros(n), np.zeros(n, dtype=np.bool_)
    weight, kept, lost, lost_near, missed = (np.zeros(n) for _ in range(5))
    for (one, index), (full, hit, core, near, cte, ray) in zip(items, answers, strict=True):
        seen[roots.index(one.root), index] = True
        saturated[index] |= full
        hits[index] += hit
        weight[index] += one.weight
        kept[index] += one.weight * 10.0 ** (-0.4 * cte)
        # Large pixels take more of a star with them when they are lost.
        size = one.weight * np.sqrt(one.frame_scale / _WF_SCALE)
        lost[index] += core * size**2
        lost_near[index] += near * size**2
        missed[index] += one.weight**2 * ray
    share = np.divide(kept, weight, out=np.ones(n), where=weight > 0)
    return InputFacts(
        n_exposures=seen.sum(axis=0).astype(np.int64),
        chip=main_chip(mosaic.inputs, member),
        saturated=saturated,
        hit=hits > 0.5 * np.maximum(member.sum(axis=0), 1),
        cte=-2.5 * np.log10(share) + 0.0,
        lost=np.sqrt(lost) / np.maximum(weight, 1e-300),
        lost_near=np.sqrt(lost_near) / np.maximum(weight, 1e-300),
        missed=missed / np.maximum(weight, 1e-150) ** 2,
    )


def _ask(
    exposure: Exposure,
    one: InputChip,
    index: NDArray[np.intp],
    stars: StarLight,
    solutions: tuple[Alignment, FluxScales, SkyLevels, CosmicRays],
    settings: Settings,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64], FloatArray, FloatArray]:
    """Return, for stars of one chip: saturated, hit, lost core, number lost near it, CTE loss [mag], missed rays."""
    alignment, _, sky, rays = solutions
    if index.size == 0:
        none = np.zeros(0, np.bool_)
        return none, none, none, np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    chip = exposure.chips[one.chip]
    frame = alignment.frame(exposure, one.chip)
    x, y = frame.sky_to_pixel(stars.ra[index], stars.dec[index], iterations=5)  # good to 1e-5 pixel
    bits = _around(chip.dq, x, y, _CORE)
    mask = rays.mask(one.root, one.chip, chip.shape)
    rayed = _around(mask, x, y, _CORE)
    bad = rayed | ((bits & np.uint16(ALL_BITS & ~good_bits(settings.dq.good))) != 0)
    core = slice(_CORE - 1, _CORE + 2)
    saturated: NDArray[np.bool_] = np.any(bits & np.uint16(SATURATED), axis=(1, 2))
    hit: NDArray[np.bool_] = np.any(rayed[:, core, core], axis=(1, 2))
    lost: NDArray[np.bool_] = np.any(bad[:, core, core], axis=(1, 2))
    near: NDArray[np.int64] = bad.sum(axis=(1, 2)) - bad[:, core, core].sum(axis=(1, 2))
    gain = noise_model(exposure, chip, settings.noise).gain
    electrons = exposure.exptime / one.factor * gain
    missed = _missed(stars.flux[index] * electrons, float(mask.mean()), settings.catalog) / electrons**2
    if not corrects_cte(exposure, settings.catalog.cte):
        return saturated, hit, lost, near, np.zeros(index.size), missed
    area = chip.frame.scale**2
    background = sky.levels[one.root][one.chip] / one.factor * gain + stars.sky[index] * area * electrons
    binning = _SIDE / max(chip.shape) if max(chip.shape) in (400, 800) else 1.0
    cte = dolphin_2009(
        (x + 0.5) * binning - 0.5,
        (y + 0.5) * binning - 0.5,
        np.maximum(stars.flux[index] * electrons, 1.0),
        np.maximum(background / binning**2, 0.0),
        0.5 * (exposure.mjd_start + exposure.mjd_end),
    )
    return saturated, hit, lost, near, cte, missed


def _missed(light: FloatArray, share: float, options: CatalogSettings) -> FloatArray:
    """Return the variance by missed cosmic rays in one exposure [electron**2].

    A star's core is compared with a tolerance that grows with its light, so rays hide there: more and larger ones the
    brighter the star, up to the size that rays have.

    Parameters
    ----------
    light : (n,) array
        Of the stars [electron].
    share : float
        Of the chip's pixels masked as rays: tells how many there are.
    options : CatalogSettings
        ``missed_ray`` and ``missed_flux``.
    """
    bright = np.square(np.maximum(light, 0.0) / options.missed_flux)
    hidden: FloatArray = share * options.missed_ray**2 * bright / (1.0 + bright)
    return hidden


def corrects_cte(exposure: Exposure, choice: str) -> bool:
    """Return whether `exposure` is corrected: ``auto`` leaves out data simulated without the loss (CTELOSS = F)."""
    return choice == "dolphin2009" or (choice == "auto" and exposure.keyword("CTELOSS", True) is not False)


def _around(image: NDArray[Any], x: FloatArray, y: FloatArray, reach: int) -> NDArray[Any]:
    """Return the pixels within `reach` of each position: ``(n, 2 reach + 1, 2 reach + 1)``."""
    ny, nx = image.shape
    step = np.arange(-reach, reach + 1)
    columns = np.clip(np.rint(x).astype(np.int64)[:, None, None] + step[None, None, :], 0, nx - 1)
    rows = np.clip(np.rint(y).astype(np.int64)[:, None, None] + step[None, :, None], 0, ny - 1)
    around: NDArray[Any] = image[rows, columns]
    return around
