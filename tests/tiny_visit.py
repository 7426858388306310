"""Small exposures made by hand: chips of a few dozen pixels with plain frames, for laws that need no telescope."""

from __future__ import annotations

import numpy as np

from mizzle.instrument.cameras import WFPC2
from mizzle.instrument.wfpc2 import CHIP_NUMBERS, GAINS, READ_NOISES
from mizzle.model import (
    Alignment,
    ArrayPixels,
    Chip,
    ChipFrame,
    CosmicRays,
    Exposure,
    FluxReference,
    FluxScales,
    SkyLevels,
)

SCALES = {"PC": 0.0455, "WF2": 0.0996, "WF3": 0.0996, "WF4": 0.0996}
FACTORS = {"PC": 1.024, "WF2": 1.004, "WF3": 1.0, "WF4": 1.02}
CENTER = (150.0, 2.0)


def frame(chip, shape, shift=(0.0, 0.0), roll=0.0):
    """A chip centered `shift` arcsec (east, north) from CENTER."""
    side = SCALES[chip] / 3600
    cos, sin = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    cd = np.array([[-cos, sin], [sin, cos]]) * side
    dec = CENTER[1] + shift[1] / 3600
    crval = np.array([CENTER[0] + shift[0] / 3600 / np.cos(np.deg2rad(dec)), dec])
    ny, nx = shape
    edges = np.zeros(ny + 1)
    return ChipFrame(
        crval,
        np.array([(nx + 1) / 2, (ny + 1) / 2]),
        cd,
        np.zeros((2, 2)),
        np.zeros((2, 2)),
        shape,
        edges,
        SCALES[chip],
    )


def exposure(number, chips, *, exptime=500.0, atodgain=7, header=None):
    """`chips`: name -> (sci, dq, frame) or (sci, dq, frame, err)."""
    root = f"u{number:07d}m"
    made = {}
    for name, (sci, dq, where, *err) in chips.items():
        made[name] = Chip(
            name=name,
            number=CHIP_NUMBERS[name],
            pixels=ArrayPixels(sci, dq, err[0] if err else None),
            header={},
            gain=GAINS[atodgain][name],
            read_noise=READ_NOISES[atodgain][name],
            photflam=2.4e-18 * FACTORS[name],
            frame=where,
            photplam=7996.0,
        )
    return Exposure(
        camera=WFPC2,
        root=root, path=f"{root}.fits", filter="F814W", exptime=exptime, darktime=exptime,
        mjd_start=54000.0 + number, mjd_end=54000.1 + number, date_obs="2007-06-04", commanded_gain=atodgain,
        target="TINY", header=header or {"CRRATE": 0.0}, chips=made,
    )  # fmt: skip


def solutions(exposures, sky_dn=0.0):
    """Alignment, scales and sky as the steps would find them: headers trusted, `sky_dn` per pixel of every chip."""
    gain = exposures[0].chips[next(iter(exposures[0].chips))].gain
    reference = FluxReference("WF3", 2.4e-18, 7996.0, 646.0, -21.1, "WFPC2", GAINS[7]["WF3"] or gain, "test")
    scales = FluxScales({"F814W": reference}, {e.root: {n: FACTORS[n] for n in e.chips} for e in exposures})
    levels = {e.root: {n: sky_dn * FACTORS[n] for n in e.chips} for e in exposures}
    zero = {e.root: dict.fromkeys(e.chips, 0.0) for e in exposures}
    return Alignment.identity(exposures), scales, SkyLevels(levels, levels, zero, zero)


def no_rays():
    return CosmicRays({}, {}, {})


def noisy(rng, shape, signal_dn, chip="WF3", atodgain=7, exptime=500.0):
    """What a chip records of `signal_dn` (an array or a number): Poisson, dark, read noise with rounding, whole DN."""
    gain = GAINS[atodgain][chip]
    noise = np.sqrt(READ_NOISES[atodgain][chip] ** 2 - gain**2 / 12)
    dark = 0.005 * exptime
    electrons = rng.poisson(np.broadcast_to(np.asarray(signal_dn) * gain + dark, shape)) - dark
    # The bias is no whole number: rounding is not in step with the level.
    return (np.rint((electrons + rng.normal(0, noise, shape)) / gain + 0.25) - 0.25).astype(np.float32)
