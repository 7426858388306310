"""Small exposures for the tests of photometry: flat skies, Gaussian stars, plain frames."""

from __future__ import annotations

import numpy as np

from mizzle.instrument.cameras import WFPC2
from mizzle.instrument.wfpc2 import CHIP_NAMES, GAINS, READ_NOISES
from mizzle.model import ArrayPixels, Chip, ChipFrame, Exposure

#: PHOTFLAM at gain 7; F814W in full precision, as the executed workflow printed it.
F814W = {"PC": 2.507987e-18, "WF2": 2.458077e-18, "WF3": 2.449067e-18, "WF4": 2.498411e-18}
F555W = {"PC": 3.482944e-18, "WF2": 3.395806e-18, "WF3": 3.439046e-18, "WF4": 3.506729e-18}
SCALES = {"PC": 0.045549, "WF2": 0.099626, "WF3": 0.099606, "WF4": 0.099654}


def plain_frame(
    shape: tuple[int, int], scale: float, *, center: tuple[float, float] = (323.3, -0.9), roll: float = 0.0
) -> ChipFrame:
    """A TAN frame without distortion whose middle pixel lies at `center`."""
    c, s = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    cd = np.array([[-c, s], [s, c]]) * scale / 3600.0
    return ChipFrame(
        crval=np.array(center),
        crpix=np.array([(shape[1] + 1) / 2, (shape[0] + 1) / 2]),
        cd=cd,
        sip_a=np.zeros((1, 1)),
        sip_b=np.zeros((1, 1)),
        shape=shape,
        row_edges=np.zeros(shape[0] + 1),
        scale=scale,
    )


def make_chip(name, sci=None, dq=None, *, photflam=1e-18, atodgain=7, frame=None, header=None) -> Chip:
    """One chip; an empty 8 x 8 one unless pixels are given."""
    sci = np.zeros((8, 8), np.float32) if sci is None else sci
    dq = np.zeros(sci.shape, np.uint16) if dq is None else dq
    return Chip(
        name=name,
        number=CHIP_NAMES.index(name) + 1,
        pixels=ArrayPixels(sci, dq),
        header=header or {},
        gain=GAINS[atodgain][name],
        read_noise=READ_NOISES[atodgain][name],
        photflam=photflam,
        frame=frame or plain_frame(sci.shape, SCALES[name]),
        photplam=8000.0,
        photbw=1500.0,
        photmode=f"WFPC2,{name},A2D{atodgain}",
    )


def make_exposure(root, chips, *, filter="F814W", exptime=500.0, mjd=54000.0, atodgain=7, **extra) -> Exposure:
    """One exposure of the given chips."""
    return Exposure(
        camera=WFPC2,
        root=root,
        path=f"{root}_c0m.fits",
        filter=filter,
        exptime=exptime,
        darktime=exptime,
        mjd_start=mjd,
        mjd_end=mjd + exptime / 86400,
        date_obs="2006-09-22",
        commanded_gain=atodgain,
        target="M2",
        header={},
        chips={c.name: c for c in chips},
        **extra,
    )
