"""Where pixels lie on the sky."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class GeometrySettings(Section):
    """Where pixels lie on the sky."""

    wcs: Literal["model", "header"] = setting(
        "model",
        "Source of each chip's WCS: 'model' builds it from the distortion tables and the header's pointing,"
        " 'header' trusts"
        " the WCS of the input (SIP polynomial and lookup table included).",
    )
    wcsname: str = setting(
        "",
        "With wcs='header', name or letter of the input's WCS to trust; empty takes the primary one.",
        max_length=80,
    )
    headerlet: str = setting(
        "", "Path of a headerlet whose WCS replaces the input's on the chips it holds; empty for none."
    )
    tables: Literal["astropy", "design"] = setting(
        "astropy",
        "Where the lookup tables of ACS and WFC3 files have their nodes: 'astropy' as every present program reads the"
        " file (the first at pixel 64), 'design' where they were sampled (the first at pixel 1); 0.01 to 0.02 pixel rms"
        " apart.",
    )
    row_term: Literal["on", "off", "incumbent"] = setting(
        "on",
        "34th-row term: 'on' shifts rows along y on all four chips, 'off' leaves it out, 'incumbent' shifts"
        " PC alone, by its"
        " column number, for comparison.",
    )
    velocity_aberration: Literal["on", "off"] = setting(
        "on", "Whether VAFACTOR scales the WCS where the header has it."
    )
    area_mode: Literal["exact", "incumbent"] = setting(
        "exact",
        "How the distortion of 2x2-binned exposures (MODE AREA) follows from the full-frame table: 'exact'"
        " by substituting"
        " pixel coordinates, 'incumbent' by doubling every coefficient (cubic terms come out halved).",
    )
    idctab: str = setting("", "Path, or uref$name, of the distortion table (IDCTAB); empty takes the embedded one.")
    offtab: str = setting("", "Path, or uref$name, of the chip-offset table (OFFTAB); empty takes the embedded one.")
    offtab_end: Literal["hold", "extrapolate"] = setting(
        "hold",
        "Chip positions after the last date of the OFFTAB (2007-08-17): 'hold' keeps the last, 'extrapolate' continues"
        " the last slope, as the incumbent does (0.04 arcsec by 2009).",
    )
    dgeofile: str = setting(
        "", "Path, or uref$name, of the pixel-shift image (DGEOFILE); empty takes the embedded row profile."
    )
