"""Cosmic rays: stacks to a reference, and a chip against it. Arrays in, arrays out.

The work is done by src/rays.c, or by its NumPy twin `reference_rays`, which is the definition.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import native, reference_rays
from mizzle.kernel.accumulator import Accumulator

__all__ = [
    "NEAR",
    "SEED",
    "SUSPECT",
    "Judge",
    "Judged",
    "StackRule",
    "fill_holes",
    "grown",
    "judge_chip",
    "reduce_stack",
    "take_means",
]

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Bits of `Judged.marks`.
SEED, NEAR, SUSPECT = 1, 2, 4

METHODS = {"clipped": 0, "minmed": 1, "median": 2, "mean": 3}

_I64, _F32, _F64, _PTR = ctypes.c_int64, ctypes.c_float, ctypes.c_double, ctypes.c_void_p


@dataclass(frozen=True, eq=False)
class StackRule:
    """How a stack becomes one image.

    Parameters
    ----------
    method : str
        ``median`` and ``mean`` leave out the `nlow` lowest and `nhigh` highest values, where others remain.
        ``minmed`` is the median without the highest of three or more values, or the minimum where that lies more than
        `sigma` below it. ``clipped`` is the noise-weighted mean of the values within `sigma` of minmed.
    floor, slope : (n,) float32 array
        Noise of each image: variance ``floor + slope * max(value, 0)``.
    sigma : float
        For clipped and minmed.
    structure : float
        Their noise also holds this share of the light itself: what a star scatters between dithers.
    nlow, nhigh : int
        For median and mean.
    ratio : float
        A pixel's value does not count beside one whose `floor` is this many times lower.
    """

    method: str
    floor: NDArray[np.float32]
    slope: NDArray[np.float32]
    sigma: float = 3.0
    structure: float = 0.0
    nlow: int = 0
    nhigh: int = 0
    ratio: float = 9.0


@dataclass(frozen=True)
class Judge:
    """How a chip is held against what is expected of it.

    Parameters
    ----------
    gain : float
        Electrons per DN.
    rate : float
        Electrons per unit of the expectation.
    sky : float
        Sky [electron]; it is not part of the expectation.
    floor : float
        Variance without light [electron**2].
    quiet : float
        So much of a step is noise [electron].
    peak, wing : float
        Sharpening: this times (4 times a pixel less its four neighbors) is added, where that raises or lowers it.
    seed_sigma, seed_slope, neighbor_sigma, neighbor_slope : float
        Thresholds: sigma times the noise plus slope times the steepest step to one of the four neighbors.
    doubt : float
        Both thresholds rise by this share of what sharpening added.
    negative : bool
        Flag what lies as far below, too.
    suspect_slope : float
        In place of `seed_slope`, and without `doubt`: what stands above that but is no seed is suspect.
    trust : float
        No seeds, but suspects, where the expectation or one of its four neighbors is above this [electron].
    """

    gain: float
    rate: float
    sky: float
    floor: float
    quiet: float
    peak: float
    wing: float
    seed_sigma: float
    seed_slope: float
    neighbor_sigma: float
    neighbor_slope: float
    doubt: float = 0.0
    negative: bool = False
    suspect_slope: float = float("inf")
    trust: float = float("inf")


class StackStruct(ctypes.Structure):
    """`mz_stack` of rays.c."""

    _fields_ = (
        ("images", _PTR), ("n", _I64), ("stride", _I64), ("floor", _PTR), ("slope", _PTR), ("method", _I64),
        ("nlow", _I64), ("nhigh", _I64), ("sigma", _F32), ("structure", _F32), ("ratio", _F32),
        ("worst_slope", _F32),
    )  # fmt: skip


class JudgeStruct(ctypes.Structure):
    """`mz_judge` of rays.c."""

    _fields_ = (
        ("ny", _I64), ("nx", _I64), ("negative", _I64), ("gain", _F32), ("rate", _F32), ("sky", _F32),
        ("floor", _F32), ("quiet", _F32), ("peak", _F32), ("wing", _F32), ("seed_sigma", _F32),
        ("seed_slope", _F32), ("near_sigma", _F32), ("near_slope", _F32), ("doubt", _F32), ("suspect_slope", _F32),
        ("trust", _F32),
    )  # fmt: skip


def _library() -> ctypes.CDLL | None:
    """Return the C library if it knows about cosmic rays."""
    library = native.library()
    if library is None or not hasattr(library, "mz_judge_chip"):
        return None
    library.mz_reduce_stack.argtypes = (_PTR, _I64, _PTR)
    library.mz_judge_chip.argtypes = (_PTR,) * 7
    library.mz_means.argtypes = (_PTR, _I64, _F64, _PTR)
    library.mz_fill_holes.argtypes = (_PTR, _I64, _I64, _I64, _I64, _PTR)
    return library


def take_means(acc: Accumulator, least: float, out: Image) -> None:
    """Write the mean of each cell to `out`, NaN where its weight is below `least` (more than 0), and empty the cells.

    Parameters
    ----------
    acc : Accumulator
        Of plain sums; good for the next image afterwards, at no price: fresh memory has one.
    least : float
        Least weight.
    out : (ny, nx) float32 array
        Written.
    """
    library = _library()
    if library is None:
        out[...] = np.nan
        np.divide(acc.sums[..., 0], acc.weight, out=out, where=acc.weight >= least, casting="same_kind")
        acc.cells[...] = 0.0
        return
    if acc.cells.shape[2] != 2:
        raise ValueError("means are taken of plain sums, without variance and context")
    native.check(library.mz_means(native.pointer(acc.cells), out.size, least, native.pointer(out)))


def reduce_stack(stack: Image, rows: slice, rule: StackRule, out: Image) -> None:
    """Reduce some rows of a stack to an image; NaN where fewer than two exposures have a value.

    Parameters
    ----------
    stack : (n, ny, nx) float32 array
        Images, NaN where unknown.
    rows : slice
        The rows.
    rule : StackRule
        How, with the noise of each image.
    out : (rows, nx) float32 array
        Written.
    """
    library = _library()
    if library is None:
        out[...] = reference_rays.reduce_stack(stack[:, rows], rule)
        return
    first = stack[0, rows]
    job = StackStruct(
        images=native.pointer(first), n=stack.shape[0], stride=stack.strides[0] // stack.itemsize,
        floor=native.pointer(rule.floor), slope=native.pointer(rule.slope), method=METHODS[rule.method],
        nlow=rule.nlow, nhigh=rule.nhigh, sigma=rule.sigma, structure=rule.structure,
        ratio=rule.ratio, worst_slope=float(rule.slope.max()),
    )  # fmt: skip
    native.check(library.mz_reduce_stack(ctypes.addressof(job), first.size, native.pointer(out)))


def fill_holes(image: Image, out: Image | None = None) -> Image:
    """Fill each unknown pixel (NaN) that has five known neighbors at least with the greatest of them.

    The greatest, for a star may stand there: what is expected must not be too low.

    Parameters
    ----------
    image : (ny, nx) float32 array
        With holes.
    out : (ny, nx) float32 array, optional
        Written and returned; it may be `image` itself. Without it a new one is.
    """
    out = np.empty_like(image) if out is None else out
    library = _library()
    if library is None:
        out[...] = reference_rays.fill_holes(image)
        return out
    ny, nx = image.shape
    native.check(library.mz_fill_holes(native.pointer(image), ny, nx, 0, ny, native.pointer(out)))
    return out


def grown(mask: Mask, radius: int) -> Mask:
    """Return `mask` grown by `radius` pixels to all sides (a square).

    Parameters
    ----------
    mask : (ny, nx) bool array
        Marks.
    radius : int
        Rows and columns; 0: a copy.
    """
    library = native.library()
    if library is None or not hasattr(library, "mz_grown") or not mask.size:
        return reference_rays.grown(mask, radius)
    library.mz_grown.argtypes = (_PTR, _I64, _I64, _I64, _PTR)
    out, given = np.empty(mask.shape, np.bool_), np.ascontiguousarray(mask, np.bool_)
    native.check(library.mz_grown(native.pointer(given), *mask.shape, max(0, radius), native.pointer(out)))
    return out


class Judged(NamedTuple):
    """A chip held against what is expected of it.

    Parameters
    ----------
    mask : (ny, nx) bool array
        Seeds and their neighbors.
    marks : (ny, nx) uint8 array
        Sum of `SEED`, `NEAR` (in the 3 x 3 pixels around a seed or suspect: a neighbor) and `SUSPECT`.
    light : (ny, nx) float32 array
        The expectation, sharpened [electron].
    """

    mask: Mask
    marks: NDArray[np.uint8]
    light: Image


def judge_struct(judge: Judge, shape: tuple[int, int]) -> JudgeStruct:
    """Return `judge` for a chip of this shape as C wants it."""
    ny, nx = shape
    return JudgeStruct(
        ny=ny, nx=nx, negative=int(judge.negative), gain=judge.gain, rate=judge.rate, sky=judge.sky, floor=judge.floor,
        quiet=judge.quiet, peak=judge.peak, wing=judge.wing, seed_sigma=judge.seed_sigma, seed_slope=judge.seed_slope,
        near_sigma=judge.neighbor_sigma, near_slope=judge.neighbor_slope, doubt=judge.doubt,
        suspect_slope=judge.suspect_slope, trust=judge.trust,
    )  # fmt: skip


def judge_chip(sci: Image, bad: Mask | NDArray[np.uint8], expected: Image, judge: Judge) -> Judged:
    """Flag the pixels of a chip that stand above what is expected.

    With E the expected electrons (sharpened), ``sigma**2 = max(E + sky, 0) + floor`` and D the steepest step of E to
    one of the four nearest pixels, less `quiet`::

        seed       observed - E - sky > seed_sigma * sigma + seed_slope * D
        neighbor   the same with neighbor_sigma and neighbor_slope, in the 3 x 3 pixels around a seed
        suspect    the same with seed_sigma and suspect_slope, and no seed

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    bad : (ny, nx) bool or uint8 array
        1: never flagged, and no seeds; 2: no seeds, but suspects, for the expectation is not sure.
    expected : (ny, nx) float32 array
        Sky subtracted; NaN where unknown: not flagged there.
    judge : Judge
        Units, noise and thresholds.

    Returns
    -------
    judged : Judged
        Mask, marks, and the sharpened expectation.

    References
    ----------
    Two passes and a derivative term: Fruchter & Hook 2002, PASP 114, 144, section 4.
    """
    library = _library()
    if library is None:
        return Judged(*reference_rays.judge_chip(sci, bad, expected, judge))
    job = judge_struct(judge, sci.shape)
    arrays = [np.ascontiguousarray(sci), np.ascontiguousarray(bad), np.ascontiguousarray(expected)]
    light, marks, out = (np.empty(sci.shape, kind) for kind in (np.float32, np.uint8, np.bool_))
    pointers = [native.pointer(array) for array in (*arrays, light, marks, out)]
    native.check(library.mz_judge_chip(ctypes.addressof(job), *pointers))
    return Judged(out, marks, light)
