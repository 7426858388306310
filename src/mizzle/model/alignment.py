"""The alignment: how each exposure moves onto one frame, and how well that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model.arrays import locked
from mizzle.model.exposure import Exposure
from mizzle.model.frame import ChipFrame
from mizzle.model.values import Value
from mizzle.model.verdict import Verdict, worst


@dataclass(frozen=True, eq=False)
class ExposureAlignment(Value):
    """How one exposure moves, and how well that is known.

    The correction acts on the plane tangent at `pivot`: ``(xi, eta) -> matrix @ (xi, eta) + shift``.

    Parameters
    ----------
    root : str
        The exposure.
    pivot : (float, float)
        Tangent point [deg], common to all exposures.
    matrix : (2, 2) array
        Roll, scale (and skew for ``general``).
    shift : (2,) array
        East, north [arcsec].
    n_detected, n_matched : int
        Sources found; sources that took part in the fit.
    rms_mas : float
        Residual rms per axis [mas]; NaN when nothing was fitted.
    covariance : (k, k) array
        Of the fitted parameters: shift east, shift north [arcsec], then roll [rad], scale where fitted.
    false_match : float
        Chance that the match is an accident.
    verdict : Verdict
        ``NONE`` when there was nothing to align with, or the header was trusted on request.
    note : str
        One sentence where the verdict needs one.
    chip_shifts : mapping
        Extra shift of single chips [arcsec], where they were asked for.
    method : str
        What placed it: ``stars``; ``partner`` (moved as others of its visit), ``header``, ``target`` (a moving target
        is held still) or ``shifts`` (the user's table).
    scatter_mas : float
        How far its stars lie from their places, per axis, beyond what their centroids explain: proper motions, mostly
        [mas].
    """

    root: str
    pivot: tuple[float, float]
    matrix: FloatArray
    shift: FloatArray
    n_detected: int = 0
    n_matched: int = 0
    rms_mas: float = float("nan")
    covariance: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    false_match: float = float("nan")
    verdict: Verdict = Verdict.NONE
    note: str = ""
    chip_shifts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    method: str = "stars"
    scatter_mas: float = 0.0

    def __post_init__(self) -> None:
        for key in ("matrix", "shift", "covariance"):
            object.__setattr__(self, key, locked(getattr(self, key), np.float64))
        super().__post_init__()

    @property
    def roll_deg(self) -> float:
        """Rotation of the correction, positive from north through east [deg]."""
        return float(np.rad2deg(np.arctan2(self.matrix[0, 1] - self.matrix[1, 0], np.trace(self.matrix))))

    @property
    def fell_back(self) -> bool:
        """Whether its stars were looked for, and something else had to place it."""
        return self.verdict is Verdict.WARN and self.method != "stars"

    @property
    def shift_error_mas(self) -> float:
        """Error of the shift, 1 sigma, the larger of both axes [mas]; 0 where it is not known."""
        variance = np.diag(self.covariance)[:2]
        return float(1000.0 * np.sqrt(variance.max(initial=0.0)))

    @property
    def scale(self) -> float:
        """Scale of the correction."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))


@dataclass(frozen=True, eq=False)
class Alignment(Value):
    """All exposures on one frame.

    Parameters
    ----------
    reference : str
        What defines the frame: a rootname, a catalog's name, or ``"mean"``.
    exposures : mapping
        One entry per exposure, by root, in input order.
    method : str
        ``"stars"``, ``"header"``, ``"shifts"``.
    tables : mapping
        Plain arrays for the report (residuals and so on), by root.
    """

    reference: str
    exposures: Mapping[str, ExposureAlignment]
    method: str = "stars"
    tables: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)

    @classmethod
    def identity(cls, exposures: Iterable[Exposure]) -> Alignment:
        """Return the alignment that trusts every header."""
        exposures = list(exposures)
        first = next(iter(exposures[0].chips.values())).frame if exposures else None
        pivot = (float(first.crval[0]), float(first.crval[1])) if first is not None else (0.0, 0.0)
        entries = {
            e.root: ExposureAlignment(e.root, pivot, np.eye(2), np.zeros(2), note="header trusted", method="header")
            for e in exposures
        }
        return cls(reference=exposures[0].root if exposures else "", exposures=entries, method="header")

    def frame(self, exposure: Exposure, chip: str) -> ChipFrame:
        """Return the aligned frame of one chip."""
        entry = self.exposures[exposure.root]
        extra = np.array(entry.chip_shifts.get(chip, (0.0, 0.0)))
        # The name says "aligned" only where stars said so.
        by_stars = entry.method == "stars" and entry.verdict in (Verdict.PASS, Verdict.WARN)
        name = "MIZZLE-ALIGNED" if by_stars else None
        return exposure.chips[chip].frame.moved(entry.pivot, entry.matrix, entry.shift + extra, name=name)

    @property
    def on_catalog(self) -> bool:
        """Whether a catalog, or another image, says where on the sky the frame lies; else headers do."""
        return self.method == "stars" and self.reference not in {"mean", *self.exposures}

    @property
    def verdict(self) -> Verdict:
        """Worst of the exposures."""
        return worst(entry.verdict for entry in self.exposures.values())
