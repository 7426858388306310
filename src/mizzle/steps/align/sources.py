"""Lists of stars of each exposure, on the plane common to all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, SkyPlaces
from mizzle.instrument.star_optics import chip_star
from mizzle.kernel.detect import SOURCE_DTYPE, Detection, Profile, SampledProfile, detect, measure_sky
from mizzle.kernel.pixels import has_bits
from mizzle.model import Chip, Exposure, Runner, project
from mizzle.model.references import AlignReferences
from mizzle.model.sky import ST_ZEROPOINT, direction, julian_year, unit_vectors
from mizzle.model.user_tables import SkyRegion
from mizzle.settings import Settings
from mizzle.stars.wings import measure_wings
from mizzle.steps.align.regions import inside_regions
from mizzle.steps.chip_view import ChipView, view_unaligned

#: Full width at half maximum of a Gaussian in units of its sigma.
_FWHM = 2.354820045


@dataclass(frozen=True, eq=False)
class SourceList:
    """Sources of one exposure (or of a catalog), projected on the common plane.

    Parameters
    ----------
    root : str
        Its name.
    position : (n, 2) array
        East and north of the pivot [arcsec], by the header's frame.
    error : (n,) array
        1-sigma centroid error per axis [arcsec], before any floor.
    pixel : (n,) array
        Side of the pixel the source was measured on [arcsec]; 0 for a catalog.
    mag : (n,) array
        Instrumental magnitude, equalized by PHOTFLAM: comparable within a filter; NaN where unknown.
    x, y : (n,) array
        Position on the chip, 0-based [pixel].
    chip : (n,) int array
        Number of the chip; 0 for a catalog.
    band : str
        Filter.
    epoch : float
        Julian year.
    center : (2,) array
        Mean of the chips' centers on the plane [arcsec].
    orientation : float
        Position angle of the exposure's WF3 (or first chip's) y axis [rad]; turns chip shifts to the sky.
    chips : tuple of str
        Names of the camera's chips, by number from 1.
    """

    root: str
    position: FloatArray
    error: FloatArray
    pixel: FloatArray
    mag: FloatArray
    x: FloatArray
    y: FloatArray
    chip: NDArray[np.int64]
    band: str
    epoch: float
    center: FloatArray
    orientation: float = 0.0
    chips: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.position)


class MovingStars(NamedTuple):
    """Stars of a catalog on the common plane, and their proper motion ``(n, 2)`` [arcsec / year]."""

    sources: SourceList
    motion: FloatArray


def chip_profile(view: ChipView, settings: Settings) -> Profile | SampledProfile:
    """Return the expected shape of a star on a chip: as the optics make it, or Gaussians of the user's width."""
    kind = view.chip_class
    width = getattr(settings.align, f"fwhm_{kind.name.lower()}", 0.0)
    if not width:
        star = chip_star(view.camera, view.chip)
        return SampledProfile(star.coefficients, star.oversampling, kind.radius)
    sigma = width / _FWHM / max(view.frame.scale / kind.pixel, 0.1)
    ratio, share = kind.halo
    return Profile(sigma=sigma, halo_sigma=ratio * sigma, halo=share, radius=kind.radius)


def find_sources(view: ChipView, settings: Settings, regions: Sequence[SkyRegion] = ()) -> NDArray[np.void]:
    """Find the stars of one chip; an empty list when there are none.

    Parameters
    ----------
    view : ChipView
        The chip.
    settings : Settings
        `align` decides.
    regions : sequence of SkyRegion
        Where to look, or not.
    """
    choice, chip = settings.align, view.chip
    detection = _detection(view, settings, most=choice.max_sources if not regions else 20 * choice.max_sources)
    full, shaded = view.camera.saturated, view.camera.shaded
    saturated = has_bits(chip.dq, full)
    if choice.saturated == "exclude":
        bad, wings = view.bad() | saturated, None
    else:
        bad, wings = view.bad(allow=full), saturated
    if shaded:
        bad |= near_shadow(chip.dq, shaded, choice.edge)
    sources = detect(chip.sci, bad, detection, saturated=wings)
    if regions:
        sources = sources[inside_regions(regions, view.root, chip, x=sources["x"], y=sources["y"])]
    return sources[: choice.max_sources]


def _detection(view: ChipView, settings: Settings, *, most: int) -> Detection:
    """Return what stars of a chip look like, and the limits of the search."""
    choice, noise = settings.align, view.noise
    return Detection(
        profile=chip_profile(view, settings),
        gain=noise.gain,
        floor=float(np.sqrt(noise.floor)) / noise.gain,
        threshold=choice.threshold,
        max_chi2=choice.chi2_max,
        sharpness=(choice.sharpness_min, choice.sharpness_max),
        max_roundness=choice.roundness_max,
        max_sources=most,
        edge=choice.edge,
        mismatch=view.chip_class.mismatch,
        step=view.camera.quantum,
    )


def structured_share(exposure: Exposure, settings: Settings) -> float:
    """Return how much of an exposure has a sky with structure, a nebula or a galaxy: 0 to 1."""
    shares = [
        float(measure_sky(view.chip.sci, view.bad(), _detection(view, settings, most=1)).structured.mean())
        for view in view_unaligned([exposure], settings)
    ]
    return float(np.mean(shares)) if shares else 0.0


def count_winged(exposure: Exposure, sources: SourceList, settings: Settings) -> int:
    """Return how many of an exposure's sources have light on all sides: stars, and hardly a cosmic ray.

    Of 489 sources on simulated blank skies of 34 to 1200 s one has.
    """
    count = 0
    for view in view_unaligned([exposure], settings):
        on_chip = sources.chip == view.camera.number(view.name)
        if on_chip.any():
            row, column = (np.rint(place[on_chip]).astype(np.intp) for place in (sources.y, sources.x))
            sigma = math.sqrt(view.noise.floor) / view.noise.gain
            scale = view.chip.frame.scale
            wings = measure_wings(view.chip.sci, view.bad(), row=row, column=column, scale=scale, sigma=sigma)
            count += int(np.count_nonzero(wings.clear))
    return count


def near_shadow(dq: NDArray[np.uint16], bit: int, margin: int) -> NDArray[np.bool_]:
    """Return the ``(ny, nx)`` mask of pixels up to `margin` beyond the shadow of the optics, which `bit` marks.

    The shadow lies toward low x and low y and is wider than any margin of use.
    """
    shaded = has_bits(dq, bit)
    near = np.zeros_like(shaded)
    near[:, margin:] |= shaded[:, :-margin]
    near[margin:, :] |= shaded[:-margin, :]
    return np.asarray(near)


def given_sources(points: FloatArray) -> NDArray[np.void]:
    """Turn a user's list, ``(n, 3)`` of x, y (0-based) and flux [DN], into sources with errors of 0.05 pixel."""
    sources = np.zeros(len(points), dtype=SOURCE_DTYPE)
    sources["x"], sources["y"], sources["flux"] = points[:, 0], points[:, 1], points[:, 2]
    sources["x_err"] = sources["y_err"] = 0.05
    sources["snr"] = 1.0
    return sources


def _project_chip(
    exposure: Exposure, chip: Chip, sources: NDArray[np.void], *, pivot: tuple[float, float]
) -> FloatArray:
    """Return the eight columns that `source_list` gathers, ``(n, 8)``."""
    ra, dec = chip.frame.pixel_to_sky(sources["x"], sources["y"])
    xi, eta = project(ra, dec, pivot)
    rate = np.maximum(sources["flux"], 1e-30) / max(exposure.exptime, 1e-9) * chip.photflam
    error = np.sqrt(0.5 * (sources["x_err"] ** 2 + sources["y_err"] ** 2)) * chip.frame.scale
    n = len(sources)
    return np.column_stack(
        [
            3600.0 * xi,
            3600.0 * eta,
            error,
            np.full(n, chip.frame.scale),
            -2.5 * np.log10(rate) + ST_ZEROPOINT,
            sources["x"],
            sources["y"],
            np.full(n, float(exposure.camera.number(chip.name))),
        ]
    )


def chip_centers(exposure: Exposure) -> SkyPlaces:
    """Return right ascension and declination [deg] of the middle of each chip."""
    centers = [
        chip.frame.pixel_to_sky((chip.shape[1] - 1) / 2.0, (chip.shape[0] - 1) / 2.0)
        for chip in exposure.chips.values()
    ]
    return SkyPlaces(np.array([float(c[0]) for c in centers]), np.array([float(c[1]) for c in centers]))


def common_pivot(exposures: Sequence[Exposure]) -> tuple[float, float]:
    """Return the median direction of all chips [deg]; the order of the exposures does not matter."""
    ra, dec = (np.concatenate(part) for part in zip(*map(chip_centers, exposures), strict=True))
    # The median keeps one exposure of another field from dragging the pivot away from the rest.
    return direction(np.median(unit_vectors(ra, dec), axis=1))


def source_list(exposure: Exposure, sources: dict[str, NDArray[np.void]], pivot: tuple[float, float]) -> SourceList:
    """Gather the sources of all chips of an exposure on the common plane."""
    blocks = [
        _project_chip(exposure, exposure.chips[name], sources[name], pivot=pivot)
        for name in exposure.camera.chips
        if name in sources and len(sources[name])
    ]
    table = np.concatenate(blocks) if blocks else np.zeros((0, 8))
    table = table[np.isfinite(table[:, :3]).all(axis=1)]
    table = table[np.argsort(table[:, 4], kind="stable")]  # brightest first: a wide search takes those
    xi, eta = project(*chip_centers(exposure), pivot)
    main = exposure.chips.get(exposure.camera.reference) or next(iter(exposure.chips.values()))
    return SourceList(
        root=exposure.root,
        position=np.ascontiguousarray(table[:, :2]),
        error=table[:, 2],
        pixel=table[:, 3],
        mag=table[:, 4],
        x=table[:, 5],
        y=table[:, 6],
        chip=table[:, 7].astype(np.int64),
        band=exposure.filter,
        epoch=julian_year(0.5 * (exposure.mjd_start + exposure.mjd_end)),
        center=3600.0 * np.array([float(np.mean(xi)), float(np.mean(eta))]),
        orientation=float(np.deg2rad(main.frame.orientation())),
        chips=exposure.camera.chips,
    )


def find_all(
    exposures: Sequence[Exposure],
    settings: Settings,
    runner: Runner,
    *,
    references: AlignReferences,
    pivot: tuple[float, float],
) -> list[SourceList]:
    """Find the sources of all chips of all exposures.

    Returns
    -------
    lists : list of SourceList
        In the order of `exposures`.
    """

    def find(view: ChipView) -> NDArray[np.void]:
        given = references.sources.get(view.root, {}).get(view.name)
        if given is not None:
            return given_sources(given)
        if view.root in references.sources:
            return np.zeros(0, dtype=SOURCE_DTYPE)
        return find_sources(view, settings, references.regions)

    answers = iter(runner.map(find, view_unaligned(exposures, settings)))
    return [source_list(exposure, {name: next(answers) for name in exposure.chips}, pivot) for exposure in exposures]
