"""Exposures that show too few stars: each falls back to what is known of it, says so, and the others go on.

An exposure may be too short, empty, trailed, or without light. It takes the correction of exposures of its own visit
that are aligned: the same guide stars leave the same error in their headers. Without those its header is trusted.
Exposures whose stars contradict the others are not helped: their headers are wrong, and they fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.model import Alignment, Exposure, ExposureAlignment, Verdict, same_visit
from mizzle.settings import Settings
from mizzle.settings.align import AlignSettings
from mizzle.steps.align.expected import SeenStars, count_inside, expected_count, magnitude_range, seen_stars
from mizzle.steps.align.sources import SourceList, count_winged, structured_share
from mizzle.steps.align.verdicts import ANOTHER_FIELD

#: Error of a pointing, 1 sigma per axis [mas]: relative to exposures of the same visit with the same guide stars, where
#: these tell nothing themselves; and of one header against another visit's, which is that of the guide stars' catalogs
#: (HST Primer, section 3: 0.3 arcsec with GSC 2).
SAME_GUIDE_STARS, OTHER_GUIDE_STARS = 20.0, 300.0
#: Where fewer stars are expected the exposure is too short to tell anything.
FEW = 5
#: Sources beyond those that cosmic rays make, relative to the stars expected, that make a contradiction.
CONTRADICTS = 0.3
#: The same where nothing is known of the stars: so many, and so many times the scatter of the rays.
SURPLUS, SIGMAS = 10.0, 5.0
#: A match of less than this share of the stars expected, where so many are, is remarkable.
POOR, MANY = 0.2, 25

#: Share of the field with structure above which sources that match nowhere may be knots of a nebula, and rays on it.
NEBULOUS = 0.2


class Place(NamedTuple):
    """A correction on the common plane: matrix, shift [arcsec], and the error of the shift [mas]."""

    matrix: FloatArray
    shift: FloatArray
    error: float


@dataclass(frozen=True, eq=False)
class _AlignedVisit:
    """What the aligned exposures tell about the others.

    Parameters
    ----------
    alignment : Alignment
        As solved.
    aligned : tuple of Exposure
        Those with a place.
    stars : mapping
        What they see, by filter.
    rays : float
        Sources per second that repeat in no other exposure: cosmic rays that look like stars.
    """

    alignment: Alignment
    aligned: tuple[Exposure, ...]
    stars: Mapping[str, SeenStars]
    rays: float


def place_unmatched(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    settings: Settings,
    *,
    lists: Sequence[SourceList] = (),
) -> Alignment:
    """Return `alignment` with a place for each exposure that shows too few stars to be matched.

    Parameters
    ----------
    exposures : sequence of Exposure
        All of them.
    alignment : Alignment
        As solved. Where no exposure has a place it is returned as it is, unless all are of one visit and none shows
        sources enough to contradict its header.
    settings : Settings
        ``align``.
    lists : sequence of SourceList
        What was found on the exposures: which of it are stars, is asked where none has a place.
    """
    entries = dict(alignment.exposures)
    aligned = tuple(e for e in exposures if entries[e.root].verdict in (Verdict.PASS, Verdict.WARN))
    if not aligned:
        return _without_sources(exposures, alignment, settings, lists={sources.root: sources for sources in lists})
    doubtful = [e for e in exposures if _doubtful(e, entries, aligned)]
    if not doubtful:
        return alignment
    known = _known(alignment, aligned)
    for exposure in doubtful:
        entry = entries[exposure.root]
        stars = known.stars.get(exposure.filter)
        expected = -1 if stars is None else expected_count(exposure, alignment, stars, settings=settings)
        entries[exposure.root] = (
            _placed(exposure, entry, expected, known=known, settings=settings)
            if entry.verdict is Verdict.FAIL
            else _poor(entry, expected)
        )
    return replace(alignment, exposures=entries)


def _without_sources(
    exposures: Sequence[Exposure], alignment: Alignment, settings: Settings, *, lists: Mapping[str, SourceList]
) -> Alignment:
    """Trust the headers of a visit where one exposure at most shows stars, none shows twice, or a nebula hides them."""
    entries = alignment.exposures
    if len(exposures) < 2 or not all(same_visit(exposures[0], e) for e in exposures):
        return alignment
    trusted = f"its header is trusted, good to {SAME_GUIDE_STARS:.0f} mas within the visit"
    if sum(entry.n_detected >= settings.align.min_matches for entry in entries.values()) <= 1:
        notes = dict.fromkeys(entries, f"no stars to align on, for no two exposures show any: {trusted}")
    elif _show_no_stars(exposures, settings, lists):
        number = sum(entry.n_detected for entry in entries.values())
        words = f"no stars to align on, for of {number} sources hardly one has the wings of a star: cosmic rays"
        notes = dict.fromkeys(entries, f"{words}; {trusted}")
    elif _share_no_stars(exposures, settings):
        times = " and ".join(f"{exposure.exptime:g}" for exposure in sorted(exposures, key=lambda e: e.exptime))
        words = f"no star can be placed twice: what shows in the shorter of {times} s is full in the longer"
        notes = dict.fromkeys(entries, f"{words}; {trusted}")
    else:
        shares = {exposure.root: structured_share(exposure, settings) for exposure in exposures}
        if min(shares.values()) < NEBULOUS:
            return alignment
        notes = {
            root: f"a nebula or a galaxy covers {100 * share:.0f} % of it, and none of {entries[root].n_detected}"
            f" sources proves its place: {trusted}"
            for root, share in shares.items()
        }
    place = Place(np.eye(2), np.zeros(2), SAME_GUIDE_STARS)
    placed = {root: _moved(entry, place, "header", note=notes[root]) for root, entry in entries.items()}
    return replace(alignment, exposures=placed)


def _show_no_stars(exposures: Sequence[Exposure], settings: Settings, lists: Mapping[str, SourceList]) -> bool:
    """Return whether one exposure at most has sources with a star's wings: as many as tell anything."""
    counts = [count_winged(e, lists[e.root], settings) for e in exposures if e.root in lists]
    return len(counts) == len(exposures) and sum(count >= FEW for count in counts) <= 1


def _share_no_stars(exposures: Sequence[Exposure], settings: Settings) -> bool:
    """Return whether no two exposures, all of one filter, measure stars of the same magnitude."""
    ranges = []
    for exposure in exposures:
        seen = [magnitude_range(exposure, chip, settings) for chip in exposure.chips.values()]
        ranges.append((min(bright for bright, _ in seen), max(faint for _, faint in seen)))
    ranges.sort()
    alike = len({exposure.filter for exposure in exposures}) == 1
    return alike and all(fainter[0] > brighter[1] for brighter, fainter in pairwise(ranges))


def _doubtful(exposure: Exposure, entries: Mapping[str, ExposureAlignment], aligned: Sequence[Exposure]) -> bool:
    """Return whether an exposure has no place, or far fewer matches than the others of its filter."""
    entry = entries[exposure.root]
    if entry.verdict is Verdict.FAIL:
        return True
    alike = [entries[e.root].n_matched for e in aligned if e.filter == exposure.filter]
    return bool(alike) and entry.n_matched < 2.0 * POOR * float(np.median(alike))


def _known(alignment: Alignment, aligned: tuple[Exposure, ...]) -> _AlignedVisit:
    by_filter = {band: [e for e in aligned if e.filter == band] for band in {e.filter for e in aligned}}
    stars = {band: seen_stars(group, alignment, alignment.tables) for band, group in sorted(by_filter.items())}
    entries = [(alignment.exposures[e.root], e.exptime) for e in aligned]
    rates = [(entry.n_detected - entry.n_matched) / max(exptime, 1e-3) for entry, exptime in entries]
    return _AlignedVisit(alignment, aligned, stars, float(np.median(rates)))


def _poor(entry: ExposureAlignment, expected: int) -> ExposureAlignment:
    """Say of an aligned exposure that most of the stars it should show did not match."""
    if expected < MANY or entry.n_matched >= POOR * expected:
        return entry
    note = f"{entry.n_matched} stars match of {expected} that should show: trailed, or out of focus"
    others = [part for part in entry.note.split("; ") if part and not part.endswith("stars matched")]
    return replace(entry, verdict=Verdict.WARN, note="; ".join([note, *others]))


def _placed(
    exposure: Exposure, entry: ExposureAlignment, expected: int, *, known: _AlignedVisit, settings: Settings
) -> ExposureAlignment:
    """Return an exposure's place without stars of its own, or `entry` where its stars contradict the others."""
    if ANOTHER_FIELD in entry.note or _contradicts(exposure, entry, expected, known=known, settings=settings):
        return entry
    partners = [e for e in known.aligned if same_visit(e, exposure)]
    if partners:
        place, method = _like(partners, known.alignment), "partner"
        listed = partners[0].root if len(partners) == 1 else f"{len(partners)} exposures"
        words = f"moved as {listed} of its visit"
    else:
        place, method, words = Place(np.eye(2), np.zeros(2), OTHER_GUIDE_STARS), "header", "its header is trusted"
    return _moved(
        entry,
        place,
        method,
        note=f"{_reason(exposure, entry, expected, known=known)}: {words}, good to {place.error:.0f} mas",
    )


def _moved(entry: ExposureAlignment, place: Place, method: str, *, note: str) -> ExposureAlignment:
    """Return `entry` at a place that its stars did not tell."""
    return replace(
        entry,
        matrix=place.matrix,
        shift=place.shift,
        n_matched=0,
        rms_mas=float("nan"),
        covariance=np.eye(2) * (place.error / 1000.0) ** 2,
        chip_shifts={},
        verdict=Verdict.WARN,
        note=note,
        method=method,
    )


def _contradicts(
    exposure: Exposure, entry: ExposureAlignment, expected: int, *, known: _AlignedVisit, settings: Settings
) -> bool:
    """Return whether an exposure shows stars, and they are not where the others have them."""
    if entry.n_matched >= settings.align.min_matches and entry.rms_mas > settings.align.max_rms:
        return True
    surplus, noise = _beyond_rays(exposure, entry, known)
    if expected < 0:
        return surplus > SURPLUS + noise
    return expected >= FEW and surplus > max(CONTRADICTS * expected, settings.align.min_matches)


class _Surplus(NamedTuple):
    """Sources beyond those that cosmic rays make, and how many of these scatter makes."""

    sources: float
    noise: float


def _beyond_rays(exposure: Exposure, entry: ExposureAlignment, known: _AlignedVisit) -> _Surplus:
    rays = known.rays * exposure.exptime
    return _Surplus(entry.n_detected - rays, SIGMAS * float(np.sqrt(max(rays, 0.0))))


def _reason(exposure: Exposure, entry: ExposureAlignment, expected: int, *, known: _AlignedVisit) -> str:
    """Say why an exposure has too few stars."""
    surplus, noise = _beyond_rays(exposure, entry, known)
    few, many_sources = 0 <= expected < FEW, surplus > SURPLUS + noise
    if few and many_sources and count_inside(exposure, known.alignment, known.stars[exposure.filter]) < FEW:
        return (
            f"its header puts it beside the others: {expected} of their stars should be among its {entry.n_detected}"
            " sources, and none proves its place"
        )
    if few:
        others = f"; its {entry.n_detected} sources may be stars that are full there" if many_sources else ""
        return (
            f"too short or too faint: {expected} of the other exposures' stars should show in {exposure.exptime:g}"
            f" s{others}"
        )
    if expected < 0:
        return f"too few stars in {exposure.filter}: {entry.n_detected} sources, none of them confirmed"
    return (
        f"empty, trailed or out of focus: {expected} of the other exposures' stars should show,"
        f" {entry.n_matched or 'none'} match"
    )


def _like(partners: Sequence[Exposure], alignment: Alignment) -> Place:
    """Return the mean correction of some exposures, and how well another of their visit follows it [mas].

    The scatter of their shifts is mixed with what is expected of it, which counts as one exposure.
    """
    entries = [alignment.exposures[e.root] for e in partners]
    shifts = np.array([entry.shift for entry in entries])
    matrix = np.mean([entry.matrix for entry in entries], axis=0)
    mean = shifts.mean(axis=0)
    n = len(entries)
    square = 0.5 * float(((1000.0 * (shifts - mean)) ** 2).sum())
    scatter = (SAME_GUIDE_STARS**2 + square) / n
    return Place(matrix, mean, float(np.sqrt(scatter * (1.0 + 1.0 / n))))


def tell_reference(alignment: Alignment, choice: AlignSettings) -> Alignment:
    """Say of an exposure that was to keep its place, and has none by stars, that the mean took over."""
    root = choice.reference.lower()
    if alignment.reference != "mean" or root not in alignment.exposures:
        return alignment
    entry = alignment.exposures[root]
    note = f"{entry.note}; it was to be the reference (align.reference): the mean of the others is"
    return replace(alignment, exposures={**alignment.exposures, root: replace(entry, note=note)})
