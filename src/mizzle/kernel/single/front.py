"""Cosmic rays of a single exposure: peaks that no star explains. Arrays in, arrays out.

The work is done by src/single.c, or by its NumPy twin, which is the definition.
"""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Image, Mask
from mizzle.kernel import native
from mizzle.kernel.single import numpy_twin
from mizzle.kernel.single.types import SingleRule


def find_rays(electrons: Image, bad: Mask, templates: FloatArray, rule: SingleRule, track: Mask | None = None) -> Mask:
    """Find cosmic rays on one chip of one exposure.

    Peaks are local maxima above about the median of the 5 x 5 pixels around. One is a star's where some template,
    scaled to it, asks of its neighbors no more than they have; it and its eight neighbors are spared. All others are
    rays, and what hangs on them along `track` belongs to them.

    Parameters
    ----------
    electrons : (ny, nx) float32 array
        Signal, sky included [electron]; finite where it is not bad.
    bad : (ny, nx) bool array
        Pixels to leave alone.
    templates : (n, 8) array
        What the neighbors of a star's peak (`NEIGHBORS`) have of its light at least, relative to it.
    rule : SingleRule
        Noise and limits.
    track : (ny, nx) bool array, optional
        Pixels along which a track may be followed; without it, bright ones.

    Returns
    -------
    mask : (ny, nx) bool array
        True where a cosmic ray was found; never on bad pixels.
    """
    library = native.library()
    if library is None:
        return numpy_twin.find_rays(electrons, bad, templates, rule, track)
    ny, nx = electrons.shape
    if bad.shape != (ny, nx) or (track is not None and track.shape != (ny, nx)) or templates.shape[1:] != (8,):
        raise ValueError(f"pixels {electrons.shape}, bad ones {bad.shape}, templates {templates.shape}")
    job = native.SingleStruct(
        ny=ny, nx=nx, templates=templates.shape[0], track=rule.track, grow=rule.grow, doubt=rule.doubt,
        deficit=rule.deficit, floor=rule.floor, structure=rule.structure, sigma=rule.sigma,
        near_sigma=rule.neighbor_sigma,
    )  # fmt: skip
    out = np.empty((ny, nx), np.bool_)
    given = (
        np.ascontiguousarray(electrons, np.float32), np.ascontiguousarray(bad, np.bool_),
        np.ascontiguousarray(templates, np.float64),
    )  # fmt: skip
    follow = None if track is None else np.ascontiguousarray(track, np.bool_)
    native.raise_on_status(
        library.mz_find_single(native.by_reference(job), *map(native.pointer, (*given, follow, out)))
    )
    return out
