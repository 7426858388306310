"""What is remarkable about the cosmic rays of a run: too many or too few for the time, or sitting on stars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.dq import ALL_BITS
from mizzle.model import Chip, CosmicRays, Exposure, Finding, Runner, Verdict

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

PART = "cosmic rays"

#: Share of pixels hit by cosmic rays per second: 4 % in 2000 s (WFPC2 Instrument Handbook, section 4.9).
CR_RATE = 2.0e-5
#: A chip has too many beyond this many times the expected share and so much more (what noise makes); it has too few
#: below this share of it, where so many are expected at least.
MANY, NOISE_SHARE, FEW, FEW_EXPECTED = 2.0, 0.005, 0.25, 0.004
#: A chip is unlike itself in the other exposures beyond this factor.
APART = 3.0
#: Star centers: so many stars at least, flagged beyond chance by so many sigma and in so large a share.
STARS, SIGMAS, SHARE = 10, 4.0, 0.02
#: Where a star's wings are looked for, and its surroundings [arcsec].
WINGS, AROUND = (0.22, 0.5), (0.8, 1.2)
#: Peaks this bright [DN], so many of a chip at most; on each side wings should stand out by so many sigma, and do lie
#: between these times the usual share of the peak: rays are narrower, or lie on other light.
PEAK, MOST = 50.0, 500
WING_SIGMA, USUAL = 4.0, (0.4, 1.6)
#: The faintest of a star's four nearest pixels holds more than this share of its peak.
DARK = 0.05
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
    found: list[Finding] = []
    for exposure in searched:
        found += _against_time(exposure, rays)
    found += _against_others(searched, rays)
    jobs = [(e, name) for e in searched for name in e.chips]
    looks = runner.map(lambda job: _look(*job, rays), jobs)
    return (*found, *_on_stars(jobs, looks, rays))


def _against_time(exposure: Exposure, rays: CosmicRays) -> list[Finding]:
    """Say which chips of an exposure have more, or fewer, rays than its time explains."""
    expected = expected_rate(exposure).fraction
    shares = rays.fractions[exposure.root]
    many = {name: share for name, share in shares.items() if share > MANY * expected + NOISE_SHARE}
    few = {name: share for name, share in shares.items() if share < FEW * expected and expected > FEW_EXPECTED}
    told = []
    for chips, words in (
        (many, "more than twice what the exposure time explains: trailed or misaligned, a trail of a satellite, stars"
               " flagged, or a part of the orbit with many rays"),
        (few, "far fewer than the exposure time makes: were they removed before?"),
    ):  # fmt: skip
        if chips:
            listed = ", ".join(f"{name} {100 * share:.2f} %" for name, share in chips.items())
            text = f"{exposure.root}: {listed} of the pixels flagged, {100 * expected:.2f} % expected: {words}"
            told.append(Finding(PART, Verdict.WARN, text, tuple(chips)))
    return told


def _against_others(exposures: Sequence[Exposure], rays: CosmicRays) -> list[Finding]:
    """Say which chip has a share of rays unlike that in the other exposures, the times taken into account."""
    found = []
    for name in dict.fromkeys(name for exposure in exposures for name in exposure.chips):
        mine = [e for e in exposures if name in rays.fractions[e.root]]
        if len(mine) < 3:
            continue
        rates = np.array([rays.fractions[e.root][name] / max(expected_rate(e).fraction, 1e-9) for e in mine])
        usual = float(np.median(rates))
        for exposure, rate in zip(mine, rates.tolist(), strict=True):
            share = rays.fractions[exposure.root][name]
            known = share > MANY * expected_rate(exposure).fraction + NOISE_SHARE
            if share > APART * usual * expected_rate(exposure).fraction + NOISE_SHARE and not known:
                found.append(
                    Finding(
                        PART,
                        Verdict.WARN,
                        f"{exposure.root}: {100 * share:.2f} % of {name} flagged, {rate / usual:.1f} times what the"
                        " other exposures let expect",
                        (name,),
                    )
                )
    return found


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
    row, column = _peaks(chip, bad)
    real = _with_wings(chip, row, column, bad | mask)
    row, column = row[real], column[real]
    v, u = np.mgrid[-1:2, -1:2]
    near = chip.sci[row[:, None, None] + v, column[:, None, None] + u].astype(np.float64)
    near -= near.min(axis=(1, 2), keepdims=True)
    light = np.maximum(near.sum(axis=(1, 2)), 1e-9)
    phase = np.maximum(*(np.abs((near * step).sum(axis=(1, 2))) / light for step in (u, v)))
    return _Look(mask[row, column], phase)


def _peaks(chip: Chip, bad: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the brightest pixels that none of their good neighbors outshines, far from the edge."""
    edge = math.ceil(AROUND[1] / chip.frame.scale)
    inner = np.s_[edge : chip.shape[0] - edge, edge : chip.shape[1] - edge]
    if min(chip.shape) < 2 * edge + 3:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    image = np.where(bad, np.float32(-np.inf), chip.sci)
    level = float(np.median(chip.sci[inner][::8]))
    row, column = np.nonzero(image[inner] > level + PEAK)
    row, column = row + edge, column + edge
    value = image[row, column]
    top = np.ones(value.size, np.bool_)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            top &= value >= image[row + dy, column + dx]
    order = np.argsort(-value[top], kind="stable")[:MOST]
    return row[top][order], column[top][order]


def _with_wings(chip: Chip, row: NDArray[np.intp], column: NDArray[np.intp], off: Mask) -> Mask:
    """Return which peaks have the wings of stars, on all sides: rays have none, and a star nearby gives one side."""
    if not row.size:
        return np.zeros(0, np.bool_)
    scale = chip.frame.scale
    half = math.ceil(AROUND[1] / scale)
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(u, v) * scale
    ring, wing = ((distance >= low) & (distance < high) for low, high in (AROUND, WINGS))
    sides = (2 * (u + v > 0) + (u - v > 0))[wing]

    def around(where: Mask) -> tuple[NDArray[np.float32], Mask]:
        y, x = row[:, None] + v[where], column[:, None] + u[where]
        return chip.sci[y, x], ~off[y, x]

    (far, far_good), (near, near_good) = around(ring), around(wing)
    enough = (far_good.sum(axis=1) >= 10) & (near_good.sum(axis=1) >= 5)
    low, middle = np.nanpercentile(np.where(far_good | ~enough[:, None], far, np.nan), (16, 50), axis=1)
    width = np.maximum(middle - low, 0.5)
    # A median of whole DN jumps; the mean of what is near it does not.
    sky = far_good & (np.abs(far - middle[:, None]) <= 3.0 * width[:, None])
    level = np.where(sky, far, 0.0).sum(axis=1) / np.maximum(sky.sum(axis=1), 1)
    peak = chip.sci[row, column] - level
    least, light = np.full(row.size, np.inf), near - level[:, None]
    noise = np.zeros(row.size)
    for side in range(4):
        here = near_good & (sides == side)
        count = here.sum(axis=1)
        mean = np.where(here, light, 0.0).sum(axis=1) / np.maximum(count, 1)
        least = np.where(count > 0, np.minimum(least, mean), least)
        noise = np.maximum(noise, width / np.sqrt(np.maximum(count, 1)))
    share = np.where(enough & np.isfinite(least), least / np.maximum(peak, 1e-9), 0.0)
    seen = least > WING_SIGMA * noise
    usual = float(np.median(share[seen])) if seen.any() else 0.0
    # Faint peaks say nothing: their wings would not be seen if they were stars.
    telling = usual * peak > WING_SIGMA * noise
    # The optics and the charge's diffusion leave none of the four neighbors dark; a ray does.
    beside = np.min([chip.sci[row + dy, column + dx] for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))], axis=0) - level
    telling &= beside > DARK * peak
    return np.asarray(telling & (share > USUAL[0] * usual) & (share < USUAL[1] * usual))


def _on_stars(jobs: Sequence[tuple[Exposure, str]], looks: Sequence[_Look], rays: CosmicRays) -> list[Finding]:
    """Say where flagged pixels sit on the centers of stars more often than chance puts them there."""
    found = []
    for name in dict.fromkeys(name for _, name in jobs):
        mine = [(e, look) for (e, chip), look in zip(jobs, looks, strict=True) if chip == name and look.flagged.size]
        flagged = np.concatenate([look.flagged for _, look in mine]) if mine else np.zeros(0, np.bool_)
        if flagged.size < STARS:
            continue
        # A ray inside a star's core has the star's wings around it: so many more pixels are exposed to chance.
        core = max(1.0, math.pi * (WINGS[0] / mine[0][0].chips[name].frame.scale) ** 2 / PER_RAY)
        shares = [min(rays.fractions[e.root][name], expected_rate(e).fraction) for e, _ in mine]
        chance = core * float(np.average(shares, weights=[look.flagged.size for _, look in mine]))
        n, hit, by_chance = flagged.size, int(flagged.sum()), chance * flagged.size
        if hit <= by_chance + SIGMAS * math.sqrt(by_chance + 1.0) or hit / n <= SHARE + 1.5 * chance:
            continue
        phase = np.concatenate([look.phase for _, look in mine])
        centered = phase < 0.25
        text = f"{name}: {hit} of {n} stars have their center flagged as a cosmic ray, {by_chance:.0f} by chance"
        if centered.any() and (~centered).any():
            often = [100 * float(flagged[which].mean()) for which in (centered, ~centered)]
            text += f" ({often[0]:.0f} % of those centered on a pixel, {often[1]:.0f} % of the others)"
        text += ": stars are taken for rays; their fluxes are too low"
        found.append(Finding(PART, Verdict.WARN, text, (name,)))
    return found
