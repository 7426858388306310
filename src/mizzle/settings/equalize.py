"""How chips are brought to one PHOTFLAM."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class EqualizeSettings(Section):
    """How chips are brought to one PHOTFLAM."""

    enabled: bool = setting(
        True,
        "Bring every chip to the reference PHOTFLAM; false keeps each chip as it is (for comparison only).",
    )
    reference: str = setting(
        "WF3", "Chip whose PHOTFLAM is the zeropoint of the product: PC, WF2, WF3 or WF4.", min_length=1
    )
    exposure: str | None = setting(
        None,
        "ROOTNAME of the exposure that gives its filter's reference; unset: the first that has the chip.",
    )
    photflam: float | None = setting(
        None,
        "The reference PHOTFLAM as a number; unset: the reference chip's.",
        unit="erg cm-2 s-1 A-1 / (DN/s)",
        gt=0,
    )
    factors: str = setting(
        "", "File of corrections to PHOTFLAM by chip and epoch: columns chip, factor or photflam, and limits."
    )
