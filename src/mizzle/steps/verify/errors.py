"""Are the errors of pixels true? Exposures that see the same blank sky differ by their noise, and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image, Places
from mizzle.kernel.pixels import grow
from mizzle.model import (
    Alignment,
    Catalog,
    ChipErrors,
    ChipFrame,
    CosmicRays,
    ErrorProof,
    Exposure,
    Finding,
    FluxScales,
    Runner,
    SkyLevels,
    Verdict,
)
from mizzle.model.star_flags import Flag
from mizzle.settings import Settings
from mizzle.stars.covers import cover_stars
from mizzle.steps.chip_view import ChipView, view_chips
from mizzle.steps.verify.rings import covered
from mizzle.steps.verify.stars import smooth_area

#: The rules of the verdict: part of the outside promises, not settings.
PASS_OFF, WARN_OFF, FEWEST = 0.05, 0.15, 2000
#: Light of one exposure's own: patches scatter by so many DN, and so much of the sky; flats are good to 1 %.
STRUCTURE_COUNTS, STRUCTURE_SHARE = 0.4, 0.05
#: It is more than noise where it exceeds so many times the error of what noise makes: beside a long exposure, one of
#: half a second has patches that scatter by 20 DN of the long one.
STRUCTURE_SIGMAS = 5.0
#: A bright star's halo holds this share of its light per square arcsec at one arcsec, and falls with the cube of the
#: distance: 3 % of the light lie beyond 1.2 arcsec (Holtzman et al. 1995, PASP 107, 156, their figure 5). Focus, spikes
#: and ghosts change a fifth of it from exposure to exposure: it is left out where it exceeds so many counts of a pixel,
#: to the largest of these radii [arcsec] at most. Of saturated stars the catalog knows a part of the light.
_HALO, _HALO_COUNTS, _SATURATED_PART = 0.006, 5.0 * STRUCTURE_COUNTS, 0.2
_HALO_RADII = (1.2, 1.6, 2.2, 3.0, 4.2, 6.0)
#: Pairs of exposures that are compared, at most.
_PAIRS = 12
#: Pixels of a pair that are compared: so many tell the ratio to .0025. Larger chips leave rows out, every so many of
#: them at most stand alone; still larger ones leave rows of patches out, beyond so many pixels.
_ENOUGH, _STEP, _COMPARED = 80_000, 8, 400_000
#: Places are exact at columns this far apart, and lie on lines between them [pixel].
_NODES = 50
#: Sky is leveled in patches of so many columns, and so many rows of which some are compared, between so many and so
#: many: what is smooth is no noise.
_WIDE, _TALL, _FEW, _MANY = 50, 100, 12, 25
#: Scatter within this many sigma, and what of a normal law's it shows.
_CLIP = 3.5
_SHOWN = 0.99694
#: Share of a patch's pixels at either end that tell nothing of its level: faint stars, what rays left.
_OUTER = 0.1
#: Rays are grown by this, for their rims hide below the thresholds [pixel].
_RIM = 1


def judge_errors(ratio: float, n_pixels: int) -> Verdict:
    """Judge measured over predicted scatter of one chip: PASS within 5 %, WARN within 15 %, FAIL beyond."""
    if n_pixels < FEWEST or not np.isfinite(ratio):
        return Verdict.NONE
    off = abs(ratio - 1.0)
    return Verdict.PASS if off <= PASS_OFF else Verdict.WARN if off <= WARN_OFF else Verdict.FAIL


def verify_errors(
    exposures: Sequence[Exposure],
    catalog: Catalog,
    alignment: Alignment,
    *,
    scales: FluxScales,
    sky: SkyLevels,
    cosmic_rays: CosmicRays,
    settings: Settings,
    runner: Runner,
) -> ErrorProof:
    """Compare the scatter of differences on blank sky with what the noise model predicts.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    catalog : Catalog
        Stars to stay away from.
    alignment, scales, sky, cosmic_rays
        Solutions of the steps before.
    settings : Settings
        ``dq``, ``noise``, ``verify.enabled``.
    runner : Runner
        Where pairs are compared.

    Returns
    -------
    proof : ErrorProof
        By chip. Each exposure is compared with the next: pixel by nearest pixel, never interpolated, which would hide
        noise. Without two exposures of a chip nothing is known of it.
    """
    names = [name for name in exposures[0].camera.chips if any(name in exposure.chips for exposure in exposures)]
    if not settings.verify.enabled or len(exposures) < 2:
        return ErrorProof({name: ChipErrors() for name in names})
    ra, dec, rate = (np.asarray(catalog.columns[key], dtype=np.float64) for key in ("ra", "dec", "flux"))
    stars = _Stars(ra, dec, rate, _whole(catalog))
    views = view_chips(exposures, alignment, scales, settings=settings, sky=sky)
    pairs = [pair for name in names for pair in _pairs([view for view in views if view.name == name])]

    def compare(pair: tuple[ChipView, ChipView]) -> SkyComparison:
        first, second = (_Side(view, cosmic_rays, sky.measured(view.root, view.name) / view.factor) for view in pair)
        return _compare(first, second, stars)

    by_chip = runner.map(compare, pairs)
    chips = {}
    for name in names:
        comparisons = [
            answer for (view, _), answer in zip(pairs, by_chip, strict=True) if view.name == name and answer.n_pixels
        ]
        n = sum(answer.n_pixels for answer in comparisons)
        ratio = (
            float(np.sqrt(sum(answer.mean_square * answer.n_pixels for answer in comparisons) / n))
            if n
            else float("nan")
        )
        chips[name] = ChipErrors(ratio, n, judge_errors(ratio, n))
    return ErrorProof(chips, _own_light(pairs, by_chip, sky))


@dataclass(frozen=True, eq=False)
class _Stars:
    """Stars of the product: place [deg], rate, and what their rate may be where they are saturated."""

    ra: FloatArray
    dec: FloatArray
    rate: FloatArray
    whole: FloatArray


def _whole(catalog: Catalog) -> FloatArray:
    """Return the rates of stars, those that are lower limits made larger."""
    rate = np.asarray(catalog.columns["flux"], dtype=np.float64)
    limit = (np.asarray(catalog.columns.get("flags", np.zeros(rate.shape, np.int32))) & Flag.LIMIT) != 0
    return np.where(limit, rate / _SATURATED_PART, rate)


def _halos(view: ChipView, stars: _Stars) -> NDArray[np.bool_]:
    """Return the pixels of bright stars' halos."""
    light = np.maximum(stars.whole, 0.0) / view.rate
    radius = np.minimum(np.cbrt(_HALO * view.side**2 * light / _HALO_COUNTS), _HALO_RADII[-1])
    bright = radius > _HALO_RADII[0]
    where = Places(*view.frame.sky_to_pixel(stars.ra[bright], stars.dec[bright], iterations=5))
    steps = tuple(pairwise(_HALO_RADII))
    return cover_stars(view.chip.shape, where, radius[bright], radii=steps, scale=view.chip.frame.scale)


@dataclass(frozen=True, eq=False)
class _Side:
    """One chip of one exposure, to be compared with another exposure's; `level` is its sky [count per pixel]."""

    view: ChipView
    rays: CosmicRays
    level: float

    def off(self) -> NDArray[np.bool_]:
        """Return bad pixels, and those of rays with their rims."""
        return np.asarray(self.view.bad() | grow(self.view.hit(self.rays), _RIM))

    def variance(self, light: FloatArray) -> FloatArray:
        """Return the predicted variance of pixels of the sky [count**2], `light` the level around them [count]."""
        frame = self.view.frame
        ny, nx = frame.shape
        x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, nx - 1, 9), np.linspace(0, ny - 1, 9)))
        area = smooth_area(frame, x, y)
        v0, v1 = self.view.noise.coefficients()
        # As in the product: the flat divided a pixel by its area, Poisson noise goes as 1/a, read noise as 1/a**2.
        # Where stars too faint to be known lie close, there is more light than the sky's.
        light = np.fmax(light, self.level if np.isfinite(self.level) else 0.0)
        return np.asarray(v0 * np.mean(area**-2) + v1 * np.fmax(light, 0.0) * np.mean(area**-1))


def _pairs(views: Sequence[ChipView]) -> list[tuple[ChipView, ChipView]]:
    """Return each exposure's view of a chip with the next one's; few of many."""
    pairs = list(pairwise(views))
    return pairs[:: -(-len(pairs) // _PAIRS) or 1]


def _nearest(first: ChipFrame, second: ChipFrame, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of the pixel of `second` nearest to each pixel in some rows of `first`."""
    nx = first.shape[1]
    nodes = np.unique(np.append(np.arange(0, nx, _NODES), nx - 1))
    x, y = np.meshgrid(nodes.astype(np.float64), rows.astype(np.float64))
    places = second.sky_to_pixel(*first.pixel_to_sky(x, y), iterations=5)
    columns = np.arange(nx)
    left = np.minimum(np.searchsorted(nodes, columns, side="right") - 1, nodes.size - 2)
    part = (columns - nodes[left]) / (nodes[left + 1] - nodes[left])
    between = [p[:, left] * (1.0 - part) + p[:, left + 1] * part for p in places]
    return np.rint(between[1]).astype(np.intp), np.rint(between[0]).astype(np.intp)


def _compare(first: _Side, second: _Side, stars: _Stars) -> SkyComparison:
    """Compare two exposures of one chip, patch by patch."""
    first_chip, second_chip = first.view.chip, second.view.chip
    rows, tall = _compared_rows(first_chip.shape)
    y, x = _nearest(first.view.frame, second.view.frame, rows)
    inside = (y >= 0) & (x >= 0) & (y < second_chip.shape[0]) & (x < second_chip.shape[1])
    y, x = np.where(inside, y, 0), np.where(inside, x, 0)
    hidden = first.off()
    if stars.rate.size:
        hidden |= covered(first.view.frame.sky_to_pixel(stars.ra, stars.dec, iterations=5), stars.rate, first_chip)
        hidden |= _halos(first.view, stars)
    use = inside & ~hidden[rows] & ~second.off()[y, x]
    light = [np.where(use, sci, np.float32(0.0)) for sci in (first_chip.sci[rows], second_chip.sci[y, x])]
    del x, y, inside, hidden  # as large as the images
    units = [side.view.rate for side in (first, second)]
    seen = _patches(use, tall)
    levels = [_patch_levels(_patches(image, tall), seen) for image in light]
    predicted = sum(
        unit**2 * side.variance(level) for unit, side, level in zip(units, (first, second), levels, strict=True)
    )
    width = np.sqrt(predicted)
    difference = light[0].astype(np.float64) * units[0] - light[1].astype(np.float64) * units[1]
    return compare_patches(_patches(difference, tall) / width, seen, width[:, 0] / units[0])


class _ComparedRows(NamedTuple):
    """Rows of a chip that are compared, and how many of them a patch has."""

    rows: NDArray[np.intp]
    tall: int


def _compared_rows(shape: tuple[int, int]) -> _ComparedRows:
    """Choose the rows of a chip that are compared, in whole rows of patches."""
    step = min(max(shape[0] * shape[1] // _ENOUGH, 1), _STEP)
    tall = min(max(_TALL // step, _FEW), _MANY)
    rows = np.arange(0, shape[0], step, dtype=np.intp)
    every = max(1, round(rows.size * shape[1] / _COMPARED))
    return _ComparedRows(rows[rows // (step * tall) % every == 0], tall)


@dataclass(frozen=True, eq=False)
class SkyComparison:
    """Two exposures of one chip of blank sky.

    Parameters
    ----------
    mean_square : float
        Of differences over their prediction; NaN with too few pixels.
    n_pixels : int
        Compared.
    structure : float
        Scatter of the patches' levels beyond what noise makes [DN of the first exposure]; 0 where noise may make it.
    span : float
        Between the 5th and the 95th percentile of the patches' levels [DN].
    """

    mean_square: float
    n_pixels: int
    structure: float = 0.0
    span: float = 0.0


def _patches(image: NDArray[Any], tall: int) -> NDArray[Any]:
    """Cut compared rows into patches, ``(n_patches, pixels)``; what is left at the far edges falls off."""
    ny, nx = (n // side * side for n, side in zip(image.shape, (tall, _WIDE), strict=True))
    parts = image[:ny, :nx].reshape(ny // tall, tall, nx // _WIDE, _WIDE).swapaxes(1, 2)
    return parts.reshape(-1, tall * _WIDE)


def _patch_levels(patches: Image, used: NDArray[np.bool_]) -> FloatArray:
    """Return the mean of each patch's used pixels without the outer tenths, ``(n_patches, 1)``; 0 where none is used.

    Not the median: where noise is less than a step of the converter, that is the value of one step, half a DN off.
    """
    ordered = np.sort(np.where(used, patches, np.float32(np.inf)), axis=1)
    count = used.sum(axis=1, keepdims=True)
    cut = (_OUTER * count).astype(np.intp)
    rank = np.arange(ordered.shape[1])
    inner = (rank >= cut) & (rank < count - cut)
    total = np.where(inner, ordered, np.float32(0.0)).astype(np.float64).sum(axis=1, keepdims=True)
    return np.asarray(total / np.maximum(count - 2 * cut, 1))


def compare_patches(values: FloatArray, used: NDArray[np.bool_], to_dn: FloatArray) -> SkyComparison:
    """Return the clipped mean square about the level of each patch, as a normal law without clip would have it.

    Parameters
    ----------
    values : (n_patches, pixels) array
        Differences over their predicted scatter.
    used : (n_patches, pixels) bool array
        Which count.
    to_dn : (n_patches,) array
        Predicted scatter [DN].
    """
    kept, width = used, np.inf
    for _ in range(6):
        count = np.maximum(kept.sum(axis=1, keepdims=True), 1)
        level = np.where(kept, values, 0.0).sum(axis=1, keepdims=True) / count
        left = values - level
        full = kept.sum(axis=1) > 0.3 * values.shape[1]
        sample = left[full][kept[full]]
        if sample.size < FEWEST:
            return SkyComparison(float("nan"), 0)
        width = float(np.sqrt(np.mean(sample**2) / (_SHOWN**2 if np.isfinite(width) else 1.0)))
        kept = used & (np.abs(left) < _CLIP * width)
    # A patch's own mean took one of its pixels' freedom.
    n = int(np.count_nonzero(kept[full]))
    dn = level[full, 0] * to_dn[full]
    noise = width * to_dn[full] / np.sqrt(count[full, 0])
    far = np.percentile(dn, (5.0, 50.0, 95.0))
    spread = float(np.mean((dn - far[1]) ** 2) - np.mean(noise**2))
    error = float(np.sqrt(2.0 * np.mean(noise**4) / dn.size))  # of a mean square of normal numbers
    return SkyComparison(
        width**2 * n / max(n - int(np.count_nonzero(full)), 1),
        n,
        float(np.sqrt(spread)) if spread > STRUCTURE_SIGMAS * error else 0.0,
        float(far[2] - far[0]),
    )


def _own_light(
    pairs: Sequence[tuple[ChipView, ChipView]], comparisons: Sequence[SkyComparison], sky: SkyLevels
) -> tuple[Finding, ...]:
    """Say which exposures have smooth light that others, of the same sky, do not have."""
    uneven: dict[tuple[str, str, str], float] = {}
    even: set[tuple[str, str, str]] = set()
    for (first, second), seen in zip(pairs, comparisons, strict=True):
        if not seen.n_pixels:
            continue
        level = sky.measured(first.root, first.name) / first.factor
        key = (first.name, first.root, second.root)
        if seen.structure > max(STRUCTURE_COUNTS, STRUCTURE_SHARE * abs(level)):
            uneven[key] = seen.span
        else:
            even.add(key)
    spans: dict[tuple[str, ...], dict[str, float]] = {}
    counts = pairs[0][0].camera.counts if pairs else ""
    for name in dict.fromkeys(key[0] for key in uneven):
        left = {(a, b): span for (chip, a, b), span in uneven.items() if chip == name}
        clear = [root for chip, a, b in even if chip == name for root in (a, b)]
        while left:
            score = {root: sum(root in pair for pair in left) - clear.count(root) for pair in left for root in pair}
            best = [root for root in score if score[root] == max(score.values())]
            explained = {pair: span for pair, span in left.items() if any(root in pair for root in best)}
            spans.setdefault(tuple(best), {})[name] = max(explained.values())
            left = {pair: span for pair, span in left.items() if pair not in explained}
    return tuple(
        Finding(
            "sky",
            Verdict.WARN,
            f"{' or '.join(roots)}: light of its own, which the other exposures of the same sky do not have:"
            f" {', '.join(f'{name} {span:.1f} {counts}' for name, span in chips.items())} from place to place; stray"
            " light, light of the Earth, a ghost, or another flat",
            tuple(chips),
        )
        for roots, chips in spans.items()
    )
