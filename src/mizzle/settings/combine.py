"""How pixels are drizzled into the product."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class CombineSettings(Section):
    """How pixels are drizzled into the product."""

    scale: float = setting(0.0996, "Side of a product pixel.", unit="arcsec", ge=0.005, le=5.0)
    orientation: Literal["north", "exposure"] = setting(
        "north", "Which way the product's y axis points: north, or along y of the first exposure's WF3."
    )
    rotation: float | None = setting(
        None,
        "Position angle of the product's y axis, east of north; wins over orientation.",
        unit="deg",
        ge=-360.0,
        le=360.0,
    )
    ra: float | None = setting(
        None, "Right ascension of the product's center; needs dec.", unit="deg", ge=0.0, le=360.0
    )
    dec: float | None = setting(None, "Declination of the product's center; needs ra.", unit="deg", ge=-90.0, le=90.0)
    nx: int | None = setting(None, "Columns of the product; needs ny.", unit="pixel", ge=1, le=50000)
    ny: int | None = setting(None, "Rows of the product; needs nx.", unit="pixel", ge=1, le=50000)
    kernel: Literal["square", "turbo", "point", "gaussian", "lanczos3"] = setting(
        "square", "How a pixel falls on the product; square is the exact overlap, and conserves flux."
    )
    pixfrac: float = setting(1.0, "Side of a drop over that of a pixel.", ge=0.0, le=1.0)
    weight: Literal["EXP", "IVM", "ERR"] = setting(
        "EXP",
        "Weight of a pixel: exposure time and sensitivity; inverse variance of the background by the noise model; the"
        " same by the ERR array of the input, its source's own noise taken off.",
    )
    fill: float | None = setting(
        None, "Value of SCI and ERR where nothing covers the product; NaN when absent.", unit="DN/s"
    )
    incumbent_gain_fault: bool = setting(
        False, "Multiply each chip by its gain over the last chip's, as AstroDrizzle does: for comparison only."
    )
