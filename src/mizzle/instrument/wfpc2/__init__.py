"""WFPC2: facts about the camera, each with its source.

Sources: *IHB* is the WFPC2 Instrument Handbook 10.0 (2008), *DHB* the WFPC2 Data Handbook 5.0.
Lists of four are in chip order: PC, WF2, WF3, WF4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

CHIP_NAMES = ("PC", "WF2", "WF3", "WF4")
CHIP_NUMBERS: Mapping[str, int] = MappingProxyType({name: i + 1 for i, name in enumerate(CHIP_NAMES)})

#: Side of a full chip [pixel]; MODE AREA bins 2 x 2.
CHIP_SIDE = 800
#: Exposures below this are corrected for the shutter's shading, and keep their dark current (calwp2) [s].
SHORT_EXPOSURE = 10.0

#: Nominal gain [electron / DN], by ATODGAIN, then chip (IHB Table 4.2).
GAINS: Mapping[int, Mapping[str, float]] = MappingProxyType(
    {
        7: MappingProxyType({"PC": 7.12, "WF2": 7.12, "WF3": 6.90, "WF4": 7.10}),
        15: MappingProxyType({"PC": 13.99, "WF2": 14.50, "WF3": 13.95, "WF4": 13.95}),
    }
)

#: Read noise [electron rms], by ATODGAIN, then chip (IHB Table 4.2).
READ_NOISES: Mapping[int, Mapping[str, float]] = MappingProxyType(
    {
        7: MappingProxyType({"PC": 5.24, "WF2": 5.51, "WF3": 5.22, "WF4": 5.19}),
        15: MappingProxyType({"PC": 7.02, "WF2": 7.84, "WF3": 6.99, "WF4": 8.32}),
    }
)

#: Dark current [electron / s / pixel] (IHB section 4.6).
DARK_RATE = 0.005

#: Highest raw value of the converter [DN] (IHB 4.7).
CONVERTER_LIMIT = 4095

#: Raw values stop at the converter's limit, less the bias and a margin: a pixel may be full above this [DN].
FULL_WELL = 3750.0

#: PHOTFLAM at gain 15 over gain 7 (Holtzman et al. 1995, PASP 107, 1065).
GAIN_RATIOS: Mapping[str, float] = MappingProxyType({"PC": 1.987, "WF2": 2.003, "WF3": 2.006, "WF4": 1.955})

#: Flux in an infinite aperture over flux within 0.5 arcsec radius (Holtzman et al. 1995, PASP 107, 1065: 0.1 mag).
INFINITE_APERTURE = 1.096
STANDARD_APERTURE_ARCSEC = 0.5

#: Data-quality bits by name (DHB Table 3.5).
DQ_BITS: Mapping[str, int] = MappingProxyType(
    {
        "reed_solomon": 1,
        "calibration_defect": 2,
        "permanent_defect": 4,
        "saturated": 8,
        "missing": 16,
        "other": 32,
        "overlap": 64,
        "charge_trap": 128,
        "questionable": 256,
        "warm": 512,
        "repaired_warm": 1024,
        "chip_masked": 2048,
        "cosmic_ray": 4096,
    }
)

#: Pyramid shadow: a pixel (x, y), 1-based, is lit if ``y > ax(x)`` and ``x > ay(y)``; quadratics, constant first.
#: K-spot fits of 1994, as in IRAF's ``wmosaic``.
SHADOW_X: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "PC": (52.20921, 0.009072887, -9.941337e-6),
        "WF2": (21.77283, 0.01842164, -1.398300e-5),
        "WF3": (44.18944, 0.0138938, -1.412296e-5),
        "WF4": (44.56632, 0.003509023, -1.278723e-5),
    }
)
SHADOW_Y: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "PC": (42.62779, 0.009122855, -1.106709e-5),
        "WF2": (47.68184, 0.00265608, -1.468158e-5),
        "WF3": (30.23626, 0.008156041, -1.491324e-5),
        "WF4": (40.91462, 0.01273679, -1.063462e-5),
    }
)

#: Vega magnitude of 1 DN/s at gain 7, infinite aperture as PHOTFLAM (DHB Table 5.1; FIELD values).
VEGA_ZEROPOINTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "F170W": MappingProxyType({"PC": 16.335}),
        "F255W": MappingProxyType({"PC": 17.019}),
        "F336W": MappingProxyType({"PC": 19.429}),
        "F439W": MappingProxyType({"PC": 20.884}),
        "F555W": MappingProxyType({"PC": 22.545, "WF2": 22.571, "WF3": 22.561, "WF4": 22.538}),
        "F814W": MappingProxyType({"PC": 21.639, "WF2": 21.665, "WF3": 21.659, "WF4": 21.641}),
    }
)


def vega_zeropoint(band: str, chip: str, photmode: str, *, photflam: float, photplam: float) -> float | None:
    """Return the Vega magnitude of 1 DN/s on a chip; None where the handbook does not give it.

    Parameters
    ----------
    band, chip : str
        Filter and chip.
    photmode : str
        PHOTMODE: the handbook's values are for gain 7 (``A2D7``).
    photflam, photplam : float
        Not used: the values were measured chip by chip.
    """
    zeropoint = VEGA_ZEROPOINTS.get(band, {}).get(chip)
    if zeropoint is not None and "A2D15" in photmode:
        zeropoint -= 2.5 * math.log10(GAIN_RATIOS[chip])
    return zeropoint


def chip_name(text: str | int) -> str | None:
    """Return the chip called `text` (``PC``, ``PC1``, ``wf3``, ``3``), or None.

    Parameters
    ----------
    text : str or int
        A name, or a DETECTOR number.
    """
    word = str(text).strip().upper()
    if word in {"PC1", "1"}:
        return "PC"
    if word in {"2", "3", "4"}:
        return CHIP_NAMES[int(word) - 1]
    return word if word in CHIP_NUMBERS else None
