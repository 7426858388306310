"""What the user may bring to the alignment: catalogs, an image, regions, sources, known shifts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, SkyPlaces
from mizzle.model.arrays import locked
from mizzle.model.user_tables import SkyRegion
from mizzle.model.values import Value


@dataclass(frozen=True, eq=False)
class SkyCatalog(Value):
    """Positions on the sky to align to.

    Parameters
    ----------
    name : str
        What it is called in the report.
    ra, dec : (n,) array
        Positions at `epoch` [deg].
    pm_ra, pm_dec : (n,) array
        Proper motions, ``pm_ra`` with the factor cos(dec) [mas/yr]; zero where unknown.
    epoch : float
        Julian year of the positions; NaN when not given (then proper motions must be zero).
    error : (n,) array
        1-sigma error of a position per axis [mas]; zero where unknown.
    mag : (n,) array
        Any magnitude, NaN where unknown; only used to prefer bright entries.
    """

    name: str
    ra: FloatArray
    dec: FloatArray
    pm_ra: FloatArray = field(default_factory=lambda: np.zeros(0))
    pm_dec: FloatArray = field(default_factory=lambda: np.zeros(0))
    epoch: float = float("nan")
    error: FloatArray = field(default_factory=lambda: np.zeros(0))
    mag: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n = np.size(self.ra)
        fills = {"pm_ra": 0.0, "pm_dec": 0.0, "error": 0.0, "mag": np.nan}
        for key in ("ra", "dec", *fills):
            values = np.asarray(getattr(self, key), dtype=np.float64)
            if values.size == 0 and n and key in fills:
                values = np.full(n, fills[key])
            if values.shape != (n,):
                raise ValueError(f"{self.name}: {key} has shape {values.shape}, ra has {n} entries")
            object.__setattr__(self, key, locked(values, np.float64))
        super().__post_init__()

    def __len__(self) -> int:
        return int(self.ra.size)

    def at(self, epoch: float) -> SkyPlaces:
        """Return right ascension and declination [deg] at `epoch` [Julian year].

        Linear motion on the tangent plane: good to a micro-arcsecond for motions of arcseconds.
        """
        years = epoch - self.epoch if np.isfinite(self.epoch) and np.isfinite(epoch) else 0.0
        dec = self.dec + self.pm_dec * years / 3.6e6
        ra = self.ra + self.pm_ra * years / 3.6e6 / np.cos(np.deg2rad(self.dec))
        return SkyPlaces(np.mod(ra, 360.0), dec)


@dataclass(frozen=True, eq=False)
class AlignmentImage(Value):
    """An image whose stars are to be aligned to.

    Parameters
    ----------
    name : str
        What it is called in the report.
    sci : (ny, nx) array
        Its pixels; not finite where there are none.
    pixel_to_sky : callable
        0-based ``(x, y)`` to right ascension and declination [deg].
    epoch : float
        Julian year, NaN when not known.
    fwhm : float
        Width of its stars [pixel], before integration over pixels.
    """

    name: str
    sci: NDArray[Any]
    pixel_to_sky: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
    epoch: float = float("nan")
    fwhm: float = 1.5


@dataclass(frozen=True, eq=False)
class KnownShift(Value):
    """A correction known beforehand.

    Parameters
    ----------
    east, north : float
        Shift [arcsec].
    roll : float
        Rotation from north through east about the common pivot [deg].
    scale : float
        Relative scale.
    """

    east: float
    north: float
    roll: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class AlignReferences(Value):
    """Everything read from files for the alignment; empty parts are simply not there.

    Parameters
    ----------
    catalog : SkyCatalog, optional
        Absolute reference.
    image : AlignmentImage, optional
        Absolute reference; `catalog` wins.
    regions : tuple of SkyRegion
        Where to look for stars, or not.
    sources : mapping
        ``sources[root][chip]``: ``(n, 3)`` array of x, y (0-based) and flux [DN].
    shifts : mapping
        `KnownShift` by root.
    """

    catalog: SkyCatalog | None = None
    image: AlignmentImage | None = None
    regions: tuple[SkyRegion, ...] = ()
    sources: Mapping[str, Mapping[str, FloatArray]] = field(default_factory=dict)
    shifts: Mapping[str, KnownShift] = field(default_factory=dict)
