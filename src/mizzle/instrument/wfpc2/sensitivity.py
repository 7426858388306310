"""Inverse sensitivities of WFPC2's wide filters, as its headers have them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mizzle.instrument.wfpc2 import CHIP_NAMES, GAIN_RATIOS

Four = tuple[float, float, float, float]

_F555W: Four = (3.482944e-18, 3.395806e-18, 3.439046e-18, 3.506729e-18)


def _like_f555w(pc: float) -> Four:
    """Spread the PC's value over the chips as in F555W."""
    return pc, pc * _F555W[1] / _F555W[0], pc * _F555W[2] / _F555W[0], pc * _F555W[3] / _F555W[0]


#: PHOTFLAM of PC, WF2, WF3, WF4 at gain 7 [erg cm-2 s-1 A-1 per DN/s]. F555W, F814W: archive headers;
#: F606W: published, unverified; the others: PC from the WFPC2 documents, chips in F555W's ratio (roughly).
PHOTFLAM: Mapping[str, Four] = MappingProxyType(
    {
        "F170W": _like_f555w(1.551e-15),
        "F255W": _like_f555w(5.736e-16),
        "F300W": _like_f555w(6.137e-17),
        "F336W": _like_f555w(5.613e-17),
        "F439W": _like_f555w(2.945e-17),
        "F555W": _F555W,
        "F606W": (1.900e-18, 1.842e-18, 1.888e-18, 1.914e-18),
        "F675W": _like_f555w(2.899e-18),
        "F814W": (2.507987e-18, 2.458077e-18, 2.449067e-18, 2.498411e-18),
        "F1042M": _like_f555w(1.985e-16),
    }
)

#: Those of `PHOTFLAM` whose chips are known as headers have them: to 4 digits.
KNOWN_BY_CHIP = frozenset({"F555W", "F814W"})


def nominal_photflam(band: str, gain: int) -> dict[str, float]:
    """Return PHOTFLAM by chip; empty for a band that the table has not.

    Parameters
    ----------
    band : str
        Filter, as ``F814W``.
    gain : int
        ATODGAIN, 7 or 15.
    """
    values = PHOTFLAM.get(band)
    if values is None:
        return {}
    return {
        chip: value * (GAIN_RATIOS[chip] if gain == 15 else 1.0) for chip, value in zip(CHIP_NAMES, values, strict=True)
    }
