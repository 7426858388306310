"""Proofs: what stars say of a product's zeropoint, and blank sky of its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mizzle.model.solutions import FluxReference
from mizzle.model.values import Value
from mizzle.model.verdict import Finding, Verdict, overall, worst


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
