"""Frames of the chips of an exposure: distortion and pointing make a WCS for each.

This is the recipe of the archive's pipeline (``updatewcs``), rebuilt from its description: a plane tangent at
the reference
pixel of the reference chip, turned by the telescope's roll; each chip placed on it by its focal-plane
position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mizzle.errors import InputError
from mizzle.geometry.header import (
    HeaderletChips,
    frame_from_header,
    number,
    rows_from_lookup,
)
from mizzle.geometry.rows import RowTerm
from mizzle.instrument.tables import DistortionTables, embedded_tables
from mizzle.instrument.wfpc2 import CHIP_NAMES, CHIP_NUMBERS, CHIP_SIDE
from mizzle.instrument.wfpc2.distortion import (
    ChipModel,
    chip_model,
    full_frame_rows,
    select_filter,
)
from mizzle.instrument.wfpc2.pointing import (
    TangentPlane,
    aberrate,
    aberration_of,
    original_pointing,
    place_chip,
    pointing_of,
    radesys_of,
    reference_plane,
)
from mizzle.model.frame import ChipFrame
from mizzle.model.lookup import LookupTable
from mizzle.settings.geometry import GeometrySettings

Header = Mapping[str, Any]


@dataclass(frozen=True)
class _Site:
    """Where a chip's pixels start and how they are cut: subarray offset, binning, shape."""

    shape: tuple[int, int]
    binning: int = 1
    ltv: tuple[float, float] = (0.0, 0.0)


def rows_of_chip(tables: DistortionTables, chip: str, site: _Site, *, mode: str) -> RowTerm:
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
        return RowTerm(np.zeros(ny + 1), np.zeros(0))
    full = full_frame_rows(tables.row_shift, CHIP_NUMBERS[chip])
    if mode == "incumbent":
        centers = np.asarray(tables.row_shift.get(CHIP_NUMBERS[chip], np.zeros(CHIP_SIDE)))
        return RowTerm(np.zeros(ny + 1), np.interp(np.arange(nx) - site.ltv[0], np.arange(centers.size), centers))
    positions = (np.arange(ny + 1) - site.ltv[1]) * site.binning
    return RowTerm(np.interp(positions, np.arange(full.size), full) / site.binning, np.zeros(0))


def _frame(
    plane: TangentPlane,
    model: ChipModel,
    site: _Site,
    *,
    factor: float,
    rows: RowTerm,
    name: str,
) -> ChipFrame:
    """Assemble the frame of one chip."""
    crval, cd = place_chip(plane, model)
    crval, cd = aberrate(crval, cd, factor, center=plane.center)
    a, b = model.sip()
    facts: dict[str, float | str] = {
        "CHIP": model.chip,
        "IDCSCALE": model.scale,
        "IDCTHETA": model.theta,
        "IDCXREF": model.xref,
        "IDCYREF": model.yref,
        "IDCV2REF": model.v2,
        "IDCV3REF": model.v3,
        "OCX10": float(model.cx[1, 0] * model.scale),
        "OCX11": float(model.cx[1, 1] * model.scale),
        "OCY10": float(model.cy[1, 0] * model.scale),
        "OCY11": float(model.cy[1, 1] * model.scale),
        "VAFACTOR": factor,
    }
    crpix = np.array([model.xref + site.ltv[0], model.yref + site.ltv[1]])
    edges, columns = rows
    return ChipFrame(crval, crpix, cd, a, b, site.shape, edges, model.scale, name=name, facts=facts, columns=columns)


def _subarray(header: Header, chip: str, shape: tuple[int, int], *, binning: int) -> tuple[float, float]:
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


def reference_chip(chips: Mapping[str, object]) -> str:
    """Return WF3 where present, else the first chip: it defines the plane the others are placed on."""
    return "WF3" if "WF3" in chips else min(chips, key=CHIP_NAMES.index)


def _models(
    tables: DistortionTables,
    chips: Iterable[str],
    filter_name: str,
    *,
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
            date=date,
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
    *,
    settings: GeometrySettings,
    tables: DistortionTables,
) -> tuple[dict[str, ChipFrame], tuple[str, ...]]:
    """Build frames from the tables and the header's pointing; see `build_frames`."""
    binning = binning_of(primary)
    names = (primary.get("FILTNAM1"), primary.get("FILTNAM2"))
    chosen, filter_note = select_filter(tables, names)
    factors, note = aberration_of(primary, chips, settings)
    date = primary.get("DATE-OBS")
    models = _models(tables, chips, chosen, date=date, binning=binning, settings=settings)
    sites = {c: _Site(shapes[c], binning, _subarray(chips[c], c, shapes[c], binning=binning)) for c in chips}
    ref = reference_chip(chips)
    header, pointing_note = original_pointing(chips[ref])
    center, roll_dec = pointing_of(header, ref, models[ref], ltv=sites[ref].ltv)
    roll = number(primary, "PA_V3", "primary header")
    if abs(roll) > 720.0:
        raise InputError(f"primary header: PA_V3 = {roll}; degrees are needed; repair the header", value=roll)
    plane = reference_plane(center, roll, roll_dec, model=models[ref])
    name = wcs_name(tables)
    frames = {
        chip: _frame(
            plane,
            models[chip],
            sites[chip],
            factor=factors[chip],
            rows=rows_of_chip(tables, chip, sites[chip], mode=settings.row_term),
            name=name,
        )
        for chip in chips
    }
    return frames, tuple(text for text in (filter_note, note, pointing_note) if text)


def wcs_name(tables: DistortionTables) -> str:
    """Return the WCSNAME of frames built from these tables: ``IDC_<table>``."""
    return "IDC_" + tables.idctab_name.split("/")[-1].removesuffix(".gz").removesuffix(".fits").removesuffix("_idc")


def build_frames(
    primary: Header,
    chips: Mapping[str, Header],
    shapes: Mapping[str, tuple[int, int]],
    *,
    settings: GeometrySettings | None = None,
    tables: DistortionTables | None = None,
    lookups: Mapping[str, LookupTable] | None = None,
    headerlet: HeaderletChips | None = None,
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
    lookups : mapping, optional
        The input's own detector-to-image tables by chip name; they count where its WCS is trusted.
    headerlet : HeaderletChips, optional
        A WCS from outside for the chips it holds.

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
    radesys = radesys_of(primary, ordered)
    notes: list[str] = []
    frames: dict[str, ChipFrame] = {}
    outside = headerlet.headers if headerlet is not None else {}
    modeled = {c: h for c, h in ordered.items() if c not in outside and settings.wcs == "model"}
    if modeled:
        frames, model_notes = model_frames(primary, ordered, shapes, settings=settings, tables=tables)
        notes += model_notes
    for chip in (c for c in ordered if c not in modeled):
        trusted = _Trusted(settings, tables, binning_of(primary), lookups or {}, headerlet)
        frames[chip], chip_notes = trusted.frame(chip, ordered[chip], shapes[chip])
        notes += [text for text in chip_notes if text not in notes]
    frames = {chip: replace(frame, facts={"RADESYS": radesys, **frame.facts}) for chip, frame in frames.items()}
    return {chip: frames[chip] for chip in ordered}, tuple(notes)


@dataclass(frozen=True)
class _Trusted:
    """Builds frames from WCSs that the input, or a headerlet, brings along."""

    settings: GeometrySettings
    tables: DistortionTables
    binning: int
    lookups: Mapping[str, LookupTable]
    headerlet: HeaderletChips | None

    def frame(self, chip: str, header: Header, shape: tuple[int, int]) -> tuple[ChipFrame, list[str]]:
        """Return the frame of one chip, and notes."""
        name, lookups, notes = self.settings.wcsname, self.lookups, []
        if self.headerlet is not None and chip in self.headerlet.headers:
            header, lookups, name = self.headerlet.headers[chip], self.headerlet.lookups, ""
            notes.append(f"WCS of headerlet {self.headerlet.name}")
        site = _Site(shape, self.binning, _subarray(header, chip, shape, binning=self.binning))
        rows, note = self._rows(chip, lookups.get(chip), site)
        frame = frame_from_header(header, shape, chip=chip, name=name, rows=rows)
        notes.append(f"{chip}: WCS {frame.name} of the header trusted")
        if not (np.any(frame.sip_a) or np.any(frame.sip_b)):
            notes.append(f"{chip}: WCS {frame.name} has no distortion polynomial; up to 3.7 pixels are missed")
        return frame, [*notes, *([note] if note else [])]

    def _rows(self, chip: str, table: LookupTable | None, site: _Site) -> tuple[RowTerm, str]:
        """Choose the row term: the input's own table where it has one along y, else the model's."""
        mode = self.settings.row_term
        ours = rows_of_chip(self.tables, chip, site, mode=mode)
        if table is None or mode == "off":
            return ours, ""
        theirs = rows_from_lookup(table, site.shape, chip)
        if mode == "on" and theirs.columns.size:
            return ours, f"{chip}: the header's row table runs along x; the model's, along y, replaces it"
        return theirs, ""


def frames_for_pointing(
    ra: float,
    dec: float,
    pa_v3: float,
    *,
    date_obs: str,
    filters: Sequence[str] | str,
    vafactor: float = 1.0,
    binning: int = 1,
    settings: GeometrySettings | None = None,
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
    settings : GeometrySettings, optional
        As for `build_frames`.
    """
    settings = settings or GeometrySettings()
    tables = embedded_tables()
    names = [filters] if isinstance(filters, str) else list(filters)
    chosen, _ = select_filter(tables, names)
    factor = vafactor if settings.velocity_aberration == "on" else 1.0
    site = _Site((CHIP_SIDE // binning, CHIP_SIDE // binning), binning)
    models = _models(tables, CHIP_NAMES, chosen, date=date_obs, binning=binning, settings=settings)
    plane = reference_plane((ra % 360.0, dec), pa_v3, dec, model=models["WF3"])
    return {
        chip: _frame(
            plane,
            model,
            site,
            factor=factor,
            rows=rows_of_chip(tables, chip, site, mode=settings.row_term),
            name=wcs_name(tables),
        )
        for chip, model in models.items()
    }
