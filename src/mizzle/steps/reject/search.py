"""Cosmic rays: every exposure against a reference made of all, or by itself where it is alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Indices, Mask
from mizzle.instrument.star_optics import sharpest_star
from mizzle.kernel.compare import CompareOptions, RayThresholds, compare_chip
from mizzle.kernel.pixels import grow
from mizzle.model import Alignment, CosmicRays, Exposure, FluxScales, Runner, SkyLevels
from mizzle.settings import Settings
from mizzle.settings.reject import RejectSettings
from mizzle.steps.reject.boxes import boxes
from mizzle.steps.reject.brighter_stars import KeptStars, find_brighter_stars, keep_brighter_stars
from mizzle.steps.reject.chip_rays import NO_PIXELS, ChipRays
from mizzle.steps.reject.compared_chip import ComparedChip, compared_chips, with_focus_changes
from mizzle.steps.reject.groups import ComparisonGroup, comparisons
from mizzle.steps.reject.left_alone import find_left_alone
from mizzle.steps.reject.lone_epochs import rays_on_blank_sky
from mizzle.steps.reject.packed import pack, unpack
from mizzle.steps.reject.reference import Reference, build_reference
from mizzle.steps.reject.single import FINE_SIDE, SinglePixels, find_single
from mizzle.steps.reject.star_cores import find_core_candidates, probe_light, recheck_star_cores
from mizzle.steps.reject.static_pixels import pack_too_low, too_low_in_all
from mizzle.steps.reject.trail_search import few_compare, with_trails

#: Noise of the reference's steepest step over that of a pixel of one exposure, times the root of the exposures: the
#: largest of four differences, smoothed by the drops. So much of a step says nothing about stars.
STEP_NOISE = 3.0

#: Pixels nearer than this to the reference's end are not compared with it.
RIM = 2

#: Farther than this a place says nothing about its neighbors [steepest step].
MOST_SLACK = 3.0

#: Room around pixels judged by the single-exposure method, so that it sees their surroundings [pixel].
MARGIN = 8


def find_cosmic_rays(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    *,
    sky: SkyLevels,
    settings: Settings,
    runner: Runner,
) -> CosmicRays:
    """Find the cosmic rays of a visit.

    Each class of chips (PC, WF) gets a reference at its own pixel scale from all exposures; every chip is compared
    with it, in electrons; what it cannot tell in star cores is checked again on the other exposures' pixels. Pixels
    that fewer than two exposures cover are judged by the single-exposure method.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one filter.
    alignment, scales, sky : Alignment, FluxScales, SkyLevels
        Solutions of the steps before.
    settings : Settings
        ``reject``, ``noise``, ``dq``.
    runner : Runner
        Threads; the masks do not depend on their number.

    Returns
    -------
    rays : CosmicRays
        Packed masks, flagged share of the good pixels, and the method of each exposure.
    """
    options = settings.reject
    every = compared_chips(exposures, alignment, scales, sky=sky, settings=settings)
    by_chip: dict[tuple[str, str], ChipRays] = {}
    if options.method != "none":
        # Chips that are compared with none need not wait for those of another class.
        alone = options.method == "single" or len(exposures) == 1
        kinds = exposures[0].camera.classes
        asked = {
            i for kind in kinds for i in _asked_for_trails([s for s in every if s.view.chip_class == kind], options)
        }
        every = with_trails(every, [s.index in asked for s in every], runner)
        classes = [[s for s in every if s.view.chip_class == kind] for kind in kinds]
        for chips in [every] if alone else classes:
            by_chip.update(_one_class(chips, options, runner))
    packed: dict[str, dict[str, NDArray[np.uint8]]] = {e.root: {} for e in exposures}
    fractions: dict[str, dict[str, float]] = {e.root: {} for e in exposures}
    doubts: dict[str, dict[str, float]] = {e.root: {} for e in exposures}
    trails: dict[str, dict[str, float]] = {}
    brighter: dict[str, dict[str, Indices]] = {}
    for (root, name), rays in by_chip.items():
        packed[root][name] = rays.packed
        fractions[root][name] = rays.fraction
        if np.isfinite(rays.prediction_error):
            doubts[root][name] = rays.prediction_error
        if rays.trails:
            trails.setdefault(root, {})[name] = max(2.0 * trail.half_width for trail in rays.trails)
        if rays.brighter.size:
            brighter.setdefault(root, {})[name] = rays.brighter
    methods = {e.root: _method([by_chip.get((e.root, name)) for name in e.chips], options) for e in exposures}
    return CosmicRays(packed, fractions, methods, core_error=doubts, trails=trails, brighter=brighter)


def _method(chips: Sequence[ChipRays | None], settings: RejectSettings) -> str:
    """Name the method that judged most of an exposure."""
    judged = [rays for rays in chips if rays is not None]
    if not judged or settings.method == "none":
        return "none"
    return "lacosmic" if np.mean([rays.single_coverage for rays in judged]) > 0.5 else "median"


def _parts(chips: Sequence[ComparedChip], settings: RejectSettings) -> list[ComparisonGroup]:
    """Divide chips of one class by whom they are compared with."""
    every = tuple(range(len(chips)))
    return comparisons(chips) if settings.by_epoch and chips else [ComparisonGroup(every, frozenset(every))]


def _asked_for_trails(chips: Sequence[ComparedChip], settings: RejectSettings) -> frozenset[int]:
    """Return the exposures that so few are compared with that nothing else finds the trails in them."""
    if settings.trails != "auto":
        return frozenset(chip.index for chip in chips if settings.trails == "always")
    parts = [[chips[n] for n in part.members] for part in _parts(chips, settings)]
    return frozenset(chip.index for part in parts if few_compare(part) for chip in part)


def _one_class(
    chips: Sequence[ComparedChip], settings: RejectSettings, runner: Runner
) -> dict[tuple[str, str], ChipRays]:
    """Judge all chips of one class, or of none, each among those whose stars lie at the same places."""
    if not chips:
        return {}
    parts = _parts(chips, settings)
    by_chip: dict[tuple[str, str], ChipRays] = {}
    for part in parts:
        answers = _compared_together([chips[n] for n in part.members], settings, runner)
        by_chip.update({key: answers[key] for n in sorted(part.judged) if (key := _key(chips[n]))})
    by_chip = _with_other_epochs(chips, by_chip, parts, settings=settings, runner=runner)
    by_chip = {_key(chip): by_chip[_key(chip)] for chip in chips}
    if settings.static:
        for chip, pixels in zip(chips, too_low_in_all(chips, [by_chip[_key(c)].too_low for c in chips]), strict=True):
            if pixels is not None:
                by_chip[_key(chip)] = replace(by_chip[_key(chip)], packed=by_chip[_key(chip)].packed | pixels)
    return by_chip


def _with_other_epochs(
    chips: Sequence[ComparedChip],
    by_chip: dict[tuple[str, str], ChipRays],
    parts: Sequence[ComparisonGroup],
    *,
    settings: RejectSettings,
    runner: Runner,
) -> dict[tuple[str, str], ChipRays]:
    """Add to exposures that are alone in their epoch what the other epochs tell of their rays."""
    alone = [part for part in parts if len({chips[n].index for n in part.members}) == 1]
    lone = frozenset(n for part in alone for n in part.judged)
    if not lone or len({chip.index for chip in chips}) == 1 or settings.method == "single":
        return by_chip
    answers = _compared_together(chips, settings, runner)
    own, together = ({n: rays[_key(chip)].packed for n, chip in enumerate(chips)} for rays in (by_chip, answers))
    more = rays_on_blank_sky(chips, own, together, lone=lone, runner=runner)
    return {**by_chip, **{_key(chips[n]): by_chip[_key(chips[n])].with_more(pixels) for n, pixels in more.items()}}


def _key(compared: ComparedChip) -> tuple[str, str]:
    return compared.view.root, compared.view.name


def _compared_together(
    chips: Sequence[ComparedChip], settings: RejectSettings, runner: Runner
) -> dict[tuple[str, str], ChipRays]:
    """Judge chips of one class, all by one reference."""
    many = len({compared.index for compared in chips}) > 1 and settings.method != "single"
    chips = with_focus_changes(chips) if many else chips
    reference = build_reference(chips, settings, runner) if many else None
    few = few_compare(chips)
    answers = runner.map(lambda n: _judge(chips[n], n, reference, settings=settings, few=few), range(len(chips)))
    if reference is not None and settings.second_look:
        answers = _with_rechecked_cores(chips, answers, reference, settings=settings, runner=runner)
    if reference is not None:
        left = find_left_alone(chips, reference.maps, answers, runner=runner)
        answers = [
            replace(answer.with_more(pixels), alone_too=None) for answer, pixels in zip(answers, left, strict=True)
        ]
    if settings.grow or settings.cte_grow:
        answers = runner.map(lambda n: _grown(chips[n], answers[n], settings), range(len(chips)))
    return {_key(chip): rays for chip, rays in zip(chips, answers, strict=True)}


def _judge(
    compared: ComparedChip, number: int, reference: Reference | None, *, settings: RejectSettings, few: bool
) -> ChipRays:
    """Find the cosmic rays of one chip."""
    sci, bad = compared.pixels()
    candidates, alone_too, brighter = None, None, NO_PIXELS
    if reference is None:
        mask = np.zeros(bad.shape, np.bool_)
        alone = thin = few_know = ~bad
    else:
        # A ray may hide behind another's remains in a reference of two; a star does not stand above itself.
        thin = reference.thin_coverage(number)
        kept, known = _compared(compared, sci, bad, thin=thin, reference=reference, number=number, settings=settings)
        marks, brighter = kept
        mask, alone = marks.mask, ~(known | bad)
        few_know = thin.copy()
        for box in boxes(thin):
            thin[box] &= (sci[box] - np.float32(compared.sky)) * np.float32(compared.view.noise.gain) > marks.light[box]
        thin |= alone
        if settings.second_look:
            trust = reference.trust / reference.unit(compared)
            candidates = find_core_candidates(compared, sci, bad, marks=marks, trust=trust, settings=settings)
    if settings.method != "compare" and thin.any():
        lone = None if reference is None else alone
        single = _find_single(compared, sci, bad=bad, asked=thin, lone=lone, settings=settings)
        mask |= single & thin
        alone_too = np.flatnonzero(single & few_know & ~mask) if reference is not None else None
    trails = compared.trails if few or settings.trails == "always" else ()
    for trail in trails:
        mask |= trail.mask(compared.view.chip.shape) & ~bad
    good = int(bad.size - np.count_nonzero(bad))
    low = pack_too_low(compared, sci, bad, settings=settings) if settings.static else None
    hits = int(np.count_nonzero(mask))
    return ChipRays(
        pack(mask),
        hits,
        hits / max(good, 1),
        float(np.count_nonzero(alone)) / max(good, 1),
        low,
        candidates,
        trails=trails,
        alone_too=alone_too,
        brighter=brighter,
    )


def _with_rechecked_cores(
    chips: Sequence[ComparedChip],
    answers: list[ChipRays],
    reference: Reference,
    *,
    settings: RejectSettings,
    runner: Runner,
) -> list[ChipRays]:
    """Add the cosmic rays among the candidates in star cores of a class to its masks."""
    candidates = [answer.candidates for answer in answers if answer.candidates is not None]
    units = [reference.unit(compared) for compared in chips]
    masks = [answer.packed for answer in answers]
    checked = recheck_star_cores(
        chips, reference.maps, candidates, masks=masks, units=units, settings=settings, runner=runner
    )
    result = []
    for compared, answer, own, hit, error in zip(chips, answers, candidates, *checked, strict=True):
        pixels = own.pixels(compared.view.chip.shape[1])[hit[:, None] & own.near]
        result.append(replace(answer.with_more(pixels), candidates=None, prediction_error=float(error)))
    return result


def _grown(compared: ComparedChip, rays: ChipRays, settings: RejectSettings) -> ChipRays:
    """Widen a chip's mask."""
    _, bad = compared.pixels()
    mask = _trailed(grow(unpack(rays.packed, compared.view.chip.shape), settings.grow), settings.cte_grow) & ~bad
    share = float(np.count_nonzero(mask)) / max(int(bad.size - np.count_nonzero(bad)), 1)
    return replace(rays, packed=pack(mask), fraction=share)


def _compared(
    compared: ComparedChip,
    sci: NDArray[np.float32],
    bad: Mask,
    *,
    thin: Mask,
    reference: Reference,
    number: int,
    settings: RejectSettings,
) -> tuple[KeptStars, Mask]:
    """Compare one chip with the reference; return what that says, and where two exposures made the reference."""
    electrons = compared.view.noise.gain
    floor, sky = compared.view.noise.floor, compared.sky * electrons
    # What is a step away at most may lie at a neighbor's place: so much of the steepest step says nothing.
    slack = min(settings.place_sigma * compared.slack, MOST_SLACK)
    unit = (1.0 + settings.pixfrac**2) / 24.0
    thresholds = RayThresholds(
        gain=electrons,
        rate=1.0 / reference.unit(compared),
        sky=sky,
        floor=floor,
        quiet=STEP_NOISE * float(np.sqrt((max(sky, 0.0) + floor) / reference.exposures)),
        peak=max(settings.sharpen * unit + compared.sharper, 0.0),
        wing=max(settings.sharpen_wings * unit + min(compared.sharper, 0.0), 0.0),
        seed_sigma=settings.seed_sigma,
        seed_slope=settings.seed_slope + slack,
        neighbor_sigma=settings.neighbor_sigma,
        neighbor_slope=settings.neighbor_slope + slack,
        doubt=settings.sharpen_doubt,
        negative=settings.negative,
        suspect_slope=settings.suspect_slope + slack,
        trust=reference.trust / reference.unit(compared) if settings.second_look else np.inf,
    )
    # Close to where the reference ends it is read from too few of its pixels: nothing is flagged there at first sight,
    # but the check of star cores needs no reference.
    options = CompareOptions(
        edge=RIM,
        edge_rule=2 if settings.second_look else 1,
        probe_level=probe_light(compared) if settings.second_look else np.inf,
        extra_pixels=thin if settings.method != "compare" and thin.any() else None,
    )
    marks, known = compare_chip(sci, bad, reference.picture, reference.maps[number], thresholds, options)

    def find_rays(asked: Mask) -> Mask:
        return _find_single(compared, sci, bad=bad, asked=asked, lone=np.zeros_like(asked), settings=settings)

    exact = probe_light(compared)
    if not reference.stars_vary:
        return KeptStars(marks, NO_PIXELS), known
    if not settings.keep_brighter:
        peaks = find_brighter_stars(sci, bad, marks=marks, thresholds=thresholds, exact=exact)
        return KeptStars(marks, peaks), known
    return keep_brighter_stars(sci, bad, marks=marks, thresholds=thresholds, exact=exact, find_rays=find_rays), known


def _trailed(mask: Mask, length: int) -> Mask:
    """Return `mask` with tails of `length` pixels toward higher y: charge read out through y = 0 is left behind."""
    result = mask.copy()
    for shift in range(1, min(length, mask.shape[0] - 1) + 1):
        result[shift:] |= mask[:-shift]
    return result


def _find_single(
    compared: ComparedChip,
    sci: NDArray[np.float32],
    *,
    bad: Mask,
    asked: Mask,
    lone: Mask | None,
    settings: RejectSettings,
) -> Mask:
    """Return what the single-exposure method flags in rectangles around the pixels it is `asked` about.

    Where others know a pixel too, not `lone`, a faint peak is no ray for its odds alone: a star there shows in them.
    """
    # On narrow strips the peaks' own shapes say as much as L.A.Cosmic, for far less.
    whole = lone is None and np.count_nonzero(asked) > 0.5 * (bad.size - np.count_nonzero(bad))
    star = sharpest_star(compared.view.camera, compared.view.chip)
    fine = compared.view.chip.frame.reference_side < FINE_SIDE
    mask = np.zeros(bad.shape, np.bool_)
    for box in boxes(asked):
        wide = tuple(slice(max(0, s.start - MARGIN), s.stop + MARGIN) for s in box)
        electrons = sci[wide] * np.float32(compared.view.noise.gain)
        view = compared.view
        judged = SinglePixels(electrons, bad[wide], view.noise.floor, star, view.chip.frame.scale, fine)
        some = {} if lone is None else {"wanted": asked[wide], "lone": lone[wide]}
        mask[wide] |= find_single(judged, settings, laplacian=bool(whole), **some)
    return mask
