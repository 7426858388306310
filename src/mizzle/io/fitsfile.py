"""A FITS file of images as the reader sees it: headers, and where the pixels are, whatever they are packed in."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.io.cards import split_cards
from mizzle.io.headers import FrozenHeader
from mizzle.io.image_unit import UNREADABLE, ImageUnit
from mizzle.io.pixels import StoredPlane
from mizzle.io.regular import EXPOSURE_LIMIT, reason
from mizzle.io.structure import FitsUnit, find_units, stated_sum
from mizzle.io.waivered import split_groups


class FitsFile:
    """An exposure's file: whole by its structure, its headers read, its pixels not yet.

    Waivered files of groups (``c0f``) and tile-compressed ones (``.fz``) look like the multi-extension file that
    they were made from.

    Parameters
    ----------
    path : Path
        Plain, gzip or tile-compressed; the name does not matter.

    Raises
    ------
    InputError
        Not a regular file, too large, not FITS, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        units, content = find_units(path, EXPOSURE_LIMIT)
        self.remarks: tuple[str, ...] = ()
        images = tuple(self._image(unit, index, content) for index, unit in enumerate(units))
        if any(unit.cards.get("ZIMAGE") is True for unit in units):
            images = self._unpacked(images, content)
        self.groups = len(images[0].shape) == 3
        self.units: tuple[ImageUnit, ...] = images
        if self.groups:
            self.units = split_groups(path, images, units, content=content)

    @property
    def headers(self) -> list[FrozenHeader]:
        """The header of each unit."""
        return [unit.header for unit in self.units]

    def _image(self, unit: FitsUnit, index: int, content: bytes | None) -> ImageUnit:
        """Describe one unit of the file."""
        where = f"{self.path}[{index}]"
        header = parse_header(unit.header, where)
        axes = [int(unit.cards.get(f"NAXIS{i + 1}", 0)) for i in range(int(unit.cards.get("NAXIS", 0)))]
        if len(axes) < 2 or unit.cards.get("XTENSION", "IMAGE") != "IMAGE":
            return ImageUnit(header, where)
        # The first plane of a cube; the groups of a waivered file are told apart later.
        plane = StoredPlane(
            self.path,
            unit.start,
            int(unit.cards["BITPIX"]),
            (axes[1], axes[0]),
            scaling(header, "BSCALE", 1.0, where=where),
            scaling(header, "BZERO", 0.0, where=where),
            stated_sum(unit.cards) if len(axes) == 2 else None,
            _blank(header),
        )
        return ImageUnit(header, where, plane, content)

    def _unpacked(self, images: Sequence[ImageUnit], content: bytes | None) -> tuple[ImageUnit, ...]:
        """Unpack tile-compressed images; their sizes are looked at before that."""
        from astropy.io import fits

        for image in images:
            if image.header.get("ZIMAGE") is True:
                self._check_tiles(image)
        source: Any = io.BytesIO(content) if content is not None else str(self.path)
        try:
            with warnings.catch_warnings(), fits.open(source, mode="readonly", memmap=False) as hdus:
                warnings.simplefilter("ignore")
                unpacked = [
                    ImageUnit(
                        FrozenHeader(hdu.header, image.where), image.where, packed=_native(hdu.data)
                    ) if isinstance(hdu, fits.CompImageHDU) else image
                    for hdu, image in zip(hdus, images, strict=True)
                ]  # fmt: skip
        except (*UNREADABLE, fits.VerifyError) as problem:
            raise InputError(
                f"{self.path}: its compressed image cannot be unpacked: {reason(problem)}; fetch it again, or unpack it"
                " with funpack",
                file=str(self.path),
            ) from problem
        if images[1].header.get("ZSIMPLE") is True and not images[0].shape:  # the primary image was moved for packing
            unpacked = unpacked[1:]
        if any(_rounded(image.header) for image in images):
            self.remarks = ("its pixels were rounded when they were compressed (quantized tiles)",)
        return tuple(unpacked)

    def _check_tiles(self, image: ImageUnit) -> None:
        """Refuse absurd sizes of what is packed in tiles."""
        header = image.header
        sides = [header.get(f"ZNAXIS{i + 1}") for i in range(min(int(header.get("ZNAXIS", 0)), 9))]
        size = 8
        for side in sides:
            if isinstance(side, bool) or not isinstance(side, int) or not 0 < side <= EXPOSURE_LIMIT:
                raise InputError(f"{image.where}: ZNAXIS is {side!r}, no size of an image", file=str(self.path))
            size *= side
        if size > EXPOSURE_LIMIT:
            raise InputError(
                f"{image.where}: an image of {' x '.join(map(str, sides))} pixels; no exposure has as many",
                file=str(self.path),
            )


def _rounded(header: FrozenHeader) -> bool:
    """Tell whether floating-point pixels were quantized before they were packed."""
    columns = {str(header.get(f"TTYPE{i}", "")).strip().upper() for i in range(1, 10)}
    bitpix = header.get("ZBITPIX", 0)
    return isinstance(bitpix, int) and bitpix < 0 and ("ZSCALE" in columns or "ZSCALE" in header)


def _native(data: Any) -> NDArray[Any] | None:
    """Return an image in native byte order; floats as 32 bit, as plain files are read."""
    if data is None:
        return None
    array = np.asarray(data)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def parse_header(header: bytes, where: str) -> FrozenHeader:
    """Parse the blocks of a header, which hold nothing but text.

    Raises
    ------
    InputError
        It cannot be split into cards.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd but readable cards warn; what matters is the value
        cards = split_cards(header)
        return _odd_header(header, where) if cards is None else FrozenHeader(cards, where)


def _odd_header(header: bytes, where: str) -> FrozenHeader:
    """Parse a header that only astropy can split into cards."""
    from astropy.io import fits

    try:
        return FrozenHeader(fits.Header.fromstring(header), where)
    except (ValueError, fits.VerifyError) as problem:
        raise InputError(f"{where}: its header cannot be read: {reason(problem)}", file=where) from problem


def _blank(header: FrozenHeader) -> int | None:
    """Return what integers stand for no value; None where the header does not say."""
    value = header.get("BLANK")
    return None if isinstance(value, bool) or not isinstance(value, int) else value


def scaling(header: FrozenHeader, name: str, default: float, *, where: str) -> float:
    """Return BSCALE or BZERO.

    Raises
    ------
    InputError
        It is no finite number.
    """
    value = header.get(name, default)
    if isinstance(value, str | bool) or not np.isfinite(value) or (name == "BSCALE" and value == 0):
        raise InputError(f"{where}: {name} is {value!r}; needed a number", file=where, keyword=name)
    return float(value)
