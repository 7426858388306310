"""Which data-quality bits a pixel may carry and still be used."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class DataQualitySettings(Section):
    """Which data-quality bits a pixel may carry and still be used."""

    good: tuple[int | str, ...] = setting(
        (1024,),
        "Bits that do no harm, by number (sums are taken apart) or by the camera's own name, as 'repaired_warm'; unset,"
        " each camera's usual ones.",
    )
    saturated: bool = setting(
        True, "Use saturated pixels (bit 8) where unsaturated ones of no exposure cover the place."
    )
    saturated_reach: float = setting(
        0.3,
        "Around saturated pixels an exposure counts only where no other covers the place: a star's core is made of"
        " exposures that are whole there.",
        unit="arcsec",
        ge=0,
        le=3,
    )
    rays: Literal["clear", "keep"] = setting(
        "clear",
        "Bit 4096 of an input, which other programs set on cosmic rays: cleared, for mizzle finds them itself; or kept"
        " as a mask of one's own.",
    )
    files: tuple[str, ...] = setting(
        (), "Data-quality files (c1m, c1f) for exposures that have none beside them: FILE, or ROOT=FILE."
    )
    masks: tuple[str, ...] = setting(
        (),
        "Masks of one's own, ROOT=FILE each: a FITS file with an image per chip (nonzero is bad), or DS9 regions.",
    )
