"""Inverse sensitivities the simulated headers carry, and the camera that agrees with them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mizzle.errors import SettingsError
from mizzle.instrument.wfpc2 import CHIP_NAMES

Four = tuple[float, float, float, float]

#: PHOTFLAM of PC, WF2, WF3, WF4 at gain 7 [erg cm-2 s-1 A-1 per DN/s]. F555W, F814W: archive headers;
#: F606W: published, unverified; the others: PC from the WFPC2 documents, chips in F555W's ratio (roughly).
_F555W: Four = (3.482944e-18, 3.395806e-18, 3.439046e-18, 3.506729e-18)


def _like_f555w(pc: float) -> Four:
    """Spread the PC's value over the chips as in F555W."""
    return pc, pc * _F555W[1] / _F555W[0], pc * _F555W[2] / _F555W[0], pc * _F555W[3] / _F555W[0]


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

#: Pivot wavelength and bandwidth [A]; nominal, apart from F555W (header of an archive file).
PASSBANDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "F170W": (1831.0, 300.0),
        "F255W": (2600.0, 170.0),
        "F300W": (2987.0, 325.0),
        "F336W": (3359.0, 204.0),
        "F439W": (4312.0, 202.0),
        "F555W": (5439.0, 522.2),
        "F606W": (5997.0, 637.0),
        "F675W": (6717.0, 368.0),
        "F814W": (7996.0, 646.0),
        "F1042M": (10220.0, 190.0),
    }
)

#: Filter wheel position as the header's FILTER1 gives it, and nominal width [A].
WHEEL: Mapping[str, tuple[int, float]] = MappingProxyType(
    {
        "F170W": (8, 545.0),
        "F255W": (14, 408.0),
        "F300W": (20, 728.0),
        "F336W": (17, 480.0),
        "F439W": (22, 476.0),
        "F555W": (25, 1228.0),
        "F606W": (27, 1502.0),
        "F675W": (29, 889.0),
        "F814W": (35, 1501.0),
        "F1042M": (11, 611.0),
    }
)

#: PHOTFLAM at gain 15 over gain 7 (Holtzman et al. 1995, PASP 107, 1065).
GAIN_RATIO: Four = (1.987, 2.003, 2.006, 1.955)


def photflam(name: str, gain: int, sensitivity: float = 1.0) -> dict[str, float]:
    """Return PHOTFLAM by chip.

    Parameters
    ----------
    name : str
        Filter, as ``F814W``.
    gain : int
        ATODGAIN, 7 or 15.
    sensitivity : float
        Throughput over nominal; PHOTFLAM goes with its inverse.

    Returns
    -------
    photflam : dict
        Seven digits, as headers have them.

    Raises
    ------
    SettingsError
        A filter without a tabulated PHOTFLAM.
    """
    if name not in PHOTFLAM:
        known = ", ".join(PHOTFLAM)
        raise SettingsError(f"simulate.filter: no PHOTFLAM for {name!r}; known: {known}", filter=name)
    ratios = GAIN_RATIO if gain == 15 else (1.0,) * 4
    return {
        chip: float(f"{value * ratio / sensitivity:.7g}")
        for chip, value, ratio in zip(CHIP_NAMES, PHOTFLAM[name], ratios, strict=True)
    }
