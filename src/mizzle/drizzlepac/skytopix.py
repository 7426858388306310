"""``rd2xy``: the sky to pixels of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from mizzle.drizzlepac.positions import Positions, in_degrees, read_positions, wcs_of, write_positions

__all__ = ["rd2xy"]


def rd2xy(
    input: str,
    ra: Any = None,
    dec: Any = None,
    coordfile: str | None = None,
    colnames: Any = None,
    precision: int = 6,
    output: str | None = None,
    verbose: bool = True,
) -> tuple[Any, Any]:
    """Return the 1-based pixels of positions on the sky, distortion included.

    Parameters
    ----------
    input : str
        ``name.fits[sci,3]``.
    ra, dec : float, str or sequence of them
        Degrees, or sexagesimal text (hours, degrees).
    coordfile, colnames, precision, output, verbose
        A file of positions instead, its columns; digits, and a file to write.

    Returns
    -------
    x, y : list of float
        One number each where one position was asked for.
    """
    places = read_positions((ra, dec), coordfile, colnames, None, text=True)
    sky = in_degrees(places)
    x, y = wcs_of(input).all_world2pix(*sky, 1)
    values = np.round(x, precision).tolist(), np.round(y, precision).tolist()
    write_positions(output, values, precision)
    return Positions(*values, places.single).answer()
