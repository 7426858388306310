"""The state of an exposure, as its headers tell it: units, kind, calibration, guiding, quality, readout, band."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mizzle.errors import InputError
from mizzle.instrument import wfpc2
from mizzle.io.headers import Keywords
from mizzle.model import Finding, HeaderValue, Verdict, moving_target

Header = Mapping[str, HeaderValue]

#: Steps of calwp2 whose omission changes pixels, and what it leaves behind (WFPC2 Data Handbook 5.0, section 3.3).
_STEPS = {
    "ATODCORR": "the converter's steps are left in",
    "BLEVCORR": "the bias level is left in",
    "BIASCORR": "the bias pattern is left in",
    "DARKCORR": "the dark current and hot pixels are left in",
    "FLATCORR": "the flat field is left in",
}
#: calwp2 leaves the dark of short exposures alone, and corrects the shutter's shading of those only [s].
_SHORT = 10.0
_DONE = frozenset({"COMPLETE", "COMPLETED", "DONE", "PERFORMED", "APPLIED"})
#: Values of IMAGETYP that show the sky; the others are frames of calibration.
_SKY_IMAGES = frozenset({"EXT", "EXTERNAL", "OBJECT", "SCIENCE", ""})
_COUNTS = frozenset({"", "COUNTS", "COUNT", "DN", "ADU", "UNITLESS"})
_ELECTRONS = frozenset({"ELECTRONS", "ELECTRON", "E-", "E"})
_GOOD_LOCK = frozenset({"FINE", ""})


def text(header: Header, name: str) -> str:
    """Return a keyword as upper-case text without blanks around it; empty where it is absent."""
    return str(header.get(name, "")).strip().upper()


def counts_per_unit(where: str, primary: Header, chip: Header, *, exptime: float, gain: float) -> tuple[float, str]:
    """Return by what pixels are multiplied to become DN, and a sentence where that is not 1.

    Parameters
    ----------
    where : str
        File and chip, for messages.
    primary, chip : mapping
        Headers; BUNIT of the chip counts before that of the file.
    exptime : float
        Exposure time [s].
    gain : float
        Electrons per DN.

    Raises
    ------
    InputError
        BUNIT is none that converts to DN.
    """
    unit = text(chip, "BUNIT") or text(primary, "BUNIT")
    word = re.sub(r"\s*(/\s*(S|SEC|SECOND|SECONDS)|S-1|S\^-1|\*\*-1)$", "/S", unit).replace(" ", "")
    rate = word.endswith("/S")
    plain = word.removesuffix("/S")
    if plain not in _COUNTS | _ELECTRONS or (rate and not plain):
        raise InputError(
            f"{where}: BUNIT is {unit[:40]!r}; needed COUNTS, COUNTS/S, ELECTRONS or ELECTRONS/S",
            file=where,
            keyword="BUNIT",
            found=unit,
        )
    factor = (exptime if rate else 1.0) / (gain if plain in _ELECTRONS else 1.0)
    if factor == 1.0 and not rate and plain not in _ELECTRONS:
        return 1.0, ""
    return factor, f"pixels in {unit} were made COUNTS (EXPTIME {exptime:g} s, {gain:g} electrons per count)"


def check_readout(where: str, primary: Header, chip: Header, *, shape: tuple[int, ...]) -> Finding | None:
    """Refuse an image that no readout of WFPC2 gives, unless the header says where it was cut out.

    Raises
    ------
    InputError
        Another size than MODE has, and no LTV1, LTV2.
    """
    mode = text(primary, "MODE") or "FULL"
    side = {"FULL": wfpc2.CHIP_SIDE, "AREA": wfpc2.CHIP_SIDE // 2}.get(mode)
    size = f"{shape[1]} x {shape[0]}"
    if side is None:
        raise InputError(f"{where}: MODE is {mode[:20]!r}; WFPC2 has FULL and AREA", file=where, keyword="MODE")
    if shape == (side, side):
        return None
    if "LTV1" in chip and "LTV2" in chip:
        return Finding("readout", Verdict.PASS, f"cut out: {size} pixels of {side} x {side} (LTV1, LTV2)")
    raise InputError(
        f"{where}: {size} pixels in MODE {mode}, which reads {side} x {side}: a trimmed copy, no readout of WFPC2, and"
        " nothing says where on the chip it lies; take the whole exposure, or one with LTV1 and LTV2",
        file=where,
        shape=shape,
    )


def band_of(keywords: Keywords) -> tuple[str, list[Finding]]:
    """Return the band of an exposure: its filters in one order, and the wavelength of a ramp filter.

    Returns
    -------
    band : str
        ``F814W``; ``F555W+POLQ`` in whatever order the header has them; ``FR533P15-4861`` for a ramp at 4861 A.
    findings : list of Finding
        What is special about it.

    Raises
    ------
    InputError
        No filter is named.
    """
    names = [keywords.text("FILTNAM1"), keywords.text("FILTNAM2", "")]
    filters = [re.sub(r"[^A-Z0-9]", "", name.upper()) for name in names]
    filters = sorted((n for n in filters if n and n not in {"CLEAR", "NA"}), key=lambda n: (n.startswith("POL"), n))
    if not filters:
        raise keywords.fail("FILTNAM1", names[0], "a filter's name")
    findings: list[Finding] = []
    band = "+".join(filters)[:40]
    ramps = [name for name in filters if name.startswith("FR")]
    if ramps:
        wavelength = keywords.number("LRFWAVE", 0, 12000, unit="A", default=0.0)
        if wavelength > 0:
            band = f"{band}-{wavelength:.0f}"
            sentence = (
                f"ramp filter {ramps[0]} at {wavelength:.0f} A: a band of its own, 1.3 % wide, on part of one chip"
            )
            findings.append(Finding("band", Verdict.PASS, sentence))
        else:
            sentence = f"ramp filter {ramps[0]} without LRFWAVE: its wavelength is unknown"
            findings.append(Finding("band", Verdict.WARN, sentence))
    quads = [name for name in filters if name.startswith("FQ")]
    if quads:
        sentence = f"quad filter {quads[0]}: each chip sees another band; chips are not comparable, and no proof holds"
        findings.append(Finding("band", Verdict.WARN, sentence))
    return band, findings


def check_kind(where: str, primary: Header) -> None:
    """Refuse frames that show no sky: darks, biases, flats, K-spots.

    Raises
    ------
    InputError
        IMAGETYP or KSPOTS says so.
    """
    kind = text(primary, "IMAGETYP")
    if kind not in _SKY_IMAGES:
        raise InputError(
            f"{where}: IMAGETYP is {kind[:20]!r}: a frame of calibration, not of the sky; leave it out",
            file=where,
            keyword="IMAGETYP",
        )
    if text(primary, "KSPOTS") == "ON":
        raise InputError(f"{where}: KSPOTS is 'ON': the lamps were on, not the sky; leave it out", file=where)


def findings_of(primary: Header, exptime: float) -> list[Finding]:
    """Return what the headers tell about calibration, guiding, quality and target."""
    return [*_calibration(primary, exptime), *_observation(primary)]


def _calibration(primary: Header, exptime: float) -> Iterator[Finding]:
    for name, left in _STEPS.items():
        state = text(primary, name)
        if not state or state in _DONE:
            continue
        harmless = name == "DARKCORR" and exptime < _SHORT
        yield Finding("calibration", Verdict.PASS if harmless else Verdict.WARN, f"{name} is {state[:20]}: {left}")
    if primary.get("SUBSKY") is True:
        sentence = (
            "the sky was subtracted before (SUBSKY): its level is gone, sky measured here is what was left, and errors"
            " lack its noise"
        )
        yield Finding("sky", Verdict.WARN, sentence)


def _observation(primary: Header) -> Iterator[Finding]:
    flag = text(primary, "EXPFLAG")
    if flag not in {"", "NORMAL"}:
        worst = Verdict.FAIL if flag.startswith("NO") else Verdict.WARN
        yield Finding("exposure", worst, f"EXPFLAG is {flag[:40]}: the exposure did not go as planned")
    quality = str(primary.get("QUALITY", "")).strip()
    if quality.upper() not in {"", "OK", "NONE", "GOOD", "NORMAL"}:
        yield Finding("quality", Verdict.WARN, f"QUALITY says: {quality[:120]}")
    lock = text(primary, "FGSLOCK")
    if lock not in _GOOD_LOCK:
        known = Verdict.PASS if lock in {"UNKNOWN", "N/A"} else Verdict.WARN
        yield Finding("guiding", known, f"FGSLOCK is {lock[:30]}: the telescope may not have held still")
    if moving_target(primary):
        sentence = "a moving target was followed (MTFLAG): it is held still, stars trail and are taken for rays"
        yield Finding("target", Verdict.WARN, sentence)


def photmode_finding(chip: Header, number: int, gain: int, *, band: str) -> Finding | None:
    """Notice a PHOTFLAM that was made for another chip, gain or filter than the header's."""
    match = re.match(r"WFPC2\s*,\s*(\d)\s*,\s*A2D(\d+)", text(chip, "PHOTMODE"))
    named = set(re.findall(r"F\d{3,4}[A-Z]+", text(chip, "PHOTMODE")))
    here = set(re.findall(r"F\d{3,4}[A-Z]+", band))
    if match is not None and named and here and named != here:
        sentence = f"PHOTMODE names {', '.join(sorted(named))[:40]}, the filter is {band}: PHOTFLAM may be wrong"
        return Finding("units", Verdict.WARN, sentence)
    if match is None or (int(match[1]), int(match[2])) == (number, gain):
        return None
    sentence = f"PHOTMODE is of chip {match[1]} at ATODGAIN {match[2]}, not {number} at {gain}: PHOTFLAM may be wrong"
    return Finding("units", Verdict.WARN, sentence)
