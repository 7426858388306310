"""The optics that make WFPC2's stars: facts for `mizzle.psf`, each with its source."""

from __future__ import annotations

import math
from typing import Any

from mizzle.model import Chip
from mizzle.psf import Optics, StarImage, star_image

#: What a pixel keeps of the charge that light makes in it, what each edge and each corner neighbor gets: the kernel of
#: the Tiny Tim manual (Krist & Hook 2004, section on WFPC2). It is a kernel between pixels: a Gaussian of its second
#: moment takes too much from the peak.
DIFFUSION = (0.75, 0.05, 0.0125)
#: Diameter of what blocks the middle of the pupil: the relay's secondary mirror blocks more than the telescope's .33.
OBSCURATION = 0.40
#: Width of a vane over the mirror's diameter (.022 of the radius, Tiny Tim).
VANE = 0.011
#: Pointing jitter [arcsec] and mirror [m] (HST Primer).
JITTER, MIRROR = 0.005, 2.4
#: Error of the wavefront that makes the stars of real exposures [micrometer rms]. With it a centered star's peak over
#: its four neighbors is 4.1 on the PC and 5.2 on the WF chips in F555W; exposures of omega Centauri and NGC 1261 show
#: 4.0 and 4.2, and 4.9 to 5.4. A perfect pupil would make 4.4 and 5.9.
TYPICAL_DEFOCUS = 0.03
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
    }
    return Optics(**{**known, **changes})


def chip_star(chip: Chip, **changes: Any) -> StarImage:
    """Return the star image of `chip` through its filter; `changes` as for `star_optics`."""
    return star_image(star_optics(chip.frame.scale, chip.photplam, chip.photbw, **changes))
