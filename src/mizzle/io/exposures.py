"""Reading exposures: ``c0m`` with its ``c1m``, or ``flt``. Units and keywords are checked here, once."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.errors import InputError
from mizzle.geometry.frames import build_frames
from mizzle.instrument import wfpc2
from mizzle.instrument.cameras import WFPC2, camera_of
from mizzle.io.headers import FrozenHeader, Keywords, start_time
from mizzle.io.inputs import InputFile, quality_beside
from mizzle.io.pixels import FilePixels, PixelCache, Plane, clean_pair, load_plane, read_bytes
from mizzle.io.reference_tables import geometry_inputs
from mizzle.kernel.pixels import all_finite
from mizzle.model import ArrayPixels, Chip, Exposure, Finding, FrozenDict, HeaderValue, Pixels, Verdict
from mizzle.settings import Settings

#: A chip smaller than this cannot hold a star and its sky.
_SMALLEST_SIDE = 16

#: Bytes of a file hashed at a time.
_PIECE = 4_000_000


class FileHashes(Mapping[str, str]):
    """SHA-256 by file, worked out when first asked for.

    Parameters
    ----------
    paths : tuple of Path
        The files.
    """

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = {str(path): path for path in paths}
        self._known: dict[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # What travels may arrive where the files are not.
        return FrozenDict, (dict(self),)

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = _sha256(self._paths[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _sha256(path: Path) -> str:
    """Return a file's SHA-256, read in large pieces: between two of them a thread waits for the interpreter."""
    digest, piece = hashlib.sha256(), memoryview(bytearray(_PIECE))
    try:
        with path.open("rb", buffering=0) as stream:
            while length := stream.readinto(piece):
                digest.update(piece[:length])
        return digest.hexdigest()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror}", file=str(path)) from problem


def read_exposure(
    path: str | Path | InputFile,
    settings: Settings | None = None,
    *,
    cache: PixelCache | None = None,
    hashes: FileHashes | None = None,
    headers_only: bool = False,
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

    Returns
    -------
    exposure : Exposure
        Frozen. Chips are in the order PC, WF2, WF3, WF4; any may be absent.

    Raises
    ------
    InputError
        The file is not what it should be; the message says where, what was found and what was needed.
    """
    entry = path if isinstance(path, InputFile) else InputFile(Path(path), quality_beside(Path(path)))
    settings = settings or Settings()
    cache = cache or PixelCache()
    with contextlib.ExitStack() as opened:
        science = opened.enter_context(contextlib.closing(_Opened(entry.science)))
        quality = science
        if entry.quality is not None:
            quality = opened.enter_context(contextlib.closing(_Opened(entry.quality)))
        exposure = _assemble(entry, science, quality, settings, cache, hashes or hashes_of(entry))
    if not headers_only:
        check_pixels(exposure)
    return exposure


def check_pixels(exposure: Exposure) -> None:
    """Refuse a chip that holds nothing.

    Raises
    ------
    InputError
        No pixel of a chip is finite.
    """
    for name, chip in exposure.chips.items():
        if not all_finite(chip.sci) and not np.any(np.isfinite(chip.sci)):
            raise InputError(f"{exposure.path}: chip {name} has no finite pixel", file=exposure.path, chip=name)


class _Opened:
    """A FITS file's headers and where its planes are; closed before pixels are read."""

    def __init__(self, path: Path) -> None:
        from astropy.io import fits

        self.path = path
        self.raw: bytes | None = None
        try:
            if path.name.lower().endswith(".gz"):
                self.raw = read_bytes(path)
            self.size = len(self.raw) if self.raw is not None else path.stat().st_size
            with warnings.catch_warnings():
                # A truncated or odd file warns; sizes and cards are checked below, with better messages.
                warnings.simplefilter("ignore")
                source: Any = path if self.raw is None else io.BytesIO(self.raw)
                self.hdus = fits.open(source, mode="readonly", memmap=self.raw is None)
                self._read_headers()
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise InputError(f"{path}: cannot be read as FITS: {reason}", file=str(path)) from problem
        except (ValueError, TypeError, KeyError, fits.VerifyError) as problem:
            raise InputError(f"{path}: not a valid FITS file: {problem}", file=str(path)) from problem

    def _read_headers(self) -> None:
        """Freeze every header; let go of the file if one cannot be read."""
        try:
            len(self.hdus)  # reads all headers: opening reads the first only
            self.headers = [FrozenHeader(hdu.header, f"{self.path}[{i}]") for i, hdu in enumerate(self.hdus)]
            self._check_end()
        except BaseException:
            self.close()
            raise

    def _check_end(self) -> None:
        """Refuse a file that goes on after its last readable extension: astropy leaves a cut-off one out silently."""
        info = self.hdus[-1].fileinfo()
        end = int(info["datLoc"]) + int(info["datSpan"])
        if end < self.size:
            raise InputError(
                f"{self.path}: truncated: extension {len(self.headers)} cannot be read, {self.size - end} bytes of it"
                " are there; fetch the file again",
                file=str(self.path),
                size=self.size,
            )

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):
            self.hdus.close()

    def plane(self, index: int) -> Plane:
        """Describe the image in one HDU; its bytes are there.

        Raises
        ------
        InputError
            Not a plain 2-D image, of absurd size, or cut off.
        """
        header, where = self.headers[index], f"{self.path}[{index}]"
        axes = tuple(int(header.get(f"NAXIS{i + 1}", 0)) for i in range(int(header.get("NAXIS", 0))))
        if len(axes) != 2 or not all(_SMALLEST_SIDE <= side <= wfpc2.CHIP_SIDE for side in axes):
            raise InputError(
                f"{where}: image of {' x '.join(map(str, axes)) or 'no'} pixels; needed a chip of up to"
                f" {wfpc2.CHIP_SIDE} x {wfpc2.CHIP_SIDE}",
                file=str(self.path),
                shape=axes,
            )
        offset = int(self.hdus[index].fileinfo()["datLoc"])
        plane = Plane(
            self.path,
            offset,
            int(header["BITPIX"]),
            (axes[1], axes[0]),
            float(header.get("BSCALE", 1.0)),
            float(header.get("BZERO", 0.0)),
        )
        if offset + plane.n_bytes > self.size:
            raise InputError(
                f"{where}: truncated: the file has {self.size} bytes, its pixels need {offset + plane.n_bytes};"
                " fetch it again",
                file=str(self.path),
                size=self.size,
            )
        return plane

    def by_chip(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return the HDU index by chip name of the image extensions called one of `names`."""
        found: dict[str, int] = {}
        for index, header in enumerate(self.headers):
            if index == 0 or str(header.get("EXTNAME", "")).strip().upper() not in names:
                continue
            number = header.get("DETECTOR", header.get("EXTVER"))
            name = wfpc2.chip_name(str(number)) if number is not None else None
            if name is None:
                raise InputError(
                    f"{self.path}[{index}]: DETECTOR is {number!r}; needed 1, 2, 3 or 4", file=str(self.path)
                )
            if name in found:
                raise InputError(
                    f"{self.path}: chip {name} stands in extensions {found[name]} and {index}; needed once",
                    file=str(self.path),
                    chip=name,
                )
            found[name] = index
        return {name: found[name] for name in wfpc2.CHIP_NAMES if name in found}


def hashes_of(entry: InputFile) -> FileHashes:
    """Return the hashes of an exposure's files, not worked out yet."""
    return FileHashes(tuple(path for path in (entry.science, entry.quality) if path is not None))


def _assemble(
    entry: InputFile,
    science: _Opened,
    quality: _Opened,
    settings: Settings,
    cache: PixelCache,
    hashes: FileHashes,
) -> Exposure:
    """Check and join what was opened."""
    where = str(entry.science)
    primary = science.headers[0]
    keywords = Keywords(where, primary)
    camera = camera_of(primary)
    if camera is not WFPC2:
        instrument = keywords.text("INSTRUME", "")
        raise InputError(f"{where}: INSTRUME is {instrument!r}; needed 'WFPC2'", file=where, instrument=instrument)
    indices = science.by_chip(("SCI",))
    if not indices:
        raise InputError(f"{where}: no SCI image extension; a WFPC2 exposure has one per chip", file=where)
    headers = {name: science.headers[index] for name, index in indices.items()}
    pixels = _pixels(entry, science, quality, indices, cache)
    shapes = {name: science.plane(index).shape for name, index in indices.items()}
    exposure = _describe(entry, keywords, primary)
    root = str(primary.get("ROOTNAME", ""))
    folders = (entry.science.parent, Path(settings.archive.cache))
    more = geometry_inputs(settings.geometry, headers, science.hdus, root=root, folders=folders)
    for name, header in headers.items():
        _check_pointing(Keywords(f"{where}[{name}]", header, primary))
    frames, notes = build_frames(
        primary,
        headers,
        shapes,
        settings.geometry,
        tables=more.tables,
        lookups=more.lookups,
        headerlet=more.headerlet,
    )
    chips = {
        name: _chip(name, Keywords(f"{where}[{name}]", headers[name], primary), pixels[name], frames[name], exposure)
        for name in indices
    }
    return Exposure(
        **exposure,
        path=where,
        header=primary,
        camera=camera,
        chips=chips,
        files=hashes,
        findings=(*_remarks(science), *(Finding("geometry", Verdict.PASS, note) for note in (*notes, *more.notes))),
    )


def _remarks(science: _Opened) -> list[Finding]:
    """Say what is odd but can be lived with."""
    stated = science.headers[0].get("NEXTEND")
    if isinstance(stated, int) and stated > len(science.headers) - 1:
        sentence = f"NEXTEND says {stated} extensions, the file has {len(science.headers) - 1}"
        return [Finding("file", Verdict.PASS, sentence)]
    return []


def _describe(entry: InputFile, keywords: Keywords, primary: Mapping[str, HeaderValue]) -> dict[str, Any]:
    """Return the exposure's own facts, checked."""
    exptime = keywords.number("EXPTIME", 0.01, 1e5, unit="s")
    gain = keywords.number("ATODGAIN", 1, 100)
    if gain not in wfpc2.GAINS:
        raise keywords.fail("ATODGAIN", gain, "7 or 15")
    date_obs, mjd = start_time(keywords)
    names = [keywords.text("FILTNAM1"), keywords.text("FILTNAM2", "")]
    filters = [re.sub(r"[^A-Z0-9]", "", name.upper()) for name in names]
    filters = [name for name in filters if name and name not in {"CLEAR", "NA"}]
    if not filters:
        raise keywords.fail("FILTNAM1", names[0], "a filter's name")
    root = re.sub(r"[^a-z0-9_-]", "", keywords.text("ROOTNAME", "").lower())[:40] or re.sub(
        r"[^a-z0-9_-]", "", entry.stem
    )
    return {
        "root": root,
        "filter": "+".join(filters)[:40],
        "exptime": exptime,
        "darktime": keywords.number("DARKTIME", 0, 1e5, unit="s", default=exptime),
        "mjd_start": mjd,
        "mjd_end": max(mjd, keywords.number("EXPEND", 0, 1e6, unit="d", default=mjd + exptime / 86400)),
        "date_obs": date_obs,
        "atodgain": int(gain),
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


def _chip(name: str, keywords: Keywords, pixels: Pixels, frame: Any, exposure: Mapping[str, Any]) -> Chip:
    """Build one chip; PHOTFLAM may stand in its extension or in the primary header."""
    gain = exposure["atodgain"]
    return Chip(
        name=name,
        number=wfpc2.CHIP_NUMBERS[name],
        pixels=pixels,
        header=keywords._headers[0],
        gain=wfpc2.GAINS[gain][name],
        read_noise=wfpc2.READ_NOISES[gain][name],
        photflam=keywords.number("PHOTFLAM", 1e-25, 1e-9, unit="erg/cm2/s/A per DN/s"),
        frame=frame,
        photplam=keywords.number("PHOTPLAM", 500, 20000, unit="A", default=float("nan")),
        photbw=keywords.number("PHOTBW", 0, 20000, unit="A", default=float("nan")),
        photzpt=keywords.number("PHOTZPT", -100, 100, unit="mag", default=wfpc2.ST_ZEROPOINT),
        photmode=keywords.text("PHOTMODE", ""),
    )


def _pixels(
    entry: InputFile, science: _Opened, quality: _Opened, indices: Mapping[str, int], cache: PixelCache
) -> dict[str, Pixels]:
    """Pair science and quality planes chip by chip."""
    own_quality = entry.quality is None
    dq_index = quality.by_chip(("DQ",) if own_quality else ("SCI", "SDQ", "DQ"))
    err_index = science.by_chip(("ERR",)) if own_quality else {}
    pixels: dict[str, Pixels] = {}
    for name, index in indices.items():
        if name not in dq_index:
            raise InputError(
                f"{quality.path}: no data quality for chip {name}; it has {', '.join(dq_index) or 'none'}",
                file=str(quality.path),
                chip=name,
            )
        sci, dq = science.plane(index), quality.plane(dq_index[name])
        if sci.shape != dq.shape:
            raise InputError(
                f"{quality.path}: chip {name} is {dq.shape[1]} x {dq.shape[0]} pixels, its science"
                f" {sci.shape[1]} x {sci.shape[0]}",
                file=str(quality.path),
                chip=name,
            )
        err = science.plane(err_index[name]) if name in err_index else None
        pixels[name] = _source(science, quality, (sci, dq, err), cache)
    return pixels


def _source(science: _Opened, quality: _Opened, planes: tuple[Plane, Plane, Plane | None], cache: PixelCache) -> Pixels:
    """Return lazily read pixels, or, for compressed files, pixels in memory: reading those again is slow."""
    if science.raw is None and quality.raw is None:
        return FilePixels(*planes, cache)

    def decode(opened: _Opened, plane: Plane) -> Any:
        if opened.raw is None:
            return load_plane(plane)
        count = plane.shape[0] * plane.shape[1]
        return plane.decode(np.frombuffer(opened.raw, plane.stored, count, plane.offset).copy())

    sci, dq = clean_pair(decode(science, planes[0]), decode(quality, planes[1]))
    err = None if planes[2] is None else decode(science, planes[2])
    return ArrayPixels(sci, dq, err)
