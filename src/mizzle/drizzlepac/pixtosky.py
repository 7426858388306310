"""``xy2rd``: pixels of an image to the sky."""

from __future__ import annotations

from typing import Any

from mizzle.drizzlepac.positions import Positions, as_hms, read_positions, wcs_of, write_positions

__all__ = ["xy2rd"]


def xy2rd(
    input: str,
    x: Any = None,
    y: Any = None,
    coords: str | None = None,
    coordfile: str | None = None,
    colnames: Any = None,
    separator: str | None = None,
    hms: bool = True,
    precision: int = 6,
    output: str | None = None,
    verbose: bool = True,
) -> tuple[Any, Any]:
    """Return right ascension and declination of 1-based pixels, distortion included.

    Parameters
    ----------
    input : str
        ``name.fits[sci,3]``.
    x, y : float or sequence of float
        Pixels.
    coords, coordfile : str, optional
        A file of positions instead.
    colnames, separator, precision, output, verbose
        Columns and separator of that file; digits, and a file to write.
    hms : bool
        Sexagesimal text; degrees otherwise.

    Returns
    -------
    ra, dec : list
        Texts or degrees, one each where one was asked for.
    """
    places = read_positions((x, y), coordfile or coords, colnames, separator)
    ra, dec = wcs_of(input).all_pix2world(places.first, places.second, 1)
    values: tuple[list[Any], list[Any]] = (ra.tolist(), dec.tolist())
    if hms:
        values = as_hms(ra, dec, precision)
    write_positions(output, values, precision)
    return Positions(*values, places.single).answer()
