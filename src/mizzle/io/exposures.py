"""Reading exposures: ``c0m`` with its ``c1m``, or ``flt``. Units and keywords are checked here, once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mizzle.errors import InputError
from mizzle.instrument import wfpc2
from mizzle.instrument.cameras import WFPC2, camera_of, known_cameras, settings_for
from mizzle.instrument.wfpc2.frames import binning_of, build_frames
from mizzle.io.calibrated import read_calibrated
from mizzle.io.examine import examine
from mizzle.io.fitsfile import FitsFile
from mizzle.io.hashes import FileHashes, hashes_of
from mizzle.io.headers import FrozenHeader, Keywords, start_time
from mizzle.io.history import history_findings
from mizzle.io.image_unit import ImageUnit
from mizzle.io.inputs import InputFile, single_input
from mizzle.io.photmode import exchanged_finding
from mizzle.io.pixels import FilePixels, PixelCache, clean_pair
from mizzle.io.reference_tables import geometry_inputs
from mizzle.io.state import (
    band_of,
    check_coordinates,
    check_kind,
    check_readout,
    chip_findings,
    counts_per_unit,
    findings_of,
    said_once,
)
from mizzle.model import ArrayPixels, Chip, Exposure, Finding, Pixels, Verdict
from mizzle.model.sky import ST_ZEROPOINT
from mizzle.settings import Settings

#: A chip smaller than this cannot hold a star and its sky.
_SMALLEST_SIDE = 16


def read_exposure(
    path: str | Path | InputFile,
    settings: Settings | None = None,
    *,
    cache: PixelCache | None = None,
    hashes: FileHashes | None = None,
    headers_only: bool = False,
    science: FitsFile | None = None,
) -> Exposure:
    """Read one exposure; nothing on disk changes.

    Parameters
    ----------
    path : str, Path or InputFile
        A ``c0m`` (its ``c1m`` is found beside it) or an ``flt``; ``.gz`` of either.
    settings : Settings, optional
        Geometry and noise settings; the defaults otherwise.
    cache : PixelCache, optional
        Where pixels may stay in memory between passes.
    hashes : FileHashes, optional
        Hashes of the files (`hashes_of`), where someone works them out already.
    headers_only : bool
        Do not look at the pixels yet (a chip without a finite pixel is then not noticed).
    science : FitsFile, optional
        The science file, where its headers were read already.

    Returns
    -------
    exposure : Exposure
        Frozen. Chips are in the order PC, WF2, WF3, WF4; any may be absent.

    Raises
    ------
    InputError
        The file is not what it should be; the message says where, what was found and what was needed.
    """
    entry = path if isinstance(path, InputFile) else single_input(path)
    science = science or FitsFile(entry.science)
    quality = science if entry.quality is None else FitsFile(entry.quality)
    exposure = _assemble(
        entry,
        science,
        quality,
        settings=settings or Settings(),
        cache=cache or PixelCache(),
        hashes=hashes or hashes_of(entry),
    )
    return exposure if headers_only else examine(exposure, settings_for(exposure.camera, settings or Settings()).dq)


#: The unit that holds a chip's image, by the chip's name.
ChipUnits = Mapping[str, ImageUnit]

#: What the extensions of a c1m are called.
_QUALITY_NAMES = ("SCI", "SDQ", "DQ")


def chip_units(file: FitsFile, names: tuple[str, ...]) -> ChipUnits:
    """Return the image of each chip, of the extensions called one of `names`.

    Raises
    ------
    InputError
        An extension without a chip's number, or a chip that comes twice.
    """
    units: dict[str, ImageUnit] = {}
    for unit in file.units[1:]:
        if str(unit.header.get("EXTNAME", "")).strip().upper() not in names:
            continue
        number = unit.header.get("DETECTOR", unit.header.get("EXTVER"))
        name = wfpc2.chip_name(str(number)) if number is not None else None
        if name is None:
            raise InputError(f"{unit.where}: DETECTOR is {number!r}; needed 1, 2, 3 or 4", file=str(file.path))
        if name in units:
            raise InputError(
                f"{file.path}: chip {name} stands in {units[name].where} and {unit.where}; needed once",
                file=str(file.path),
                chip=name,
            )
        units[name] = unit
    return {name: units[name] for name in wfpc2.CHIP_NAMES if name in units}


def _check_image(unit: ImageUnit) -> None:
    """Refuse what is no image of a chip."""
    shape = unit.shape
    if len(shape) != 2 or not all(_SMALLEST_SIDE <= side <= wfpc2.CHIP_SIDE for side in shape):
        raise InputError(
            f"{unit.where}: image of {' x '.join(map(str, shape[::-1])) or 'no'} pixels; needed a chip of up to"
            f" {wfpc2.CHIP_SIDE} x {wfpc2.CHIP_SIDE}",
            file=unit.where,
            shape=shape[::-1],
        )


def _assemble(
    entry: InputFile,
    science: FitsFile,
    quality: FitsFile,
    *,
    settings: Settings,
    cache: PixelCache,
    hashes: FileHashes,
) -> Exposure:
    """Check and join what was opened."""
    where = str(entry.science)
    primary = science.headers[0]
    keywords = Keywords(where, primary)
    camera = camera_of(primary)
    if camera is None:
        instrument, detector = keywords.text("INSTRUME", ""), keywords.text("DETECTOR", "")
        raise InputError(
            f"{where}: INSTRUME is {instrument!r}, DETECTOR {detector!r}; needed one of {known_cameras()}",
            file=where,
            instrument=instrument,
        )
    if camera is not WFPC2:
        with _named(where):
            return read_calibrated(science, camera, settings.geometry, cache=cache, hashes=hashes)
    units = chip_units(science, ("SCI",))
    if not units:
        raise InputError(f"{where}: no SCI image extension; a WFPC2 exposure has one per chip", file=where)
    headers = {name: unit.header for name, unit in units.items()}
    check_kind(where, primary)
    check_coordinates(where, primary, *headers.values())
    exposure = _describe(entry, keywords)
    exposure["filter"], findings = band_of(keywords)
    findings += [*_readouts(where, primary, units), *_strange_quality(primary, quality)]
    findings += [*_whole(science, quality, units), *findings_of(primary, exposure["exptime"], *headers.values())]
    factors, sentences = _units(where, primary, headers, exposure=exposure)
    findings += [*history_findings(exposure["mjd_start"], band=exposure["filter"]), *sentences]
    pixels, more_findings = _pixels(science, quality, units, factors=factors, cache=cache)
    findings += more_findings
    shapes = {name: (unit.shape[0], unit.shape[1]) for name, unit in units.items()}
    root = str(primary.get("ROOTNAME", ""))
    folders = (entry.science.parent, Path(settings.archive.cache))
    with _named(where):
        more = geometry_inputs(settings.geometry, headers, science.units, root=root, folders=folders)
        for name, header in headers.items():
            _check_pointing(Keywords(f"{where}[{name}]", header, primary))
        frames, notes = build_frames(
            primary,
            headers,
            shapes,
            settings=settings.geometry,
            tables=more.tables,
            lookups=more.lookups,
            headerlet=more.headerlet,
        )
    chips = {
        name: _chip(
            name,
            Keywords(f"{where}[{name}]", headers[name], primary),
            pixels[name],
            frame=frames[name],
            exposure=exposure,
            settings=settings,
        )
        for name in units
    }
    return Exposure(
        **exposure,
        path=where,
        header=primary,
        camera=camera,
        chips=chips,
        files=hashes,
        findings=(*findings, *(Finding("geometry", Verdict.PASS, note) for note in (*notes, *more.notes))),
    )


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Let what knows headers but no files name the file all the same."""
    try:
        yield
    except InputError as problem:
        if "file" in problem.facts:
            raise
        raise InputError(f"{where}: {problem}", **{"file": where, **problem.facts}) from problem


def _whole(science: FitsFile, quality: FitsFile, units: ChipUnits) -> list[Finding]:
    """Refuse a file with fewer extensions than it says; its data quality shows whether chips were left out on purpose.

    Raises
    ------
    InputError
        Extensions are missing.
    """
    stated, present = science.headers[0].get("NEXTEND"), len(science.headers) - 1
    remarks = [Finding("file", Verdict.PASS, remark) for remark in science.remarks]
    flagged = {} if quality is science else chip_units(quality, _QUALITY_NAMES)
    chips = ", ".join(units)
    if science.groups:  # a cube cannot lose one of its groups unnoticed
        return remarks
    if isinstance(stated, int) and stated <= present:
        left = [name for name in flagged if name not in units]
        sentence = f"holds {chips} only; its data quality is of {', '.join(left)} too"
        return [*remarks, Finding("file", Verdict.PASS, sentence)] if left else remarks
    if set(flagged) == set(units):
        if stated is None or set(units) == set(wfpc2.CHIP_NAMES):
            return remarks
        sentence = f"holds {chips} only, as does its data-quality file; NEXTEND says {stated} extensions"
        return [*remarks, Finding("file", Verdict.PASS, sentence)]
    if stated is None and not set(flagged) - set(units):
        return remarks
    says = f"NEXTEND says {stated} extensions" if stated is not None else f"its data quality is of {', '.join(flagged)}"
    raise InputError(
        f"{science.path}: truncated: {says}, {present} are there ({chips}); fetch it again, or, if chips were left out"
        f" on purpose, set NEXTEND to {present}",
        file=str(science.path),
        stated=stated,
        found=present,
    )


def _readouts(where: str, primary: FrozenHeader, units: ChipUnits) -> list[Finding]:
    """Check the size of each chip; what is cut out is said once."""
    for unit in units.values():
        _check_image(unit)
    findings = [check_readout(f"{where}[{n}]", primary, unit.header, shape=unit.shape) for n, unit in units.items()]
    return list(dict.fromkeys(finding for finding in findings if finding is not None))


def _strange_quality(primary: FrozenHeader, quality: FitsFile) -> list[Finding]:
    """Notice data quality of another exposure."""
    names = [str(header.get("ROOTNAME", "")).strip().lower() for header in (primary, quality.headers[0])]
    if names[0] == names[1] or not all(names):
        return []
    sentence = f"its data quality is of another exposure: ROOTNAME of {Path(str(quality.path)).name} is {names[1][:40]}"
    return [Finding("data quality", Verdict.WARN, sentence)]


def _units(
    where: str, primary: FrozenHeader, headers: Mapping[str, FrozenHeader], *, exposure: Mapping[str, Any]
) -> tuple[dict[str, float], list[Finding]]:
    """Return what each chip's pixels are multiplied by to be DN, and what is to be said about units."""
    factors: dict[str, float] = {}
    said: dict[str, list[str]] = {}
    findings: list[Finding] = []
    for name, header in headers.items():
        gain = wfpc2.GAINS[exposure["commanded_gain"]][name]
        factors[name], sentence = counts_per_unit(
            f"{where}[{name}]", primary, header, exptime=exposure["exptime"], gain=gain
        )
        if sentence:
            said.setdefault(sentence, []).append(name)
        findings += chip_findings(primary, header, name, gain=exposure["commanded_gain"], band=exposure["filter"])
    photflams = {name: header.get("PHOTFLAM", primary.get("PHOTFLAM")) for name, header in headers.items()}
    exchanged = exchanged_finding(photflams, exposure["commanded_gain"], band=exposure["filter"])
    findings += [exchanged] if exchanged else []
    converted = [
        Finding("units", Verdict.PASS, f"{', '.join(names)}: {text}; PHOTFLAM is taken to be for counts", tuple(names))
        for text, names in said.items()
    ]
    return factors, [*converted, *said_once(findings)]


def _describe(entry: InputFile, keywords: Keywords) -> dict[str, Any]:
    """Return the exposure's own facts, checked."""
    exptime = keywords.number("EXPTIME", 0.01, 1e5, unit="s")
    gain = keywords.number("ATODGAIN", 1, 100)
    if gain not in wfpc2.GAINS:
        raise keywords.fail("ATODGAIN", gain, "7 or 15")
    date_obs, mjd = start_time(keywords)
    root = re.sub(r"[^a-z0-9_-]", "", keywords.text("ROOTNAME", "").lower())[:40] or re.sub(
        r"[^a-z0-9_-]", "", entry.stem
    )
    return {
        "root": root,
        "exptime": exptime,
        "darktime": keywords.number("DARKTIME", 0, 1e5, unit="s", default=exptime),
        "mjd_start": mjd,
        "mjd_end": max(mjd, keywords.number("EXPEND", 0, 1e6, unit="d", default=mjd + exptime / 86400)),
        "date_obs": date_obs,
        "commanded_gain": int(gain),
        "target": keywords.text("TARGNAME", "")[:80],
    }


def _check_pointing(keywords: Keywords) -> None:
    """Refuse a pointing no telescope can have; what is missing is said where it is needed."""
    keywords.number("PA_V3", -360, 720, unit="deg", default=0.0)
    keywords.number("CRVAL1", -360, 720, unit="deg")
    keywords.number("CRVAL2", -90, 90, unit="deg")
    if keywords.find("CD1_1") is None:  # PC and CDELT: the geometry reads those
        return
    cd = [keywords.number(f"CD{i}_{j}", -0.01, 0.01, unit="deg/pixel") for i in (1, 2) for j in (1, 2)]
    if not abs(cd[0] * cd[3] - cd[1] * cd[2]) > 1e-14:
        raise keywords.fail("CD matrix", cd, "one that can be inverted")


def _chip(
    name: str, keywords: Keywords, pixels: Pixels, *, frame: Any, exposure: Mapping[str, Any], settings: Settings
) -> Chip:
    """Build one chip; PHOTFLAM may stand in its extension or in the primary header."""
    gain = exposure["commanded_gain"]
    return Chip(
        name=name,
        number=wfpc2.CHIP_NUMBERS[name],
        pixels=pixels,
        header=keywords._headers[0],
        gain=wfpc2.GAINS[gain][name],
        read_noise=wfpc2.READ_NOISES[gain][name],
        photflam=_photflam(keywords, settings),
        frame=frame,
        photplam=keywords.number("PHOTPLAM", 500, 20000, unit="A", default=float("nan")),
        photbw=keywords.number("PHOTBW", 0, 20000, unit="A", default=float("nan")),
        photzpt=keywords.number("PHOTZPT", -100, 100, unit="mag", default=ST_ZEROPOINT),
        photmode=keywords.text("PHOTMODE", ""),
        binning=binning_of(keywords._headers[-1]),
    )


def _photflam(keywords: Keywords, settings: Settings) -> float:
    """Return PHOTFLAM; NaN where it is 0 (polarizers) and the user gives it."""
    given = settings.equalize.factors or settings.equalize.photflam is not None or not settings.equalize.enabled
    if given and keywords.find("PHOTFLAM") in (0, None):
        return float("nan")
    return keywords.number("PHOTFLAM", 1e-25, 1e-9, unit="erg/cm2/s/A per DN/s")


def _pixels(
    science: FitsFile, quality: FitsFile, units: ChipUnits, *, factors: Mapping[str, float], cache: PixelCache
) -> tuple[dict[str, Pixels], list[Finding]]:
    """Pair science and quality planes chip by chip."""
    own = quality is science
    flags = chip_units(quality, ("DQ",) if own else _QUALITY_NAMES)
    errors = chip_units(science, ("ERR",)) if own else {}
    findings: list[Finding] = []
    if own and not flags:
        sentence = "no data quality: no pixel is known as bad; name its c1m with --dq"
        findings.append(Finding("data quality", Verdict.WARN, sentence))
    pixels: dict[str, Pixels] = {}
    for name, unit in units.items():
        dq = flags.get(name)
        if dq is None and flags:
            raise InputError(
                f"{quality.path}: no data quality for chip {name}; it has {', '.join(flags)}",
                file=str(quality.path),
                chip=name,
            )
        for other in (dq, errors.get(name)):
            if other is not None and other.shape != unit.shape:
                raise InputError(
                    f"{quality.path}: chip {name} is {' x '.join(map(str, other.shape[::-1]))} pixels, its science"
                    f" {unit.shape[1]} x {unit.shape[0]}",
                    file=str(quality.path),
                    chip=name,
                )
        error = errors.get(name)
        scaled = None if error is None else error.scaled(factors[name])
        pixels[name] = _source((unit.scaled(factors[name]), dq, scaled), cache)
    return pixels, findings


def _source(units: tuple[ImageUnit, ImageUnit | None, ImageUnit | None], cache: PixelCache) -> Pixels:
    """Return lazily read pixels, or, for packed files, pixels in memory: reading those again is slow."""
    science, quality, error = units
    there = [unit for unit in units if unit is not None]
    missing = wfpc2.DQ_BITS["missing"]
    if any(unit.in_memory for unit in there) or science.plane is None:
        sci, dq = clean_pair(science.pixels(), None if quality is None else quality.pixels(), missing)
        return ArrayPixels(sci, dq, None if error is None else error.pixels())
    flags, errors = (None if unit is None else unit.plane for unit in (quality, error))
    return FilePixels(science.plane, flags, errors, cache=cache, missing=missing)
