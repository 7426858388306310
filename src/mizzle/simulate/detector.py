"""From light to the numbers in the file: charge, noise, wells, converter, calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import ChipPlanes, FloatArray
from mizzle.instrument.wfpc2 import CONVERTER_LIMIT, DARK_RATE, DQ_BITS
from mizzle.simulate.defects import LEAST_LIT, Defects
from mizzle.simulate.plan import Effects

#: Charge a pixel holds before it bleeds [electron] (IHB 2008, section 4.7: about 90,000).
FULL_WELL = 90_000.0
#: No pixel gets more than this [electron]: beyond every well, and within what a Poisson deviate can hold.
MOST_CHARGE = 1e12
#: Bias level [DN]; not whole, as the converter's rounding must not be in step with it.
BIAS = 311.37


@dataclass(frozen=True)
class ChipConditions:
    """What one chip has in one exposure.

    Parameters
    ----------
    gain, read_noise : float
        Electrons per DN; electrons rms.
    exptime, darktime : float
        Seconds.
    pedestal : float
        Left-over bias [DN].
    """

    gain: float
    read_noise: float
    exptime: float
    darktime: float
    pedestal: float = 0.0


def read_out(
    light: FloatArray,
    area: NDArray[np.floating],
    strikes: FloatArray | None,
    *,
    defects: Defects,
    chip: ChipConditions,
    effects: Effects,
    rng: np.random.Generator,
) -> ChipPlanes:
    """Return the calibrated pixels and flags that the archive would hold, from light, rays and the detector's faults.

    Parameters
    ----------
    light : (ny, nx) array
        Mean charge from sky and stars, before the pyramid [electron].
    area : (ny, nx) array
        Sky area of each pixel relative to the reference pixel: the flat field.
    strikes : (ny, nx) array or None
        Charge of cosmic rays [electron].
    defects : Defects
        The chip's.
    chip : ChipConditions
        Gain, read noise, times.
    effects : Effects
        Switches.
    rng : Generator
        Source of chance.

    Returns
    -------
    sci : (ny, nx) float32 array
        Bias, dark and flat corrected [DN].
    dq : (ny, nx) uint16 array
        Data-quality bits.
    """
    dark_rate = DARK_RATE if effects.dark else 0.0
    mean = light * defects.lit + dark_rate * chip.darktime
    if defects.excess is not None:
        mean += defects.excess * chip.darktime
    mean = np.minimum(mean, MOST_CHARGE)
    charge = rng.poisson(mean).astype(np.float64) if effects.photon_noise else mean
    if strikes is not None:
        charge += strikes
    if effects.saturation:
        charge = bleed(charge)
    if defects.keep is not None:
        charge *= defects.keep
    raw = charge / chip.gain + BIAS
    if effects.read_noise:
        noise = rng.standard_normal(charge.shape, dtype=np.float32)
        raw += noise * np.float32(analog_noise(chip, effects) / chip.gain)
    dq = defects.dq.copy()
    if effects.quantize:
        raw = np.clip(np.rint(raw), 0.0, CONVERTER_LIMIT)
        dq[raw >= CONVERTER_LIMIT] |= DQ_BITS["saturated"]
    counts = raw - BIAS - dark_rate * chip.darktime / chip.gain
    if defects.repaired is not None:
        counts -= defects.repaired * (chip.darktime / chip.gain)
    counts /= flat_field(area, defects.lit, effects)
    counts += chip.pedestal
    return ChipPlanes(counts.astype(np.float32), dq)


def analog_noise(chip: ChipConditions, effects: Effects) -> float:
    """Return the noise before rounding [electron rms]: with rounding it is the handbook's, times the switch."""
    rounding = chip.gain**2 / 12.0 if effects.quantize else 0.0
    return math.sqrt(max((effects.read_noise * chip.read_noise) ** 2 - rounding, 0.0))


def flat_field(area: NDArray[np.floating], lit: NDArray[np.floating], effects: Effects) -> NDArray[np.floating]:
    """Return what calibration divides by: the response to a flat sky, tiny in the shadow."""
    flat = np.maximum(lit, np.float32(LEAST_LIT))
    return np.asarray(flat * area) if effects.flat_field == "sky" else flat


def bleed(charge: FloatArray, well: float = FULL_WELL) -> FloatArray:
    """Return `charge` with what exceeds the wells spread along the columns, half up and half down.

    Charge is conserved but for what runs out of the chip.
    """
    over = np.nonzero((charge > well).any(axis=0))[0]
    if not over.size:
        return charge
    result = charge.copy()
    for x in over:
        column = result[:, x]
        full = np.nonzero(column > well)[0]
        excess = column[full] - well
        column[full] = well
        for y, extra in zip(full, excess, strict=True):
            _pour(column[y::-1], 0.5 * extra, well)
            _pour(column[y:], 0.5 * extra, well)
    return result


def _pour(column: FloatArray, extra: float, well: float) -> None:
    """Fill the wells along `column`, in place, from its start until `extra` is used up."""
    room = well - column
    filled = np.cumsum(room)
    last = int(np.searchsorted(filled, extra))
    column[:last] = well
    if last < column.size:
        column[last] += extra - (filled[last - 1] if last else 0.0)
