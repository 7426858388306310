"""Exposures into visits: same camera, proposal and visit, and one place on the sky; from headers alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError, MizzleError, SettingsError
from mizzle.instrument.cameras import CAMERAS, camera_of
from mizzle.instrument.keywords import filter_keywords
from mizzle.io.inputs import InputFile
from mizzle.io.quick_headers import FileKeywords, HeaderCache
from mizzle.model import HeaderValue
from mizzle.selection import LARGEST_FIELD_ARCMIN
from mizzle.visits.finding import FoundFiles, find_files

By = Literal["visit", "target", "proposal", "folder"]

#: Names of exposures: instrument, program (3), visit (2), exposure (2), how it was sent down (1).
_ROOT = re.compile(r"[a-z][a-z0-9]{8}")


@dataclass(frozen=True)
class ListedExposure:
    """One exposure, as its headers describe it.

    Parameters
    ----------
    input : InputFile
        Science file and data quality, absolute.
    root : str
        ROOTNAME, lower case.
    camera : str
        ``wfpc2``, ``acs-wfc``, ...
    proposal, target, filter : str
        Empty where the header does not say.
    exptime, mjd_start : float
        Seconds; days. NaN where unknown.
    ra, dec : float
        Of the pointing [deg]; NaN where unknown.
    pixels : int
        Science pixels of all chips, as far as the headers tell.
    """

    input: InputFile
    root: str
    camera: str
    proposal: str
    target: str
    filter: str
    exptime: float
    mjd_start: float
    ra: float
    dec: float
    pixels: int


@dataclass(frozen=True)
class GroupedVisit:
    """Exposures that are run together.

    Parameters
    ----------
    name : str
        Safe name of its folder.
    exposures : tuple of ListedExposure
        Sorted by start, then root.
    """

    name: str
    exposures: tuple[ListedExposure, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Science files."""
        return tuple(str(exposure.input.science) for exposure in self.exposures)

    @property
    def all_files(self) -> tuple[str, ...]:
        """Science files, and the data quality of each."""
        pairs = ((entry.input.science, entry.input.quality) for entry in self.exposures)
        return tuple(str(path) for pair in pairs for path in pair if path is not None)

    @property
    def filters(self) -> tuple[str, ...]:
        """Filters, each once, in order."""
        return tuple(dict.fromkeys(exposure.filter for exposure in self.exposures))


@dataclass(frozen=True)
class Grouped:
    """Visits, and exposures that belong to none.

    Parameters
    ----------
    visits : tuple of GroupedVisit
        Sorted by name.
    problems : mapping
        Why a file belongs to no visit, by file.
    """

    visits: tuple[GroupedVisit, ...]
    problems: Mapping[str, str] = field(default_factory=dict)


def find_visits(
    where: Sequence[str | Path], out: str | Path | None = None, *, by: By = "visit", filters: Sequence[str] = (),
    cache: HeaderCache | None = None, quality: Sequence[str] = (),
) -> Grouped:  # fmt: skip
    """Find the visits among files, from their headers alone.

    Parameters
    ----------
    where : sequence of str or Path
        Files, folders (searched to the bottom), wildcards, or tables of files with a column ``file`` and perhaps
        ``visit``.
    out : str or Path, optional
        Folder of results; not searched.
    by : str
        ``visit``: same camera, proposal and visit (rootname characters 2 to 6); ``target``, ``proposal``, ``folder``.
        Pointings of one group lie within 20 arcmin; a group of several fields becomes several visits.
    filters : sequence of str
        Only exposures through these; all by default.
    cache : HeaderCache, optional
        Headers read before.
    quality : sequence of str
        Data-quality files named by hand (setting ``dq.files``).

    Returns
    -------
    grouped : Grouped
        Visits, and what cannot be grouped.

    Raises
    ------
    SettingsError
        Nothing was named or found, or `by` is unknown.
    InputError
        A table cannot be read.
    """
    if by not in get_args(By):
        raise SettingsError(f"--by {by}: needed one of {', '.join(get_args(By))}", by=by)
    files = find_files(where, None if out is None else Path(out), quality=quality)
    headers = (cache or HeaderCache()).read(files.inputs)
    return group(files, headers, by, filters=filters)


def group(
    files: FoundFiles,
    headers: Mapping[str, FileKeywords | MizzleError],
    by: By = "visit",
    *,
    filters: Sequence[str] = (),
) -> Grouped:
    """Group exposures whose headers were read; see `find_visits`."""
    problems = dict(files.problems)
    wanted = {name.upper() for name in filters}
    groups: dict[str, list[ListedExposure]] = {}
    for name, entry in files.inputs.items():
        try:
            listed = describe(entry, headers[name])
            key = _safe(files.labels[name]) if name in files.labels else _key(listed, by)
        except MizzleError as problem:
            problems[name] = str(problem)
            continue
        if not wanted or wanted & set(listed.filter.split("+")):
            groups.setdefault(key, []).append(listed)
    visits: dict[str, GroupedVisit] = {}
    for key in sorted(groups):
        members = _each_once(groups[key], problems)
        for number, field_of_view in enumerate(_fields(members)):
            title = key if by != "visit" or _labelled(files, field_of_view) else _named(key, field_of_view[0])
            name = _free(title if number == 0 else f"{title}-{number + 1}", visits)
            visits[name] = GroupedVisit(name, tuple(field_of_view))
    return Grouped(tuple(visits[name] for name in sorted(visits)), problems)


def describe(entry: InputFile, header: FileKeywords | MizzleError) -> ListedExposure:
    """Return what the headers say of an exposure.

    Raises
    ------
    InputError
        The headers could not be read, or do not say what it is.
    """
    if isinstance(header, MizzleError):
        raise header
    primary, extension = header.primary, header.extension
    root = str(primary.get("ROOTNAME", "") or entry.stem).strip().lower()
    instrument = str(primary.get("INSTRUME", "")).strip()
    if not instrument:
        raise InputError(f"{entry.science}: INSTRUME is missing; cannot tell the camera", file=str(entry.science))
    ra, dec = (
        _number(extension.get(f"CRVAL{i}", primary.get(f"CRVAL{i}", primary.get(name))))
        for i, name in ((1, "RA_TARG"), (2, "DEC_TARG"))
    )
    return ListedExposure(
        input=entry,
        root=root,
        camera=_camera(instrument, primary.get("DETECTOR")),
        proposal=_proposal(primary.get("PROPOSID")),
        target=str(primary.get("TARGNAME", "")).strip(),
        filter=_filter(primary),
        exptime=_number(primary.get("EXPTIME")),
        mjd_start=_number(primary.get("EXPSTART")),
        ra=ra,
        dec=dec,
        pixels=_pixels(primary, extension),
    )


def _camera(instrument: str, detector: HeaderValue | None) -> str:
    """Return the camera's short name."""
    parts = [instrument] + ([detector] if isinstance(detector, str) and detector.strip() else [])
    return "-".join(re.sub(r"[^a-z0-9]", "", part.lower()) for part in parts)


def _proposal(value: HeaderValue | None) -> str:
    """Return a proposal's number as text; empty where there is none."""
    text = str(value).strip() if value is not None else ""
    return "" if text in {"0", ""} else text


def _filter(primary: Mapping[str, HeaderValue]) -> str:
    """Return the filters in the beam, joined by ``+``."""
    names = [str(primary.get(key, "")) for key in filter_keywords(primary)]
    plain = [re.sub(r"[^A-Z0-9]", "", name.upper()) for name in names]
    return "+".join(name for name in plain if name and not name.startswith("CLEAR") and name != "NA")


def _pixels(primary: Mapping[str, HeaderValue], extension: Mapping[str, HeaderValue]) -> int:
    """Count the science pixels of all chips: the first one's size, times as many as the camera can have."""
    camera = camera_of(primary) or CAMERAS[0]
    most, side = len(camera.chips), dict(zip((1, 2), camera.shape[::-1], strict=True))
    sides = [_number(extension.get(f"ZNAXIS{i}", extension.get(f"NAXIS{i}"))) for i in (1, 2)]
    chips = _number(primary.get("NEXTEND", most))  # the old form, below, keeps its chips in one cube
    if not np.isfinite(sides).all():
        sides = [_number(primary.get(f"NAXIS{i}", side[i])) for i in (1, 2)]
        chips = _number(primary.get("NAXIS3", most))
    if not np.isfinite([*sides, chips]).all():
        return most * side[1] * side[2]
    return int(sides[0] * sides[1] * min(max(chips, 1.0), float(most)))


def _number(value: HeaderValue | None) -> float:
    """Return a number; NaN for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _key(listed: ListedExposure, by: By) -> str:
    """Return what the exposures of one group share, as a safe text.

    Raises
    ------
    InputError
        The header lacks it.
    """
    where = str(listed.input.science)
    suffix = "" if listed.camera == "wfpc2" else f"_{listed.camera}"
    if by == "folder":
        return _safe(listed.input.science.parent.name or "root") + suffix
    if by == "target":
        if not listed.target:
            raise InputError(f"{where}: TARGNAME is missing; cannot be grouped by target", file=where)
        return _safe(listed.target) + suffix
    if by == "proposal":
        if not listed.proposal:
            raise InputError(f"{where}: PROPOSID is missing; cannot be grouped by proposal", file=where)
        return _safe(listed.proposal) + suffix
    if not _ROOT.fullmatch(listed.root):
        raise InputError(
            f"{where}: ROOTNAME {listed.root[:40]!r} does not tell the visit; needed nine letters and digits, as"
            " ua060502m; group with --by folder or target, or with a table",
            file=where,
        )
    return f"{_safe(listed.proposal or 'unknown')}_{listed.root[1:6]}{suffix}"


def _named(key: str, first: ListedExposure) -> str:
    """Return a visit's name: its key, with the target before the camera."""
    suffix = "" if first.camera == "wfpc2" else f"_{first.camera}"
    return f"{key.removesuffix(suffix)}_{_safe(first.target or 'unnamed')}{suffix}"


def _labelled(files: FoundFiles, members: Sequence[ListedExposure]) -> bool:
    return str(members[0].input.science) in files.labels


def _safe(text: str) -> str:
    """Return a text as a plain, short file name."""
    return re.sub(r"[^a-z0-9+.-]+", "-", text.lower()).strip("-.")[:48] or "unnamed"


def _free(name: str, taken: Mapping[str, GroupedVisit]) -> str:
    """Return `name`, or one beside it where it is taken."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _each_once(members: list[ListedExposure], problems: dict[str, str]) -> list[ListedExposure]:
    """Sort by start, then root; a second file of one exposure is left out, and named."""
    known: dict[str, ListedExposure] = {}
    for entry in sorted(members, key=lambda e: (np.nan_to_num(e.mjd_start), e.root, str(e.input.science))):
        if entry.root in known:
            other = known[entry.root].input.science
            problems[str(entry.input.science)] = f"{entry.input.science}: the same exposure as {other}"
        else:
            known[entry.root] = entry
    return list(known.values())


def _fields(members: list[ListedExposure]) -> list[list[ListedExposure]]:
    """Split exposures into fields: within 20 arcmin of the exposure that has most of the others near it."""
    fields: list[list[ListedExposure]] = []
    rest = members
    while rest:
        apart = _apart(rest)
        middle = int(np.argmax((apart <= LARGEST_FIELD_ARCMIN).sum(axis=1)))
        near = apart[middle] <= LARGEST_FIELD_ARCMIN
        fields.append([entry for entry, inside in zip(rest, near, strict=True) if inside])
        rest = [entry for entry, inside in zip(rest, near, strict=True) if not inside]
    return sorted(fields, key=lambda entries: (np.nan_to_num(entries[0].mjd_start), entries[0].root))


def _apart(members: Sequence[ListedExposure]) -> NDArray[np.float64]:
    """Return the separations [arcmin]; an unknown pointing is near to all: the run itself will judge it."""
    ra, dec = np.deg2rad([[entry.ra, entry.dec] for entry in members]).T
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    apart: NDArray[np.float64] = 60 * np.rad2deg(np.arccos(np.clip(vectors @ vectors.T, -1, 1)))
    return np.nan_to_num(apart, nan=0.0)
