"""What is written."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class OutputSettings(Section):
    """What is written."""

    exposures: bool = setting(
        False, "Also write exposures/ROOT_flt.fits: each input equalized, with ERR, DQ, and its aligned WCS."
    )
    catalog: bool = setting(True, "Write the star catalog NAME_cat.ecsv.")
    image: bool = setting(True, "Write the picture NAME.png.")
    compress: Literal["none", "context", "all"] = setting(
        "none",
        "Images of the product in tiles, compressed without loss: CTX (Rice), or all (the others by gzip).",
    )
