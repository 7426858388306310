"""How exposures are brought onto one frame."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting


class AlignSettings(Section):
    """How exposures are brought onto one frame: stars are found, matched, and solved for all exposures at once."""

    method: Literal["stars", "header", "shifts"] = setting(
        "stars",
        "Align on stars; or trust the headers; or apply the corrections of a table (align.shifts).",
    )
    moving: Literal["target", "stars"] = setting(
        "target",
        "Exposures that follow a moving target (MTFLAG): hold the target still, by the headers or by the first source"
        " that align.sources gives; or align them on stars as others.",
    )
    reference: str = setting(
        "mean",
        "What keeps its place: 'mean' (no net correction, exposures far from the others left out of the mean),"
        " 'first' (the earliest exposure), or a rootname; a catalog or image, when given, wins.",
        min_length=1,
    )
    geometry: Literal["auto", "shift", "rshift", "rscale", "general"] = setting(
        "auto",
        "Correction of an exposure: shift, with roll (rshift), with roll and scale (rscale), six parameters"
        " (general); auto fits roll and scale as far as the stars support them (align.roll_prior,"
        " align.scale_prior).",
    )
    search_radius: float = setting(
        1.0,
        "Largest pointing error searched, between exposures and against a reference.",
        unit="arcsec",
        ge=0.05,
        le=120,
    )
    search_roll: float = setting(0.0, "Largest roll error searched.", unit="deg", ge=0, le=5)
    tolerance: float = setting(
        0.15, "Largest distance of matched stars once the offset is known.", unit="arcsec", gt=0, le=2
    )
    magnitude_tolerance: float = setting(
        0.75, "Largest magnitude difference of matched stars in one filter.", unit="mag", gt=0, le=20
    )
    roll_prior: float = setting(
        0.02,
        "Expected size of roll errors, for geometry 'auto' (align.search_roll when larger).",
        unit="deg",
        gt=0,
        le=5,
    )
    scale_prior: float = setting(1e-4, "Expected size of relative scale errors, for geometry 'auto'.", gt=0, le=0.01)
    chip_shifts: bool = setting(
        False, "Solve for a small shift of each chip too, the same in all exposures, where stars cross chips."
    )
    chip_prior: float = setting(20.0, "Expected size of the chips' own shifts.", unit="mas", gt=0, le=1000)

    threshold: float = setting(6.0, "Least signal-to-noise ratio of a source.", unit="sigma", ge=2, le=1000)
    max_sources: int = setting(300, "Brightest sources kept per chip.", ge=3, le=20000)
    fwhm_pc: float = setting(
        0.0,
        "Width of a star on the PC, before it is integrated over pixels; 0: stars as computed for the filter.",
        unit="pixel",
        ge=0,
        le=10,
    )
    fwhm_wf: float = setting(0.0, "The same on the WF chips.", unit="pixel", ge=0, le=10)
    sharpness_min: float = setting(0.6, "Least ratio of the brightest pixel to the fitted star.", ge=0, le=1)
    sharpness_max: float = setting(
        1.25, "Largest ratio of the brightest pixel to the fitted star; cosmic rays lie above.", ge=1, le=10
    )
    roundness_max: float = setting(
        0.8,
        "Largest relative difference of the widths along x and y; columns and trails lie above.",
        gt=0,
        le=2,
    )
    chi2_max: float = setting(4.0, "Largest reduced chi-square of a source's fit.", gt=0, le=1e6)
    saturated: Literal["exclude", "wings"] = setting(
        "exclude", "Leave saturated stars out, or center them on their unsaturated pixels."
    )
    edge: int = setting(6, "Distance kept from the chip's border and the pyramid's shadow.", unit="pixel", ge=3, le=200)

    min_matches: int = setting(3, "Fewest matched stars; an exposure with fewer fails.", ge=2, le=1000)
    warn_matches: int = setting(4, "An exposure with fewer matched stars is a WARN.", ge=2, le=1000)
    max_false_match: float = setting(
        1e-5, "Largest chance that a match is an accident; above it an exposure fails.", gt=0, lt=1
    )
    max_rms: float = setting(
        50.0, "Largest residual rms per axis; above it an exposure fails.", unit="mas", gt=0, le=1000
    )
    warn_rms: float = setting(20.0, "A larger residual rms per axis is a WARN.", unit="mas", gt=0, le=1000)
    max_error: float = setting(
        30.0,
        "Largest 1-sigma error of the shift, per axis; above it an exposure fails.",
        unit="mas",
        gt=0,
        le=1000,
    )
    warn_error: float = setting(
        10.0, "A larger 1-sigma error of the shift, per axis, is a WARN.", unit="mas", gt=0, le=1000
    )

    catalog: str = setting(
        "",
        "Reference catalog: a file (ECSV, CSV, FITS, VOTable) with ra and dec in degrees, and proper motions"
        " where known; or 'gaia' (needs the archive extra).",
    )
    image: str = setting("", "Reference image (FITS with a WCS); its stars become the reference catalog.")
    regions: str = setting("", "DS9 regions (image or fk5) to look for stars in, or, with a leading '-', not to.")
    sources: str = setting(
        "", "Table of sources to use in place of finding them: columns root, chip, x, y (1-based), flux."
    )
    shifts: str = setting(
        "", "Table of corrections for method 'shifts': root, east, north (arcsec), roll (deg), scale."
    )
