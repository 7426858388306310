"""HDRTAB: what each input chip brought to a product."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mizzle.io.binary_table import Column, encode_table
from mizzle.io.header_cards import printable
from mizzle.model import Exposure, Mosaic

#: Keywords that say how a file is built, or a WCS that is not the one used.
_NOT_TOLD = re.compile(
    r"(XTENSION|BITPIX|NAXIS|EXTEND|PCOUNT|GCOUNT|GROUPS|NEXTEND|CHECKSUM|DATASUM|TFIELDS|T(TYPE|FORM|UNIT)\d+)$"
    r"|(WCSAXES|WCSNAME|CRPIX[12]|CRVAL[12]|CTYPE[12]|CUNIT[12]|CD[12]_[12]|LONPOLE|LATPOLE|RADESYS)[A-Z]$|.*\."
)


def input_table(mosaic: Mosaic, exposures: Sequence[Exposure], *, all_keywords: bool = False) -> bytes:
    """Return HDRTAB, a row per input chip, as it stands in a file.

    Parameters
    ----------
    mosaic : Mosaic
        The product.
    exposures : sequence of Exposure
        What went in.
    all_keywords : bool
        A column more for each keyword of the inputs' headers; a chip's own comes before that of the primary header.
    """
    columns = _own(mosaic, exposures)
    if all_keywords:
        by_root = {exposure.root: exposure for exposure in exposures}
        headers = [
            {**by_root[item.root].header, **by_root[item.root].chips[item.chip].header} for item in mosaic.inputs
        ]
        columns = [*columns, *_keyword_columns(headers, {column[0] for column in columns})]
    return b"".join(encode_table("HDRTAB", columns))


def _own(mosaic: Mosaic, exposures: Sequence[Exposure]) -> list[Column]:
    """Return the columns of every product."""
    by_root: Mapping[str, Exposure] = {exposure.root: exposure for exposure in exposures}
    rows = mosaic.inputs
    chips = [by_root[item.root].chips[item.chip] for item in rows]
    return [
        ("ROOTNAME", "40A", "", [item.root for item in rows]),
        ("CHIP", "8A", "", [item.chip for item in rows]),
        ("DETECTOR", "J", "", [by_root[item.root].camera.number(item.chip) for item in rows]),
        ("EXPTIME", "D", "s", [item.exptime for item in rows]),
        ("EXPSTART", "D", "d", [by_root[item.root].mjd_start for item in rows]),
        ("DATE-OBS", "10A", "", [by_root[item.root].date_obs for item in rows]),
        ("ATODGAIN", "J", "", [by_root[item.root].commanded_gain for item in rows]),
        ("GAIN", "D", "electron/DN", [chip.gain for chip in chips]),
        ("RDNOISE", "D", "electron", [chip.read_noise for chip in chips]),
        ("PHOTFLAM", "D", "", [chip.photflam for chip in chips]),
        ("PHOTPLAM", "D", "Angstrom", [chip.photplam for chip in chips]),
        ("PHOTMODE", "40A", "", [printable(chip.photmode) for chip in chips]),
        ("FLUXSCAL", "D", "", [item.factor for item in rows]),
        ("MDRIZSKY", "D", "DN", [item.sky for item in rows]),
        ("WEIGHT", "D", "", [item.weight for item in rows]),
        ("IDCSCALE", "D", "arcsec", [item.frame_scale for item in rows]),
    ]


def _keyword_columns(headers: Sequence[Mapping[str, Any]], known: set[str]) -> Iterator[Column]:
    """Yield name, format, unit and values of each keyword; where a row has none: NaN, an empty text, or False."""
    names = dict.fromkeys(name for header in headers for name in header)
    for name in sorted(name for name in names if name not in known and not _NOT_TOLD.match(name)):
        values = [header.get(name) for header in headers]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {bool}:
            yield name, "L", "", [bool(value) for value in values]
        elif kinds == {int} and all(value is not None and abs(value) < 2**63 for value in values):
            yield name, "K", "", values
        elif kinds <= {int, float, bool}:
            yield name, "D", "", [float("nan") if value is None else float(value) for value in values]
        else:
            texts = ["" if value is None else str(printable(value)) for value in values]
            yield name, f"{max(1, *map(len, texts))}A", "", texts
