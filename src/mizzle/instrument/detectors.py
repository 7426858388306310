"""ACS and WFC3: what their calibrated files (flt, flc) mean, each fact with its source.

Sources: *DHB* are the ACS and WFC3 Data Handbooks, *IHB* the Instrument Handbooks, *ISR* Instrument Science Reports.
All of it is a function of headers; nothing here opens a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mizzle.errors import InputError
from mizzle.model import HeaderValue
from mizzle.model.verdict import Finding, Verdict

Cards = Mapping[str, HeaderValue]

#: Bits of the data quality (ACS page "DQ flag definitions"; hstcal wf3dq.h; WFC3 DHB 2.2.3).
DQ_BITS = (
    ("reed_solomon", 1), ("fill", 2), ("bad_pixel", 4), ("masked", 8), ("hot", 16), ("unstable", 32), ("warm", 64),
    ("bad_bias", 128), ("saturated", 256), ("bad_flat", 512), ("charge_trap", 1024), ("converter_saturated", 2048),
    ("cosmic_ray", 4096), ("cr_split", 8192), ("ghost", 16384),
)  # fmt: skip
REPLACED_PIXEL, HOT, WARM, SATURATED, BAD_FLAT, COSMIC_RAY = 4, 16, 64, 256, 512, 4096


@dataclass(frozen=True)
class Detector:
    """What must be known of a detector to read its calibrated files.

    Parameters
    ----------
    camera : str
        As people say it: ``ACS/WFC``.
    instrument, detector : str
        INSTRUME and DETECTOR.
    chips : mapping
        Name of the chip by CCDCHIP; 0 where the file has no such keyword.
    amplifiers : mapping
        Amplifiers that read a chip, by its name.
    reference : str
        The chip whose PHOTFLAM leads.
    shape : (int, int)
        ``(ny, nx)`` of a whole chip.
    full_well : float
        Electrons at which a pixel is full.
    read_noise : float
        Taken where the header has none [electron].
    good : int
        Bits of the data quality that do no harm, as the archive's own mosaics take them.
    rate : bool
        Whether files hold electrons per second and cosmic rays were removed along the ramp.
    dark_rate : float
        Dark current where MEANDARK does not tell [electron / s].
    cte_from : float
        MJD from which a file without correction for charge-transfer loss is worth a warning.
    """

    camera: str
    instrument: str
    detector: str
    chips: Mapping[int, str]
    amplifiers: Mapping[str, str]
    reference: str
    shape: tuple[int, int]
    full_well: float
    read_noise: float
    good: int
    rate: bool = False
    dark_rate: float = 0.0
    cte_from: float = float("inf")


def _frozen(**entries: str) -> Mapping[str, str]:
    return MappingProxyType(dict(entries))


#: Shapes, amplifiers: DHB ch. 1, 2. Full wells: ACS ISR 2020-02; IHB 4.3 (HRC); WFC3 DHB 5.1, IHB 5.1. Good bits: the
#: archive's mosaics (HAP configuration): the dark of warm and hot pixels is subtracted, IR blobs are flat-fielded.
DETECTORS = (
    Detector(
        "ACS/WFC", "ACS", "WFC", MappingProxyType({1: "WFC1", 2: "WFC2"}), _frozen(WFC1="AB", WFC2="CD"), "WFC1",
        (2048, 4096), 77_400.0, 4.5, WARM + HOT, cte_from=54952.0,
    ),
    Detector(
        "ACS/HRC", "ACS", "HRC", MappingProxyType({0: "HRC", 1: "HRC"}), _frozen(HRC="ABCD"), "HRC", (1024, 1024),
        140_000.0, 4.7, WARM,
    ),
    Detector(
        "WFC3/UVIS", "WFC3", "UVIS", MappingProxyType({1: "UVIS1", 2: "UVIS2"}), _frozen(UVIS1="AB", UVIS2="CD"),
        "UVIS1", (2051, 4096), 68_000.0, 3.1, WARM + HOT, cte_from=55927.0,
    ),
    Detector(
        "WFC3/IR", "WFC3", "IR", MappingProxyType({0: "IR", 1: "IR"}), _frozen(IR="ABCD"), "IR", (1014, 1014),
        77_900.0, 12.0, BAD_FLAT + HOT, rate=True, dark_rate=0.048,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class ChipCalibration:
    """How a chip's stored values become electrons, and how noisy they are.

    Parameters
    ----------
    name : str
        The chip.
    to_counts : float
        Stored value times this is what the exposure collected, in units of the reference response [electron].
    gain : float
        Electrons per such unit: 1, but for UVIS2 where calibration multiplied electrons by PHTRATIO.
    read_noise, dark : float
        Rms and mean [electron]; the dark and the flash are subtracted, their noise stays.
    photflam, photplam, photbw : float
        Inverse sensitivity for one unit per second; pivot wavelength and band width [Angstrom].
    photmode : str
        What PHOTFLAM is for.
    """

    name: str
    to_counts: float
    gain: float
    read_noise: float
    dark: float
    photflam: float
    photplam: float
    photbw: float
    photmode: str


@dataclass(frozen=True)
class Calibration:
    """What the headers of one exposure say.

    Parameters
    ----------
    detector : Detector
        Whose file it is.
    band : str
        Filter; crossed filters joined by ``+``.
    exptime : float
        Exposure time [s].
    chips : tuple of ChipCalibration
        In the order of the science headers.
    findings : tuple of Finding
        What its reader should know.
    """

    detector: Detector
    band: str
    exptime: float
    chips: tuple[ChipCalibration, ...]
    findings: tuple[Finding, ...] = field(default=())


def find_detector(primary: Cards) -> Detector | None:
    """Return the detector that a primary header names, or None."""
    key = _word(primary, "INSTRUME"), _word(primary, "DETECTOR")
    return next((detector for detector in DETECTORS if (detector.instrument, detector.detector) == key), None)


def read_calibration(primary: Cards, science: tuple[Cards, ...], where: str) -> Calibration:
    """Return what the headers of an flt or flc file say.

    Parameters
    ----------
    primary : mapping
        Primary header.
    science : tuple of mapping
        Header of each SCI extension.
    where : str
        Name of the file, for messages.

    Raises
    ------
    InputError
        Not a detector that is known, not an image of the sky, or something needed is missing.
    """
    detector = find_detector(primary)
    if detector is None:
        camera = f"{_word(primary, 'INSTRUME')}/{_word(primary, 'DETECTOR')}"
        known = ", ".join(detector.camera for detector in DETECTORS)
        raise InputError(f"{where}: camera {camera}; needed WFPC2, {known}", file=where, camera=camera)
    _refuse(detector, primary, where)
    exptime = _number(primary, "EXPTIME", where)
    if exptime <= 0:
        raise InputError(f"{where}: EXPTIME is {exptime:g}; nothing was exposed", file=where, exptime=exptime)
    chips = tuple(_chip(detector, primary, cards, exptime=exptime, where=where) for cards in science)
    return Calibration(detector, band_of(primary), exptime, chips, _findings(detector, primary, science))


def band_of(primary: Cards) -> str:
    """Return the filter: FILTER, or what is not clear of FILTER1 and FILTER2, sorted and joined by ``+``.

    Examples
    --------
    >>> band_of({"FILTER1": "CLEAR1L", "FILTER2": "F814W"}), band_of({"FILTER1": "POL0V", "FILTER2": "F606W"})
    ('F814W', 'F606W+POL0V')
    """
    names = [_word(primary, key) for key in ("FILTER", "FILTER1", "FILTER2")]
    wavelength = primary.get("LRFWAVE", 0.0)
    kept = sorted(name for name in names if name and not name.startswith(("CLEAR", "N/A")))
    if isinstance(wavelength, float | int) and wavelength > 0:
        kept = [f"{name}@{wavelength:.0f}" if name.startswith("FR") else name for name in kept]
    return "+".join(kept) or "CLEAR"


def _word(cards: Cards, key: str) -> str:
    return str(cards.get(key, "")).strip().upper()


def _number(cards: Cards, key: str, where: str) -> float:
    value = cards.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: {key} is {value!r}, needed a number", file=where, keyword=key)
    return float(value)


def _refuse(detector: Detector, primary: Cards, where: str) -> None:
    """Raise for what is no image of the sky by itself."""
    kind, scan = _word(primary, "OBSTYPE"), _word(primary, "SCAN_TYP")
    if kind and kind != "IMAGING":
        raise InputError(f"{where}: OBSTYPE is {kind}; needed an image of the sky (IMAGING)", file=where)
    if scan not in {"", "N"}:
        raise InputError(f"{where}: a spatial scan (SCAN_TYP {scan}); its stars are lines", file=where)
    if _word(primary, "CRCORR") == "COMPLETE" and not detector.rate:
        raise InputError(
            f"{where}: a sum of CR-SPLIT exposures (CRCORR COMPLETE); needed the single exposures, flt or flc",
            file=where,
        )


def _chip(detector: Detector, primary: Cards, cards: Cards, *, exptime: float, where: str) -> ChipCalibration:
    number = cards.get("CCDCHIP", 0)
    name = detector.chips.get(int(number) if isinstance(number, int | float) else -1)
    if name is None:
        raise InputError(f"{where}: CCDCHIP is {number!r}, not a chip of {detector.camera}", file=where)
    unit = _word(cards, "BUNIT")
    if unit not in {"ELECTRONS", "ELECTRONS/S", "ELECTRON", "ELECTRON/S", "E-", "E-/S"}:
        raise InputError(
            f"{where}: {name}: BUNIT is '{unit}', needed ELECTRONS or ELECTRONS/S: a calibrated flt or flc",
            file=where,
            unit=unit,
        )
    ratio = _response(primary, cards, name)
    dark = sum(float(value) for key in ("MEANDARK", "MEANFLSH") if isinstance(value := cards.get(key), int | float))
    photflam = _photflam(primary, cards, name, where=where)
    shared = {**primary, **cards}
    return ChipCalibration(
        name=name,
        to_counts=exptime if unit.endswith("/S") else 1.0,
        gain=1.0 / ratio,
        read_noise=_read_noise(detector, primary, name),
        dark=dark or detector.dark_rate * exptime,
        photflam=photflam,
        photplam=_number(shared, "PHOTPLAM", where),
        photbw=_number(shared, "PHOTBW", where),
        photmode=str(shared.get("PHOTMODE", "")).strip(),
    )


def _response(primary: Cards, cards: Cards, name: str) -> float:
    """Return what calibration multiplied a chip's electrons by: PHTRATIO on UVIS2 (WFC3 DHB 3.2.15), else 1.

    The extension of CCDCHIP 1 says PHTRATIO = 0; it is not scaled.
    """
    if name != "UVIS2" or _word(primary, "FLUXCORR") != "COMPLETE":
        return 1.0
    for source in (cards, primary):
        value = source.get("PHTRATIO", 0.0)
        if isinstance(value, int | float) and value > 0:
            return float(value)
    return 1.0


def _photflam(primary: Cards, cards: Cards, name: str, *, where: str) -> float:
    """Return PHOTFLAM of a chip; the primary header has it where the extension has not (IR).

    UVIS chips that calibration did not bring to one response (FLUXCORR not COMPLETE) have PHTFLAM1 and PHTFLAM2.
    """
    key = "PHOTFLAM"
    if name.startswith("UVIS") and _word(primary, "FLUXCORR") != "COMPLETE":
        own = f"PHTFLAM{name[-1]}"
        key = own if own in cards or own in primary else key
    value = _number(cards if key in cards else primary, key, where)
    if not 0 < value < 1e-10:
        raise InputError(f"{where}: {name}: {key} is {value:g}, needed an inverse sensitivity above 0", file=where)
    return value


def _read_noise(detector: Detector, primary: Cards, name: str) -> float:
    """Return the root of the mean variance of the amplifiers in use [electron]; an IR ramp's is that of its fit.

    A ramp's effective noise is about 12 electrons for long ramps and 20 for two reads (WFC3 IHB 5.7, 9).
    """
    if detector.rate:
        reads = primary.get("NSAMP", 16)
        return 20.0 if isinstance(reads, int) and reads <= 3 else detector.read_noise
    used = _word(primary, "CCDAMP") or detector.amplifiers[name]
    values = [primary.get(f"READNSE{amp}", 0.0) for amp in detector.amplifiers[name] if amp in used]
    known = [float(value) for value in values if isinstance(value, int | float) and value > 0]
    return (sum(value**2 for value in known) / len(known)) ** 0.5 if known else detector.read_noise


def amplifier_border(primary: Cards, cards: Cards, name: str, *, columns: int) -> int | None:
    """Return the column at which the second of a chip's two amplifiers begins, or None where one reads all of it.

    Parameters
    ----------
    primary, cards : mapping
        Primary header (CCDAMP) and that of the chip's extension (LTV1 of a subarray).
    name : str
        The chip.
    columns : int
        Of its image.
    """
    detector = find_detector(primary)
    pair = detector.amplifiers.get(name, "") if detector is not None else ""
    if detector is None or len(pair) != 2 or not all(amp in _word(primary, "CCDAMP") for amp in pair):
        return None
    moved = cards.get("LTV1", 0.0)
    border = detector.shape[1] // 2 + (round(moved) if isinstance(moved, int | float) else 0)
    # Four strips of sky are wanted on it.
    return border if 256 <= border <= columns - 256 else None


def _findings(detector: Detector, primary: Cards, science: tuple[Cards, ...]) -> tuple[Finding, ...]:
    """Return what is worth saying about an exposure of this detector."""
    findings = []
    start = primary.get("EXPSTART", 0.0)
    late = isinstance(start, int | float) and start > detector.cte_from
    if late and _word(primary, "PCTECORR") != "COMPLETE":
        findings.append(
            Finding(
                "calibration",
                Verdict.WARN,
                "not corrected for charge-transfer loss (PCTECORR): faint stars far from the amplifier are too faint"
                " and displaced; fetch the flc",
            )
        )
    if detector.camera == "WFC3/UVIS" and _word(primary, "FLUXCORR") not in {"COMPLETE", ""}:
        findings.append(
            Finding(
                "calibration", Verdict.PASS, "chips not brought to one response (FLUXCORR): PHTFLAM1 and PHTFLAM2 taken"
            )
        )
    if any("MDRIZSKY" in cards for cards in science):
        findings.append(Finding("calibration", Verdict.PASS, "MDRIZSKY is the archive's sky; it was not subtracted"))
    return tuple(findings)


def calibration_versions(primaries: Mapping[str, Cards]) -> tuple[Finding, ...]:
    """Return a warning where exposures of one set were calibrated with different zeropoint tables.

    Parameters
    ----------
    primaries : mapping
        Primary header by rootname.
    """
    tables = {root: _word(cards, "IMPHTTAB") or _word(cards, "CAL_VER") for root, cards in primaries.items()}
    if len(set(tables.values())) < 2:
        return ()
    groups: dict[str, list[str]] = {}
    for root, table in sorted(tables.items()):
        groups.setdefault(table or "none", []).append(root)
    words = "; ".join(f"{table}: {', '.join(roots[:4])}" for table, roots in groups.items())
    return (
        Finding(
            "inputs",
            Verdict.WARN,
            f"zeropoints of different calibrations ({words}): PHOTFLAM may differ by 1-2 % for no reason of the sky;"
            " fetch all exposures anew",
        ),
    )
