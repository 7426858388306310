"""The search for stars of a product, and what limits it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.kernel.detect import Detection, Profile, SkyMesh, detect, measure_sky, profile_stamps
from mizzle.model import Finding, Mosaic, Verdict
from mizzle.model.sky import ST_ZEROPOINT
from mizzle.settings import CatalogSettings

PART = "catalog"

_FWHM = 2.354820045
#: Structure is said where it covers so much of the field; WARN where so much of the field has so many times the noise
#: that its pixels' errors explain. The search itself copes with a sky that is smooth over the image of a star.
SAID, RAISED, FACTOR = 0.01, 0.01, 2.0


def detection_of(mosaic: Mosaic, options: CatalogSettings) -> Detection:
    """Return what a star of the product looks like, and the limits of the search."""
    sigma = options.fwhm / _FWHM / mosaic.grid.scale
    return Detection(
        profile=Profile(sigma=sigma, halo_sigma=2.5 * sigma, halo=0.3, radius=2),
        gain=mosaic.reference.gain * mosaic.exptime,
        threshold=options.threshold,
        max_chi2=50.0,  # a cosmic ray is gone by now; bright stars differ from any profile
        sharpness=(0.1, 4.5),  # stars of the PC, on a product of WF scale, are twice as sharp as the others
        max_roundness=1.0,
        max_sources=options.max_sources,
        mismatch=0.15,
        edge=3,
    )


def sky_of(mosaic: Mosaic, options: CatalogSettings) -> SkyMesh:
    """Return level and noise of the sky above which stars are searched for."""
    return measure_sky(mosaic.sci, ~(mosaic.wht > 0), detection_of(mosaic, options))


def find_stars(mosaic: Mosaic, options: CatalogSettings, sky: SkyMesh | None = None) -> NDArray[Any]:
    """Detect sources on the product; see `mizzle.kernel.detect.detect`."""
    return detect(mosaic.sci, ~(mosaic.wht > 0), detection_of(mosaic, options), sky=sky)


def search_findings(mosaic: Mosaic, sky: SkyMesh, options: CatalogSettings) -> tuple[Finding, ...]:
    """Say where structure of the sky lies under the stars, and where it raises the limit of detection.

    Parameters
    ----------
    mosaic : Mosaic
        Its ERR tells what noise its pixels should have.
    sky : SkyMesh
        What the search took for level and noise.
    options : CatalogSettings
        ``threshold`` and ``fwhm``.
    """
    noise = sky.background.noise
    if not sky.structured.any():
        return ()
    my, mx = noise.shape
    finer = my // sky.structured.shape[0]
    rows, columns = (
        ((np.arange(n) + 0.5) * size / n).astype(np.intp) for n, size in zip((my, mx), mosaic.sci.shape, strict=True)
    )
    error, covered = mosaic.err[np.ix_(rows, columns)], mosaic.wht[np.ix_(rows, columns)] > 0
    covered &= error > 0
    structured = covered & np.kron(sky.structured, np.ones((finer, finer), np.bool_))
    share = float(structured.sum()) / max(float(covered.sum()), 1.0)
    if share < SAID:
        return ()
    raised = structured & (noise > FACTOR * np.where(covered, error, np.inf))
    raised_share = float(raised.sum()) / float(covered.sum())
    words = f"light with structure (a nebula, a galaxy, ghosts) covers {100 * share:.0f} % of the field"
    if raised_share < RAISED:
        sentence = f"{words}: stars were searched for above a sky followed within 1.3 arcsec"
        return (Finding(PART, Verdict.PASS, sentence),)
    limit, possible = (_faintest(mosaic, options, float(np.median(part[raised]))) for part in (noise, error))
    sentence = (
        f"{words}, and in {100 * raised_share:.0f} % it is as fine as stars: there the limit of detection is ST"
        f" {limit:.1f} mag, {possible - limit:.1f} mag brighter than the errors of the pixels allow; fainter stars are"
        " not listed, and knots may be"
    )
    return (Finding(PART, Verdict.WARN, sentence),)


def _faintest(mosaic: Mosaic, options: CatalogSettings, noise: float) -> float:
    """Return the ST magnitude of a star that reaches the threshold where pixels have some noise."""
    detection = detection_of(mosaic, options)
    stamp: FloatArray = profile_stamps(detection.profile, np.zeros(1), np.zeros(1)).value[0]
    power = float(((stamp - stamp.mean()) ** 2).sum())
    flux = detection.threshold * noise / np.sqrt(power)
    return float(ST_ZEROPOINT - 2.5 * np.log10(flux * mosaic.reference.photflam))
