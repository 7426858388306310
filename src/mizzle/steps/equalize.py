"""Bring every chip to one PHOTFLAM: the factors, and where they come from.

A chip's DN times ``PHOTFLAM_chip / PHOTFLAM_reference`` is DN at the reference zeropoint. PHOTFLAM already
knows the chip, the gain setting and the epoch; the gain table never enters, for it disagrees with the
measured ratios by up to 1.7 % (Holtzman et al. 1995, PASP 107, 1065).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median_low

from mizzle.errors import DataError, SettingsError
from mizzle.instrument.cameras import chip_named
from mizzle.model import Chip, Exposure, Finding, FluxReference, FluxScales, Verdict, visit_of
from mizzle.model.user_tables import FluxCorrection
from mizzle.settings import EqualizeSettings, Settings

# The two gain settings differ by this much (Holtzman et al. 1995, Table 1: 1.955 to 2.006).
_GAIN_RATIO = (1.90, 2.10)
# PHOTFLAM of one chip, filter and gain are the same all through a visit, to this: chips differ by 0.4 % and more.
_ALIKE = 0.002


def equalize(
    exposures: Sequence[Exposure],
    settings: Settings,
    *,
    corrections: Iterable[FluxCorrection] = (),
) -> FluxScales:
    """Find the factor of each chip to the one PHOTFLAM of its filter.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one or more filters, gains and epochs; their order does not matter.
    settings : Settings
        ``equalize``: the reference chip, exposure or number. Where no exposure of a filter has that chip, another
        takes its place, and a note says so.
    corrections : iterable of FluxCorrection, keyword-only
        What the user knows better than the headers; the reference is corrected too.

    Returns
    -------
    scales : FluxScales
        ``factors[root][chip]``, exactly ``PHOTFLAM_chip / PHOTFLAM_reference``; the reference by filter.

    Raises
    ------
    SettingsError
        An unknown chip or exposure, one number for several filters, or a correction that is not positive.
    DataError
        A PHOTFLAM is not a positive number.
    """
    options = settings.equalize
    rows = tuple(corrections)
    _check_request(exposures, options, rows)
    ordered = sorted(exposures, key=lambda exposure: (exposure.mjd_start, exposure.root))
    photflams = {e.root: {name: _photflam(e, chip, rows) for name, chip in e.chips.items()} for e in ordered}
    references: dict[str, FluxReference] = {}
    for exposure in ordered:
        if exposure.filter not in references:
            group = [e for e in ordered if e.filter == exposure.filter]
            references[exposure.filter] = _reference(group, photflams, options)
    factors = {
        e.root: {
            name: value / references[e.filter].photflam if options.enabled else 1.0
            for name, value in photflams[e.root].items()
        }
        for e in exposures
    }
    notes = _notes(ordered, photflams, references, options=options)
    return FluxScales(references, factors, notes)


def _check_request(exposures: Sequence[Exposure], options: EqualizeSettings, rows: Sequence[FluxCorrection]) -> None:
    """Refuse a request that cannot be meant."""
    if not exposures:
        raise DataError("equalize: no exposure is left, at least one is needed", n_exposures=0)
    if chip_named(options.reference) is None:
        raise SettingsError(
            f"equalize.reference: found {options.reference!r}; one of {', '.join(exposures[0].camera.chips)} is needed",
            reference=options.reference,
        )
    roots = sorted(exposure.root for exposure in exposures)
    if options.exposure is not None and options.exposure.lower() not in roots:
        raise SettingsError(
            f"equalize.exposure: {options.exposure!r} is not an input; choose from {', '.join(roots)}",
            exposure=options.exposure,
        )
    filters = sorted({exposure.filter for exposure in exposures})
    if options.photflam is not None and len(filters) > 1:
        raise SettingsError(
            f"equalize.photflam: one number cannot serve {len(filters)} filters ({', '.join(filters)});"
            " run each filter by itself, or leave it unset",
            filters=filters,
        )
    for row in rows:
        if not 0 < row.factor < math.inf or not (row.photflam is None or 0 < row.photflam < math.inf):
            raise SettingsError(f"equalize.factors: factor and photflam must be positive numbers; found {row}")


def _matches(row: FluxCorrection, exposure: Exposure, chip: str) -> bool:
    """Whether all conditions of a correction hold."""
    return (
        row.chip in ("", chip)
        and row.filter.upper() in ("", exposure.filter.upper())
        and row.root.lower() in ("", exposure.root)
        and row.commanded_gain in (0, exposure.commanded_gain)
        and row.mjd_min <= exposure.mjd_start < row.mjd_max
    )


def _photflam(exposure: Exposure, chip: Chip, rows: Sequence[FluxCorrection]) -> float:
    """Return the chip's PHOTFLAM after the user's corrections."""
    corrections = [row for row in rows if _matches(row, exposure, chip.name)]
    given = [row.photflam for row in corrections if row.photflam is not None]
    value = given[-1] if given else chip.photflam
    for row in corrections:
        value *= row.factor
    if not 0 < value < math.inf:
        raise DataError(
            f"{exposure.root} {chip.name}: PHOTFLAM is {value}, a positive number is needed;"
            " give it in a table (equalize.factors) or drop the exposure",
            root=exposure.root,
            chip=chip.name,
            photflam=value,
        )
    return value


def _reference(
    group: Sequence[Exposure], photflams: Mapping[str, Mapping[str, float]], options: EqualizeSettings
) -> FluxReference:
    """Choose the reference of one filter; `group` is sorted by start, then root."""
    first = chip_named(options.reference) or options.reference
    wanted = [e for e in group if options.exposure is not None and e.root == options.exposure.lower()] or group
    # Visits of one chip are common: the reference falls back, and the notes say so.
    camera = wanted[0].camera
    choices = (first, camera.reference, *camera.stand_ins, *wanted[0].chips)
    name = next(chip for chip in choices if any(chip in e.chips for e in wanted))
    having = [e for e in wanted if name in e.chips]
    exposure = having[0]
    chip = exposure.chips[name]
    origin = f"{name} of {exposure.root}" if options.photflam is None else "equalize.photflam"
    return FluxReference(
        chip=name,
        photflam=photflams[exposure.root][name] if options.photflam is None else options.photflam,
        photplam=chip.photplam,
        photbw=chip.photbw,
        photzpt=chip.photzpt,
        photmode=chip.photmode,
        gain=chip.gain,
        origin=origin,
    )


def _notes(
    ordered: Sequence[Exposure],
    photflams: Mapping[str, Mapping[str, float]],
    references: Mapping[str, FluxReference],
    *,
    options: EqualizeSettings,
) -> tuple[str, ...]:
    """Say what a person should know: a reference that is not the first exposure, gains that look wrong."""
    notes = [] if options.enabled else ["equalize.enabled is false: chips keep their own zeropoints"]
    for name, reference in references.items():
        group = [e for e in ordered if e.filter == name]
        first = group[0]
        chosen = chip_named(options.reference) or options.reference
        if reference.chip != chosen:
            notes.append(f"{name}: no exposure has {chosen}, the reference asked for; it is {reference.origin}")
        elif reference.chip not in first.chips and options.photflam is None and options.exposure is None:
            notes.append(f"{name}: {first.root} has no {reference.chip}; the reference is {reference.origin}")
        for chip in group[0].camera.chips:
            by_gain = {e.commanded_gain: photflams[e.root][chip] for e in reversed(group) if chip in e.chips}
            if {7, 15} <= set(by_gain) and not _GAIN_RATIO[0] < by_gain[15] / by_gain[7] < _GAIN_RATIO[1]:
                ratio = by_gain[15] / by_gain[7]
                notes.append(
                    f"{name} {chip}: PHOTFLAM at gain 15 is {ratio:.4f} times that at gain 7;"
                    " about 2 is expected, check the headers"
                )
    return tuple(notes)


def photflam_findings(exposures: Sequence[Exposure], scales: FluxScales) -> tuple[Finding, ...]:
    """Say which exposure has another PHOTFLAM than the others of its visit: of another chip, or calibration.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    scales : FluxScales
        Where a table of the user's brings the chips together, nothing is said.
    """
    groups: dict[tuple[str, int], list[Exposure]] = {}
    for exposure in exposures:
        groups.setdefault((visit_of(exposure), exposure.commanded_gain), []).append(exposure)
    off: dict[tuple[str, str], dict[str, float]] = {}
    for group in groups.values():
        for name in dict.fromkeys(name for exposure in group for name in exposure.chips):
            for key, value in _unlike(name, [e for e in group if name in e.chips], scales).items():
                off.setdefault(key, {})[name] = value
    return tuple(
        Finding(
            "zeropoint",
            Verdict.WARN,
            f"{root}: PHOTFLAM is not that of {usual}, of the same visit, filter and gain:"
            f" {', '.join(f'{name} {100 * value:+.2f} %' for name, value in chips.items())}: of another chip, or of"
            " another calibration; magnitudes follow it",
            tuple(chips),
        )
        for (root, usual), chips in off.items()
    )


def _unlike(name: str, group: Sequence[Exposure], scales: FluxScales) -> dict[tuple[str, str], float]:
    """Return, by exposure and one that is as most are, how far a chip's PHOTFLAM is off."""
    values = {e.root: e.chips[name].photflam for e in group}
    if not all(0 < value < math.inf for value in values.values()):
        return {}
    middle = median_low(values.values())
    usual = next(root for root, value in values.items() if value == middle)
    ratios = {root: value / middle - 1.0 for root, value in values.items()}
    used = {root: scales.factors[root][name] / scales.factors[usual][name] - 1.0 for root in values}
    return {(root, usual): off for root, off in ratios.items() if min(abs(off), abs(used[root])) > _ALIKE}
