"""What can be wrong with a star: bits of the catalog's column ``flags``."""

from __future__ import annotations

from enum import IntFlag


class Flag(IntFlag):
    """Bits of the column ``flags``; 0 is a star without a known fault."""

    SATURATED = 1  # a saturated pixel (DQ bit 8) within two pixels of the center, in any exposure
    EDGE = 2  # part of the aperture has no data
    BLENDED = 4  # a neighbor puts more than catalog.blend_share of the star's flux into the aperture
    FEW_EXPOSURES = 8  # on fewer exposures than catalog.few_exposures
    COSMIC_RAY = 16  # the center was hit in more than half of the exposures
    BAD_SKY = 32  # too few pixels in the sky ring; the nearest stars' sky was taken
    FAINT = 64  # the aperture's flux is not positive: no magnitude
    LIMIT = 128  # every exposure is saturated near the center: the flux is a lower limit
    UNLIKE = 256  # the aperture's light is not spread as a star's: a ray, a neighbor, a galaxy
    BRIGHTER = 512  # brighter on all sides in one exposure than in the others, as variable stars are, or hit by a ray


#: One line per bit, for headers and documents.
MEANINGS = {
    Flag.SATURATED: "saturated pixel near the center in any exposure",
    Flag.EDGE: "part of the aperture has no data",
    Flag.BLENDED: "neighbor's light in the aperture",
    Flag.FEW_EXPOSURES: "few exposures",
    Flag.COSMIC_RAY: "center hit by cosmic rays in more than half of the exposures",
    Flag.BAD_SKY: "too few pixels in the sky ring",
    Flag.FAINT: "no positive flux in the aperture",
    Flag.LIMIT: "saturated near the center in every exposure: the flux is a lower limit",
    Flag.UNLIKE: "light in the aperture not spread as a star's: cosmic ray, neighbor or galaxy",
    Flag.BRIGHTER: "brighter on all sides in one exposure than in the others: variable, or hit by a cosmic ray",
}
