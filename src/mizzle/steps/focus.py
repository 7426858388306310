"""The focus of each chip and exposure, as its own stars show it.

The image of a star is computed from the optics (`mizzle.psf`); what the computation cannot know is the focus, which
breathes from exposure to exposure and changes over the field. So it is measured: bright stars, told from cosmic rays by
their wings, are fitted with the images of ten wavefronts, and each star has one that suits it best. Their median is
the focus of the chip, and their tenth percentile that of its sharpest stars, which the search for cosmic rays in single
exposures believes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, Image, Mask, PixelIndices
from mizzle.instrument.dq import bad_pixels, good_bits
from mizzle.instrument.noise import noise_model
from mizzle.instrument.star_optics import chip_star
from mizzle.kernel.detect import smooth_level
from mizzle.kernel.single import Peaks
from mizzle.model import Chip, Exposure, Runner, StarFocus
from mizzle.psf import star_misfits
from mizzle.psf.light import STRAY, LightFit, PeakPixels, dark_around, explain_peaks, light_templates, typical_sky
from mizzle.settings import Settings
from mizzle.stars.wings import bright_peaks, have_wings

#: Half-side of the fitted window [pixel].
HALF = 2
#: Where it reaches less far from a star than this [arcsec], the window holds nothing but its core, and tells no focus.
NEAREST = 0.06
#: Errors of the wavefront that are tried, rms [micrometer].
TRIED = tuple(round(0.01 * step, 2) for step in range(10))
#: Stars stand above the sky by so many sigma of its noise; the brightest so many are fitted; fewer tell nothing.
BRIGHT, MOST, FEWEST = 30.0, 100, 6
#: How far real stars are from the computed images, relative to a pixel's light; `STRAY` is relative to the peak.
MISMATCH = 0.03
#: Stars fit no worse than so many times the median.
UNLIKE = 5.0
#: Where too few stars show wings: light around the peak, doubt, and greatest chi-square of what passes for stars.
LENIENT, EXPLAINED = (0.75, 0.25), 10.0
#: Then rays may be among them, and would look like stars in perfect focus: with these the focus is not known.
LEAST_FOCUS = 0.01
#: Share of the stars that are sharper than the sharpest believed. With fewer than twice its inverse, none is.
SHARPER = 0.1
#: A nebula is there where more than this share of the peaks is even: the median of eight pixels so far away has more
#: than half of their light. Then stars are looked for above its smooth level: nearer pixels have less than this share.
MANY, FAR, EVEN, CLOSE, SHARP = 0.05, 6, 0.5, 3, 0.25
#: There the noise is that of the level which so many per cent of the pixels do not reach.
BRIGHTER = 90.0


class FocusStamps(NamedTuple):
    """Stars of one chip: their pixels, the variance of these, ``(n, 5, 5)`` each; whether wings told them from rays."""

    light: FloatArray
    variance: FloatArray
    winged: bool


def measure_focus(exposures: Sequence[Exposure], settings: Settings, runner: Runner) -> tuple[Exposure, ...]:
    """Return the exposures with the focus of each chip, as its own stars show it.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of any filters.
    settings : Settings
        ``dq``, ``noise``.
    runner : Runner
        Threads; by chip.

    Returns
    -------
    exposures : tuple of Exposure
        In the same order. A chip with fewer than `FEWEST` fit stars has the usual focus of the others; without any it
        stays as it was.
    """
    jobs = [(exposure, chip) for exposure in exposures for chip in exposure.chips.values()]
    focuses = iter(runner.map(lambda job: chip_focus(*job, settings), jobs))
    each = [_shared({name: next(focuses) for name in exposure.chips}) for exposure in exposures]
    return tuple(
        replace(e, chips={name: replace(chip, focus=known[name]) for name, chip in e.chips.items()})
        for e, known in zip(exposures, each, strict=True)
    )


def _shared(known: dict[str, StarFocus | None]) -> dict[str, StarFocus | None]:
    """Let chips without stars have the usual focus of the others: they look through one telescope."""
    usual = [focus.usual for focus in known.values() if focus is not None]
    if not usual:
        return known
    borrowed = StarFocus(float(np.median(usual)), 0.0, 0)
    return {name: borrowed if focus is None else focus for name, focus in known.items()}


def chip_focus(exposure: Exposure, chip: Chip, settings: Settings) -> StarFocus | None:
    """Return the focus of one chip, or None where its stars are too few.

    Parameters
    ----------
    exposure, chip : Exposure, Chip
        The pixels, and what their noise is made of.
    settings : Settings
        ``dq``, ``noise``.
    """
    if chip_star(exposure.camera, chip, defocus=0.0).reach < HALF or HALF * chip.frame.reference_side < NEAREST:
        return None
    stars = _bright_stars(exposure, chip, settings)
    images = [chip_star(exposure.camera, chip, defocus=defocus) for defocus in TRIED]
    misfits = star_misfits(stars.light, stars.variance, images)
    # What no focus suits is no star.
    least = misfits.min(axis=0)
    each = best_focus(misfits[:, least <= UNLIKE * np.median(least)]) if least.size else least
    # Nor is what would be out of any: a bright place of a nebula.
    each = each[each < TRIED[-1]]
    if len(each) < FEWEST:
        return None
    sharpest = np.quantile(each, SHARPER) if len(each) >= 2.0 / SHARPER else each.min()
    if not stars.winged and sharpest < LEAST_FOCUS:
        return None  # rays among them, or nothing else
    return StarFocus(float(np.median(each)), float(sharpest), len(each))


def best_focus(misfits: FloatArray) -> FloatArray:
    """Return where between `TRIED` each star's chi-square is least, ``(n,)``, by a parabola through three.

    Parameters
    ----------
    misfits : (len(TRIED), n) array
        Chi-square of each star with each image.
    """
    tried, star = np.array(TRIED), np.arange(misfits.shape[1])
    least = misfits.argmin(axis=0)
    middle = np.clip(least, 1, len(tried) - 2)
    below, here, above = (misfits[middle + k, star] for k in (-1, 0, 1))
    bend = below - 2.0 * here + above
    shift = np.where(bend > 0.0, 0.5 * (below - above) / np.where(bend > 0.0, bend, 1.0), 0.0)
    inner = least == middle
    between = tried[middle] + (tried[1] - tried[0]) * np.clip(shift, -0.5, 0.5)
    return np.asarray(np.where(inner, between, tried[least]))


def _bright_stars(exposure: Exposure, chip: Chip, settings: Settings) -> FocusStamps:
    """Return bright stars of a chip: those with wings, or, where wings drown, what light explains best."""
    noise = noise_model(exposure, chip, settings.noise)
    bad = bad_pixels(chip.sci, chip.dq, good_bits(settings.dq.good) & ~exposure.camera.saturated)
    good = ~bad[::7]
    sky = float(np.median(chip.sci[::7][good])) if good.any() else 0.0
    image, scale, most = chip.sci, chip.frame.scale, 4 * MOST
    least, under = BRIGHT * float(np.sqrt(noise.background(sky))), sky
    row, column = bright_peaks(image, bad, scale, least=least, most=most)
    if (
        np.count_nonzero(_extended(image, PixelIndices(row, column), sky=sky, distance=FAR, share=EVEN))
        > MANY * row.size
    ):
        level = smooth_level(image, bad)
        image, under = image - level + np.float32(sky), float(np.percentile(level, BRIGHTER))
        least = BRIGHT * float(np.sqrt(noise.background(under)))
        row, column = bright_peaks(image, bad, scale, least=least, most=10 * most)
        sharp = ~_extended(image, PixelIndices(row, column), sky=sky, distance=CLOSE, share=SHARP)
        row, column = row[sharp][:most], column[sharp][:most]
    real = have_wings(image, bad, row=row, column=column, scale=scale)
    floor = noise.floor + max(under, 0.0) * noise.gain
    electrons = np.where(bad, np.float32(sky), image) * np.float32(noise.gain)
    winged = _stamps(electrons, bad, PixelIndices(row[real], column[real]), floor=floor, winged=True)
    if len(winged.light) >= FEWEST:
        return winged
    pixels = PeakPixels(electrons, bad, noise.floor)
    peaks = Peaks(row, column, dark_around(electrons, row, column))
    templates = light_templates(chip_star(exposure.camera, chip, defocus=0.0), *LENIENT[:1])
    fit = LightFit(templates, LENIENT[1], EXPLAINED, typical_sky(pixels))
    explained = explain_peaks(pixels, bad, peaks, fit=fit)
    real = explained.misfit < EXPLAINED
    return _stamps(electrons, bad, PixelIndices(row[real], column[real]), floor=floor, winged=False)


def _extended(image: Image, where: PixelIndices, *, sky: float, distance: int, share: float) -> Mask:
    """Return which peaks are bright places of a nebula: the median of eight pixels around has much of their light."""
    row, column = where
    ny, nx = image.shape
    steps = np.array([(j, i) for j in (-distance, 0, distance) for i in (-distance, 0, distance) if j or i]).T
    around = image[np.clip(row[:, None] + steps[0], 0, ny - 1), np.clip(column[:, None] + steps[1], 0, nx - 1)]
    return np.asarray(np.median(around, axis=1) - sky > share * (image[row, column] - sky))


def _stamps(electrons: Image, bad: Mask, where: PixelIndices, *, floor: float, winged: bool) -> FocusStamps:
    """Cut stars out, the brightest of them, where every pixel is known and none is brighter than the middle."""
    steps = np.arange(-HALF, HALF + 1)
    row, column = where
    window = (row[:, None, None] + steps[:, None], column[:, None, None] + steps)
    light = electrons[window].astype(np.float64)
    whole = ~bad[window].any(axis=(1, 2)) & (light[:, HALF, HALF] >= light.max(axis=(1, 2), initial=-np.inf))
    light = light[whole][:MOST]
    light -= light.min(axis=(1, 2), keepdims=True)
    peak = light[:, HALF, HALF][:, None, None]
    return FocusStamps(light, floor + light + (MISMATCH * light) ** 2 + (STRAY * peak) ** 2, winged)
