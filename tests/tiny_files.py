"""Small but valid WFPC2 files, for tests of readers and messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

PHOTFLAM = {1: 2.507987e-18, 2: 2.458077e-18, 3: 2.449067e-18, 4: 2.498411e-18}
# Sky of the reference pixels and CD of a plausible pointing; only their consistency matters here.
ORIENT = {1: 180.0, 2: 90.0, 3: 0.0, 4: -90.0}
SIDE = 96
#: Keywords that a c0f keeps by group.
GROUP = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")


def primary(root: str = "ua060502m", **changes: Any) -> fits.PrimaryHDU:
    """Return a primary HDU; a keyword changed to None is left out."""
    cards: dict[str, Any] = {
        "TELESCOP": "HST",
        "INSTRUME": "WFPC2",
        "ROOTNAME": root,
        "FILETYPE": "SCI",
        "MODE": "FULL",
        "IMAGETYP": "EXT",
        "FILTNAM1": "F814W",
        "FILTNAM2": "",
        "ATODGAIN": 7.0,
        "EXPTIME": 500.0,
        "DARKTIME": 500.0,
        "DATE-OBS": "2007-06-01",
        "TIME-OBS": "01:02:03",
        "EXPSTART": 54252.0430903 + (sum(map(ord, root)) % 97) / 100,
        "TARGNAME": "M2",
        "PA_V3": 100.0,
        "RA_TARG": 323.36,
        "DEC_TARG": -0.82,
    }
    cards.update(changes)
    start, exptime = cards["EXPSTART"], cards["EXPTIME"]
    if all(isinstance(value, float) for value in (start, exptime)):
        cards.setdefault("EXPEND", start + exptime / 86400)
    hdu = fits.PrimaryHDU()
    for key, value in cards.items():
        if value is not None:
            hdu.header[key] = value
    return hdu


def chip(number: int, data: np.ndarray, extname: str = "SCI", **changes: Any) -> fits.ImageHDU:
    """Return one chip's extension."""
    hdu = fits.ImageHDU(data, name=extname, ver=number)
    angle = np.deg2rad(ORIENT[number])
    scale = (0.04554 if number == 1 else 0.0996) / 3600
    cards: dict[str, Any] = {
        "DETECTOR": number,
        "CRVAL1": 323.36 + 0.012 * (number in (2, 3)),
        "CRVAL2": -0.82 + 0.012 * (number in (3, 4)),
        "CRPIX1": 425.0,
        "CRPIX2": 425.0,
        "CD1_1": -scale * np.cos(angle),
        "CD1_2": scale * np.sin(angle),
        "CD2_1": scale * np.sin(angle),
        "CD2_2": scale * np.cos(angle),
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "PHOTFLAM": PHOTFLAM[number],
        "PHOTPLAM": 7995.0,
        "PHOTBW": 646.0,
        "PHOTZPT": -21.1,
        "PHOTMODE": f"WFPC2,{number},A2D7,F814W,,CAL",
        "VAFACTOR": 1.00002,
        "LTV1": 0.0,  # small chips are cut out of whole ones
        "LTV2": 0.0,
    }
    cards.update(changes)
    for key, value in cards.items():
        if value is not None:
            hdu.header[key] = value
    return hdu


def sky(number: int, side: int = SIDE) -> np.ndarray:
    """Return a noisy sky."""
    return np.random.default_rng(number).normal(5.0, 1.0, (side, side)).astype(np.float32)


def write_pair(
    folder: Path,
    root: str = "ua060502m",
    *,
    primary_changes: dict[str, Any] | None = None,
    chip_changes: dict[str, Any] | None = None,
    numbers: tuple[int, ...] = (1, 2, 3, 4),
    quality_name: str = "SDQ",
    ending: str = ".fits",
) -> Path:
    """Write a c0m/c1m pair of small chips; return the c0m's path."""
    folder.mkdir(parents=True, exist_ok=True)
    science = fits.HDUList([primary(root, **(primary_changes or {}))])
    quality = fits.HDUList([primary(root, FILETYPE="SDQ")])
    for number in numbers:
        science.append(chip(number, sky(number), **(chip_changes or {})))
        quality.append(chip(number, np.zeros((SIDE, SIDE), dtype=np.int16), quality_name))
    science.writeto(folder / f"{root}_c0m{ending}")
    quality.writeto(folder / f"{root}_c1m{ending}")
    return folder / f"{root}_c0m{ending}"


def waiver(path: Path, folder: Path) -> Path:
    """Write a multi-extension pair as the archive's older form; return the c0f."""
    folder.mkdir(exist_ok=True)
    for kind, old in (("c0m", "c0f"), ("c1m", "c1f")):
        with fits.open(path.with_name(path.name.replace("c0m", kind))) as hdus:
            chips = hdus[1:]
            keys = [k for k in chips[0].header if k not in ("XTENSION", "PCOUNT", "GCOUNT", "EXTNAME", "EXTVER")]
            keys = [k for k in keys if not k.startswith(("NAXIS", "BITPIX")) and k]
            columns = []
            for key in keys:
                values = [hdu.header[key] for hdu in chips]
                form = {int: "I12", float: "D25.17"}.get(type(values[0]), "A48")
                columns.append(fits.Column(key, form, array=np.array(values), ascii=True))
            primary = fits.PrimaryHDU(np.stack([hdu.data for hdu in chips]), header=hdus[0].header)
            for key in GROUP:  # the first group's stand in the primary too
                primary.header[key] = chips[0].header[key]
            table = fits.TableHDU.from_columns(columns, name="TAB")
            fits.HDUList([primary, table]).writeto(folder / path.name.replace("c0m", old))
    return folder / path.name.replace("c0m", "c0f")


def tiled(path: Path, folder: Path, ending: str = ".fits.fz") -> Path:
    """Write a pair as tile-compressed files, without loss; return the science file."""
    folder.mkdir(exist_ok=True)
    for kind in ("c0m", "c1m"):
        with fits.open(path.with_name(path.name.replace("c0m", kind))) as hdus:
            packed = [
                fits.CompImageHDU(hdu.data, hdu.header, compression_type="GZIP_2", quantize_level=0) for hdu in hdus[1:]
            ]
            name = path.name.replace("c0m.fits", f"{kind}{ending}")
            fits.HDUList([fits.PrimaryHDU(header=hdus[0].header), *packed]).writeto(folder / name)
    return folder / path.name.replace(".fits", ending)
