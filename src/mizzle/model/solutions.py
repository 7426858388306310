"""Solutions: the small answers each step gives, applied together while a pixel is drizzled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.model.arrays import locked
from mizzle.model.exposure import Chip, Exposure
from mizzle.model.frame import ChipFrame, FloatArray
from mizzle.model.values import Value
from mizzle.model.verdict import Finding, Verdict, overall, worst


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
    def position_error_mas(self) -> float:
        """How far a star of this exposure may lie from its place, 1 sigma per axis, its centroid aside [mas]."""
        return float(np.hypot(self.shift_error_mas, self.scatter_mas))

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
    def verdict(self) -> Verdict:
        """Worst of the exposures."""
        return worst(entry.verdict for entry in self.exposures.values())


@dataclass(frozen=True, eq=False)
class FluxReference(Value):
    """The one inverse sensitivity of a filter, and where it comes from."""

    chip: str
    photflam: float
    photplam: float
    photbw: float
    photzpt: float
    photmode: str
    gain: float
    origin: str


@dataclass(frozen=True, eq=False)
class FluxScales(Value):
    """Factor for each chip to one PHOTFLAM: ``DN * factor`` is DN at the reference zeropoint.

    Parameters
    ----------
    references : mapping
        `FluxReference` by filter.
    factors : mapping
        ``factors[root][chip]``.
    notes : tuple of str
        What a person should know: a reference that is not in the first exposure, gains that look wrong.
    """

    references: Mapping[str, FluxReference]
    factors: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()

    def unscaled(self) -> FluxScales:
        """Return scales that leave every chip as it is, for a run that stops before equalizing."""
        ones = {root: dict.fromkeys(chips, 1.0) for root, chips in self.factors.items()}
        return FluxScales(self.references, ones, ("not equalized: the run was to stop before",))

    def lines(self, exposures: Iterable[Exposure]) -> tuple[str, ...]:
        """Say in words what equalizing does: a log a person can read, and all a dry run prints.

        Parameters
        ----------
        exposures : iterable of Exposure
            What was equalized.

        Returns
        -------
        lines : tuple of str
            One line for each filter's reference, then one for each of its chips, then the notes.
        """
        exposures = tuple(exposures)
        lines: list[str] = []
        for name, reference in self.references.items():
            lines.append(f"{name}: reference PHOTFLAM {reference.photflam:.7g} ({reference.origin})")
            lines += [self._line(e, chip) for e in exposures if e.filter == name for chip in e.chips.values()]
        return (*lines, *self.notes)

    def _line(self, exposure: Exposure, chip: Chip) -> str:
        return (
            f"{exposure.root} {chip.name} (gain {exposure.commanded_gain}, {exposure.date_obs}):"
            f" PHOTFLAM {chip.photflam:.7g}, DN are multiplied by {self.factors[exposure.root][chip.name]:.9f}"
        )

    def keywords(self, exposure: Exposure, chip: Chip) -> dict[str, float]:
        """Return the photometric keywords of a chip after its DN were multiplied by its factor.

        PHOTFLAM and PHOTFNU convert DN/s to flux density, so both are divided by what multiplied the DN; PHOTFNU is
        there where the header has it.
        """
        factor = self.factors[exposure.root][chip.name]
        keywords = {"PHOTFLAM": chip.photflam / factor}
        photfnu = chip.header.get("PHOTFNU")
        if isinstance(photfnu, (int, float)) and not isinstance(photfnu, bool):
            keywords["PHOTFNU"] = float(photfnu) / factor
        return keywords

    @property
    def reference(self) -> FluxReference:
        """The reference of the only, or first, filter."""
        return next(iter(self.references.values()))

    @property
    def photflam(self) -> float:
        """PHOTFLAM of the only, or first, filter."""
        return self.reference.photflam


@dataclass(frozen=True, eq=False)
class SkyLevels(Value):
    """Sky to subtract, and what each chip measured.

    Parameters
    ----------
    levels : mapping
        ``levels[root][chip]``: equalized DN per pixel of that chip, subtracted while drizzling.
    brightness : mapping
        ``brightness[root][chip]``: measured, equalized DN/s per square arcsec.
    noise : mapping
        ``noise[root][chip]``: robust scatter of the sky pixels [equalized DN].
    pedestals : mapping
        ``pedestals[root][chip]``: what the chip measured less what is subtracted [equalized DN].
    method : str
        How the levels were chosen.
    matched : mapping
        ``matched[root][chip]``: what leaves the same sky on all chips of all exposures, where they overlap
        [equalized DN]; not subtracted, but exposures are compared after it. Empty: what each chip measured.
    """

    levels: Mapping[str, Mapping[str, float]]
    brightness: Mapping[str, Mapping[str, float]]
    noise: Mapping[str, Mapping[str, float]]
    pedestals: Mapping[str, Mapping[str, float]]
    method: str = "auto"
    notes: tuple[str, ...] = ()
    matched: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def unknown(cls, exposures: Iterable[Exposure]) -> SkyLevels:
        """Return levels of a run that stops before it measures them: NaN everywhere."""
        nothing = {e.root: dict.fromkeys(e.chips, float("nan")) for e in exposures}
        return cls(nothing, nothing, nothing, nothing, method="none")

    @classmethod
    def merged(cls, parts: Sequence[SkyLevels]) -> SkyLevels:
        """Join the levels of several filters."""

        def joined(key: str) -> dict[str, Mapping[str, float]]:
            return {root: row for part in parts for root, row in getattr(part, key).items()}

        return cls(
            levels=joined("levels"),
            brightness=joined("brightness"),
            noise=joined("noise"),
            pedestals=joined("pedestals"),
            method=parts[0].method,
            notes=tuple(note for part in parts for note in part.notes),
            matched=joined("matched"),
        )

    def measured(self, root: str, chip: str) -> float:
        """Return what a chip measured [equalized DN]; NaN where it has no sky."""
        return self.levels[root][chip] + self.pedestals[root][chip]

    def comparable(self, root: str, chip: str) -> float:
        """Return what leaves the same sky on all chips of all exposures [equalized DN]; NaN where nothing is known."""
        return self.matched.get(root, {}).get(chip, self.measured(root, chip))


@dataclass(frozen=True, eq=False)
class CosmicRays(Value):
    """Pixels hit by cosmic rays: packed masks.

    Parameters
    ----------
    packed : mapping
        ``packed[root][chip]``: `numpy.packbits` of the flattened ``(ny, nx)`` mask.
    fractions : mapping
        ``fractions[root][chip]``: flagged share of the good pixels.
    methods : mapping
        ``methods[root]``: ``"median"`` or ``"lacosmic"``, or ``"none"``.
    core_error : mapping
        ``core_error[root][chip]``: 1 sigma of what the other exposures predict for a pixel of a star's core, relative
        to its steepest step to a neighbor; measured. Absent where star cores were not checked so.
    trails : mapping
        ``trails[root][chip]``: width [pixel] of the widest straight trail that was flagged whole.
    """

    packed: Mapping[str, Mapping[str, NDArray[np.uint8]]]
    fractions: Mapping[str, Mapping[str, float]]
    methods: Mapping[str, str]
    notes: tuple[str, ...] = ()
    core_error: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    trails: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def merged(cls, parts: Sequence[CosmicRays]) -> CosmicRays:
        """Join the masks of several filters."""
        return cls(
            packed={root: row for part in parts for root, row in part.packed.items()},
            fractions={root: row for part in parts for root, row in part.fractions.items()},
            methods={root: method for part in parts for root, method in part.methods.items()},
            notes=tuple(note for part in parts for note in part.notes),
            core_error={root: row for part in parts for root, row in part.core_error.items()},
            trails={root: row for part in parts for root, row in part.trails.items()},
        )

    def mask(self, root: str, chip: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the ``(ny, nx)`` mask; True where a cosmic ray was found."""
        bits = self.packed.get(root, {}).get(chip)
        if bits is None:
            return np.zeros(shape, dtype=np.bool_)
        return np.unpackbits(bits, count=shape[0] * shape[1]).astype(np.bool_).reshape(shape)


@dataclass(frozen=True, eq=False)
class ChipProof(Value):
    """A chip's stars against the same stars on the other chips."""

    ratio: float
    error: float
    n_pairs: int
    verdict: Verdict
    ratio_uncorrected: float = float("nan")
    statistical: float = float("nan")
    cte_error: float = float("nan")
    sky_ratio: float = float("nan")
    sky_error: float = float("nan")


@dataclass(frozen=True, eq=False)
class ExposureProof(Value):
    """An exposure's stars against the same stars on the other exposures.

    Parameters
    ----------
    ratio, error : float
        Flux over that on the reference exposure, corrected for charge-transfer loss; its whole error.
    n_pairs : int
        Its stars that others have too.
    verdict : Verdict
        By the rules for chips.
    ratio_uncorrected, statistical : float
        Without the correction; the error that more stars would take away.
    scale : float
        Its PHOTFLAM over the reference exposure's: 1 where one calibration holds for both.
    chips : mapping
        Ratio, statistical error and number of stars by chip, what the chips differ by in all exposures taken out.
    """

    ratio: float
    error: float
    n_pairs: int
    verdict: Verdict
    ratio_uncorrected: float = float("nan")
    statistical: float = float("nan")
    scale: float = 1.0
    chips: Mapping[str, tuple[float, float, int]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Zeropoint(Value):
    """The proof of one filter's zeropoint.

    Parameters
    ----------
    reference : FluxReference
        The one PHOTFLAM.
    proof : mapping
        `ChipProof` by chip name.
    exposures : mapping
        `ExposureProof` by root; empty for a single exposure.
    findings : tuple of Finding
        Exposures whose stars are fainter, brighter, wider or elsewhere than in the others.
    """

    reference: FluxReference
    proof: Mapping[str, ChipProof]
    notes: tuple[str, ...] = ()
    tables: Mapping[str, Any] = field(default_factory=dict)
    exposures: Mapping[str, ExposureProof] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Of chips, where there are several, and of exposures: what could not be proven is not passed.

        Exposures that no stars connect are no matter where they have one PHOTFLAM.
        """
        axes = []
        judged = any(p.verdict is not Verdict.NONE for p in self.exposures.values())
        differ = any(abs(p.scale - 1.0) > 1e-6 for p in self.exposures.values())
        if len(self.proof) > 1 or not judged:
            axes.append(worst(p.verdict for p in self.proof.values()))
        if judged or differ:
            axes.append(worst(p.verdict for p in self.exposures.values()))
        return overall(axes)


@dataclass(frozen=True, eq=False)
class ChipErrors(Value):
    """Scatter of blank sky between exposures: measured over predicted, on so many pixels."""

    ratio: float = float("nan")
    n_pixels: int = 0
    verdict: Verdict = Verdict.NONE


@dataclass(frozen=True, eq=False)
class ErrorProof(Value):
    """The proof of the errors of one filter's pixels.

    Parameters
    ----------
    chips : mapping
        `ChipErrors` by chip name.
    findings : tuple of Finding
        Exposures with smooth light of their own.
    """

    chips: Mapping[str, ChipErrors] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Worst of the chips."""
        return worst(chip.verdict for chip in self.chips.values())
