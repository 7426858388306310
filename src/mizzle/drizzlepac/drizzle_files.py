"""The files that callers of AstroDrizzle open afterwards, and the marks it leaves in its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mizzle.drizzlepac.product_keywords import call_cards
from mizzle.geometry.keywords import Card
from mizzle.geometry.mapping import chip_map
from mizzle.io.incumbent_files import second_name, write_image
from mizzle.io.input_table import whole_table
from mizzle.io.products import grid_cards, product_cards, product_image, write_mosaic
from mizzle.io.rewriting import chip_units, rewriting
from mizzle.kernel import blot_chip
from mizzle.kernel.stack import StackRule, reduce_stack
from mizzle.model import CosmicRays, Exposure, Grid, Mosaic, Result, Runner
from mizzle.settings import Settings
from mizzle.steps.combine import combine
from mizzle.translation.parameters import Values

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Names:
    """How the products are called: ``PREFIX_sci.fits`` and so on, or one file ``PREFIX.fits``."""

    prefix: str
    build: bool
    alias: str = ""

    def of(self, plane: str) -> str:
        """Return the file of one plane."""
        return f"{self.prefix}_{plane}.fits"


def names_of(output: str, paths: Sequence[Path], *, build: bool) -> Names:
    """Return the names of the products.

    An output without ending gets ``_drw`` (one ending in ``.fits`` keeps its name). Where the caller gave none, the
    planes answer to ``final_drz_...`` too, as older notebooks call them.
    """
    if not output:
        first = paths[0].name.removesuffix(".gz").removesuffix(".fits")
        root = "final" if len(paths) > 1 else first.rsplit("_", 1)[0]
        return Names(f"{root}_drw", build, f"{root}_drz")
    if output.lower().endswith(".fits"):
        return Names(output[:-5], build)
    return Names(output if output.endswith(("_drw", "_drz", "_drc")) else f"{output}_drw", build)


def write_product(result: Result, names: Names, values: Values) -> None:
    """Write the mosaic: one file, or SCI, WHT and CTX each as the image of a file's PRIMARY."""
    (band,) = result.mosaics
    mosaic, proof = result.mosaics[band], result.zeropoints[band]
    units: Literal["counts", "rate"] = "counts" if values.text("final_units").lower() == "counts" else "rate"
    if names.build:
        files = {plane: f"{names.prefix}.fits[{plane.upper()},1]" for plane in ("sci", "wht", "ctx")}
        more = call_cards(mosaic, result.exposures, values, files)
        write_mosaic(
            f"{names.prefix}.fits",
            mosaic,
            result.exposures,
            zeropoint=proof,
            extra=more,
            units=units,
            all_keywords=True,
        )
        return
    cards = product_cards(mosaic, list(result.exposures), proof, units=units)
    table = whole_table(mosaic, result.exposures)
    planes: list[tuple[str, Any]] = [("sci", product_image(mosaic, units)), ("wht", mosaic.wht)]
    if values.flag("context"):
        planes.append(("ctx", mosaic.ctx))
    files = {plane: names.of(plane) for plane in ("sci", "wht", "ctx")}
    for plane, image in planes:
        more = call_cards(mosaic, result.exposures, values, files, plane)
        path = write_image(names.of(plane), image, _joined(cards, more), table=table)
        if names.alias:
            second_name(path, f"{names.alias}_{plane}.fits")


def _joined(cards: list[Card], more: list[Card]) -> list[Card]:
    """Return cards with others added; of two with one keyword the latter counts, where the first stood."""
    latter = {card[0]: card for card in more}
    return [latter.pop(card[0], card) for card in cards] + list(latter.values())


def stem(exposure: Exposure) -> str:
    """Return a file's name without ``.fits``."""
    return Path(exposure.path).name.removesuffix(".gz").removesuffix(".fits")


def _single(exposure: Exposure, result: Result, grid: Grid, settings: Settings, runner: Runner) -> Mosaic:
    """Return one exposure by itself on a grid, its rays left in."""
    nothing = CosmicRays({}, {}, {})
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


def write_singles(result: Result, grid: Grid, settings: Settings, runner: Runner) -> None:
    """Write each exposure by itself: ``STEM_single_sci.fits`` and ``_wht``."""
    for exposure in result.exposures:
        one = _single(exposure, result, grid, settings, runner)
        cards: list[tuple[str, Any, str]] = [
            ("ROOTNAME", exposure.root, "exposure"),
            ("EXPTIME", exposure.exptime, "[s]"),
        ]
        cards += [("PHOTFLAM", one.photflam, "inverse sensitivity"), *grid_cards(grid)]
        fill = settings.combine.fill
        sci = one.sci if fill is None else np.where(one.wht > 0, one.sci, np.float32(fill))
        start = stem(exposure).removesuffix("_flt").removesuffix("_flc")
        write_image(f"{start}_single_sci.fits", sci, [("BUNIT", "COUNTS/S", "rate"), *cards])
        write_image(f"{start}_single_wht.fits", one.wht, cards)


def write_reference(
    result: Result, grid: Grid, settings: Settings, runner: Runner, wanted: tuple[Names, set[str]]
) -> None:
    """Write the combined singles, ``PREFIX_med.fits``, and what each chip should see, ``STEM_scin_blt.fits``."""
    names, asked = wanted
    stack = np.stack([_single(e, result, grid, settings, runner).sci for e in result.exposures])
    median = np.empty(grid.shape, np.float32)
    own = settings.reject
    flat = np.ones(len(stack), np.float32)
    rule = StackRule("median", flat, 0 * flat, own.combine_sigma, own.combine_structure, own.nlow, own.nhigh)
    reduce_stack(stack, slice(0, grid.shape[0]), rule, median)
    if "median" in asked:
        write_image(names.of("med"), median, grid_cards(grid))
    if "blot" not in asked:
        return
    for exposure in result.exposures:
        for number, (chip, image) in enumerate(_expected(exposure, result, grid, median).items(), 1):
            header = [("EXPNAME", exposure.root, "exposure"), ("CHIP", chip, "chip"), ("BUNIT", "COUNTS", "sky added")]
            write_image(f"{stem(exposure)}_sci{number}_blt.fits", image, header)


def _expected(exposure: Exposure, result: Result, grid: Grid, image: Image) -> dict[str, Image]:
    """Return what the chips of an exposure should hold [DN], sky included, where `image` [DN/s] is the sky's light."""
    found = {}
    for name in exposure.chips:
        frame = result.alignment.frame(exposure, name)
        unit = exposure.exptime * (frame.side / grid.scale) ** 2
        light = blot_chip(np.nan_to_num(image), chip_map(frame, grid), interp="poly5") * np.float32(unit)
        level = result.sky.levels[exposure.root][name]
        found[name] = (light + np.float32(level)) / np.float32(result.flux_scales.factors[exposure.root][name])
    return found


def write_ray_masks(result: Result) -> None:
    """Write the cosmic rays of each chip: ``STEM_scin_crmask.fits``, 1 for a good pixel, 0 for a ray."""
    for exposure in result.exposures:
        for number, (name, chip) in enumerate(exposure.chips.items(), 1):
            good = (~result.cosmic_rays.mask(exposure.root, name, chip.shape)).astype(np.uint8)
            write_image(f"{stem(exposure)}_sci{number}_crmask.fits", good, [("CHIP", name, "1 good, 0 cosmic ray")])


def write_cleaned(result: Result, settings: Settings) -> None:
    """Write a copy of each input with the light of the product in place of cosmic rays: ``STEM_crclean.fits``."""
    (mosaic,) = result.mosaics.values()
    for exposure in result.exposures:
        expected = _expected(exposure, result, mosaic.grid, mosaic.sci)
        start = stem(exposure)
        with rewriting(exposure.path, to=Path(exposure.path).with_name(f"{start}_crclean.fits")) as hdus:
            for name, unit in chip_units(hdus).items():
                rays = result.cosmic_rays.mask(exposure.root, name, unit.data.shape)
                unit.data = np.where(rays, expected[name], unit.data).astype(np.float32)


def mark_inputs(result: Result, bit: int, *, rays: bool) -> None:
    """Write the sky (MDRIZSKY) into each input, and the rays' bit into its data quality."""
    for exposure in result.exposures:
        quality = [Path(name) for name in exposure.files if Path(name) != Path(exposure.path)]
        with rewriting(exposure.path) as hdus:
            for name, unit in chip_units(hdus).items():
                if name in result.sky.levels[exposure.root]:
                    factor = result.flux_scales.factors[exposure.root][name]
                    unit.header["MDRIZSKY"] = (result.sky.levels[exposure.root][name] / factor, "sky subtracted")
            if rays and bit and not quality:
                _mark(hdus, exposure, result, bit)
        if rays and bit and quality:
            with rewriting(quality[0]) as hdus:
                _mark(hdus, exposure, result, bit)


def _mark(hdus: Any, exposure: Exposure, result: Result, bit: int) -> None:
    """Put the rays' bit where rays are, and nowhere else."""
    for name, unit in chip_units(hdus, ("DQ", "SDQ", *(("SCI",) if _is_quality(hdus) else ()))).items():
        mask = result.cosmic_rays.mask(exposure.root, name, unit.data.shape)
        kind = unit.data.dtype
        plain = unit.data.astype(np.int32) & ~bit
        unit.data = np.where(mask, plain | bit, plain).astype(kind)


def _is_quality(hdus: Any) -> bool:
    """Return whether the images of a file are data quality, under whatever name."""
    units = chip_units(hdus)
    return not chip_units(hdus, ("DQ",)) and all(unit.data.dtype.kind in "iu" for unit in units.values())
