"""Which detections, in which exposures, are the same star."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, IntArray
from mizzle.steps.align.match import pair_blocks


@dataclass(frozen=True, eq=False)
class Detections:
    """All detections of all exposures, in one table.

    Parameters
    ----------
    position : (n, 2) array
        On the common plane [arcsec], as the headers have it.
    exposure : (n,) int array
        Index of the exposure; the catalog, when there is one, has the last index.
    error : (n,) array
        Centroid error per axis [arcsec].
    pixel : (n,) array
        Pixel side [arcsec]; 0 for a catalog.
    mag : (n,) array
        Magnitude; NaN where unknown.
    band : (n,) int array
        Number of the filter; magnitudes compare within a filter only.
    chip : (n,) int array
        DETECTOR number; 0 for a catalog.
    motion : (n, 2) array
        What to subtract to bring a position to the common epoch [arcsec].
    index : (n,) int array
        Row in the exposure's own list.
    """

    position: FloatArray
    exposure: IntArray
    error: FloatArray
    pixel: FloatArray
    mag: FloatArray
    band: IntArray
    chip: IntArray
    motion: FloatArray
    index: IntArray

    def __len__(self) -> int:
        return len(self.position)


class LinkRule(NamedTuple):
    """Largest distance [arcsec], and largest magnitude difference within a filter, of detections of one star."""

    tolerance: float
    mag_tolerance: float


class Edges(NamedTuple):
    """Pairs of detections that may be one star, by their numbers, and their distance [arcsec]."""

    first: IntArray
    second: IntArray
    distance: FloatArray


def _components(n: int, first: IntArray, second: IntArray) -> IntArray:
    """Label connected components by their smallest member."""
    label = np.arange(n)
    while True:
        before = label.copy()
        np.minimum.at(label, first, label[second])
        np.minimum.at(label, second, label[first])
        label = label[label]
        if np.array_equal(before, label):
            return label


def _untangle(members: IntArray, edges: list[tuple[float, int, int]], exposure: IntArray) -> dict[int, int]:
    """Split a component that holds an exposure twice: join by distance, never an exposure with itself."""
    group = {int(m): int(m) for m in members}
    content = {int(m): {int(exposure[m])} for m in members}
    for _, a, b in sorted(edges):
        ga, gb = group[a], group[b]
        if ga == gb or content[ga] & content[gb]:
            continue
        content[ga] |= content.pop(gb)
        for member, owner in group.items():
            if owner == gb:
                group[member] = ga
    return group


def link(detections: Detections, position: FloatArray, tolerance: float, *, mag_tolerance: float) -> IntArray:
    """Group detections into stars.

    Parameters
    ----------
    detections : Detections
        What is grouped.
    position : (n, 2) array
        Their positions as aligned so far [arcsec].
    tolerance : float
        Largest distance [arcsec].
    mag_tolerance : float
        Largest magnitude difference within a filter.

    Returns
    -------
    star : (n,) int array
        Number of the star, counted from 0; -1 for a detection that is alone.
    """
    rule = LinkRule(tolerance, mag_tolerance)
    label = np.arange(len(position))
    for edges in _edges(detections, position, rule):
        ends = label[edges.first], label[edges.second]
        open_ends = ends[0] != ends[1]
        if open_ends.any():
            # Labels are smallest members already: joined ones have the smallest of these.
            label = _components(len(position), *(end[open_ends] for end in ends))[label]
    label = _split_conflicts(label, detections, position, rule=rule)
    _, inverse, count = np.unique(label, return_inverse=True, return_counts=True)
    alone = count[inverse] < 2
    star = np.full(label.size, -1, dtype=np.int64)
    star[~alone] = np.unique(label[~alone], return_inverse=True)[1]
    return star


def _edges(detections: Detections, position: FloatArray, rule: LinkRule) -> Iterator[Edges]:
    """Yield the pairs of detections that may be one star, some at a time."""
    for first, second in pair_blocks(position, position, rule.tolerance):
        ordered = first < second
        first, second = first[ordered], second[ordered]
        distance = np.hypot(*(position[first] - position[second]).T)
        unlike = np.abs(detections.mag[first] - detections.mag[second]) > rule.mag_tolerance
        same_band = detections.band[first] == detections.band[second]
        keep = (distance <= rule.tolerance) & (detections.exposure[first] != detections.exposure[second])
        keep &= ~(same_band & unlike)
        yield Edges(first[keep], second[keep], distance[keep])


def _split_conflicts(label: IntArray, detections: Detections, position: FloatArray, *, rule: LinkRule) -> IntArray:
    """Untangle the components that hold some exposure twice; the others stay."""
    exposure = detections.exposure
    key = label * (int(exposure.max(initial=0)) + 1) + exposure
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    tangled = np.unique(label[count[inverse] > 1])
    if not tangled.size:
        return label
    fixed = label.copy()
    edges: dict[int, list[tuple[float, int, int]]] = {int(t): [] for t in tangled}
    for first, second, distance in _edges(detections, position, rule):
        chosen = np.isin(label[first], tangled)
        for a, b, d in zip(first[chosen], second[chosen], distance[chosen], strict=True):
            edges[int(label[a])].append((float(d), int(a), int(b)))
    members: dict[int, list[int]] = {int(t): [] for t in tangled}
    for m in np.flatnonzero(np.isin(label, tangled)):
        members[int(label[m])].append(int(m))
    for owner, group in members.items():
        for member, new in _untangle(np.array(group), edges[owner], exposure).items():
            fixed[member] = new
    return fixed
