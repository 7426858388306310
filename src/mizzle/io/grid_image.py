"""The pixels of another image, for a product on the same grid."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mizzle.errors import InputError
from mizzle.io.opened import opened_fits
from mizzle.io.regular import IMAGE_LIMIT, reason
from mizzle.model.frame import Grid
from mizzle.model.wcs_grid import WcsGrid

_AXES = ("RA---TAN", "DEC--TAN")

#: Keywords of a celestial WCS of two axes (Greisen & Calabretta 2002; SIP: Shupe et al. 2005).
_WCS_CARD = re.compile(
    r"WCSAXES|WCSNAME|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)[12]|(CD|PC)[12]_[12]|P[VS][12]_\d+|LONPOLE|LATPOLE"
    r"|RADE(SYS|CSYS)|EQUINOX|(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)"
)
_TABLES = ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2", "CQDIS1", "CQDIS2")


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """Return the grid of the first two-dimensional image of a FITS file that has a celestial WCS.

    Parameters
    ----------
    path : str or path
        FITS, plain, gzip or tile-compressed; only headers are used.

    Returns
    -------
    grid : Grid
        Plain TAN frames by their own numbers; any other projection that `astropy.wcs` knows, SIP included, as a
        `WcsGrid`. Both carry the image's own cards.

    Raises
    ------
    InputError
        No such image; distortion by lookup tables, which no card of a product could hold; numbers that are none.
    """
    refused = "no two-dimensional image with a celestial WCS"
    with opened_fits(path, "FITS image", IMAGE_LIMIT) as hdus:
        for hdu in hdus:
            header = hdu.header
            if not getattr(hdu, "is_image", False) or len(getattr(hdu, "shape", ())) != 2:
                continue
            axes = tuple(str(header.get(f"CTYPE{i}", "")).strip().upper() for i in (1, 2))
            if tables := [key for key in _TABLES if key in header]:
                refused = (
                    f"its WCS is distorted by lookup tables ({tables[0]}), which a product has not: name a drizzled"
                    " or resampled image"
                )
            elif any(axes):
                return grid_of(hdu, path)
    raise InputError(f"{path}: {refused}", file=str(path))


def grid_of(hdu: Any, path: str | os.PathLike[str]) -> Grid:
    """Return the grid of an image; see `read_grid`."""
    header, shape = hdu.header, (int(hdu.shape[0]), int(hdu.shape[1]))
    axes = tuple(str(header.get(f"CTYPE{i}", "")).strip().upper() for i in (1, 2))
    for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"):
        _number(header, key, path, default=0.0)
    cards = "".join(card.image for card in header.cards if _WCS_CARD.fullmatch(card.keyword) and len(card.image) == 80)
    grid = (
        _plain_grid(header, shape, path, cards=cards)
        if _plain(header, axes)
        else _any_grid(cards, shape, axes, path=path)
    )
    if not 0.001 <= grid.scale <= 60.0:
        raise InputError(f"{path}: its pixels are {grid.scale:g} arcsec wide; needed 0.001 to 60", file=str(path))
    return grid


def _plain(header: Mapping[str, Any], axes: tuple[str, ...]) -> bool:
    """Tell whether a header holds a linear TAN frame of 2000 in degrees, and nothing more."""
    more = ("A_ORDER", "B_ORDER", "PV1_0", "PV1_1", "PV2_1")
    turned = header.get("LONPOLE", 180.0) != 180.0
    units = {str(header.get(f"CUNIT{i}", "deg")).strip().lower() for i in (1, 2)}
    frame = _frame(header)
    return (
        axes == _AXES
        and not turned
        and not any(key in header for key in more)
        and frame in {"FK5", "ICRS"}
        and (units <= {"deg", "degree", "degrees", ""})
    )


def _frame(header: Mapping[str, Any]) -> str:
    """Return the frame of a header's coordinates; of FK5, another equinox than 2000 is said."""
    equinox = header.get("EQUINOX", 2000.0)
    default = "FK5" if equinox == 2000.0 else "FK4"
    frame = str(header.get("RADESYS", header.get("RADECSYS", default))).strip().upper()
    return frame if frame != "FK5" or equinox == 2000.0 else f"FK5 of {equinox}"


def _any_grid(cards: str, shape: tuple[int, int], axes: tuple[str, ...], *, path: str | os.PathLike[str]) -> Grid:
    """Return the grid of any header that astropy understands."""
    from astropy.wcs import WCS

    try:
        wcs = WCS(cards, naxis=2)
        if not wcs.has_celestial:
            raise ValueError("its axes are not on the sky")
        return WcsGrid.from_header(cards, shape, radesys="FK5" if wcs.wcs.radesys.strip() == "FK5" else "ICRS")
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError, AttributeError) as problem:
        raise InputError(
            f"{path}: its WCS ({' '.join(axes)[:60]}) is none that astropy understands: {reason(problem)}",
            file=str(path),
        ) from problem


def _number(
    header: Mapping[str, Any], name: str, path: str | os.PathLike[str], *, default: float | None = None
) -> float:
    """Return a finite number of a header."""
    value = header.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"{path}: {name} is {str(value)[:40]!r}; needed a number", file=str(path), keyword=name)
    return float(value)


def _plain_grid(header: Mapping[str, Any], shape: tuple[int, int], path: str | os.PathLike[str], *, cards: str) -> Grid:
    """Return the grid of a TAN header."""

    def number(name: str, default: float | None = None) -> float:
        return _number(header, name, path, default=default)

    if any(f"CD{i}_{j}" in header for i in (1, 2) for j in (1, 2)):
        cd = np.array([[number(f"CD{i}_{j}", 0.0) for j in (1, 2)] for i in (1, 2)])
    else:
        steps = np.array([number("CDELT1", 1.0), number("CDELT2", 1.0)])
        if any(f"PC{i}_{j}" in header for i in (1, 2) for j in (1, 2)):
            turn = np.array([[number(f"PC{i}_{j}", float(i == j)) for j in (1, 2)] for i in (1, 2)])
            cd = turn * steps[:, None]
        else:  # the older CROTA2 (Calabretta & Greisen 2002, equation 189)
            angle = np.deg2rad(number("CROTA2", 0.0))
            cos, sin = np.cos(angle), np.sin(angle)
            cd = np.array([[cos * steps[0], -sin * steps[1]], [sin * steps[0], cos * steps[1]]])
    return Grid(
        np.array([number("CRVAL1"), number("CRVAL2")]),
        np.array([number("CRPIX1"), number("CRPIX2")]),
        cd,
        shape,
        _frame(header),
        cards,
    )
