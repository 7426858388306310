"""How cosmic rays are found."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class RejectSettings(Section):
    """How cosmic rays are found."""

    single_sigma: float = setting(
        5.0,
        "Single exposure: a seed's significance, and the least peak that is judged.",
        unit="sigma",
        ge=2,
        le=50,
    )
    single_neighbor_sigma: float = setting(
        3.0, "Single exposure: neighbors of a seed above this belong to it.", unit="sigma", ge=1, le=50
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
        2.5,
        "Single exposure: a peak is a star's unless its neighbors fall this far short.",
        unit="sigma",
        ge=0,
        le=50,
    )
    single_tolerance: float = setting(
        0.2, "Single exposure: how well the star's shape is known, relative to itself.", ge=0, le=2
    )
    single_sharpness: float = setting(
        0.95, "Single exposure: width of the sharpest star, relative to the camera's.", ge=0.3, le=2
    )
    single_structure: float = setting(
        0.1, "Single exposure: how well smooth structure is known, relative to itself.", ge=0, le=1
    )
