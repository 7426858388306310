"""The state of an exposure, as its headers tell it: units, kind, calibration, guiding, quality, readout, band."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from mizzle.errors import InputError
from mizzle.instrument import wfpc2
from mizzle.instrument.wfpc2.sensitivity import nominal_photflam
from mizzle.io.headers import Keywords, keyword_text
from mizzle.io.photmode import photmode_finding
from mizzle.model import Finding, HeaderValue, Verdict, moving_target
from mizzle.model.sky import MJD_EPOCH

Header = Mapping[str, HeaderValue]

#: Steps of every camera's calibration whose omission changes pixels or flags, and what it leaves behind.
_STEPS = {
    "BLEVCORR": "the bias level is left in",
    "BIASCORR": "the bias pattern is left in",
    "DARKCORR": "the dark current and hot pixels are left in",
    "FLATCORR": "the flat field is left in",
}
#: Those of calwp2 alone (WFPC2 Data Handbook 5.0, section 3.3): ACS and WFC3 omit ATODCORR as a rule.
_WFPC2_STEPS = {
    "MASKCORR": "bad pixels that are known are not flagged",
    "ATODCORR": "the converter's steps are left in",
}
#: That of calwp2 for short exposures.
_SHORT_STEPS = {"SHADCORR": "the shutter's shading is left in, which counts below 10 s"}
#: Those of calacs and calwf3 alone.
_LATER_STEPS = {
    "DQICORR": "bad pixels that are known are not flagged",
    "NLINCORR": "the detector's nonlinearity is left in",
    "ZOFFCORR": "the zeroth read is left in",
}
_DONE = frozenset({"COMPLETE", "COMPLETED", "DONE", "PERFORMED", "APPLIED"})
#: Values of IMAGETYP that show the sky; the others are frames of calibration.
_SKY_IMAGES = frozenset({"EXT", "EXTERNAL", "OBJECT", "SCIENCE", ""})
_COUNTS = frozenset({"", "COUNTS", "COUNT", "DN", "ADU", "UNITLESS"})
_ELECTRONS = frozenset({"ELECTRONS", "ELECTRON", "E-", "E"})
_GOOD_LOCK = frozenset({"FINE", ""})
_GOOD_QUALITY = frozenset({"", "OK", "NONE", "GOOD", "NORMAL", "NO APPARENT PROBLEMS"})
#: EXPEND - EXPSTART is EXPTIME to a millisecond on WFPC2, longer by .05 to 1.3 s on ACS and WFC3: beyond so many
#: seconds and such a share one of them is wrong.
_SPAN_SECONDS, _SPAN_SHARE = 2.0, 0.02
#: EXPSTART and DATE-OBS are of one day, give or take so many days.
_SAME_DATE = 1.0
#: Calibrations of twenty years differ by 4 % in PHOTFLAM (F814W), by more in the ultraviolet: beyond these factors,
#: the first below so many nm, it is another filter's, gain's or unit's.
_PHOTFLAM_FACTORS, _ULTRAVIOLET = (1.25, 1.12), 400
#: WF4 lost its bias level, and with it gain, from 2002 on: the usual level is 311 DN; an image below this limit is one
#: that calibration must correct, and streaks stay in it (ISR WFPC2 2009-03, 2010-02). First date [MJD], limit [DN].
_WF4_FROM, _WF4_BIAS = 52334.0, 290.0


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
    unit = keyword_text(chip, "BUNIT") or keyword_text(primary, "BUNIT")
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
    mode = keyword_text(primary, "MODE") or "FULL"
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
    kind = keyword_text(primary, "IMAGETYP")
    if kind not in _SKY_IMAGES:
        raise InputError(
            f"{where}: IMAGETYP is {kind[:20]!r}: a frame of calibration, not of the sky; leave it out",
            file=where,
            keyword="IMAGETYP",
        )
    if keyword_text(primary, "KSPOTS") == "ON":
        raise InputError(f"{where}: KSPOTS is 'ON': the lamps were on, not the sky; leave it out", file=where)


def check_coordinates(where: str, *headers: Header) -> None:
    """Refuse coordinates that are not equatorial of 2000: the sky of 1950 is half a degree away.

    Raises
    ------
    InputError
        EQUINOX, RADESYS or CTYPEn says so.
    """
    for header in headers:
        equinox, frame = header.get("EQUINOX", 2000.0), keyword_text(header, "RADESYS")
        old = isinstance(equinox, int | float) and equinox != 2000.0
        if old or frame.startswith("FK4"):
            name, value = ("EQUINOX", equinox) if old else ("RADESYS", frame[:20])
            raise InputError(
                f"{where}: {name} is {value!r}; needed coordinates of 2000 (FK5 or ICRS); where they are, put the"
                " keyword right, else precess them",
                file=where,
                keyword=name,
                found=value,
            )
        for name, axis in (("CTYPE1", "RA"), ("CTYPE2", "DEC")):
            ctype = keyword_text(header, name)
            if ctype and not ctype.startswith(axis):
                raise InputError(
                    f"{where}: {name} is {ctype[:20]!r}; needed right ascension and declination, in this order",
                    file=where,
                    keyword=name,
                    found=ctype,
                )


def findings_of(primary: Header, exptime: float, *chips: Header, later: bool = False) -> list[Finding]:
    """Return what the headers tell about calibration, times, guiding, quality, telemetry and target.

    Parameters
    ----------
    primary : mapping
        Primary header.
    exptime : float
        Exposure time [s].
    *chips : mapping
        Headers of the image extensions.
    later : bool
        Of ACS or WFC3, whose calibration has other steps.
    """
    said = _calibration(primary, exptime, later=later)
    return [*said, *_scaled(primary), *_times(primary, exptime), *_observation(primary), *_telemetry(primary, *chips)]


def _calibration(primary: Header, exptime: float, *, later: bool) -> Iterator[Finding]:
    short = exptime < wfpc2.SHORT_EXPOSURE and not later
    steps = _LATER_STEPS if later else {**_WFPC2_STEPS, **(_SHORT_STEPS if short else {})}
    for name, left in {**_STEPS, **steps}.items():
        state = keyword_text(primary, name)
        if not state or state in _DONE:
            continue
        harmless = name == "DARKCORR" and short
        yield Finding("calibration", Verdict.PASS if harmless else Verdict.WARN, f"{name} is {state[:20]}: {left}")
    if primary.get("SUBSKY") is True:
        sentence = (
            "the sky was subtracted before (SUBSKY): its level is gone, sky measured here is what was left, and errors"
            " lack its noise"
        )
        yield Finding("sky", Verdict.WARN, sentence)


def _scaled(primary: Header) -> Iterator[Finding]:
    """Notice that calibration was told to write scaled pixels."""
    scale, zero = primary.get("USCALE", 1.0), primary.get("UZERO", 0.0)
    if (scale, zero) != (1.0, 0.0):
        sentence = f"USCALE is {scale}, UZERO {zero}: pixels were scaled when they were written, and may be no counts"
        yield Finding("units", Verdict.WARN, sentence)


def _times(primary: Header, exptime: float) -> Iterator[Finding]:
    """Hold the exposure time against its start and end, and the start against the date."""
    start, end = (primary.get(name) for name in ("EXPSTART", "EXPEND"))
    match = re.match(r"\d{4}-\d\d-\d\d", keyword_text(primary, "DATE-OBS"))
    if match and isinstance(start, int | float) and start > 0:
        days = float(start) - (date.fromisoformat(match[0]) - MJD_EPOCH).days
        if not -_SAME_DATE <= days <= 1.0 + _SAME_DATE:
            sentence = f"EXPSTART is {abs(days):.0f} days {'before' if days < 0 else 'after'} DATE-OBS ({match[0]})"
            yield Finding(
                "exposure", Verdict.WARN, f"{sentence}: one of them is wrong; places of the chips follow the date"
            )
    if not all(isinstance(value, int | float) and value > 0 for value in (start, end)):
        return
    span = 86400.0 * (float(end) - float(start))  # type: ignore[arg-type]
    if abs(span - exptime) > _SPAN_SECONDS + _SPAN_SHARE * exptime:
        sentence = f"EXPTIME is {exptime:g} s, from EXPSTART to EXPEND {span:.6g} s: one of them is wrong"
        yield Finding("exposure", Verdict.WARN, f"{sentence}, or the shutter was shut meanwhile")


def _observation(primary: Header) -> Iterator[Finding]:
    flag = keyword_text(primary, "EXPFLAG")
    if flag not in {"", "NORMAL"}:
        worst = Verdict.FAIL if flag.startswith("NO") else Verdict.WARN
        yield Finding("exposure", worst, f"EXPFLAG is {flag[:40]}: the exposure did not go as planned")
    for name in ("QUALITY", "QUALCOM1", "QUALCOM2", "QUALCOM3"):
        remark = str(primary.get(name, "")).strip()
        if remark.upper().rstrip(".") not in _GOOD_QUALITY:
            yield Finding("quality", Verdict.WARN, f"{name} says: {remark[:120]}")
    lock = keyword_text(primary, "FGSLOCK")
    if lock not in _GOOD_LOCK:
        known = Verdict.PASS if lock in {"UNKNOWN", "N/A"} else Verdict.WARN
        yield Finding("guiding", known, f"FGSLOCK is {lock[:30]}: the telescope may not have held still")
    if moving_target(primary):
        sentence = "a moving target was followed (MTFLAG): it is held still, stars trail and are taken for rays"
        yield Finding("target", Verdict.WARN, sentence)


def _telemetry(primary: Header, *chips: Header) -> Iterator[Finding]:
    """Notice fill in place of telemetry that was lost."""
    marks = []
    for name in ("PODPSFF", "STDCFFF", "FILLCNT"):
        values = {keyword_text(header, name) for header in (primary, *chips)} - {"", "0", "F", "FALSE"}
        marks += [f"{name} is {value}" for value in sorted(values)]
    if marks:
        sentence = (
            f"{', '.join(marks)[:120]}: telemetry was lost, and filled; flagged only where the quality file knows"
        )
        yield Finding("fill", Verdict.WARN, sentence)


def chip_findings(primary: Header, chip: Header, name: str, *, gain: int, band: str) -> list[Finding]:
    """Return what the headers tell about one chip's calibration.

    Parameters
    ----------
    primary, chip : mapping
        Headers.
    name : str
        Of the chip.
    gain : int
        ATODGAIN.
    band : str
        Filter.
    """
    findings = (
        photmode_finding(chip, wfpc2.CHIP_NUMBERS[name], gain, band=band),
        photflam_finding(chip.get("PHOTFLAM", primary.get("PHOTFLAM")), name, gain, band=band),
        bias_finding(primary, chip, wfpc2.CHIP_NUMBERS[name]),
    )
    return [replace(finding, chips=(name,)) for finding in findings if finding is not None]


def said_once(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings of chips, those in the same words as one of all their chips."""
    chips: dict[Finding, tuple[str, ...]] = {}
    for finding in findings:
        plain = replace(finding, chips=())
        chips[plain] = (*chips.get(plain, ()), *finding.chips)
    return [replace(finding, chips=names) for finding, names in chips.items()]


def bias_finding(primary: Header, chip: Header, number: int) -> Finding | None:
    """Notice a WF4 whose bias level was low: counts are too few, and rows are streaked.

    Parameters
    ----------
    primary, chip : mapping
        Headers.
    number : int
        Of the chip; only 4 has this.
    """
    level, start = chip.get("BIASEVEN"), primary.get("EXPSTART", 0.0)
    if number != 4 or not isinstance(level, int | float) or not isinstance(start, int | float) or start < _WF4_FROM:
        return None
    if level <= _WF4_BIAS:
        state = keyword_text(primary, "WF4TCORR") or "missing"
        sentence = (
            f"bias level {level:.0f} DN (BIASEVEN) of some 311, WF4TCORR {state[:20]}: the anomaly of WF4; its counts"
            " are too few by up to a quarter, and its rows streaked; fetch the exposure anew, or leave the chip out"
        )
        return Finding("calibration", Verdict.WARN, sentence)
    before = chip.get("BIASEVNU", 0.0)
    if isinstance(before, int | float) and 0 < before <= _WF4_BIAS:
        sentence = (
            f"bias level {before:.0f} DN (BIASEVNU) before calibration corrected the anomaly of WF4: its fluxes are"
            " good to .01 to .02 mag, faint streaks along rows stay (ISR WFPC2 2009-03)"
        )
        return Finding("calibration", Verdict.PASS, sentence)
    return None


def photflam_finding(photflam: HeaderValue | None, chip: str, gain: int, *, band: str) -> Finding | None:
    """Notice a PHOTFLAM that is far from what the filter has: another unit, gain or filter.

    Parameters
    ----------
    photflam : number
        Of the header.
    chip : str
        Its name.
    gain : int
        ATODGAIN.
    band : str
        Filter; one that the table has not says nothing.
    """
    nominal = nominal_photflam(band, gain).get(chip)
    if nominal is None or isinstance(photflam, bool) or not isinstance(photflam, int | float) or photflam <= 0:
        return None
    ratio, wavelength = photflam / nominal, int(re.sub(r"\D", "", band))
    largest = _PHOTFLAM_FACTORS[0 if wavelength < _ULTRAVIOLET else 1]
    if 1.0 / largest < ratio < largest:
        return None
    sentence = (
        f"PHOTFLAM is {ratio:.3g} times what {band} has at ATODGAIN {gain} for counts per second: of another unit, gain"
        " or filter; magnitudes follow it"
    )
    return Finding("units", Verdict.WARN, sentence)
