"""The products: mosaics, catalogs, and the result that holds everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model.alignment import Alignment
from mizzle.model.context import Context
from mizzle.model.exposure import Exposure
from mizzle.model.frame import Grid
from mizzle.model.proofs import ErrorProof, Zeropoint
from mizzle.model.reasons import reasons
from mizzle.model.solutions import CosmicRays, FluxReference, FluxScales, SkyLevels
from mizzle.model.values import Value
from mizzle.model.verdict import Finding, Verdict

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
    context : Context
        One bit per input chip, packed; `ctx` has it as an image.
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
    context: Context
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
    def ctx(self) -> NDArray[np.int32]:
        """One bit per input chip, ``(ny, nx)``, or ``(planes, ny, nx)`` for more than 32; unpacked at every look."""
        return self.context.array

    @property
    def photflam(self) -> float:
        """The one inverse sensitivity."""
        return self.reference.photflam

    @property
    def wcs(self) -> WCS:
        """Its frame as an `astropy.wcs.WCS`."""
        return self.grid.wcs

    def to_ccddata(self) -> Any:
        """Return SCI, ERR and WCS as an `astropy.nddata.CCDData` [ct / s]; masked where the weight is 0."""
        from astropy.nddata import CCDData, StdDevUncertainty

        meta = {"FILTER": self.filter, "PHOTFLAM": self.photflam, "EXPTIME": self.exptime}
        return CCDData(
            np.array(self.sci),
            unit="ct / s",
            uncertainty=StdDevUncertainty(np.array(self.err)),
            mask=self.wht <= 0,
            wcs=self.wcs,
            meta=meta,
        )


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
    findings : tuple of Finding
        What a person should hear of the search for stars.
    """

    columns: Mapping[str, NDArray[Any]]
    units: Mapping[str, str]
    meta: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def to_table(self) -> Any:
        """Return the columns as an `astropy.table.Table`, with units."""
        from astropy.table import Table

        table = Table({name: np.array(values) for name, values in self.columns.items()}, meta=dict(self.meta))
        for name, unit in self.units.items():
            if unit:
                table[name].unit = unit
        return table


@dataclass(frozen=True, eq=False)
class Result(Value):
    """Everything a run found out.

    Besides products and solutions: `findings` are what its numbers say that a person should hear, `parts` the verdicts
    that the top one is the worst of.
    """

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
    findings: tuple[Finding, ...] = ()
    errors: Mapping[str, ErrorProof] = field(default_factory=dict)
    parts: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def zeropoint(self) -> Zeropoint:
        """The proof of the only, or first, filter; `zeropoints` has them all."""
        return next(iter(self.zeropoints.values()))

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """Everything that makes the verdict ``WARN`` or ``FAIL``, what fails first; not what could not be proven."""
        return reasons(self.exposures, self.alignment, self.findings, zeropoints=self.zeropoints, errors=self.errors)

    def to_ccddata(self, filter: str | None = None) -> Any:
        """Return one mosaic (the only, or first, filter's by default) as an `astropy.nddata.CCDData`."""
        return self.mosaics[filter or next(iter(self.mosaics))].to_ccddata()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the verdicts, and, where products were written, the picture and the page."""
        rows = [("all", self.verdict), ("alignment", self.alignment.verdict)]
        rows += [(f"zeropoint {band}", proof.verdict) for band, proof in self.zeropoints.items()]
        body = "".join(f"<tr><td>{escape(str(a))}</td><td>{escape(str(b))}</td></tr>" for a, b in rows)
        parts = [f"<table><caption>{escape(self.name)}</caption>{body}</table>"]
        said = [f"{f.verdict} {f.part}: {f.sentence}" for f in self.reasons]
        parts += [f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in said)}</ul>"] if said else []
        for path in self.files:
            if path.endswith(".png"):
                parts.append(f'<img src="{escape(path)}" alt="{escape(self.name)}" style="max-width:100%">')
            elif path.endswith("_report.html"):
                parts.append(f'<p><a href="{escape(path)}">report</a></p>')
        return "".join(parts)
