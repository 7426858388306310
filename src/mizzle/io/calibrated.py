"""Reading calibrated files (flt, flc) of ACS and WFC3, and their WCS with its lookup tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.geometry.header import choose_wcs, frame_from_header
from mizzle.geometry.keywords import wcs_names
from mizzle.geometry.tables import TableArray, TablePlacement, has_tables, tables_from_header
from mizzle.instrument.detectors import Calibration, ChipCalibration, read_calibration
from mizzle.io.fitsfile import FitsFile
from mizzle.io.headers import Keywords
from mizzle.io.image_unit import ImageUnit
from mizzle.io.photmode import filter_finding
from mizzle.io.pixels import FilePixels, PixelCache, clean_pair
from mizzle.io.state import check_coordinates, check_kind, findings_of, said_once
from mizzle.model import ArrayPixels, Chip, ChipFrame, Exposure, Finding, HeaderValue, Pixels, Verdict
from mizzle.model.camera import Camera
from mizzle.settings.geometry import GeometrySettings

#: Most pixels that a constant extension may stand for: a whole chip of the largest detector.
_LARGEST = 4096 * 4200
_UNIX_MJD = 40587.0
Units = Mapping[tuple[str, int], ImageUnit]


def read_calibrated(
    science: FitsFile, camera: Camera, settings: GeometrySettings, *, cache: PixelCache, hashes: Mapping[str, str]
) -> Exposure:
    """Read an exposure of ACS or WFC3.

    Parameters
    ----------
    science : FitsFile
        The flt or flc.
    camera : Camera
        Whose file it is.
    settings : GeometrySettings
        ``tables`` and ``wcsname``.
    cache : PixelCache
        Where pixels may stay.
    hashes : mapping
        SHA-256 by file.

    Raises
    ------
    InputError
        No calibrated image of the sky, a WCS without distortion, or damaged extensions.
    """
    where, primary = str(science.path), science.headers[0]
    units = by_name(science)
    versions = sorted(version for name, version in units if name == "SCI")
    if not versions:
        raise InputError(f"{where}: no SCI image extension; a calibrated flt or flc has one per chip", file=where)
    if any(name in ("WHT", "CTX") for name, _ in units):
        raise InputError(f"{where}: a drizzled image; needed the exposures it was made of, flt or flc", file=where)
    headers = tuple(units["SCI", v].header for v in versions)
    check_kind(where, primary)
    check_coordinates(where, primary, *headers)
    calibration = read_calibration(primary, headers, where)
    chips = {
        chip.name: _chip(science, camera, chip, units=units, version=version, settings=settings, cache=cache)
        for version, chip in zip(versions, calibration.chips, strict=True)
    }
    _once(calibration, where)
    ordered = {name: chips[name] for name in camera.chips if name in chips}
    return Exposure(
        **_facts(Keywords(where, primary), primary, calibration, name=science.path.name),
        path=where,
        header=primary,
        camera=camera,
        chips=ordered,
        files=hashes,
        findings=(
            *calibration.findings,
            *findings_of(primary, calibration.exptime, *headers, later=True),
            *_filter_findings(calibration),
            *_wcs_finding(ordered),
        ),
    )


def _filter_findings(calibration: Calibration) -> list[Finding]:
    """Notice a PHOTFLAM of another filter."""
    modes = dict.fromkeys(chip.photmode for chip in calibration.chips)
    return said_once(finding for mode in modes if (finding := filter_finding(mode, calibration.band)))


def by_name(file: FitsFile) -> Units:
    """Return the extensions of a file by EXTNAME and EXTVER, in whatever order they stand; others are stepped over."""
    units: dict[tuple[str, int], ImageUnit] = {}
    for unit in file.units[1:]:
        version = unit.header.get("EXTVER", 1)
        if isinstance(version, int):
            units.setdefault((str(unit.header.get("EXTNAME", "")).strip().upper(), version), unit)
    return units


def _once(calibration: Calibration, where: str) -> None:
    names = [chip.name for chip in calibration.chips]
    if len(set(names)) < len(names):
        raise InputError(f"{where}: the chips are {', '.join(names)}; needed each once", file=where, chips=names)


def _facts(
    keywords: Keywords, primary: Mapping[str, HeaderValue], calibration: Calibration, *, name: str
) -> dict[str, Any]:
    """Return what holds for the whole exposure."""
    start = keywords.number("EXPSTART", 48000.0, 90000.0, unit="MJD")
    gain = primary.get("CCDGAIN", 1)
    root = re.sub(r"[^a-z0-9_-]", "", keywords.text("ROOTNAME", "").lower())[:40]
    return {
        "root": root or re.sub(r"[^a-z0-9_-]", "", name.split("_fl")[0].lower()),
        "filter": calibration.band[:40],
        "exptime": calibration.exptime,
        "darktime": keywords.number("DARKTIME", 0, 1e6, unit="s", default=calibration.exptime),
        "mjd_start": start,
        "mjd_end": max(start, keywords.number("EXPEND", 0, 1e6, unit="d", default=start + calibration.exptime / 86400)),
        "date_obs": str(np.datetime64(round((start - _UNIX_MJD) * 86400), "s"))[:10],
        "commanded_gain": round(gain) if isinstance(gain, int | float) and 0 < gain < 100 else 1,
        "target": keywords.text("TARGNAME", "")[:80],
    }


def _chip(
    science: FitsFile,
    camera: Camera,
    calibration: ChipCalibration,
    *,
    units: Units,
    version: int,
    settings: GeometrySettings,
    cache: PixelCache,
) -> Chip:
    """Build one chip."""
    unit = units["SCI", version]
    shape = _shape(unit)
    if not all(16 <= side <= limit for side, limit in zip(shape, camera.shape, strict=True)):
        raise InputError(
            f"{unit.where}: image of {shape[1]} x {shape[0]} pixels; a chip of {camera.name} has up to"
            f" {camera.shape[1]} x {camera.shape[0]}",
            file=str(science.path),
            shape=shape,
        )
    planes = [units.get((name, version)) for name in ("DQ", "ERR")]
    for other in planes:
        if other is not None and _shape(other) != shape:
            size = " x ".join(map(str, _shape(other)[::-1]))
            raise InputError(
                f"{other.where}: {size} pixels, its science {shape[1]} x {shape[0]}",
                file=str(science.path),
            )
    return Chip(
        name=calibration.name,
        number=camera.number(calibration.name),
        pixels=_pixels(unit, planes[0], planes[1], cache=cache, scale=calibration.to_counts, missing=camera.replaced),
        header=unit.header,
        gain=calibration.gain,
        read_noise=calibration.read_noise,
        photflam=calibration.photflam,
        frame=_frame(
            unit, units, shape, chip=calibration.name, settings=settings, pixel=camera.class_of(calibration.name).pixel
        ),
        photplam=calibration.photplam,
        photbw=calibration.photbw,
        photmode=calibration.photmode,
        dark=calibration.dark,
    )


def _shape(unit: ImageUnit) -> tuple[int, int]:
    """Return the shape of an image, constant ones (NPIX1, NPIX2, PIXVALUE) too."""
    if len(unit.shape) == 2:
        return unit.shape[0], unit.shape[1]
    ny, nx = (unit.header.get(key, 0) for key in ("NPIX2", "NPIX1"))
    if isinstance(ny, int) and isinstance(nx, int) and 0 < ny * nx <= _LARGEST:
        return ny, nx
    raise InputError(f"{unit.where}: no image, and no constant one (NPIX1, NPIX2, PIXVALUE)", file=unit.where)


def _values(unit: ImageUnit) -> NDArray[Any]:
    if len(unit.shape) == 2:
        return unit.pixels()
    value = unit.header.get("PIXVALUE", 0.0)
    return np.full(_shape(unit), float(value) if isinstance(value, int | float) else 0.0, np.float32)


def _pixels(
    science: ImageUnit,
    quality: ImageUnit | None,
    error: ImageUnit | None,
    *,
    cache: PixelCache,
    scale: float,
    missing: int,
) -> Pixels:
    """Return pixels that are read when wanted; packed and constant ones are in memory."""
    there = [unit for unit in (science, quality, error) if unit is not None]
    if all(unit.plane is not None and not unit.in_memory for unit in there) and science.plane is not None:
        dq, err = (None if unit is None else unit.plane for unit in (quality, error))
        return FilePixels(science.plane, dq, err, cache=cache, scale=scale, missing=missing)
    flags = None if quality is None else _values(quality)
    sci, bits = clean_pair(_values(science) * np.float32(scale), flags, missing)
    return ArrayPixels(sci, bits, None if error is None else _values(error) * np.float32(scale))


def _frame(
    unit: ImageUnit, units: Units, shape: tuple[int, int], *, chip: str, settings: GeometrySettings, pixel: float
) -> ChipFrame:
    """Return the frame that the header holds: SIP, with lookup tables where it names them.

    The flat field brings all pixels of a camera, of both chips, to the response of a square of IDCSCALE (`pixel` where
    the header does not tell): the pixel area maps of ACS and WFC3 refer to it (DHB 9.1), and what drizzling leaves of a
    star's counts is the same on both chips.

    Raises
    ------
    InputError
        The WCS has no distortion.
    """
    header = unit.header
    if not str(header.get("CTYPE1", "")).strip().upper().endswith("-SIP"):
        raise InputError(
            f"{unit.where}: its WCS has no distortion (CTYPE1 {str(header.get('CTYPE1', 'missing'))!r}); this is an old"
            " calibration; fetch the present version of the file from the archive",
            file=unit.where,
        )
    key = choose_wcs(header, settings.wcsname, chip)
    if not str(header[f"CTYPE1{key}"]).strip().upper().endswith("-SIP"):
        raise InputError(
            f"{unit.where}: WCS {settings.wcsname!r} is plain TAN, without distortion; set geometry.wcsname to one with"
            f" it: {', '.join(name for name in wcs_names(header) if not name.startswith(key + ':'))}",
            file=unit.where,
        )
    tables = None
    if has_tables(header):
        arrays = {
            key: TableArray(_values(table), table.header)
            for key, table in units.items()
            if key[0] in ("D2IMARR", "WCSDVARR") and len(table.shape) == 2
        }
        offsets = [header.get(key, 0.0) for key in ("LTV1", "LTV2")]
        moved = [float(value) for value in offsets if isinstance(value, int | float)]
        ltv = (moved[0], moved[1]) if len(moved) == 2 and any(moved) else None
        tables = tables_from_header(header, arrays, TablePlacement(settings.tables, ltv), chip=chip)
    given = header.get("IDCSCALE")
    flat_side = float(given) if isinstance(given, int | float) and 0.5 < given / pixel < 2.0 else pixel
    return frame_from_header(header, shape, chip=chip, name=settings.wcsname, tables=tables, flat_side=flat_side)


def _wcs_finding(chips: Mapping[str, Chip]) -> tuple[Finding, ...]:
    names = sorted({chip.frame.name for chip in chips.values()})
    return (Finding("geometry", Verdict.PASS, f"WCS of the header: {', '.join(names)}"),)
