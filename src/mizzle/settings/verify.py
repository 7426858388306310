"""How the zeropoint is proven on the data."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class VerifySettings(Section):
    """How the zeropoint is proven on the data."""

    enabled: bool = setting(True, "Measure stars on single exposures and compare the chips.")
    sky_inner: float = setting(1.5, "Inner radius of the sky ring.", unit="arcsec", gt=0, le=20)
    sky_width: float = setting(1.0, "Width of the sky ring.", unit="arcsec", gt=0, le=20)
    snr: float = setting(
        20.0, "Least expected signal-to-noise ratio of a star on a single exposure.", unit="sigma", ge=3
    )
    max_stars: int = setting(3000, "Most stars measured, the brightest.", ge=10)
    margin: float = setting(
        0.2, "Distance that the aperture keeps from the pyramid's shadow.", unit="arcsec", ge=0, le=10
    )
    max_fill: float = setting(
        0.1, "Largest share of a star's light that may lie on bad pixels and be filled in.", ge=0, le=0.5
    )
    core: float = setting(
        0.12, "A bad pixel nearer to the center than this spoils a measurement.", unit="arcsec", ge=0, le=1
    )
    floor: float = setting(
        0.01, "Relative error of one measurement beside noise: pixel phase, flat field.", ge=0, le=0.2
    )
    cte: Literal["auto", "dolphin2009", "none"] = setting(
        "auto", "CTE correction of the stars; auto: none for data simulated without the loss."
    )
    cte_error: float = setting(0.1, "Relative error of the CTE correction, common to all stars.", ge=0, le=1)
    systematic: float = setting(0.005, "Error of every ratio that no number of stars takes away.", ge=0, le=0.1)
    sky_ratio: bool = setting(True, "Compare the chips' blank sky too, on uniform fields; it never decides.")
    pedestal: float = setting(0.1, "Error of a chip's sky from left-over bias.", unit="DN", ge=0, le=10)
