"""The files that callers of AstroDrizzle open afterwards, and the marks it leaves in its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mizzle.drizzlepac.product_keywords import call_cards
from mizzle.drizzlepac.separate_files import expected_chips, stem
from mizzle.geometry.keywords import Card
from mizzle.io.editable import EditableFile
from mizzle.io.incumbent_files import second_name, write_image
from mizzle.io.input_table import input_table
from mizzle.io.product_cards import product_cards
from mizzle.io.products import product_image, write_mosaic
from mizzle.io.rewriting import chip_units, rewriting
from mizzle.model import Exposure, Result, Runner
from mizzle.translation.parameters import Values


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
    table = input_table(mosaic, result.exposures, all_keywords=True)
    planes: list[tuple[str, Any]] = [("sci", product_image(mosaic, units)), ("wht", mosaic.wht)]
    if values.flag("context"):
        planes.append(("ctx", mosaic.context))
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


def write_ray_masks(result: Result, runner: Runner) -> None:
    """Write the cosmic rays of each chip: ``STEM_scin_crmask.fits``, 1 for a good pixel, 0 for a ray."""

    def write(exposure: Exposure) -> None:
        for number, (name, chip) in enumerate(exposure.chips.items(), 1):
            good = (~result.cosmic_rays.mask(exposure.root, name, chip.shape)).astype(np.uint8)
            write_image(f"{stem(exposure)}_sci{number}_crmask.fits", good, [("CHIP", name, "1 good, 0 cosmic ray")])

    runner.map(write, result.exposures)


def write_cleaned(result: Result, runner: Runner) -> None:
    """Write a copy of each input with the light of the product in place of cosmic rays: ``STEM_crclean.fits``."""
    (mosaic,) = result.mosaics.values()

    def write(exposure: Exposure) -> None:
        expected = expected_chips(exposure, result, mosaic.grid, mosaic.sci)
        with rewriting(exposure.path, to=Path(exposure.path).with_name(f"{stem(exposure)}_crclean.fits")) as hdus:
            for name, unit in chip_units(hdus).items():
                rays = result.cosmic_rays.mask(exposure.root, name, unit.data.shape)
                unit.data = np.where(rays, expected[name], unit.data).astype(np.float32)

    runner.map(write, result.exposures)


def mark_inputs(result: Result, bit: int, *, rays: bool, runner: Runner) -> None:
    """Write the sky (MDRIZSKY) into each input, and the rays' bit into its data quality."""

    def mark(exposure: Exposure) -> None:
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

    runner.map(mark, result.exposures)


def _mark(hdus: EditableFile, exposure: Exposure, result: Result, bit: int) -> None:
    """Put the rays' bit where rays are, and nowhere else."""
    for name, unit in chip_units(hdus, ("DQ", "SDQ", *(("SCI",) if _is_quality(hdus) else ()))).items():
        mask = result.cosmic_rays.mask(exposure.root, name, unit.data.shape)
        kind = unit.data.dtype
        plain = unit.data.astype(np.int32) & ~bit
        unit.data = np.where(mask, plain | bit, plain).astype(kind)


def _is_quality(hdus: EditableFile) -> bool:
    """Return whether the images of a file are data quality, under whatever name."""
    units = chip_units(hdus)
    return not chip_units(hdus, ("DQ",)) and all(unit.header["BITPIX"] > 0 for unit in units.values())
