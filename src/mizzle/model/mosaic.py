"""The products: mosaics, catalogs, and the result that holds everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model.exposure import Exposure
from mizzle.model.frame import Grid
from mizzle.model.solutions import (
    Alignment,
    CosmicRays,
    FluxReference,
    FluxScales,
    SkyLevels,
    Zeropoint,
)
from mizzle.model.values import Value
from mizzle.model.verdict import Verdict

if TYPE_CHECKING:
    from astropy.wcs import WCS


@dataclass(frozen=True, eq=False)
class InputChip(Value):
    """One input chip of a mosaic, in the order of the context bits."""

    root: str
    chip: str
    exptime: float
    factor: float
    sky: float
    weight: float
    frame_scale: float


@dataclass(frozen=True, eq=False)
class Mosaic(Value):
    """One drizzled image.

    Parameters
    ----------
    filter : str
        Its filter.
    sci, err : (ny, nx) float32 array
        Rate and 1 sigma per product pixel [DN/s at `photflam`]; NaN where `wht` is 0.
    wht : (ny, nx) float32 array
        Weight, of type `weight_type`.
    ctx : (ny, nx) or (planes, ny, nx) int32 array
        One bit per input chip.
    grid : Grid
        Its pixels on the sky.
    reference : FluxReference
        The one zeropoint.
    inputs : tuple of InputChip
        In the order of the context bits.
    exptime : float
        Sum over exposures [s].
    noise_correlation : mapping
        Large-area noise-correlation factor by chip name.
    neighbor_correlation : mapping
        By chip name: covariance of pixels by their distance, indexed ``[dy + m, dx + m]``, 1 in the middle.
    fill : float
        What stands for SCI and ERR in the file where `wht` is 0.
    """

    filter: str
    sci: NDArray[np.float32]
    err: NDArray[np.float32]
    wht: NDArray[np.float32]
    ctx: NDArray[np.int32]
    grid: Grid
    reference: FluxReference
    inputs: tuple[InputChip, ...]
    exptime: float
    pixfrac: float
    kernel: str
    weight_type: str = "EXP"
    noise_correlation: Mapping[str, float] = field(default_factory=dict)
    neighbor_correlation: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    fill: float = float("nan")

    @property
    def photflam(self) -> float:
        """The one inverse sensitivity."""
        return self.reference.photflam

    @property
    def wcs(self) -> WCS:
        """Its frame as an `astropy.wcs.WCS`."""
        return self.grid.wcs


@dataclass(frozen=True, eq=False)
class Catalog(Value):
    """Stars of one mosaic: equal-length columns with units.

    Parameters
    ----------
    columns : mapping
        Array by name: ``ra dec x y flux flux_err mag_st mag_ab mag_vega mag_err cte sky chip n_exp flags``.
    units : mapping
        Unit string by name; ``""`` where dimensionless.
    meta : mapping
        Aperture, correction, zeropoints: plain values.
    """

    columns: Mapping[str, NDArray[Any]]
    units: Mapping[str, str]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


@dataclass(frozen=True, eq=False)
class Result(Value):
    """Everything a run found out."""

    name: str
    exposures: tuple[Exposure, ...]
    mosaics: Mapping[str, Mosaic]
    catalogs: Mapping[str, Catalog]
    alignment: Alignment
    flux_scales: FluxScales
    sky: SkyLevels
    cosmic_rays: CosmicRays
    zeropoints: Mapping[str, Zeropoint]
    verdict: Verdict
    report: Mapping[str, Any] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    run_id: str = ""

    @property
    def zeropoint(self) -> Zeropoint:
        """The proof of the only, or first, filter; `zeropoints` has them all."""
        return next(iter(self.zeropoints.values()))
