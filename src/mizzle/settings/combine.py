"""How pixels are drizzled into the product."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class CombineSettings(Section):
    """How pixels are drizzled into the product."""

    scale: float = setting(0.0996, "Side of a product pixel.", unit="arcsec", ge=0.005, le=5.0)
    like: str = setting(
        "", "A FITS image whose pixels the product takes: the same shape and the same WCS; wins over all that follows."
    )
    orientation: Literal["north", "exposure", "first_chip"] = setting(
        "north",
        "Which way the product's y axis points: north, along y of the first exposure's WF3, or of its first chip.",
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
    crpix1: float | None = setting(
        None,
        "Column of the product (1-based) where ra and dec lie; its middle where absent; needs crpix2.",
        unit="pixel",
        ge=-1e6,
        le=1e6,
    )
    crpix2: float | None = setting(
        None, "Row of the product (1-based) where ra and dec lie; needs crpix1.", unit="pixel", ge=-1e6, le=1e6
    )
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
    weights: tuple[str, ...] = setting(
        (),
        "Weight maps of one's own for weight IVM, ROOT=FILE each: a FITS file with an image per chip, inverse variances"
        " of the background in electron**-2; 0 leaves a pixel out.",
    )
    fill: float | None = setting(
        None, "Value of SCI and ERR where nothing covers the product; NaN when absent.", unit="DN/s", ge=-3e38, le=3e38
    )
    memory_mb: int = setting(
        512,
        "Memory for sums and exposures while pixels are dropped; a larger product is made in bands of rows. Beside it"
        " the product itself takes 12 bytes a pixel and a packed context.",
        unit="MB",
        ge=16,
        le=1_000_000,
    )
    incumbent_gain_fault: bool = setting(
        False, "Multiply each chip by its gain over the last chip's, as AstroDrizzle does: for comparison only."
    )
