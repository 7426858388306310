"""Where the telescope was told to look, and where it looked."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.model import ChipFrame, deproject, project
from mizzle.model.sky import MJD_EPOCH
from mizzle.simulate.plan import Plan

#: Position angle of WF3's y axis over PA_V3 [deg] (OFFTAB: THETA of chip 3).
WF3_THETA = 44.67
#: Time from one exposure's start to the next one's, beyond the exposure time [s].
OVERHEAD = 120.0
#: Orbit [s], and the relative change of the scale along it and on average (VAFACTOR - 1).
ORBIT_SECONDS = 5760.0
ABERRATION = (-3.0e-5, 2.5e-5)


@dataclass(frozen=True, eq=False)
class Pointing:
    """One exposure's pointing.

    Parameters
    ----------
    root : str
        Rootname.
    date : str
        ISO date of the start.
    mjd : float
        Start [MJD].
    ra, dec, pa_v3 : float
        Commanded: sky of WF3's reference pixel, position angle of V3 [deg].
    shift : (float, float)
        True minus commanded pointing, east and north [arcsec].
    roll : float
        True minus commanded position angle [deg].
    vafactor : float
        Velocity aberration's scale.
    commanded, true : mapping
        Frames by chip name, as commanded and as it was.
    header : mapping
        Frames as commanded, without velocity aberration: what OPUS writes.
    """

    root: str
    date: str
    mjd: float
    ra: float
    dec: float
    pa_v3: float
    shift: tuple[float, float]
    roll: float
    vafactor: float
    commanded: Mapping[str, ChipFrame]
    true: Mapping[str, ChipFrame]
    header: Mapping[str, ChipFrame]


def base36(number: int) -> str:
    """Return two characters, 0-9 and a-z, as the archive numbers exposures.

    Examples
    --------
    >>> base36(2), base36(12), base36(36)
    ('02', '0c', '10')
    """
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[number // 36 % 36] + digits[number % 36]


def rootname(plan: Plan, index: int) -> str:
    """Return the rootname of exposure `index`: even numbers, as an M2 visit has them; odd ones after 647."""
    number = 2 * (index + 1)
    return f"{plan.root}{base36(number if number < 1296 else number - 1295)}m"


def starts(plan: Plan) -> list[float]:
    """Return the start of each exposure [MJD]; a new date starts the clock anew."""
    clock: dict[str, float] = {}
    answer = []
    for i in range(plan.n):
        date = plan.value("date", i)
        day = float((datetime.date.fromisoformat(date) - MJD_EPOCH).days)
        begin = clock.get(date, day + 0.25)
        answer.append(begin)
        clock[date] = begin + (plan.value("exptime", i) + OVERHEAD) / 86400.0
    return answer


def point(plan: Plan) -> list[Pointing]:
    """Return the pointings of a visit."""
    return [_pointing(plan, i, mjd) for i, mjd in enumerate(starts(plan))]


def _pointing(plan: Plan, index: int, mjd: float) -> Pointing:
    """Return one pointing: dither, error, frames."""
    rng = np.random.default_rng([plan.seed, 7, index])
    dx, dy = (plan.dither_scale * step for step in plan.dithers[index % len(plan.dithers)])
    angle = np.deg2rad(plan.pa_v3 + WF3_THETA)
    # WF3's y axis lies at `angle` east of north, its x axis 90 degrees clockwise from there on the sky.
    east = dy * np.sin(angle) - dx * np.cos(angle)
    north = dy * np.cos(angle) + dx * np.sin(angle)
    ra, dec = _offset(plan.ra, plan.dec, east=east, north=north)
    shift = tuple(1e-3 * plan.effects.pointing_error * rng.standard_normal(2))
    roll = plan.effects.roll_error * float(rng.standard_normal())
    true_ra, true_dec = _offset(ra, dec, east=shift[0], north=shift[1])
    vafactor = 1.0
    if plan.effects.velocity_aberration:
        phase = 2.0 * np.pi * ((mjd % 1.0) * 86400.0 / ORBIT_SECONDS)
        vafactor = 1.0 + ABERRATION[0] + ABERRATION[1] * float(np.sin(phase))
    date = plan.value("date", index)
    return Pointing(
        root=rootname(plan, index),
        date=date,
        mjd=mjd,
        ra=ra,
        dec=dec,
        pa_v3=plan.pa_v3,
        shift=(float(shift[0]), float(shift[1])),
        roll=roll,
        vafactor=vafactor,
        commanded=frames(plan, (ra, dec, plan.pa_v3), date, vafactor=vafactor),
        true=frames(plan, (true_ra, true_dec, plan.pa_v3 + roll), date, vafactor=vafactor),
        header=frames(plan, (ra, dec, plan.pa_v3), date, vafactor=1.0),
    )


def _offset(ra: float, dec: float, *, east: float, north: float) -> tuple[float, float]:
    """Move a position by arcseconds on its tangent plane."""
    x, y = deproject(np.array([east / 3600.0]), np.array([north / 3600.0]), (ra, dec))
    return float(x[0]), float(y[0])


def frames(plan: Plan, pointing: tuple[float, float, float], date: str, *, vafactor: float) -> dict[str, ChipFrame]:
    """Return the frames of all chips; `Effects.distortion` and `row_term` are obeyed.

    Parameters
    ----------
    plan : Plan
        Filter and effects.
    pointing : (float, float, float)
        Sky of WF3's reference pixel, position angle of V3 [deg].
    date : str
        ISO date.
    vafactor : float
        Velocity aberration's scale.
    """
    from mizzle.instrument.wfpc2.frames import frames_for_pointing

    made = frames_for_pointing(*pointing, date_obs=date, filters=(plan.filter,), vafactor=vafactor)
    return {name: _simplified(frame, plan) for name, frame in made.items()}


def _simplified(frame: ChipFrame, plan: Plan) -> ChipFrame:
    """Drop the parts of the frame that are switched off."""
    if not plan.effects.distortion:
        frame = replace(frame, sip_a=np.zeros_like(frame.sip_a), sip_b=np.zeros_like(frame.sip_b))
    if not plan.effects.row_term or not plan.effects.distortion:
        frame = replace(frame, row_edges=np.zeros_like(frame.row_edges))
    return frame


def sky_box(pointings: list[Pointing], margin: float) -> tuple[tuple[float, float], tuple[float, float, float, float]]:
    """Return a tangent point, and the box on its plane that holds all chips.

    Parameters
    ----------
    pointings : list of Pointing
        The visit.
    margin : float
        Added on each side [arcsec].

    Returns
    -------
    center : (float, float)
        First WF3 reference [deg].
    box : (float, float, float, float)
        ``xi_min, xi_max, eta_min, eta_max`` [arcsec].
    """
    center = (pointings[0].ra, pointings[0].dec)
    corners: list[FloatArray] = []
    for pointing in pointings:
        for frame in pointing.true.values():
            ny, nx = frame.shape
            ra, dec = frame.pixel_to_sky([0.0, nx, 0.0, nx], [0.0, 0.0, ny, ny])
            corners.append(3600.0 * np.array(project(ra, dec, center)))
    xi, eta = np.concatenate(corners, axis=1)
    return center, (
        float(xi.min()) - margin,
        float(xi.max()) + margin,
        float(eta.min()) - margin,
        float(eta.max()) + margin,
    )
