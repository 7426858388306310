"""Which chip, gain and filters a PHOTFLAM was made for, as PHOTMODE tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mizzle.io.headers import keyword_text
from mizzle.model import Finding, HeaderValue, Verdict

Header = Mapping[str, HeaderValue]


def _light_path(names: str) -> set[str]:
    """Return the filters and ramps named in a band or PHOTMODE, and whether a polarizer is: its angle is not asked."""
    filters = set(re.findall(r"F\d{3,4}[A-Z]+", names))
    filters |= {"a ramp filter"} if re.search(r"\bFR\d|LRF", names) else set()
    return filters | ({"a polarizer"} if "POL" in names else set())


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names, key=lambda name: (not name.startswith("F"), name)))[:60]


def photmode_finding(chip: Header, number: int, gain: int, *, band: str) -> Finding | None:
    """Notice a PHOTFLAM that was made for another chip, gain or filter than the header's."""
    mode = keyword_text(chip, "PHOTMODE")
    if mode.startswith(("ACS", "WFC3", "NICMOS", "STIS", "WF1", "WFPC,")):
        return Finding("units", Verdict.WARN, f"PHOTMODE is {mode[:40]}, of another camera: PHOTFLAM may be wrong")
    match = re.match(r"WFPC2\s*,\s*(\d)\s*,\s*A2D(\d+)", mode)
    named, here = _light_path(mode), _light_path(band)
    if match is not None and named and here and named != here:
        sentence = f"PHOTMODE names {_listed(named)}, the filter is {band}: PHOTFLAM may be wrong"
        return Finding("units", Verdict.WARN, sentence)
    if match is None or (int(match[1]), int(match[2])) == (number, gain):
        return None
    sentence = f"PHOTMODE is of chip {match[1]} at ATODGAIN {match[2]}, not {number} at {gain}: PHOTFLAM may be wrong"
    return Finding("units", Verdict.WARN, sentence)
