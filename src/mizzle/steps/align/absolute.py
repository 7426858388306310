"""Placing exposures on a reference catalog, or on the stars of a reference image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.kernel.detect import Detection, Profile, detect
from mizzle.model import project
from mizzle.model.references import AlignmentImage, AlignReferences, SkyCatalog
from mizzle.settings.align import AlignSettings
from mizzle.steps.align.match import Vote, pairs_between, vote
from mizzle.steps.align.network import REACH, Group
from mizzle.steps.align.solve import Problem, State
from mizzle.steps.align.sources import MovingStars, SourceList

_FWHM = 2.354820045


def image_catalog(image: AlignmentImage, settings: AlignSettings) -> SkyCatalog:
    """Find the stars of a reference image.

    The noise is measured on the image itself; any unit will do.
    """
    sci = np.asarray(image.sci, dtype=np.float32)
    sigma = image.fwhm / _FWHM
    radius = int(np.clip(np.ceil(1.5 * image.fwhm), 2, 6))
    detection = Detection(
        profile=Profile(sigma=sigma, halo_sigma=2.0 * sigma, halo=0.2, radius=radius),
        gain=1e30,  # unit unknown: the sources' own noise is left to the mismatch term
        threshold=settings.threshold,
        max_chi2=10.0 * settings.chi2_max,
        sharpness=(0.3, 3.0),
        max_roundness=settings.roundness_max,
        max_sources=8 * settings.max_sources,
        edge=settings.edge,
        mismatch=0.10,
    )
    sources = detect(sci, ~np.isfinite(sci), detection)
    ra, dec = image.pixel_to_sky(sources["x"], sources["y"])
    mag = -2.5 * np.log10(np.maximum(sources["flux"], 1e-30))
    return SkyCatalog(name=image.name, ra=ra, dec=dec, epoch=image.epoch, mag=mag)


def reference_catalog(references: AlignReferences, settings: AlignSettings) -> SkyCatalog | None:
    """Return the catalog to align to: the one given, or the reference image's stars, or None."""
    if references.catalog is not None:
        return references.catalog
    if references.image is not None:
        return image_catalog(references.image, settings)
    return None


def catalog_list(catalog: SkyCatalog, pivot: tuple[float, float], epoch: float, *, reach: float) -> MovingStars:
    """Project a catalog at `epoch` on the common plane, and drop what lies out of reach.

    Parameters
    ----------
    catalog : SkyCatalog
        Positions and motions.
    pivot : (float, float)
        Tangent point [deg].
    epoch : float
        Julian year the positions are brought to.
    reach : float
        Farthest distance of use from the pivot [arcsec].

    Returns
    -------
    sources : SourceList
        Its entries, brightest first where magnitudes are known.
    motion : (n, 2) array
        Motion of each entry [arcsec / yr].
    """
    ra, dec = catalog.at(epoch)
    position = 3600.0 * np.stack(project(ra, dec, pivot), axis=1)
    with np.errstate(invalid="ignore"):
        near = np.hypot(position[:, 0], position[:, 1]) <= reach
    order = np.flatnonzero(near)
    order = order[np.argsort(np.nan_to_num(catalog.mag[order], nan=99.0), kind="stable")]
    n = order.size
    motion = np.stack([catalog.pm_ra[order], catalog.pm_dec[order]], axis=1) / 1000.0
    sources = SourceList(
        root=catalog.name,
        position=position[order],
        error=catalog.error[order] / 1000.0,
        pixel=np.zeros(n),
        mag=np.full(n, np.nan),
        x=np.zeros(n),
        y=np.zeros(n),
        chip=np.zeros(n, dtype=np.int64),
        band="",
        epoch=epoch,
        center=np.zeros(2),
    )
    return MovingStars(sources, motion)


def group_reach(lists: Sequence[SourceList], settings: AlignSettings) -> float:
    """Return how far from the pivot catalog entries may matter [arcsec]."""
    far = max((float(np.hypot(*entry.center)) for entry in lists), default=0.0)
    return far + 0.5 * REACH + settings.search_radius


def merged_positions(lists: Sequence[SourceList], group: Group, tolerance: float) -> FloatArray:
    """Return positions of the group's stars in its own frame, brightest first.

    A star seen by several exposures is listed once; of a group of several exposures, detections that no other
    exposure confirms are left out while enough confirmed ones remain.
    """
    position = np.concatenate([lists[m].position @ group.matrices[m].T + group.shifts[m] for m in group.members])
    owner = np.concatenate([np.full(len(lists[m]), k) for k, m in enumerate(group.members)])
    mag = np.concatenate([lists[m].mag for m in group.members])
    order = np.argsort(mag, kind="stable")
    position, owner = position[order], owner[order]
    if len(group.members) == 1 or not len(position):
        return position
    cell = np.floor(position / tolerance).astype(np.int64)
    keys = np.unique(cell, axis=0, return_inverse=True)[1].ravel()
    seen = np.unique(keys * len(group.members) + owner) // len(group.members)
    confirmed = np.bincount(seen, minlength=int(keys.max()) + 1)[keys] > 1
    first = np.zeros(len(position), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    stars: FloatArray = position[first & confirmed] if confirmed.sum() >= 10 else position[first]
    return stars


def vote_on_catalog(
    lists: Sequence[SourceList], group: Group, catalog: SourceList, *, settings: AlignSettings
) -> Vote | None:
    """Search the offset between the stars of a group of exposures and a catalog."""
    stars = merged_positions(lists, group, settings.tolerance)
    if not len(stars):
        return None
    return vote(
        stars,
        catalog.position,
        radius=settings.search_radius,
        window=settings.tolerance,
        max_roll=float(np.deg2rad(settings.search_roll)),
    )


def with_motions(
    problem: Problem,
    state: State,
    lists: Sequence[SourceList],
    *,
    members: Sequence[int],
    catalog: MovingStars,
    epoch: float,
) -> Problem:
    """Return the problem with the proper motions of catalog stars taken out of each exposure's detections.

    A detection that lies on a catalog entry (at the exposure's own epoch) is brought to the common epoch; the
    others have no known motion.
    """
    stars, motion = catalog
    if not motion.any():
        return problem
    d = problem.detections
    position = state.apply(d, problem.turns)
    shift = np.zeros((len(d), 2))
    for k, m in enumerate(members):
        years = lists[m].epoch - epoch
        rows = np.flatnonzero(d.exposure == k)
        there = stars.position + motion * years
        first, second = pairs_between(position[rows], there, problem.settings.tolerance)
        distance = np.hypot(*(position[rows][first] - there[second]).T)
        order = np.argsort(-distance, kind="stable")  # the nearest is written last
        shift[rows[first[order]]] = motion[second[order]] * years
    return replace(problem, detections=replace(d, motion=shift))
