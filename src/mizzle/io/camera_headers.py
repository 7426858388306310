"""Headers of real ACS and WFC3 exposures, their distortion included: to be pointed elsewhere and written to files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mizzle.io.atomic import whole_file

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, Header
    from astropy.wcs import WCS

_DATA = "mizzle.simulate.data"


@dataclass(frozen=True, eq=False)
class Lookup:
    """A lookup table of the distortion, as an extension of the file holds it.

    Parameters
    ----------
    name, version : str, int
        EXTNAME (``D2IMARR``, ``WCSDVARR``) and EXTVER.
    values : (ny, nx) float32 array
        Shifts [pixel].
    axes : (6,) array
        CRPIX1, CRPIX2, CRVAL1, CRVAL2, CDELT1, CDELT2.
    """

    name: str
    version: int
    values: NDArray[np.float32]
    axes: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CameraHeaders:
    """Cards and tables of one exposure.

    Parameters
    ----------
    primary : tuple of str
        Card images of the primary header.
    science : tuple of tuple of str
        Card images of each science extension, in EXTVER's order.
    shape : (int, int)
        ``(ny, nx)`` of a chip.
    lookups : tuple of Lookup
        Tables; none for cameras without.
    """

    primary: tuple[str, ...]
    science: tuple[tuple[str, ...], ...]
    shape: tuple[int, int]
    lookups: tuple[Lookup, ...]

    def science_header(self, version: int, sky: Mapping[str, float] | None = None) -> Header:
        """Return the header of science extension `version`, with CRVAL and CD of `sky` in place of its own."""
        header = header_of(self.science[version - 1])
        for keyword, value in (sky or {}).items():
            header[keyword] = value
        return header

    def table_units(self) -> list[Any]:
        """Return the lookup tables as extensions."""
        from astropy.io import fits

        units = []
        for table in self.lookups:
            unit = fits.ImageHDU(table.values, name=table.name, ver=table.version)
            words = ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2")
            for keyword, value in zip(words, table.axes, strict=True):
                unit.header[keyword] = float(value)
            units.append(unit)
        return units

    def wcs(self, version: int, sky: Mapping[str, float] | None = None) -> WCS:
        """Return the whole transformation of a chip as astropy has it, tables included."""
        from astropy.io import fits
        from astropy.wcs import WCS

        units: HDUList = fits.HDUList([fits.PrimaryHDU(), *self.table_units()])
        return WCS(self.science_header(version, sky), fobj=units)


def header_of(cards: tuple[str, ...]) -> Header:
    """Return a header of card images."""
    from astropy.io.fits import Header

    return Header.fromstring("".join(card.ljust(80) for card in cards))


@lru_cache(maxsize=8)
def camera_headers(name: str) -> CameraHeaders:
    """Return the headers kept under ``camera filter``, as ``acs-wfc F606W``."""
    folder = resources.files(_DATA)
    content = json.loads((folder / "camera_headers.json").read_text("utf-8"))[name]
    with (folder / "camera_tables.npz").open("rb") as stream, np.load(stream) as tables:
        keys = [key for key in tables if key.startswith(name + " ") and not key.endswith("axes")]
        lookups = tuple(
            Lookup(key.split()[-2], int(key.split()[-1]), tables[key], tables[f"{key} axes"]) for key in sorted(keys)
        )
    ny, nx = content["shape"]
    science = tuple(tuple(cards) for cards in content["science"])
    return CameraHeaders(tuple(content["primary"]), science, (ny, nx), lookups)


@lru_cache(maxsize=1)
def known_headers() -> tuple[str, ...]:
    """Return what `camera_headers` knows."""
    return tuple(json.loads((resources.files(_DATA) / "camera_headers.json").read_text("utf-8")))


def write_exposure_file(
    path: Path,
    headers: CameraHeaders,
    cards: Mapping[str, Any],
    *,
    pointings: Sequence[Mapping[str, float]],
    arrays: Sequence[Mapping[str, NDArray[Any]]],
) -> Path:
    """Write an exposure in the archive's form; it appears whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    headers : CameraHeaders
        Cards and lookup tables.
    cards : mapping
        Keywords of the primary header that differ; ``PHOTFLAM`` multiplies what the headers have.
    pointings : sequence of mapping
        CRVAL and CD by chip, in EXTVER's order.
    arrays : sequence of mapping
        Arrays by EXTNAME for each chip.

    Returns
    -------
    path : Path
        As given.
    """
    from astropy.io import fits

    units = [fits.PrimaryHDU(header=header_of(headers.primary))]
    for version, (sky, images) in enumerate(zip(pointings, arrays, strict=True), start=1):
        for name, image in images.items():
            header = headers.science_header(version, sky) if name == "SCI" else None
            unit = fits.ImageHDU(image.astype(image.dtype.newbyteorder(">")), header, name=name, ver=version)
            unit.header["EXPNAME"] = cards["ROOTNAME"]
            if name in ("SCI", "ERR"):
                unit.header["NGOODPIX"] = int((images["DQ"] == 0).sum())
            units.append(unit)
    units += headers.table_units()
    for keyword, value in cards.items():
        if keyword != "PHOTFLAM":
            units[0].header[keyword] = value
    units[0].header["NEXTEND"] = len(units) - 1
    for unit in units:
        for keyword in ("PHOTFLAM", "PHTFLAM1", "PHTFLAM2"):
            if keyword in unit.header:
                unit.header[keyword] *= cards["PHOTFLAM"]
    with whole_file(path) as stream:
        fits.HDUList(units).writeto(stream)
    return path
