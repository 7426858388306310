"""A chip against the reference: read it where that matters, and judge. src/plan.c tells where.

Most pixels of a chip show sky, and cannot be flagged whatever exactly is expected of them. Bounds of all readings,
worked out once for an image, tell which; the others are read and judged as `rays.judge_chip` would. The NumPy twin
reads everything: it is the definition.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.kernel import native, rays
from mizzle.kernel.blotting import as_image, read_places
from mizzle.kernel.maps import ChipMap
from mizzle.kernel.request import check_interp

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Bounds that say nothing: -inf and inf.
NO_BOUNDS = np.uint32(0x7F80FF80)

_I64, _F32, _PTR = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p


class ViewStruct(ctypes.Structure):
    """`mz_view` of plan.c."""

    _fields_ = (
        ("image", _PTR), ("bounds", _PTR), ("ny", _I64), ("nx", _I64), ("sci", _PTR), ("bad", _PTR), ("asked", _PTR),
        ("bright", _F32),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Picture:
    """An image to compare with.

    Parameters
    ----------
    image : (ny, nx) float32 array
        NaN where unknown.
    interp : str
        How it is read, as in `kernel.blot_chip`.
    bounds : (ny, nx) uint32 array or None
        Least and greatest reading from each pixel's center to the next one's, by `bounds`; without them everything is
        read.
    """

    image: Image
    interp: str = "poly5"
    bounds: NDArray[np.uint32] | None = None


@dataclass(frozen=True, eq=False)
class Query:
    """What must be known about a chip besides its verdicts.

    Parameters
    ----------
    rim : int
        Pixels this near to the picture's end are not sure: see `unsure`.
    unsure : int
        1: not judged there; 2: no seeds there, but suspects.
    bright : float
        Light above this is told [electron].
    asked : (ny, nx) bool array, optional
        Light that lies below what these pixels saw is told.
    """

    rim: int = 0
    unsure: int = 1
    bright: float = float("inf")
    asked: Mask | None = None


def _library() -> ctypes.CDLL | None:
    """Return the C library if it makes plans."""
    library = native.library()
    if library is None or not hasattr(library, "mz_plan"):
        return None
    library.mz_bounds.argtypes = (_PTR, _I64, _I64, _I64, _I64, _I64, _PTR)
    library.mz_plan.argtypes = (_PTR, _PTR, _PTR, _I64, _I64, _PTR, _PTR, _PTR)
    return library


def bounds(image: Image, interp: str, rows: slice, out: NDArray[np.uint32]) -> None:
    """Write the least and the greatest value that can be read between each pixel's center and the next ones'.

    Parameters
    ----------
    image : (ny, nx) float32 array
        NaN where unknown: no bound, -inf and inf, where a reading could look at such a pixel or beyond the edge.
    interp : str
        How it will be read.
    rows : slice
        Rows to do; workers may share the rest.
    out : (ny, nx) uint32 array
        Written: upper halves of two float32, that of the least value in the lower half; rounded outward.
    """
    library = _library()
    if library is None:
        out[rows] = NO_BOUNDS
        return
    ny, nx = image.shape
    code = native.INTERPOLATIONS[check_interp(interp)]
    native.check(library.mz_bounds(native.pointer(image), ny, nx, code, rows.start, rows.stop, native.pointer(out)))


def compare_chip(
    sci: Image, bad: Mask, picture: Picture, where: ChipMap, judge: rays.Judge, query: Query
) -> tuple[rays.Judged, Mask]:
    """Flag the pixels of a chip that stand above what a picture lets expect.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    bad : (ny, nx) bool array
        Never flagged.
    picture : Picture
        Sky subtracted.
    where : ChipMap
        Where the chip's pixels fall on it.
    judge : Judge
        Units, noise and thresholds; what is unknown is not flagged.
    query : Query
        What else is asked.

    Returns
    -------
    judged : Judged
        As `rays.judge_chip` has it, but for the light. That is true in the 3 x 3 pixels around seeds and suspects,
        around light above `bright`, and where it is asked for; elsewhere it may be anything below `bright`, or NaN.
    known : (ny, nx) bool array
        Where the picture is known, its rim left out.
    """
    shapes = [sci.shape, bad.shape, *([] if query.asked is None else [query.asked.shape])]
    if any(shape != where.shape for shape in shapes):
        raise SettingsError(f"chip, bad pixels and what is asked: {shapes}, map {where.shape}: they must be equal")
    picture = replace(picture, image=as_image(picture.image), interp=check_interp(picture.interp))
    library = _library()
    if library is None or picture.bounds is None or not _usual(judge):
        skip, known, expected = _all_read(bad, picture, where, query)
    else:
        skip, known, expected = _some_read(library, np.ascontiguousarray(sci), bad, picture, where, judge, query)
    return rays.judge_chip(sci, skip, expected, judge), known


Read = tuple[NDArray[np.uint8], Mask, Image]


def _all_read(bad: Mask, picture: Picture, where: ChipMap, query: Query) -> Read:
    """Return what to skip, what is known, and the picture at all pixels."""
    expected = read_places(picture.image, where, picture.interp)
    unknown = np.isnan(expected)
    known = ~rays.grown(unknown, query.rim)
    skip = (bad | unknown).astype(np.uint8)
    skip[~(known | skip.view(np.bool_))] = query.unsure
    return skip, known, expected


def _some_read(
    library: ctypes.CDLL, sci: Image, bad: Mask, picture: Picture, where: ChipMap, judge: rays.Judge, query: Query
) -> Read:
    """Return the same with the picture at pixels that matter."""
    (ny, nx), edges = picture.image.shape, picture.bounds
    if edges is None or edges.shape != (ny, nx) or edges.dtype != np.uint32:
        raise SettingsError(f"bounds do not belong to the image of shape {(ny, nx)}; make them with bounds()")
    bad, asked = np.ascontiguousarray(bad), None if query.asked is None else np.ascontiguousarray(query.asked)
    view = ViewStruct(
        image=native.pointer(picture.image), bounds=native.pointer(edges), ny=ny, nx=nx, sci=native.pointer(sci),
        bad=native.pointer(bad), asked=native.pointer(asked), bright=query.bright,
    )  # fmt: skip
    job, place = rays.judge_struct(judge, sci.shape), native.map_struct(where)
    skip, wanted = np.empty(sci.shape, np.uint8), np.empty(sci.shape, np.uint8)
    known = np.empty(sci.shape, np.bool_)
    jobs = [ctypes.addressof(one) for one in (job, place, view)]
    planes = [native.pointer(one) for one in (skip, known, wanted)]
    native.check(library.mz_plan(*jobs, query.rim, query.unsure, *planes))
    return skip, known, read_places(picture.image, where, picture.interp, wanted)


def _usual(judge: rays.Judge) -> bool:
    """Return whether bounds of the light bound the verdicts: no threshold falls where light rises."""
    factors = (
        judge.rate, judge.floor, judge.peak, judge.wing, judge.seed_sigma, judge.seed_slope, judge.neighbor_sigma,
        judge.neighbor_slope, judge.doubt, judge.suspect_slope,
    )  # fmt: skip
    return not judge.negative and all(factor >= 0 for factor in factors)
