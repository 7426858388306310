"""Cosmic rays of a single exposure: peaks that no star explains. Arrays in, arrays out.

The work is done by src/single.c, or by its NumPy twin `reference_single`, which is the definition.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import native, reference_single
from mizzle.kernel.reference_single import NEIGHBORS

__all__ = ["NEIGHBORS", "SingleRule", "find_rays"]

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_I64, _F32, _F64, _PTR = ctypes.c_int64, ctypes.c_float, ctypes.c_double, ctypes.c_void_p


@dataclass(frozen=True)
class SingleRule:
    """What is a peak, and how it is judged.

    Parameters
    ----------
    floor : float
        Variance without light [electron**2].
    structure : float
        How well smooth structure is known, relative to itself.
    sigma, neighbor_sigma : float
        Peaks, and bright pixels, stand above their surroundings by this many times the noise.
    deficit : float
        A peak is a star's unless its neighbors fall this far short of every template [sigma].
    doubt : float
        How well the templates are known, relative to themselves.
    track : int
        How far a track is followed from its peak [pixel].
    grow : int
        How far from a track bright pixels belong to it [pixel].
    """

    floor: float
    structure: float
    sigma: float
    neighbor_sigma: float
    deficit: float
    doubt: float
    track: int
    grow: int


class SingleStruct(ctypes.Structure):
    """`mz_single` of single.c."""

    _fields_ = (
        ("ny", _I64), ("nx", _I64), ("templates", _I64), ("track", _I64), ("grow", _I64), ("doubt", _F64),
        ("deficit", _F64), ("floor", _F32), ("structure", _F32), ("sigma", _F32), ("near_sigma", _F32),
    )  # fmt: skip


def _library() -> ctypes.CDLL | None:
    """Return the C library if it knows how to judge a single exposure."""
    library = native.library()
    if library is None or not hasattr(library, "mz_find_single"):
        return None
    library.mz_find_single.argtypes = (_PTR,) * 6
    return library


def find_rays(
    electrons: Image, bad: Mask, templates: NDArray[np.float64], rule: SingleRule, track: Mask | None = None
) -> Mask:
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
    library = _library()
    if library is None:
        return reference_single.find_rays(electrons, bad, templates, rule, track)
    ny, nx = electrons.shape
    if bad.shape != (ny, nx) or (track is not None and track.shape != (ny, nx)) or templates.shape[1:] != (8,):
        raise ValueError(f"pixels {electrons.shape}, bad ones {bad.shape}, templates {templates.shape}")
    job = SingleStruct(
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
    native.check(library.mz_find_single(ctypes.addressof(job), *map(native.pointer, (*given, follow, out))))
    return out
