"""What is remarkable about the cosmic rays of a run: too many or too few for the time, or sitting on stars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mizzle.instrument.dq import ALL_BITS
from mizzle.model import Alignment, CosmicRays, Exposure, Finding, Runner, Verdict
from mizzle.stars.pieces import longest_piece
from mizzle.steps.reject.star_centers import PART, star_center_findings

#: Share of pixels hit by cosmic rays per second: 4 % in 2000 s (WFPC2 Instrument Handbook, section 4.9).
CR_RATE = 2.0e-5
#: A chip has too many beyond this many times the expected share and so much more (what noise makes); it has too few
#: below this share of it, where so many are expected at least.
MANY, NOISE_SHARE, FEW, FEW_EXPECTED = 2.0, 0.005, 0.25, 0.004
#: A chip of which more than this is flagged when it is read has too little left for rays to be counted.
UNUSABLE = 0.9
#: A chip is unlike itself in the other exposures beyond this factor.
APART = 3.0
#: The same pixels in most of three or more exposures (so many masks are held together at most): so large a share more
#: than twice chance.
MOST_MASKS, AGAIN = 12, 0.002
#: Flagged pixels that hang together over such a part of a chip's side are a trail.
TRAIL = 0.3


@dataclass(frozen=True)
class Expected:
    """Share of pixels that cosmic rays should hit, and where the figure comes from."""

    fraction: float
    origin: str


def expected_rate(exposure: Exposure) -> Expected:
    """Return the share of pixels that cosmic rays should hit.

    Simulated exposures say it in CRRATE, the share of pixels hit.
    """
    known = exposure.keyword("CRRATE")
    if isinstance(known, (int, float)) and not isinstance(known, bool) and math.isfinite(known):
        return Expected(float(known), "CRRATE of the simulated exposure")
    if not exposure.camera.rays:
        return Expected(0.0, "none: the ramp was cleaned of them")
    return Expected(CR_RATE * exposure.exptime, "4 % in 2000 s, linear in time")


def ray_findings(
    exposures: Sequence[Exposure], rays: CosmicRays, runner: Runner, *, alignment: Alignment | None = None
) -> tuple[Finding, ...]:
    """Hold the flagged pixels of one filter's exposures against the time, the other exposures, and the stars.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    rays : CosmicRays
        The masks.
    runner : Runner
        Where stars are looked at.
    alignment : Alignment, optional
        Where the exposures lie: as their headers have it, without it.
    """
    searched = [e for e in exposures if rays.methods.get(e.root, "none") != "none"]
    findings: list[Finding] = []
    for exposure in searched:
        findings += _against_time(exposure, rays)
    findings += [*_against_others(searched, rays), *_same_places(searched, rays), *_trails(searched, rays)]
    findings += _brighter(searched, rays)
    shares = {
        e.root: {name: min(share, expected_rate(e).fraction) for name, share in rays.fractions[e.root].items()}
        for e in searched
    }
    return (*findings, *star_center_findings(searched, rays, shares, alignment=alignment, runner=runner))


def _against_time(exposure: Exposure, rays: CosmicRays) -> list[Finding]:
    """Say which chips of an exposure have more, or fewer, rays than its time explains."""
    expected = expected_rate(exposure).fraction
    shares = rays.fractions[exposure.root]
    many = {name: share for name, share in shares.items() if share > MANY * expected + NOISE_SHARE}
    few = {
        name: share
        for name, share in shares.items()
        if share < FEW * expected and expected > FEW_EXPECTED and not _unusable(exposure, name)
    }
    findings = []
    for chips, words in (
        (many, "more than twice what the exposure time explains: trailed or misaligned, a trail of a satellite, stars"
               " flagged, or a part of the orbit with many rays"),
        (few, "far fewer than the exposure time makes: were they removed before?"),
    ):  # fmt: skip
        if chips:
            listed = ", ".join(f"{name} {100 * share:.2f} %" for name, share in chips.items())
            text = f"{exposure.root}: {listed} of the pixels flagged, {100 * expected:.2f} % expected: {words}"
            findings.append(Finding(PART, Verdict.WARN, text, tuple(chips)))
    return findings


def _brighter(exposures: Sequence[Exposure], rays: CosmicRays) -> list[Finding]:
    """Say in which exposures stars are brighter than in the others, by a factor all around."""
    counts = {e.root: sum(map(len, chips.values())) for e in exposures if (chips := rays.brighter.get(e.root))}
    if not counts:
        return []
    listed = ", ".join(f"{count} in {root}" for root, count in counts.items())
    text = (
        f"brighter on all sides than in the other exposures, as variable stars are, or hit by rays: {listed}; taken for"
        " rays unless reject.keep_brighter is set; flag 512 of the catalog"
    )
    return [Finding(PART, Verdict.PASS, text)]


def _unusable(exposure: Exposure, name: str) -> bool:
    """Tell whether so much of a chip is flagged that rays have no place on it; that is said when it is read."""
    bad = (exposure.chips[name].dq & np.uint16(ALL_BITS & ~exposure.camera.good)) != 0
    return bool(np.mean(bad) > UNUSABLE)


def _against_others(exposures: Sequence[Exposure], rays: CosmicRays) -> list[Finding]:
    """Say which chip has a share of rays unlike that in the other exposures, the times taken into account."""
    findings = []
    for name in dict.fromkeys(name for exposure in exposures for name in exposure.chips):
        with_chip = [e for e in exposures if name in rays.fractions[e.root]]
        if len(with_chip) < 3:
            continue
        rates = np.array([rays.fractions[e.root][name] / max(expected_rate(e).fraction, 1e-9) for e in with_chip])
        usual = float(np.median(rates))
        for exposure, rate in zip(with_chip, rates.tolist(), strict=True):
            share = rays.fractions[exposure.root][name]
            known = share > MANY * expected_rate(exposure).fraction + NOISE_SHARE
            if share > APART * usual * expected_rate(exposure).fraction + NOISE_SHARE and not known:
                findings.append(
                    Finding(
                        PART,
                        Verdict.WARN,
                        f"{exposure.root}: {100 * share:.2f} % of {name} flagged, {rate / usual:.1f} times what the"
                        " other exposures let expect",
                        (name,),
                    )
                )
    return findings


def _same_places(exposures: Sequence[Exposure], rays: CosmicRays) -> list[Finding]:
    """Say where the same pixels of a chip are flagged in several exposures: rays never strike twice."""
    findings = []
    for name in dict.fromkeys(name for exposure in exposures for name in exposure.chips):
        with_chip = [e for e in exposures if name in e.chips and rays.fractions[e.root].get(name, 0.0) > 0][:MOST_MASKS]
        shapes = {e.chips[name].shape for e in with_chip}
        if len(with_chip) < 3 or len(shapes) > 1:
            continue
        (shape,) = shapes
        count = np.zeros(shape, np.uint8)  # a sum of masks side by side would be eight times as large
        for exposure in with_chip:
            count += rays.mask(exposure.root, name, shape)
        needed = max(2, math.ceil(0.6 * len(with_chip)))
        share = float(count.mean(dtype=np.float64)) / len(with_chip)
        chance = math.comb(len(with_chip), needed) * share**needed
        often = count >= needed
        if float(np.mean(often)) <= 2.0 * chance + AGAIN:
            continue
        columns = np.flatnonzero(often.mean(axis=0) > 0.3)
        where = f", columns {', '.join(str(c + 1) for c in columns[:6])} of them" if columns.size else ""
        findings.append(
            Finding(
                PART,
                Verdict.WARN,
                f"{name}: {100 * float(np.mean(often)):.2f} % of the pixels are flagged in most exposures{where}, which"
                " rays are not: hot pixels or columns that no flag marks, or light left from an earlier exposure",
                (name,),
            )
        )
    return findings


def _trails(exposures: Sequence[Exposure], rays: CosmicRays) -> list[Finding]:
    """Say where a straight trail was flagged whole, or what was flagged hangs together over a good part of a chip."""
    findings = []
    for exposure in exposures:
        straight = rays.trails.get(exposure.root, {})
        long: dict[str, int] = {}
        for name, chip in exposure.chips.items():
            length = 0.0 if name in straight else longest_piece(rays.mask(exposure.root, name, chip.shape))
            if length > TRAIL * max(chip.shape):
                long[name] = round(length)
        if straight:
            words = ", ".join(f"{name} ({width:.0f} pixels wide)" for name, width in straight.items())
            text = f"{exposure.root}: a straight trail crosses {words} and was flagged whole: a satellite"
            findings.append(Finding(PART, Verdict.WARN, text, tuple(straight)))
        if long:
            words = ", ".join(f"{length} pixels of {name}" for name, length in long.items())
            text = f"{exposure.root}: a trail along {words} was flagged: a satellite, a spike, or a bleeding column"
            findings.append(Finding(PART, Verdict.WARN, text, tuple(long)))
    return findings
