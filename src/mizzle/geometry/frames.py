"""Frames of the chips of an exposure: distortion and pointing make a WCS for each.

This is the recipe of the archive's pipeline (``updatewcs``), rebuilt from its description: a plane tangent at
the reference
pixel of the reference chip, turned by the telescope's roll; each chip placed on it by its focal-plane
position.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.geometry.distortion import (
    ChipModel,
    chip_model,
    clean_filter,
    full_frame_rows,
    row_formula,
    select_filter,
)
from mizzle.instrument.tables import DistortionTables, embedded_tables
from mizzle.instrument.wfpc2 import CHIP_NAMES, CHIP_NUMBERS, CHIP_SIDE
from mizzle.model.frame import ChipFrame, deproject, project
from mizzle.settings.geometry import GeometrySettings

FloatArray = NDArray[np.float64]
Header = Mapping[str, Any]

#: The telescope moves at 1e-4 c at most, Earth's orbit and its own together.
LARGEST_ABERRATION = 2e-4


@dataclass(frozen=True)
class _Plane:
    """The tangent plane all chips are placed on; offsets are pixels of the reference chip's scale."""

    center: tuple[float, float]
    cd: FloatArray
    model: ChipModel

    def sky(self, offsets: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return right ascension *relative to the center* and declination [deg] of ``(n, 2)`` offsets."""
        xi, eta = (offsets @ self.cd.T).T
        ra, dec = deproject(xi, eta, (0.0, self.center[1]))
        return np.where(ra > 180.0, ra - 360.0, ra), dec


@dataclass(frozen=True)
class _Site:
    """Where a chip's pixels start and how they are cut: subarray offset, binning, shape."""

    shape: tuple[int, int]
    binning: int = 1
    ltv: tuple[float, float] = (0.0, 0.0)


def roll_at(pa_v3: float, dec: float, v2: float, v3: float) -> float:
    """Return the position angle of V3 [deg] at ``(v2, v3)`` [arcsec], from its value at the V1 axis.

    `dec` is that of the aperture [deg]. Spherical triangle between pole, V1 and aperture (C. Cox, STScI); at
    the
    origin itself the answer is `pa_v3`.
    """
    s2, s3 = math.sin(math.radians(v2 / 3600.0)), math.sin(math.radians(v3 / 3600.0))
    sin_rho = math.sqrt(s2 * s2 + s3 * s3 - s2 * s2 * s3 * s3)
    if sin_rho == 0.0:
        return pa_v3
    beta = math.asin(s3 / sin_rho)
    beta = math.pi - beta if v2 < 0 else beta
    gamma = math.asin(s2 / sin_rho)
    gamma = math.pi - gamma if v3 < 0 else gamma
    delta = math.radians(dec)
    a = math.pi / 2.0 + math.radians(pa_v3) - beta
    cos_rho = math.sqrt(1.0 - sin_rho * sin_rho)
    b = math.atan2(math.sin(a) * math.cos(delta), math.sin(delta) * sin_rho - math.cos(delta) * cos_rho * math.cos(a))
    return math.degrees(math.pi - (gamma + b))


def _plane(center: tuple[float, float], pa_v3: float, roll_dec: float, model: ChipModel) -> _Plane:
    """Build the reference plane at `center` [deg], turned by the roll and the reference chip's own angle."""
    pv = math.radians(roll_at(pa_v3, roll_dec, model.v2, model.v3) + model.theta)
    cos, sin = math.cos(pv), math.sin(pv)
    cd = np.array([[-cos, sin], [sin, cos]]) * (model.scale / 3600.0)
    return _Plane(center, cd, model)


def _chip_wcs(plane: _Plane, model: ChipModel) -> tuple[FloatArray, FloatArray]:
    """Return CRVAL [deg] and CD [deg / pixel] of one chip on the plane."""
    ref = plane.model
    dv2, dv3 = model.v2 - ref.v2, model.v3 - ref.v3
    distance = math.hypot(dv2, dv3) / ref.scale
    angle = (math.atan2(-dv2, dv3) if dv3 != 0.0 else 0.0) + math.radians(ref.theta)
    offset = np.array([distance * math.sin(angle), distance * math.cos(angle)])
    turn = math.radians(model.theta - ref.theta)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    vectors = np.array([[model.cx[1, 1], model.cy[1, 1]], [model.cx[1, 0], model.cy[1, 0]]])
    steps = vectors @ rotation * (model.scale / ref.scale)
    ra, dec = plane.sky(np.vstack([offset, offset + steps]))
    crval = np.array([(plane.center[0] + ra[0]) % 360.0, dec[0]])
    if abs(dec[0]) < 84.0:
        # Differences of coordinates, as the archive's pipeline has them: 2e-7 tan(dec) from the exact value.
        d_ra = (ra[1:] - ra[0]) * math.cos(math.radians(dec[0]))
        return crval, np.array([d_ra, dec[1:] - dec[0]])
    return crval, np.array(project(ra[1:], dec[1:], (float(ra[0]), float(dec[0]))))


def _aberrate(crval: FloatArray, cd: FloatArray, factor: float, center: tuple[float, float]) -> tuple[Any, Any]:
    """Scale positions about `center` and the CD matrix by the velocity-aberration factor."""
    d_ra = (crval[0] - center[0] + 180.0) % 360.0 - 180.0
    moved = [(center[0] + factor * d_ra) % 360.0, center[1] + factor * (crval[1] - center[1])]
    return np.array(moved), cd * factor


def rows_of_chip(tables: DistortionTables, chip: str, site: _Site, mode: str) -> tuple[FloatArray, FloatArray]:
    """Return the row term of a chip as stored: shifts at row edges, and (incumbent only) shifts of columns.

    A binned row ``j`` covers the full rows ``2j`` and ``2j + 1``, so its edges are every second edge of the
    full chip and
    the shift is halved with the unit. A subarray takes its stretch of the full chip.

    Returns
    -------
    row_edges : (ny + 1,) array
        Shift in y [pixel] at the edges of the rows.
    columns : (nx,) or (0,) array
        Shift in y [pixel] by column; what the incumbent applies to PC.
    """
    ny, nx = site.shape
    if mode == "off" or (mode == "incumbent" and chip != "PC"):
        return np.zeros(ny + 1), np.zeros(0)
    full = full_frame_rows(tables.row_shift, CHIP_NUMBERS[chip])
    if mode == "incumbent":
        centers = np.asarray(tables.row_shift.get(CHIP_NUMBERS[chip], np.zeros(CHIP_SIDE)))
        return np.zeros(ny + 1), np.interp(np.arange(nx) - site.ltv[0], np.arange(centers.size), centers)
    positions = (np.arange(ny + 1) - site.ltv[1]) * site.binning
    return np.interp(positions, np.arange(full.size), full) / site.binning, np.zeros(0)


def _frame(
    plane: _Plane,
    model: ChipModel,
    site: _Site,
    factor: float,
    rows: tuple[FloatArray, FloatArray],
    name: str,
) -> ChipFrame:
    """Assemble the frame of one chip."""
    crval, cd = _chip_wcs(plane, model)
    crval, cd = _aberrate(crval, cd, factor, plane.center)
    a, b = model.sip()
    facts: dict[str, float | str] = {
        "CHIP": model.chip,
        "IDCSCALE": model.scale,
        "IDCTHETA": model.theta,
        "IDCXREF": model.xref,
        "IDCYREF": model.yref,
        "IDCV2REF": model.v2,
        "IDCV3REF": model.v3,
        "OCX10": model.cx[1, 0] * model.scale,
        "OCX11": model.cx[1, 1] * model.scale,
        "OCY10": model.cy[1, 0] * model.scale,
        "OCY11": model.cy[1, 1] * model.scale,
        "VAFACTOR": factor,
    }
    crpix = np.array([model.xref + site.ltv[0], model.yref + site.ltv[1]])
    edges, columns = rows
    return ChipFrame(crval, crpix, cd, a, b, site.shape, edges, model.scale, name=name, facts=facts, columns=columns)


def number(header: Header, key: str, where: str, *, default: float | None = None) -> float:
    """Return a finite number from a header.

    Raises
    ------
    InputError
        The keyword is absent without a default, or holds no finite number.
    """
    value = header.get(key, default)
    if value is None or isinstance(value, (bool, str)) or not math.isfinite(float(value)):
        raise InputError(
            f"{where}: {key} = {value!r}; a finite number is needed to place the chip on the sky; repair the header",
            keyword=key,
            value=str(value),
            where=where,
        )
    return float(value)


def _pointing(
    header: Header, chip: str, model: ChipModel, ltv: tuple[float, float]
) -> tuple[tuple[float, float], float]:
    """Return the sky of the reference pixel under the header's WCS, and the header's own CRVAL2 [deg]."""
    crval = number(header, "CRVAL1", chip), number(header, "CRVAL2", chip)
    if abs(crval[1]) > 90.0 or abs(crval[0]) > 720.0:
        raise InputError(
            f"{chip}: CRVAL = {crval}; right ascension and declination in degrees are needed; repair the header",
            keyword="CRVAL",
            value=crval,
        )
    offset = np.array(
        [
            model.xref + ltv[0] - number(header, "CRPIX1", chip),
            model.yref + ltv[1] - number(header, "CRPIX2", chip),
        ]
    )
    if np.any(np.abs(offset) > 1e5):
        raise InputError(f"{chip}: CRPIX lies {offset} pixels off the reference pixel; repair the header", chip=chip)
    cd = np.array([[number(header, f"CD{i}_{j}", chip, default=0.0) for j in (1, 2)] for i in (1, 2)])
    if np.any(offset) and not np.any(cd):
        raise InputError(f"{chip}: no CD matrix, and CRPIX is not the reference pixel; repair the header", chip=chip)
    if np.any(np.abs(cd) > 1e-3):
        raise InputError(f"{chip}: CD matrix of {cd.tolist()} deg/pixel is absurd; repair the header", chip=chip)
    xi, eta = cd @ offset
    ra, dec = deproject(xi, eta, crval)
    return (float(ra), float(dec)), crval[1]


def _subarray(header: Header, chip: str, shape: tuple[int, int], binning: int) -> tuple[float, float]:
    """Return LTV1, LTV2; zero for a full chip, whose LTV (polarizers) belongs to the filter."""
    if shape == (CHIP_SIDE // binning, CHIP_SIDE // binning):
        return 0.0, 0.0
    ltv = number(header, "LTV1", chip, default=0.0), number(header, "LTV2", chip, default=0.0)
    if max(abs(ltv[0]), abs(ltv[1])) > CHIP_SIDE:
        raise InputError(f"{chip}: LTV = {ltv}; a subarray lies within {CHIP_SIDE} pixels; repair the header", ltv=ltv)
    return ltv


def binning_of(primary: Header) -> int:
    """Return 2 for MODE AREA, else 1."""
    return 2 if str(primary.get("MODE", "FULL")).strip().upper() == "AREA" else 1


def aberration_of(
    primary: Header, chips: Mapping[str, Header], settings: GeometrySettings
) -> tuple[dict[str, float], str]:
    """Return the velocity-aberration factor by chip, and a note.

    The factor comes from the SCI header, else the primary, else it is 1.

    Raises
    ------
    InputError
        The factor is not within 2e-4 of 1.
    """
    if settings.velocity_aberration == "off":
        return dict.fromkeys(chips, 1.0), "velocity aberration: not applied (geometry.velocity_aberration)"
    factors: dict[str, float] = {}
    for chip, header in chips.items():
        source = header if "VAFACTOR" in header else primary
        if "VAFACTOR" not in source:
            note = "velocity aberration: no VAFACTOR in the header; the fit's scale must take it (8 mas at most)"
            return dict.fromkeys(chips, 1.0), note
        factors[chip] = number(source, "VAFACTOR", chip)
        if not abs(factors[chip] - 1.0) < LARGEST_ABERRATION:
            raise InputError(
                f"{chip}: VAFACTOR = {factors[chip]:g} is not within {LARGEST_ABERRATION:g} of 1; repair"
                " the header or set"
                " geometry.velocity_aberration='off'",
                keyword="VAFACTOR",
                value=factors[chip],
            )
    first = next(iter(factors.values()))
    arcsec = 78.3  # PC to WF3, the longest way from the reference pixel to another
    mas = abs(first - 1.0) * arcsec * 1e3
    note = f"velocity aberration: VAFACTOR {first:.7g} applied ({mas:.1f} mas between PC and WF3)"
    return factors, note


def reference_chip(chips: Mapping[str, object]) -> str:
    """Return WF3 where present, else the first chip: it defines the plane the others are placed on."""
    return "WF3" if "WF3" in chips else min(chips, key=CHIP_NAMES.index)


def _models(
    tables: DistortionTables,
    chips: Iterable[str],
    filter_name: str,
    date: object,
    binning: int,
    settings: GeometrySettings,
) -> dict[str, ChipModel]:
    """Build the distortion of each chip."""
    return {
        chip: chip_model(
            tables,
            chip,
            filter_name,
            date,
            binning=binning,
            area_mode=settings.area_mode,
            offtab_end=settings.offtab_end,
        )
        for chip in chips
    }


def model_frames(
    primary: Header,
    chips: Mapping[str, Header],
    shapes: Mapping[str, tuple[int, int]],
    settings: GeometrySettings,
    tables: DistortionTables,
) -> tuple[dict[str, ChipFrame], tuple[str, ...]]:
    """Build frames from the tables and the header's pointing; see `build_frames`."""
    binning = binning_of(primary)
    names = (primary.get("FILTNAM1"), primary.get("FILTNAM2"))
    chosen, filter_note = select_filter(tables, names)
    factors, note = aberration_of(primary, chips, settings)
    date = primary.get("DATE-OBS")
    models = _models(tables, chips, chosen, date, binning, settings)
    sites = {c: _Site(shapes[c], binning, _subarray(chips[c], c, shapes[c], binning)) for c in chips}
    ref = reference_chip(chips)
    center, roll_dec = _pointing(chips[ref], ref, models[ref], sites[ref].ltv)
    plane = _plane(center, number(primary, "PA_V3", "primary header"), roll_dec, models[ref])
    name = wcs_name(tables)
    frames = {
        chip: _frame(
            plane,
            models[chip],
            sites[chip],
            factors[chip],
            rows_of_chip(tables, chip, sites[chip], settings.row_term),
            name,
        )
        for chip in chips
    }
    return frames, tuple(text for text in (filter_note, note) if text)


def wcs_name(tables: DistortionTables) -> str:
    """Return the WCSNAME of frames built from these tables: ``IDC_<table>``."""
    return "IDC_" + tables.idctab_name.split("/")[-1].removesuffix(".gz").removesuffix(".fits").removesuffix("_idc")


def build_frames(
    primary: Header,
    chips: Mapping[str, Header],
    shapes: Mapping[str, tuple[int, int]],
    settings: GeometrySettings | None = None,
    *,
    tables: DistortionTables | None = None,
) -> tuple[dict[str, ChipFrame], tuple[str, ...]]:
    """Build the frame of every chip of an exposure.

    Parameters
    ----------
    primary : mapping
        Keywords of the primary header: FILTNAM1, FILTNAM2, DATE-OBS, PA_V3, MODE.
    chips : mapping
        Keywords of each chip's SCI header, by chip name: CRVAL, CRPIX, CD, VAFACTOR, LTV1, LTV2.
    shapes : mapping
        ``(ny, nx)`` by chip name.
    settings : GeometrySettings, optional
        The ``geometry`` section; defaults without it.
    tables : DistortionTables, optional
        The embedded ones without it.

    Returns
    -------
    frames : dict
        `ChipFrame` by chip name, in the order PC, WF2, WF3, WF4.
    notes : tuple of str
        What was decided: the filter of two, velocity aberration.

    Raises
    ------
    InputError
        A needed keyword is missing or absurd, or the table lacks the filter.
    """
    settings = settings or GeometrySettings()
    tables = tables or embedded_tables()
    ordered = {name: chips[name] for name in CHIP_NAMES if name in chips}
    if not ordered:
        raise InputError("no chip; a WFPC2 exposure has one to four SCI extensions", chips=())
    return model_frames(primary, ordered, shapes, settings, tables)


def frames_for_pointing(
    ra: float,
    dec: float,
    pa_v3: float,
    date_obs: str,
    filters: Sequence[str] | str,
    *,
    vafactor: float = 1.0,
    binning: int = 1,
    settings: GeometrySettings | None = None,
    tables: DistortionTables | None = None,
) -> dict[str, ChipFrame]:
    """Build the frames of a pointing that no header describes yet.

    Parameters
    ----------
    ra, dec : float
        Sky of WF3's reference pixel, ``(425, 425)`` 1-based where not binned [deg].
    pa_v3 : float
        Position angle of V3 at the V1 axis [deg].
    date_obs : str
        ISO date.
    filters : sequence of str
        FILTNAM1 and FILTNAM2.
    vafactor : float
        Velocity-aberration factor.
    binning : int
        1, or 2 for MODE AREA.
    settings, tables : optional
        As for `build_frames`.
    """
    settings = settings or GeometrySettings()
    tables = tables or embedded_tables()
    names = [filters] if isinstance(filters, str) else list(filters)
    chosen, _ = select_filter(tables, names)
    factor = vafactor if settings.velocity_aberration == "on" else 1.0
    site = _Site((CHIP_SIDE // binning, CHIP_SIDE // binning), binning)
    models = _models(tables, CHIP_NAMES, chosen, date_obs, binning, settings)
    plane = _plane((ra % 360.0, dec), pa_v3, dec, models["WF3"])
    return {
        chip: _frame(plane, model, site, factor, rows_of_chip(tables, chip, site, settings.row_term), wcs_name(tables))
        for chip, model in models.items()
    }


__all__ = [
    "aberration_of",
    "binning_of",
    "build_frames",
    "clean_filter",
    "frames_for_pointing",
    "model_frames",
    "reference_chip",
    "roll_at",
    "row_formula",
    "rows_of_chip",
    "wcs_name",
]
