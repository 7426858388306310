"""The catalog's columns, and what their numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model import FluxReference, Mosaic
from mizzle.model.camera import Camera
from mizzle.model.star_flags import MEANINGS
from mizzle.settings import CatalogSettings
from mizzle.steps.catalog.curve import Growth
from mizzle.steps.catalog.photometry import Photometry

UNITS: Mapping[str, str] = {
    "ra": "deg",
    "dec": "deg",
    "x": "pixel",
    "y": "pixel",
    "flux": "ct / s",
    "flux_err": "ct / s",
    "mag_st": "mag",
    "mag_ab": "mag",
    "mag_vega": "mag",
    "mag_err": "mag",
    "cte": "mag",
    "sky": "ct / (s pixel)",
    "chip": "",
    "n_exp": "",
    "flags": "",
}


class StarExposures(Protocol):
    """What single exposures say of stars, ``(n,)`` each."""

    @property
    def cte(self) -> FloatArray:
        """Magnitudes to subtract."""

    @property
    def chip(self) -> NDArray[np.str_]:
        """Chip with most of the weight."""

    @property
    def n_exposures(self) -> NDArray[np.int64]:
        """Exposures that reach the star."""


def star_columns(
    measured: Photometry,
    evidence: StarExposures,
    factor: FloatArray,
    *,
    reference: FluxReference,
    band: str,
    camera: Camera,
) -> dict[str, NDArray[Any]]:
    """Turn aperture fluxes into fluxes and magnitudes; NaN magnitudes where there is no light."""
    flux = measured.flux * factor
    error = np.sqrt(np.maximum(measured.variance, 0.0)) * factor
    light = np.where(flux > 0, flux, np.nan)
    st = reference.photzpt - 2.5 * np.log10(light * reference.photflam)
    return {
        "flux": flux,
        "flux_err": error,
        "mag_st": st,
        "mag_ab": st - 5.0 * np.log10(reference.photplam) + 18.692,
        "mag_vega": vega_zeropoint(reference, band, camera) - 2.5 * np.log10(light),
        "mag_err": 2.5 / np.log(10.0) * error / light,
        "cte": evidence.cte,
        "sky": measured.sky,
        "chip": evidence.chip,
        "n_exp": evidence.n_exposures.astype(np.int32),
    }


def vega_zeropoint(reference: FluxReference, band: str, camera: Camera) -> float:
    """Return the Vega magnitude of one unit per second at the reference; NaN where it is not known.

    Parameters
    ----------
    reference : FluxReference
        Its chip's zeropoint counts; a PHOTFLAM given as a number belongs to no chip.
    band : str
        Filter.
    camera : Camera
        Whose zeropoints they are.
    """
    if reference.origin == "equalize.photflam":
        return float("nan")
    zeropoint = camera.vega(
        band, reference.chip, reference.photmode, photflam=reference.photflam, photplam=reference.photplam
    )
    return float("nan") if zeropoint is None else zeropoint


def describe_columns(mosaic: Mosaic, camera: Camera, options: CatalogSettings, *, grown: Growth) -> dict[str, Any]:
    """Say what the numbers mean, in plain values."""
    reference = mosaic.reference
    meta: dict[str, Any] = {
        "filter": mosaic.filter,
        "aperture_arcsec": options.aperture,
        "sky_ring_arcsec": [options.sky_inner, options.sky_inner + options.sky_width],
        "flux_is": "all light: aperture, growth to 0.5 arcsec, then to infinity",
        "growth_to_infinity": camera.to_infinity(mosaic.filter),
        "photflam": reference.photflam,
        "photplam": reference.photplam,
        "zeropoint_st": reference.photzpt - 2.5 * float(np.log10(reference.photflam)),
        "reference_chip": reference.chip,
        "cte": options.cte,
        "cte_applied": options.apply_cte,
        "flags": {int(bit): text for bit, text in MEANINGS.items()},
    }
    if np.isfinite(reference.photplam):
        ab = meta["zeropoint_st"] - 5.0 * float(np.log10(reference.photplam)) + 18.692
        meta["zeropoint_ab"] = ab
    vega = vega_zeropoint(reference, mosaic.filter, camera)
    if np.isfinite(vega):
        meta["zeropoint_vega"] = vega
    meta["growth_to_standard"] = {
        name: {"ratio": ratio, "error": error if np.isfinite(error) else None, "n": n}
        for name, (ratio, error, n) in grown.ratio.items()
    }
    meta["spread_loss"] = dict(grown.spread_loss)
    return meta
