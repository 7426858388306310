"""Exposures and their chips: what was read, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.model.arrays import locked
from mizzle.model.camera import Camera
from mizzle.model.frame import ChipFrame
from mizzle.model.sky import ST_ZEROPOINT
from mizzle.model.values import Value, same
from mizzle.model.verdict import Finding, Verdict, worst

if TYPE_CHECKING:
    from astropy.wcs import WCS

HeaderValue = str | int | float | bool


class PixelRows(NamedTuple):
    """Some rows of a chip: signal [DN] and data-quality bits, read-only."""

    sci: NDArray[np.float32]
    dq: NDArray[np.uint16]


class Pixels(Protocol):
    """Where a chip's pixels come from: memory, or a file read again when memory is short."""

    @property
    def sci(self) -> NDArray[np.float32]:
        """Signal [DN], ``(ny, nx)``, read-only, native byte order."""

    @property
    def dq(self) -> NDArray[np.uint16]:
        """Data-quality bits, ``(ny, nx)``, read-only, native byte order."""

    @property
    def err(self) -> NDArray[np.float32] | None:
        """1 sigma [DN] where the file carries it, read-only."""

    def rows(self, first: int, last: int) -> PixelRows:
        """Return rows ``first .. last - 1`` of `sci` and `dq`: less to read than all of them, where memory is short."""


class ArrayPixels:
    """Pixels held in memory.

    Parameters
    ----------
    sci : (ny, nx) array_like
        Signal [DN].
    dq : (ny, nx) array_like
        Data-quality bits.
    err : (ny, nx) array_like, optional
        1 sigma [DN].
    """

    def __init__(self, sci: ArrayLike, dq: ArrayLike, err: ArrayLike | None = None) -> None:
        self._sci = locked(sci, np.float32)
        self._dq = locked(dq, np.uint16)
        self._err = None if err is None else locked(err, np.float32)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._sci, self._dq, self._err)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArrayPixels):
            return NotImplemented
        return same((self._sci, self._dq, self._err), (other._sci, other._dq, other._err))

    __hash__ = None  # type: ignore[assignment]

    @property
    def sci(self) -> NDArray[np.float32]:
        """Signal [DN]."""
        return self._sci

    @property
    def dq(self) -> NDArray[np.uint16]:
        """Data-quality bits."""
        return self._dq

    @property
    def err(self) -> NDArray[np.float32] | None:
        """1 sigma [DN], or None."""
        return self._err

    def rows(self, first: int, last: int) -> PixelRows:
        """Return rows ``first .. last - 1`` of `sci` and `dq`."""
        return PixelRows(self._sci[first:last], self._dq[first:last])


@dataclass(frozen=True)
class StarFocus:
    """What the stars of one chip say of the focus: error of the wavefront, rms [micrometer].

    Parameters
    ----------
    usual : float
        Median of the stars.
    sharpest : float
        Few stars are sharper: their focus changes over the field.
    stars : int
        How many were measured.
    """

    usual: float
    sharpest: float
    stars: int


@dataclass(frozen=True, eq=False)
class Chip(Value):
    """One chip of one exposure.

    Parameters
    ----------
    name : str
        ``PC``, ``WF2``, ``WF3`` or ``WF4``.
    number : int
        DETECTOR: 1 to 4.
    pixels : Pixels
        Source of `sci`, `dq`, `err`.
    header : mapping
        Keywords of the SCI extension.
    gain : float
        Electrons per DN of this chip at the exposure's ATODGAIN.
    read_noise : float
        Read noise [electron rms].
    photflam : float
        Inverse sensitivity: erg cm-2 s-1 A-1 that gives 1 DN/s.
    frame : ChipFrame
        Pixel to sky, before alignment.
    photplam, photbw, photzpt : float
        Pivot wavelength [A], bandwidth [A], ST zeropoint [mag].
    photmode : str
        Observation mode.
    binning : int
        Pixels of the detector along a side of one of these.
    dark : float or None
        Dark current and flash collected [electron], where the header says it; None: the camera's rate times DARKTIME.
    weights : (ny, nx) float32 array or None
        Inverse variance of each pixel's background [electron**-2], where the user brings it; 0: not used.
    focus : StarFocus or None
        As the exposure's own stars show it (`steps.focus`); None before, and where they are too few.
    """

    name: str
    number: int
    pixels: Pixels
    header: Mapping[str, HeaderValue]
    gain: float
    read_noise: float
    photflam: float
    frame: ChipFrame
    photplam: float = float("nan")
    photbw: float = float("nan")
    photzpt: float = ST_ZEROPOINT
    photmode: str = ""
    binning: int = 1
    dark: float | None = None
    weights: NDArray[np.float32] | None = None
    focus: StarFocus | None = None

    @property
    def sci(self) -> NDArray[np.float32]:
        """Signal [DN], ``(ny, nx)``."""
        return self.pixels.sci

    @property
    def dq(self) -> NDArray[np.uint16]:
        """Data-quality bits, ``(ny, nx)``."""
        return self.pixels.dq

    @property
    def err(self) -> NDArray[np.float32] | None:
        """1 sigma [DN] where the file carries it."""
        return self.pixels.err

    @property
    def shape(self) -> tuple[int, int]:
        """``(ny, nx)``; known without reading pixels."""
        return self.frame.shape

    @property
    def wcs(self) -> WCS:
        """Pixel to sky as an `astropy.wcs.WCS` (SIP and 34th-row term included)."""
        return self.frame.wcs


@dataclass(frozen=True, eq=False)
class Exposure(Value):
    """One exposure: up to four chips that share a pointing and a time.

    Parameters
    ----------
    root : str
        ROOTNAME, lower case.
    path : str
        File of the science pixels.
    filter : str
        Canonical filter: ``F814W``; two filters crossed are joined by ``+``.
    exptime, darktime : float
        Seconds.
    mjd_start, mjd_end : float
        Start and end [MJD].
    date_obs : str
        Start, ISO date.
    commanded_gain : int
        What the header commands: ATODGAIN (7 or 15) or CCDGAIN. What a chip has is `Chip.gain`.
    target : str
        TARGNAME.
    header : mapping
        Keywords of the primary header.
    chips : mapping
        Chip by name, in the order PC, WF2, WF3, WF4; absent chips are absent.
    files : mapping
        Each file read (science, data quality) and its SHA-256.
    camera : Camera
        What is known of the camera.
    findings : tuple of Finding
        What the reader noticed and how it decided (no VAFACTOR, counts per second made counts, guiding lost).
    """

    root: str
    path: str
    filter: str
    exptime: float
    darktime: float
    mjd_start: float
    mjd_end: float
    date_obs: str
    commanded_gain: int
    target: str
    header: Mapping[str, HeaderValue]
    chips: Mapping[str, Chip]
    files: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    camera: Camera = field(kw_only=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings' sentences, each with its verdict where that is more than a note."""
        return tuple(f.sentence if f.verdict is Verdict.PASS else f"{f.verdict}: {f.sentence}" for f in self.findings)

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; ``PASS`` where there is none."""
        return worst([Verdict.PASS, *(finding.verdict for finding in self.findings)])

    def keyword(self, name: str, default: Any = None) -> Any:
        """Return a primary-header keyword, or `default`."""
        return self.header.get(name, default)

    @property
    def follows_target(self) -> bool:
        """Whether the telescope followed a moving target: stars trail, and the target stands still."""
        return moving_target(self.header)


def moving_target(header: Mapping[str, HeaderValue]) -> bool:
    """Return whether a primary header says (MTFLAG) that a moving target was followed."""
    flag = header.get("MTFLAG", False)
    return flag is True or str(flag).strip().upper() in {"T", "TRUE"}


def visit_of(exposure: Exposure) -> str:
    """Return characters 2 to 6 of a rootname of nine, which name the visit; another rootname is a visit by itself."""
    return exposure.root[1:6] if len(exposure.root) == 9 else exposure.root


def same_visit(exposure: Exposure, other: Exposure) -> bool:
    """Return whether two exposures are of one visit and, where their headers tell, held by the same guide stars."""
    if visit_of(exposure) != visit_of(other):
        return False
    for name in ("DGESTAR", "SGESTAR"):
        first, second = exposure.header.get(name), other.header.get(name)
        if first is not None and second is not None and first != second:
            return False
    return True
