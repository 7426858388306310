"""Why a verdict is what it is: everything that counts against it, in one list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mizzle.model.verdict import Finding, Verdict

if TYPE_CHECKING:
    from mizzle.model.alignment import Alignment
    from mizzle.model.exposure import Exposure
    from mizzle.model.proofs import ErrorProof, Zeropoint

_AGAINST = (Verdict.FAIL, Verdict.WARN)
#: Exposures named one by one in front of what is true of all of them.
_NAMED = 3


def of_inputs(exposures: Iterable[Exposure]) -> tuple[Finding, ...]:
    """Return what the exposures themselves have against the verdict, once for all that share it.

    Parameters
    ----------
    exposures : iterable of Exposure
        With the findings of reading them.

    Returns
    -------
    findings : tuple of Finding
        Of the part ``inputs``; each sentence begins with the exposures concerned.
    """
    roots: dict[Finding, list[str]] = {}
    for exposure in exposures:
        for finding in exposure.findings:
            if finding.verdict in _AGAINST:
                roots.setdefault(finding, []).append(exposure.root)
    return tuple(
        replace(finding, part="inputs", sentence=f"{_names(concerned)}: {finding.sentence}")
        for finding, concerned in roots.items()
    )


def _names(roots: list[str]) -> str:
    more = len(roots) - _NAMED
    return ", ".join(roots) if more <= 0 else f"{', '.join(roots[:_NAMED])} and {more} more"


def reasons(
    exposures: Iterable[Exposure],
    alignment: Alignment,
    findings: Iterable[Finding],
    *,
    zeropoints: Mapping[str, Zeropoint],
    errors: Mapping[str, ErrorProof],
) -> tuple[Finding, ...]:
    """Return everything that makes a run's verdict ``WARN`` or ``FAIL``; what fails comes first.

    Parameters
    ----------
    exposures : iterable of Exposure
        The inputs.
    alignment : Alignment
        How they were aligned.
    findings : iterable of Finding
        Of the steps.
    zeropoints, errors : mapping
        The proofs by filter.

    Returns
    -------
    findings : tuple of Finding
        ``WARN`` and ``FAIL`` only, in the order of the parts: inputs, alignment, zeropoint, errors, the rest.
    """
    against = (*of_inputs(exposures), *_unaligned(alignment), *_unequal(zeropoints), *_unlike(errors), *findings)
    return tuple(finding for verdict in _AGAINST for finding in against if finding.verdict is verdict)


def _unaligned(alignment: Alignment) -> Iterator[Finding]:
    roots: dict[tuple[Verdict, str], list[str]] = {}
    for entry in alignment.exposures.values():
        residuals = f", {entry.rms_mas:.1f} mas rms" if math.isfinite(entry.rms_mas) else ""
        note = entry.note or f"{entry.n_matched} stars match{residuals}"
        roots.setdefault((entry.verdict, note), []).append(entry.root)
    for (verdict, note), concerned in roots.items():
        yield Finding("alignment", verdict, f"{_names(concerned)}: {note}")


def _unequal(zeropoints: Mapping[str, Zeropoint]) -> Iterator[Finding]:
    for band, zeropoint in zeropoints.items():
        for chip, proof in zeropoint.proof.items():
            said = f"{band} {chip}: {proof.ratio:.3f} ± {proof.error:.3f} of the flux that stars have on other chips"
            yield Finding("zeropoint", proof.verdict, said, (chip,))
        for root, exposure in zeropoint.exposures.items():
            if not any(finding.sentence.startswith(root) for finding in zeropoint.findings):
                said = f"{root}: its stars have {exposure.ratio:.3f} ± {exposure.error:.3f} of their flux elsewhere"
                yield Finding("zeropoint", exposure.verdict, said)


def _unlike(errors: Mapping[str, ErrorProof]) -> Iterator[Finding]:
    for band, proof in errors.items():
        for chip, entry in proof.chips.items():
            said = f"{band} {chip}: blank sky scatters {entry.ratio:.3f} times as much as the errors say"
            yield Finding("errors", entry.verdict, said, (chip,))
