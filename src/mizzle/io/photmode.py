"""Which chip, gain and filters a PHOTFLAM was made for, as PHOTMODE tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import permutations

import numpy as np

from mizzle.instrument.wfpc2.sensitivity import KNOWN_BY_CHIP, nominal_photflam
from mizzle.io.headers import keyword_text
from mizzle.model import Finding, HeaderValue, Verdict

Header = Mapping[str, HeaderValue]

#: Chips' PHOTFLAM agree with those of the filter to this, one factor for all taken out (calibrations differ by that);
#: off by so much, they are those of other chips where that order agrees.
_AGREE, _EXCHANGED = 0.001, 0.003


def _light_path(names: str) -> set[str]:
    """Return the filters and ramps named in a band or PHOTMODE, and whether a polarizer is: its angle is not asked."""
    filters = set(re.findall(r"F\d{3,4}[A-Z]+", names))
    filters |= {"a ramp filter"} if re.search(r"\bFR\d|LRF", names) else set()
    return filters | ({"a polarizer"} if "POL" in names else set())


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names, key=lambda name: (not name.startswith("F"), name)))[:60]


def filter_finding(mode: str, band: str) -> Finding | None:
    """Notice a PHOTMODE that names other filters than the header's."""
    named, here = _light_path(mode), _light_path(band)
    if not named or not here or named == here:
        return None
    sentence = f"PHOTMODE names {_listed(named)}, the filter is {band}: PHOTFLAM may be wrong"
    return Finding("units", Verdict.WARN, sentence)


def photmode_finding(chip: Header, number: int, gain: int, *, band: str) -> Finding | None:
    """Notice a PHOTFLAM that was made for another chip, gain or filter than the header's."""
    mode = keyword_text(chip, "PHOTMODE")
    if mode.startswith(("ACS", "WFC3", "NICMOS", "STIS", "WF1", "WFPC,")):
        return Finding("units", Verdict.WARN, f"PHOTMODE is {mode[:40]}, of another camera: PHOTFLAM may be wrong")
    match = re.match(r"WFPC2\s*,\s*(\d)\s*,\s*A2D(\d+)", mode)
    filters = None if match is None else filter_finding(mode, band)
    if filters is not None:
        return filters
    if match is None or (int(match[1]), int(match[2])) == (number, gain):
        return None
    sentence = f"PHOTMODE is of chip {match[1]} at ATODGAIN {match[2]}, not {number} at {gain}: PHOTFLAM may be wrong"
    return Finding("units", Verdict.WARN, sentence)


def exchanged_finding(photflams: Mapping[str, HeaderValue | None], gain: int, *, band: str) -> Finding | None:
    """Notice PHOTFLAM that were exchanged between chips: right numbers, 0.4 to 2.4 % wrong where they stand.

    Parameters
    ----------
    photflams : mapping
        PHOTFLAM by chip.
    gain : int
        ATODGAIN.
    band : str
        Filter; those whose chips are not known say nothing.
    """
    numbers = {name: v for name, v in photflams.items() if isinstance(v, int | float) and v > 0}
    nominal = nominal_photflam(band, gain) if band in KNOWN_BY_CHIP else {}
    names = [name for name in numbers if name in nominal]
    if len(names) < 2:
        return None
    seen = np.log([float(numbers[name]) for name in names])
    true = np.log([nominal[name] for name in names])

    def misfit(order: tuple[int, ...]) -> float:
        off = seen - true[list(order)]
        return float(np.max(np.abs(off - np.median(off))))

    as_is = tuple(range(len(names)))
    if misfit(as_is) < _EXCHANGED:
        return None
    best = min(permutations(as_is), key=misfit)
    if misfit(best) > _AGREE:
        return None
    moved = {names[k]: names[m] for k, m in enumerate(best) if k != m}
    words = ", ".join(f"{name} has that of {other}" for name, other in moved.items())
    worst = 100.0 * max(abs(nominal[other] / nominal[name] - 1.0) for name, other in moved.items())
    sentence = f"PHOTFLAM are exchanged between chips: {words}; magnitudes are up to {worst:.1f} % wrong there"
    return Finding("units", Verdict.WARN, sentence, tuple(moved))
