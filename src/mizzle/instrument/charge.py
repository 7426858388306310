"""Charge-transfer loss of stars, as an exposure's camera has it."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.model import Chip, Exposure


def corrects_cte(exposure: Exposure, choice: str) -> bool:
    """Tell whether an exposure's stars are corrected for what charge transfer loses.

    Parameters
    ----------
    exposure : Exposure
        Its camera may have no formula.
    choice : str
        ``none``, ``auto`` (not where the header says that the data are without the loss: CTELOSS = F), or the name of
        a formula.
    """
    if exposure.camera.charge_loss is None or choice == "none":
        return False
    return choice != "auto" or exposure.keyword("CTELOSS", True) is not False


def charge_loss(
    exposure: Exposure, chip: Chip, *, x: FloatArray, y: FloatArray, electrons: FloatArray, background: FloatArray
) -> FloatArray:
    """Return the magnitudes that stars lost on their way to the amplifier.

    Parameters
    ----------
    exposure, chip : Exposure, Chip
        Where and when.
    x, y : (n,) array
        Places on the chip [0-based pixel].
    electrons : (n,) array
        Of the stars; below 1 they are taken as 1.
    background : (n,) array
        Sky [electron / pixel of the chip as it was read].

    Returns
    -------
    magnitudes : (n,) array
        To subtract; 0 where the camera has no formula.
    """
    formula = exposure.camera.charge_loss
    if formula is None:
        return np.zeros(x.size)
    binning = chip.binning
    return formula(
        (x + 0.5) * binning - 0.5,
        (y + 0.5) * binning - 0.5,
        np.maximum(electrons, 1.0),
        sky=np.maximum(background / binning**2, 0.0),
        mjd=0.5 * (exposure.mjd_start + exposure.mjd_end),
    )
