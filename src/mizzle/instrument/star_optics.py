"""The optics that make WFPC2's stars: facts for `mizzle.psf`, each with its source."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mizzle.model import Chip
from mizzle.model.camera import Camera
from mizzle.psf import Optics, StarImage, star_image

#: Charge diffusion as the stars of omega Centauri show it: what a pixel keeps of the charge that light makes in it,
#: what each edge and each corner neighbor gets (the Tiny Tim manual has .75, .05 and .0125: Krist & Hook 2004), and a
#: Gaussian [pixel] from where light falls. Of a star between two pixels the far neighbor holds .07 to .10 of the peak
#: on the WF chips; the manual's kernel alone makes .10, and finds too many stars near the borders of pixels; this
#: makes .09.
DIFFUSION, SPREAD = (0.90, 0.02, 0.005), 0.2
#: Diameter of what blocks the middle of the pupil: the relay's secondary mirror blocks more than the telescope's .33.
OBSCURATION = 0.40
#: Width of a vane over the mirror's diameter (.022 of the radius, Tiny Tim).
VANE = 0.011
#: Pointing jitter [arcsec] and mirror [m] (HST Primer).
JITTER, MIRROR = 0.005, 2.4
#: Error of the wavefront that makes the stars of real exposures [micrometer rms]. With it a centered star's peak over
#: its four neighbors is 4.0 on the PC and 5.3 on the WF chips in F555W, its corners over the peak .14 and .07;
#: exposures of omega Centauri and NGC 1261 show 4.0 and 4.2, 4.9 to 5.4, .13 to .17 and .07.
TYPICAL_DEFOCUS = 0.04
#: Taken where a header does not say: pivot wavelength [Angstrom], and width over pivot.
DEFAULT_PIVOT, DEFAULT_WIDTH = 5000.0, 0.1


def star_optics(pixel: float, pivot: float, bandwidth: float = math.nan, **changes: Any) -> Optics:
    """Return the optics of a chip.

    Parameters
    ----------
    pixel : float
        Side of a pixel [arcsec]; binned pixels are larger.
    pivot, bandwidth : float
        PHOTPLAM and PHOTBW [Angstrom]; what is not a positive number is replaced.
    **changes
        Other fields of `Optics`: ``defocus=0.02``.
    """
    pivot = pivot if math.isfinite(pivot) and pivot > 0 else DEFAULT_PIVOT
    width = bandwidth if math.isfinite(bandwidth) and bandwidth >= 0 else DEFAULT_WIDTH * pivot
    # Chips and headers that differ by less than matters share an image.
    known: dict[str, Any] = {
        "pixel": round(pixel, 4),
        "pivot": round(pivot, -1),
        "bandwidth": round(width, -1),
        "diameter": MIRROR,
        "obscuration": OBSCURATION,
        "vane": VANE,
        "jitter": JITTER,
        "diffusion": DIFFUSION,
        "spread": SPREAD,
    }
    return Optics(**{**known, **changes})


def chip_star(camera: Camera, chip: Chip, *, defocus: float | None = None) -> StarImage:
    """Return the star image of `chip` through its filter.

    Parameters
    ----------
    camera : Camera
        Pupil, charge diffusion, and the usual focus.
    chip : Chip
        Pixel side, band, and the focus that its stars show.
    defocus : float, optional
        Error of the wavefront, rms [micrometer]; by default what the chip's stars show, or the camera's usual one.
    """
    if defocus is None:
        defocus = chip.focus.usual if chip.focus is not None else camera.defocus
    return star_image(_optics(camera, chip, defocus=_rounded(defocus)))


def sharpest_star(camera: Camera, chip: Chip) -> StarImage:
    """Return the sharpest image that stars of `chip` have: in perfect focus where they were not measured.

    No light is asked of the diffraction spikes, which turn with the pupil and fade with the width of the band.
    """
    defocus = chip.focus.sharpest if chip.focus is not None else 0.0
    # On pixels that are no squares (HRC: .0284 by .0248 arcsec) stars are sharpest along the longer side.
    longest = max(chip.frame.scale, 3600.0 * float(np.hypot(*chip.frame.cd).max()))
    return star_image(_optics(camera, chip, defocus=_rounded(defocus), vane=0.0, pixel=longest))


def _optics(camera: Camera, chip: Chip, **changes: float) -> Optics:
    facts = {name: getattr(camera, name) for name in ("obscuration", "vane", "diffusion", "spread")}
    pixel = changes.pop("pixel", chip.frame.scale)
    return star_optics(pixel, chip.photplam, chip.photbw, **{**facts, **changes})


def _rounded(defocus: float) -> float:
    """Round a focus, so that chips whose images differ by less than matters share one."""
    return round(0.002 * round(defocus / 0.002), 3)
