"""Coordinate axes: where round right ascensions and declinations cross a frame, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mizzle.arrays import FloatArray, SkyPlaces
from mizzle.model.frame import Grid

_RA_STEPS = tuple(
    s / 240.0 for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
)
_DEC_STEPS = tuple(s / 3600.0 for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600))


@dataclass(frozen=True)
class Tick:
    """A label on the border: `position` is a 0-based pixel along the bottom (x) or the left (y) side."""

    position: float
    label: str


@dataclass(frozen=True)
class Axes:
    """Lines and labels of a coordinate grid over one frame.

    Parameters
    ----------
    lines : tuple of (n, 2) array
        Curves of constant coordinate, 0-based pixels.
    bottom, left : tuple of Tick
        Labels.
    bottom_name, left_name : str
        What the sides show.
    """

    lines: tuple[FloatArray, ...]
    bottom: tuple[Tick, ...]
    left: tuple[Tick, ...]
    bottom_name: str
    left_name: str


def sexagesimal(value: float, *, hours: bool, step: float) -> str:
    """Write an angle [deg] as ``21h33m27s`` or ``-00°49'20"``, with the decimals that `step` [deg] needs.

    Examples
    --------
    >>> sexagesimal(323.3625, hours=True, step=1 / 240)
    '21h33m27s'
    >>> sexagesimal(-0.8225, hours=False, step=10 / 3600)
    '-00°49\\'21"'
    """
    per_unit = 240.0 if hours else 3600.0
    decimals = max(0, int(np.ceil(-np.log10(step * per_unit) - 1e-9)))
    whole = round(abs(value) * per_unit * 10**decimals)
    seconds, rest = divmod(whole, 10**decimals)
    minutes, seconds = divmod(seconds, 60)
    major, minutes = divmod(minutes, 60)
    fraction = f".{rest:0{decimals}d}" if decimals else ""
    if hours:
        return f"{major % 24:02d}h{minutes:02d}m{seconds:02d}{fraction}s"
    sign = "-" if value < 0 and whole else "+"
    return f"{sign}{major:02d}°{minutes:02d}'{seconds:02d}{fraction}\""


def _step(span: float, steps: tuple[float, ...], wanted: float) -> float:
    """Return the step that gives about `wanted` ticks over `span`."""
    return min(steps, key=lambda s: abs(np.log(span / s / wanted)))


def _crossings(edge: FloatArray, values: FloatArray, tick: float) -> list[float]:
    """Return where `values`, sampled at pixels `edge`, cross `tick`."""
    delta = values - tick
    at = np.flatnonzero(delta[:-1] * delta[1:] <= 0)
    spans = delta[at] - delta[at + 1]
    safe = np.where(spans == 0, 1.0, spans)
    return [float(v) for v in edge[at] + (edge[at + 1] - edge[at]) * delta[at] / safe]


def sky_axes(grid: Grid, *, wanted: float = 5.0) -> Axes:
    """Return the coordinate grid of a frame; RA goes to the side along which it changes most.

    Parameters
    ----------
    grid : Grid
        The frame.
    wanted : float
        About so many lines of each kind.

    Returns
    -------
    axes : Axes
        No lines where the pole lies in the field: its meridians have no use there.
    """
    ny, nx = grid.shape
    along_x, along_y = np.linspace(-0.5, nx - 0.5, 65), np.linspace(-0.5, ny - 0.5, 65)
    gx, gy = np.meshgrid(along_x, along_y)
    ra, dec = grid.pixel_to_sky(gx, gy)
    ra = grid.center[0] + (ra - grid.center[0] + 180.0) % 360.0 - 180.0
    if np.max(np.abs(dec)) > 89.9:
        return Axes((), (), (), "x [pixel]", "y [pixel]")
    ra_step = _step(float(np.ptp(ra)), _RA_STEPS, wanted)
    dec_step = _step(float(np.ptp(dec)), _DEC_STEPS, wanted)
    ra_ticks = _ticks(ra, ra_step)
    dec_ticks = _ticks(dec, dec_step)
    lines = _lines(grid, ra_ticks, dec_ticks, field=SkyPlaces(ra, dec))
    upright = abs(np.ptp(ra[0]) * np.cos(np.deg2rad(grid.center[1]))) >= np.ptp(dec[0])
    named = {
        True: (ra, ra_ticks, ra_step, "right ascension"),
        False: (dec, dec_ticks, dec_step, "declination"),
    }
    sides = []
    for at_bottom in (True, False):
        values, ticks, step, name = named[upright == at_bottom]
        edge, along = (along_x, values[0]) if at_bottom else (along_y, values[:, 0])
        hours = name == "right ascension"
        labels = [
            Tick(position, sexagesimal(float(t) % 360.0 if hours else float(t), hours=hours, step=step))
            for t in ticks
            for position in _crossings(edge, along, float(t))
        ]
        sides.append((tuple(labels), name))
    return Axes(lines, sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def _ticks(values: FloatArray, step: float) -> FloatArray:
    """Return the multiples of `step` inside the range of `values`."""
    low, high = np.ceil(np.min(values) / step), np.floor(np.max(values) / step)
    return np.arange(low, high + 0.5) * step


def _lines(grid: Grid, ra_ticks: FloatArray, dec_ticks: FloatArray, *, field: SkyPlaces) -> tuple[FloatArray, ...]:
    """Return the curves of constant coordinate as pixels."""
    ra, dec = field
    path = np.linspace(0.0, 1.0, 33)
    all_ra, all_dec = ra.min() + path * np.ptp(ra), dec.min() + path * np.ptp(dec)
    curves = [grid.sky_to_pixel(np.full(path.size, t), all_dec) for t in ra_ticks]
    curves += [grid.sky_to_pixel(all_ra, np.full(path.size, t)) for t in dec_ticks]
    return tuple(np.column_stack(c) for c in curves)
