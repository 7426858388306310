"""Writing exposures as they were used: ``exposures/ROOT_flt.fits``, equalized, with errors, flags and the final WCS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mizzle._version import __version__
from mizzle.geometry.keywords import (
    Card,
    TableExtension,
    alternate_cards,
    frame_cards,
    is_wcs_keyword,
    table_cards,
    table_extensions,
)
from mizzle.geometry.tpv import head_text
from mizzle.instrument.noise import noise_model
from mizzle.io.atomic import prepare_folder, whole_file, write_text
from mizzle.io.header_cards import make_header
from mizzle.io.run_id import KEYWORD
from mizzle.model import Chip, Exposure, Result
from mizzle.settings import Settings

if TYPE_CHECKING:
    from astropy.io import fits

#: Set by whatever writes the file, or no longer true of it.
_STRUCTURE = frozenset(
    {
        *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "EXTEND", "BSCALE", "BZERO"),
        *("EXTNAME", "EXTVER", "CHECKSUM", "DATASUM", "FILENAME", "FILETYPE", "NEXTEND", "ORIENTAT", "VAFACTOR"),
        *(KEYWORD, "DATAMIN", "DATAMAX", "GOODMIN", "GOODMAX", "DATAMEAN"),
    }
)


def write_exposures(folder: str | Path, result: Result, settings: Settings) -> list[Path]:
    """Write every exposure of a result.

    Each chip becomes ``SCI`` (counts, equalized, sky kept), ``ERR`` and ``DQ`` (input bits, plus 4096 where a cosmic
    ray was found) of ``EXTVER`` 1 to 4, with the final WCS: SIP, and lookup tables (a row term is one).

    Parameters
    ----------
    folder : str or Path
        Made if need be.
    result : Result
        With the exposures' pixels at hand.
    settings : Settings
        Noise settings.

    Returns
    -------
    paths : list of Path
        ``ROOT_flt.fits`` and ``ROOT_flt.head`` (for SExtractor, which does not read SIP), exposure by exposure.
    """
    folder = prepare_folder(folder)
    paths: list[Path] = []
    for exposure in result.exposures:
        paths.append(_write(folder / f"{exposure.root}_flt.fits", exposure, result, settings=settings))
        paths.append(_write_head(folder / f"{exposure.root}_flt.head", exposure, result))
    return paths


def _write(path: Path, exposure: Exposure, result: Result, *, settings: Settings) -> Path:
    from astropy.io import fits

    planes: list[fits.ImageHDU] = []
    tables: list[fits.ImageHDU] = []
    for chip in exposure.chips.values():
        frame = result.alignment.frame(exposure, chip.name)
        wcs = frame_cards(frame, lookup_version=chip.number)
        planes += _planes(exposure, chip, result, settings=settings, wcs=wcs)
        tables += [_table(extension) for extension in table_extensions(frame, chip.number)]
    primary = [
        *([(KEYWORD, result.run_id, "of all files of this run")] if result.run_id else []),
        *_kept(exposure.header),
        ("FILENAME", path.name, "name of this file"),
        ("FILETYPE", "SCI", "type of data"),
        ("NEXTEND", len(planes) + len(tables), "number of extensions"),
        ("CREATOR", f"mizzle {__version__}", "written by"),
    ]
    hdus = fits.HDUList([fits.PrimaryHDU(header=make_header(primary)), *planes, *tables])
    with whole_file(path) as stream:
        hdus.writeto(stream)
    return path


def _write_head(path: Path, exposure: Exposure, result: Result) -> Path:
    """Write the WCSs as SExtractor and SCAMP read them: TPV instead of SIP, one block per image extension."""
    frames = [result.alignment.frame(exposure, name) for name in exposure.chips]
    mark = f"{KEYWORD:<8}= '{result.run_id}' / of all files of this run\n" if result.run_id else ""
    return write_text(path, mark + head_text([frame for frame in frames for _ in ("SCI", "ERR", "DQ")]))


def _kept(header: Any, *, drop: frozenset[str] = frozenset()) -> list[Card]:
    """Return the input's own cards that stay true."""
    return [
        (key, value, "")
        for key, value in header.items()
        if key not in _STRUCTURE and key not in drop and not is_wcs_keyword(key) and "." not in key and len(key) <= 8
    ]


def _planes(
    exposure: Exposure, chip: Chip, result: Result, *, settings: Settings, wcs: Iterable[Card]
) -> list[fits.ImageHDU]:
    """Return SCI, ERR and DQ of one chip."""
    from astropy.io import fits

    factor = result.flux_scales.factors[exposure.root][chip.name]
    reference = result.flux_scales.references[exposure.filter]
    sci = chip.sci
    rays = result.cosmic_rays.mask(exposure.root, chip.name, chip.shape)
    planes = {
        "SCI": (sci * np.float32(factor)).astype(np.float32),
        "ERR": (noise_model(exposure, chip, settings.noise).sigma(sci) * factor).astype(np.float32),
        "DQ": (chip.dq | np.where(rays, dict(exposure.camera.bits)["cosmic_ray"], 0)).astype(np.int16),
    }
    own = {"DETECTOR", "PHOTFLAM", "PHOTFNU", "BUNIT", "PHOTPLAM", "PHOTBW", "PHOTZPT", "PHOTMODE"}
    alternates = alternate_cards(chip.header)
    names = {card[0] for card in alternates}
    kept = _kept(chip.header, drop=frozenset(own | names))
    # Where DETECTOR names the camera it stands in the primary header, and CCDCHIP tells the chip.
    number: list[Card] = [] if exposure.camera.detector else [("DETECTOR", chip.number, "chip: PC 1, WF 2 to 4")]
    science: list[Card] = [
        *number,
        ("BUNIT", exposure.camera.unit.removesuffix("/S"), "at PHOTFLAM"),
        *((key, value, "scaled with the DN") for key, value in result.flux_scales.keywords(exposure, chip).items()),
        ("PHOTPLAM", reference.photplam, "[A] pivot wavelength"),
        ("PHOTBW", reference.photbw, "[A] rms bandwidth"),
        ("PHOTZPT", reference.photzpt, "[mag] ST zeropoint"),
        ("PHOTMODE", chip.photmode, "observation mode"),
        ("PHOTFLM0", chip.photflam, "PHOTFLAM of the input"),
        ("FLUXSCAL", factor, "what the input's DN were multiplied by"),
        ("MDRIZSKY", result.sky.levels[exposure.root][chip.name], "sky measured, not subtracted"),
        *kept,
        *wcs,
        *alternates,
    ]
    linear = [*number, *wcs]
    return [
        fits.ImageHDU(array, header=make_header(science if name == "SCI" else linear), name=name, ver=chip.number)
        for name, array in planes.items()
    ]


def _table(extension: TableExtension) -> fits.ImageHDU:
    """Return the extension that holds a lookup table, or a row term."""
    from astropy.io import fits

    cards = table_cards(extension.table, extension.version, extension.name)
    return fits.ImageHDU(np.array(extension.table.data), header=make_header(cards))
