"""How cosmic rays are found."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from mizzle.settings.base import Section, above, setting


class RejectSettings(Section):
    """How cosmic rays are found: many exposures by comparison, one by its sharpness."""

    method: Literal["auto", "compare", "single", "none"] = setting(
        "auto",
        "compare: with the other exposures; single: each exposure by itself; auto: compare wherever two exposures"
        " cover a place, single elsewhere; none: flag nothing.",
    )
    combine: Literal["clipped", "median", "mean", "minmed"] = setting(
        "clipped",
        "How the exposures become a reference: mean of what lies near a minimum-guarded median; plain median; mean;"
        " median with the highest left out, or the minimum where that is far above it.",
    )
    combine_sigma: float = setting(
        3.0, "clipped and minmed: farther from the middle than this is left out.", unit="sigma", ge=1, le=50
    )
    combine_structure: float = setting(
        0.3, "clipped and minmed: scatter of a star between dithers, relative to its light.", ge=0, le=2
    )
    combine_low: float | None = setting(
        None, "Pixels below this, sky subtracted, are left out of the reference.", unit="DN", ge=-1e9, le=1e9
    )
    combine_high: float | None = setting(
        None, "Pixels above this, sky subtracted, are left out of the reference.", unit="DN", ge=-1e9, le=1e9
    )
    nlow: int = setting(0, "median and mean: lowest values left out, where others remain.", ge=0, le=100)
    nhigh: int = setting(0, "median and mean: highest values left out, where others remain.", ge=0, le=100)
    kernel: Literal["linear", "square", "turbo", "point"] = setting(
        "linear",
        "Kernel that brings each exposure to the reference's grid. linear: cells read the chip between its four nearest"
        " pixels, which is what square comes to where pixels lie straight on cells of their size; others are dropped as"
        " squares.",
    )
    pixfrac: float = setting(
        1.0, "Side of a drop over that of a pixel, for the reference; below 1, linear is square.", gt=0, le=1
    )
    interpolation: Literal["nearest", "linear", "poly3", "poly5", "lanczos3"] = setting(
        "poly5", "How the reference is read at a chip's pixels."
    )
    sharpen: float = setting(
        2.0, "How much of the reference's smoothing by drop and pixel is undone before comparing.", ge=0, le=3
    )
    sharpen_wings: float = setting(0.5, "The same, where sharpening lowers the reference.", ge=0, le=3)
    sharpen_doubt: float = setting(
        0.5, "Added to both thresholds, in units of what sharpening added to a peak of the reference.", ge=0, le=10
    )
    min_coverage: float = setting(
        0.7, "Least share of a reference pixel that an exposure must cover to count there.", ge=0, le=1
    )
    seed_sigma: float = setting(3.4, "Seeds stand above the reference by this.", unit="sigma", ge=1, le=50)
    neighbor_sigma: float = setting(
        1.0, "Neighbors of a seed stand above the reference by this.", unit="sigma", ge=0, le=50
    )
    seed_slope: float = setting(
        0.8, "Seeds: added to the threshold, in units of the reference's steepest step to a neighbor.", ge=0, le=10
    )
    neighbor_slope: float = setting(
        0.0, "Neighbors: added to the threshold, in units of the reference's steepest step.", ge=0, le=10
    )
    second_look: bool = setting(
        True, "Hold suspects in star cores against the other exposures' nearest pixels before they are flagged or not."
    )
    keep_brighter: bool = setting(
        False,
        "Keep stars that are brighter in one exposure than in the others, variable ones, where light explains them;"
        " rays on stars that light explains are kept with them. Without it those that may be are counted.",
    )
    suspect_slope: float = setting(
        0.05, "Suspects: seeds with this in place of seed_slope, and without sharpen_doubt.", ge=0, le=10
    )
    second_sigma: float = setting(
        4.0, "Second look: a ray stands above what the other exposures predict by this.", unit="sigma", ge=1, le=50
    )
    second_structure: float = setting(
        0.8, "Second look: how much starlight may vary, relative to the brightest expectation nearby.", ge=0.01, le=10
    )
    trust: float = setting(
        0.5,
        "Where the reference exceeds this share of what every exposure can record, it may rest on saturated pixels:"
        " seeds are suspects.",
        gt=0,
        le=100,
    )
    negative: bool = setting(False, "Flag pixels far below the reference too.")
    grow: int = setting(0, "Flag everything this near to a cosmic ray.", unit="pixel", ge=0, le=20)
    cte_grow: int = setting(
        0, "Flag this much of the column behind a cosmic ray, away from the amplifier.", unit="pixel", ge=0, le=200
    )
    static: bool = setting(True, "Flag pixels that are far too low in every exposure (three at least).")
    static_sigma: float = setting(4.0, "How far below the sky.", unit="sigma", ge=1, le=100)
    trails: Literal["auto", "always", "never"] = setting(
        "auto",
        "Look for straight trails of satellites across a chip and flag them whole; auto: where at most two exposures"
        " are compared (more find them as they find rays).",
    )
    by_epoch: bool = setting(
        True,
        "Compare exposures of one epoch with each other only, where stars moved between epochs; and keep exposures that"
        " are not well placed out of the others' reference.",
    )
    place_sigma: float = setting(
        2.5,
        "How many sigma of an exposure's place, and of its stars', the thresholds on the steepest step allow for.",
        unit="sigma",
        ge=0,
        le=20,
    )
    memory_mb: int = setting(64, "Memory for the exposures of one band of the reference.", unit="MB", ge=1, le=100_000)
    single_sigma: float = setting(
        5.0,
        "Single exposure: a seed's significance, and the least peak that is judged.",
        unit="sigma",
        ge=2,
        le=50,
    )
    single_neighbor_sigma: float = setting(
        2.0, "Single exposure: neighbors of a seed above this belong to it.", unit="sigma", ge=1, le=50
    )
    single_contrast: float = setting(
        2.0, "Single exposure: L.A.Cosmic's limit of sharpness over fine structure.", ge=0, le=100
    )
    single_track: int = setting(
        3, "Single exposure: how far a track is followed from its peak.", unit="pixel", ge=0, le=50
    )
    single_grow: int = setting(
        1, "Single exposure: how far from a seed neighbors are looked for.", unit="pixel", ge=0, le=5
    )
    single_deficit: float = setting(
        3.2,
        "Single exposure: a peak is light unless the best fit of star images to the 5 x 5 pixels around misses them by"
        " this (root of chi-square).",
        unit="sigma",
        ge=0,
        le=50,
    )
    single_faint_deficit: float = setting(
        2.8,
        "Single exposure: the same for peaks below 100 sigma of the sky, where rays are as many as stars; more where"
        " stars are many, up to single_deficit.",
        unit="sigma",
        ge=0,
        le=50,
    )
    single_beside: float = setting(
        1.4,
        "Single exposure: the same for such peaks within two pixels of a cosmic ray and without a star's wings, where"
        " stars are few; more where they are many.",
        unit="sigma",
        ge=0,
        le=50,
    )
    single_tolerance: float = setting(
        0.2, "Single exposure: how well the star's image is known, relative to itself.", ge=0, le=2
    )
    single_light: float = setting(
        0.85,
        "Single exposure: light around the peak of the sharpest star that is believed, relative to the sharpest of the"
        " exposure's own stars, or to one in perfect focus where there are too few; 0.05 less where a star is well"
        " sampled.",
        ge=0,
        le=1,
    )
    single_structure: float = setting(
        0.1, "Single exposure: how well smooth structure is known, relative to itself.", ge=0, le=1
    )

    @field_validator("combine_high")
    @classmethod
    def _above_low(cls, value: float | None, info: ValidationInfo) -> float | None:
        return above(value, info.data.get("combine_low"), "reject.combine_low")
