"""The keywords that callers of AstroDrizzle read in a product, beside those that every product of mizzle has."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mizzle._version import __version__
from mizzle.geometry.keywords import Card
from mizzle.model import Exposure, Mosaic
from mizzle.translation.parameters import Values

#: How the first chip's WCS was found.
_FIT = ("WCSTYPE", "FITNAME", "NMATCH", "RMS_RA", "RMS_DEC", "CRDER1", "CRDER2", "VAFACTOR")


def call_cards(
    mosaic: Mosaic, exposures: Iterable[Exposure], values: Values, files: dict[str, str], plane: str = "sci"
) -> list[Card]:
    """Return what belongs to the call: names of files, the first chip's fit, and each input's ``Dnnn`` cards.

    Parameters
    ----------
    mosaic : Mosaic
        The product.
    exposures : iterable of Exposure
        What went in.
    values : Values
        Of the call.
    files : dict
        File of each plane: ``sci``, ``wht``, ``ctx``.
    plane : str
        The one written.
    """
    by_root = {exposure.root: exposure for exposure in exposures}
    first = by_root[mosaic.inputs[0].root]
    chip = first.chips[mosaic.inputs[0].chip]
    chips = {item.chip for item in mosaic.inputs}
    cards: list[Card] = [
        ("FILENAME", Path(files[plane]).name, "name of the file"),
        ("FILETYPE", plane.upper(), "kind of data"),
        ("DATE", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"), "UT date the file was written"),
        ("DETECTOR", "MULTIPLE" if len(chips) > 1 else chip.number, "input chips"),
        ("EXPNAME", first.root, "first exposure"),
        ("PROD_VER", f"mizzle {__version__}", "written by"),
    ]
    cards += [(key, chip.header[key], "of the first input chip") for key in _FIT if chip.header.get(key) is not None]
    return cards + _input_cards(mosaic, by_root, values, files)


def _input_cards(mosaic: Mosaic, by_root: dict[str, Exposure], values: Values, files: dict[str, str]) -> list[Card]:
    """Return the cards of each input chip that every product of mizzle lacks."""
    fill, units = values["final_fillval"], values.text("final_units").lower() or "cps"
    cards: list[Card] = []
    for number, item in enumerate(mosaic.inputs[:999], 1):
        exposure, key = by_root[item.root], f"D{number:03d}"
        version = exposure.chips[item.chip].header.get("EXTVER", exposure.chips[item.chip].number)
        of_chip: list[tuple[str, Any, str]] = [
            ("DATA", f"{Path(exposure.path).name}[sci,{version}]", "input chip"),
            ("VER", f"mizzle {__version__}", "drizzled by"),
            ("GEOM", "wcs", "source of the geometry"),
            ("COEF", "SIP", "distortion"),
            ("OUDA", files["sci"], "image"),
            ("OUWE", files["wht"], "weights"),
            ("OUCO", files["ctx"], "context"),
            ("MASK", "", "the masks are not files"),
            ("OUUN", units, "units of the image"),
            ("FVAL", "INDEF" if fill is None else fill, "where nothing fell"),
            ("WKEY", values.text("wcskey"), "WCS of the input"),
            ("ISCL", round(item.frame_scale, 10), "[arcsec] input pixel"),
        ]
        cards += [(key + name, value, comment) for name, value, comment in of_chip]
    return cards
