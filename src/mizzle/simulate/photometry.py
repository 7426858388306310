"""Inverse sensitivities the simulated headers carry, and the camera that agrees with them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mizzle.errors import SettingsError
from mizzle.instrument.wfpc2.sensitivity import PHOTFLAM, nominal_photflam

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
    return {chip: float(f"{value / sensitivity:.7g}") for chip, value in nominal_photflam(name, gain).items()}
