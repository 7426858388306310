"""Finding stars on undersampled images: background, peaks, and pixel-integrated profile fits.

Arrays in, arrays out. The work is done by src/detect.c, src/star_fit.c, or its NumPy twin, which is the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image
from mizzle.arrays import Marks as FlagArray
from mizzle.kernel import native
from mizzle.kernel.detect import numpy_twin
from mizzle.kernel.detect.mesh import pixel_flags, sky_mesh
from mizzle.kernel.detect.numpy_twin import (
    FARTHEST_FIT,
    FIRST_STEPS,
    FIT_COLUMNS,
    FULL,
    ITERATIONS,
    LONGEST_STEP,
    MORE_STEPS,
    SETTLED,
    matched_filter,
)
from mizzle.kernel.detect.structure import stand_out
from mizzle.kernel.detect.types import (
    SOURCE_DTYPE,
    Background,
    Detection,
    Excess,
    PeakFits,
    SampledProfile,
    SkyMesh,
    StarPeaks,
)

#: Fits are made for this many times the sources wanted: what fails them is not a star. On large chips one of so many
#: pixels is fitted: the rays of 400 s are more than all those, and hide every star behind them.
CANDIDATES, PIXELS_PER_CANDIDATE = 3, 800
#: Pixels of an image that are looked at together: larger ones are taken in bands of rows.
BAND_PIXELS = 2**23


def _excess(image: Image, flags: FlagArray, mesh: Background, rows: slice) -> Excess:
    """Return some rows of the image less its background, and the noise of their pixels."""
    library = native.library()
    if library is None:
        return numpy_twin.excess(image, flags, mesh, rows)
    ny, nx = image.shape
    above, noise_image = (np.empty((rows.stop - rows.start, nx), np.float32) for _ in range(2))
    status = library.mz_excess(
        native.pointer(image), native.pointer(flags), ny, nx, rows.start, rows.stop, native.pointer(mesh.level),
        native.pointer(mesh.noise), mesh.level.shape[0], mesh.level.shape[1], native.pointer(above),
        native.pointer(noise_image),
    )  # fmt: skip
    native.raise_on_status(status)
    return Excess(above, noise_image)


def _peaks(above: Image, noise: Image, flags: FlagArray, detection: Detection) -> StarPeaks:
    """Return the peaks that could be stars, and their matched-filter signal."""
    library = native.library()
    if library is None:
        return numpy_twin.peaks(above, noise, flags, detection)
    ny, nx = above.shape
    radius = detection.profile.radius
    tilt, power, cross = matched_filter(detection)
    capacity = (ny * nx) // 4 + 1  # two local maxima are never neighbors
    index, signal = np.empty(capacity, dtype=np.int64), np.empty(capacity)
    count = library.mz_peaks(
        native.pointer(above), native.pointer(noise), native.pointer(flags), ny, nx, max(detection.edge, radius),
        radius, native.pointer(tilt), power, cross, detection.threshold, capacity,
        native.pointer(index), native.pointer(signal),
    )  # fmt: skip
    return StarPeaks(index[:count].copy(), signal[:count].copy())


def _fit(above: Image, noise: Image, flags: FlagArray, index: NDArray[np.int64], detection: Detection) -> FloatArray:
    """Fit the peaks; `FIT_COLUMNS`."""
    library = native.library()
    profile = detection.profile
    if library is None or profile.radius > 8:
        return numpy_twin.fit(above, noise, flags, index, detection)
    star = native.StarStruct(
        gain=detection.gain, mismatch=detection.mismatch, settled=SETTLED, radius=profile.radius, iterations=ITERATIONS
    )
    if isinstance(profile, SampledProfile):
        table = np.ascontiguousarray(profile.coefficients, np.float64)
        star.table, star.table_side, star.oversampling = native.pointer(table), table.shape[0], profile.oversampling
    else:
        star.sigma, star.halo_sigma, star.halo = profile.sigma, profile.halo_sigma, profile.halo
    out = np.empty((index.size, len(FIT_COLUMNS)))
    library.mz_fit_stars(
        native.pointer(above), native.pointer(noise), native.pointer(flags), above.shape[1], native.pointer(index),
        index.size, native.by_reference(star), native.pointer(out),
    )  # fmt: skip
    return out


def detect(
    sci: NDArray[Any],
    mask: NDArray[Any],
    detection: Detection,
    *,
    saturated: NDArray[Any] | None = None,
    sky: SkyMesh | None = None,
) -> NDArray[Any]:
    """Find stars and fit their positions.

    Local maxima above three times the local noise are fitted with the pixel-integrated profile, a flux and a
    background of their own. Signal-to-noise, chi-square, sharpness and roundness then decide: a cosmic ray's
    single pixel is too sharp, its track fits badly.

    Parameters
    ----------
    sci : (ny, nx) array
        Image [DN].
    mask : (ny, nx) array
        Nonzero where a pixel is bad. A source needs its 3 x 3 center good.
    detection : Detection
        What a star looks like, and the limits.
    saturated : (ny, nx) array, optional
        Nonzero where a pixel is saturated. Such pixels do not enter the fit; a source that holds some is
        centered on its wings and marked.
    sky : SkyMesh, optional
        What `measure_sky` says of this image, by somebody who has it already.

    Returns
    -------
    sources : (n,) structured array
        `SOURCE_DTYPE`, brightest first.
    """
    image = np.ascontiguousarray(sci, dtype=np.float32)
    if min(image.shape) <= 2 * max(detection.profile.radius, detection.edge) + 1:
        return np.zeros(0, dtype=SOURCE_DTYPE)
    flags = pixel_flags(image, mask, saturated)
    sky = sky_mesh(image, flags, detection) if sky is None else sky
    bands = _Bands(image, flags, sky.background, detection)
    by_band = [bands.peaks(number) for number in range(len(bands.rows))]
    index = np.concatenate([band.pixel for band in by_band])
    order = np.lexsort((index, -np.concatenate([band.signal for band in by_band])))
    most = max(CANDIDATES * detection.max_sources, image.size // PIXELS_PER_CANDIDATE)
    index = np.ascontiguousarray(index[order[:most]])
    core = flags.ravel()[index[:, None] + numpy_twin.core_offsets(image.shape[1])[None, :]]
    full = ((core & FULL) != 0).any(axis=1)
    fit, height, passed = _fit_enough(bands, index, full, detection)
    count = passed.size
    if sky.structured.any():
        passed &= full[:count] | stand_out(image, flags, index[:count], fit=fit, sky=sky, detection=detection)
    return _select(fit, passed, index[:count], height, full[:count], image.shape[1], detection)


class _Bands:
    """An image less its background, some rows at a time where all of them take too much memory.

    Parameters
    ----------
    image, flags, mesh, detection
        Of the whole image.
    """

    def __init__(self, image: Image, flags: FlagArray, mesh: Background, detection: Detection) -> None:
        self._image, self._flags, self._mesh, self._detection = image, flags, mesh, detection
        # Peaks are looked for so many pixels inside the image, and need so many around them.
        self._margin = max(detection.edge, detection.profile.radius)
        first, last = self._margin, image.shape[0] - self._margin
        count = max(1, -(-image.size // BAND_PIXELS))
        edges = [first + (last - first) * i // count for i in range(count + 1)]
        self.rows = list(pairwise(edges))
        self._held: tuple[int, Excess] | None = None

    def _rows(self, number: int) -> slice:
        top, bottom = self.rows[number]
        return slice(top - self._margin, bottom + self._margin)

    def _excess(self, number: int) -> Excess:
        if self._held is None or self._held[0] != number:
            self._held = None  # before the next is made
            self._held = number, _excess(self._image, self._flags, self._mesh, self._rows(number))
        return self._held[1]

    def peaks(self, number: int) -> StarPeaks:
        """Return the peaks of a band, by their index in the whole image."""
        rows, (above, noise) = self._rows(number), self._excess(number)
        index, signal = _peaks(above, noise, self._flags[rows], self._detection)
        return StarPeaks(index + rows.start * self._image.shape[1], signal)

    def fits(self, index: NDArray[np.int64]) -> PeakFits:
        """Return the fits of some peaks, and their heights."""
        nx = self._image.shape[1]
        fits, height = np.empty((index.size, len(FIT_COLUMNS))), np.empty(index.size)
        for number, (top, bottom) in enumerate(self.rows):
            in_band = np.flatnonzero((index >= top * nx) & (index < bottom * nx))
            if not in_band.size:
                continue
            rows, (above, noise) = self._rows(number), self._excess(number)
            local = np.ascontiguousarray(index[in_band] - rows.start * nx)
            fits[in_band] = _fit(above, noise, self._flags[rows], local, self._detection)
            height[in_band] = above.ravel()[local]
        return PeakFits(fits, height)


def _fit_enough(
    bands: _Bands, index: NDArray[np.int64], full: NDArray[np.bool_], detection: Detection
) -> tuple[dict[str, FloatArray], FloatArray, NDArray[np.bool_]]:
    """Fit peaks, the strongest first, until as many as are wanted pass; return fits, heights, and which passed."""
    fits, heights = [np.empty((0, len(FIT_COLUMNS)))], [np.empty(0)]
    passed: list[NDArray[np.bool_]] = [np.zeros(0, np.bool_)]
    # The image is gone through for each part: the last, which is rays for the most part, is all that is left.
    starts = [k * detection.max_sources for k in range(CANDIDATES + 1)]
    for start, stop in pairwise([*(start for start in starts if start < index.size), index.size]):
        some = slice(start, stop)
        fit, height = bands.fits(index[some])
        fits.append(fit)
        heights.append(height)
        passed.append(_passes(_columns(fit), full[some], detection))
        if sum(int(np.count_nonzero(part)) for part in passed) >= detection.max_sources:
            break
    return _columns(np.concatenate(fits)), np.concatenate(heights), np.concatenate(passed)


def _columns(fit: FloatArray) -> dict[str, FloatArray]:
    return dict(zip(FIT_COLUMNS, fit.T, strict=True))


def _passes(fit: dict[str, FloatArray], full: NDArray[np.bool_], detection: Detection) -> NDArray[np.bool_]:
    """Return which fits are within the limits."""
    low, high = detection.sharpness
    sharp = (fit["sharpness"] >= low) & (fit["sharpness"] <= high)
    round_enough = np.abs(fit["roundness"]) <= detection.max_roundness
    good = (_signal_to_noise(fit) >= detection.threshold) & (fit["chi2"] <= detection.max_chi2)
    good &= (np.abs(fit["dx"]) < 1.0) & (np.abs(fit["dy"]) < 1.0) & ((sharp & round_enough) | full)
    return good


def _signal_to_noise(fit: dict[str, FloatArray]) -> FloatArray:
    return np.asarray(fit["flux"] / np.maximum(fit["flux_err"], 1e-12))


def _select(
    fit: dict[str, FloatArray],
    passed: NDArray[np.bool_],
    index: NDArray[np.int64],
    peak: FloatArray,
    full: NDArray[np.bool_],
    nx: int,
    detection: Detection,
) -> NDArray[Any]:
    """Build the list of what passed, brightest first."""
    sources = np.zeros(index.size, dtype=SOURCE_DTYPE)
    sources["x"], sources["y"] = index % nx + fit["dx"], index // nx + fit["dy"]
    for name in ("flux", "sky", "chi2", "sharpness", "roundness", "x_err", "y_err", "flux_err"):
        sources[name] = fit[name]
    sources["peak"], sources["saturated"] = peak, full
    sources["snr"] = _signal_to_noise(fit)
    sources = sources[passed]
    sources = sources[np.lexsort((sources["x"], sources["y"], -sources["flux"]))]
    sources = sources[_isolated(sources["x"], sources["y"], 1.5)]
    return sources[: detection.max_sources]


def _isolated(x: FloatArray, y: FloatArray, separation: float) -> NDArray[np.bool_]:
    """Return True for sources, sorted by importance, that no earlier one precedes within `separation`."""
    keep = np.ones(x.size, dtype=np.bool_)
    order = np.argsort(x, kind="stable")
    sorted_x, sorted_y = x[order], y[order]
    for lag in range(1, x.size):
        close = sorted_x[lag:] - sorted_x[:-lag] < separation
        if not close.any():
            break
        close &= np.hypot(sorted_x[lag:] - sorted_x[:-lag], sorted_y[lag:] - sorted_y[:-lag]) < separation
        keep[np.maximum(order[lag:], order[:-lag])[close]] = False
    return keep


def image_misfits(seen: FloatArray, weight: FloatArray, images: Sequence[SampledProfile]) -> FloatArray:
    """Fit images to stars, at free places, fluxes and skies, and return each chi-square: ``(len(images), n)``.

    Parameters
    ----------
    seen, weight : (n, k, k) arrays
        Each star's pixels, the brightest in the middle, and one over their variance.
    images : sequence of SampledProfile
        Each much like the one before; their `radius` is ``k // 2``.

    Notes
    -----
    Gauss and Newton's method.
    """
    if seen.shape != weight.shape or any(seen.shape[1:] != (2 * image.radius + 1,) * 2 for image in images):
        raise ValueError(f"stars {seen.shape}, weights {weight.shape}, images of radius {[i.radius for i in images]}")
    library = native.library()
    if library is None or any(image.radius > 8 for image in images):
        return numpy_twin.image_misfits(seen, weight, images)
    pixels, weights = (np.ascontiguousarray(array, np.float64) for array in (seen, weight))
    place, limits = np.zeros((len(seen), 2)), np.array([LONGEST_STEP, FARTHEST_FIT])
    misfits = np.zeros((len(images), len(seen)))
    for number, image in enumerate(images):
        table = np.ascontiguousarray(image.coefficients, np.float64)
        star = native.StarStruct(
            radius=image.radius, iterations=MORE_STEPS if number else FIRST_STEPS, table_side=table.shape[0],
            oversampling=image.oversampling, table=native.pointer(table),
        )  # fmt: skip
        status = library.mz_image_misfits(
            native.pointer(pixels), native.pointer(weights), len(seen), native.by_reference(star),
            *map(native.pointer, (limits, place, misfits[number])),
        )  # fmt: skip
        native.raise_on_status(status)
    return misfits
