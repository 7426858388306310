"""Files of single exposures: each drizzled by itself, all of them combined, and what each chip should see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.geometry.mapping import chip_map
from mizzle.io.incumbent_files import write_image
from mizzle.io.products import grid_cards
from mizzle.kernel import blot_chip
from mizzle.kernel.stack import StackRule, reduce_stack
from mizzle.model import CosmicRays, Exposure, Grid, Mosaic, Result, Runner
from mizzle.settings import Settings
from mizzle.steps.combine import combine

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Singles:
    """Each exposure of a result by itself, its cosmic rays left in.

    Parameters
    ----------
    exposures : tuple of Exposure
        In the order of the result.
    mosaics : tuple of Mosaic
        One for each.
    grid : Grid
        Of all of them.
    """

    exposures: tuple[Exposure, ...]
    mosaics: tuple[Mosaic, ...]
    grid: Grid

    @property
    def number(self) -> Image:
        """How many exposures have a value at each pixel."""
        number = np.zeros(self.grid.shape, np.float32)
        for mosaic in self.mosaics:
            number += np.isfinite(mosaic.sci)
        return number


def stem(exposure: Exposure) -> str:
    """Return a file's name without ``.fits``."""
    return Path(exposure.path).name.removesuffix(".gz").removesuffix(".fits")


def drizzle_singles(result: Result, grid: Grid, settings: Settings, runner: Runner) -> Singles:
    """Drizzle each exposure by itself on a grid, once for all files that are made of it."""
    nothing = CosmicRays({}, {}, {})

    def single(exposure: Exposure) -> Mosaic:
        return combine(
            [exposure],
            result.alignment,
            result.flux_scales,
            sky=result.sky,
            cosmic_rays=nothing,
            grid=grid,
            settings=settings,
            runner=runner,
        )

    return Singles(tuple(result.exposures), tuple(single(exposure) for exposure in result.exposures), grid)


def write_singles(singles: Singles, settings: Settings) -> None:
    """Write each exposure by itself: ``STEM_single_sci.fits`` and ``_wht``."""
    for exposure, mosaic in zip(singles.exposures, singles.mosaics, strict=True):
        cards: list[tuple[str, Any, str]] = [
            ("ROOTNAME", exposure.root, "exposure"),
            ("EXPTIME", exposure.exptime, "[s]"),
        ]
        cards += [("PHOTFLAM", mosaic.photflam, "inverse sensitivity"), *grid_cards(singles.grid)]
        fill = settings.combine.fill
        sci = mosaic.sci if fill is None else np.where(mosaic.wht > 0, mosaic.sci, np.float32(fill))
        start = stem(exposure).removesuffix("_flt").removesuffix("_flc")
        write_image(f"{start}_single_sci.fits", sci, [("BUNIT", "COUNTS/S", "rate"), *cards])
        write_image(f"{start}_single_wht.fits", mosaic.wht, cards)


def combined(singles: Singles, settings: Settings) -> Image:
    """Return one image of the singles [DN/s], by the rule of ``reject.combine``; NaN where none has a value."""
    stack = np.stack([mosaic.sci for mosaic in singles.mosaics])
    image = np.full(singles.grid.shape, np.nan, np.float32)
    if len(stack) > 1:
        reduce_stack(stack, slice(0, singles.grid.shape[0]), _rule(singles, settings), image)
    # What a single exposure alone saw is the best there is.
    return np.where(singles.number == 1, np.nansum(stack, axis=0), image).astype(np.float32)


def _rule(singles: Singles, settings: Settings) -> StackRule:
    """Return how a stack is combined, with the noise of each image: that of its sky, and the light's own."""
    own = settings.reject
    known = [mosaic.err[np.isfinite(mosaic.err)] for mosaic in singles.mosaics]
    floor = [np.median(err) ** 2 if err.size else 1.0 for err in known]
    slope = [1.0 / (min(c.gain for c in e.chips.values()) * e.exptime) for e in singles.exposures]
    noise = np.array(floor, np.float32), np.array(slope, np.float32)
    return StackRule(own.combine, *noise, own.combine_sigma, own.combine_structure, own.nlow, own.nhigh)


def write_blots(result: Result, image: Image, grid: Grid) -> None:
    """Write what each chip should see of an image: ``STEM_scin_blt.fits``."""
    for exposure in result.exposures:
        for number, (chip, light) in enumerate(expected_chips(exposure, result, grid, image).items(), 1):
            header = [("EXPNAME", exposure.root, "exposure"), ("CHIP", chip, "chip"), ("BUNIT", "COUNTS", "sky added")]
            write_image(f"{stem(exposure)}_sci{number}_blt.fits", light, header)


def expected_chips(exposure: Exposure, result: Result, grid: Grid, image: Image) -> dict[str, Image]:
    """Return what the chips of an exposure should hold [DN], sky included, where `image` [DN/s] is the sky's light."""
    expected = {}
    for name in exposure.chips:
        frame = result.alignment.frame(exposure, name)
        unit = exposure.exptime * (frame.side / grid.scale) ** 2
        light = blot_chip(np.nan_to_num(image), chip_map(frame, grid), interp="poly5") * np.float32(unit)
        level = result.sky.levels[exposure.root][name]
        expected[name] = (light + np.float32(level)) / np.float32(result.flux_scales.factors[exposure.root][name])
    return expected
