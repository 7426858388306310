"""Which solution of the sky the headers of a set hold: exposures with different ones may stand 10 arcsec apart.

The archive's files carry several WCSs: of the guide stars (``IDC_x``), of corrected guide stars (``IDC_x-GSC240``), and
fitted to a catalog (``IDC_x-FIT_SVM_GAIADR2``). Exposures of one visit processed at different times need not have the
same as their primary one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mizzle.geometry.keywords import wcs_letters
from mizzle.model import Exposure, Finding, Verdict


def wcs_states(exposures: Sequence[Exposure]) -> tuple[Finding, ...]:
    """Return a warning where exposures of one set are placed by different WCSs, with those that all of them have.

    Parameters
    ----------
    exposures : sequence of Exposure
        As read: each chip's frame has the name of the WCS that was taken.

    Returns
    -------
    findings : tuple of Finding
        None where all agree.
    """
    states: dict[str, list[str]] = {}
    for exposure in sorted(exposures, key=lambda member: member.root):
        name = ", ".join(sorted({chip.frame.name for chip in exposure.chips.values()}))
        states.setdefault(name or "without a name", []).append(exposure.root)
    if len(states) < 2:
        return ()
    named = "; ".join(f"{name}: {', '.join(roots[:4])}" for name, roots in states.items())
    common = _common(exposures)
    advice = f"geometry.wcsname = '{common[0]}' is in all headers" if common else "no header's WCS is in all of them"
    return (
        Finding(
            "inputs",
            Verdict.WARN,
            f"exposures are placed by different WCSs ({named}); the alignment has to bring them together; {advice}",
        ),
    )


def _common(exposures: Sequence[Exposure]) -> list[str]:
    """Return the names of the distorted WCSs that all chips have, the most refined first."""
    shared: set[str] | None = None
    for exposure in exposures:
        for chip in exposure.chips.values():
            names = _names(chip.header)
            shared = names if shared is None else shared & names
    # A fit to a catalog is better than corrected guide stars, these better than none.
    return sorted(shared or (), key=lambda name: ("-FIT_" not in name, "-" not in name, name))


def _names(header: Mapping[str, object]) -> set[str]:
    """Return the names of a header's WCSs that have distortion."""
    kept = [key for key in wcs_letters(header) if str(header.get(f"CTYPE1{key}", "")).strip().endswith("-SIP")]
    return {str(header.get(f"WCSNAME{key}", "")).strip() for key in kept} - {""}
