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
    dec: float | None = setting(
        None, "Declination of the product's center; needs ra.", unit="deg", ge=-90.0, le=90.0
    )
    nx: int | None = setting(None, "Columns of the product; needs ny.", unit="pixel", ge=1, le=50000)
    ny: int | None = setting(None, "Rows of the product; needs nx.", unit="pixel", ge=1, le=50000)
