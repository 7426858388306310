"""What is remarkable about a sky: no blank one in the frame, a chip or an exposure far from the others, below zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.model import Exposure, Finding, FluxScales, SkyLevels, Verdict
from mizzle.model.sky import KNOWN_SKY, ST_ZEROPOINT

PART = "sky"

#: The brightest blank sky [erg/s/cm2/A/arcsec2] in V: 21.5 mag per square arcsec, zodiacal light near the ecliptic
#: and light of the Earth's limb together (WFPC2 Instrument Handbook, 6.4: 22.1 to 23.3 without it); its shape is
#: the Sun's, relative to V at some wavelengths [A].
BRIGHTEST_BLANK = 9.1e-18
_WAVELENGTHS = (2000.0, 2500.0, 3000.0, 3500.0, 4500.0, 5500.0, 6750.0, 8000.0, 10000.0)
_SOLAR = (0.02, 0.06, 0.3, 0.55, 1.08, 1.0, 0.82, 0.62, 0.40)
#: What is left of bias and dark makes a sky uncertain by so much [DN]; beyond it, sky is taken for light.
PEDESTAL = 1.0
#: A chip's own level differs from that in other exposures: WARN beyond so many DN, and so much of the sky.
CHIP_COUNTS, CHIP_SHARE = 1.0, 0.05
#: A chip's own level in all exposures: what is left of bias and dark is 1 DN at most (IHB 2008, section 4.5).
PEDESTAL_COUNTS = 2.0
#: An exposure's sky is far from the others' beyond this factor, and so many DN.
FACTOR, FACTOR_COUNTS = 3.0, 2.0
#: A sky lower than this has no explanation but a fault [DN].
BELOW_ZERO = -2.0


def brightest_blank(wavelength: float) -> float:
    """Return the surface brightness of the brightest blank sky [erg/s/cm2/A/arcsec2].

    Parameters
    ----------
    wavelength : float
        Pivot wavelength [Angstrom]; NaN counts as 5500.
    """
    return BRIGHTEST_BLANK * float(np.interp(wavelength if np.isfinite(wavelength) else 5500.0, _WAVELENGTHS, _SOLAR))


def sky_findings(exposures: Sequence[Exposure], scales: FluxScales, sky: SkyLevels) -> tuple[Finding, ...]:
    """Hold the sky of one filter's exposures against what a sky can be, and against each other.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    scales : FluxScales
        Factors and zeropoint.
    sky : SkyLevels
        Measured.
    """
    findings = [*_no_blank_sky(exposures, scales, sky), *_below_zero(exposures, scales, sky)]
    if len(exposures) > 1 and sky.matched:
        findings += [*_chips_apart(exposures, scales, sky), *_exposures_apart(exposures, scales, sky)]
        findings += _pedestals(exposures, scales, sky)
    return tuple(findings)


def _unit(exposure: Exposure, name: str) -> float:
    """Return surface brightness [equalized DN/s per square arcsec] of an equalized DN per pixel."""
    return 1.0 / (exposure.exptime * exposure.chips[name].frame.scale ** 2)


def _no_blank_sky(exposures: Sequence[Exposure], scales: FluxScales, sky: SkyLevels) -> list[Finding]:
    """Say where even the faintest sky is too bright for one."""
    reference = scales.references.get(exposures[0].filter, scales.reference)
    blank = brightest_blank(reference.photplam) / reference.photflam
    bright: list[tuple[float, Exposure, str]] = []
    for exposure in exposures:
        levels = {n: b for n, b in sky.brightness[exposure.root].items() if np.isfinite(b)}
        if not levels:
            continue
        name = min(levels, key=lambda n: levels[n])
        unit = _unit(exposure, name) * scales.factors[exposure.root][name]
        if levels[name] > blank + PEDESTAL * unit:
            bright.append((levels[name] / blank, exposure, name))
    if not bright:
        return []
    times, exposure, name = max(bright, key=lambda entry: entry[0])
    measured = sky.brightness[exposure.root][name]
    st = ST_ZEROPOINT - 2.5 * np.log10(measured * reference.photflam)
    taken = sky.levels[exposure.root][name] * _unit(exposure, name) / measured
    kept = sky.method in ("none", "user")
    return [
        Finding(
            PART,
            Verdict.PASS if kept else Verdict.WARN,
            f"no blank sky in the frame: the faintest, {name} of {exposure.root}, has ST {st:.1f} mag per square"
            f" arcsec, {times:.3g} times the brightest blank sky ({len(bright)} of {len(exposures)} exposures):"
            f" a nebula, a galaxy, a crowd of stars or light of the Earth fills it, and {100 * taken:.0f} % of it was"
            " taken off as sky" + ("" if kept else "; sky.method none or user keeps it"),
        )
    ]


def _below_zero(exposures: Sequence[Exposure], scales: FluxScales, sky: SkyLevels) -> list[Finding]:
    findings = []
    for exposure in exposures:
        low = {
            name: dn
            for name in exposure.chips
            if (dn := sky.measured(exposure.root, name) / scales.factors[exposure.root][name]) < BELOW_ZERO
        }
        if low:
            words = ", ".join(f"{name} {dn:.1f}" for name, dn in low.items())
            findings.append(
                Finding(
                    PART, Verdict.WARN, f"{exposure.root}: a sky below zero (DN): {words}; bias or fill", tuple(low)
                )
            )
    return findings


def _own(exposures: Sequence[Exposure], sky: SkyLevels) -> tuple[list[str], FloatArray, FloatArray]:
    """Return chip names; each exposure's sky (n,), and what each chip has of its own (n, chips), as brightness."""
    names = list(dict.fromkeys(name for exposure in exposures for name in exposure.chips))
    table = np.full((len(exposures), len(names)), np.nan)
    for row, exposure in enumerate(exposures):
        for name in exposure.chips:
            table[row, names.index(name)] = sky.comparable(exposure.root, name) * _unit(exposure, name)
    known = np.isfinite(table)
    common = np.array([float(np.median(r[k])) if k.any() else np.nan for r, k in zip(table, known, strict=True)])
    return names, common, table - common[:, None]


def _chips_apart(exposures: Sequence[Exposure], scales: FluxScales, sky: SkyLevels) -> list[Finding]:
    """Say which chip has more or less than in the other exposures, the sky that all see aside."""
    names, common, own = _own(exposures, sky)
    findings = []
    for column, name in enumerate(names):
        for row, off in _far(own[:, column], sky, exposures, name=name):
            exposure = exposures[row]
            to_counts = 1.0 / (_unit(exposure, name) * scales.factors[exposure.root][name])
            if abs(off) * to_counts > CHIP_COUNTS + CHIP_SHARE * abs(common[row] * to_counts):
                findings.append(
                    Finding(
                        PART,
                        Verdict.WARN,
                        f"{exposure.root}: the sky of {name} is {abs(off) * to_counts:.1f} {exposure.camera.counts}"
                        f" {'above' if off > 0 else 'below'} what it is in the other exposures,"
                        " whose overlaps agree; sky.match_by chip takes it off",
                        (name,),
                    )
                )
    return findings


def _pedestals(exposures: Sequence[Exposure], scales: FluxScales, sky: SkyLevels) -> list[Finding]:
    """Say which chip has more or less sky than its neighbors where both see the same, in all exposures."""
    names, common, own = _own(exposures, sky)
    findings = []
    for column, name in enumerate(names):
        known = np.isfinite(own[:, column])
        if not known.any() or len(names) < 3:
            continue
        to_counts = np.array(
            [1.0 / (_unit(e, name) * scales.factors[e.root][name]) if name in e.chips else np.nan for e in exposures]
        )
        off = float(np.median((own[:, column] * to_counts)[known]))
        usual = float(np.median((common * to_counts)[known]))
        if abs(off) > PEDESTAL_COUNTS + CHIP_SHARE * abs(usual):
            findings.append(
                Finding(
                    PART,
                    Verdict.WARN,
                    f"the sky of {name} is {abs(off):.1f} {exposures[0].camera.counts}"
                    f" {'above' if off > 0 else 'below'} that of the other chips"
                    f" where they see the same, in {np.count_nonzero(known)} of {len(exposures)} exposures: bias or"
                    " dark is left in it; sky.match_by chip takes it off",
                    (name,),
                )
            )
    return findings


def _far(own: FloatArray, sky: SkyLevels, exposures: Sequence[Exposure], *, name: str) -> list[tuple[int, float]]:
    """Return which exposures have how much more of their own on one chip than others that know the sky as well."""
    units = np.array([_unit(e, name) if name in e.chips else np.nan for e in exposures])
    known = np.flatnonzero(np.isfinite(own))
    if known.size == 2:
        # Two differ: the odd one is that whose chip is less like the rest of its exposure.
        first, second = known.tolist()
        odd = [abs(_beside_others(sky, exposures[row].root, name)) for row in (first, second)]
        row, other = (first, second) if odd[0] > odd[1] else (second, first)
        return [(row, float(own[row] - own[other]))] if units[other] <= KNOWN_SKY * units[row] else []
    far = []
    for row in known.tolist():
        alike = known[units[known] <= KNOWN_SKY * units[row]]
        if alike.size > 1:
            far.append((row, float(own[row] - np.median(own[alike]))))
    return far


def _beside_others(sky: SkyLevels, root: str, name: str) -> float:
    """Return how far a chip's measured sky is from the other chips' of its exposure [brightness]."""
    rows = sky.brightness[root]
    others = [value for key, value in rows.items() if key != name and np.isfinite(value)]
    return rows[name] - float(np.median(others)) if others else 0.0


def _exposures_apart(exposures: Sequence[Exposure], scales: FluxScales, sky: SkyLevels) -> list[Finding]:
    """Say which exposure's sky is far from that of the others."""
    _, common, _ = _own(exposures, sky)
    findings = []
    shown = [e.camera.reference if e.camera.reference in e.chips else next(iter(e.chips)) for e in exposures]
    units = np.array([_unit(e, n) * scales.factors[e.root][n] for e, n in zip(exposures, shown, strict=True)])
    for row in np.flatnonzero(np.isfinite(common)).tolist():
        exposure, name, to_counts = exposures[row], shown[row], 1.0 / units[row]
        # What far shorter exposures know of the sky is no measure of this one's.
        known = common[np.isfinite(common) & (units <= KNOWN_SKY * units[row])]
        if known.size < 2:
            continue
        middle = float(np.median(known)) if known.size > 2 else float(known.min())
        level, usual = common[row] * to_counts, middle * to_counts
        if abs(level - usual) > FACTOR_COUNTS and not usual / FACTOR < level < usual * FACTOR:
            findings.append(
                Finding(
                    PART,
                    Verdict.WARN,
                    f"{exposure.root}: its sky, {level:.1f} {exposure.camera.counts} on {name}, is far from that of the"
                    f" other exposures, which would give {usual:.1f}: light of the Earth, a nearby bright source, or no"
                    " light at all",
                )
            )
    return findings
