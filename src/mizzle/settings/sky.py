"""How the sky level is measured and what is subtracted."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from mizzle.settings.base import Section, above, setting


class SkySettings(Section):
    """How the sky level is measured and what is subtracted."""

    method: Literal["auto", "localmin", "globalmin", "match", "globalmin+match", "chip", "user", "none"] = setting(
        "auto",
        "What is subtracted: the faintest chip's surface brightness from the whole exposure (localmin),"
        " from all exposures (globalmin), differences seen in overlaps (match), and then the faintest that is left"
        " (globalmin+match), each chip's own (chip), given values (user); auto: globalmin+match, or localmin where"
        " there is one exposure only.",
    )
    statistic: Literal["mode", "median", "mean"] = setting(
        "mode", "What represents the sky pixels of a chip, after clipping."
    )
    clip: float = setting(3.0, "Pixels farther than this from the sky do not count.", unit="sigma", ge=1, le=10)
    iterations: int = setting(5, "Most rounds of clipping.", ge=1, le=50)
    lower: float | None = setting(
        None, "Pixels below this do not count, whatever the scatter.", unit="DN as recorded", ge=-1e9, le=1e9
    )
    upper: float | None = setting(
        None, "Pixels above this do not count, whatever the scatter.", unit="DN as recorded", ge=-1e9, le=1e9
    )
    step: int = setting(
        2,
        "Every step-th row is used, of chips of several million pixels fewer: sky needs no more pixels.",
        unit="row",
        ge=1,
        le=16,
    )
    min_pixels: int = setting(1000, "Fewest sky pixels that make a level.", unit="pixel", ge=10)
    amplifiers: Literal["as one", "each"] = setting(
        "as one",
        "With 'each', a step of the sky at the border between the two amplifiers of a chip (ACS/WFC, WFC3/UVIS) is"
        " measured and taken out first.",
    )
    match_by: Literal["exposure", "chip"] = setting(
        "exposure", "Whether match moves each exposure as one, or each chip by itself."
    )
    match_block: int = setting(20, "Side of the blocks in which overlaps are compared.", unit="pixel", ge=4, le=200)
    values: tuple[str, ...] = setting(
        (),
        "Sky for method user, in DN per pixel as recorded: 'ROOT=3.1', 'WF3=3.1', 'ROOT:WF3=3.1', '*=3.1'.",
    )
    file: str = setting("", "Table of sky levels for method user: columns sky and root, chip.")
    exclude: str = setting("", "DS9 region file (fk5 or image): what its regions hold is kept out of the statistics.")

    @field_validator("upper")
    @classmethod
    def _above_lower(cls, value: float | None, info: ValidationInfo) -> float | None:
        return above(value, info.data.get("lower"), "sky.lower")
