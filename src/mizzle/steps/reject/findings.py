"""What is remarkable about the cosmic rays of a run: too many or too few for the time, or sitting on stars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mizzle.arrays import FloatArray, Mask
from mizzle.instrument.dq import ALL_BITS
from mizzle.kernel.pixels import grow
from mizzle.model import CosmicRays, Exposure, Finding, Runner, Verdict
from mizzle.stars.wings import WINGS, bright_peaks, have_wings
from mizzle.steps.reject.pieces import longest_piece

PART = "cosmic rays"

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
#: Star centers: so many stars at least, flagged beyond chance by so many sigma and in so large a share.
STARS, SIGMAS, SHARE = 10, 4.0, 0.02
#: Stars whose center is so near to a pixel's are centered on it [pixel].
CENTERED = 0.25
#: Peaks this bright [DN], so many of a chip at most.
PEAK, MOST = 50.0, 500
#: Within this of saturated pixels rays have a halo around them, and look like stars [arcsec].
HALO = 1.5
#: Pixels of a star's core for one ray that outshines what is there.
PER_RAY = 12.0


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


def ray_findings(exposures: Sequence[Exposure], rays: CosmicRays, runner: Runner) -> tuple[Finding, ...]:
    """Hold the flagged pixels of one filter's exposures against the time, the other exposures, and the stars.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    rays : CosmicRays
        The masks.
    runner : Runner
        Where stars are looked at.
    """
    searched = [e for e in exposures if rays.methods.get(e.root, "none") != "none"]
    findings: list[Finding] = []
    for exposure in searched:
        findings += _against_time(exposure, rays)
    findings += [*_against_others(searched, rays), *_same_places(searched, rays), *_trails(searched, rays)]
    findings += _brighter(searched, rays)
    jobs = [(e, name) for e in searched for name in e.chips]
    looks = runner.map(lambda job: _look(*job, rays), jobs)
    return (*findings, *_on_stars(jobs, looks, rays))


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


@dataclass(frozen=True, eq=False)
class _Look:
    """Stars of one chip: whether the pixel at the center is flagged, and how far the center is from the pixel's."""

    flagged: Mask
    phase: FloatArray


def _look(exposure: Exposure, name: str, rays: CosmicRays) -> _Look:
    """Find the bright peaks of one chip that have wings on all sides: stars, whatever was flagged."""
    chip = exposure.chips[name]
    mask = rays.mask(exposure.root, name, chip.shape)
    bad = (chip.dq & np.uint16(ALL_BITS & ~exposure.camera.good)) != 0
    row, column = bright_peaks(chip.sci, bad, chip.frame.scale, least=PEAK, most=MOST)
    real = have_wings(chip.sci, bad | mask, row=row, column=column, scale=chip.frame.scale)
    full = (chip.dq & np.uint16(exposure.camera.saturated)) != 0
    real &= ~grow(full, math.ceil(HALO / chip.frame.scale))[row, column]
    row, column = row[real], column[real]
    v, u = np.mgrid[-1:2, -1:2]
    near = chip.sci[row[:, None, None] + v, column[:, None, None] + u].astype(np.float64)
    near -= near.min(axis=(1, 2), keepdims=True)
    light = np.maximum(near.sum(axis=(1, 2)), 1e-9)
    phase = np.maximum(*(np.abs((near * step).sum(axis=(1, 2))) / light for step in (u, v)))
    return _Look(mask[row, column], phase)


def _on_stars(jobs: Sequence[tuple[Exposure, str]], looks: Sequence[_Look], rays: CosmicRays) -> list[Finding]:
    """Say where flagged pixels sit on the centers of stars more often than chance puts them there."""
    findings = []
    for name in dict.fromkeys(name for _, name in jobs):
        looks_of_chip = [
            (e, look) for (e, chip), look in zip(jobs, looks, strict=True) if chip == name and look.flagged.size
        ]
        flagged = (
            np.concatenate([look.flagged for _, look in looks_of_chip]) if looks_of_chip else np.zeros(0, np.bool_)
        )
        if flagged.size < STARS:
            continue
        phase = np.concatenate([look.phase for _, look in looks_of_chip])
        # A ray inside a star's core has the star's wings around it: so many more pixels are exposed to chance.
        core = max(1.0, math.pi * (WINGS[0] / looks_of_chip[0][0].chips[name].frame.scale) ** 2 / PER_RAY)
        shares = [min(rays.fractions[e.root][name], expected_rate(e).fraction) for e, _ in looks_of_chip]
        chance = core * float(np.average(shares, weights=[look.flagged.size for _, look in looks_of_chip]))
        n, hit, by_chance = flagged.size, int(flagged.sum()), chance * flagged.size
        many = hit > by_chance + SIGMAS * math.sqrt(by_chance + 1.0) and hit / n > SHARE + 1.5 * chance
        if not many and not _phase_matters(flagged, phase):
            continue
        text = f"{name}: {hit} of {n} stars have their center flagged as a cosmic ray, {by_chance:.0f} by chance"
        centered = phase < CENTERED
        if centered.any() and (~centered).any():
            often = [100 * float(flagged[which].mean()) for which in (centered, ~centered)]
            text += f" ({often[0]:.0f} % of those centered on a pixel, {often[1]:.0f} % of the others)"
        text += ": stars are taken for rays; their fluxes are too low"
        findings.append(Finding(PART, Verdict.WARN, text, (name,)))
    return findings


def _phase_matters(flagged: Mask, phase: FloatArray) -> bool:
    """Return whether stars centered on a pixel are flagged more often, or less, than others: rays strike both alike."""
    centered = phase < CENTERED
    counts = np.array([np.count_nonzero(centered), np.count_nonzero(~centered)])
    if counts.min() < STARS:
        return False
    on_center, off_center = (float(flagged[which].mean()) for which in (centered, ~centered))
    share = (float(np.count_nonzero(flagged)) + 1.0) / (flagged.size + 2.0)
    return abs(on_center - off_center) > max(
        SIGMAS * math.sqrt(share * (1.0 - share) * float(np.sum(1.0 / counts))), SHARE
    )
