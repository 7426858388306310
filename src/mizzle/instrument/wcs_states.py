"""Which solution of the sky the headers of a set hold: exposures with different ones may stand 10 arcsec apart.

The archive's files carry several WCSs: of the guide stars (``IDC_x``), of corrected guide stars (``IDC_x-GSC240``), and
fitted to a catalog (``IDC_x-FIT_SVM_GAIADR2``). Exposures of one visit processed at different times need not have the
same as their primary one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mizzle.geometry.keywords import wcs_letters
from mizzle.model import Exposure, Finding, Verdict

#: From this date on [MJD, October 2005] guide stars were of GSC 2.3.2, before of GSC 1.1.
_SECOND_CATALOG = 53644.0
#: Errors of a header's position on the sky [arcsec], by where its WCS comes from (STScI, Improvements in HST
#: Astrometry, table 1: guide stars and the instruments' places among them): fitted to a catalog, guide stars corrected
#: later, guide stars of the second catalog, and of the first.
_FITTED, _CORRECTED, _SECOND, _FIRST = 0.01, 0.2, 0.3, 1.0


class HeaderPosition(NamedTuple):
    """How well headers know where on the sky they are.

    Parameters
    ----------
    error : float
        1 sigma, or what is typical [arcsec].
    origin : str
        Where the position comes from.
    """

    error: float
    origin: str


def header_position(exposures: Sequence[Exposure]) -> HeaderPosition:
    """Return how far the sky may be from where the headers put it, of the worst of some exposures.

    Parameters
    ----------
    exposures : sequence of Exposure
        One or more, as read: their frames have the name of the WCS that was taken.
    """
    return max(_position(exposure) for exposure in exposures)


def _position(exposure: Exposure) -> HeaderPosition:
    names = [chip.frame.name.upper() for chip in exposure.chips.values()]
    if all("-FIT_" in name for name in names):
        return HeaderPosition(_FITTED, "stars that the archive fitted to a catalog")
    if all("-FIT_" in name or "-GSC240" in name or "-HSC30" in name for name in names):
        return HeaderPosition(_CORRECTED, "guide stars, corrected by the archive")
    if exposure.mjd_start >= _SECOND_CATALOG:
        return HeaderPosition(_SECOND, "guide stars of GSC 2")
    return HeaderPosition(_FIRST, "guide stars of GSC 1")


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
