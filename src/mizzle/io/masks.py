"""Masks that users bring for exposures: FITS images, or DS9 regions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mizzle.arrays import Mask
from mizzle.errors import InputError, SettingsError
from mizzle.geometry.regions import region_mask
from mizzle.io.fitsfile import FitsFile
from mizzle.io.regular import is_gzip, local_path, open_regular
from mizzle.io.tables import read_sky_exclusions
from mizzle.model import Exposure
from mizzle.model.user_tables import SkyRegion


def named_files(texts: Sequence[str], setting: str) -> list[tuple[str, str]]:
    """Split ``ROOT=FILE`` texts into rootname, lower case, and file.

    Raises
    ------
    SettingsError
        One is no such text.
    """
    pairs = []
    for text in texts:
        root, equals, name = text.partition("=")
        root = re.split(r"[_.]", Path(root.strip()).name.lower())[0]
        if not (equals and root and name.strip()):
            raise SettingsError(f"{setting}: {text!r} is not ROOT=FILE", text=text)
        pairs.append((root, name.strip()))
    return pairs


def read_masks(texts: Sequence[str], exposures: Sequence[Exposure]) -> dict[str, dict[str, Mask]]:
    """Read the masks that ``dq.masks`` names.

    Parameters
    ----------
    texts : sequence of str
        ``ROOT=FILE`` each.
    exposures : sequence of Exposure
        Whose masks they are.

    Returns
    -------
    masks : dict
        ``masks[root][chip]``: ``(ny, nx)`` bool, True where a pixel is bad; several files of an exposure add up.

    Raises
    ------
    SettingsError
        A mask for an exposure that is not there.
    InputError
        A file is neither a FITS mask of the chips' size nor DS9 regions.
    """
    known = {exposure.root: exposure for exposure in exposures}
    masks: dict[str, dict[str, Mask]] = {}
    for root, name in named_files(texts, "dq.masks"):
        if root not in known:
            raise SettingsError(
                f"dq.masks: {root} is not among the exposures: {', '.join(known)}", root=root, exposures=tuple(known)
            )
        chip_masks = masks.setdefault(root, {})
        for chip, mask in _read_mask(name, known[root]).items():
            chip_masks[chip] = chip_masks[chip] | mask if chip in chip_masks else mask
    return masks


def _read_mask(name: str, exposure: Exposure) -> dict[str, Mask]:
    """Read one file: FITS by its first bytes, else regions."""
    path = local_path(name)
    with open_regular(path) as stream:
        head = stream.read(9)
    if head.startswith(b"SIMPLE") or is_gzip(head):
        return _images(path, exposure)
    regions: tuple[SkyRegion, ...] = read_sky_exclusions(path)
    if not regions:
        raise InputError(f"{path}: no region in it", file=str(path))
    return {chip: region_mask(regions, exposure.root, chip, frame=part.frame) for chip, part in exposure.chips.items()}


def _images(path: Path, exposure: Exposure) -> dict[str, Mask]:
    """Read a FITS mask: an image for each chip, or one image for an exposure of one chip."""
    masks: dict[str, Mask] = {}
    for chip, image in chip_images(path, exposure):
        mask = image != 0  # NaN is not zero
        masks[chip] = masks[chip] | mask if chip in masks else mask
    return masks


def chip_images(path: Path, exposure: Exposure, *, what: str = "mask") -> list[tuple[str, NDArray[Any]]]:
    """Return the images of a FITS file for the chips of an exposure: those with DETECTOR or EXTVER, or a single one.

    Raises
    ------
    InputError
        No image is for a chip, or one is of another size.
    """
    file = FitsFile(path)
    images = [unit for unit in file.units if len(unit.shape) == 2]
    of_chips: list[tuple[str, NDArray[Any]]] = []
    for unit in images:
        chip = _chip_of(unit.header, exposure)
        if len(images) == 1 and len(exposure.chips) == 1:
            chip = next(iter(exposure.chips))
        if chip is None or chip not in exposure.chips:
            continue
        shape = exposure.chips[chip].shape
        if unit.shape != shape:
            raise InputError(
                f"{unit.where}: a {what} of {unit.shape[1]} x {unit.shape[0]} pixels; {chip} of {exposure.root} has"
                f" {shape[1]} x {shape[0]}",
                file=str(path),
            )
        of_chips.append((chip, unit.pixels()))
    if not of_chips:
        raise InputError(
            f"{path}: no image for a chip of {exposure.root} ({', '.join(exposure.chips)}); needed image extensions"
            " with the exposure's own EXTVER, or CCDCHIP, DETECTOR or EXTNAME of a chip",
            file=str(path),
        )
    return of_chips


def _chip_of(header: Mapping[str, Any], exposure: Exposure) -> str | None:
    """Return the chip an image belongs to: by its number or name, else by the EXTVER of the exposure's own chips.

    EXTVER alone is no number of a chip: ACS and WFC3 files begin with chip 2.
    """
    for keyword in ("CCDCHIP", "DETECTOR", "EXTNAME"):
        chip = exposure.camera.chip_named(str(header.get(keyword, "")))
        if chip is not None:
            return chip
    version = str(header.get("EXTVER", ""))
    own = {str(chip.header.get("EXTVER", exposure.camera.number(name))): name for name, chip in exposure.chips.items()}
    return own.get(version)


def masked_parts(masks: Mapping[str, Mask]) -> str:
    """Say how much of each chip is masked."""
    return ", ".join(f"{chip} {100 * float(mask.mean()):.2f} %" for chip, mask in masks.items())
