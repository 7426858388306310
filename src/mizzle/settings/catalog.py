"""How stars of the product are measured."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class CatalogSettings(Section):
    """How stars of the product are measured."""

    threshold: float = setting(6.0, "Least signal-to-noise ratio of a source.", unit="sigma", ge=2, le=1000)
    min_snr: float = setting(
        3.0, "Least signal-to-noise ratio of a source's flux in the aperture.", unit="sigma", ge=0, le=1000
    )
    drop_hit: bool = setting(
        True,
        "Leave out sources whose center cosmic rays hit in more than half of the exposures, and which have no wings:"
        " crumbs of those rays.",
    )
    fwhm: float = setting(0.11, "Width of a star on the product, its pixel not counted.", unit="arcsec", ge=0.01, le=5)
    max_sources: int = setting(50_000, "Keep the brightest.", ge=1)
    aperture: float = setting(
        0.5, "Radius of the aperture; growth to 0.5 arcsec is measured.", unit="arcsec", ge=0.05, le=3
    )
    sky_inner: float = setting(1.5, "Inner radius of the sky ring.", unit="arcsec", gt=0, le=20)
    sky_width: float = setting(1.0, "Width of the sky ring.", unit="arcsec", gt=0, le=20)
    sky_statistic: Literal["median", "mean", "mode"] = setting(
        "median", "What represents the clipped pixels of the ring."
    )
    floor: float = setting(0.0006, "Relative error of every flux.", ge=0, le=0.2)
    sampling: float = setting(
        0.02,
        "Relative error of a flux within 0.15 arcsec by how the WF pixels of one exposure sample a star; goes with the"
        " chip's pixel side, one over the cube of the aperture and one over the root of the number of exposures.",
        ge=0,
        le=1,
    )
    mend_error: float = setting(
        0.2, "Relative error of the light put back for pixels lost near a star's center.", ge=0, le=1
    )
    growth_snr: float = setting(50.0, "Stars brighter than this measure the growth to 0.5 arcsec.", unit="sigma", ge=5)
    blend_radius: float = setting(1.0, "A neighbor this near may make a star blended.", unit="arcsec", ge=0, le=10)
    blend_share: float = setting(
        0.02, "Least share of the star's flux that such a neighbor puts into its aperture.", ge=0, le=10
    )
    few_exposures: int = setting(
        2, "Stars on fewer exposures than this, where the product has as many, are flagged.", ge=1
    )
    cte: Literal["auto", "dolphin2009", "none"] = setting(
        "auto", "Which CTE correction the column cte holds; auto: none for data simulated without the loss."
    )
    apply_cte: bool = setting(False, "Whether fluxes and magnitudes are corrected by the column cte.")
