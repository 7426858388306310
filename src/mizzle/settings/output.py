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
    mosaic: bool = setting(True, "Write the drizzled image NAME_drz.fits; off for a catalog and a picture alone.")
    separate: bool = setting(
        False, "Also write SCI, ERR, WHT and CTX as files of one image each: NAME_drz_sci.fits and so on."
    )
    units: Literal["rate", "counts", "electrons"] = setting(
        "rate",
        "Unit of SCI and ERR in the drizzled image: per second; or counts, or electrons, in EXPTIME as a whole"
        " (PHOTFLAM stays per second). The catalog keeps its rates.",
    )
    until: Literal["", "align", "equalize", "sky", "reject", "combine"] = setting(
        "", "Stop after this step; what is known so far is reported, and written where asked. Empty: do everything."
    )
    compress: Literal["none", "context", "all"] = setting(
        "none",
        "Images of the product in tiles, compressed without loss: CTX (Rice), or all (the others by gzip).",
    )
