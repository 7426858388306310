"""FITS files as the incumbents name and build them: an image in PRIMARY, headerlets, masks of cosmic rays."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle._version import __version__
from mizzle.geometry.keywords import Card, frame_cards, table_cards, table_extensions
from mizzle.io import products
from mizzle.io.atomic import whole_file
from mizzle.io.editable import EditableFile, EditableUnit
from mizzle.io.header_cards import grid_cards
from mizzle.io.rewriting import rewriting
from mizzle.model import ChipFrame, Context, Exposure, Grid


def write_image(path: str | Path, image: NDArray[Any] | Context, cards: Iterable[Card], *, table: bytes = b"") -> Path:
    """Write an image into PRIMARY.

    Parameters
    ----------
    path : str or Path
        The file.
    image : (ny, nx) or (planes, ny, nx) array, or Context
        Pixels.
    cards : iterable of (keyword, value, comment)
        Its header.
    table : bytes
        An extension to go after it.
    """
    more: list[Card] = [("EXTEND", True, "")] if table else []
    with whole_file(path) as stream:
        products.write_image(stream, image, [*more, *cards])
        stream.write(table)
    return Path(path)


def second_name(path: str | Path, other: str | Path) -> Path:
    """Give a file a second name; a copy where the file system has no links."""
    other = Path(other)
    with contextlib.suppress(FileNotFoundError):
        other.unlink()
    try:
        os.link(path, other)
    except OSError:
        with whole_file(other) as stream:
            stream.write(Path(path).read_bytes())
    return other


def write_reference_frame(path: str | Path, grid: Grid) -> Path:
    """Write a frame without pixels: PRIMARY, and an empty extension ``WCS`` with its keywords."""
    ny, nx = grid.shape
    cards = [*grid_cards(grid), ("NPIX1", nx, "[pixel] columns"), ("NPIX2", ny, "[pixel] rows")]
    return _write(path, [_primary([]), EditableUnit.of_image(None, cards, name="WCS")])


def write_headerlet(
    path: str | Path, exposure: Exposure, frames: Mapping[str, ChipFrame], *, facts: Mapping[str, str]
) -> Path:
    """Write the WCS of an exposure without its pixels: an extension ``SIPWCS`` for each chip.

    Parameters
    ----------
    path : str or Path
        The file.
    exposure : Exposure
        Whose WCS it is.
    frames : mapping
        Frame by chip name.
    facts : mapping
        ``WCSNAME``, ``HDRNAME``, ``AUTHOR``, ``DESCRIP``, ``HISTORY``; empty ones are left out.
    """
    primary: list[Card] = [
        ("DESTIM", exposure.root, "exposure this belongs to"),
        ("SIPNAME", f"{exposure.root}_{frames[next(iter(frames))].name}", "distortion polynomial"),
        ("UPWCSVER", f"mizzle {__version__}", "wrote the WCS"),
        ("TELESCOP", "HST", "telescope"),
        ("INSTRUME", exposure.camera.instrument, "instrument"),
        *((key, value, "") for key, value in {"HDRNAME": Path(path).stem, **facts}.items() if value),
    ]
    units, tables = [], []
    for name, frame in frames.items():
        chip = exposure.chips[name]
        cards = [card for card in frame_cards(frame, lookup_version=chip.number) if card[0] != "WCSNAME"]
        more = [
            ("WCSNAME", facts.get("WCSNAME") or frame.name, "name of the WCS"),
            ("TG_ENAME", "SCI", "extension it is for"),
            ("TG_EVER", int(chip.header.get("EXTVER", chip.number)), "version of that extension"),
            ("CCDCHIP", chip.number, "chip"),
        ]
        units.append(EditableUnit.of_image(None, [*more, *cards], name="SIPWCS", version=chip.number))
        for extension in table_extensions(frame, chip.number):
            of_table = table_cards(extension.table, extension.version, extension.name)
            tables.append(EditableUnit.of_image(np.asarray(extension.table.data), of_table))
    return _write(path, [_primary(primary), *units, *tables])


def _primary(cards: Iterable[Card]) -> EditableUnit:
    """Return a PRIMARY without an image."""
    return EditableUnit.of_image(None, [("EXTEND", True, ""), *cards], primary=True)


def _write(path: str | Path, units: Iterable[EditableUnit]) -> Path:
    """Write a whole file of units."""
    with whole_file(path) as stream:
        EditableFile(units).write(stream)
    return Path(path)


def write_planes(path: Path, source: Path, exposure: Exposure, *, errors: Mapping[str, NDArray[Any]]) -> None:
    """Write a ``c0m`` as an ``flt``: its headers and pixels, with DQ and ERR of each chip after them.

    Parameters
    ----------
    path, source : Path
        The ``flt`` and the ``c0m``.
    exposure : Exposure
        What was read of it.
    errors : mapping
        1 sigma [DN] by chip name.
    """
    with rewriting(source, to=path) as hdus:
        hdus[0].header["FILENAME"] = path.name
        for name, chip in exposure.chips.items():
            cards = [card for card in frame_cards(chip.frame) if not card[0].startswith(("A_", "B_", "D2IM"))]
            cards = [(k, str(v).removesuffix("-SIP") if k.startswith("CTYPE") else v, c) for k, v, c in cards]
            of_chip: list[Card] = [*cards, ("DETECTOR", chip.number, "chip")]
            for extension, image in (("DQ", chip.dq.astype(np.int16)), ("ERR", errors[name].astype(np.float32))):
                hdus.append(EditableUnit.of_image(image, of_chip, name=extension, version=chip.number))
        hdus[0].header["NEXTEND"] = len(hdus) - 1
