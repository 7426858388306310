"""Rows of the tables a user may give: corrections of PHOTFLAM, sky levels, regions of the sky."""

from __future__ import annotations

from dataclasses import dataclass

from mizzle.model.values import Value


@dataclass(frozen=True, eq=False)
class FluxCorrection(Value):
    """What a user knows better about the PHOTFLAM of some chips.

    Empty text and infinite limits match everything; a row applies where all its conditions hold.

    Parameters
    ----------
    factor : float
        Multiplies the chip's PHOTFLAM.
    photflam : float or None
        Replaces it, before factors of other rows apply.
    chip, filter, root : str
        Chip name, canonical filter, rootname.
    commanded_gain : int
        7 or 15; 0 for both.
    mjd_min, mjd_max : float
        Range of exposure starts [MJD], half open: ``mjd_min <= start < mjd_max``.
    """

    factor: float = 1.0
    photflam: float | None = None
    chip: str = ""
    filter: str = ""
    root: str = ""
    commanded_gain: int = 0
    mjd_min: float = float("-inf")
    mjd_max: float = float("inf")


@dataclass(frozen=True, eq=False)
class SkyValue(Value):
    """A sky level the user gives.

    Parameters
    ----------
    value : float
        Sky [DN per pixel of the chip, as recorded: not equalized].
    root, chip : str
        What it is for; empty text means all. The most specific row wins.
    """

    value: float
    root: str = ""
    chip: str = ""


@dataclass(frozen=True, eq=False)
class SkyRegion(Value):
    """A region of the sky, or of one chip, kept out of the sky statistics.

    Parameters
    ----------
    x, y : tuple of float
        Corners of a polygon, or the one center of a circle: right ascension and declination [deg], or 0-based
        pixels where `frame` is ``"image"``.
    radius : float
        Radius of a circle [arcsec, or pixel]; 0 for a polygon.
    frame : str
        ``"sky"`` or ``"image"``.
    root, chip : str
        What an image region belongs to; empty text means all.
    include : bool
        False (the usual case): keep out. True: only what is inside some included region counts.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    radius: float = 0.0
    frame: str = "sky"
    root: str = ""
    chip: str = ""
    include: bool = False
