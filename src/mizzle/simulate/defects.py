"""What is wrong with the chips all visit long, whatever they look at: shadow, charge traps, warm pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.wfpc2 import CHIP_NUMBERS, DQ_BITS, SHADOW_X, SHADOW_Y
from mizzle.simulate.plan import Effects

#: Share of the charge that a trap takes from the column above it.
TRAP_LOSS = 0.15
#: Excess dark current of warm pixels [electron / s]: median, and width of the log-normal.
WARM_RATE = 0.08
WARM_SPREAD = 0.8
#: How well the dark reference knows a repaired pixel (relative, 1 sigma).
REPAIR_ERROR = 0.05
#: The flat's least value: what little light the shadow gets.
LEAST_LIT = 0.003
#: Bit 2 reaches this far into the light [pixel].
SHADOW_MARGIN = 1.5
#: Side of a full chip that the shadow's quadratics are written for.
_SIDE = 800


@dataclass(frozen=True, eq=False)
class Defects:
    """Standing defects of one chip.

    Parameters
    ----------
    lit : (ny, nx) float32 array
        Share of the light that passes the pyramid's edge.
    keep : (ny, nx) float32 array or None
        Share of the charge that arrives; None where all does.
    excess : (ny, nx) float32 array or None
        Excess dark current [electron / s].
    repaired : (ny, nx) float32 array or None
        The part of it that calibration subtracts [electron / s].
    dq : (ny, nx) uint16 array
        Bits 2, 256, 512, 1024.
    """

    lit: NDArray[np.float32]
    keep: NDArray[np.float32] | None
    excess: NDArray[np.float32] | None
    repaired: NDArray[np.float32] | None
    dq: NDArray[np.uint16]


def shadow(name: str, shape: tuple[int, int], margin: float = 0.0) -> NDArray[np.float32]:
    """Return the lit share of each pixel, soft over one pixel.

    Parameters
    ----------
    name : str
        Chip.
    shape : (int, int)
        ``(ny, nx)`` of a full chip.
    margin : float
        How far the edge is moved into the light [pixel].

    Returns
    -------
    lit : (ny, nx) array
        ``clip(x - ay(y) + .5, 0, 1) * clip(y - ax(x) + .5, 0, 1)``, x and y 1-based, with the quadratics of
        IRAF's ``wmosaic``.
    """
    x, y = np.arange(1, shape[1] + 1, dtype=np.float64), np.arange(1, shape[0] + 1, dtype=np.float64)
    ax = np.polynomial.polynomial.polyval(x, SHADOW_X[name]) + margin
    ay = np.polynomial.polynomial.polyval(y, SHADOW_Y[name]) + margin
    low_x = np.clip(x[None, :] - ay[:, None] + 0.5, 0.0, 1.0)
    low_y = np.clip(y[:, None] - ax[None, :] + 0.5, 0.0, 1.0)
    return (low_x * low_y).astype(np.float32)


def chip_defects(name: str, shape: tuple[int, int], effects: Effects, *, seed: int) -> Defects:
    """Draw the standing defects of chip `name`; the same for every exposure of a visit."""
    rng = np.random.default_rng([seed, 101, CHIP_NUMBERS[name]])
    dq = np.zeros(shape, dtype=np.uint16)
    lit = np.ones(shape, dtype=np.float32)
    if effects.shadow:
        lit = shadow(name, shape)
        dq[shadow(name, shape, SHADOW_MARGIN) < 1.0] |= DQ_BITS["calibration_defect"]
    keep = _traps(effects.bad_columns, dq, rng)
    excess, repaired = _warm(effects, dq, rng)
    return Defects(lit, keep, excess, repaired, dq)


def _traps(count: int, dq: NDArray[np.uint16], rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Draw charge traps: bit 256 from the trap to the top of its column, where part of the charge is lost."""
    columns = rng.choice(dq.shape[1], count, replace=False)
    starts = rng.integers(dq.shape[0] // 20, dq.shape[0] * 9 // 10, count)
    if not count:
        return None
    keep = np.ones(dq.shape, dtype=np.float32)
    for column, start in zip(columns, starts, strict=True):
        keep[start:, column] = 1.0 - TRAP_LOSS
        dq[start:, column] |= DQ_BITS["questionable"]
    return keep


def _warm(
    effects: Effects, dq: NDArray[np.uint16], rng: np.random.Generator
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Draw warm pixels: unrepaired (512), repaired (1024), and hot ones that nobody knows of."""
    counts = (effects.warm_pixels, effects.repaired_pixels, effects.hot_pixels)
    total = min(sum(counts), dq.size)
    where = rng.choice(dq.size, total, replace=False)
    rate = rng.lognormal(np.log(WARM_RATE), WARM_SPREAD, total)
    known = rate * (1.0 + REPAIR_ERROR * rng.standard_normal(total))
    if not total:
        return None, None
    excess, repaired = np.zeros(dq.size, dtype=np.float32), np.zeros(dq.size, dtype=np.float32)
    excess[where] = rate
    fixed = slice(counts[0], counts[0] + counts[1])
    repaired[where[fixed]] = known[fixed]
    flat = dq.ravel()  # a view: dq is contiguous
    flat[where[: counts[0]]] |= DQ_BITS["warm"]
    flat[where[fixed]] |= DQ_BITS["repaired_warm"]
    return excess.reshape(dq.shape), repaired.reshape(dq.shape)
