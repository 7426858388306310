"""Which data-quality bits a pixel may carry and still be used."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class DataQualitySettings(Section):
    """Which data-quality bits a pixel may carry and still be used."""

    good: tuple[int | str, ...] = setting(
        (1024,),
        "Bits that do no harm, by number (sums are taken apart) or by name, as 'repaired_warm'.",
    )
    saturated: bool = setting(
        True, "Use saturated pixels (bit 8) where unsaturated ones of no exposure cover the place."
    )
