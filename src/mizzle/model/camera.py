"""A camera, described: what the steps must know of an instrument, and nothing of how its files are read.

One frozen description per camera, made in `mizzle.instrument` and carried by every exposure. Its functions are plain
functions of a module, so a camera pickles. Where a camera lacks something (a shadow, a charge-transfer formula), the
function is None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.arrays import FloatArray

#: Chip, x, y [0-based pixel of a whole, unbinned chip] to the distance into the light [pixel]; negative in the shadow.
LitDistance = Callable[[str, FloatArray, FloatArray], FloatArray]
#: Chip, shape of a whole chip, binning to the share of each pixel that sees the sky, ``(ny, nx)``.
LitShare = Callable[[str, tuple[int, int], int], NDArray[np.float32]]
#: Band to the light of a star over what falls within `Camera.aperture`.
ToInfinity = Callable[[str], float]


class ChargeLoss(Protocol):
    """x, y [0-based pixel, unbinned], electrons of the star, background [electron / pixel], MJD to magnitudes lost."""

    def __call__(
        self, x: ArrayLike, y: ArrayLike, electrons: ArrayLike, *, sky: ArrayLike, mjd: ArrayLike
    ) -> FloatArray:
        """Return the magnitudes that stars lose."""


class VegaZeropoint(Protocol):
    """Band, chip and PHOTMODE to the Vega magnitude of one unit per second; None where it is not known."""

    def __call__(self, band: str, chip: str, photmode: str, *, photflam: float, photplam: float) -> float | None:
        """Return the zeropoint."""


@dataclass(frozen=True)
class ChipClass:
    """Chips that share a pixel scale and a star image.

    Parameters
    ----------
    name : str
        For people.
    chips : tuple of str
        Their names.
    pixel : float
        Nominal side of a pixel [arcsec].
    halo : (float, float)
        For finding stars of a width that the user gives, on WFPC2: width of a second Gaussian over that of the core,
        and its share of the light.
    radius : int
        Half-side of the window in which a star is fitted [pixel].
    mismatch : float
        How far real stars are from that shape, relative to their peak.
    """

    name: str
    chips: tuple[str, ...]
    pixel: float
    halo: tuple[float, float] = (2.5, 0.3)
    radius: int = 2
    mismatch: float = 0.10


@dataclass(frozen=True)
class Camera:
    """What the steps must know of a camera.

    Parameters
    ----------
    name : str
        As people say it: ``WFPC2``, ``ACS/WFC``.
    instrument, detector : str
        INSTRUME and DETECTOR of its files; an empty detector where the instrument has one camera.
    classes : tuple of ChipClass
        All chips, the finest pixels first.
    chips : tuple of str
        Chip names in the order of the product's keywords: the first has number 1 (``ZPRAT1``).
    reference : str
        The chip that leads: its PHOTFLAM, its tangent plane, its orientation.
    stand_ins : tuple of str
        Chips that take the place of `reference` where no exposure has it, the first choice first; then any other.
    shape : (int, int)
        ``(ny, nx)`` of a whole, unbinned chip.
    unit : str
        Of a count per second, as BUNIT: ``COUNTS/S`` or ``ELECTRONS/S``.
    quantum : float
        Step of the digitization [count]; 0 where files hold calibrated electrons.
    full_well : float
        Counts at which a pixel may be full.
    suffix : str
        Ending of a product's name.
    bits : tuple of (str, int)
        Data-quality bits by name.
    good : int
        Bits that do no harm, where the settings leave it to the camera.
    saturated, shaded, replaced : int
        Bits of a full pixel, of the shadow of the optics (0 for none), and of a pixel without a finite value.
    aperture : float
        Radius to which published growth curves refer [arcsec].
    to_infinity : callable
        All light over what falls within `aperture`, by band.
    vega : callable
        Vega zeropoints.
    footprint : float
        Side of the box, rounded up, that holds a product of one pointing at any orientation [arcsec].
    diffusion : (float, float, float)
        Charge that a pixel keeps, that each neighbor and each corner gets, of light on it.
    obscuration, vane : float
        Of the pupil, over the mirror's diameter.
    spread : float
        Charge diffusion that starts where light falls: sigma of a Gaussian per axis [pixel].
    defocus : float
        Error of the wavefront in usual focus, rms [micrometer].
    lit_share, lit_distance : callable or None
        The shadow of the optics.
    charge_loss : callable or None
        Charge-transfer loss of stars.
    aliases : tuple of (str, str)
        Other words for a chip, and its name.
    rays : bool
        Whether exposures hold cosmic rays: ramps of an infrared detector are cleaned before.
    counts : str
        What pixels of its exposures count, in sentences.
    """

    name: str
    instrument: str
    detector: str
    classes: tuple[ChipClass, ...]
    chips: tuple[str, ...]
    reference: str
    shape: tuple[int, int]
    unit: str
    quantum: float
    full_well: float
    bits: tuple[tuple[str, int], ...]
    good: int
    saturated: int
    shaded: int
    replaced: int
    aperture: float
    to_infinity: ToInfinity
    vega: VegaZeropoint
    footprint: float
    diffusion: tuple[float, float, float]
    obscuration: float = 0.33
    vane: float = 0.011
    spread: float = 0.0
    defocus: float = 0.02
    suffix: str = "drz"
    stand_ins: tuple[str, ...] = ()
    lit_share: LitShare | None = None
    lit_distance: LitDistance | None = None
    charge_loss: ChargeLoss | None = None
    aliases: tuple[tuple[str, str], ...] = field(default=())
    rays: bool = True
    counts: str = "electrons"

    @property
    def label(self) -> str:
        """The name as it stands in names of files: ``wfpc2``, ``acs-wfc``."""
        return self.name.lower().replace("/", "-")

    def number(self, chip: str) -> int:
        """Return the number of a chip in the product's keywords."""
        return self.chips.index(chip) + 1

    def class_of(self, chip: str) -> ChipClass:
        """Return the class that a chip belongs to."""
        return next(kind for kind in self.classes if chip in kind.chips)

    def chip_named(self, text: str | int) -> str | None:
        """Return the chip called `text` (a name, a number, an alias; in any case of letters), or None."""
        word = str(text).strip().upper()
        if word in self.chips:
            return word
        return dict(self.aliases).get(word)

    def is_whole(self, shape: tuple[int, int], binning: int = 1) -> bool:
        """Tell whether an image is of a whole chip, not of a subarray."""
        return (shape[0] * binning, shape[1] * binning) == self.shape
