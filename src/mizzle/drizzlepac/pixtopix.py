"""``tran``: pixels of one image to those of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from mizzle.drizzlepac.positions import Positions, read_positions, wcs_of, write_positions

__all__ = ["tran"]


def tran(
    inimage: str,
    outimage: str,
    direction: str = "forward",
    x: Any = None,
    y: Any = None,
    coordfile: str | None = None,
    colnames: Any = None,
    separator: str | None = None,
    precision: int = 6,
    output: str | None = None,
    verbose: bool = True,
) -> tuple[Any, Any]:
    """Return where 1-based pixels of one image lie on another.

    Parameters
    ----------
    inimage, outimage : str
        ``name.fits[sci,3]``.
    direction : str
        ``forward``, or ``backward``: from `outimage` to `inimage`.
    x, y : float or sequence of float
        Pixels.
    coordfile, colnames, separator, precision, output, verbose
        A file of positions instead, its columns and separator; digits, and a file to write.

    Returns
    -------
    x, y : list of float
        One number each where one position was asked for.
    """
    source, target = (wcs_of(name) for name in (inimage, outimage))
    if direction.lower().startswith("b"):
        source, target = target, source
    places = read_positions((x, y), coordfile, colnames, separator)
    pixels = target.all_world2pix(*source.all_pix2world(places.first, places.second, 1), 1)
    values = np.round(pixels[0], precision).tolist(), np.round(pixels[1], precision).tolist()
    write_positions(output, values, precision)
    return Positions(*values, places.single).answer()
