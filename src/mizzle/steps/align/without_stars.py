"""Alignments that need no stars: of one exposure, by the user's table, on a moving target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.errors import DataError, SettingsError
from mizzle.model import Alignment, Exposure, ExposureAlignment, Verdict, project
from mizzle.model.references import AlignReferences
from mizzle.steps.align.match import rotation
from mizzle.steps.align.sources import common_pivot


def alone(exposures: Sequence[Exposure]) -> Alignment:
    """Return the answer for a single exposure: nothing to align with."""
    identity = Alignment.identity(exposures)
    note = "one exposure: nothing to align"
    entries = {root: replace(entry, note=note) for root, entry in identity.exposures.items()}
    return Alignment(reference=identity.reference, exposures=entries, method="stars")


def from_table(exposures: Sequence[Exposure], references: AlignReferences) -> Alignment:
    """Apply the corrections of the user's table.

    Raises
    ------
    SettingsError
        There is no table.
    DataError
        An exposure is not in it.
    """
    if not references.shifts:
        raise SettingsError("align.method = 'shifts' needs a table; name it with align.shifts")
    missing = sorted(e.root for e in exposures if e.root not in references.shifts)
    if missing:
        raise DataError(
            f"align.shifts: no row for {', '.join(missing)}; add one (zeros keep the header's pointing)",
            missing=missing,
        )
    pivot = common_pivot(sorted(exposures, key=lambda e: e.root))
    entries = {}
    for exposure in exposures:
        known = references.shifts[exposure.root]
        entries[exposure.root] = ExposureAlignment(
            exposure.root,
            pivot,
            known.scale * rotation(float(np.deg2rad(known.roll))),
            np.array([known.east, known.north]),
            note="correction given by the user",
            method="shifts",
        )
    return Alignment(reference="shifts", exposures=entries, method="shifts")


def on_target(exposures: Sequence[Exposure], references: AlignReferences) -> Alignment:
    """Hold a moving target still, as the headers track it or where the user points at it.

    Each exposure is shifted so that its target lies where the earliest exposure has it. The target is the first source
    that `references` gives for each exposure; without sources it is RA_TARG, DEC_TARG of the headers; without those the
    headers are taken as they are. Stars take no part.

    Parameters
    ----------
    exposures : sequence of Exposure
        That follow one target.
    references : AlignReferences
        ``sources``: where the user sees the target.
    """
    pivot = common_pivot(sorted(exposures, key=lambda e: e.root))
    by_user = [_pointed_at(e, references) for e in exposures]
    by_header = [_tracked(e) for e in exposures]
    if all(place is not None for place in by_user):
        places, words = by_user, "where align.sources points at it"
    elif all(place is not None for place in by_header):
        places, words = by_header, "by RA_TARG, DEC_TARG of the headers"
    else:
        places, words = [None] * len(exposures), "by the headers' pointings"
    first = min(range(len(exposures)), key=lambda k: (exposures[k].mjd_start, exposures[k].root))
    plane = np.array([_on_plane(place, pivot) for place in places])
    entries = {}
    for exposure, shift in zip(exposures, plane[first] - plane, strict=True):
        note = f"a moving target was followed: it is held still {words}; stars trail, nothing proves the shift"
        entries[exposure.root] = ExposureAlignment(
            exposure.root, pivot, np.eye(2), shift, verdict=Verdict.WARN, note=note, method="target"
        )
    return Alignment(reference=exposures[first].root, exposures=entries, method="target")


def _on_plane(place: FloatArray | None, pivot: tuple[float, float]) -> FloatArray:
    """Return a place on the plane tangent at `pivot` [arcsec]; its origin where none is known."""
    if place is None:
        return np.zeros(2)
    return 3600.0 * np.array(project(place[0], place[1], pivot))


def _pointed_at(exposure: Exposure, references: AlignReferences) -> FloatArray | None:
    """Return the sky of the first source that the user gives for an exposure [deg]."""
    for name, points in references.sources.get(exposure.root, {}).items():
        if len(points) and name in exposure.chips:
            ra, dec = exposure.chips[name].frame.pixel_to_sky(points[:1, 0], points[:1, 1])
            return np.array([float(ra[0]), float(dec[0])])
    return None


def _tracked(exposure: Exposure) -> FloatArray | None:
    """Return where the header has the target [deg]."""
    place = [exposure.header.get(name) for name in ("RA_TARG", "DEC_TARG")]
    if not all(isinstance(value, (int, float)) and np.isfinite(value) for value in place):
        return None
    return np.array(place, dtype=np.float64)
