"""A chip against the reference: read it where that matters, and thresholds. src/plan.c tells where.

Most pixels of a chip show sky, and cannot be flagged whatever exactly is expected of them. Bounds of all readings,
worked out once for an image, tell which; the others are read and judged as `flag_rays` would. The NumPy twin
reads everything: it is the definition.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Image, Marks, Mask
from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.compare import numpy_twin
from mizzle.kernel.compare.types import CompareOptions, RayMarks, RayThresholds, ReferenceImage, ReferenceMarks
from mizzle.kernel.maps.types import ChipMap
from mizzle.kernel.pixels import grow
from mizzle.kernel.read import as_image, check_interp, read_places

#: Bounds that say nothing: -inf and inf.
NO_BOUNDS = np.uint32(0x7F80FF80)

Read = tuple[Marks, Mask, Image]
"""What to skip, what is known, and the reference at the pixels."""


def _threshold_struct(thresholds: RayThresholds, shape: tuple[int, int]) -> native.ThresholdStruct:
    """Return thresholds for a chip of this shape as C wants them."""
    t, (ny, nx) = thresholds, shape
    return native.ThresholdStruct(
        ny=ny, nx=nx, negative=int(t.negative), gain=t.gain, rate=t.rate, sky=t.sky, floor=t.floor, quiet=t.quiet,
        peak=t.peak, wing=t.wing, seed_sigma=t.seed_sigma, seed_slope=t.seed_slope, near_sigma=t.neighbor_sigma,
        near_slope=t.neighbor_slope, doubt=t.doubt, suspect_slope=t.suspect_slope, trust=t.trust,
    )  # fmt: skip


def flag_rays(sci: Image, bad: Mask | NDArray[np.uint8], expected: Image, thresholds: RayThresholds) -> RayMarks:
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
    thresholds : RayThresholds
        Units, noise and thresholds.

    Returns
    -------
    marks : RayMarks
        Mask, marks, and the sharpened expectation.

    References
    ----------
    Two passes and a derivative term: Fruchter & Hook 2002, PASP 114, 144, section 4.
    """
    library = native.library()
    if library is None:
        return numpy_twin.flag_rays(sci, bad, expected, thresholds)
    job = _threshold_struct(thresholds, sci.shape)
    arrays = [np.ascontiguousarray(sci), np.ascontiguousarray(bad), np.ascontiguousarray(expected)]
    light, marks, out = (np.empty(sci.shape, kind) for kind in (np.float32, np.uint8, np.bool_))
    pointers = [native.pointer(array) for array in (*arrays, light, marks, out)]
    native.raise_on_status(library.mz_flag_rays(native.by_reference(job), *pointers))
    return RayMarks(out, marks, light)


def reading_bounds(image: Image, interp: str, rows: slice, out: NDArray[np.uint32]) -> None:
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
    library = native.library()
    if library is None or interp == "lanczos5":  # so many points bound next to nothing
        out[rows] = NO_BOUNDS
        return
    ny, nx = image.shape
    code = native.INTERPOLATIONS[check_interp(interp)]
    native.raise_on_status(
        library.mz_bounds(native.pointer(image), ny, nx, code, rows.start, rows.stop, native.pointer(out))
    )


def compare_chip(
    sci: Image, bad: Mask, reference: ReferenceImage, where: ChipMap, thresholds: RayThresholds, options: CompareOptions
) -> ReferenceMarks:
    """Flag the pixels of a chip that stand above what a reference lets expect.

    Parameters
    ----------
    sci : (ny, nx) float32 array
        Signal [DN].
    bad : (ny, nx) bool array
        Never flagged.
    reference : ReferenceImage
        Sky subtracted.
    where : ChipMap
        Where the chip's pixels fall on it.
    thresholds : RayThresholds
        Units, noise and thresholds; what is unknown is not flagged.
    options : CompareOptions
        What else is asked.

    Returns
    -------
    marks : RayMarks
        As `flag_rays` has it, but for the light. That is true in the 3 x 3 pixels around seeds and suspects,
        around light above `bright`, and where it is asked for; elsewhere it may be anything below `bright`, or NaN.
    known : (ny, nx) bool array
        Where the reference is known, its rim left out.
    """
    shapes = [sci.shape, bad.shape, *([] if options.extra_pixels is None else [options.extra_pixels.shape])]
    if any(shape != where.shape for shape in shapes):
        raise SettingsError(f"chip, bad pixels and what is asked: {shapes}, map {where.shape}: they must be equal")
    reference = replace(reference, image=as_image(reference.image), interp=check_interp(reference.interp))
    library = native.library()
    if library is None or reference.bounds is None or not _usual(thresholds):
        skip, known, expected = _all_read(bad, reference, where, options)
    else:
        skip, known, expected = _some_read(
            library, np.ascontiguousarray(sci), bad, reference, where, thresholds, options
        )
    return ReferenceMarks(flag_rays(sci, skip, expected, thresholds), known)


def _all_read(bad: Mask, reference: ReferenceImage, where: ChipMap, options: CompareOptions) -> Read:
    """Return what to skip, what is known, and the reference at all pixels."""
    expected = read_places(reference.image, where, reference.interp)
    unknown = np.isnan(expected)
    known = ~grow(unknown, options.edge)
    skip = (bad | unknown).astype(np.uint8)
    skip[~(known | skip.view(np.bool_))] = options.edge_rule
    return skip, known, expected


def _some_read(
    library: native.Library,
    sci: Image,
    bad: Mask,
    reference: ReferenceImage,
    where: ChipMap,
    thresholds: RayThresholds,
    options: CompareOptions,
) -> Read:
    """Return the same with the reference at pixels that matter."""
    (ny, nx), edges = reference.image.shape, reference.bounds
    if edges is None or edges.shape != (ny, nx) or edges.dtype != np.uint32:
        raise SettingsError(f"bounds do not belong to the image of shape {(ny, nx)}; make them with reading_bounds()")
    bad, extra = (
        np.ascontiguousarray(bad),
        None if options.extra_pixels is None else np.ascontiguousarray(options.extra_pixels),
    )
    view = native.ViewStruct(
        image=native.pointer(reference.image), bounds=native.pointer(edges), ny=ny, nx=nx, sci=native.pointer(sci),
        bad=native.pointer(bad), extra=native.pointer(extra), probe_level=options.probe_level,
    )  # fmt: skip
    job, place = _threshold_struct(thresholds, sci.shape), native.map_struct(where)
    skip, wanted = np.empty(sci.shape, np.uint8), np.empty(sci.shape, np.uint8)
    known = np.empty(sci.shape, np.bool_)
    jobs = [native.by_reference(struct) for struct in (job, place, view)]
    planes = [native.pointer(plane) for plane in (skip, known, wanted)]
    native.raise_on_status(library.mz_plan(*jobs, options.edge, options.edge_rule, *planes))
    return skip, known, read_places(reference.image, where, reference.interp, wanted)


def _usual(thresholds: RayThresholds) -> bool:
    """Return whether bounds of the light bound the verdicts: no threshold falls where light rises."""
    t = thresholds
    factors = (
        t.rate, t.floor, t.peak, t.wing, t.seed_sigma, t.seed_slope, t.neighbor_sigma, t.neighbor_slope, t.doubt,
        t.suspect_slope,
    )  # fmt: skip
    return not thresholds.negative and all(factor >= 0 for factor in factors)
