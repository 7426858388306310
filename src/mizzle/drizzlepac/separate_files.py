"""Files of single exposures: each drizzled by itself, all of them combined, and what each chip should see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.arrays import Image
from mizzle.geometry.mapping import chip_map
from mizzle.io.header_cards import grid_cards
from mizzle.io.incumbent_files import write_image
from mizzle.kernel import blot_chip
from mizzle.kernel.stack import StackRule, reduce_stack
from mizzle.model import CosmicRays, Exposure, Grid, Mosaic, Result, Runner
from mizzle.settings import Settings
from mizzle.steps.combine import combine


@dataclass(frozen=True, eq=False)
class Singles:
    """Images of single exposures on one grid, their cosmic rays left in.

    Parameters
    ----------
    images : (n, ny, nx) float32 array
        Rates [DN/s], NaN where unknown.
    floor, slope : (n,) float32 array
        Variance of each: that of its sky, and of its light, ``slope`` times the rate.
    """

    images: Image
    floor: Image
    slope: Image

    @property
    def number(self) -> Image:
        """How many exposures have a value at each pixel."""
        number = np.zeros(self.images.shape[1:], np.float32)
        for image in self.images:
            number += np.isfinite(image)
        return number


def stem(exposure: Exposure) -> str:
    """Return a file's name without ``.fits``."""
    return Path(exposure.path).name.removesuffix(".gz").removesuffix(".fits")


def drizzle_singles(
    result: Result, grid: Grid, settings: Settings, *, runner: Runner, write: bool, keep: bool
) -> Singles | None:
    """Drizzle each exposure by itself on a grid, one after the other.

    Parameters
    ----------
    result : Result
        Exposures, and what is known of them.
    grid : Grid
        Pixels of the single images.
    settings : Settings
        Kernel, weights, good pixels.
    runner : Runner
        Threads.
    write : bool
        Write each exposure: ``STEM_single_sci.fits`` and ``_wht``.
    keep : bool
        Return the images: they are held in memory together.
    """
    nothing = CosmicRays({}, {}, {})
    count = len(result.exposures) if keep else 0
    images = np.empty((count, *grid.shape), np.float32)
    floor = np.ones(count, np.float32)
    for number, exposure in enumerate(result.exposures):
        mosaic = combine(
            [exposure],
            result.alignment,
            result.flux_scales,
            sky=result.sky,
            cosmic_rays=nothing,
            grid=grid,
            settings=settings,
            runner=runner,
        )
        if write:
            _write_single(exposure, mosaic, settings.combine.fill, runner=runner)
        if keep:
            images[number] = mosaic.sci
            known = mosaic.err[np.isfinite(mosaic.err)]
            floor[number] = np.median(known) ** 2 if known.size else 1.0
        del mosaic  # before the sums of the next need memory
    slope = [1.0 / (min(c.gain for c in e.chips.values()) * e.exptime) for e in result.exposures]
    return Singles(images, floor, np.array(slope, np.float32)) if keep else None


def _write_single(exposure: Exposure, mosaic: Mosaic, fill: float | None, *, runner: Runner) -> None:
    """Write one exposure by itself."""
    cards: list[tuple[str, Any, str]] = [
        ("ROOTNAME", exposure.root, "exposure"),
        ("EXPTIME", exposure.exptime, "[s]"),
    ]
    cards += [("PHOTFLAM", mosaic.photflam, "inverse sensitivity"), *grid_cards(mosaic.grid)]
    sci = mosaic.sci if fill is None else np.where(mosaic.wht > 0, mosaic.sci, np.float32(fill))
    start = stem(exposure).removesuffix("_flt").removesuffix("_flc")
    planes = {"sci": (sci, [("BUNIT", "COUNTS/S", "rate"), *cards]), "wht": (mosaic.wht, cards)}
    runner.map(lambda plane: write_image(f"{start}_single_{plane}.fits", *planes[plane]), planes)


def combined(singles: Singles, settings: Settings) -> Image:
    """Return one image of the singles [DN/s], by the rule of ``reject.combine``; NaN where none has a value."""
    own, stack = settings.reject, singles.images
    image = np.full(stack.shape[1:], np.nan, np.float32)
    if len(stack) > 1:
        noise = singles.floor, singles.slope
        rule = StackRule(own.combine, *noise, own.combine_sigma, own.combine_structure, own.nlow, own.nhigh)
        reduce_stack(stack, slice(0, stack.shape[1]), rule, image)
    # What a single exposure alone saw is the best there is.
    return np.where(singles.number == 1, np.nansum(stack, axis=0), image).astype(np.float32)


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
